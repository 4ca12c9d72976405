"""The keys of an issuer: discovered, fetched over the checked dialler, kept, and fetched again when they change."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

import anyio
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from openapi_mcp_server.bridge.http_messages import request_for
from openapi_mcp_server.errors import UpstreamError
from openapi_mcp_server.openapi.text.numbers import UNREADABLE, decode_doubles
from openapi_mcp_server.server.principals.guard import CannotVerify
from openapi_mcp_server.upstream.addresses import AddressRule
from openapi_mcp_server.upstream.sockets import Dialler

FRESH_SECONDS = 300.0
"""The time after which keys are fetched again. A key that was withdrawn is accepted until then."""
STALE_SECONDS = 3600.0
"""The age that keys may reach while their issuer cannot be reached."""
PAUSE_SECONDS = 10.0
"""The time between two fetches, since a stranger can send tokens with any key id."""
FETCH_SECONDS = 5.0
MOST_BYTES = 256 * 1024
MOST_KEYS = 100
LEAST_RSA_BITS = 2048
_PLACES = (".well-known/openid-configuration", ".well-known/oauth-authorization-server")
_KINDS: dict[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_FIT = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", "")),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
}
"""The kind and curve of key for each algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1)."""

Key = RSAKey | ECKey | OKPKey
logger = logging.getLogger(__name__)


class _Discovered(msgspec.Struct):
    issuer: str
    jwks_uri: str


class _Jwk(msgspec.Struct):
    kty: str
    kid: str | None = None
    alg: str | None = None
    use: str | None = None
    crv: str | None = None
    key_ops: list[str] | None = None


class _Jwks(msgspec.Struct):
    keys: list[msgspec.Raw]


class _Held(msgspec.Struct, frozen=True):
    about: _Jwk
    key: Key
    written: bytes


class _Unusable(Exception):
    """The issuer's answer is not valid. The text is for the log."""


class Issuer:
    """One of INBOUND_JWT_ISSUERS. `tend` fetches its keys. A verification waits at most for one fetch."""

    def __init__(self, name: str, rule: AddressRule, dialler: Dialler, tls: ssl.SSLContext | None = None) -> None:
        """If ``tls`` is None, the system's trust store is used."""
        self.name = name
        self._rule = rule
        self._dialler = dialler
        self._tls = tls
        self._keys: tuple[_Held, ...] = ()
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._wanted = anyio.Event()
        self._tried = anyio.Event()
        self.on_change: Callable[[], None] = _nobody

    async def tend(self) -> None:
        """Fetches keys for ever, one fetch at a time: when they are old, or when a needed key is missing."""
        while True:
            await self._refresh()
            tried, self._tried = self._tried, anyio.Event()
            tried.set()
            await anyio.sleep(PAUSE_SECONDS)
            with anyio.move_on_after(FRESH_SECONDS - PAUSE_SECONDS if self._keys else 0):
                await self._wanted.wait()
            self._wanted = anyio.Event()

    async def key(self, algorithm: str, kid: str | None) -> Key | None:
        """The key; None if the issuer has no such key. Raises CannotVerify while it cannot be asked."""
        found = self._find(algorithm, kid)
        is_missing = found is None or self._is_stale()
        if (is_missing and anyio.current_time() - self._tried_at >= PAUSE_SECONDS) or not self._has_tried():
            self._wanted.set()
            with anyio.move_on_after(2 * FETCH_SECONDS):
                await self._tried.wait()
            found = self._find(algorithm, kid)
        if not self._keys or self._is_stale():
            raise CannotVerify("the issuer of tokens cannot be asked for its keys; try again")
        return found

    def _is_stale(self) -> bool:
        return anyio.current_time() - self._fetched_at > STALE_SECONDS

    def _has_tried(self) -> bool:
        return self._tried_at > float("-inf")

    def _find(self, algorithm: str, kid: str | None) -> Key | None:
        """The key with this id. If the token names none, the only key that fits."""
        kind, curve = _FIT[algorithm]
        fitting = [
            held.key
            for held in self._keys
            if held.about.kty == kind
            and held.about.alg in {None, "", algorithm}
            and (not curve or held.about.crv == curve)
            and (kid is None or held.about.kid == kid)
        ]
        return fitting[0] if len(fitting) == 1 or (kid is not None and fitting) else None

    async def _refresh(self) -> None:
        try:
            keys = await self._fetch_keys()
        except (_Unusable, UpstreamError) as error:
            logger.warning("the keys of an issuer cannot be had", extra={"issuer": self.name, "problem": str(error)})
        else:
            if {held.written for held in keys} != {held.written for held in self._keys}:
                self.on_change()
            self._keys, self._fetched_at = keys, anyio.current_time()
        self._tried_at = anyio.current_time()

    async def _fetch_keys(self) -> tuple[_Held, ...]:
        discovered = await self._discover()
        try:
            found = msgspec.json.decode(await self._get(discovered.jwks_uri), type=_Jwks)
        except UNREADABLE:
            raise _Unusable("its jwks_uri answers no JWK Set") from None
        held = [one for raw in found.keys[:MOST_KEYS] if (one := _usable(raw)) is not None]
        if not held:
            raise _Unusable("it has no key that tokens could be verified with")
        return tuple(held)

    async def _discover(self) -> _Discovered:
        """OpenID Connect Discovery section 4, then RFC 8414 section 3."""
        base = urlsplit(self.name)
        root = f"{base.scheme}://{base.netloc}"
        path = base.path.rstrip("/")
        problem = ""
        for url in (f"{root}{path}/{_PLACES[0]}", f"{root}/{_PLACES[1]}{path}", f"{root}/{_PLACES[0]}{path}"):
            try:
                read = msgspec.json.decode(await self._get(url), type=_Discovered)
            except UNREADABLE:
                problem = problem or f"{url} is no metadata of an issuer"
            except _Unusable as error:
                problem = problem or str(error)
            else:
                if read.issuer != self.name:
                    raise _Unusable(f"it calls itself {read.issuer[:200]!r}; INBOUND_JWT_ISSUERS has to say the same")
                return read
        raise _Unusable(problem)

    async def _get(self, url: str) -> bytes:
        from openapi_mcp_server.upstream import web  # noqa: PLC0415 - httpx, for those who have issuers

        try:
            request = request_for(url, headers=(("Accept", "application/json"),))
        except ValueError as error:
            raise _Unusable(f"{url[:200]!r} {error}") from None
        if problem := self._rule.url_problem(request.origin.scheme, request.origin.host):
            raise _Unusable(f"{url[:200]}: {problem}")
        answer = await web.fetch(request, self._dialler, seconds=FETCH_SECONDS, most_bytes=MOST_BYTES, tls=self._tls)
        if answer.status != 200:
            raise _Unusable(f"{request.origin}{request.path} answered {answer.status}")
        return answer.body


def _nobody() -> None:
    """Does nothing: verified tokens are not kept here."""


def _usable(raw: msgspec.Raw) -> _Held | None:
    """A public key for signatures. All other entries of a key set are ignored."""
    try:
        about = msgspec.json.decode(raw, type=_Jwk)
        kind = _KINDS.get(about.kty)
        if kind is None or about.use not in {None, "", "sig"} or "verify" not in (about.key_ops or ["verify"]):
            return None
        members = {name: value for name, value in decode_doubles(raw).items() if value is not None}
        key = kind.import_key(members)
        if isinstance(key, RSAKey) and key.public_key.key_size < LEAST_RSA_BITS:
            return None
    except (*UNREADABLE, JoseError, ValueError, TypeError, KeyError):
        return None
    return _Held(about, key, bytes(raw))
