"""Static credentials: the operator's, one set for each API, sent to that API's own origins and nowhere else.

They go with every call of their API, also of operations that allow anonymous access: an API tells a known caller
more (its own data, higher limits), and the operator has configured them to be used.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import assert_never
from urllib.parse import quote, unquote_plus

import msgspec

from openapi_mcp_server.bridge.model import HttpRequest, Origin, Tool
from openapi_mcp_server.errors import ConfigError, CredentialError
from openapi_mcp_server.grammar import is_cookie_value, is_obsolete_field_value, is_token
from openapi_mcp_server.settings.apis import Auth, KeyLocation

_NOT_FOR_KEYS = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "cookie", "expect", "host"}
    | {"keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that HTTP itself needs; a cookie has a place of its own."""


class _Credential(msgspec.Struct, frozen=True, kw_only=True):
    """What goes where, ready to send. ``text``: the header's value, or the whole piece of query or cookie."""

    origins: frozenset[Origin]
    location: KeyLocation
    name: str
    text: str

    def __repr__(self) -> str:
        return f"_Credential({self.location} {self.name} for {_named(self.origins)})"


class Credentials:
    """Adds what was configured for an API to the requests for it. Raises ConfigError for what cannot be sent at all.

    ``auths`` and ``origins`` are by the name of the API; one that is in neither has no credentials.
    """

    def __init__(self, auths: Mapping[str, Auth], origins: Mapping[str, frozenset[Origin]]) -> None:
        self._credentials = {
            api: _prepared(api, auth, origins[api]) for api, auth in auths.items() if auth.kind != "none"
        }

    def authorize(self, request: HttpRequest, tool: Tool) -> HttpRequest:
        """The request with its API's credentials, which win over an argument of the same name.

        Raises CredentialError where the request goes to another origin than one of the API's own.
        """
        credential = self._credentials.get(tool.api)
        if credential is None:
            return request
        if request.origin not in credential.origins:
            whose = f"the credentials of {tool.api} belong to {_named(credential.origins)}"
            raise CredentialError(f"{whose} and are not sent to {request.origin}")
        match credential.location:
            case "header":
                headers = (*_without_header(request, credential.name), (credential.name, credential.text))
                return msgspec.structs.replace(request, headers=headers)
            case "query":
                return msgspec.structs.replace(request, query=_query(request, credential))
            case "cookie":
                return msgspec.structs.replace(request, headers=_with_cookie(request, credential))
            case unknown:
                assert_never(unknown)


def _named(origins: frozenset[Origin]) -> str:
    return " and ".join(sorted(map(str, origins)))


def _prepared(api: str, auth: Auth, origins: frozenset[Origin]) -> _Credential:
    match auth.kind:
        case "basic":
            if ":" in auth.username:  # RFC 7617 section 2
                raise ConfigError("AUTH_USERNAME", f"the user name for {api} must not contain a colon")
            pair = base64.b64encode(f"{auth.username}:{auth.password}".encode()).decode("ascii")
            return _Credential(origins=origins, location="header", name="Authorization", text=f"Basic {pair}")
        case "bearer":
            _require(is_obsolete_field_value, auth.token, "AUTH_TOKEN", api)
            return _Credential(origins=origins, location="header", name="Authorization", text=f"Bearer {auth.token}")
        case "api_key":
            return _Credential(origins=origins, location=auth.key_in, name=auth.key_name, text=_key(api, auth))
        case "none":
            raise ValueError("no credentials to prepare")
        case unknown:
            assert_never(unknown)


def _key(api: str, auth: Auth) -> str:
    if auth.key_in == "query":
        return f"{quote(auth.key_name, safe='')}={quote(auth.api_key, safe='')}"
    if not is_token(auth.key_name) or auth.key_name.lower() in _NOT_FOR_KEYS:
        raise ConfigError("AUTH_API_KEY_NAME", f"{auth.key_name!r} cannot be the {auth.key_in} of a key")
    if auth.key_in == "header":
        _require(is_obsolete_field_value, auth.api_key, "AUTH_API_KEY", api)
        return auth.api_key
    _require(is_cookie_value, auth.api_key, "AUTH_API_KEY", api)
    return f"{auth.key_name}={auth.api_key}"


def _require(fits: Callable[[str], object], value: str, setting: str, api: str) -> None:
    if not value or not fits(value):
        raise ConfigError(setting, f"the value for {api} holds a character that cannot be sent in its place")


def _without_header(request: HttpRequest, name: str) -> list[tuple[str, str]]:
    return [header for header in request.headers if header[0].lower() != name.lower()]


def _query(request: HttpRequest, credential: _Credential) -> str:
    pieces = request.query.split("&") if request.query else []
    kept = [piece for piece in pieces if unquote_plus(piece.partition("=")[0]) != credential.name]
    return "&".join((*kept, credential.text))


def _with_cookie(request: HttpRequest, credential: _Credential) -> tuple[tuple[str, str], ...]:
    """One Cookie header (RFC 6265 section 5.4) with the key last."""
    sent = [value for name, value in request.headers if name.lower() == "cookie"]
    cookies = [cookie.strip() for value in sent for cookie in value.split(";")]
    kept = [cookie for cookie in cookies if cookie.partition("=")[0].strip() != credential.name]
    return (*_without_header(request, "cookie"), ("Cookie", "; ".join((*kept, credential.text))))
