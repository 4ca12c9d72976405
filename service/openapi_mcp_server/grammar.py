"""The grammar that several rooms need: HTTP's tokens, field values and cookies, segments that lead upwards, variables
of paths, and strings of JSON.

Every pattern here is linear in its text.
"""

from __future__ import annotations

import re
from functools import lru_cache

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - no secret
"""RFC 9110 section 5.6.2: a method, the name of a header or a cookie, either half of a media type."""

is_token = re.compile(TOKEN).fullmatch
is_field_value = re.compile(r"[!-~](?:[ -~]*[!-~])?|").fullmatch
"""RFC 9110 section 5.5 without obs-text and tabs; white space around a value is not part of it."""
is_obsolete_field_value = re.compile(r"[!-~\x80-\xff]+(?:[ \t]+[!-~\x80-\xff]+)*").fullmatch
"""The same with obs-text and tabs, which senders ought not to make: for the operator's own credentials alone."""

FIELD_NAME = TOKEN.encode() + b"+"
"""`TOKEN` in bytes, of which nothing is given back, for patterns of whole heads."""
_FIELD = re.compile(rb"(?<![^\n])([^:\r\n]++):([^\r\n]*+)\r\n")
is_cookie_value = re.compile(r"[!#-+\--:<-\[\]-~]*").fullmatch
"""RFC 6265 section 4.1.1, cookie-octet."""


def as_variable(name: str) -> str:
    """Equal for names of headers of which CGI makes one variable (RFC 3875 section 4.1.18), and so do WSGI and PHP: to
    them ``X_Api_Key`` is ``X-Api-Key``."""
    return name.lower().replace("_", "-")


def any_number_of(pattern: str) -> str:
    """A pattern for any number of these, of which none is given back. Until a match ends, Python keeps 60 to 150 bytes
    for each repetition of a group: 1 GB for 10 MB of white space. It keeps nothing for a thousand that are a match by
    themselves."""
    return rf"(?>(?:(?>(?:{pattern}){{1,1000}}))*)"


IN_STRING = any_number_of(r'[^"\\]++|\\.')
"""The inside of a string of JSON (with `re.DOTALL`)."""

is_xml_name = re.compile(r"[^\W\d][\w.-]*(:[^\W\d][\w.-]*)?").fullmatch
"""XML 1.0 section 2.3 and Namespaces in XML section 4, nearly: nothing here can end a tag."""

_SEPARATOR = r"/\\\uff0f\uff3c"
_DOT = r"\.\uff0e\u2024"
has_dot_segment = re.compile(rf"(?:^|[{_SEPARATOR}])(?:[{_DOT}]{{1,2}}|\u2025)[ \t]*(?:[{_SEPARATOR};?#]|$)").search
"""Whether a decoded path has a segment that some server takes for ``.`` or ``..`` (RFC 3986 section 5.2.4).

Lenient servers read backslashes as slashes and drop path parameters; Windows drops spaces at a segment's end; code
pages without fullwidth forms and dot leaders turn them into dots and slashes (Microsoft's "best fit").
"""


VARIABLE = re.compile(r"\{([^{}]*)\}")
"""A variable of a path or of a server's address (Paths Object, Server Object), with its name."""
ROUTE_VARIABLE = re.compile(r"\{(?P<name>[^{}:=]*)(?P<rest>[:=](?:[^{}]|\{[^{}]*\})*)?\}")
"""A variable as frameworks write it in their routes: with a type, a mark, a pattern that may have braces of its own."""
_MARKS = re.compile(r"[-_*?.+; ]")


def plain_route(path: str) -> str:
    """Equal for paths whose variables are one, however frameworks write them."""
    return ROUTE_VARIABLE.sub(lambda found: "{" + _MARKS.sub("", found["name"]) + "}", path)


@lru_cache(1_024)
def essence(content_type: str) -> str:
    """``Text/HTML; charset=utf-8`` → ``text/html``."""
    return content_type.partition(";")[0].strip().lower()


def head_fields(block: bytes) -> list[tuple[bytes, bytes]]:
    """The fields of a head whose lines are known to be whole: names in lower case, values without white space."""
    return [(name.lower(), value.strip(b" \t")) for name, value in _FIELD.findall(block)]
