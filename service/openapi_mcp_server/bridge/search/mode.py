"""The four tools of search mode, for all operations of a catalog: find, describe, read, call.

Their answers are text: clients show either the text or the structure of an answer, and text costs less.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.http_messages import SAFE_METHODS
from openapi_mcp_server.bridge.model import RESPONSE_FILTER, SkippedTool, Tool
from openapi_mcp_server.bridge.names import nearest
from openapi_mcp_server.bridge.results.shown_size import result_size
from openapi_mcp_server.bridge.schemas.listed import LISTED_BYTES
from openapi_mcp_server.bridge.schemas.portable import portable_schema
from openapi_mcp_server.bridge.search import describing, hits
from openapi_mcp_server.bridge.search.asking import DEFAULT_LIMIT, Operate, Search, members_beside
from openapi_mcp_server.bridge.search.index import Index, Indexed, area
from openapi_mcp_server.bridge.search.names import CALL, DESCRIBE, READ, SEARCH
from openapi_mcp_server.bridge.search.own_arguments import own_arguments
from openapi_mcp_server.bridge.search.resolving import SHOWN, meant, named, not_there
from openapi_mcp_server.bridge.search.words import stems
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.mcp.messages import Annotations, ToolEntry
from openapi_mcp_server.openapi.pointers import unescaped

if TYPE_CHECKING:
    from openapi_mcp_server.bridge.search import ranking

MOST = 20
"""The most hits of one answer."""
AREAS = 12
_UNOFFERED_AMONG, _UNOFFERED = 5, 2
"""Skipped operations are named if they would be among the first five hits, at most two."""
_REASON = 200
_ANY = frozenset({"ANY", "ALL", "*"})
_ALWAYS_LOAD = "anthropic/alwaysLoad"
"""Key of ``_meta`` for Claude Code, which otherwise hides these tools behind a search of its own."""

_ARGUMENTS_AS_TEXT = {
    "type": "string",
    "description": 'The operation\'s arguments by name, a JSON object as text, as {"id": 7, "tags": ["a"]}.',
}
"""Arguments as text for OpenAI's strict mode and Gemini, which accept no object without properties, or drop its
content."""


class Offer(NamedTuple):
    """The operations that one class of callers may find, and facts about all of them. ``skipped``: those that became no
    tool."""

    tools: Mapping[str, Tool]
    skipped: Sequence[SkippedTool]
    by_place: Mapping[str, str]  # "METHOD /path" → name, of those that only one operation has
    common: frozenset[str]
    apis: tuple[str, ...]


class Invocation(NamedTuple):
    tool: Tool
    arguments: msgspec.Raw


def offer(tools: Mapping[str, Tool], skipped: Sequence[SkippedTool] = ()) -> Offer:
    places = Counter(tool.operation for tool in tools.values())
    by_place = {tool.operation: name for name, tool in tools.items() if places[tool.operation] == 1}
    return Offer(
        tools=tools,
        skipped=skipped,
        by_place=by_place,
        common=hits.common_arguments(tools.values()),
        apis=tuple(dict.fromkeys(tool.api for tool in tools.values())),
    )


def entries(
    offered: Offer, titles: Mapping[str, str], result_bytes: int, *, portable: bool = False
) -> list[msgspec.Raw]:
    """The elements of tools/list. ``titles`` are by API. ``result_bytes`` is the limit of a result, 0 without one.
    ``portable``: in schemas that every model API accepts."""
    named = " and ".join(f"{titles.get(api) or api}" for api in offered.apis[:5])
    name = {"type": "string", "description": "As search_operations shows it, or METHOD /path"}
    arguments = {"type": "object", "description": "The operation's arguments by name."}
    selected = {"type": "string", "description": "JMESPath expression applied to a JSON answer, as items[].name"}
    operate = {"name": name, "arguments": _ARGUMENTS_AS_TEXT if portable else arguments, RESPONSE_FILTER: selected}
    narrowed = _open_choice if portable else _choice
    search = {
        "query": {"type": "string", "description": "As: list issues of a repository"},
        "tag": {"type": "string", "description": "Only of this area"},
        "method": narrowed(_methods(offered)),
        **({"api": narrowed(offered.apis)} if len(offered.apis) > 1 else {}),
        "limit": {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT},
        "offset": {"type": "integer", "minimum": 0, "default": 0},
    }
    describe = {"name": name, "type": {"type": "string", "description": "One of its types or arguments, to see alone"}}
    found = (
        f"Finds operations of {text.shorten(named, 200)} by what they do, with the arguments they take. "
        f"There are {len(offered.tools):,}; areas: {_areas(offered)}. Use the API's own nouns and one verb."
    )
    told = "Tells all arguments of an operation with their types and limits, and its answer. "
    told += "Needed where search_operations says 'describe first' or shows {…}."
    read = "Calls an operation that only reads (GET, HEAD, QUERY) and gives its answer."
    call = "Calls any operation, those that change something too, and gives its answer."
    reads = Annotations(readOnlyHint=True, openWorldHint=False)
    schema = _portable if portable else _schema
    reading = Annotations(readOnlyHint=True, openWorldHint=True)
    return [
        _entry(SEARCH, found, schema(search, ("query",)), reads),
        _entry(DESCRIBE, told, schema(describe, ("name",)), reads),
        _entry(READ, read, schema(operate, ("name",)), reading, result_bytes),
        _entry(CALL, call, schema(operate, ("name",)), Annotations(openWorldHint=True), result_bytes),
    ]


def _choice(values: Sequence[str]) -> dict[str, Any]:
    return {"type": "string", "enum": [*values]}


def _open_choice(values: Sequence[str]) -> dict[str, Any]:
    """A choice that also allows an empty value, for frameworks that make every argument required, as OpenAI's strict
    mode does."""
    return {"type": "string", "description": f"Only of this one: {', '.join(values)}. Empty for all."}


def _schema(properties: dict[str, Any], required: Sequence[str]) -> bytes:
    return msgspec.json.encode({"type": "object", "properties": properties, "required": [*required]})


def _portable(properties: dict[str, Any], required: Sequence[str]) -> bytes:
    return portable_schema(_schema(properties, required), "", LISTED_BYTES).schema


def _entry(name: str, description: str, schema: bytes, annotations: Annotations, result_bytes: int = 1) -> msgspec.Raw:
    entry = ToolEntry(
        name=name,
        description=description,
        inputSchema=msgspec.Raw(schema),
        annotations=annotations,
        meta={_ALWAYS_LOAD: True, **result_size(result_bytes)},
    )
    return msgspec.Raw(msgspec.json.encode(entry))


def _methods(offered: Offer) -> list[str]:
    return list(dict.fromkeys(tool.method for tool in offered.tools.values()))


def areas(offered: Offer, api: str = "") -> dict[str, int]:
    """The areas of an API, or of all, with the number of operations, the largest first."""
    own = [tool for tool in offered.tools.values() if not api or tool.api == api]
    return dict(Counter(each for tool in own for each in _areas_of(tool)).most_common())


def _areas(offered: Offer) -> str:
    counts = Counter(areas(offered))
    told = [f"{text.line(name, 40)} {count}" for name, count in counts.most_common(AREAS)]
    return ", ".join([*told, *(["…"] if len(counts) > AREAS else [])])


def _areas_of(tool: Tool) -> tuple[str, ...]:
    return tool.subject.tags or area(tool.template)


def search(offered: Offer, index: Index, asked: Search) -> str:
    """The hits of a page, with two lines each, and the arguments for the next page. ``index``: of this offer."""
    from openapi_mcp_server.bridge.search import ranking  # noqa: PLC0415 - with tables that take 15 ms
    from openapi_mcp_server.bridge.search.query import QUERY_CHARACTERS  # noqa: PLC0415

    asked = _narrowed(offered, asked)

    def is_wanted(operation: Indexed) -> bool:
        return _is_asked(operation, offered, asked)

    found = ranking.search(index, asked.query, is_wanted) if asked.query.strip() else _all(index, is_wanted)
    if first := named(offered.tools, asked.query):
        found = _before(first, index, is_wanted, found)
    known = [hit for hit in found if hit.operation.name]
    start = asked.offset
    page = known[start : start + asked.limit]
    shown = hits.Shown(offered.common, len(offered.apis) > 1, frozenset(stems(asked.query[:QUERY_CHARACTERS])))
    lines = [
        hits.lines(start + number, offered.tools[hit.operation.name], shown, list(_also(hit)))
        for number, hit in enumerate(page, 1)
    ]
    return "\n".join([*lines, *_ending(offered, asked, found, known, len(page))])


def _before(
    first: Sequence[str],
    index: Index,
    is_wanted: Any,  # noqa: ANN401 - as in `ranking.search`
    found: Sequence[ranking.Hit],
) -> list[ranking.Hit]:
    """The operations that the query names, followed by the hits."""
    from openapi_mcp_server.bridge.search import ranking  # noqa: PLC0415 - as above

    operations = {each.name: each for each in index.operations if each.name in first}
    told = [operations[name] for name in first if name in operations and is_wanted(operations[name])]
    return [*(ranking.Hit(each, 1.0) for each in told), *(hit for hit in found if hit.operation not in told)]


def _all(index: Index, is_wanted: Any) -> list[ranking.Hit]:  # noqa: ANN401 - as in `ranking.search`
    from openapi_mcp_server.bridge.search import ranking  # noqa: PLC0415 - as above

    return [ranking.Hit(each, 1.0) for each in index.operations if each.name and is_wanted(each)]


def _is_asked(operation: Indexed, offered: Offer, asked: Search) -> bool:
    if (asked.method and operation.method != asked.method) or (asked.api and operation.api != asked.api):
        return False
    if not asked.tag:
        return True
    tool = offered.tools.get(operation.name)
    areas = _areas_of(tool) if tool else area(operation.path)
    return asked.tag in map(text.caseless, areas)


def _narrowed(offered: Offer, asked: Search) -> Search:
    """The search without filters that filter nothing, since some clients make a model give every argument. Raises
    ArgumentError for an unknown filter."""
    method, tag = asked.method.upper(), text.caseless(asked.tag)
    if method and method not in (known := _methods(offered)):
        if method not in _ANY:
            raise ArgumentError(f"there is no method {asked.method[:SHOWN]!r}; there are {', '.join(known)}")
        method = ""
    if asked.api and asked.api not in offered.apis:
        raise ArgumentError(f"there is no API {asked.api[:SHOWN]!r}; there are {', '.join(offered.apis)}")
    areas = {text.caseless(each) for tool in offered.tools.values() for each in _areas_of(tool)} if tag else set()
    if tag and tag not in areas:
        if tag.upper() not in _ANY:
            near = nearest(tag[:SHOWN], areas)
            hint = f"did you mean {', '.join(near)}?" if near else f"the largest are {_areas(offered)}"
            raise ArgumentError(f"there is no area {asked.tag[:SHOWN]!r}; {hint}")
        tag = ""
    limit = min(max(asked.limit, 1), MOST) if asked.limit else DEFAULT_LIMIT
    return msgspec.structs.replace(asked, method=method, tag=tag, limit=limit, offset=max(asked.offset, 0))


def _also(hit: ranking.Hit) -> Iterator[str]:
    for other in hit.also:
        version = next((part for part in other.path.split("/") if part and part not in hit.operation.path), "")
        yield f"{version}: {other.name}" if version else other.name


def _ending(
    offered: Offer, asked: Search, found: Sequence[ranking.Hit], known: Sequence[ranking.Hit], count: int
) -> Iterator[str]:
    start = asked.offset
    if not start and not asked.query.strip() and not asked.tag:
        yield f"Ask for what is to be done, or for an area with the argument tag: {_areas(offered)}."
    if not known:
        yield f"Nothing found. Try other words, in English as a rule, or the argument tag: {_areas(offered)}."
    elif start + count < len(known):
        yield f"{start + 1}–{start + count} of {len(known)}; offset={start + count} for more."
    elif not count:
        yield f"There are {len(known)} only."
    if offered.common and count:
        yield f"All take: {', '.join(f'{name}?' for name in sorted(offered.common))}"
    unmet = {offered.tools[hit.operation.name].access.reason for hit in known[start : start + count]} - {""}
    if unmet:
        yield f"Credentials: {'; '.join(sorted(unmet))}."
    unoffered = [hit.operation for hit in found[:_UNOFFERED_AMONG] if not hit.operation.name]
    for operation in unoffered[:_UNOFFERED] if not start else ():
        place = f"{operation.method} {text.visible(operation.path)}"
        yield f"Not offered here: {place} ({text.line(operation.reason, _REASON)})"


def resolved(offered: Offer, name: str) -> Tool:
    """The operation with a name, or with ``METHOD /path``. Raises ArgumentError."""
    wanted = " ".join(name.split())
    method, _, path = wanted.partition(" ")
    if path.startswith("/") and wanted not in offered.by_place:  # a method in other case is another one in 3.2 alone
        wanted = f"{method.upper()} {path}"
    found = offered.tools.get(wanted) or offered.tools.get(offered.by_place.get(wanted, ""))
    if found is not None:
        return found
    for skipped in offered.skipped:
        if f"{skipped.operation.method} {skipped.operation.path}" == wanted:
            reason = text.line(skipped.operation.reason, _REASON)
            raise ArgumentError(f"{wanted[:SHOWN]} is not offered here: {reason}")
    if (tool := meant(offered.tools, wanted)) is not None:
        return tool
    raise not_there(offered.tools, areas(offered), wanted)


def describe(offered: Offer, name: str, type_name: str = "") -> str:
    return describing.described(resolved(offered, name), type_name)


def invocation(offered: Offer, named: str, asked: Operate, arguments: msgspec.Raw | None) -> Invocation:
    """The operation to call, and its own arguments. ``asked`` was read from ``arguments``. Raises ArgumentError."""
    tool = resolved(offered, asked.name)
    if named == READ and tool.method not in SAFE_METHODS - {"OPTIONS"}:
        raise ArgumentError(f"{tool.name} is {tool.method} and may change something: use {CALL}")
    own = own_arguments(tool, asked.name, asked.arguments, members_beside(arguments))
    return Invocation(tool, _with_filter(tool, own, asked.response_filter))


def _with_filter(tool: Tool, own: bytes, expression: str) -> msgspec.Raw:
    if not expression:
        return msgspec.Raw(own)
    if not tool.filterable:
        raise ArgumentError(f"{RESPONSE_FILTER}: the answers of {tool.name} are not JSON; leave it out")
    if not own.startswith(b"{"):
        return msgspec.Raw(own)  # refused as every other that is no object
    rest = own[1:].lstrip()
    comma = b"" if rest.startswith(b"}") else b","
    return msgspec.Raw(b'{"%b":%b%b%b' % (RESPONSE_FILTER.encode(), msgspec.json.encode(expression), comma, rest))


def mended(error: ArgumentError, tool: Tool) -> ArgumentError:
    """The error of a wrong argument, followed by a description of the arguments that it names."""
    names = [line[3:].partition(":")[0].partition("/")[0] for line in str(error).splitlines() if line.startswith("- /")]
    told = describing.argument_lines(tool, [unescaped(name) for name in dict.fromkeys(names)])
    return ArgumentError(f"{error}\n{told}" if told else str(error))
