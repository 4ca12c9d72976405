"""``diff``: what becomes of the tools when one document replaces another."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial

import anyio
import msgspec

from openapi_mcp_server.bridge.model import ToolCatalog
from openapi_mcp_server.bridge.reports.changes import Comparison, Listed, ToolChange, compare
from openapi_mcp_server.commands.printing import print_json
from openapi_mcp_server.documents.loading import read_catalog
from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings.apis import ApiConfig
from openapi_mcp_server.settings.auth import Auth
from openapi_mcp_server.settings.config import Config


def run(config: Config) -> int:
    """Prints the comparison; returns 1 if something breaks and ``--fail-on-breaking`` is given."""
    if len(config.operands) != 2:
        raise ConfigError("diff", "takes two documents: diff OLD NEW; each a file or a URL")
    old, new = (_tools(config, place, name) for place, name in zip(config.operands, ("OLD", "NEW"), strict=True))
    found = compare(old, new)
    if "--json" in config.options:
        print_json({"breaking": found.breaking, **msgspec.structs.asdict(found)})
    else:
        sys.stdout.write("\n".join(lines(found)) + "\n")
    return 1 if found.breaking and "--fail-on-breaking" in config.options else 0


def _tools(config: Config, location: str, name: str) -> ToolCatalog:
    """The tools of one of the two documents. Both have the same API's name, so that names of tools can be compared."""
    api = ApiConfig(
        name="api", location=location, location_setting=name, base_url=None, url_setting="API_BASE_URL", auth=Auth()
    )
    one = msgspec.structs.replace(config, apis=(api,))
    return anyio.run(partial(read_catalog, one, only_to_show=True), backend="trio")


def lines(found: Comparison) -> Iterator[str]:
    """The lines of a comparison; what breaks is marked with an exclamation mark."""
    for title, listed in (("REMOVED", found.removed), ("ADDED", found.added)):
        yield from _listed(title, listed)
    for title, changed in (("RENAMED", found.renamed), ("CHANGED", found.changed)):
        yield from _changed(title, changed)
    yield (
        f"{len(found.added)} added, {len(found.removed)} removed, {len(found.renamed)} renamed, "
        f"{len(found.changed)} changed, {found.unchanged} as before; tokens {found.tokens_before} -> {found.tokens}"
    )
    yield f"{found.breaking} tools break what a model is used to" if found.breaking else "nothing breaks"


def _listed(title: str, tools: tuple[Listed, ...]) -> Iterator[str]:
    if tools:
        yield title
        mark = "!" if title == "REMOVED" else " "
        for tool in tools:
            why = f": skipped, {tool.reason}" if tool.reason else ""
            yield f"{mark} {tool.name}  {tool.operation}  {tool.tokens} tokens{why}"
        yield ""


def _changed(title: str, tools: tuple[ToolChange, ...]) -> Iterator[str]:
    if tools:
        yield title
        for tool in tools:
            name = f"{tool.was} -> {tool.name}" if tool.was else tool.name
            yield f"{_mark(breaks=tool.breaks)} {name}  {tool.operation}  tokens {tool.tokens_before} -> {tool.tokens}"
            for change in tool.changes:
                yield f"{_mark(breaks=change.breaks)}     " + f"{change.argument} {change.what}".lstrip()
        yield ""


def _mark(*, breaks: bool) -> str:
    return "!" if breaks else " "
