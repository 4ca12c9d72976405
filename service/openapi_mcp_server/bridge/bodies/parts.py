"""The parts of a multipart body as they stand on the wire (RFC 2046 section 5.1; RFC 7578 for forms)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import msgspec

FORM_DATA = "multipart/form-data"
DISPOSITION = "content-disposition"
Headers = tuple[tuple[str, str], ...]

_BOUNDARY = re.compile(r"(?<!\s)\s*;\s*boundary=(\"[^\"]*\"|[^;]*)", re.IGNORECASE)
_TYPE = re.compile(r";\s*type\s*=", re.IGNORECASE)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part, with a ``name`` if it is a form's. ``headers`` are those beside Content-Type.

    Content-Disposition follows from the names unless the headers say it.
    """

    data: bytes
    name: str | None = None
    content_type: str | None = None
    filename: str | None = None
    headers: Headers = ()


def encode(media_type: str, parts: Sequence[Part]) -> tuple[str, bytes]:
    """Content-Type and body. The boundary is a hash of the parts: the same body each time, and in none of them."""
    blocks = [_head(part) + part.data + b"\r\n" for part in parts]
    boundary = hashlib.sha256(b"".join(blocks)).hexdigest()[:40].encode()
    while any(boundary in block for block in blocks):
        boundary = hashlib.sha256(boundary).hexdigest()[:40].encode()
    body = b"".join([b"--" + boundary + b"\r\n" + block for block in blocks]) + b"--" + boundary + b"--\r\n"
    return f"{_with_root(media_type, parts)}; boundary={boundary.decode()}", body


def _with_root(media_type: str, parts: Sequence[Part]) -> str:
    """The type with what the document says beside it; multipart/related must name its first part's (RFC 2387)."""
    name = media_type.partition(";")[0].strip().lower()
    if name == FORM_DATA:
        return FORM_DATA
    written = _BOUNDARY.sub("", media_type)
    if name != "multipart/related" or not parts or _TYPE.search(written):
        return written
    root = (parts[0].content_type or "text/plain").partition(";")[0].strip()
    return f'{written}; type="{root}"'


def _head(part: Part) -> bytes:
    lines = _disposition(part)
    if part.content_type is not None:
        lines.append(f"Content-Type: {part.content_type}")
    lines += [f"{name}: {value}" for name, value in part.headers]
    return "\r\n".join([*lines, "", ""]).encode()


def _disposition(part: Part) -> list[str]:
    """A form's part has a name (RFC 7578 section 4.2); any other is an attachment if it has a file's."""
    if any(name.lower() == DISPOSITION for name, _ in part.headers):
        return []
    filename = "" if part.filename is None else f'; filename="{_quoted(part.filename)}"'
    if part.name is not None:
        return [f'Content-Disposition: form-data; name="{_quoted(part.name)}"{filename}']
    return [f"Content-Disposition: attachment{filename}"] if filename else []


def _quoted(text: str) -> str:
    """Names as browsers write them: UTF-8, three characters escaped (HTML Standard, multipart/form-data encoding)."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
