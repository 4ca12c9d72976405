"""The caller's own token, exchanged for one that the API takes (RFC 8693; RFC 7523 as Entra's on-behalf-of has it)."""

from __future__ import annotations

import hashlib
import re
from functools import partial

from openapi_mcp_server.errors import CredentialError
from openapi_mcp_server.observe.trace import Carrier
from openapi_mcp_server.settings.auth import Auth
from openapi_mcp_server.upstream.credentials.login import Web
from openapi_mcp_server.upstream.credentials.oauth2 import TokenEndpoint
from openapi_mcp_server.upstream.credentials.tokens import TokenLogin

CALLERS = 2_000
"""Callers whose tokens are kept, some 10 kB each. A further one replaces the caller with the oldest call."""
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - no secret
_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)


class Exchange:
    """The exchange for one API. It gives the login of a caller by the data that came with the call."""

    def __init__(self, api: str, auth: Auth, endpoint: TokenEndpoint, form: dict[str, str], web: Web) -> None:
        self._api = api
        self._auth = auth
        self._endpoint = endpoint
        self._form = form
        self._web = web
        self._logins: dict[bytes, TokenLogin] = {}

    def __call__(self, beside: Carrier) -> TokenLogin:
        """The login of the caller of this call. Raises CredentialError for a caller without a token."""
        found = _BEARER.fullmatch(beside.forwarded.get("authorization", ""))
        if found is None:
            raise CredentialError(f"{self._api} wants to know who calls, and the call has no token", client=True)
        known = hashlib.sha256(found[1].encode("latin-1")).digest()
        login = self._logins.pop(known, None) or self._login(found[1])
        self._logins[known] = login  # the one used last at the end
        if len(self._logins) > CALLERS:
            del self._logins[next(iter(self._logins))]
        return login

    def _login(self, token: str) -> TokenLogin:
        form = self._form | _fields(self._auth.exchange, token)
        hidden = (*self._auth.secrets(), token)
        return TokenLogin(self._api, partial(self._endpoint.token, form, self._web, hidden), self._auth.token_ttl)


def _fields(kind: str, token: str) -> dict[str, str]:
    if kind == "on_behalf_of":
        grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        return {"grant_type": grant, "assertion": token, "requested_token_use": "on_behalf_of"}
    return {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": token,
        "subject_token_type": _ACCESS_TOKEN,
        "requested_token_type": _ACCESS_TOKEN,
    }
