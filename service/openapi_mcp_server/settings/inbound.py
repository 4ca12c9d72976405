"""The settings of INBOUND_AUTH as values. No secret is kept, only a hash to compare it with."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings.command_line import Given
from openapi_mcp_server.settings.readers import SIGNATURES
from openapi_mcp_server.settings.sources import objects

InboundKind = Literal["none", "token", "jwt"]

LEAST_RATE = 0.000_001
"""As for RATE_LIMIT: a call in 12 days."""
LEAST_TOKEN_CHARACTERS = 16
"""A shorter token can be guessed."""
MOST_TOKENS = 1_000
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SCRYPT_MEMORY = 64 * 1024 * 1024


class Scrypt(NamedTuple):
    """RFC 7914's parameters, the salt and the hash."""

    n: int
    r: int
    p: int
    salt: bytes
    digest: bytes


class StaticToken(msgspec.Struct, frozen=True, kw_only=True):
    """One of INBOUND_TOKENS. Either ``sha256`` or ``scrypt`` is there."""

    name: str
    sha256: bytes | None = None
    scrypt: Scrypt | None = None
    apis: frozenset[str] | None = None
    tags: frozenset[str] | None = None
    read_only: bool = False
    rate: float | None = None
    scopes: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"StaticToken(name={self.name!r})"


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """``jwt`` has issuers, and an audience or client ids."""

    kind: InboundKind = "none"
    tokens: tuple[StaticToken, ...] = ()
    issuers: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    client_ids: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = SIGNATURES
    required_scopes: tuple[str, ...] = ()


