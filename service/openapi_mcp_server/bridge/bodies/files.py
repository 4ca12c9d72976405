"""Reads bytes from an argument: base64 text, or a ``data:`` URI (RFC 2397) with a media type and an optional name."""

from __future__ import annotations

import binascii
import re
from urllib.parse import unquote, unquote_to_bytes

import msgspec

from openapi_mcp_server.bridge.media import charsets
from openapi_mcp_server.bridge.media.exact_json import encode as encode_json
from openapi_mcp_server.bridge.media.types import is_media_type
from openapi_mcp_server.bridge.parameters.percent import pieces
from openapi_mcp_server.errors import ArgumentError

MAX_FILE_TEXT = 32 * 1024 * 1024
"""The most characters of one file as text, about 24 MiB of bytes. Decoding holds it twice."""

MAX_HEAD = 4 * 1024
"""The most characters of a data: URI before its comma: a media type, and a percent-encoded file name."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_URL_SAFE = re.compile(r"[0-9A-Za-z_-]*={0,2}")
_TO_STANDARD, _TO_URL_SAFE = str.maketrans("-_", "+/"), str.maketrans("+/", "-_")
_NAME_PARAMETERS = ("name=", "filename=")


class File(msgspec.Struct, frozen=True):
    """A file; ``media_type`` and ``name`` are those of the data: URI."""

    data: bytes
    media_type: str | None = None
    name: str | None = None


def read(value: object) -> File:
    """The file in an argument. Raises ArgumentError."""
    if not isinstance(value, str):
        raise ArgumentError("must be base64 text or a data: URI")
    if len(value) > MAX_FILE_TEXT:
        raise ArgumentError(f"is longer than {MAX_FILE_TEXT:,} characters")
    if value[:5].lower() == "data:":
        return _from_data_uri(value)
    return File(_decode(value))


def read_text(value: object, charset: str) -> File:
    """A file of text, which may also be given as plain text, since base64 has no line ends, commas or braces."""
    if not isinstance(value, str):
        json = encode_json(value)
        return File(json if charsets.is_utf8(charset) else charsets.json_in(charset, json))
    try:
        return read(value)
    except ArgumentError:
        if value[:5].lower() == "data:" or len(value) > MAX_FILE_TEXT:
            raise
        return File(value.encode(charset))


def base64_text(value: object, *, url_safe: bool) -> str:
    """Checked base64 text, also from a data: URI. Raises ArgumentError.

    ``url_safe``: in the alphabet for URLs, with optional padding (RFC 4648 section 5); the other alphabet is accepted,
    too.
    """
    if url_safe and isinstance(value, str) and _URL_SAFE.fullmatch(value):
        _decode(value.translate(_TO_STANDARD) + "=" * (-len(value) % 4))
        return value
    data = binascii.b2a_base64(read(value).data, newline=False).decode()
    if url_safe:
        return data.translate(_TO_URL_SAFE)
    return value if isinstance(value, str) and value[:5].lower() != "data:" else data


def _decode(text: str | bytes) -> bytes:
    """Decodes strictly by RFC 4648 section 4, since a lenient decoder would turn plain text into other bytes."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:  # binascii.Error, or text that is not ASCII
        raise ArgumentError(
            f"is no base64 ({error}); give the bytes as base64 without line breaks, or as a data: URI such as "
            "data:image/png;name=cat.png;base64,…"
        ) from error


def _from_data_uri(text: str) -> File:
    comma = text.find(",", 0, MAX_HEAD)
    if comma < 0:
        where = "without a comma" if len(text) <= MAX_HEAD else f"without a comma in its first {MAX_HEAD:,} characters"
        raise ArgumentError(f"is a data: URI {where}; write data:TYPE;base64,…")
    media_type, *parameters = text[len("data:") : comma].split(";")
    is_base64 = bool(parameters) and parameters[-1].strip().lower() == "base64"
    kept = [media_type.strip()]
    name = None
    for parameter in parameters[: -1 if is_base64 else None]:
        if parameter.lower().startswith(_NAME_PARAMETERS):
            name = unquote(parameter.partition("=")[2])
        else:
            kept.append(parameter)
    written = ";".join(kept)
    if media_type and not is_media_type(written):
        raise ArgumentError(f"is a data: URI whose media type {written[:60]!r} is none")
    if name is not None and _CONTROL.search(name):
        raise ArgumentError("is a data: URI whose file name holds control characters")
    data = b"".join([unquote_to_bytes(piece) for piece in pieces(text[comma + 1 :])])
    return File(_decode(data) if is_base64 else data, written if media_type else None, name)
