"""``inspect``: what a document turns into, before it is served."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec

from openapi_mcp_server import __version__
from openapi_mcp_server.bridge.model import SEEN_BYTES_PER_TOKEN, ApiSummary, Tool, ToolCatalog
from openapi_mcp_server.bridge.reports.report import credentials, report
from openapi_mcp_server.bridge.schemas.inputs import CLOSED
from openapi_mcp_server.bridge.search import describing, hits, mode
from openapi_mcp_server.bridge.search.names import SEARCH, is_searched, seen_tokens
from openapi_mcp_server.bridge.servers import ANYWHERE
from openapi_mcp_server.commands.printing import print_json
from openapi_mcp_server.documents.loading import read_catalog
from openapi_mcp_server.errors import ArgumentError, ConfigError
from openapi_mcp_server.settings.config import Config

_SHOWN = 5
_PREFIXED_LENGTH = 48
"""Characters of a name beside which a prefix finds room: model APIs take 64 in all."""
_MOST_TOOLS = (
    ("Cursor", 40, "{} are left out"),
    ("Windsurf", 100, "{} cannot be switched on"),
    ("VS Code, JetBrains Copilot, OpenAI's API", 128, "a request with all is refused, {} have to be switched off"),
)
"""From their documentation and users' reports, November 2026. Tools of other servers count, too."""
_DEFERRED_TOKENS = 20_000
_RESULT_CHARACTERS = 50_000
_UNKNOWN = "is no tool; inspect without a name lists all"
"""The text in place of a sentence that sends a model to a tool of search mode."""


def run(config: Config) -> int:
    _require_one_view(config)
    if config.cache_dir is not None:  # left there for servers to come: in an image, say
        anyio.run(read_catalog, config, backend="trio")
    catalog = anyio.run(partial(read_catalog, config, only_to_show=True), backend="trio")
    if config.operands:
        sys.stdout.write("\n".join(_one(catalog, config.operands[0])) + "\n")
    elif "--tokens" in config.options:
        sys.stdout.write("\n".join(_costs(catalog, config)) + "\n")
    elif "--html" in config.options:
        _write_page(catalog, config)
    elif "--json" in config.options:
        print_json(report(catalog))
    else:
        sys.stdout.write("\n".join(lines(catalog)) + "\n")
    return 0


def _require_one_view(config: Config) -> None:
    views = [option for option in ("--json", "--html", "--tokens") if option in config.options]
    if len([*views, *config.operands]) > 1:
        other = [*config.operands, *views[1:]][0]
        raise ConfigError(views[0], f"shows all tools in its own way; leave out either it or {other}")


def _one(catalog: ToolCatalog, name: str) -> Iterator[str]:
    """The lines on a tool as a model sees it, in a list and in search mode."""
    offered = mode.offer(catalog.tools, [skipped for skipped in catalog.skipped if skipped.subject is not None])
    try:
        tool = mode.resolved(offered, name)
    except ArgumentError as error:
        said = str(error)
        raise ConfigError(name, _UNKNOWN if SEARCH in said else said) from None
    entry = msgspec.json.decode(bytes(tool.entry), type=dict[str, Any])
    yield f"IN THE LIST, about {tool.tokens} tokens"
    yield f"{entry['name']}: {entry['description']}"
    yield msgspec.json.format(msgspec.json.encode(entry["inputSchema"]), indent=2).decode()
    shown = hits.Shown(offered.common, len(offered.apis) > 1)
    for title, said in (
        ("AS A HIT OF search_operations", hits.lines(1, tool, shown, ())),
        ("BY describe_operation", describing.described(tool)),
    ):
        yield f"\n{title}, about {int(len(said.encode()) / SEEN_BYTES_PER_TOKEN)} tokens"
        yield said


def _costs(catalog: ToolCatalog, config: Config) -> Iterator[str]:
    """The costs of what clients show to a model of each tool: name, description, arguments; and beside them those of a
    list that tells arguments whole. Clients keep titles and output schemas."""
    listed = sorted(catalog.tools.values(), key=lambda tool: -tool.seen_bytes)
    yield f"{'TOOL':40} {'TOKENS':>7} {'WHOLE':>7}  OPERATION"
    for tool in listed:
        yield f"{tool.name:40} {tool.tokens:>7} {_whole_tokens(tool):>7}  {tool.operation}"
    seen = seen_tokens(listed)
    yield f"{'all of ' + str(len(listed)):40} {seen:>7} {sum(map(_whole_tokens, listed)):>7}"
    offered = mode.offer(catalog.tools)
    titles = {api.name: api.title for api in catalog.apis}
    made = mode.entries(offered, titles, config.result_budget_bytes, portable=config.tool_schemas == "portable")
    entries = [msgspec.json.decode(bytes(each)) for each in made]
    seen_of_four = [[each[member] for member in ("name", "description", "inputSchema")] for each in entries]
    four = len(msgspec.json.encode(seen_of_four))
    yield f"{'four, in search mode':40} {int(four / SEEN_BYTES_PER_TOKEN):>7}"
    way = "searched" if is_searched(config.tool_mode, seen, config.tool_budget_tokens) else "listed"
    yield f"With TOOL_MODE={config.tool_mode} and TOOL_BUDGET_TOKENS={config.tool_budget_tokens} they are {way}."
    yield from _caps(len(listed), seen, config)
    long = [tool.name for tool in listed if len(tool.name) > _PREFIXED_LENGTH]
    if long:
        yield f"Names too long for clients that put mcp__SERVER__ before them (TOOL_NAME_LENGTH=48): {_some(long)}"


