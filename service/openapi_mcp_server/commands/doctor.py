"""``doctor``: is a running server sound, as its clients see it? Is a document fit for agents (``--document``)?"""

from __future__ import annotations

import logging
import re
import sys

import anyio

from openapi_mcp_server.bridge.reports.fitness import Weakness, weaknesses
from openapi_mcp_server.commands import servers
from openapi_mcp_server.commands.printing import print_json
from openapi_mcp_server.documents.loading import Documents, read_catalog
from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings.config import Config

LONGEST_IDLE_SECONDS = 3_600
_ORIGIN = re.compile(r"https?://[!-.0-~]+")
"""Without a slash: a path is no part of it."""


def run(config: Config) -> int:
    """1 if something is found at a server; a document's weaknesses are advice."""
    if "--document" in config.options:
        return _document(config)
    if "--server" not in config.options:
        raise ConfigError("doctor", "give --server URL of a running server, or --document and a --spec-path")
    return _server(config)


def _document(config: Config) -> int:
    found = anyio.run(_weaknesses, config, backend="trio")
    if "--json" in config.options:
        print_json(found)
        return 0
    for each in found:
        sys.stdout.write(f"{each.tokens:>8} tokens  {each.count:>5}  {each.problem}; {each.cure}\n")
        sys.stdout.write("".join(f"{'':25}{place}\n" for place in each.places))
    if not found:
        sys.stdout.write("nothing to mend\n")
    return 0


async def _weaknesses(config: Config) -> list[Weakness]:
    catalog = await read_catalog(config, only_to_show=True)
    described = [description for _, description in await Documents(config).described()]
    return weaknesses(catalog, described)


def _server(config: Config) -> int:
    url = servers.address(config)
    try:
        from openapi_mcp_server.commands.checkup.checkup import How  # noqa: PLC0415 - httpx and the official client
        from openapi_mcp_server.commands.checkup.examination import examined  # noqa: PLC0415
    except ModuleNotFoundError:
        raise servers.without_client("doctor") from None
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    servers.quieten_client()
    how = How(
        token=servers.token(config),
        metrics=_metrics(config),
        page=_page(config.options.get("--origin", "")),
        idle_seconds=_idle(config.options.get("--idle", "35")),
    )
    found, checked = anyio.run(examined, url, how, backend="trio")
    if "--json" in config.options:
        print_json({"findings": found, "checked": checked})
    else:
        for each in found:
            sys.stdout.write(f"{each.check}: {each.problem}; {each.cure}\n")
        if not found:
            sys.stdout.write(f"nothing to mend; looked at: {', '.join(checked)}\n")
    return 1 if found else 0


def _metrics(config: Config) -> str:
    """The probe of the metrics port, where the settings say that there is one."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    return f"http://{host}:{config.prometheus_port}/livez" if config.prometheus else ""


def _page(origin: str) -> str:
    """The origin of a web page, as browsers send it (RFC 6454 section 6.2)."""
    if origin and not _ORIGIN.fullmatch(origin):
        raise ConfigError("--origin", f"{origin[:100]!r} is no origin such as https://app.example.com, in ASCII")
    return origin


def _idle(text: str) -> float:
    if not (text.isascii() and text.isdigit()) or len(text) > 4 or int(text) > LONGEST_IDLE_SECONDS:
        raise ConfigError("--idle", f"{text[:20]!r} must be a whole number of seconds up to {LONGEST_IDLE_SECONDS}")
    return float(text)
