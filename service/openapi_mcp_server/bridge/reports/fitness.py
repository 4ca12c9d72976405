"""The weaknesses of a document for agents: faults that make tools hard to choose, to fill in or to call, by cost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from openapi_mcp_server.bridge.model import Tool, ToolCatalog
from openapi_mcp_server.bridge.schemas.listed import LISTED_BYTES
from openapi_mcp_server.bridge.search.names import MOST_TOOLS, seen_tokens
from openapi_mcp_server.openapi.model import ApiDescription, Operation
from openapi_mcp_server.settings.table import default

MOST_TOKENS: int = default("TOOL_BUDGET_TOKENS")
_SHOWN = 5
_INSTRUCTIONS = re.compile(
    r"\b(ignore|disregard|forget) (all|any|the|your)? ?(previous|prior|above|earlier)\b"
    r"|\bsystem prompt\b|\byou are (now )?an? (ai|assistant|agent|model)\b"
    r"|\b(do not|don't|never) (tell|inform|mention (this )?to) the user\b|<(system|important|instructions?)>",
    re.IGNORECASE,
)
"""Prose that speaks to a model instead of describing the API. Models read it as if their operator had written it."""


class Weakness(msgspec.Struct, frozen=True, kw_only=True):
    """A weakness of ``count`` tools or operations, which cost ``tokens`` together; ``places`` names a few of them."""

    kind: str
    problem: str
    cure: str
    count: int
    tokens: int
    places: tuple[str, ...]


class _Look(msgspec.Struct, frozen=True):
    tool: Tool
    operation: Operation


def weaknesses(catalog: ToolCatalog, descriptions: Sequence[ApiDescription]) -> list[Weakness]:
    """The weaknesses, the most expensive first. ``descriptions`` are in the order of the catalog's APIs."""
    looks = list(_looks(catalog, descriptions))
    found = [
        _of("instructions", "prose that speaks to the model", "take it out: an overlay can replace a description",
            [each for each in looks if _INSTRUCTIONS.search(bytes(each.tool.entry).decode())]),
        _of("no_description", "neither a summary nor a description", "say in one sentence what the operation is for",
            [each for each in looks if not each.operation.summary and not each.operation.description]),
        _of("no_operation_id", "no operationId: tools are named after method and path", "give it a short, telling one",
            [each for each in looks if not each.operation.operation_id]),
        _of("arguments_undescribed", "parameters without a description", "describe them; their names are all there is",
            [each for each in looks if any(not one.description for one in each.operation.parameters)]),
        _of("arguments_renamed", "arguments with names that model APIs refuse, listed under other names",
            "use letters, digits, _, . and - in names", [each for each in looks if _is_renamed(each.tool)]),
        _of("giant", f"arguments of more than {LISTED_BYTES} bytes, which lists shorten",
            "shorten descriptions and nested schemas", [each for each in looks if each.tool.input.is_shortened]),
        _of("unmet_credentials", "credentials that are not configured", "set the AUTH_ settings that inspect names",
            [each for each in looks if each.tool.access.kind == "unmet"]),
        *_of_whole(catalog),
    ]  # fmt: skip
    return sorted([each for each in found if each.count], key=lambda each: (-each.tokens, -each.count))


def _looks(catalog: ToolCatalog, descriptions: Sequence[ApiDescription]) -> Iterator[_Look]:
    by_pointer = {
        (api.name, operation.pointer): operation
        for api, description in zip(catalog.apis, descriptions, strict=True)
        for operation in description.operations
    }
    for tool in catalog.tools.values():
        if (operation := by_pointer.get((tool.api, tool.pointer))) is not None:
            yield _Look(tool, operation)


def _of(kind: str, problem: str, cure: str, looks: Sequence[_Look]) -> Weakness:
    return Weakness(
        kind=kind,
        problem=problem,
        cure=cure,
        count=len(looks),
        tokens=sum(each.tool.tokens for each in looks),
        places=_some(f"{each.tool.name} ({each.tool.pointer})" for each in looks),
    )


def _of_whole(catalog: ToolCatalog) -> Iterator[Weakness]:
    """The weaknesses of the list as a whole, and of skipped operations."""
    listed, whole = len(catalog.tools), seen_tokens(catalog.tools.values())
    is_long = whole > MOST_TOKENS or listed > MOST_TOOLS
    yield Weakness(
        kind="long_list",
        problem=f"{listed} tools of {whole} tokens, where clients take {MOST_TOOLS} and models {MOST_TOKENS}",
        cure="choose operations with INCLUDE_TAGS or ALLOW_OPERATIONS, or set TOOL_MODE=search",
        count=listed if is_long else 0,
        tokens=whole,
        places=(),
    )
    skipped = [each.operation for each in catalog.skipped]
    yield Weakness(
        kind="skipped",
        problem="operations that cannot be tools",
        cure="mend what each reason says; inspect lists all",
        count=len(skipped),
        tokens=0,
        places=_some(f"{each.method} {each.path}: {each.reason} ({each.pointer})" for each in skipped),
    )


def _is_renamed(tool: Tool) -> bool:
    """Whether an argument has another name than in the document; a suffix for the place does not count."""
    fields = tool.body.properties.items() if tool.body else ()
    pairs = [*((slot.argument, slot.name) for slot in tool.slots), *fields]
    return any(argument.partition("__")[0] != name.partition("__")[0] for argument, name in pairs)


def _some(places: Iterable[str]) -> tuple[str, ...]:
    listed = list(places)
    more = len(listed) - _SHOWN
    return (*listed[:_SHOWN], *([f"and {more} more"] if more > 0 else []))
