"""An answer's body as what a model can take: exact JSON, text in a valid charset, media, or base64 with its type.

Nothing is sniffed but a body whose type is not stated, and nothing is ever shown in a charset it is not valid in.
"""

from __future__ import annotations

import base64
import codecs
import re
from typing import assert_never
from urllib.parse import quote

import msgspec

from openapi_mcp_server.bridge.media.table import essence, row
from openapi_mcp_server.bridge.model import HttpResponse
from openapi_mcp_server.mcp.messages import (
    AudioContent,
    BlobResource,
    Content,
    EmbeddedResource,
    ImageContent,
    TextContent,
)

ANSWER_LIMIT = 10 * 1024 * 1024
"""Decoded bytes of an answer that are read at most: more than a model can use, little enough to hold for 100 calls."""

_CHARSETS = re.compile(
    r"us-ascii|ascii|utf-?8|utf-?(16|32)|utf-(16|32)(le|be)|iso-?8859-\d{1,2}|latin-?1|(windows-|cp)125\d|cp874|cp932|"
    r"koi8-[ru]|macintosh|shift[-_]jis|sjis|euc-(jp|kr)|iso-2022-(jp|kr)|gb2312|gbk|gb18030|big5(-hkscs)?|tis-620"
)
"""Character sets an API may declare. Python knows more, some of them slow enough to stop a server (punycode)."""
_XML_DECLARATION = re.compile(rb"""<\?xml [^<>]{0,100}?encoding=["']([A-Za-z0-9._-]{1,40})["']""")
_HALF_PAIR = re.compile(
    rb"(?<!\\)((?:\\\\)*)\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F][0-9a-fA-F]{2})"
)
"""The escape of half a surrogate pair that stands alone, after any escaped backslashes."""


class Body(msgspec.Struct, frozen=True, gc=False):
    """A body as content. ``json`` is the same as compact JSON where it is JSON; ``notes`` what has to be said of it.

    ``filtered``: it is what the model's filter made of the answer, which no schema describes.
    """

    content: Content
    json: bytes | None = None
    notes: tuple[str, ...] = ()
    filtered: bool = False


class MalformedBody(msgspec.Struct, frozen=True):
    """The body is not what its type says; ``problem`` in words."""

    problem: str


def read(response: HttpResponse, uri: str) -> Body | MalformedBody:
    """The body of an answer as content; ``uri`` names it where it has to be an embedded resource.

    This is the one place where an answer's size meets a limit of its own; today that is `ANSWER_LIMIT`, which the
    edge applies while it reads.
    """
    content_type = response.header("content-type")
    if content_type is None:
        return _untyped(response, uri)
    media_type = essence(content_type)
    match row(media_type).read:
        case "json":
            return _json(response.body, content_type)
        case "text":
            text = decode(response, content_type)
            return _binary(response.body, content_type, uri) if text is None else Body(TextContent(text))
        case "image":
            return Body(ImageContent(_base64(response.body), media_type))
        case "audio":
            return Body(AudioContent(_base64(response.body), media_type))
        case "binary":
            return _binary(response.body, content_type, uri)
        case unknown:
            assert_never(unknown)


def resource_uri(api: str, tool: str) -> str:
    """A name for an answer that is a resource. It is of our own making: nothing can be read by it later."""
    return f"openapi://{quote(api, safe='')}/{quote(tool, safe='')}"


def decode(response: HttpResponse, content_type: str) -> str | None:
    """The body as text in its declared charset, else UTF-8; None if it is not valid in it or holds NUL.

    Of a body that was cut, an incomplete last character is left out.
    """
    body = response.body
    name = _charset(content_type)
    if name is None and (declared := _XML_DECLARATION.match(body)):
        name = declared[1].decode("ascii").lower()
    codec = _codec(name or "utf-8")
    if codec is None:
        return None
    try:
        text = codec.decode(body, final=response.cut is None)
    except UnicodeError:
        return None
    return None if "\0" in text else text.removeprefix("\ufeff")


def _charset(content_type: str) -> str | None:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'").lower()
    return None


def _codec(charset: str) -> codecs.IncrementalDecoder | None:
    if _CHARSETS.fullmatch(charset) is None:
        return None
    try:
        return codecs.getincrementaldecoder(charset)()
    except LookupError:  # iso-8859-12 was never made
        return None


def _json(body: bytes, content_type: str) -> Body | MalformedBody:
    """Compact JSON, with every number and string spelt as the API spelt it."""
    try:
        compact = msgspec.json.format(body, indent=-1)
        return Body(TextContent(compact.decode()), compact)
    except msgspec.DecodeError as error:
        return _mended_json(body, content_type, str(error))
    except UnicodeDecodeError:
        return _mended_json(body, content_type, "it is not valid UTF-8")
    except RecursionError:
        return _deep_json(body)


def _mended_json(body: bytes, content_type: str, problem: str) -> Body | MalformedBody:
    """JSON with a byte order mark, in a declared charset, or with halves of surrogate pairs; else what is wrong.

    RFC 8259 lets a reader ignore a byte order mark (section 8.1). Half a pair is a character cut in two by the API
    (section 8.2): it costs that character, not the answer.
    """
    notes: tuple[str, ...] = ()
    codec = _codec(_charset(content_type) or "utf-8")
    try:
        mended = body if codec is None else codec.decode(body, final=True).removeprefix("\ufeff").encode()
        mended, halves = _HALF_PAIR.subn(rb"\1\\ufffd", mended)
        if halves:
            notes = (f"Note: {halves} characters were cut in two by the API and are shown as \ufffd.",)
        compact = msgspec.json.format(mended, indent=-1)
        return Body(TextContent(compact.decode()), compact, notes)
    except (msgspec.DecodeError, UnicodeError):
        return MalformedBody(problem)
    except RecursionError:
        return _deep_json(body)


def _deep_json(body: bytes) -> Body | MalformedBody:
    """Nested deeper than can be checked (about 1,000): shown as it came."""
    try:
        return Body(TextContent(body.decode()), notes=("Note: this JSON is nested too deeply to be checked.",))
    except UnicodeDecodeError:
        return MalformedBody("it is nested too deeply, and not valid UTF-8")


def _untyped(response: HttpResponse, uri: str) -> Body | MalformedBody:
    """A recipient may look for itself where no type is stated (RFC 9110 section 8.3)."""
    read_as_json = _json(response.body, "application/json")
    if isinstance(read_as_json, Body):
        return read_as_json
    text = decode(response, "text/plain")
    return _binary(response.body, "application/octet-stream", uri) if text is None else Body(TextContent(text))


def _binary(body: bytes, content_type: str, uri: str) -> Body:
    return Body(EmbeddedResource(BlobResource(uri=uri, mimeType=content_type, blob=_base64(body))))


def _base64(body: bytes) -> str:
    return base64.b64encode(body).decode("ascii")
