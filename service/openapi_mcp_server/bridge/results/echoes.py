"""Hides credentials that an API repeats, for example in the address of its next page or in an error about a key. They
are the operator's, and neither clients nor models may read them.

Headers and the bodies of failures are searched. The body of a success is the requested data: for an API that shows a
caller its keys, there is REDACT.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.bridge.results.redaction import HIDDEN

LEAST_CHARACTERS = 8
"""A shorter credential may be a word of any answer. Hiding it would reveal it by the missing word."""
SEARCHED_BYTES = 72 * 1024
"""Bytes of a failure's body that are searched: somewhat more than is read of one."""
_UNESCAPED = re.compile("[A-Za-z0-9]*")
_ESCAPE = re.compile(
    rb"%(?:25){0,3}(?P<octet>[0-9A-Fa-f]{2})"
    rb"|\\{1,4}(?:u(?P<unit>[0-9A-Fa-f]{4})|x(?P<byte>[0-9A-Fa-f]{2})|(?P<sign>[\"'/\\]))"
    rb"|&(?:amp;){0,3}(?:#[xX]0{0,6}(?P<hex>[0-9A-Fa-f]{1,5})|#0{0,6}(?P<decimal>[0-9]{1,6})|(?P<name>amp|lt|gt|quot|apos));"
    rb"|\0"
)
"""A character as addresses, JSON, HTML and XML may write it, also within one another; the NUL is of UTF-16. Handlebars
writes ``&#x3D;`` for the ``=`` of base64, Go's templates ``&#43;`` for its ``+``. Each repetition has a bound, so that
a text is searched in linear time."""
_NAMED = {b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'"}


def without_secrets(answer: HttpResponse, secrets: tuple[str, ...]) -> HttpResponse:
    """The answer without the values of ``secrets``, in the spellings that addresses, JSON and pages have for them.

    If one is in a long body, only the part that was searched is left of it."""
    sought = _sought(secrets)
    if not sought:
        return answer
    reason, headers, body = answer.reason, answer.headers, answer.body
    head = "\n".join([reason, *[value for _, value in headers]])
    if any(piece in head for piece, _ in sought):
        reason = _line(reason, sought)
        headers = tuple((name, _line(value, sought)) for name, value in headers)
    if answer.status >= 300 and body:
        searched = body[:SEARCHED_BYTES]
        left = concealed(searched, [each for _, each in sought])
        body = body if left == searched else left
    if (reason, headers) == (answer.reason, answer.headers) and body is answer.body:
        return answer
    return msgspec.structs.replace(answer, reason=reason, headers=headers, body=body)


def _line(text: str, sought: Iterable[tuple[str, bytes]]) -> str:
    return concealed(text.encode("latin-1"), [each for _, each in sought]).decode("latin-1")


@lru_cache(maxsize=32)
def _sought(secrets: tuple[str, ...]) -> tuple[tuple[str, bytes], ...]:
    """The secrets that are hidden, each after a piece that a header has if it has the secret. A number is not hidden:
    the JSON would be broken, and ids are numbers, too."""
    hidden = [each for each in secrets if len(each) >= LEAST_CHARACTERS and not each.replace(".", "").isdigit()]
    return tuple((max(_UNESCAPED.findall(each), key=len), each.encode()) for each in hidden)


def concealed(text: bytes, secrets: Iterable[bytes], mark: bytes = HIDDEN.encode()) -> bytes:
    """The text with ``mark`` in place of each secret, however it is spelt."""
    plain = _plain(text)
    spelt = {_plain(each) for secret in secrets for each in (secret, secret.replace(b" ", b"+"))}
    found = [each for each in spelt if each and each in plain]
    if not found:  # as nearly always
        return text
    origins = _origins(text)
    spans = sorted(
        (origins[start], origins[start + len(sought)]) for sought in found for start in _places(plain, sought)
    )
    kept, at = [], 0
    for start, end in spans:
        if start >= at:
            kept += [text[at:start], mark]
        at = max(at, end)
    return b"".join([*kept, text[at:]])


def _plain(text: bytes) -> bytes:
    """The text without escapes."""
    return _ESCAPE.sub(_meant, text)


def _origins(text: bytes) -> list[int]:
    """Where each byte of `_plain` begins in the text, the end included."""
    origins: list[int] = []
    at = 0
    for found in _ESCAPE.finditer(text):
        origins += range(at, found.start())
        origins += [found.start()] * len(_meant(found))
        at = found.end()
    origins += range(at, len(text) + 1)
    return origins


def _meant(escape: re.Match[bytes]) -> bytes:
    kind, written = escape.lastgroup, escape[escape.lastgroup or 0]
    match kind:
        case "octet":
            return bytes([int(written, 16)])
        case "unit" | "byte" | "hex":
            return chr(int(written, 16)).encode("utf-8", "surrogatepass")
        case "decimal":
            return chr(int(written)).encode("utf-8", "surrogatepass")
        case "name":
            return _NAMED[written]
        case "sign":
            return written
        case _:
            return b""


def _places(plain: bytes, sought: bytes) -> Iterable[int]:
    start = plain.find(sought)
    while start >= 0:
        yield start
        start = plain.find(sought, start + len(sought))
