"""The running server that a command is to ask, as ``--server`` names it."""

from __future__ import annotations

from openapi_mcp_server.bridge.model import base_url
from openapi_mcp_server.documents.source import shown
from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings.config import Config


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
