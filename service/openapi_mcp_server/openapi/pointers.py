"""JSON Pointers as URI fragments (RFC 6901 section 6): ``#/paths/~1pets~1%7Bid%7D/get``."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, unquote

from openapi_mcp_server.errors import SpecError

ROOT = "#"
DEFS = "#/$defs/"
"""The beginning of a ``$ref`` to a definition within a schema; the definition's name follows."""

# RFC 3986 section 3.5: what a fragment may hold as it is, beside letters, digits and "-._~".
_KEPT = "!$&'()*+,;=:@?"
_is_plain = re.compile(r"[A-Za-z0-9._-]+").fullmatch  # most are
_ASCII = str.maketrans(
    {"~": "~0", "/": "~1"} | {c: quote(c, safe=_KEPT) for c in map(chr, range(128)) if c not in "~/"}
)
"""A table of escapes, since quote() takes 4 µs for a path."""
_BAD_ESCAPE = re.compile("~(?![01])")


def child(pointer: str, *tokens: str | int) -> str:
    """The pointer to a member (key) or element (index) further down."""
    for token in tokens:
        pointer = f"{pointer}/{step(token)}"
    return pointer


@lru_cache(maxsize=1024)
def step(token: str | int) -> str:
    """A key or an index as a token of a pointer. Most are the same few: fields, methods, status codes, media types."""
    text = str(token)
    if _is_plain(text):
        return text
    return text.translate(_ASCII) if text.isascii() else quote(escaped(text), safe=_KEPT, errors="replace")


def tokens(pointer: str) -> tuple[str, ...]:
    """The keys and indexes of a pointer; raises SpecError if it is not a pointer."""
    path = pointer.removeprefix(ROOT)
    if not path:
        return ()
    if not path.startswith("/") or _BAD_ESCAPE.search(path):
        raise SpecError(pointer, "not a JSON Pointer (RFC 6901)")
    return tuple(unescaped(unquote(token)) for token in path[1:].split("/"))


def escaped(name: str) -> str:
    """A name as a token of a JSON Pointer (RFC 6901 section 3)."""
    return name.replace("~", "~0").replace("/", "~1")


def unescaped(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")
