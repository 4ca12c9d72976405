"""The running server that a command is to ask, as ``--server`` names it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.documents.source import shown
from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings.config import Config

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import Tool


def address(config: Config) -> str:
    """Raises ConfigError for what is no address, before a client of somebody else's stumbles over it."""
    url = config.options["--server"]
    if not url.startswith(("http://", "https://")):
        raise ConfigError("--server", f"{shown(url)!r} must start with http:// or https://")
    try:
        base_url(url.partition("?")[0].partition("#")[0])
    except ValueError as error:
        problem = str(error).partition(";")[0]
        raise ConfigError("--server", f"{shown(url)!r} {problem}; an example is http://127.0.0.1:8000/mcp") from None
    return url


def token(config: Config) -> str:
    """The one in ``--token-file``, for a server that asks who calls; empty without."""
    file = config.options.get("--token-file")
    if file is None:
        return ""
    try:
        held = Path(file).read_text("utf-8").strip()
    except OSError as error:
        raise ConfigError("--token-file", f"cannot read {file}: {error.strerror}") from None
    except ValueError:
        raise ConfigError("--token-file", f"{file} holds no token: one line of ASCII") from None
    if not held or not held.isascii() or not held.isprintable():
        raise ConfigError("--token-file", f"{file} holds no token: one line of ASCII")
    return held


def quieten_client() -> None:
    """The official client logs what it cannot read, with tracebacks of its own, and raises an error that says the same.
    Its session's logger has a name of its own."""
    for name in ("mcp", "client"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


async def listed(client: Client) -> list[Tool]:
    """All tools, by the server's own list."""
    tools: list[Tool] = []
    cursor = None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        if not (cursor := page.next_cursor):
            return tools


def without_client(setting: str) -> ConfigError:
    """The error of a command that needs the official client, where that is not installed."""
    return ConfigError(setting, "needs the official client: install openapi-mcp-service[client]; scripts/run has it")
