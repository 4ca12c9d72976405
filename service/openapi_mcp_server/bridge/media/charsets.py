"""Known character sets of media types, and bodies written in them.

JSON has none: it is UTF-8 between systems, and by RFC 8259 (sections 8.1 and 11) a ``charset`` beside it has no
meaning. Some readers use it nevertheless. So characters outside ASCII are escaped, which both kinds of readers
understand.
"""

from __future__ import annotations

import codecs
import re
from urllib.parse import quote, unquote_to_bytes

KNOWN = re.compile(
    r"us-ascii|ascii|utf-?8|utf-?(16|32)|utf-(16|32)(le|be)|iso-?8859-\d{1,2}|latin-?1|(windows-|cp)125\d|cp874|cp932|"
    r"koi8-[ru]|macintosh|shift[-_]jis|sjis|euc-(jp|kr)|iso-2022-(jp|kr)|gb2312|gbk|gb18030|big5(-hkscs)?|tis-620"
)
"""Character sets that an API may declare. Python has more, some of them slow enough to stop a server (punycode)."""
WIDE = ("utf-16", "utf16", "utf-32", "utf32")
"""The beginnings of charsets that do not contain ASCII."""
_UTF8 = frozenset({"", "utf-8", "utf8"})
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_OTHER_OCTETS = re.compile(r"(?:%[89A-F][0-9A-F])+")


def declared(content_type: str) -> str:
    """The ``charset`` of a media type in lower case; empty if it has none."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'").lower()
    return ""


def is_known(charset: str) -> bool:
    if KNOWN.fullmatch(charset) is None:
        return False
    try:
        codecs.lookup(charset)
    except LookupError:  # iso-8859-12 was never made
        return False
    return True


def of_text(content_type: str) -> str:
    """The charset of a file of text that is given as text."""
    named = declared(content_type)
    return named if is_known(named) else "utf-8"


def is_utf8(charset: str) -> bool:
    """Whether a body is written as without a charset."""
    return charset in _UTF8


def json_in(charset: str, json: bytes) -> bytes:
    """A JSON text with the same meaning for readers that use the charset and for those that ignore it. In UTF-16 and
    UTF-32 there is no such text, and the charset decides."""
    if charset.startswith(WIDE) and is_known(charset):
        return json.decode().encode(charset)
    return json if json.isascii() else _NOT_ASCII.sub(_escape, json.decode()).encode("ascii")


def form_in(charset: str, form: str) -> str:
    """A form with its percent-encoded UTF-8 changed to another charset, which readers of forms use if it is declared.
    Nothing is percent-encoded in UTF-16 or UTF-32 (WHATWG Encoding Standard, "get an output encoding").

    Raises UnicodeEncodeError for characters that the charset does not have.
    """
    return form if charset.startswith(WIDE) else _OTHER_OCTETS.sub(lambda found: _recoded(charset, found[0]), form)


def _recoded(charset: str, octets: str) -> str:
    try:
        text = unquote_to_bytes(octets).decode()
    except UnicodeDecodeError:  # percent-encoded by the caller; allowReserved leaves it unchanged
        return octets
    return quote(text.encode(charset), safe="")


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
