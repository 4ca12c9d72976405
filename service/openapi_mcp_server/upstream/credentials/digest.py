"""User name and password as a digest of each request (RFC 7616), and as RFC 2617 had it for old servers."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.settings.auth import Auth
from openapi_mcp_server.upstream.credentials.login import made_of_body
from openapi_mcp_server.upstream.credentials.placing import with_header

_ALGORITHMS: dict[str, Callable[[bytes], str]] = {
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "SHA-512-256": lambda data: hashlib.new("sha512_256", data).hexdigest(),
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
}
"""The best first; a server may offer several (RFC 7616 section 3.7)."""
_CHALLENGE = re.compile(r"(?:^|,)\s*(\w+)\s+(?=\w+\s*=)")
_FIELD = re.compile(r'(?<!\w)(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_LONGEST = 4_000
"""Characters of WWW-Authenticate that are looked at."""


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """A server's challenge: what it asks for."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    is_session: bool = False
    qop: str = ""  # auth, auth-int, or empty for RFC 2069
    opaque: str | None = None
    userhash: bool = False
    encoding: str = "latin-1"


class DigestLogin:
    """See `login.Login`. The first request goes out without a digest, since the server must send its challenge
    first."""

    is_last = True

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._challenge: Challenge | None = None
        self._count = 0

    async def applied(self, request: HttpRequest) -> tuple[HttpRequest, object]:
        challenge = self._challenge
        if challenge is None:
            return request, None
        self._count += 1
        make = partial(response, self._auth, challenge, request, self._count, secrets.token_hex(16))
        text = await made_of_body(request, make) if challenge.qop == "auth-int" else make()
        return with_header(request, "Authorization", text), challenge

    async def renewed(self, used: object, answer: HttpResponse) -> bool:
        """After a 401 that asks for another digest than the request had."""
        if answer.status != 401:
            return False
        challenge = best([value for name, value in answer.headers if name == "www-authenticate"])
        if challenge is None or challenge == used:
            return False
        if challenge != self._challenge:
            self._challenge, self._count = challenge, 0
        return True


def best(values: list[str]) -> Challenge | None:
    """The best digest that is asked for. None if none is supported."""
    found = [challenge for value in values for challenge in _challenges(value[:_LONGEST])]
    order = list(_ALGORITHMS)
    return min(found, key=lambda each: order.index(each.algorithm), default=None)


def _challenges(value: str) -> list[Challenge]:
    starts = list(_CHALLENGE.finditer(value))
    ends = [*(match.start() for match in starts[1:]), len(value)]
    texts = [value[start.end() : end] for start, end in zip(starts, ends, strict=False) if start[1].lower() == "digest"]
    return [challenge for text in texts if (challenge := _challenge(text)) is not None]


def _challenge(text: str) -> Challenge | None:
    fields = {
        name.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
        for name, quoted, plain in _FIELD.findall(text)
    }
    algorithm = fields.get("algorithm", "MD5").upper()
    is_session = algorithm.endswith("-SESS")
    algorithm = algorithm.removesuffix("-SESS")
    offered = {each.strip().lower() for each in fields.get("qop", "").split(",") if each.strip()}
    qop = next((each for each in ("auth", "auth-int") if each in offered), "")
    if algorithm not in _ALGORITHMS or "nonce" not in fields or (offered and not qop):
        return None
    return Challenge(
        realm=fields.get("realm", ""),
        nonce=fields["nonce"],
        algorithm=algorithm,
        is_session=is_session,
        qop=qop,
        opaque=fields.get("opaque"),
        userhash=fields.get("userhash", "").lower() == "true",
        encoding="utf-8" if fields.get("charset", "").lower() == "utf-8" else "latin-1",
    )


def response(auth: Auth, challenge: Challenge, request: HttpRequest, count: int, cnonce: str) -> str:
    """The value of Authorization (RFC 7616 section 3.4)."""
    hashed, encoding = _ALGORITHMS[challenge.algorithm], challenge.encoding

    def h(text: str) -> str:
        return hashed(text.encode(encoding, errors="replace"))

    user_hash = h(f"{auth.username}:{challenge.realm}:{auth.password}")
    if challenge.is_session:
        user_hash = h(f"{user_hash}:{challenge.nonce}:{cnonce}")
    action = f"{request.method}:{request.target}"
    if challenge.qop == "auth-int":
        action = f"{action}:{hashed(request.body or b'')}"
    middle = f":{count:08x}:{cnonce}:{challenge.qop}" if challenge.qop else ""
    proof = h(f"{user_hash}:{challenge.nonce}{middle}:{h(action)}")
    name = h(f"{auth.username}:{challenge.realm}") if challenge.userhash else auth.username
    fields = [("realm", challenge.realm), ("uri", request.target), ("nonce", challenge.nonce)]
    fields += [] if not challenge.qop else [("cnonce", cnonce)]
    fields += [("response", proof)] if challenge.opaque is None else [("response", proof), ("opaque", challenge.opaque)]
    plain = [f"algorithm={challenge.algorithm}{'-sess' if challenge.is_session else ''}"]
    plain += [f"qop={challenge.qop}", f"nc={count:08x}"] if challenge.qop else []
    plain += ["userhash=true"] if challenge.userhash else []
    return f"Digest {', '.join([_username(name), *(_quoted(*field) for field in fields), *plain])}"


def _username(name: str) -> str:
    """The user's name, in the extended notation where it has to be (RFC 7616 section 3.4; RFC 8187)."""
    return _quoted("username", name) if name.isascii() else f"username*=UTF-8''{quote(name, safe='')}"


def _quoted(name: str, value: str) -> str:
    escaped = re.sub(r'(["\\])', r"\\\1", value)
    return f'{name}="{escaped}"'
