"""The header and the claims of a JWT, judged before and after its signature (RFC 7519, RFC 8725, RFC 9068)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from openapi_mcp_server.openapi.text.numbers import UNREADABLE, double
from openapi_mcp_server.server.principals.guard import InvalidToken, MissingScope
from openapi_mcp_server.settings.inbound import Inbound

LEEWAY_SECONDS = 30.0
"""Seconds by which two clocks may differ."""
TYPES = frozenset({"", "jwt", "at+jwt", "application/at+jwt", "application/jwt"})
"""The header's ``typ`` of tokens that are taken: others are tokens for something else (RFC 8725 section 3.11)."""
_SUBJECT_CHARACTERS = 255
MOST_SCOPES = 500
"""The most scopes of a token. They are kept for each class of callers, and some issuers put into a token whatever
scopes a client asks for: 4,000 of them take 0.35 MB."""


class Header(msgspec.Struct):
    """A token's header. Nothing else in it (``jku``, ``x5u``, ``jwk``, ``x5c``) is used: keys are the issuer's."""

    alg: str
    kid: str | None = None
    typ: str = ""
    crit: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Claims(msgspec.Struct):
    """The claims of a token as they are written; types are checked, so that no rule meets a surprise."""

    iss: str
    exp: int | float
    sub: str = ""
    aud: str | list[str] | None = None
    nbf: int | float | None = None
    iat: int | float | None = None
    azp: str | None = None
    client_id: str | None = None
    token_use: str | None = None
    scope: str | list[str] | None = None
    scp: str | list[str] | None = None
    groups: list[str] | None = None
    roles: list[str] | None = None
    cognito_groups: list[str] | None = msgspec.field(default=None, name="cognito:groups")
    realm_access: Any = None

    @property
    def subject(self) -> str:
        return self.sub or self.client_id or self.azp or ""

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset((*_words(self.scope), *_words(self.scp)))

    @property
    def all_groups(self) -> frozenset[str]:
        """Groups and roles, wherever an issuer puts them: Cognito, Entra, Keycloak."""
        realm = self.realm_access.get("roles") if isinstance(self.realm_access, dict) else None
        lists = (self.groups, self.roles, self.cognito_groups, realm)
        return frozenset(each for found in lists if isinstance(found, list) for each in found if isinstance(each, str))


_header = msgspec.json.Decoder(Header).decode
_claims = msgspec.json.Decoder(Claims, float_hook=double).decode


def header(data: bytes, inbound: Inbound) -> Header:
    """Raises InvalidToken for what no key could mend."""
    try:
        read = _header(data)
    except UNREADABLE:
        raise InvalidToken("the token's header cannot be read") from None
    if read.alg not in inbound.algorithms:
        raise InvalidToken("the token is signed in a way that is not allowed here")
    if read.typ.lower() not in TYPES:
        raise InvalidToken("the token is of a type for something else")
    if read.crit is not msgspec.UNSET:
        raise InvalidToken("the token has extensions that are not known here")
    return read


def read(data: bytes) -> Claims:
    try:
        return _claims(data)
    except UNREADABLE:
        raise InvalidToken("the token's claims cannot be read") from None


def check(claims: Claims, inbound: Inbound, now: float) -> None:
    """Raises InvalidToken, and MissingScope for a token that is in order otherwise."""
    if claims.iss not in inbound.issuers:
        raise InvalidToken("the token's issuer is not trusted here")
    if not claims.exp > now - LEEWAY_SECONDS:
        raise InvalidToken("the token has expired")
    if claims.nbf is not None and not claims.nbf <= now + LEEWAY_SECONDS:
        raise InvalidToken("the token is not valid yet")
    if claims.iat is not None and not claims.iat <= now + LEEWAY_SECONDS:
        raise InvalidToken("the token was issued in the future")
    if not _is_for_us(claims, inbound):
        raise InvalidToken("the token is for somebody else: see its aud, azp and client_id")
    if claims.token_use not in {None, "access", "id"}:
        raise InvalidToken("the token is of a type for something else")
    if not 0 < len(claims.subject) <= _SUBJECT_CHARACTERS:
        raise InvalidToken("the token names no caller")
    scopes = claims.scopes
    if len(scopes) > MOST_SCOPES:
        raise InvalidToken(f"the token has more than {MOST_SCOPES} scopes")
    if missing := [scope for scope in inbound.required_scopes if scope not in scopes]:
        raise MissingScope(f"the token lacks the scope {' '.join(missing)}")


def _is_for_us(claims: Claims, inbound: Inbound) -> bool:
    """An audience of ours; where client ids are configured, a client of ours as well. Cognito's access tokens have no
    audience and its ID tokens have the client there, so the client decides for them."""
    audience = frozenset([claims.aud] if isinstance(claims.aud, str) else claims.aud or ())
    clients = frozenset(inbound.client_ids)
    named = {each for each in (claims.client_id, claims.azp) if each is not None}
    if clients and (not named <= clients or not (named or not clients.isdisjoint(audience))):
        return False
    if audience:
        return not audience.isdisjoint({*inbound.audience, *clients})
    return bool(clients) and claims.client_id in clients


def _words(value: str | Iterable[str] | None) -> Iterable[str]:
    """Only a space parts scopes (RFC 6749 section 3.3): an issuer that lets its clients ask for others by any name took
    a name with another white space for one."""
    return filter(None, value.split(" ")) if isinstance(value, str) else value or ()
