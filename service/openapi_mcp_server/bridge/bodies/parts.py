"""The parts of a multipart body on the wire (RFC 2046 section 5.1; RFC 7578 for forms)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from openapi_mcp_server.bridge import sizes
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.grammar import essence
from openapi_mcp_server.pausing import in_turns

FORM_DATA = "multipart/form-data"
DISPOSITION = "content-disposition"
MAX_PARTS = 10_000
"""The most parts of one body. Servers accept 1,000 or fewer by default."""
_AT_ONCE = 50
"""The number of parts between two pauses."""
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


def encode(media_type: str, parts: Iterable[Part]) -> tuple[str, bytes]:
    """Content-Type and body. The boundary is a hash of the parts, so equal parts make equal bodies, and no part
    contains it.

    ``parts`` may be a generator: if they become too many or too large, the others are never made. Raises ArgumentError.
    """
    known = list(_bounded(parts))
    whole = hashlib.sha256()
    for head, part in known:
        whole.update(head)
        whole.update(part.data)
    boundary = whole.hexdigest()[:40].encode()
    while any(boundary in head or boundary in part.data for head, part in known):
        boundary = hashlib.sha256(boundary).hexdigest()[:40].encode()
    delimiter = b"--" + boundary + b"\r\n"
    pieces = [piece for head, part in known for piece in (delimiter, head, part.data, b"\r\n")]
    body = b"".join([*pieces, b"--" + boundary + b"--\r\n"])
    return f"{_with_root(media_type, [part for _, part in known])}; boundary={boundary.decode()}", body


def _bounded(parts: Iterable[Part]) -> Iterator[tuple[bytes, Part]]:
    """The parts with their heads. Raises ArgumentError at the first part beyond the limits of a body."""
    size = 0
    for number, part in enumerate(in_turns(parts, _AT_ONCE)):
        head = _head(part)
        size += len(head) + len(part.data)
        if number >= MAX_PARTS:
            raise ArgumentError(f"makes more than {MAX_PARTS:,} parts, which is the limit")
        sizes.require(size)
        yield head, part


def _with_root(media_type: str, parts: Sequence[Part]) -> str:
    """The type with the document's parameters; multipart/related must name its first part's type (RFC 2387)."""
    name = essence(media_type)
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
    """The Content-Disposition of a part. A form's part has a name (RFC 7578 section 4.2); any other with a file name is
    an attachment."""
    if any(name.lower() == DISPOSITION for name, _ in part.headers):
        return []
    filename = "" if part.filename is None else f'; filename="{_quoted(part.filename)}"'
    if part.name is not None:
        return [f'Content-Disposition: form-data; name="{_quoted(part.name)}"{filename}']
    return [f"Content-Disposition: attachment{filename}"] if filename else []


def _quoted(text: str) -> str:
    """A name as browsers write it: UTF-8, with three characters escaped (HTML Standard, multipart/form-data
    encoding)."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
