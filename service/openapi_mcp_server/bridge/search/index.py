"""An inverted index of operations: each stem with its operations and its weight in each.

Weights by field follow BM25F (Robertson and Zaragoza, 2009) and are computed once; a query only adds numbers.
"""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from openapi_mcp_server.bridge.model import RESPONSE_FILTER, SkippedTool, Tool, ToolCatalog
from openapi_mcp_server.bridge.search.words import is_plural, of_identifier, of_segment, stems, words
from openapi_mcp_server.bridge.text import visible
from openapi_mcp_server.grammar import VARIABLE

PROSE_CHARACTERS = 600
"""The most characters of a description that are indexed after its first sentence; more did not help."""
_FIRST_SENTENCE = 300
_SATURATION = 1.6
"""BM25's k1, which limits the weight of repeated words."""
_SPELT = 4
"""The fewest letters of a known word that mistyped ones are compared with."""
_LEAST_RARE = 0.2
_OFTEN = 3
"""The most times that a word counts in one field."""


class _Field(NamedTuple):
    """A field. ``usual`` is its usual number of words; in a longer one each word counts less, by ``brevity``."""

    weight: float
    usual: int
    brevity: float
    is_main: bool = True  # whether its words count for rarity


_LAST, _SUMMARY, _ID, _PATH, _FIRST, _TAGS, _CHANGED, _ARGUMENTS, _REST = (
    _Field(3.0, 1, 0.2),
    _Field(2.6, 6, 0.35),
    _Field(1.8, 4, 0.3),
    _Field(1.3, 4, 0.3),
    _Field(1.3, 12, 0.45),
    _Field(0.9, 2, 0.3),
    _Field(0.45, 12, 0.3, is_main=False),
    _Field(0.35, 12, 0.6, is_main=False),
    _Field(0.2, 50, 0.6, is_main=False),
)
"""The fields, with weights from questions about ten published documents. The last literal segment of a path has the
highest weight. The arguments of a change tell what can be changed ("rename a folder"), those of a read mostly how much
is shown."""

_VERSION = re.compile(r"v?\d+(?:[._-]\d+)*(?:(?:alpha|beta|rc)\d*)?|\d{4}-\d\d-\d\d", re.IGNORECASE)
_EXTENSION = re.compile(r"\.(?:json|xml|csv)$")
_FORMATS = frozenset({"json", "xml", "csv"})
"""Last segments that only name the format of the answer: Docker's ``/containers/json``."""
_OWN = frozenset({"me", "@me", "my", "self", "current", "whoami"})
_OWN_SUMMARY = re.compile(r"\b(?:authenticated|current|logged.in) user\b", re.IGNORECASE)
_PEOPLE = re.compile(r"(?:ers?|ors?|ees?|ants?|ists?|ians?|people|persons?)$", re.IGNORECASE)
_READS = re.compile(
    r"_?(?:batch|bulk)?_?(?:[Ss]earch|[Qq]uery|[Ff]ind|[Ll]ook_?[Uu]p|[Ll]ist|[Gg]et|[Cc]ount|[Ff]ilter)(?![a-z])"
)
"""Last segments that make a POST a read. "list" is an action, but "lists" is a thing."""
_SENTENCE_END = re.compile(r"(?<=[.!?])\s")
_HASH = re.compile(r"_[0-9a-f]{8}$")
_NUMBER = re.compile(r"\d+")
_UNSTABLE = ((3, "alpha"), (2, "beta"), (1, "rc"))
_BEYOND_NUMBERS = 1e6
"""A number above all versions, some of which are dates."""
_DEPRECATED = re.compile(r"deprecated", re.IGNORECASE)
_DEPRECATED_WITHIN = 60
"""The word "deprecated" within so many first characters of a description is about the operation itself."""
_ENUM = b'"enum"'
_CHOICES = 12
"""The most choices of an argument that are indexed; longer lists are countries, models and the like."""


class _Arguments(msgspec.Struct):
    properties: dict[str, msgspec.Raw] = {}


class _Entry(msgspec.Struct):
    """The indexed parts of a tool's entry."""

    inputSchema: _Arguments  # noqa: N815 - MCP's name
    description: str = ""


class _Schema(msgspec.Struct):
    enum: list[object] = []


_entry = msgspec.json.Decoder(_Entry).decode
_schema = msgspec.json.Decoder(_Schema).decode


class Indexed(NamedTuple):
    """An operation for the ranking. ``name`` is empty for a skipped operation, which has a ``reason``.

    ``twin`` is the same for all versions of an operation, and ``version`` orders them.
    """

    name: str
    api: str
    method: str
    path: str
    tags: tuple[str, ...]
    last: frozenset[str]
    literals: tuple[str, ...]
    is_item: bool
    is_many: bool  # whether its path ends with a word for several
    is_own: bool  # whether it is about the caller's own things: ``/me/playlists``
    is_people: bool  # whether its path ends with a word for people: ``/subscribers``
    is_deprecated: bool
    does: str  # the method that it acts like: a POST to /search reads
    twin: str
    version: float
    reason: str = ""


