"""User name and password in Authorization (RFC 7617)."""

from __future__ import annotations

import base64

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings.auth import Auth
from openapi_mcp_server.upstream.credentials.placing import Piece, authorization, base64_spellings


def piece(api: str, auth: Auth) -> Piece:
    if ":" in auth.username:  # RFC 7617 section 2
        raise ConfigError("AUTH_USERNAME", f"the user name for {api} must not contain a colon")
    pair = base64.b64encode(f"{auth.username}:{auth.password}".encode()).decode("ascii")
    return authorization(f"Basic {pair}", *base64_spellings(pair), auth.password)