def _whole_tokens(tool: Tool) -> int:
    """An estimate of the tokens that a model would pay if the list had all arguments of a tool."""
    entry = msgspec.json.decode(bytes(tool.entry), type=dict[str, msgspec.Raw])
    listed, whole = len(bytes(entry["inputSchema"])), len(tool.input.checked) - len(CLOSED)
    return int((tool.seen_bytes + max(0, whole - listed)) / SEEN_BYTES_PER_TOKEN)


def _caps(count: int, seen: int, config: Config) -> Iterator[str]:
    """Tells what clients do with a list of so many tools, and with long results."""
    yield "CLIENTS, of the whole list; the four tools of search mode fit into each"
    for client, most, what in _MOST_TOOLS:
        told = "all fit" if count <= most else what.format(count - most)
        yield f"  {client}: {most} tools at most: {told}"
    told = "all are shown" if seen <= _DEFERRED_TOKENS else "its own search stands before them"
    yield f"  Claude Code: from {_DEFERRED_TOKENS:,} tokens on, a tenth of its context: {told}"
    budget = config.result_budget_bytes
    fits = 0 < budget <= _RESULT_CHARACTERS
    told = "fits" if fits else "results say that they may be longer"
    yield f"  Claude Code: results of {_RESULT_CHARACTERS:,} characters: RESULT_BUDGET_BYTES={budget} {told}"


def _write_page(catalog: ToolCatalog, config: Config) -> None:
    from openapi_mcp_server.page.files import standalone  # noqa: PLC0415 - for those who ask for it

    file = config.options["--html"]
    try:
        Path(file).write_text(standalone(catalog, name=config.server_name, version=__version__), "utf-8")
    except OSError as error:
        raise ConfigError("--html", f"cannot write {file}: {error.strerror}") from None
    sys.stdout.write(f"the page is in {file}\n")


def lines(catalog: ToolCatalog) -> Iterator[str]:
    """The same for people: APIs, tools, what was left out and why, what was repaired."""
    for api in catalog.apis:
        yield f"{api.name}: {api.title} {api.version} (OpenAPI {api.dialect}){_where(api)}"
        skipped = sum(each.api == api.name for each in catalog.skipped)
        tools, notes = _counted(api.tools, "tool"), _counted(len(api.notes), "note")
        yield f"  {tools}, {skipped} skipped, {api.filtered} left out by settings, {notes}"
    yield ""
    yield from _table(catalog) if catalog.tools else ["No operation became a tool."]
    if catalog.skipped:
        yield ""
        yield "SKIPPED"
        for each in catalog.skipped:
            operation = each.operation
            place = ", ".join(filter(None, (operation.place, operation.pointer)))
            yield f"  {operation.method} {operation.path}: {operation.reason} ({place})"
    yield from _sent(catalog)
    yield from _unmet(catalog)
    for api in catalog.apis:
        yield from _notes(api)


def _table(catalog: ToolCatalog) -> Iterator[str]:
    yield f"{'TOOL':40} {'TOKENS':>7}  OPERATION"
    for tool in catalog.tools.values():
        yield f"{tool.name:40} {tool.tokens:>7}  {tool.operation}"
    yield f"{'all':40} {seen_tokens(catalog.tools.values()):>7}  {catalog.list_bytes} bytes"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _where(api: ApiSummary) -> str:
    is_unknown = api.base == ANYWHERE or any(note.kind == "base_url_unknown" for note in api.notes)
    return ", to be served with API_BASE_URL set" if is_unknown else f" at {api.base}"


def _sent(catalog: ToolCatalog) -> Iterator[str]:
    """The credentials of operations, if any are configured, and the operations that are sent without."""
    names: dict[tuple[str, str], list[str]] = {}
    for tool in catalog.tools.values():
        told = [
            f"{each['kind']} ({', '.join(filter(None, (each['place'], each['setting'])))})"
            for each in credentials(catalog, tool)
        ]
        names.setdefault((tool.api, " and ".join(told)), []).append(tool.name)
    if any(sent for _, sent in names):
        yield ""
        yield "CREDENTIALS SENT"
        for (api, sent), tool_names in names.items():
            yield f"  {api}: {sent or 'none'}: {_some(tool_names)}"


def _unmet(catalog: ToolCatalog) -> Iterator[str]:
    """Unmet tools by reason: one scheme that is not configured often keeps a whole API from being called."""
    names: dict[tuple[str, str], list[str]] = {}
    for tool in catalog.tools.values():
        if tool.access.kind == "unmet":
            names.setdefault((tool.api, tool.access.reason), []).append(tool.name)
    if names:
        yield ""
        yield "CREDENTIALS NOT CONFIGURED (tried nevertheless, unless STRICT_AUTH is set)"
    for (api, reason), tool_names in names.items():
        yield f"  {api}: {reason}: {_some(tool_names)}"


def _notes(api: ApiSummary) -> Iterator[str]:
    if api.notes:
        kinds = Counter(note.kind for note in api.notes)
        yield ""
        yield f"NOTES on {api.name}: " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
        places: dict[str, list[str]] = {}
        for note in api.notes:
            places.setdefault(note.message, []).append(note.pointer)
        for message, pointers in places.items():
            yield f"  {message}: {_some(pointers)}"


def _some(names: Sequence[str]) -> str:
    """The first few names: a person sees by them what is meant."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more (--json has all)" if more > 0 else "")
