"""Hides credentials that an API repeats, for example in the address of its next page or in an error about a key. They
are the operator's, and neither clients nor models may read them.

Headers and the bodies of failures are searched. The body of a success is the requested data: for an API that shows a
caller its keys, there is REDACT.

A text is searched as it is, then without its escapes, then without the escapes of the result, and so on. So a
credential is found in any mixture of JSON, addresses and markup, however deep they are in one another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from html.entities import html5

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.bridge.results.redaction import HIDDEN

LEAST_CHARACTERS = 8
"""A shorter credential may be a word of any answer. Hiding it would reveal it by the missing word."""
SEARCHED_BYTES = 72 * 1024
"""Bytes of a failure's body that are searched: somewhat more than is read of one."""
_LEVELS = 5
"""Escapes within escapes that are looked through: a JSON text in a JSON text in an address, which a proxy escapes
twice."""
_UNESCAPED = re.compile("[A-Za-z0-9]*")
_OF_LETTERS = re.compile(r"%(?:25|u00){0,3}(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])|\\[xuU0-7]|&#")
"""Escapes of letters and digits, which hardly any writer makes."""
_ESCAPE = re.compile(
    rb"%(?P<octet>[0-9A-Fa-f]{2})|%u(?P<old>[0-9A-Fa-f]{4})"
    rb"|\\(?:x(?P<byte>[0-9A-Fa-f]{2})|(?P<octal>[0-3][0-7]{2})|u(?P<unit>[0-9A-Fa-f]{4})|u\{(?P<point>[0-9A-Fa-f]{1,6})\}"
    rb"|U(?P<long>[0-9A-Fa-f]{8})|(?P<sign>[\"'/\\])|(?P<control>[bfnrt]))"
    rb"|&(?:#[xX]0{0,6}(?P<hex>[0-9A-Fa-f]{1,6})|#0{0,6}(?P<decimal>[0-9]{1,7})|(?P<name>[A-Za-z][A-Za-z0-9]{1,31}));"
    rb"|(?P<pair>\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf])"
    rb"|\0"
)
"""A character as addresses, JSON, programming languages, HTML and XML may write it; the NUL is of UTF-16. Handlebars
writes ``&#x3D;`` for the ``=`` of base64, Go's templates ``&#43;`` for its ``+``. ``old`` is of JavaScript's `escape`,
``pair`` the two halves of a character beyond the first 65,536, which JSON escapes one by one. Each repetition has a
bound, so that a text is searched in linear time."""
_CHARSETS = (
    *(f"cp{number}" for number in (*range(1250, 1259), 874)),
    *(f"iso-8859-{number}" for number in (*range(1, 12), *range(13, 17))),
    *("koi8-r", "koi8-u", "shift_jis", "euc-jp", "euc-kr", "gb18030", "big5"),
    *("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"),
)
"""Charsets of bodies in which a credential outside ASCII may be written."""
_LONGEST = 256
"""Characters of a credential that is sought in other charsets than UTF-8. Longer ones are tokens and keys in ASCII, or
made up by a client to keep the server busy."""
_LOST = re.compile("[?\ufffd]")
"""The signs in place of a character that an API could not read."""


def without_secrets(answer: HttpResponse, secrets: tuple[str, ...]) -> HttpResponse:
    """The answer without the values of ``secrets``, in the spellings that addresses, JSON and pages have for them.

    If one is in a long body, only the part that was searched is left of it."""
    sought = _sought(secrets)
    if not sought:
        return answer
    reason, headers, body = answer.reason, answer.headers, answer.body
    head = "\n".join([reason, *[value for _, value in headers]])
    if any(piece in head for piece, _ in sought) or _OF_LETTERS.search(head):
        reason = _line(reason, sought)
        headers = tuple((name, _line(value, sought)) for name, value in headers)
    if answer.status >= 300 and body:
        searched = body[:SEARCHED_BYTES]
        left = concealed(searched, [each for _, each in sought])
        body = body if left == searched else left
    if (reason, headers) == (answer.reason, answer.headers) and body is answer.body:
        return answer
    return msgspec.structs.replace(answer, reason=reason, headers=headers, body=body)


def _line(text: str, sought: Iterable[tuple[str, str]]) -> str:
    return concealed(text.encode("latin-1"), [each for _, each in sought]).decode("latin-1")


