"""OAuth 2.0, client credentials (RFC 6749 section 4.4), at any token endpoint."""

from __future__ import annotations

import base64
import secrets
import time
import warnings
from functools import partial
from typing import Any
from urllib.parse import quote_plus, urlencode

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.grammar import is_field_value
from openapi_mcp_server.settings.auth import Auth
from openapi_mcp_server.upstream.credentials.login import PerCaller, Web, json_object, words
from openapi_mcp_server.upstream.credentials.placing import base64_spellings
from openapi_mcp_server.upstream.credentials.tokens import Failed, Token, TokenLogin
from openapi_mcp_server.upstream.retries import retry_after
from openapi_mcp_server.upstream.turns import TaskTurns

ASSERTION_SECONDS = 600
"""How long a client's signed assertion lasts: five minutes more than two clocks may differ."""
_FORM = (("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json"))
_ALGORITHMS = {"RSA": "RS256", "P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}
"""By the kind of the key, or its curve (RFC 7518 section 3.1)."""


def login(api: str, auth: Auth, web: Web, turns: TaskTurns) -> TokenLogin | PerCaller:
    """One for all callers, or one for each. Raises ConfigError for what cannot be used at all."""
    endpoint = TokenEndpoint(
        url=auth.oauth2_token_url,
        setting="AUTH_OAUTH2_TOKEN_URL",
        client_id=auth.oauth2_client_id,
        client_secret=auth.oauth2_client_secret,
        client_auth=auth.oauth2_client_auth,
        private_key=auth.oauth2_private_key,
        key_id=auth.oauth2_key_id,
    )
    endpoint.check(web)
    fields = {
        "grant_type": "client_credentials",
        "scope": auth.oauth2_scopes,
        "audience": auth.oauth2_audience,
        "resource": auth.oauth2_resource,
        **dict(auth.oauth2_parameters),
    }
    form = {name: value for name, value in fields.items() if value}
    if auth.exchange != "none":
        from openapi_mcp_server.upstream.credentials.exchange import Exchange  # noqa: PLC0415 - for those who do

        return Exchange(api, auth, endpoint, form, web)
    return TokenLogin(api, partial(endpoint.token, form, web, auth.secrets()), auth.token_ttl, turns)


class TokenEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where tokens come from, and how the client proves itself there. ``setting`` names its address."""

    url: str
    setting: str
    client_id: str
    client_secret: str = ""
    client_auth: str = "basic"
    private_key: str = ""
    key_id: str = ""

    def __repr__(self) -> str:
        return "TokenEndpoint()"

    def check(self, web: Web) -> None:
        web.request("POST", self.url, (), b"", self.setting)
        if self.client_auth == "private_key_jwt":
            self._assertion()

    async def token(self, form: dict[str, str], web: Web, hidden: tuple[str, ...]) -> Token:
        """Asks for a token. ``hidden``: secrets that must not be repeated from an answer."""
        proof, headers = self._proof()
        body = urlencode(form | proof).encode("ascii")
        answer = await web.ask(web.request("POST", self.url, (*_FORM, *headers), body, self.setting))
        sent = (*proof.values(), *(spelt for _, text in headers for spelt in base64_spellings(text.partition(" ")[2])))
        return _token(answer, (*hidden, *sent))

    def _proof(self) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
        """Fields and headers of the client's authentication (RFC 6749 section 2.3.1, RFC 7523, RFC 8705)."""
        match self.client_auth:
            case "basic":
                pair = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}".encode("ascii")
                return {}, (("Authorization", f"Basic {base64.b64encode(pair).decode('ascii')}"),)
            case "post":
                return {"client_id": self.client_id, "client_secret": self.client_secret}, ()
            case "private_key_jwt":
                kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
                proof = {"client_assertion_type": kind, "client_assertion": self._assertion()}
                return {"client_id": self.client_id, **proof}, ()
            case _:  # tls: the certificate is the proof
                return {"client_id": self.client_id}, ()

    def _assertion(self) -> str:
        """The client's assertion, signed anew each time and for this endpoint alone (RFC 7523 section 3)."""
        try:
            from joserfc import jwt  # noqa: PLC0415 - an extra
            from joserfc.errors import SecurityWarning  # noqa: PLC0415
        except ImportError:
            raise ConfigError("AUTH_OAUTH2_CLIENT_AUTH", "private_key_jwt needs the extra jwt") from None
        key, algorithm = _key(self.private_key)
        now = int(time.time())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.url,
            "jti": secrets.token_hex(16),
            "iat": now,
            "exp": now + ASSERTION_SECONDS,
        }
        header = {"alg": algorithm, "typ": "JWT"} | ({"kid": self.key_id} if self.key_id else {})
        with warnings.catch_warnings(action="ignore", category=SecurityWarning):  # of EdDSA, whose new name few know
            return jwt.encode(header, claims, key, algorithms=[algorithm])


def _key(pem: str) -> tuple[Any, str]:
    from joserfc.errors import JoseError  # noqa: PLC0415 - an extra
    from joserfc.jwk import ECKey, OKPKey, RSAKey  # noqa: PLC0415

    for kind in (RSAKey, ECKey, OKPKey):
        try:
            key = kind.import_key(pem)
        except (JoseError, ValueError, TypeError):
            continue
        name = "RSA" if kind is RSAKey else str(key.as_dict(private=False)["crv"])
        if name in _ALGORITHMS and key.is_private:
            return key, _ALGORITHMS[name]
    raise ConfigError("AUTH_OAUTH2_PRIVATE_KEY", "is no private key in PEM (RSA, P-256, P-384, P-521 or Ed25519)")


def _token(answer: HttpResponse, hidden: tuple[str, ...]) -> Token:
    """The token in a token endpoint's answer (RFC 6749 section 5). Raises Failed."""
    said = json_object(answer)
    text, kind = said.get("access_token"), said.get("token_type") or "bearer"
    if answer.status != 200 or (not text and said.get("error")):  # GitHub's refusals have status 200
        raise _refused(answer, said, hidden)
    if not isinstance(text, str) or not text or not is_field_value(text) or " " in text:
        raise Failed("the token endpoint answered 200 without an access_token")
    if not isinstance(kind, str) or kind.strip().lower() != "bearer":
        raise Failed(f"the token endpoint gave a token of type {words(str(kind), hidden)!r}; only bearer can be sent")
    return Token(text=text, seconds=lifetime(said.get("expires_in")))


def lifetime(value: object) -> float | None:
    """Seconds, which some endpoints write as text. None if the value is invalid."""
    try:
        seconds = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else 0.0
    except (ValueError, OverflowError):
        return None
    return seconds if 1 <= seconds < 10**9 else None


def _refused(answer: HttpResponse, said: dict[str, Any], hidden: tuple[str, ...]) -> Failed:
    texts = [text for name in ("error", "error_description") if isinstance(text := said.get(name), str) and text]
    why = words(": ".join(texts), hidden)
    problem = f"the token endpoint answered {answer.status}{f' ({why})' if why else ''}"
    transient = answer.status >= 500 or answer.status in {408, 429}
    return Failed(problem, after=retry_after(answer, time.time()), transient=transient)
