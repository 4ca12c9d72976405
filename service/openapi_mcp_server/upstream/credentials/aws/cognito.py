"""Amazon Cognito user pools: a user's password, directly or as an administrator, and client credentials.

InitiateAuth and AdminInitiateAuth are those of the API reference of ``cognito-idp``; the domain's token endpoint is
OAuth 2.0.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.grammar import is_field_value
from openapi_mcp_server.openapi.text.numbers import decode_doubles
from openapi_mcp_server.settings.auth import Auth
from openapi_mcp_server.upstream.credentials.aws.keys import KeyChain, region_of
from openapi_mcp_server.upstream.credentials.aws.services import COGNITO, Aws, AwsFailed
from openapi_mcp_server.upstream.credentials.login import Web
from openapi_mcp_server.upstream.credentials.oauth2 import TokenEndpoint, lifetime
from openapi_mcp_server.upstream.credentials.tokens import Failed, Fetch, Token, TokenLogin
from openapi_mcp_server.upstream.turns import TaskTurns

_ID = "id"
_CHALLENGES = {
    "NEW_PASSWORD_REQUIRED": "must choose a new password first; sign in once as that user, or set it for good with "
    "aws cognito-idp admin-set-user-password --permanent",
    "PASSWORD_VERIFIER": "is to log in by SRP; allow USER_PASSWORD_AUTH for the app client",
}
_FLOW_IS_OFF = frozenset({"InvalidParameterException", "NotAuthorizedException"})
"""How Cognito says that an app client does not allow a flow."""


def login(api: str, auth: Auth, web: Web, chain: KeyChain, environ: Mapping[str, str], turns: TaskTurns) -> TokenLogin:
    """The login that the settings AUTH_COGNITO_… describe. Raises ConfigError for what cannot be used at all."""
    region = auth.cognito_region or auth.cognito_user_pool_id.partition("_")[0] or region_of(environ)
    if not region:
        raise ConfigError("AUTH_COGNITO_REGION", "is missing; or set AUTH_COGNITO_USER_POOL_ID or AWS_REGION")
    if auth.flow == "client_credentials":
        return TokenLogin(api, _client_credentials(auth, region, web), auth.token_ttl, turns)
    aws = Aws(region=region, environ=environ, web=web)
    aws.check(COGNITO)
    return TokenLogin(api, _User(auth, aws, chain).token, auth.token_ttl, turns)


def _client_credentials(auth: Auth, region: str, web: Web) -> Fetch:
    if auth.cognito_token == _ID:
        raise ConfigError("AUTH_COGNITO_TOKEN", "client credentials have no ID token; set it to access or leave it out")
    endpoint = TokenEndpoint(
        url=f"{_domain(auth.cognito_domain, region)}/oauth2/token",
        setting="AUTH_COGNITO_DOMAIN",
        client_id=auth.cognito_client_id,
        client_secret=auth.cognito_client_secret,
    )
    endpoint.check(web)
    scopes = " ".join(auth.cognito_scopes.replace(",", " ").split())
    form = {"grant_type": "client_credentials"} | ({"scope": scopes} if scopes else {})
    return partial(endpoint.token, form, web, auth.secrets())


def _domain(domain: str, region: str) -> str:
    """A prefix, or a domain in full with or without its scheme."""
    domain = domain.strip().rstrip("/")
    if "://" in domain:
        return domain
    return f"https://{domain}" if "." in domain else f"https://{domain}.auth.{region}.amazoncognito.com"


class _User:
    """Logs a user in, and again by the refresh token for as long as that is good."""

    def __init__(self, auth: Auth, aws: Aws, chain: KeyChain) -> None:
        self._auth = auth
        self._aws = aws
        self._chain = chain
        self._is_admin = auth.flow == "admin_user_password"
        self._refresh_token = ""
        self._subject = auth.cognito_username

    async def token(self) -> Token:
        if self._refresh_token:
            try:
                return self._token(await self._initiate("REFRESH_TOKEN_AUTH", self._of_refresh()))
            except AwsFailed as error:
                if error.transient:
                    raise
                self._refresh_token = ""  # it has ended or was revoked
        return self._token(await self._with_password())

    async def _with_password(self) -> dict[str, Any]:
        auth = self._auth
        given = {"USERNAME": auth.cognito_username, "PASSWORD": auth.cognito_password}
        given |= self._secret_hash(auth.cognito_username)
        if not self._is_admin:
            try:
                return await self._initiate("USER_PASSWORD_AUTH", given)
            except AwsFailed as error:
                may_be_off = error.code in _FLOW_IS_OFF and "flow" in str(error).lower()
                if not may_be_off or auth.cognito_flow != "auto" or not auth.cognito_user_pool_id:
                    raise
        said = await self._initiate("ADMIN_USER_PASSWORD_AUTH", given)
        self._is_admin = True
        return said

    async def _initiate(self, flow: str, parameters: dict[str, str]) -> dict[str, Any]:
        auth = self._auth
        hidden = (*auth.secrets(), *parameters.values())
        fields = {"AuthFlow": flow, "ClientId": auth.cognito_client_id, "AuthParameters": parameters}
        if flow == "ADMIN_USER_PASSWORD_AUTH":
            fields["UserPoolId"] = auth.cognito_user_pool_id
            return await self._aws.call(COGNITO, "AdminInitiateAuth", fields, await self._chain.keys(), hidden)
        return await self._aws.call(COGNITO, "InitiateAuth", fields, None, hidden)

    def _of_refresh(self) -> dict[str, str]:
        return {"REFRESH_TOKEN": self._refresh_token} | self._secret_hash(self._subject)

    def _secret_hash(self, username: str) -> dict[str, str]:
        auth = self._auth
        if not auth.cognito_client_secret:
            return {}
        message = f"{username}{auth.cognito_client_id}".encode()
        digest = hmac.new(auth.cognito_client_secret.encode(), message, hashlib.sha256).digest()
        return {"SECRET_HASH": base64.b64encode(digest).decode("ascii")}

    def _token(self, said: Mapping[str, Any]) -> Token:
        challenge = said.get("ChallengeName")
        if challenge:
            why = _CHALLENGES.get(str(challenge), f"has to answer {str(challenge)[:40]}, which this server cannot")
            raise Failed(f"the Cognito user {self._auth.cognito_username} {why}", transient=False)
        result = said.get("AuthenticationResult")
        result = result if isinstance(result, dict) else {}
        name = "IdToken" if self._auth.cognito_token in {"", _ID} else "AccessToken"
        text = result.get(name)
        if not isinstance(text, str) or not text or not is_field_value(text):
            raise Failed(f"Cognito answered without {name}")
        if isinstance(refresh := result.get("RefreshToken"), str):
            self._refresh_token = refresh
        self._subject = _username(result.get("IdToken")) or self._subject
        return Token(text=text, seconds=lifetime(result.get("ExpiresIn")))


def _username(token: object) -> str:
    """The user's own name in an ID token: a refresh is hashed with it where the user logs in by an alias."""
    try:
        payload = str(token).split(".")[1]
        claims = decode_doubles(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, msgspec.DecodeError, RecursionError):
        return ""
    return str(claims.get("cognito:username") or "") if isinstance(claims, dict) else ""
