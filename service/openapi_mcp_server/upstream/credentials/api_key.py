"""A key in a header, a query parameter or a cookie (OpenAPI 3.1.1 section 4.8.27)."""

from __future__ import annotations

from urllib.parse import quote

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.grammar import is_cookie_value, is_obsolete_field_value, is_token
from openapi_mcp_server.settings.auth import Auth
from openapi_mcp_server.upstream.credentials.placing import Piece, require

_NOT_FOR_KEYS = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "cookie", "expect", "host"}
    | {"keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that HTTP itself needs; a cookie has a place of its own."""


def piece(api: str, auth: Auth) -> Piece:
    return Piece(location=auth.key_in, name=auth.key_name, text=_text(api, auth), secrets=(auth.api_key,))


def _text(api: str, auth: Auth) -> str:
    if auth.key_in == "query":
        return f"{quote(auth.key_name, safe='')}={quote(auth.api_key, safe='')}"
    if not is_token(auth.key_name) or auth.key_name.lower() in _NOT_FOR_KEYS:
        raise ConfigError("AUTH_API_KEY_NAME", f"{auth.key_name!r} cannot be the {auth.key_in} of a key")
    if auth.key_in == "header":
        require(is_obsolete_field_value, auth.api_key, "AUTH_API_KEY", api)
        return auth.api_key
    require(is_cookie_value, auth.api_key, "AUTH_API_KEY", api)
    return f"{auth.key_name}={auth.api_key}"
