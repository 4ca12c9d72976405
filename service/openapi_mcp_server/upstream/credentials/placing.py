"""A value in its place: header, query parameter or cookie. It wins over an argument of its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never
from urllib.parse import unquote_plus

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings.auth import KeyLocation


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


def with_header(request: HttpRequest, name: str, text: str) -> HttpRequest:
    headers = (*_without_header(request, name), (name, text))
    return msgspec.structs.replace(request, headers=headers)


def query_name(piece: str) -> str:
    """The name in a piece of a query, decoded."""
    return unquote_plus(piece.partition("=")[0])


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
    return [header for header in request.headers if header[0].lower() != name.lower()]


def _query(request: HttpRequest, piece: Piece) -> str:
    pieces = request.query.split("&") if request.query else []
    kept = [each for each in pieces if query_name(each) != piece.name]
    return "&".join((*kept, piece.text))


def _with_cookie(request: HttpRequest, piece: Piece) -> tuple[tuple[str, str], ...]:
    """One Cookie header (RFC 6265 section 5.4) with the key last."""
    sent = [value for name, value in request.headers if name.lower() == "cookie"]
    cookies = [cookie.strip() for value in sent for cookie in value.split(";")]
    kept = [cookie for cookie in cookies if cookie.partition("=")[0].strip() != piece.name]
    return (*_without_header(request, "cookie"), ("Cookie", "; ".join((*kept, piece.text))))
