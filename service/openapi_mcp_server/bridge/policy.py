"""Permissions: selectors and rules, and the part of a catalog that they leave to a caller.

A rule sees an operation as the document describes it (`Subject`), never a generated name. An operation that no rule
permits is neither listed nor callable, and a `deny` wins over every `allow`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote_plus

import msgspec

from openapi_mcp_server.bridge.http_messages import SAFE_METHODS, HttpRequest
from openapi_mcp_server.bridge.model import Subject, Tool
from openapi_mcp_server.bridge.parameters.percent import fully_decoded
from openapi_mcp_server.bridge.withheld import readings
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.grammar import VARIABLE, plain_route
from openapi_mcp_server.openapi.model import SPANNING

_METHODS = SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT"}
_NAMED = frozenset({"id", "tag", "api"})
_HELD = "\0"
"""Stands for the value of a hole; no literal text of a template equals it."""
_FORMAT = re.compile(r"(?s)(.+)\.(?:json|xml|html?|xhtml|js|csv|txt|text|ya?ml|rss|atom|ics|pdf|zip)")
"""A last segment with the format of the answer at its end. Rails, Grape and older versions of Spring route it as if it
was not there."""
_ENDS = frozenset("?#")
_SPANNING = -1
"""Stands for the length of a path with values of several segments."""


class Selector(NamedTuple):
    """Selects operations: ``pattern`` is compared with the part that ``kind`` names, and ``method`` unless it is
    empty."""

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
                return any(_fits(self.pattern, path) for path in _paths(subject))
            case "tag":
                return any(_fits(self.pattern, tag) for tag in subject.tags)
            case "api":
                return _fits(self.pattern, subject.api)
            case _:
                return _fits(self.pattern, subject.operation_id)

    def reaches(self, subject: Subject) -> bool:
        """Whether it selects the operation under another spelling that the API may treat as the same: a path with
        escapes, doubled or trailing slashes, parameters of segments, variables in a framework's notation
        (``{id:[0-9]+}`` for ``{id}``) or another case, or a method in another case."""
        if self.kind not in {"path", "method"} or self.method not in {"", subject.method.upper()}:
            return False
        if self.kind == "method":
            return True
        return any(_reaches(_plain(self.pattern), _plain(path)) for path in _paths(subject))


def selector(text: str) -> Selector:
    """``getPet``, ``id:delete``, ``DELETE``, ``/pets/*``, ``GET /pets/*``, ``tag:admin`` or ``api:pets``; ``*`` is any
    text, slashes included. Raises ValueError for any other text."""
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


def _paths(subject: Subject) -> tuple[str, ...]:
    return (subject.path, subject.written) if subject.written else (subject.path,)


def _reaches(pattern: str, path: str) -> bool:
    if _fits(pattern, path) or ("{" in path and _fits(_routed(pattern), _routed(path))):
        return True
    return ";" in path and _fits(pattern, _plain(_without_parameters(path)))


def _plainly(path: str) -> str:
    """A path in a normal form, equal for all spellings that any server treats as the same."""
    try:
        decoded = fully_decoded(path)
    except ArgumentError:  # no operation of such a path becomes a tool
        decoded = path
    return "/" + "/".join(filter(None, decoded.replace("\\", "/").casefold().split("/")))


_plain = lru_cache(maxsize=8192)(_plainly)
"""The cached form for paths of documents, which are few and short."""


_routed = lru_cache(maxsize=8192)(plain_route)


@lru_cache(maxsize=8192)
def _without_parameters(path: str) -> str:
    return "/".join(segment.partition(";")[0] for segment in path.split("/"))


def _fits(pattern: str, text: str) -> bool:
    """Whether the text matches the pattern, in which ``*`` stands for any text. It is linear: pieces are found in
    order."""
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


def _segments(path: str) -> tuple[str, ...]:
    """The segments of a path or a template, with ``*`` for holes; the text after ``;`` or ``?`` may be cut off."""
    plain = _plainly(VARIABLE.sub("*", path)).partition("?")[0].partition("#")[0]
    return tuple(filter(None, (segment.partition(";")[0] for segment in plain.split("/"))))


def _is_cut(path: str) -> bool:
    """Whether a value has a mark that some servers take for the end of the path."""
    return "%" in path and not _ENDS.isdisjoint(_plainly(path))


def _without_format(segments: tuple[str, ...]) -> tuple[str, ...]:
    found = _FORMAT.fullmatch(segments[-1]) if segments else None
    return segments if found is None else (*segments[:-1], found[1])


def _all_fit(patterns: Iterable[str], texts: Iterable[str]) -> bool:
    return all(_fits(pattern, text) for pattern, text in zip(patterns, texts, strict=False))


def _may_be_one(some: Iterable[str], others: Iterable[str]) -> bool:
    return all(one == other or "*" in one or "*" in other for one, other in zip(some, others, strict=False))


Pairs = frozenset[tuple[str, str]]


def _wanted(key: str) -> Pairs:
    """The normalized pairs in the query of a path's key. A variable has any value, and so has a name without a value
    (``?delete``), since servers only check its presence."""
    query = plain_route(key).partition("#")[0].partition("?")[2]  # a question mark within braces begins none
    pieces = [piece.partition("=") for piece in query.split("&") if piece]
    return frozenset(
        (next(readings([unquote_plus(name)])), unquote_plus(value).casefold() if equals and "{" not in value else _HELD)
        for name, equals, value in pieces
    )


def _given(query: str) -> Pairs:
    """The pairs in a query, by all names that servers may read, and for each name one with any value. Some servers
    separate pairs by semicolons, too."""
    texts = {query, query.replace(";", "&")}
    pairs = [pair for text in texts for pair in parse_qsl(text, keep_blank_values=True)]
    read = [(name, value.casefold()) for written, value in pairs for name in readings([written])]
    return frozenset((*read, *((name, _HELD) for name, _ in read)))


class _Place(NamedTuple):
    """An operation's place. ``query`` has the pairs after ``?`` in its path's key."""

    subject: Subject
    segments: tuple[str, ...]
    query: Pairs
    is_closed: bool  # to everybody

    @property
    def spans(self) -> bool:
        """Whether a value in it may be several segments."""
        return SPANNING in self.subject.path

    def is_named_by(self, segments: Sequence[str]) -> bool:
        """Whether it matches a path of the same number of segments, or of more if its values may span segments."""
        return _fits("/".join(self.segments), "/".join(segments)) if self.spans else _all_fit(self.segments, segments)


class _Nearer(NamedTuple):
    """The operations that a call of one tool may name and that match its segments more literally than ``held``, which
    has `_HELD` for each value. ``before`` is the number of segments of the API's base in the tool's path."""

    before: int
    held: tuple[str, ...]
    spans: bool
    places: tuple[_Place, ...]

    def is_own(self, path: str, segments: Sequence[str]) -> bool:
        """Whether a request's segments are those of the tool. One value with a slash beside one that vanishes moves the
        literal segments between them."""
        if len(segments) != len(self.held) or (self.spans and _is_cut(path)):
            return False
        is_plain = "%" not in path and not self.spans
        return is_plain or _all_fit([each.replace(_HELD, "*") for each in self.held], segments)


class OperationPaths:
    """The paths of all operations, also of those that are ``closed`` to everybody, so that a call of one operation
    never reaches another. With the id ``me`` a request for ``/users/{id}`` is one for ``/users/me``, since the more
    literal path is matched first (OpenAPI, Paths Object)."""

    def __init__(self, served: Iterable[Subject], closed: Iterable[Subject]) -> None:
        self._subjects: dict[tuple[str, str], list[tuple[Subject, bool]]] = {}
        self._places: dict[tuple[str, str], dict[int, list[_Place]]] = {}  # by length, once one of them was called
        self._nearer: dict[str, _Nearer | None] = {}  # by the name of a tool that was called
        self._with_query: set[tuple[str, str]] = set()
        for subjects, is_closed in ((served, False), (closed, True)):
            for one in subjects:
                self._subjects.setdefault((one.api, one.method), []).append((one, is_closed))
                if "?" in one.written:
                    self._with_query.add((one.api, one.method))

    def require_own(self, tool: Tool, request: HttpRequest, permit: Permit) -> None:
        """Raises ArgumentError if a request of this tool reaches an operation that may not be called."""
        if tool.name not in self._nearer:
            self._nearer[tool.name] = self._found(tool) if self._may_name_others(tool) else None
        nearer = self._nearer[tool.name]
        if nearer is None:
            return
        segments = _segments(request.path)[nearer.before :]
        routed = _without_format(segments)
        is_own = nearer.is_own(request.path, segments)
        places = nearer.places if is_own else tuple(self._elsewhere(tool, nearer, len(segments)))
        query = _given(request.query) if any(place.query for place in places) else frozenset()
        for place in places:
            is_named = place.query <= query and (place.is_named_by(segments) or place.is_named_by(routed))
            if is_named and (place.is_closed or not permit.admits(place.subject)):
                raise ArgumentError(f"these arguments do not fit the path {tool.template}: they would name another one")

    def _may_name_others(self, tool: Tool) -> bool:
        return "{" in tool.template or (tool.subject.api, tool.subject.method) in self._with_query

    def _found(self, tool: Tool) -> _Nearer:
        own, said = _segments(tool.template), _given(tool.fixed_query)
        names = {name for name, _ in said}.difference(readings(slot.name for slot in tool.slots))
        held = tuple(segment.replace("*", _HELD) for segment in own)
        base = len(_segments(str(tool.path[0]))) - len(_segments(tool.template.partition("{")[0]))
        alike = self._of_length(tool.subject, len(own))
        near = (one for one in alike if one.spans or _may_be_one(one.segments, own))
        able = (one for one in near if names.isdisjoint(name for name, _ in one.query - said))
        nearer = (one for one in able if one.query - said or not one.is_named_by(held))
        return _Nearer(base, held, any(slot.spans_segments for slot in tool.slots), tuple(nearer))

    def _elsewhere(self, tool: Tool, nearer: _Nearer, length: int) -> Iterator[_Place]:
        """Places of another length, or with other literal segments, that a call may reach: some servers treat slashes
        in values as the path's, and drop what follows ``;``, ``?`` or ``#`` in them. A tool whose values may have
        slashes does not count as a call of a less literal path."""
        for place in self._of_length(tool.subject, length):
            if not (nearer.spans and place.spans and place.is_named_by(nearer.held)):
                yield place

    def _of_length(self, subject: Subject, length: int) -> Iterator[_Place]:
        """The places of its API and method that may match a path of so many segments."""
        alike = self._alike(subject)
        yield from alike.get(length, ())
        yield from (one for one in alike.get(_SPANNING, ()) if len(one.segments) < length)

    def _alike(self, subject: Subject) -> dict[int, list[_Place]]:
        """All places of its API and method by length; places that span segments are under `_SPANNING`, too."""
        key = subject.api, subject.method
        if key not in self._places:
            places = self._places[key] = dict[int, list[_Place]]()
            for one, is_closed in self._subjects.pop(key, []):
                place = _Place(one, _segments(one.path), _wanted(one.written), is_closed)
                for length in (len(place.segments), *([_SPANNING] if place.spans else [])):
                    places.setdefault(length, []).append(place)
        return self._places[key]


class Rule(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """Permits operations. None in ``allow``, ``apis`` and ``tags`` permits every one; an empty one permits nothing."""

    allow: tuple[Selector, ...] | None = None
    deny: tuple[Selector, ...] = ()
    read_only: bool = False
    apis: frozenset[str] | None = None
    tags: frozenset[str] | None = None

    def permits(self, subject: Subject) -> bool:
        return (
            (not self.read_only or subject.method in SAFE_METHODS)
            and (self.apis is None or subject.api in self.apis)
            and (self.tags is None or not self.tags.isdisjoint(subject.tags))
            and (self.allow is None or any(one.selects(subject) for one in self.allow))
            and not self.denies(subject)
        )

    def denies(self, subject: Subject) -> bool:
        return any(one.selects(subject) or one.reaches(subject) for one in self.deny)


EVERYTHING = Rule()


class Permit(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """The rights of a principal: ``own`` and any of ``granted`` must permit a call; the denials of all hold.

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

    If ``default`` is None, callers without an entry may call nothing.
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
"""The policy without POLICY: everybody may call everything that is served."""


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """The caller. ``key`` is unique among all principals, and empty without authentication; ``name`` is for the log.

    ``rate``: calls a second, None if the general limit holds.
    """

    key: str = ""
    name: str = ""
    permit: Permit = Permit()
    rate: float | None = None


ANYBODY = Principal()
"""The caller without a login: over stdio, on the command line, and with INBOUND_AUTH=none and no POLICY."""