class _Written(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    token: str | None = None
    sha256: str | None = None
    scrypt: str | None = None
    apis: list[str] | None = None
    tags: list[str] | None = None
    scopes: list[str] | None = None
    read_only: bool = False
    rate: float | None = None


def inbound(given: Mapping[str, Given]) -> Inbound:
    """``given``: every setting by name. Raises ConfigError for what would let nobody in, or cannot be read."""
    kind = given["INBOUND_AUTH"].value or "none"
    tokens = _tokens(given["INBOUND_TOKENS"]) if given["INBOUND_TOKENS"].value else ()
    _check_issuers(given["INBOUND_JWT_ISSUERS"])
    if kind == "token" and not tokens:
        raise ConfigError("INBOUND_TOKENS", "is missing; INBOUND_AUTH is token")
    if kind == "jwt":
        return _jwt(given)
    return Inbound(kind="token", tokens=tokens) if kind == "token" else Inbound()


def require_known_apis(inbound: Inbound, given: Given, known: Sequence[str]) -> None:
    """Raises ConfigError for an API of a token that there is not: what was to be narrowed would be closed."""
    for index, token in enumerate(inbound.tokens):
        for name in sorted((token.apis or frozenset()).difference(known)):
            problem = f"{name[:64]!r} is no API; there are {', '.join(known)}"
            raise ConfigError(f"{given.label}[{index}].apis", problem)


def overlooked(given: Mapping[str, Given]) -> Iterable[str]:
    """A sentence for what is set and means nothing with this INBOUND_AUTH."""
    kind = given["INBOUND_AUTH"].value or "none"
    for name, each in given.items():
        if name.startswith("INBOUND_") and name != "INBOUND_AUTH" and not each.is_default:
            wanted = "token" if name == "INBOUND_TOKENS" else "jwt"
            if wanted != kind:
                yield f"INBOUND_AUTH is {kind}: {each.label} is not used"


def _jwt(given: Mapping[str, Given]) -> Inbound:
    issuers, audience = given["INBOUND_JWT_ISSUERS"], given["INBOUND_JWT_AUDIENCE"].value
    client_ids = given["INBOUND_JWT_CLIENT_IDS"].value
    if not issuers.value:
        raise ConfigError("INBOUND_JWT_ISSUERS", "is missing; INBOUND_AUTH is jwt")
    if not audience and not client_ids:
        problem = "is missing: give it, or INBOUND_JWT_CLIENT_IDS (Cognito's access tokens name no audience)"
        raise ConfigError("INBOUND_JWT_AUDIENCE", problem)
    return Inbound(
        kind="jwt",
        issuers=issuers.value,
        audience=audience,
        client_ids=client_ids,
        algorithms=given["INBOUND_JWT_ALGORITHMS"].value,
        required_scopes=given["INBOUND_JWT_REQUIRED_SCOPES"].value,
    )


def _check_issuers(given: Given) -> None:
    for issuer in given.value:
        try:
            parts = urlsplit(issuer)
        except ValueError:
            parts = urlsplit("")
        if "@" in parts.netloc:
            raise ConfigError(given.label, "an issuer must not carry a user name or password")
        if parts.scheme not in {"https", "http"} or not parts.hostname or parts.query or parts.fragment:
            raise ConfigError(given.label, f"{issuer[:100]!r} is no issuer such as https://login.example.com/realm")


def _tokens(given: Given) -> tuple[StaticToken, ...]:
    elements = objects(given, list[msgspec.Raw], "array")
    if not 0 < len(elements) <= MOST_TOKENS:
        raise ConfigError(given.label, f"must name 1 to {MOST_TOKENS} tokens, not {len(elements)}")
    found: list[StaticToken] = []
    for index, element in enumerate(elements):
        token = _token(element, f"{given.label}[{index}]")
        for before in found:
            if before.name == token.name or (before.sha256 is not None and before.sha256 == token.sha256):
                raise ConfigError(f"{given.label}[{index}]", f"has the name or the token of {before.name!r}")
        found.append(token)
    return tuple(found)


def _token(element: msgspec.Raw, place: str) -> StaticToken:
    try:
        written = msgspec.json.decode(element, type=_Written)
    except msgspec.ValidationError as error:
        problem = str(error).partition(" - at `$.")  # it names fields and types, never a value
        where = f"{place}.{problem[2].rstrip('`')}" if problem[2] else place
        hint = f"; there are {', '.join(_Written.__struct_fields__)}" if "unknown field" in problem[0] else ""
        raise ConfigError(where, f"{problem[0][:1].lower()}{problem[0][1:]}{hint}") from None
    if not 0 < len(written.name) <= 100:
        raise ConfigError(f"{place}.name", "must have 1 to 100 characters")
    if written.rate is not None and not LEAST_RATE <= written.rate <= 1_000_000:
        raise ConfigError(f"{place}.rate", "must be a positive number of calls a second, at least 0.000001")
    forms = [form for form in (written.token, written.sha256, written.scrypt) if form is not None]
    if len(forms) != 1:
        raise ConfigError(place, "needs one of token, sha256 and scrypt")
    return StaticToken(
        name=written.name,
        sha256=_digest(written, place),
        scrypt=None if written.scrypt is None else _scrypt(written.scrypt, f"{place}.scrypt"),
        apis=_set(written.apis),
        tags=_set(written.tags),
        read_only=written.read_only,
        rate=written.rate,
        scopes=frozenset(written.scopes or ()),
    )


def _set(names: Iterable[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def _digest(written: _Written, place: str) -> bytes | None:
    if written.sha256 is not None:
        if not _SHA256.fullmatch(written.sha256.lower()):
            raise ConfigError(f"{place}.sha256", "must be the SHA-256 of the token: 64 hexadecimal digits")
        return bytes.fromhex(written.sha256)
    if written.token is None:
        return None
    if len(written.token) < LEAST_TOKEN_CHARACTERS or not re.fullmatch(r"[\x21-\x2b\x2d-\x7e]+", written.token):
        problem = f"must have at least {LEAST_TOKEN_CHARACTERS} characters, without spaces and commas"
        raise ConfigError(f"{place}.token", problem)
    return hashlib.sha256(written.token.encode()).digest()


def _scrypt(text: str, place: str) -> Scrypt:
    """``scrypt$16384$8$1$SALT$HASH``, both in base64."""
    problem = "must be scrypt$N$r$p$SALT$HASH with salt and hash in base64 (docs/inbound-auth.md)"
    match text.split("$"):
        case ["scrypt", *numbers, salt, digest] if len(numbers) == 3 and all(
            re.fullmatch(r"\d{1,7}", each) for each in numbers
        ):
            pass
        case _:
            raise ConfigError(place, problem)
    n, r, p = (int(each) for each in numbers)
    is_of_rfc = n >= 2 and not n & (n - 1) and 0 < r <= 64 and n < 1 << 16 * r and 0 < p <= 16
    if not is_of_rfc or 128 * n * r > _SCRYPT_MEMORY:
        raise ConfigError(place, f"{problem}; N is a power of 2, below 2^16 with r=1, and all of it may take 64 MiB")
    try:
        decoded = Scrypt(n, r, p, base64.b64decode(salt, validate=True), base64.b64decode(digest, validate=True))
    except (ValueError, binascii.Error):
        raise ConfigError(place, problem) from None
    if not decoded.salt or not 16 <= len(decoded.digest) <= 64:
        raise ConfigError(place, f"{problem}; the hash has 16 to 64 bytes")
    return decoded