@lru_cache(maxsize=32)
def _sought(secrets: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The secrets that are hidden, each after a piece that a header has if it has the secret. A number is not hidden:
    the JSON would be broken, and ids are numbers, too."""
    hidden = [each for each in secrets if len(each) >= LEAST_CHARACTERS and not each.replace(".", "").isdigit()]
    return tuple((max(_UNESCAPED.findall(each), key=len), each) for each in hidden)


def concealed(text: bytes, secrets: Iterable[str], mark: bytes = HIDDEN.encode()) -> bytes:
    """The text with ``mark`` in place of each secret, however it is spelt."""
    spelt = {form for secret in secrets for form in _spellings(secret)}
    levels, spans = [text], list[tuple[int, int]]()
    for _ in range(_LEVELS):
        plain = levels[-1]
        found = [(at, at + len(form)) for form in spelt if form in plain for at in _places(plain, form)]
        spans += _spans(levels, found) if found else ()
        levels.append(_ESCAPE.sub(_meant, plain))
        if levels[-1] == plain:  # mostly at once
            break
    kept, end = [], 0
    for first, last in sorted(spans):
        if first >= end:
            kept += [text[end:first], mark]
        end = max(end, last)
    return b"".join([*kept, text[end:]]) if kept else text


def _spans(levels: Iterable[bytes], found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Where places in the last level are in the first one."""
    for escaped in [*levels][-2::-1]:
        origins = _origins(escaped)
        found = [(origins[first], origins[last]) for first, last in found]
    return found


def _origins(text: bytes) -> list[int]:
    """Where each byte begins in the text that is left without its escapes, the end included."""
    origins: list[int] = []
    at = 0
    for found in _ESCAPE.finditer(text):
        if (meant := _meant(found)) != found[0]:
            origins += range(at, found.start())
            origins += [found.start()] * len(meant)
            at = found.end()
    origins += range(at, len(text) + 1)
    return origins


def _meant(escape: re.Match[bytes]) -> bytes:
    kind = escape.lastgroup
    return b"" if kind is None else _MEANINGS[kind](escape[kind]) or escape[0]


def _character(number: int) -> bytes:
    """Empty if there is none."""
    return chr(number).encode("utf-8", "surrogatepass") if number <= 0x10FFFF else b""


def _by_units(halves: bytes) -> bytes:
    """A character from its two halves of a pair, each in UTF-8."""
    return halves.decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass").decode("utf-16-le").encode()


_MEANINGS: Mapping[str, Callable[[bytes], bytes]] = {
    **dict.fromkeys(("octet", "byte"), lambda written: bytes([int(written, 16)])),
    "octal": lambda written: bytes([int(written, 8)]),
    **dict.fromkeys(("unit", "old", "point", "long", "hex"), lambda written: _character(int(written, 16))),
    "decimal": lambda written: _character(int(written)),
    "name": lambda written: html5.get(f"{written.decode()};", "").encode(),
    "sign": lambda written: written,
    "control": {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}.__getitem__,
    "pair": _by_units,
}
"""The characters of each kind of escape, in UTF-8 or as octets; empty if it means none."""


@lru_cache(maxsize=128)
def _spellings(secret: str) -> frozenset[bytes]:
    """The secret in bytes, before and after escapes of its own are read, as they would be in a text that has it."""
    forms = {form for text in _readings(secret) for form in _written(text)}
    forms |= {form.replace(b" ", b"+") for form in forms}
    for _ in range(_LEVELS):
        forms |= {_ESCAPE.sub(_meant, form) for form in forms}
    return frozenset(filter(None, forms))


def _readings(secret: str) -> Iterator[str]:
    """The secret, and what an API may have read in its place: one that takes UTF-8 for Latin-1, one that takes Latin-1
    for UTF-8, and one that knows ASCII alone."""
    yield secret
    if not secret.isascii() and len(secret) <= _LONGEST:
        octets = secret.encode("utf-8", "replace")
        wrong = [
            octets.decode(charset, errors) for charset in ("latin-1", "cp1252") for errors in ("replace", "ignore")
        ]
        wrong += [secret.encode("latin-1", "replace").decode("utf-8", "replace")]
        wrong += [octets.decode("ascii", "replace"), octets.decode("ascii", "replace").replace("\ufffd", "?")]
        wrong += [secret.encode("ascii", errors).decode() for errors in ("replace", "ignore")]
        yield from (each for each in wrong if len(_LOST.sub("", each)) >= LEAST_CHARACTERS)


def _written(text: str) -> Iterator[bytes]:
    """A text in the charsets of bodies; markup has references for the characters that its charset lacks."""
    yield text.encode("utf-8", "replace")
    yield text.encode("latin-1", "xmlcharrefreplace")  # as a header has it
    if not text.isascii() and len(text) <= _LONGEST:
        yield from (text.encode(charset, "xmlcharrefreplace") for charset in _CHARSETS)


def _places(plain: bytes, sought: bytes) -> Iterator[int]:
    start = plain.find(sought)
    while start >= 0:
        yield start
        start = plain.find(sought, start + len(sought))
