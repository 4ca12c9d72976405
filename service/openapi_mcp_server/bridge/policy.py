"""Who may call which operation: selectors, rules, and what they leave of a catalog.

A rule sees an operation as the document describes it (`Subject`), never a name that was made of it. Whatever no rule
permits is neither listed nor callable, and a `deny` wins over every `allow`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

import msgspec

from openapi_mcp_server.bridge.http_messages import SAFE_METHODS
from openapi_mcp_server.bridge.model import Subject
from openapi_mcp_server.bridge.parameters.percent import fully_decoded
from openapi_mcp_server.errors import ArgumentError

_METHODS = SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT"}
_NAMED = frozenset({"id", "tag", "api"})


class Selector(NamedTuple):
    """Selects operations: ``pattern`` is compared with what ``kind`` names, and ``method`` too unless it is empty."""

    kind: str  # method, path, tag, api, id
    pattern: str
    method: str = ""

    @property
    def shown(self) -> str:
        """The selector as it is written."""
        prefix = f"{self.kind}:" if self.kind in _NAMED else ""
        return f"{self.method} {prefix}{self.pattern}".strip()

    def selects(self, subject: Subject) -> bool:
        if self.method and self.method != subject.method:
            return False
        match self.kind:
            case "method":
                return True
            case "path":
                return _fits(self.pattern, subject.path)
            case "tag":
                return any(_fits(self.pattern, tag) for tag in subject.tags)
            case "api":
                return _fits(self.pattern, subject.api)
            case _:
                return _fits(self.pattern, subject.operation_id)

    def reaches(self, subject: Subject) -> bool:
        """Whether it selects the operation under another spelling, which the API may take for the same: of a path with
        escapes, doubled or trailing slashes, parameters of segments or other case, or of a method in other case."""
        if self.kind not in {"path", "method"} or self.method not in {"", subject.method.upper()}:
            return False
        if self.kind == "method":
            return True
        pattern, path = _plain(self.pattern), _plain(subject.path)
        return _fits(pattern, path) or (";" in path and _fits(pattern, _plain(_without_parameters(path))))


def selector(text: str) -> Selector:
    """``getPet``, ``id:delete``, ``DELETE``, ``/pets/*``, ``GET /pets/*``, ``tag:admin`` or ``api:pets``; ``*`` is any
    text, slashes included. Raises ValueError for what is none of these."""
    kind, colon, name = text.strip().partition(":")
    if colon and kind in _NAMED and name.strip():
        return Selector(kind, name.strip())
    first, _, rest = text.strip().partition(" ")
    rest = rest.strip()
    if rest.startswith(("/", "*")) and first.isupper():
        return Selector("path", rest, first)
    if rest or not first or (colon and kind in _NAMED):
        raise ValueError(f"{text!r} is no operationId, METHOD, /path, METHOD /path, tag:NAME or api:NAME")
    if first in _METHODS:
        return Selector("method", "", first)
    if first.upper() in _METHODS:
        raise ValueError(f"{text!r}: write {first.upper()} for the method, id:{first} for the operationId")
    return Selector("path" if first == "*" or first.startswith("/") else "id", first)


@lru_cache(maxsize=8192)
def _plain(path: str) -> str:
    """Equal for paths that some server or other takes for one."""
    try:
        decoded = fully_decoded(path)
    except ArgumentError:  # no operation of such a path becomes a tool
        decoded = path
    return "/" + "/".join(filter(None, decoded.replace("\\", "/").casefold().split("/")))


@lru_cache(maxsize=8192)
def _without_parameters(path: str) -> str:
    return "/".join(segment.partition(";")[0] for segment in path.split("/"))


def _fits(pattern: str, text: str) -> bool:
    """Whether the text is the pattern, in which each ``*`` stands for any text. Linear: pieces are found in order."""
    first, *others = pattern.split("*")
    if not others:
        return pattern == text
    if not text.startswith(first):
        return False
    *middle, last = others
    at = len(first)
    for piece in middle:
        found = text.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return text.endswith(last) and len(text) - len(last) >= at


class Rule(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """Permits operations. ``allow`` empty: every operation; ``apis`` and ``tags`` None: of every API, with any tag."""

    allow: tuple[Selector, ...] = ()
    deny: tuple[Selector, ...] = ()
    read_only: bool = False
    apis: frozenset[str] | None = None
    tags: frozenset[str] | None = None

    def permits(self, subject: Subject) -> bool:
        return (
            (not self.read_only or subject.method in SAFE_METHODS)
            and (self.apis is None or subject.api in self.apis)
            and (self.tags is None or not self.tags.isdisjoint(subject.tags))
            and (not self.allow or any(one.selects(subject) for one in self.allow))
            and not self.denies(subject)
        )

    def denies(self, subject: Subject) -> bool:
        return any(one.selects(subject) or one.reaches(subject) for one in self.deny)


EVERYTHING = Rule()


class Permit(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """The rights of a principal: what ``own`` permits, and any of ``granted``, whose denials hold together.

    Equal permits see the same tools, so they are the classes that lists are made for.
    """

    own: Rule = EVERYTHING
    granted: tuple[Rule, ...] = (EVERYTHING,)
    scopes: frozenset[str] = frozenset()

    def admits(self, subject: Subject) -> bool:
        return (
            self.own.permits(subject)
            and any(rule.permits(subject) for rule in self.granted)
            and not any(rule.denies(subject) for rule in self.granted)
            and self.scopes.issuperset(subject.scopes)
        )


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The file of POLICY: rules for principals by name, for scopes, for groups; ``default`` where none of them applies.

    ``default`` None: whoever no entry applies to may call nothing.
    """

    principals: Mapping[str, Rule] = {}
    scopes: Mapping[str, Rule] = {}
    groups: Mapping[str, Rule] = {}
    default: Rule | None = None

    def granted(self, name: str, scopes: Iterable[str], groups: Iterable[str]) -> tuple[Rule, ...]:
        """The rules that apply, in the order of the file, so that equal sets are equal."""
        held, member = frozenset(scopes), frozenset(groups)
        found = [
            *(rule for key, rule in self.principals.items() if key == name),
            *(rule for key, rule in self.scopes.items() if key in held),
            *(rule for key, rule in self.groups.items() if key in member),
        ]
        if not found and self.default is not None:
            return (self.default,)
        return tuple(found)


OPEN = Policy(default=EVERYTHING)
"""Where there is no POLICY: everybody may call everything that is served."""


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls. ``key`` is unique among all principals and empty where nobody was asked; ``name`` is for the log.

    ``rate``: calls a second, None where the general limit holds.
    """

    key: str = ""
    name: str = ""
    permit: Permit = Permit()
    rate: float | None = None


ANYBODY = Principal()
"""Where nobody is asked who calls: over stdio, on the command line, and with INBOUND_AUTH=none and no POLICY."""
