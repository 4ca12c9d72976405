"""A value in its place: header, query parameter or cookie. It wins over an argument of its name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import assert_never
from urllib.parse import unquote_plus

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.withheld import readings
from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.grammar import as_variable
from openapi_mcp_server.settings.auth import KeyLocation

_OF_A_SECRET = re.compile("key|token|secret|passw|pwd|auth|credential|signature|session|jwt", re.IGNORECASE)
"""Names of headers and parameters whose values are credentials. Others are words of ordinary answers: a version, a
media type, a tenant."""
_MOST_PARTS = 20
"""The most words or cookies of one header that are looked for one by one: a client may send any number."""
_OF_ADDRESSES = str.maketrans("+/", "-_")


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A piece ready to send, and where it goes. ``text``: the header's value, or the whole piece of query or cookie;
    ``secrets``: the values in it that nobody may read."""

    location: KeyLocation
    name: str
    text: str
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Piece({self.location} {self.name})"


def authorization(text: str, *secrets: str) -> Piece:
    return Piece(location="header", name="Authorization", text=text, secrets=secrets)


def put(request: HttpRequest, piece: Piece) -> HttpRequest:
    """The request with the piece in it."""
    request = with_secrets(request, *piece.secrets)
    match piece.location:
        case "header":
            return with_header(request, piece.name, piece.text)
        case "query":
            return msgspec.structs.replace(request, query=_query(request, piece))
        case "cookie":
            return msgspec.structs.replace(request, headers=_with_cookie(request, piece))
        case unknown:
            assert_never(unknown)


def with_secrets(request: HttpRequest, *secrets: str) -> HttpRequest:
    """The request, of which these values are known to be secret."""
    return msgspec.structs.replace(request, secrets=(*request.secrets, *secrets))


def secrets_of(name: str, value: str) -> tuple[str, ...]:
    """The secrets in a header, a parameter or a cookie of this name; empty if the name says that it has none."""
    if name.lower() == "cookie":
        return tuple(pair.partition("=")[2].strip() for pair in value.split(";")[:_MOST_PARTS])
    if _OF_A_SECRET.search(name) is None:
        return ()
    return (value, *(spelt for word in value.split()[:_MOST_PARTS] for spelt in base64_spellings(word)))


def base64_spellings(text: str) -> tuple[str, ...]:
    """A text in base64 as an API may repeat it: with the alphabet of addresses, and without padding (RFC 4648 sections
    3.2 and 5)."""
    both = (text, text.translate(_OF_ADDRESSES))
    return tuple(dict.fromkeys((*both, *(each.rstrip("=") for each in both))))


def with_header(request: HttpRequest, name: str, text: str) -> HttpRequest:
    headers = (*_without_header(request, name), (name, text))
    return msgspec.structs.replace(request, headers=headers)


def names_in(piece: str) -> frozenset[str]:
    """The name in a piece of a query or in a cookie, decoded, as different servers read it."""
    return frozenset(readings([unquote_plus(piece.partition("=")[0])]))


def require(fits: Callable[[str], object], value: str, setting: str, api: str) -> None:
    """Raises ConfigError for a value that cannot be sent where it should be."""
    if not value or not fits(value):
        raise ConfigError(
            setting, f"the value for {api} holds a character that cannot be sent in its place{_likely(value)}"
        )


def _likely(value: str) -> str:
    """The usual reason, without a character of the secret."""
    if value != value.strip():
        return ": a space or an end of line at one of its ends; take it out"
    if not value.isascii():
        return ": one beyond ASCII, such as a typographic quote or a byte order mark; take it out"
    return ""


def _without_header(request: HttpRequest, name: str) -> list[tuple[str, str]]:
    own = as_variable(name)
    return [header for header in request.headers if as_variable(header[0]) != own]


def _query(request: HttpRequest, piece: Piece) -> str:
    pieces = request.query.split("&") if request.query else []
    own = names_in(piece.text)
    kept = [each for each in pieces if own.isdisjoint(names_in(each))]
    return "&".join((*kept, piece.text))


def _with_cookie(request: HttpRequest, piece: Piece) -> tuple[tuple[str, str], ...]:
    """One Cookie header (RFC 6265 section 5.4) with the key last."""
    sent = [value for name, value in request.headers if name.lower() == "cookie"]
    cookies = [cookie.strip() for value in sent for cookie in value.split(";")]
    own = names_in(piece.name)
    kept = [cookie for cookie in cookies if own.isdisjoint(names_in(cookie))]
    return (*_without_header(request, "cookie"), ("Cookie", "; ".join((*kept, piece.text))))
