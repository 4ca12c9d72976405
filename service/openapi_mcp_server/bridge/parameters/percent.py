"""Percent-encoding, with one function for each set of characters that may stay as they are.

URIs and forms carry UTF-8: every function here raises UnicodeEncodeError for a lone surrogate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus, unquote

from openapi_mcp_server.errors import ArgumentError

Escape = Callable[[str], str]
"""Escapes a text so that nothing in it can be read as a delimiter."""

MAX_ENCODINGS = 8
"""The most times that a text may be percent-encoded repeatedly. Each costs a pass over it, and no normal text has
any."""

KEPT_IN_QUERY = ":/?@!$'()*,;"
"""Reserved characters that ``allowReserved`` does not encode in a query.

RFC 3986 (section 3.4) allows no ``#``, ``[`` and ``]`` there, and ``&``, ``=`` and ``+`` would make or change other
parameters: OpenAPI 3.2 (section "URL Percent-Encoding", appendices C and E) leaves these six to be encoded.
"""
KEPT_IN_PATH = ":@!$&'()*+,;="
"""The same for a path: the characters of a segment in RFC 3986 (section 3.3). ``/``, ``?`` and ``#`` would end it."""

KEPT_IN_COOKIE = ":/?#[]@!$&'()*+="
"""The same for a cookie: the reserved characters that are cookie-octets (RFC 6265 section 4.1.1)."""

_PIECE = 64 * 1024
_OVERLONG = re.compile("%(?:c0|e0%80|f0%80%80)%(ae|af)|%c1%(9c)", re.IGNORECASE)
"""A dot, a slash and a backslash in more bytes than UTF-8 allows (RFC 3629 section 3). Old decoders accept them."""
_TRIPLET_OR_NOT = re.compile("(%[0-9A-Fa-f]{2})|%|[^%]+")
_UNRESERVED = "A-Za-z0-9._~-"
_is_unreserved = re.compile(f"[{_UNRESERVED}]*").fullmatch


def pieces(text: str) -> Iterator[str]:
    """A long text in pieces, none of which ends within a percent-encoded triplet.

    The library's functions make a list of all characters, or of all triplets: up to 60 bytes for each.
    """
    start = 0
    while start < len(text):
        end = start + _PIECE
        begun = text.rfind("%", end - 2, end)
        end = end if begun < 0 or end >= len(text) else begun
        yield text[start:end]
        start = end


def unreserved(text: str) -> str:
    """Keeps only unreserved characters (RFC 3986 section 2.3), as RFC 6570 section 3.2.1 expands values."""
    return text if _is_unreserved(text) else "".join([quote(piece, safe="") for piece in pieces(text)])


def segments(text: str) -> str:
    """Encodes several path segments: unreserved characters and slashes stay."""
    return quote(text, safe="/")


def reserved(kept: str) -> Escape:
    """Keeps unreserved characters, those in ``kept`` and percent-encoded triplets (RFC 6570 section 3.2.3)."""

    is_kept = re.compile(f"[{re.escape(kept)}{_UNRESERVED}]*").fullmatch

    def escape(piece: str) -> str:
        return _TRIPLET_OR_NOT.sub(lambda found: found[1] or quote(found[0], safe=kept), piece)

    return lambda text: text if is_kept(text) else "".join([escape(piece) for piece in pieces(text)])


def form(text: str) -> str:
    """Encodes by the application/x-www-form-urlencoded set of the WHATWG URL Standard (section 1.3): space is ``+``."""
    return "".join([quote_plus(piece, safe="*").replace("~", "%7E") for piece in pieces(text)])


def _shortest(overlong: re.Match[str]) -> str:
    return {"ae": ".", "af": "/", "9c": "\\"}[(overlong[1] or overlong[2]).lower()]


def fully_decoded(text: str) -> str:
    """Percent-decodes until nothing changes, as a chain of servers might do. Raises ArgumentError."""
    for _ in range(MAX_ENCODINGS):
        if "%" not in text:
            return text
        decoded = unquote(_OVERLONG.sub(_shortest, text))
        if decoded == text:
            return text
        text = decoded
    raise ArgumentError(f"is percent-encoded more than {MAX_ENCODINGS - 1} times over")