class Postings(NamedTuple):
    """The operations with a stem, and its weight in each."""

    operations: array[int]
    worth: array[float]


class Index(NamedTuple):
    """The index. ``rarity`` is by stem, at most 1. ``spellings`` are the possible corrections of a mistyped word, with
    their letters as bits. They are words and not stems, since a mistake can change an ending."""

    operations: Sequence[Indexed]
    postings: Mapping[str, Postings]
    rarity: Mapping[str, float]
    vocabulary: Sequence[str]  # the stems, sorted
    spellings: Mapping[str, int]
    things: frozenset[str]  # the stems that paths to be read end with


def build(catalog: ToolCatalog) -> Index:
    """Builds the index, which takes 0.3 ms for each operation. Others do not change the catalog meanwhile."""
    maker = _Maker()
    for tool in catalog.tools.values():
        maker.add(
            _of_tool(tool), f"{tool.template} {tool.title} {' '.join(tool.subject.tags)}", list(_tool_fields(tool))
        )
    for skipped in catalog.skipped:
        if skipped.subject is not None:  # else no caller may know of it
            maker.add(_of_skipped(skipped), skipped.operation.path, list(_skipped_fields(skipped)))
    return maker.index()


class _Maker:
    def __init__(self) -> None:
        self._operations: list[Indexed] = []
        self._found: dict[str, tuple[array[int], array[float]]] = {}
        self._main: Counter[str] = Counter()
        self._words: set[str] = set()

    def add(self, indexed: Indexed, said: str, fields: Iterable[tuple[_Field, Sequence[str]]]) -> None:
        """Adds an operation. Misspelt words are corrected to words of ``said``, its prose."""
        self._words.update([word for word in words(said) if len(word) >= _SPELT])
        number = len(self._operations)
        self._operations.append(indexed)
        weights: dict[str, float] = {}
        main: set[str] = set()
        for field, found in fields:
            each = field.weight / (1 - field.brevity + field.brevity * len(found) / field.usual)
            for word, count in Counter(found).items():
                weights[word] = weights.get(word, 0.0) + each * min(count, _OFTEN)
            if field.is_main:
                main.update(found)
        self._main.update(main)
        for word, weight in weights.items():
            known = self._found.get(word)
            if known is None:
                known = self._found[word] = (array("I"), array("f"))
            known[0].append(number)
            known[1].append(weight)

    def index(self) -> Index:
        from openapi_mcp_server.bridge.search.vocabulary import WORDS  # noqa: PLC0415 - 11 ms, not before the first list

        count = len(self._operations)
        rarest = math.log(1 + (count + 0.5) / 1.5)
        rarity, postings = {}, {}
        for word, (numbers, weights) in self._found.items():
            holders = self._main[word] or len(numbers)
            rare = math.log(1 + (count - holders + 0.5) / (holders + 0.5)) / rarest
            rare = rarity[word] = _LEAST_RARE + (1 - _LEAST_RARE) * rare
            worth = array("f", [rare * weight / (_SATURATION + weight) for weight in weights])
            postings[word] = Postings(numbers, worth)
        spellings = {word: letters(word) for word in sorted(self._words | WORDS)}
        things = frozenset(word for each in self._operations if each.method == "GET" for word in each.last)
        return Index(self._operations, postings, rarity, sorted(postings), spellings, things)


def letters(word: str) -> int:
    """The letters of a word as a set of bits, one for each letter."""
    found = 0
    for letter in word:
        found |= 1 << (ord(letter) & 31)
    return found


def _of_tool(tool: Tool) -> Indexed:
    prose = tool.summary[:_DEPRECATED_WITHIN]
    deprecated = tool.deprecated or _DEPRECATED.search(prose) is not None
    indexed = _indexed(tool.name, tool.api, tool.method, tool.template, tool.subject.tags, deprecated=deprecated)
    return indexed._replace(is_own=indexed.is_own or _OWN_SUMMARY.search(tool.summary) is not None)


def _of_skipped(skipped: SkippedTool) -> Indexed:
    operation = skipped.operation
    indexed = _indexed("", skipped.api, operation.method, operation.path, (), deprecated=False)
    return indexed._replace(reason=operation.reason)


