"""A token in Authorization (RFC 6750)."""

from __future__ import annotations

from openapi_mcp_server.grammar import is_obsolete_field_value
from openapi_mcp_server.settings.auth import Auth
from openapi_mcp_server.upstream.credentials.placing import Piece, authorization, require


def piece(api: str, auth: Auth) -> Piece:
    require(is_obsolete_field_value, auth.token, "AUTH_TOKEN", api)
    return authorization(f"Bearer {auth.token}", auth.token)
