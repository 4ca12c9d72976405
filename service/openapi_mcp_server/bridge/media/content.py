"""Turns an answer's body into content for a model: exact JSON, text in a valid charset, media, or base64 with its type.

Only a body without a type is sniffed, and nothing is shown in a charset in which it is invalid.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import assert_never
from urllib.parse import quote

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.bridge.media import charsets
from openapi_mcp_server.bridge.media.by_parts import PART_BYTES, part_starts, short_pieces, without_space
from openapi_mcp_server.bridge.media.table import is_html, is_json, is_xml, row
from openapi_mcp_server.grammar import TOKEN, any_number_of, essence
from openapi_mcp_server.mcp.messages import (
    AudioContent,
    BlobResource,
    Content,
    EmbeddedResource,
    ImageContent,
    TextContent,
)

ANSWER_LIMIT = 10 * 1024 * 1024
"""The most decoded bytes of an answer that are read: more than a model can use, and small enough for 100 calls."""

_XML_DECLARATION = re.compile(rb"""<\?xml [^<>]{0,100}?encoding=["']([A-Za-z0-9._-]{1,40})["']""")
_HTML_DECLARATION = re.compile(rb"""<meta\s[^<>]{0,200}?charset=["']?([a-z0-9._-]{1,40})""", re.IGNORECASE)
_HTML_START = 1024
"""The bytes within which a page must declare its charset (HTML Standard, 4.2.5.4)."""
_HALF_PAIR = re.compile(
    rb"(?<!\\)((?:\\\\){0,1000})\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F][0-9a-fA-F]{2})"
)
"""The escape of half a surrogate pair that stands alone, after any escaped backslashes."""


_NAME = re.compile(rf"{TOKEN}/{TOKEN}")
_GUESS = "windows-1252"
_LATIN_1 = frozenset({"iso-8859-1", "iso8859-1", "latin-1", "latin1"})
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ZEROS = {
    b"\xff\0\0\0": "utf-32le",
    b"\0\0\0\xff": "utf-32be",
    b"\xff\0": "utf-16le",
    b"\0\xff": "utf-16be",
}
"""Charsets by the zeros among the first bytes."""
_BLANK = re.compile(any_number_of(r"[ \t\r\n\0]++|\xef\xbb\xbf|\xfe\xff|\xff\xfe").encode("latin-1"))
_BLANK_STARTS = b" \t\r\n\0\xef\xfe\xff"
_OBJECT_OR_LIST = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]{0,64}[{\[]")
_TYPE_SHOWN = 100
"""The most characters of a media type in a note."""
_HALF_PAIRS = 10_000
"""The most halves of pairs that are repaired in one answer."""


class AnswerContent(msgspec.Struct, frozen=True, gc=False):
    """A body as content: compact ``json``, or ``text`` in UTF-8, or media, with ``notes`` about it.

    ``filtered``: it is the output of the model's filter, which no schema describes. ``lacks``: parts of the whole are
    missing, and not only details. ``next``: arguments of the call for the missing part.
    """

    media: Content | None = None
    json: bytes | None = None
    text: bytes = b""
    notes: tuple[str, ...] = ()
    filtered: bool = False
    next: Mapping[str, str | int] | None = None
    lacks: bool = False

    @property
    def content(self) -> Content:
        """The content, made after the body is short enough to be sent: one emoji makes every character of a text take
        four bytes."""
        return self.media or TextContent((self.text if self.json is None else self.json).decode())


def is_blank_json(response: HttpResponse) -> bool:
    """Whether a body that claims to be JSON is only white space in some Unicode charset."""
    body = response.body
    if body[:1] not in _BLANK_STARTS or not is_json(response.header("content-type") or ""):
        return False
    return all(_BLANK.fullmatch(body, start, start + PART_BYTES) for start in part_starts(body))


def read(response: HttpResponse, uri: str, *, json_by_any_name: bool = False) -> AnswerContent:
    """The body of an answer as content; ``uri`` names it if it becomes an embedded resource.

    A body that claims to be JSON and is not becomes text with a note.

    ``json_by_any_name``: an object or a list counts as JSON under any other type, too, for errors and if JSON was
    requested. PHP's default type is text/html, that of stores application/octet-stream.

    The size is limited already: `upstream.reader` applies `ANSWER_LIMIT` while an answer arrives.
    """
    content_type = response.header("content-type") or ""
    media_type = essence(content_type)
    if _NAME.fullmatch(media_type) is None:
        return _untyped(response, uri)
    return (json_by_any_name and _object_or_list(response.body, content_type)) or _typed(response, content_type, uri)


def _typed(response: HttpResponse, content_type: str, uri: str) -> AnswerContent:
    media_type = essence(content_type)
    match row(media_type).read:
        case "json":
            return _json(response.body, content_type) or _not_json(response.body, content_type, uri)
        case "text":
            return _text(response, content_type) or _binary(response.body, content_type, uri)
        case "image":
            return AnswerContent(ImageContent(response.body, media_type))
        case "audio":
            return AnswerContent(AudioContent(response.body, media_type))
        case "binary":
            return _binary(response.body, content_type, uri)
        case unknown:
            assert_never(unknown)


@lru_cache(maxsize=2_048)
def resource_uri(api: str, tool: str) -> str:
    """A generated name for an answer that is a resource. Nothing can be read by it later."""
    return f"openapi://{quote(api, safe='')}/{quote(tool, safe='')}"


def _text(response: HttpResponse, content_type: str) -> AnswerContent | None:
    """The body as text; None if it is invalid in its declared charset and in UTF-8."""
    declared = charsets.declared(content_type) or _declared_inside(response.body, content_type) or "utf-8"
    read_as = (_decoded(response, charset) for charset in _readings(declared))
    return next((AnswerContent(text=text) for text in read_as if text is not None), None)


def _readings(declared: str) -> tuple[str, ...]:
    """The possible charsets of an answer by its declaration, the likeliest first.

    Text that is valid in UTF-8 counts as UTF-8, even if an unknown or narrower charset is declared. ISO-8859-1 is read
    as windows-1252, as in browsers (Encoding Standard, 4.2), since texts do not have the controls that differ. Some
    programs declare UTF-16 and send UTF-8; real UTF-16 is hardly ever valid UTF-8.
    """
    if declared.startswith(charsets.WIDE):
        return "utf-8", declared
    return (_GUESS, declared) if declared in _LATIN_1 else (declared, "utf-8")


def _declared_inside(body: bytes, content_type: str) -> str | None:
    """The charset that an XML document or a page declares inside, which parsers of XML use (XML 1.0, appendix F). None
    if there is none, or if the declaration could not have been read in it."""
    found = _XML_DECLARATION.match(body)
    if found is None and is_html(content_type):
        found = _HTML_DECLARATION.search(body[:_HTML_START])
    if found is not None:
        name = found[1].decode("ascii").lower()
        return None if name.startswith(charsets.WIDE) else name
    return _by_first_bytes(body) if is_xml(content_type) else None


def _decoded(response: HttpResponse, charset: str) -> bytes | None:
    """The body in UTF-8; None if it is invalid in the charset or contains NUL.

    If a body was cut, an incomplete last character is left out.
    """
    codec = _codec(charset)
    if codec is None:
        return None
    try:
        decoded = [codec.decode(piece).encode() for piece in short_pieces(response.body)]
        decoded.append(codec.decode(b"", final=response.cut is None).encode())
    except UnicodeError:
        return None
    text = b"".join(decoded)
    return None if b"\0" in text else text.removeprefix(codecs.BOM_UTF8)


def _codec(charset: str) -> codecs.IncrementalDecoder | None:
    return codecs.getincrementaldecoder(charset)() if charsets.is_known(charset) else None


def _json(body: bytes, content_type: str) -> AnswerContent | None:
    """Compact JSON with the API's spelling of numbers and strings; None if it is not JSON."""
    try:
        _require_utf8(body)
        return AnswerContent(json=without_space(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _mended_json(body, content_type)
    except RecursionError:
        return deep_json(body)


def _mended_json(body: bytes, content_type: str) -> AnswerContent | None:
    """JSON with a byte order mark, in another charset than UTF-8, or with halves of surrogate pairs.

    RFC 8259 lets a reader ignore a byte order mark (section 8.1). Half a pair is a character that the API cut in two
    (section 8.2). Only this character is lost, not the answer.
    """
    text, notes = _text_of_json(body, content_type)
    if text is None:
        return None
    mended, halves = text.encode(), 0
    if b"\\ud" in mended or b"\\uD" in mended:  # else 10 MB of a log, which begins as a list does, take 250 ms
        mended, halves = _HALF_PAIR.subn(rb"\1\\ufffd", mended, count=_HALF_PAIRS)
    if halves:
        notes = (*notes, f"Note: {halves} characters were cut in two by the API and are shown as \ufffd.")
    try:
        return AnswerContent(json=without_space(mended), notes=notes)
    except msgspec.DecodeError:
        return None
    except RecursionError:
        return deep_json(mended)


def _object_or_list(body: bytes, content_type: str) -> AnswerContent | None:
    """An object or a list under a type that is not JSON; None if it is something else."""
    named = row(essence(content_type))
    may_be = named.read in {"text", "binary"} and not named.is_stream and _OBJECT_OR_LIST.match(body)
    return _json(body, content_type) if may_be else None


def _require_utf8(body: bytes) -> None:
    """Raises UnicodeDecodeError. It decodes piece by piece, see `AnswerContent.content`."""
    if body.isascii():
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    for piece in short_pieces(body):
        decoder.decode(piece)
    decoder.decode(b"", final=True)


def _text_of_json(body: bytes, content_type: str) -> tuple[str | None, tuple[str, ...]]:
    """The text, and notes about how it was read; None if it is not text.

    JSON must be UTF-8 between systems (RFC 8259 section 8.1). An answer in another, undeclared charset is read in the
    charset that most such answers have, with a note.
    """
    declared = charsets.declared(content_type)
    for charset in (*(_readings(declared) if declared else ()), _by_first_bytes(body)):
        if (text := _text_in(charset, body)) is not None:
            return text, ()
    guessed = _text_in(_GUESS, body)
    return guessed, (f"Note: this is not the UTF-8 that JSON has to be; it was read as {_GUESS}, which is a guess.",)


def _text_in(charset: str, body: bytes) -> str | None:
    """The text; None if the body is invalid in the charset, or has characters that no text has."""
    codec = _codec(charset)
    try:
        text = None if codec is None else codec.decode(body, final=True).removeprefix("\ufeff")
    except UnicodeError:
        return None
    return None if text is None or "\0" in text else text


def _by_first_bytes(body: bytes) -> str:
    """The charset by a byte order mark, or by zeros beside a first ASCII character (RFC 4627 section 3); else UTF-8."""
    marked = next((charset for mark, charset in _MARKS if body.startswith(mark)), None)
    zeros = bytes(0xFF if octet >= ord("\t") else octet for octet in body[:4])
    return marked or _ZEROS.get(zeros) or _ZEROS.get(zeros[:2]) or "utf-8"


def _not_json(body: bytes, content_type: str, uri: str) -> AnswerContent:
    """An answer with the type of JSON that is something else: ``OK``, an identifier, two values, a picture."""
    text, notes = _text_of_json(body, content_type)
    said = f"Note: the API calls this {essence(content_type)[:_TYPE_SHOWN]}, but it is not JSON."
    if text is None:
        return msgspec.structs.replace(_binary(body, "application/octet-stream", uri), notes=(said,))
    return AnswerContent(text=text.encode(), notes=(said, *notes))


def deep_json(body: bytes) -> AnswerContent | None:
    """JSON that is nested too deep for the check (about 1,000 levels). It is shown as it came."""
    try:
        _require_utf8(body)
        return AnswerContent(text=body, notes=("Note: this JSON is nested too deeply to be checked.",))
    except UnicodeDecodeError:
        return None


def _untyped(response: HttpResponse, uri: str) -> AnswerContent:
    """Sniffs a body without a valid type, as RFC 9110 section 8.3 allows."""
    text = _text(response, "text/plain")
    if text is None:
        return _binary(response.body, "application/octet-stream", uri)
    return _json(response.body, "application/json") or text


def _binary(body: bytes, content_type: str, uri: str) -> AnswerContent:
    return AnswerContent(EmbeddedResource(BlobResource(uri=uri, mimeType=content_type, blob=body)))
