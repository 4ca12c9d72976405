"""Turns a request's bearer token into a principal, or into the challenge that tells a client how to get one."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from openapi_mcp_server.bridge.policy import Principal
from openapi_mcp_server.server.access.proxies import Seen
from openapi_mcp_server.server.posts import RETRY_AFTER, Header, Refusal

TOKEN_BYTES = 16 * 1024
"""The most bytes of a token. The largest in the field are 9 kB; the proxy takes headers of 16 kB."""
METADATA_PATH = "/.well-known/oauth-protected-resource"
_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([\x21-\x2b\x2d-\x7e]+)")
"""RFC 6750 section 2.1, and every other character but a comma, which would be a second field."""
_SAYS_SOMETHING = re.compile(rb"bearer[\s,]", re.IGNORECASE)
"""The scheme with something behind it. Anything else says of nobody who it is, and has no error to be told of (RFC 6750
section 3.1)."""


class InvalidToken(Exception):
    """The token is unknown or no longer valid. The text is for the client, and tells it nothing that it does not
    know."""


class MissingScope(Exception):
    """The token is valid, but does not allow this."""


class CannotVerify(Exception):
    """The token cannot be verified at the moment."""


class Verify(Protocol):
    """Finds the principal of a token. Raises one of the three above."""

    def __call__(self, token: bytes) -> Awaitable[Principal]: ...


class Guard:
    """Authenticates every caller. ``issuers``: where clients can get a token; empty if tokens are given out by hand."""

    def __init__(self, verify: Verify, *, issuers: Sequence[str] = (), scopes: Sequence[str] = ()) -> None:
        self._verify = verify
        self._issuers = tuple(issuers)
        self._scopes = tuple(scopes)
        self._audience: dict[str, SplitResult] = {}

    def known_as(self, audience: Sequence[str]) -> Guard:
        """``audience`` may contain the server's public address, which a proxy does not tell."""
        for each in audience:
            with suppress(ValueError):  # any text may be an audience
                self._audience[each] = urlsplit(each)
        return self

    def replace(self, verify: Verify) -> None:
        """Verifies tokens by this one from now on. A verification that has begun ends with the old one."""
        self._verify = verify

    async def principal(self, path: str, headers: Mapping[bytes, bytes], seen: Seen) -> Principal:
        """The caller. Raises Refusal with the challenge (RFC 6750 section 3)."""
        written = headers.get(b"authorization")
        if written is None or not _SAYS_SOMETHING.match(written):
            raise self._refusal(401, "say who you are: Authorization: Bearer TOKEN", path, headers, seen)
        found = _BEARER.fullmatch(written)
        if found is None or len(written) > TOKEN_BYTES:
            problem = f"Authorization must be one Bearer token of at most {TOKEN_BYTES // 1024} KiB"
            raise self._refusal(400, problem, path, headers, seen, error="invalid_request")
        try:
            return await self._verify(found[1])
        except InvalidToken as error:
            raise self._refusal(401, str(error), path, headers, seen, error="invalid_token") from None
        except MissingScope as error:
            raise self._refusal(403, str(error), path, headers, seen, error="insufficient_scope") from None
        except CannotVerify as error:
            raise Refusal(503, str(error), RETRY_AFTER) from None

    def metadata(self, path: str, headers: Mapping[bytes, bytes], seen: Seen) -> dict[str, object] | None:
        """The metadata at a path (RFC 9728); None for any other path."""
        if not self._issuers or path not in {METADATA_PATH, f"{METADATA_PATH}/mcp", f"{METADATA_PATH}/sse"}:
            return None
        told: dict[str, object] = {
            "resource": self._resource(path.removeprefix(METADATA_PATH) or "/mcp", headers, seen),
            "authorization_servers": self._issuers,
            "bearer_methods_supported": ["header"],
        }
        return told | ({"scopes_supported": self._scopes} if self._scopes else {})

    def _refusal(
        self, status: int, problem: str, path: str, headers: Mapping[bytes, bytes], seen: Seen, *, error: str = ""
    ) -> Refusal:
        parameters = {"error": error, "error_description": problem} if error else {}
        if self._scopes:
            parameters["scope"] = " ".join(self._scopes)
        if self._issuers:
            place = "/sse" if path == "/sse" or path.startswith("/messages/") else "/mcp"
            resource = self._resource(place, headers, seen)
            parameters["resource_metadata"] = resource[: -len(place)] + METADATA_PATH + place
        said = ", ".join(f'{name}="{_quotable(value)}"' for name, value in parameters.items())
        challenge: Header = (b"www-authenticate", f"Bearer {said}".rstrip().encode("ascii"))
        return Refusal(status, problem, challenge)

    def _resource(self, path: str, headers: Mapping[bytes, bytes], seen: Seen) -> str:
        """The server's address as the client sees it. A proxy may hide its port and its encryption. An audience with
        this address then supplies them."""
        host = headers.get(b"host", b"")[:255].decode("latin-1")
        name = _hostname(host)
        for audience, parts in self._audience.items():
            if parts.scheme in {"http", "https"} and parts.hostname == name and parts.path.endswith(path):
                return audience
        port = f":{seen.port}" if seen.port and not host.rpartition(":")[2].isdigit() else ""
        return f"{seen.scheme}://{host}{port}{seen.prefix}{path}"


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # brackets around what is no address
        return None


def _quotable(value: str) -> str:
    """The value as a quoted string of a header may hold it (RFC 6750 section 3)."""
    return re.sub(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]", "'", value)