def _indexed(name: str, api: str, method: str, path: str, tags: tuple[str, ...], *, deprecated: bool) -> Indexed:
    segments = [_EXTENSION.sub("", segment) for segment in path.split("/") if segment]
    literals = _literals(segments)
    own = ":" in segments[-1] if segments else False  # Google's custom methods: /messages/{id}:send
    things = [literal for literal in literals if literal not in _OWN] or literals
    last = segments[-1].rpartition(":")[2] if own else (things[-1] if things else "")
    versions = [segment for segment in segments if _VERSION.fullmatch(segment)]
    return Indexed(
        name=name,
        api=api,
        method=method,
        path=path,
        tags=tags,
        last=frozenset(of_segment(last)),
        literals=tuple(dict.fromkeys(word for literal in literals for word in stems(literal))),
        is_item=bool(segments) and ("{" in segments[-1] or segments[-1] in _OWN) and not own,
        is_many=any(map(is_plural, words(last)[-1:])),
        is_own=_is_own(segments),
        is_people=_PEOPLE.search(last) is not None,
        is_deprecated=deprecated,
        does="QUERY" if method == "POST" and _READS.match(last) else method,
        twin=_twin(api, method, segments) if versions else "",
        version=max(map(_order, versions), default=0.0),
    )


def _is_own(segments: Sequence[str]) -> bool:
    return any(segment in _OWN and not following.startswith("{") for segment, following in pairwise([*segments, ""]))


def _literals(segments: Sequence[str]) -> list[str]:
    """The meaningful segments, without versions and arguments."""
    plain = [VARIABLE.sub("", segment) for segment in segments]
    said = [segment for segment in plain if segment and not _VERSION.fullmatch(segment)]
    return said[:-1] if len(said) > 1 and said[-1] in _FORMATS else said


def area(path: str) -> tuple[str, ...]:
    """The replacement for missing tags: the first meaningful segment of the path."""
    return tuple(_literals(path.split("/"))[:1])


def _twin(api: str, method: str, segments: Sequence[str]) -> str:
    """The key that all versions of an operation share: the method, and the path without the version."""
    bare = ["" if _VERSION.fullmatch(segment) else VARIABLE.sub("{}", segment) for segment in segments]
    return f"{api} {method} {'/'.join(bare)}"


def _order(version: str) -> float:
    """The order of versions: ``v2alpha1`` < ``v1beta1`` < ``v2beta1`` < ``v1`` < ``v2``. All stable ones are above
    others."""
    numbers = [int(number) for number in _NUMBER.findall(version[:20])]
    order = sum(number * 0.01**place for place, number in enumerate(numbers))
    unstable = next((kind for kind, mark in _UNSTABLE if mark in version.lower()), 0)
    return order - unstable * _BEYOND_NUMBERS


def _tool_fields(tool: Tool) -> Iterator[tuple[_Field, Sequence[str]]]:
    yield from _path_fields(tool.template)
    yield _SUMMARY, stems(tool.title if tool.title != tool.name else "")
    yield _ID, list(of_identifier(_HASH.sub("", tool.subject.operation_id or tool.name)))
    yield _TAGS, [word for tag in tool.subject.tags for word in of_identifier(tag)]
    told = _entry(tool.entry)
    yield _CHANGED if _changes(tool) else _ARGUMENTS, list(_argument_words(tool, told.inputSchema.properties))
    first, rest = _sentences(_prose(tool, told.description))
    yield _FIRST, stems(first)
    yield _REST, stems(rest)


def _argument_words(tool: Tool, properties: Mapping[str, msgspec.Raw]) -> Iterator[str]:
    """The words of arguments' names and of choices, if these are few: "close a topic" sets one of its states."""
    for name in tool.input.names:
        if name != RESPONSE_FILTER:
            yield from of_identifier(name)
    for schema in properties.values():
        if _ENUM in bytes(schema):
            for choice in _choices(schema):
                yield from of_identifier(choice)


def _choices(schema: msgspec.Raw) -> Sequence[str]:
    choices = _schema(schema).enum
    return [each for each in choices if isinstance(each, str)] if len(choices) <= _CHOICES else ()


def _changes(tool: Tool) -> bool:
    return tool.method in {"PUT", "PATCH"} or (tool.method == "POST" and tool.template.endswith("}"))


def _skipped_fields(skipped: SkippedTool) -> Iterator[tuple[_Field, Sequence[str]]]:
    """The fields of a skipped operation, for which only the path is known."""
    yield from _path_fields(skipped.operation.path)


def _path_fields(path: str) -> Iterator[tuple[_Field, Sequence[str]]]:
    segments = [_EXTENSION.sub("", segment) for segment in path.split("/") if segment]
    literals = _literals(segments)
    if literals:
        yield _LAST, list(of_segment(literals[-1].rpartition(":")[2]))
    yield _PATH, [word for literal in literals for word in set(of_segment(literal))]


def _prose(tool: Tool, prose: str) -> str:
    """The document's cleaned words for it: its summary, and its listed description without an ending that replaces
    missing words."""
    prose = prose.partition(f"{tool.method} {visible(tool.template)}")[0]
    summary = tool.summary.rstrip(".…")
    return prose if prose.startswith(summary) else f"{summary}. {prose}"


def _sentences(prose: str) -> tuple[str, str]:
    first, *rest = _SENTENCE_END.split(prose[: _FIRST_SENTENCE + PROSE_CHARACTERS], maxsplit=1)
    return first[:_FIRST_SENTENCE], rest[0][:PROSE_CHARACTERS] if rest else ""
