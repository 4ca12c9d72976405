"""AWS Signature Version 4: a request's own signature, from the documentation "Create a signed AWS API request"."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote, unquote

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpRequest

_UNSIGNED = frozenset(
    {"authorization", "connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id", "te", "upgrade"}
)
"""Headers that somebody on the way may change, or that are added to a request after it was signed."""
_ALGORITHM = "AWS4-HMAC-SHA256"


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """An access key. ``ends``: seconds since the epoch, None for one that stays."""

    access_key: str
    secret_key: str
    session_token: str = ""
    ends: float | None = None

    def __repr__(self) -> str:
        return "Keys()"


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Which service in which region a signature is for."""

    region: str
    service: str


def signed(request: HttpRequest, keys: Keys, scope: Scope, epoch: float) -> HttpRequest:
    """The request with its signature, which replaces one that it has; ``epoch`` is the time in seconds."""
    moment = datetime.fromtimestamp(epoch, UTC).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(request.body or b"").hexdigest()
    own = {"X-Amz-Date": moment, "X-Amz-Content-SHA256": digest} | (
        {"X-Amz-Security-Token": keys.session_token} if keys.session_token else {}
    )
    if scope.service != "s3":
        del own["X-Amz-Content-SHA256"]
    replaced = {"authorization", "x-amz-date", "x-amz-security-token", *(name.lower() for name in own)}
    headers = (*(each for each in request.headers if each[0].lower() not in replaced), *own.items())
    secrets = (*request.secrets, *filter(None, [keys.session_token]))
    request = msgspec.structs.replace(request, headers=headers, secrets=secrets)
    return msgspec.structs.replace(
        request, headers=(*headers, ("Authorization", _authorization(request, keys, scope, moment, digest)))
    )


def _authorization(request: HttpRequest, keys: Keys, scope: Scope, moment: str, digest: str) -> str:
    canonical, names = canonical_request(request, scope.service, digest)
    credential = f"{moment[:8]}/{scope.region}/{scope.service}/aws4_request"
    hashed = hashlib.sha256(canonical.encode("utf-8")).hexdigest()
    key = _signing_key(keys.secret_key, moment[:8], scope)
    signature = hmac.new(key, f"{_ALGORITHM}\n{moment}\n{credential}\n{hashed}".encode(), hashlib.sha256).hexdigest()
    return f"{_ALGORITHM} Credential={keys.access_key}/{credential}, SignedHeaders={names}, Signature={signature}"


def canonical_request(request: HttpRequest, service: str, digest: str) -> tuple[str, str]:
    """(the canonical request, the names of the headers in it)."""
    headers = _headers([("host", request.origin.authority), *request.headers])
    names = ";".join(name for name, _ in headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers)
    path, query = _path(request.path, service), _query(request.query)
    return f"{request.method}\n{path}\n{query}\n{lines}\n{names}\n{digest}", names


def _headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers to sign, in the order of their names; white space within a value is one space."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        if name.lower() not in _UNSIGNED:
            found.setdefault(name.lower(), []).append(" ".join(value.split()))
    return [(name, ",".join(values)) for name, values in sorted(found.items())]


def _path(path: str, service: str) -> str:
    """Escaped once more than it is sent, without dot segments and double slashes; S3 takes keys as they are."""
    if service == "s3":
        return quote(path, safe="/~%") or "/"
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            segments = segments[:-1]
        elif segment not in {"", "."}:
            segments.append(segment)
    end = "/" if segments and path.endswith("/") else ""
    return quote(f"/{'/'.join(segments)}{end}", safe="/~")


def _query(query: str) -> str:
    """Sorted by what is sent; a piece without a value gets an empty one."""
    pairs = [piece.partition("=") for piece in query.split("&") if piece]
    return "&".join(f"{name}={value}" for name, value in sorted((_escaped(n), _escaped(v)) for n, _, v in pairs))


def _escaped(text: str) -> str:
    """The text with all escapes of RFC 3986, also those that the sender has left out. A plus sign stays one."""
    return quote(unquote(text, errors="surrogateescape"), safe="-_.~", errors="surrogateescape")


@lru_cache(maxsize=64)
def _signing_key(secret_key: str, day: str, scope: Scope) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (day, scope.region, scope.service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
