"""An authorization server of our own: keys, discovery, JWKS, registration, authorization codes with PKCE, tokens.

It says yes to everybody, and does what a test tells it to do wrong.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from recording import recording

Claims = dict[str, Any]
KEYS = {
    "RS256": lambda: RSAKey.generate_key(2048),
    "ES256": lambda: ECKey.generate_key("P-256"),
    "Ed25519": lambda: OKPKey.generate_key("Ed25519"),
}
_made: dict[str, Any] = {}


def key(kind: str) -> Any:
    """Of this kind, made once for all tests; an RSA key takes a while."""
    return _made.setdefault(kind, KEYS[kind.partition("/")[0]]())


class AuthorizationServer:
    """``keys`` by id are those it publishes. ``answers`` may replace the answer of a path."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {"rsa": key("RS256"), "ec": key("ES256"), "ed": key("Ed25519")}
        self.answers: dict[str, Callable[[], tuple[int, bytes]]] = {}
        self.asked: list[str] = []
        self.audience = ""
        self.scope = "pets:read"
        self._codes: dict[str, dict[str, str]] = {}
        self.url = ""

    @property
    def issuer(self) -> str:
        return self.url

    def claims(self, **changes: Any) -> Claims:
        """Those of a token that is in order; None takes one away."""
        now = int(time.time())
        usual = {
            "iss": self.issuer, "sub": "alice", "aud": self.audience or "https://mcp.example.com/mcp",
            "exp": now + 300, "iat": now, "nbf": now, "scope": self.scope,
        }  # fmt: skip
        return {name: value for name, value in {**usual, **changes}.items() if value is not None}

    def token(
        self, *, alg: str = "RS256", kid: str | None = "rsa", header: Claims | None = None, **changes: Any
    ) -> str:
        """Signed by the key of this id, or by the one of its algorithm."""
        signer = self.keys.get(kid or "") or key(alg)
        head = {"alg": alg, **({"kid": kid} if kid else {}), **(header or {})}
        return signed(head, self.claims(**changes), signer)

    def jwks(self) -> dict[str, Any]:
        keys = [{**each.as_dict(private=False), "kid": kid, "use": "sig"} for kid, each in self.keys.items()]
        return {"keys": keys}

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.url}/jwks",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "registration_endpoint": f"{self.url}/register",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
        }

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(target)
        self.asked.append(parts.path)
        if parts.path in self.answers:
            status, content = self.answers[parts.path]()
            return status, {}, content
        match method, parts.path:
            case "GET", "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server":
                return 200, {}, msgspec.json.encode(self.metadata())
            case "GET", "/jwks":
                return 200, {}, msgspec.json.encode(self.jwks())
            case "POST", "/token":
                return self._give(_one(body.decode()))
            case _:
                return self._register_or_authorize(method, parts.path, parts.query, body)

    def _register_or_authorize(
        self, method: str, path: str, query: str, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        match method, path:
            case "POST", "/register":
                asked = msgspec.json.decode(body)
                asked |= {"client_id": secrets.token_hex(8), "token_endpoint_auth_method": "none"}
                return 201, {}, msgspec.json.encode(asked)
            case "GET", "/authorize":
                return 302, {"Location": self._authorize(_one(query))}, b""
        return 404, {}, b"{}"

    def _authorize(self, asked: dict[str, str]) -> str:
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_hex(16)
        self._codes[code] = asked
        given = {"code": code} | ({"state": asked["state"]} if "state" in asked else {})
        return f"{asked['redirect_uri']}?{urlencode(given)}"

    def _give(self, asked: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        code = self._codes.pop(asked.get("code", ""), None)
        made = base64.urlsafe_b64encode(hashlib.sha256(asked.get("code_verifier", "").encode()).digest()).rstrip(b"=")
        if code is None or made.decode() != code["code_challenge"]:
            return 400, {}, b'{"error":"invalid_grant"}'
        token = self.token(aud=code.get("resource") or asked.get("resource") or "nobody", scope=code.get("scope") or "")
        told = {"access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": code.get("scope") or ""}
        return 200, {}, msgspec.json.encode(told)


def signed(header: Claims, claims: Claims, signer: Any) -> str:
    algorithm = header["alg"]
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.max_header_length = 100_000
    with warnings.catch_warnings(action="ignore", category=SecurityWarning):  # of EdDSA by its old name
        return jwt.encode(header, claims, signer, algorithms=[algorithm], registry=registry)


def forged(header: Claims, claims: Claims, signature: bytes = b"") -> str:
    """With a signature that is none."""
    pieces = (msgspec.json.encode(header), msgspec.json.encode(claims), signature)
    return ".".join(base64.urlsafe_b64encode(piece).rstrip(b"=").decode() for piece in pieces)


def by_secret(header: Claims, claims: Claims, secret: bytes) -> str:
    """With HMAC and any secret at all, which libraries would not let one."""
    unsigned = forged(header, claims).removesuffix(".")
    made = hmac.digest(secret, unsigned.encode(), "sha256")
    return f"{unsigned}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"


def _one(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


@contextmanager
def authorization_server() -> Iterator[AuthorizationServer]:
    """On a loopback port, for as long as the context lasts."""
    made = AuthorizationServer()
    with recording(lambda asked: made.answer(asked.method, asked.target, asked.body)) as server:
        made.url = server.url
        yield made
