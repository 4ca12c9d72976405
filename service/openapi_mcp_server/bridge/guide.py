"""Prompts for people and resources for clients: three prompts about the whole API, its overview and its operations.

The three prompts take the place of a thousand prompts for operations, which would bury a person's own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import msgspec

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.model import ApiSummary, Tool
from openapi_mcp_server.bridge.search.names import CALL, DESCRIBE, READ, SEARCH
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.mcp.messages import PromptArgument, PromptEntry, PromptMessage, PromptResult, TextContent

FEW_TOOLS = 20
"""By default each operation has a prompt of its own up to this number of tools."""
OVERVIEW, TASK, EXPLAIN = "overview", "task", "explain_operation"
ENTRIES = (
    PromptEntry(name=OVERVIEW, title="Overview", description="What can this API do?"),
    PromptEntry(
        name=TASK,
        title="Do a task",
        description="Plan a task with this API, and ask before anything is changed",
        arguments=(PromptArgument(name="goal", description="What is to be done", required=True),),
    ),
    PromptEntry(
        name=EXPLAIN,
        title="Explain an operation",
        description="What an operation does and how it is called",
        arguments=(PromptArgument(name="name", description="Its name, or METHOD /path", required=True),),
    ),
)
NAMES = frozenset(entry.name for entry in ENTRIES)
_SCHEME = "openapi://"
_WHOLE = frozenset({"overview", "document"})
"""The kinds of resources that each API has once."""
_HOLE = "{name}"
"""The place of an operation's name in the template of its URI."""
_OVERVIEW_CHARACTERS = 8_000
_GOAL_CHARACTERS = 4_000
_AREAS = 40
VALUES = 100
"""The most completions in one answer (MCP, Completion)."""
_COMPLETING = (
    "params.ref must be a ref/prompt with a name or a ref/resource with a uri, "
    "and params.argument have a name and a value, all of them strings"
)


class PromptReference(msgspec.Struct, frozen=True, tag_field="type", tag="ref/prompt"):
    name: str


class ResourceReference(msgspec.Struct, frozen=True, tag_field="type", tag="ref/resource"):
    uri: str


class GuideArgument(msgspec.Struct, frozen=True):
    name: str
    value: str


class Completing(msgspec.Struct, frozen=True):
    """The params of completion/complete."""

    ref: PromptReference | ResourceReference
    argument: GuideArgument

    @property
    def prompt(self) -> str | None:
        """The prompt of the argument; None for the argument of a resource."""
        return self.ref.name if isinstance(self.ref, PromptReference) else None


class GuidePlace(NamedTuple):
    """A resource: ``kind`` is overview, document or operations; only an operation has a name."""

    api: str
    kind: str
    operation: str


def resources(apis: Sequence[ApiSummary], documented: Collection[str] = ()) -> list[dict[str, str]]:
    """The elements of ``resources/list``. ``documented`` are the APIs whose document is a resource, too."""
    found = []
    for api in apis:
        found.append(_resource_of(api, "overview", "What {} can do", "text/markdown"))
        if api.name in documented:
            found.append(_resource_of(api, "document", "{} as an OpenAPI document", "application/json"))
    return found


def _resource_of(api: ApiSummary, kind: str, title: str, media_type: str) -> dict[str, str]:
    return {
        "uri": _uri(api.name, kind),
        "name": f"{api.name} {kind}",
        "title": title.format(text.line(api.title, text.TITLE_LIMIT) or api.name),
        "mimeType": media_type,
    }


def templates(apis: Sequence[ApiSummary]) -> list[dict[str, str]]:
    """The elements of ``resources/templates/list``."""
    return [
        {
            "uriTemplate": operation_uri(api.name, _HOLE),
            "name": f"{api.name} operation",
            "title": "An operation with its arguments",
            "mimeType": "text/plain",
        }
        for api in apis
    ]


def operation_uri(api: str, name: str) -> str:
    """The URI of the resource that describes a tool in full."""
    return _uri(api, f"operations/{name}")


def _uri(api: str, rest: str) -> str:
    return f"{_SCHEME}{quote(api, safe='')}/{rest}"


def place(uri: str) -> GuidePlace | None:
    """The resource of one of our URIs."""
    api, _, rest = uri.removeprefix(_SCHEME).partition("/")
    kind, _, name = rest.partition("/")
    if not uri.startswith(_SCHEME) or (rest not in _WHOLE and (kind != "operations" or not name)):
        return None
    return GuidePlace(unquote(api), kind, unquote(name))


