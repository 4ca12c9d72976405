"""INBOUND_AUTH=jwt: tokens that a trusted issuer has signed. Only this module verifies signatures, by joserfc."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Mapping
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jws import JWSRegistry

from openapi_mcp_server.bridge.policy import Permit, Policy, Principal
from openapi_mcp_server.openapi.text.numbers import UNREADABLE
from openapi_mcp_server.server.principals import claims as rules
from openapi_mcp_server.server.principals.guard import TOKEN_BYTES, InvalidToken
from openapi_mcp_server.server.principals.issuers import Issuer
from openapi_mcp_server.server.principals.recent import Recent
from openapi_mcp_server.settings.inbound import Inbound

FEW_SCOPES = 50
"""A token with more scopes is verified at each call, in 0.2 ms. To keep 10,000 with 500 scopes each would take 600
MB."""
RECENT_SECONDS = 60.0
"""How long a verified token is not verified again, if it does not expire before."""


class _Registry(JWSRegistry):
    """joserfc's registry, for headers of any length within a token's, with the algorithms that the operator allows.
    joserfc's own one warns of each token with the algorithm name EdDSA, which issuers still use."""

    max_header_length = TOKEN_BYTES

    def get_alg(self, name: str) -> Any:  # noqa: ANN401 - a class that joserfc does not export
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


class JwtTokens:
    """``issuers`` by name."""

    def __init__(self, inbound: Inbound, issuers: Mapping[str, Issuer], policy: Policy) -> None:
        self._inbound = inbound
        self._issuers = issuers
        self._policy = policy
        self._recent = Recent()
        self._registry = _Registry(algorithms=list(inbound.algorithms), strict_check_header=False)
        for issuer in issuers.values():
            issuer.on_change = self._recent.forget

    async def __call__(self, token: bytes) -> Principal:
        digest, moment = self._recent.digest(token), time.time()  # as claims count
        if (known := self._recent.find(digest, moment)) is not None:
            return known
        claims = await self._verified(token)
        rules.check(claims, self._inbound, moment)
        principal = self._principal(claims)
        # in this order: a whole number may be too large to add a fraction to, but not to be compared with one
        until = min(moment + RECENT_SECONDS - rules.LEEWAY_SECONDS, claims.exp) + rules.LEEWAY_SECONDS
        if len(principal.permit.scopes) <= FEW_SCOPES:
            self._recent.keep(digest, principal, until)
        return principal

    async def _verified(self, token: bytes) -> rules.Claims:
        """The claims, if the issuer that they name has signed them."""
        head, payload = _parts(token)
        header, claims = rules.header(head, self._inbound), rules.read(payload)
        issuer = self._issuers.get(claims.iss)
        if issuer is None:
            raise InvalidToken("the token's issuer is not trusted here")
        key = await issuer.key(header.alg, header.kid)
        if key is None:
            raise InvalidToken("the token is signed by a key that its issuer does not have")
        try:
            signed = jws.deserialize_compact(token, key, algorithms=[header.alg], registry=self._registry)
        except (*UNREADABLE, JoseError, ValueError, TypeError):
            raise InvalidToken("the token's signature is not that of its issuer") from None
        if signed.payload != payload:
            raise InvalidToken("the token's signature is not that of its issuer")
        return claims

    def _principal(self, claims: rules.Claims) -> Principal:
        scopes = claims.scopes
        granted = self._policy.granted(claims.subject, scopes, claims.all_groups)
        key = f"jwt {claims.iss} {claims.subject}"
        return Principal(key=key, name=claims.subject, permit=Permit(granted=granted, scopes=scopes))


def _parts(token: bytes) -> tuple[bytes, bytes]:
    pieces = token.split(b".")
    if len(pieces) != 3:
        raise InvalidToken("the token is no signed JWT")
    try:
        header, payload, _ = (base64.urlsafe_b64decode(piece + b"=" * (-len(piece) % 4)) for piece in pieces)
    except (binascii.Error, ValueError):
        raise InvalidToken("the token is no signed JWT") from None
    return header, payload
