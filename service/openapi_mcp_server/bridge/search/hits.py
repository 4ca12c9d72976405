"""Writes an operation in two lines of about 50 tokens, which are enough to call most operations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.model import RESPONSE_FILTER, Tool
from openapi_mcp_server.bridge.results.next_page import paging_arguments
from openapi_mcp_server.bridge.schemas.edits import decode
from openapi_mcp_server.bridge.search.notation import Contract, Schema, contract, is_simple, resolved, short, shown_bare
from openapi_mcp_server.bridge.search.words import of_identifier

TYPED, NAMED = 6, 28
"""The most optional arguments that are shown with types (objects last), and the most arguments that are named. With
twenty names Twilio's ``Body`` of a message would be missing; a name costs one to three tokens. The media type of a
body, which few calls give, is only named: ASP.NET's four cost 20 tokens."""
ANSWER_NAMES = 7
_COMMON, _COMMON_FROM = 0.5, 8
"""If there are at least so many operations, arguments of more than half of them are listed once."""
_TITLE = 100
_NESTED = 3
_ENVELOPE = 2
"""The most members of an object that only contains another one."""
_OPEN = frozenset({"{…}", "any"})


class Shown(NamedTuple):
    """Facts for showing hits: the arguments that all operations have, whether hits name their API, and the stems of the
    query."""

    common: frozenset[str] = frozenset()
    of_several: bool = False
    asked: frozenset[str] = frozenset()


def common_arguments(tools: Iterable[Tool]) -> frozenset[str]:
    """The optional arguments that most operations have."""
    counts: Counter[str] = Counter()
    total = 0
    for tool in tools:
        total += 1
        counts.update(set(tool.input.names).difference(tool.input.required, (RESPONSE_FILTER,)))
    if total < _COMMON_FROM:
        return frozenset()
    return frozenset(name for name, count in counts.items() if count > _COMMON * total)


def lines(number: int, tool: Tool, shown: Shown, also: Sequence[str]) -> str:
    """The lines of a hit. ``also`` are other versions of the same operation, in words."""
    signature, first = _signature(tool, shown)
    answer = answers(tool)
    notes = [
        *(["deprecated"] if tool.deprecated else []),
        *([f"describe first: {', '.join(first)}"] if first else []),
        *([f"also {', '.join(also)}"] if also else []),
        *(["credentials missing"] if tool.access.kind == "unmet" else []),
    ]
    title = text.shorten(tool.title if tool.title != tool.name else tool.summary, _TITLE)
    whose = f"{tool.api}: " if shown.of_several else ""
    told = f"{number}. {signature}{f' → {answer}' if answer else ''}\n   {whose}{tool.method} "
    told += text.visible(tool.template) + (f" — {title}" if title else "")
    return f"{told} [{'; '.join(notes)}]" if notes else told


def needed(tool: Tool) -> tuple[str, ...]:
    """Arguments without which a call is refused by the server or the API."""
    return (*tool.input.required, *(tool.body.needed if tool.body else ()))


def _signature(tool: Tool, shown: Shown) -> tuple[str, list[str]]:
    """Name and arguments, with the needed ones first, and the needed ones that a line does not describe fully."""
    within = contract(tool.input.schema)
    first = needed(tool)
    told = [_argument(name, within.argument(name), within, required=True) for name in first]
    untold = [name for name in first if short(within.argument(name), within) in _OPEN]
    others = _by_use(tool, shown, [name for name in tool.input.names if name not in first])
    chooser = tool.body.chooser if tool.body else None
    typed = [name for name in others[:NAMED] if name != chooser and is_simple(within.argument(name), within)][:TYPED]
    told += [_argument(name, within.argument(name), within, required=False) for name in typed]
    formed = [name for name in others if name not in (*typed, chooser)][: TYPED - len(typed)]
    told += [_argument(name, within.argument(name), within, required=False) for name in formed]
    rest = [name for name in others if name not in typed and name not in formed]
    room = max(NAMED - len(told), 0)
    told += [f"{name}?" for name in rest[:room]]
    told += [f"+{len(rest) - room}"] if len(rest) > room else []
    return f"{tool.name}({', '.join(told)})", untold


def _by_use(tool: Tool, shown: Shown, names: Sequence[str]) -> list[str]:
    """The names in order: those in the query first, those for pages last."""
    paging = frozenset(paging_arguments(tool))
    mine = [name for name in names if name not in shown.common and name != RESPONSE_FILTER]
    return sorted(mine, key=lambda name: (shown.asked.isdisjoint(of_identifier(name)), name in paging))


def _argument(name: str, schema: Schema, within: Contract, *, required: bool) -> str:
    kind = short(schema, within)
    default = schema.get("default") if isinstance(schema, dict) else None
    told = name if required else f"{name}?"
    told += f": {kind}" if kind else ""
    return told if default in (None, "", [], {}) else f"{told} = {text.shorten(text.visible(shown_bare(default)), 20)}"


def answers(tool: Tool) -> str:
    """The names at the top of an answer, and one level into a list; empty if the document does not have them."""
    output = tool.output or tool.answers
    if output is None:
        return ""
    within = contract(bytes(output.schema))
    if output.wrapped and "result" in within.properties:
        return _shape(within.argument("result"), within)
    if within.properties:
        return _object({name: within.argument(name) for name in list(within.properties)[: ANSWER_NAMES + 1]}, within)
    return _shape(decode(within.branches[0]), within) if within.branches else ""


def _shape(schema: Schema, within: Contract, depth: int = _NESTED) -> str:
    schema = resolved(schema, within)
    if not isinstance(schema, dict) or depth < 0:
        return "any"
    if "array" in schema.get("type", ()):
        return f"[{_shape(schema.get('items', True), within, depth - 1)}]"
    members = dict(_members(schema, within, depth))
    if members:
        return _object(members, within, depth)
    branches = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    return _shape(branches[0], within, depth - 1) if branches else short(schema, within) or "string"


def _members(schema: Schema, within: Contract, depth: int) -> Iterator[tuple[str, Schema]]:
    if not isinstance(schema, dict) or depth < 0:
        return
    for part in schema.get("allOf", ()):
        yield from _members(resolved(part, within), within, depth - 1)
    yield from schema.get("properties", {}).items()


def _object(members: Mapping[str, Schema], within: Contract, depth: int = _NESTED) -> str:
    """The names of an object and the content of its first list of objects, since an envelope alone says nothing."""
    told, has_list = [], False
    for name in list(members)[:ANSWER_NAMES]:
        shown, schema = text.visible(name[:_TITLE]), resolved(members[name], within)
        if depth >= _NESTED and not has_list and _is_envelope(schema, len(members)):
            inner = _shape(schema, within, 1)
            has_list = inner.startswith(("[{", "{"))
            shown += f": {inner}" if has_list else ""
        told.append(shown)
    return f"{{{', '.join([*told, *(['…'] if len(members) > ANSWER_NAMES else [])])}}}"


def _is_envelope(schema: Schema, members: int) -> bool:
    """Whether this member has the useful content: a list, or an object that is nearly alone."""
    if not isinstance(schema, dict):
        return False
    is_object = "properties" in schema or "allOf" in schema or "object" in schema.get("type", ())
    return "array" in schema.get("type", ()) or (is_object and members <= _ENVELOPE)