def overview(apis: Sequence[ApiSummary], tools: Mapping[str, Tool], areas: Mapping[str, Mapping[str, int]]) -> str:
    """An overview in Markdown. ``areas`` are by API, with the numbers of their operations."""
    told = "\n".join(line for api in apis for line in _about(api, tools, areas.get(api.name, {})))
    return text.shorten(told, _OVERVIEW_CHARACTERS)


def _about(api: ApiSummary, tools: Mapping[str, Tool], areas: Mapping[str, int]) -> Iterator[str]:
    own = [tool for tool in tools.values() if tool.api == api.name]
    reading = sum(tool.is_safe for tool in own)
    yield f"# {text.line(api.title, text.TITLE_LIMIT) or api.name} {text.line(api.version, 40)}".rstrip()
    yield f"{len(own):,} operations, {reading:,} of them only read."
    if unmet := sum(tool.access.kind == "unmet" for tool in own):
        yield f"{unmet:,} ask for credentials that are not configured."
    if areas:
        yield "\n## Areas"
        yield from (f"- {text.line(name, 60)}: {count}" for name, count in [*areas.items()][:_AREAS])
        if len(areas) > _AREAS:
            yield f"- and {len(areas) - _AREAS} more"


def wanted(name: str, arguments: Mapping[str, str]) -> str:
    """The single argument of a prompt; empty if the prompt has none. Raises ArgumentError."""
    known = [each.name for entry in ENTRIES if entry.name == name for each in entry.arguments]
    if unknown := sorted(arguments.keys() - set(known)):
        raise ArgumentError(f"unknown argument {unknown[0]!r}; {name} has: {', '.join(known) or 'none'}")
    if missing := [each for each in known if not arguments.get(each, "").strip()]:
        raise ArgumentError(f"missing required arguments: {', '.join(missing)}")
    return arguments[known[0]] if known else ""


def task(goal: str, *, searched: bool) -> str:
    """The prompt for a task with the API."""
    find = (
        f"Find the operations with {SEARCH}, look at their arguments with {DESCRIBE} where a hit does not tell them, "
        f"read with {READ}. "
        if searched
        else "Choose among this server's tools. "
    )
    change = f"use {CALL} for what changes something" if searched else "call what changes something"
    return (
        f"{find}First say in a few lines which operations you will call and with what. You may read without asking; "
        f"{change} only after I have agreed.\n\nThe task: {text.shorten(goal, _GOAL_CHARACTERS)}"
    )


def result(title: str, said: str) -> PromptResult:
    return PromptResult(description=title, messages=(PromptMessage(content=TextContent(said)),))


def completing(params: msgspec.Raw | None) -> Completing:
    """The reference and the argument that are to be completed. Raises ArgumentError."""
    try:
        return msgspec.json.decode(params or b"{}", type=Completing)
    except msgspec.DecodeError as error:
        raise ArgumentError(_COMPLETING) from error


def completions(asked: Completing, tools: Mapping[str, Tool], prompted: Tool | None) -> list[str]:
    """All values of an argument that contain the text so far; values that begin with it come first. ``prompted`` is the
    prompt's tool, if it has one."""
    known = _known(asked, tools, prompted)
    begun = asked.argument.value.casefold()
    first = [value for value in known if value.casefold().startswith(begun)]
    return first + [value for value in known if begun in value.casefold() and not value.casefold().startswith(begun)]


def _known(asked: Completing, tools: Mapping[str, Tool], prompted: Tool | None) -> list[str]:
    ref, argument = asked.ref, asked.argument.name
    if isinstance(ref, PromptReference):
        if prompted is not None:
            return _listed(prompted, argument)
        return [*tools] if (ref.name, argument) == (EXPLAIN, "name") else []
    there = place(ref.uri)
    if there is None or (there.operation, argument) != (_HOLE, "name"):
        return []
    return [tool.name for tool in tools.values() if tool.api == there.api]


def _listed(tool: Tool, argument: str) -> list[str]:
    """The values that an argument's schema lists."""
    schema: Any = msgspec.json.decode(tool.input.schema).get("properties", {}).get(argument)
    if not isinstance(schema, dict):
        return []
    if isinstance(values := schema.get("enum"), list):
        return [value if isinstance(value, str) else msgspec.json.encode(value).decode() for value in values]
    return ["true", "false"] if schema.get("type") == "boolean" else []
