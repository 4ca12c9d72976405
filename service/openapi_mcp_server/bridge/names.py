"""Names of tools and of their arguments: legal, unique, and independent of the rest of the document.

A name depends on its own operation. It changes only if another operation with exactly the same name appears or
vanishes; then all of them end with a hash of their identities. A hash on every altered name would be even more stable.
But then each of GitHub's 1,223 names would have one (``repos/get`` is not legal as it is), and models read names.
Nothing depends on order.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from openapi_mcp_server.bridge.model import NAME_LENGTH
from openapi_mcp_server.openapi.model import Operation

COMPARED_NAMES = 100
"""The most names that an unknown one is compared with. Each comparison takes 20 µs; choosing among 10,000 takes 5
ms."""
_PIECE, _PIECES = 3, 8
"""Length and number of the pieces of an unknown name that choose the names for comparison."""
_HASH_LENGTH = 8
_NOT_TOOL = re.compile(r"[^a-zA-Z0-9_-]+")
_NOT_ARGUMENT = re.compile(r"[^a-zA-Z0-9_.-]+")

BODY = "body"
"""The location of a body's properties, and the argument that is a whole body."""


_TAKEN_BY_CLIENTS = frozenset({"config", "run_manager", "callbacks", "runtime", "self"})
"""Names by which LangChain's tools, and frameworks built on them, pass values of their own: an argument of that name
never arrives (langchain-core 1.x, ``StructuredTool._run``; langchain-mcp-adapters, ``call_tool``)."""
_PROMPT = "use_"


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """The wanted name of a tool or argument, and its identity, which is unique."""

    name: str
    identity: str


class Wire(msgspec.Struct, frozen=True, gc=False):
    """A parameter or a body's property: its own name and where it goes (a parameter's location, or ``body``)."""

    name: str
    location: str


def tool_name(operation: Operation, api: str | None, override: str | None) -> Wanted:
    """The wanted name of an operation: the override, the operationId, or method and path, after the API's name.

    ``api`` is None if only one document is served.
    """
    place = operation.method.lower() + operation.path
    own = (
        _legal(override or "", _NOT_TOOL) or _legal(operation.operation_id or "", _NOT_TOOL) or _legal(place, _NOT_TOOL)
    )
    identity = f"{operation.method} {operation.path}?{operation.query} {operation.pointer}"
    if api is None:
        return Wanted(own, identity)
    return Wanted(f"{_legal(api, _NOT_TOOL)}_{own}", f"{api} {identity}")


def unique(wanted: Sequence[Wanted], length: int = NAME_LENGTH) -> list[str]:
    """Names of at most ``length`` characters, all different, in the order given.

    Each tool that shares its name with another gets a hash of its identity.
    """
    identities = _distinct([want.identity for want in wanted])
    names = [_fit(want.name, identity, length) for want, identity in zip(wanted, identities, strict=True)]
    return _separated(names, identities, [False] * len(names), length)


def argument_names(wires: Sequence[Wire]) -> list[str]:
    """The argument of each wire name, in the order given; depends on this one operation only.

    In a collision every parameter gets its location as a suffix; the body's name stays. A name that clients use for
    themselves gets the suffix, too, also in the body. Remaining collisions (two names that differ only in illegal
    characters) get a hash, except for a name that is exact.
    """
    names = [_legal(wire.name, _NOT_ARGUMENT) or "argument" for wire in wires]
    are_different = len(set(names)) == len(names)
    if are_different and _TAKEN_BY_CLIENTS.isdisjoint(names) and max(map(len, names), default=0) <= NAME_LENGTH:
        return names  # as nearly all are
    if not are_different:
        counts = Counter(names)
        names = [
            f"{name}__{wire.location}" if counts[name] > 1 and wire.location != BODY else name
            for name, wire in zip(names, wires, strict=True)
        ]
    names = [
        f"{name}__{wire.location}" if name in _TAKEN_BY_CLIENTS else name
        for name, wire in zip(names, wires, strict=True)
    ]
    identities = _distinct([f"{wire.location} {wire.name}" for wire in wires])
    names = [_fit(name, identity) for name, identity in zip(names, identities, strict=True)]
    return _separated(names, identities, exact=[name == wire.name for name, wire in zip(names, wires, strict=True)])


def prompt_names(tools: Sequence[str]) -> list[str]:
    """The prompt of each tool, in the order given.

    No prompt has the name of a tool: an agent that offers both to its model would send a name twice, which model APIs
    refuse.
    """
    wanted = [_fit(f"{_PROMPT}{name}", name) for name in tools]
    identities = [*tools, *(f"prompt {name}" for name in tools)]
    exact = [True] * len(tools) + [False] * len(tools)
    return _separated([*tools, *wanted], identities, exact)[len(tools) :]


def free(name: str, taken: Sequence[str]) -> str:
    """A free name for an argument of our own; arguments of the operation keep their names."""
    while name in taken:
        name += "__" + BODY
    return name


def _separated(names: list[str], identities: list[str], exact: list[bool], length: int = NAME_LENGTH) -> list[str]:
    """The names with a hash on those that are shared; an ``exact`` one keeps its name if the others can yield.

    A hashed name can equal a chosen name that looks hashed, so the rule is applied until no two are equal.
    """
    separated = list(names)
    salt = 0
    while len(set(separated)) < len(separated):
        shared = {name for name, count in Counter(separated).items() if count > 1}
        for index, name in enumerate(separated):
            if name in shared and (salt > 0 or not exact[index]):
                separated[index] = _hashed(names[index], identities[index], salt, length)
        salt += 1
    return separated


def _legal(text: str, illegal: re.Pattern[str]) -> str:
    """The text itself if it is legal; otherwise without accents, and with underscores for other illegal characters."""
    if illegal.search(text) is None:
        return text
    if not text.isascii():
        # Characters are handled one by one, since CPython orders many marks on a letter in quadratic time (gh-149079).
        text = "".join(unicodedata.normalize("NFKD", letter) for letter in text).encode("ascii", "ignore").decode()
    return illegal.sub("_", text).strip("_")


def _fit(name: str, identity: str, length: int = NAME_LENGTH) -> str:
    return name if len(name) <= length else _hashed(name, identity, 0, length)


def _hashed(name: str, identity: str, salt: int, length: int) -> str:
    digest = hashlib.sha256(f"{salt or ''}{identity}".encode()).hexdigest()[:_HASH_LENGTH]
    return f"{name[: length - _HASH_LENGTH - 1].rstrip('_-')}_{digest}"


def _distinct(identities: list[str]) -> list[str]:
    """Numbers equal identities, so that even two indistinguishable operations get two names."""
    if len(set(identities)) == len(identities):
        return identities
    counts = Counter(identities)
    seen: Counter[str] = Counter()
    numbered = []
    for identity in identities:
        seen[identity] += 1
        numbered.append(f"{identity} {seen[identity]}" if counts[identity] > 1 else identity)
    return numbered


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Up to three known names that a wrong one may mean, the likeliest first.

    Only `COMPARED_NAMES` are compared: of the names of similar length, those with the most common pieces.
    """
    alike = [each for each in known if abs(len(each) - len(name)) <= max(3, len(name) // 3)]
    if len(alike) > COMPARED_NAMES:
        alike = _with_most(_pieces(name), alike)
    return difflib.get_close_matches(name, alike, n=3, cutoff=0.6)


def _pieces(name: str) -> list[str]:
    starts = range(max(1, len(name) - _PIECE + 1))
    return [name[start : start + _PIECE] for start in starts[:: -(-len(starts) // _PIECES)]]


def _with_most(pieces: Sequence[str], names: Sequence[str]) -> list[str]:
    counts = [sum(columns) for columns in zip(*([piece in each for each in names] for piece in pieces), strict=True)]
    best = sorted(range(len(names)), key=counts.__getitem__, reverse=True)
    return [names[index] for index in best[:COMPARED_NAMES]]
