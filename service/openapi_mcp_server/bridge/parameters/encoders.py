"""One parameter to the text that carries it: a table of location and style, closed over at load.

Sources: the Parameter Object of OpenAPI 3.0.4, 3.1.1 and 3.2.0 with their style examples, RFC 6570 for expansion,
RFC 3986 for what a path and a query may hold, RFC 9110 for headers, RFC 6265 for cookies. `styles` says what lists
and objects become; this module says where the text goes and refuses what must not go there.

* path: one non-empty segment, never a dot segment however often it is decoded; no control characters.
* query: RFC 3986's unreserved characters stay, everything else is percent-encoded, brackets and names included.
* header: passed on unchanged (percent-encoding MUST NOT be applied), so it must be printable ASCII: RFC 9110 section
  5.5 leaves other octets without a meaning.
* cookie: style form is percent-encoded, pairs separated by ``; `` (``&`` would be one cookie; OpenAPI 3.2, appendix D);
  style cookie goes unchanged and must be cookie-octets already.
* querystring: the whole query, by its media type.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, assert_never

from openapi_mcp_server.bridge.bodies import forms
from openapi_mcp_server.bridge.media.exact_json import encode as encode_json
from openapi_mcp_server.bridge.media.types import is_form, is_json
from openapi_mcp_server.bridge.model import Encoder
from openapi_mcp_server.bridge.parameters import percent, styles
from openapi_mcp_server.bridge.parameters.styles import Escapes
from openapi_mcp_server.errors import ArgumentError, SpecError
from openapi_mcp_server.openapi.model import Location, MediaType, Parameter, Style

LIMITS: dict[Location, int] = {
    "path": 8 * 1024,  # what a server must at least take of a whole target (RFC 9110 section 4.1: 8,000 octets)
    "query": 32 * 1024,  # long filters are real; most servers stop at 8 to 64 KiB
    "querystring": 32 * 1024,
    "header": 8 * 1024,  # the line limit of nginx, Apache and Node
    "cookie": 4 * 1024,  # RFC 6265 section 6.1
}
"""Encoded octets of one parameter."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110 section 5.6.2."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DOT_SEGMENT = re.compile(r"(?:^|[/\\])\.{1,2}(?:[/\\;?#]|$)")
"""RFC 3986 section 5.2.4; backslashes and path parameters as lenient servers read them."""
_FIELD_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?|")
"""RFC 9110 section 5.5, without obs-text and tabs; white space around a value is not part of it."""
_COOKIE_VALUE = re.compile(r"[\x21\x23-\x2B\x2D-\x3A\x3C-\x5B\x5D-\x7E]*")
"""RFC 6265 section 4.1.1, cookie-octet."""

_NOT_SETTABLE = (
    (
        r"host|connection|content-length|transfer-encoding|te|trailer|upgrade|keep-alive|expect|http2-settings|proxy-.*",
        "it frames the message or governs the connection (RFC 9110 sections 6 and 7)",
    ),
    ("authorization|cookie|set-cookie", "credentials come from the settings, cookies from cookie parameters"),
    ("accept|accept-encoding|content-type", "it follows from the operation's media types"),
    ("forwarded|via|x-forwarded(-.*)?|x-real-ip|x-client-ip|true-client-ip", "it says who the client is"),
    (
        r"x-http-method(-override)?|x-method-override|x-original-url|x-original-uri|x-rewrite-url",
        "it would turn the operation into another",
    ),
)
"""Header names that no argument sets, and why. OpenAPI itself has Accept, Content-Type and Authorization ignored."""

_HEADER_DELIMITERS: dict[Style, str] = {"simple": ",", "spaceDelimited": " ", "pipeDelimited": "|"}
"""ssv and pipes of Swagger 2.0 beside the one style of 3.x; a tab (tsv) is white space that servers fold."""

Text = Callable[[Any], str]


def encoder(parameter: Parameter) -> Encoder:
    """How this parameter is written; see `Encoder` for what its text is in each location.

    Raises SpecError where the document asks for what is not defined or must not be set. The encoder raises
    ArgumentError with the parameter's location and name.
    """
    if not parameter.name and parameter.location != "querystring":
        raise SpecError(parameter.pointer, "a parameter needs a name")
    match parameter.location:
        case "path":
            return _encoder(parameter, _path_text(parameter), _require_one_segment)
        case "query":
            return _encoder(parameter, _query_text(parameter))
        case "querystring":
            return _encoder(parameter, _querystring_text(parameter))
        case "header":
            require_settable(parameter)
            return _encoder(parameter, _header_text(parameter), _require_field_value)
        case "cookie":
            return _encoder(parameter, _cookie_text(parameter))
        case unknown:
            assert_never(unknown)


def require_settable(header: Parameter) -> None:
    """Raise SpecError unless an argument may set this header."""
    if not _TOKEN.fullmatch(header.name):
        raise SpecError(header.pointer, f"{header.name!r} is no header name (RFC 9110 section 5.1)")
    for names, reason in _NOT_SETTABLE:
        if re.fullmatch(names, header.name.lower()):
            raise SpecError(header.pointer, f"the header {header.name} cannot be an argument: {reason}")


def is_field_value(text: str) -> bool:
    """Whether a header can carry this text."""
    return _FIELD_VALUE.fullmatch(text) is not None


def has_dot_segment(path: str) -> bool:
    """Whether any server could take a segment for ``.`` or ``..``. Raises ArgumentError if encoded too often."""
    return _DOT_SEGMENT.search(percent.fully_decoded(path)) is not None


def _encoder(parameter: Parameter, text: Text, require: Callable[[str], None] | None = None) -> Encoder:
    label = f"{parameter.location} parameter {parameter.name!r}"
    limit = LIMITS[parameter.location]

    def encode(value: object) -> str:
        try:
            written = text(value)
            _require_size(written, limit)
            if require is not None:
                require(written)
        except ArgumentError as error:
            raise ArgumentError(f"{label}: {error}") from error
        except UnicodeEncodeError as error:
            raise ArgumentError(f"{label}: holds half of a surrogate pair, which is no character") from error
        except RecursionError as error:
            raise ArgumentError(f"{label}: is nested too deeply") from error
        return written

    return encode


def _require_size(text: str, limit: int) -> None:
    if len(text) > limit:
        raise ArgumentError(f"takes {len(text):,} bytes; the limit is {limit:,}")


def _path_text(parameter: Parameter) -> Text:
    if parameter.content_type is not None:
        return _escaped(_content_text(parameter))
    explode = parameter.explode
    match parameter.style:
        case "simple":
            escapes = _path_escapes(parameter, percent.KEPT_IN_PATH)
            return lambda value: styles.joined(value, escapes, ",", explode=explode)
        case "label":
            escapes = _path_escapes(parameter, percent.KEPT_IN_PATH, styles.LABEL if explode else styles.URI)
            return lambda value: "." + styles.joined(value, escapes, "." if explode else ",", explode=explode)
        case "matrix":
            escapes = _path_escapes(parameter, percent.KEPT_IN_PATH.replace(";", ""))
            pairs = styles.expander(parameter.name, "form", escapes, explode=explode)
            return lambda value: "".join(f";{name}={text}" if text else f";{name}" for name, text in pairs(value))
        case "spaceDelimited" | "pipeDelimited":  # ssv and pipes of Swagger 2.0, which has them anywhere
            escapes = _path_escapes(parameter, percent.KEPT_IN_PATH)
            delimiter = percent.unreserved(styles.DELIMITERS[parameter.style])
            return lambda value: styles.joined(value, escapes, delimiter, explode=False)
        case _:
            raise _undefined(parameter)


def _path_escapes(parameter: Parameter, kept: str, otherwise: Escapes = styles.URI) -> Escapes:
    return styles.reserved(kept) if parameter.allow_reserved else otherwise


def _require_one_segment(text: str) -> None:
    if not text:
        raise ArgumentError("must not be empty: the path would lose a segment")
    decoded = percent.fully_decoded(text) if "%" in text else text
    if _DOT_SEGMENT.search(decoded):
        raise ArgumentError("must not be or hold a dot segment ('.' or '..'): it would name another path")
    if _CONTROL.search(decoded):
        raise ArgumentError("must not hold control characters")


def _query_text(parameter: Parameter) -> Text:
    name = percent.unreserved(parameter.name)
    if parameter.content_type is not None:
        content = _escaped(_content_text(parameter))
        return lambda value: f"{name}={content(value)}"
    if parameter.style not in styles.PAIR_STYLES or parameter.style == "cookie":
        raise _undefined(parameter)
    escapes = styles.reserved(percent.KEPT_IN_QUERY) if parameter.allow_reserved else styles.URI
    pairs = styles.expander(parameter.name, parameter.style, escapes, explode=parameter.explode)
    # allowEmptyValue: an empty value stands for a parameter that would be left out (an empty list or object)
    nothing = f"{name}=" if parameter.allow_empty_value and parameter.style == "form" else ""
    return lambda value: "&".join([f"{name}={text}" for name, text in pairs(value)]) or nothing


def _querystring_text(parameter: Parameter) -> Text:
    if parameter.content_type is None:
        raise SpecError(parameter.pointer, "a querystring parameter needs 'content'")
    content = _content_text(parameter)
    return content if is_form(parameter.content_type) else _escaped(content)


def _header_text(parameter: Parameter) -> Text:
    if parameter.content_type is not None:
        return _content_text(parameter)
    if parameter.style not in _HEADER_DELIMITERS:
        raise _undefined(parameter)
    delimiter = _HEADER_DELIMITERS[parameter.style]
    return lambda value: styles.joined(value, _HEADER, delimiter, explode=parameter.explode)


def _field_member(text: str) -> str:
    """White space around the members of a list is not part of them (RFC 9110 section 5.6.1)."""
    if text != text.strip():
        raise ArgumentError(f"{text[: styles.EXCERPT]!r} has white space around it, which a header loses")
    return text


_HEADER = Escapes(styles.unchanged, styles.unchanged, _field_member)


def _require_field_value(text: str) -> None:
    if not is_field_value(text):
        raise ArgumentError(
            "must be printable ASCII without white space around it; encode anything else as the API says"
        )


def _cookie_text(parameter: Parameter) -> Text:
    if parameter.style not in {"form", "cookie"} and parameter.content_type is None:
        raise _undefined(parameter)
    if parameter.content_type is not None:
        name, escape = percent.unreserved(parameter.name), _cookie_escape(parameter.content_type)
        content = _content_text(parameter)
        return lambda value: f"{name}={escape(content(value))}"
    if parameter.style == "cookie" and not _TOKEN.fullmatch(parameter.name):
        raise SpecError(parameter.pointer, f"{parameter.name!r} is no cookie name (RFC 6265 section 4.1.1)")
    pairs = styles.expander(parameter.name, parameter.style, _cookie_escapes(parameter), explode=parameter.explode)
    return lambda value: "; ".join([f"{name}={text}" for name, text in pairs(value)])


def _cookie_escapes(parameter: Parameter) -> Escapes:
    if parameter.style == "cookie":
        return Escapes(_cookie_name, _cookie_octets, _cookie_octets)
    return styles.reserved(percent.KEPT_IN_COOKIE) if parameter.allow_reserved else styles.URI


def _cookie_escape(content_type: str) -> percent.Escape:
    """Plain text is for values that must not be encoded (OpenAPI 3.2, appendix D); JSON could not go otherwise."""
    return _cookie_octets if content_type.startswith("text/") else percent.unreserved


def _cookie_octets(text: str) -> str:
    if not _COOKIE_VALUE.fullmatch(text):
        raise ArgumentError(
            f"{text[: styles.EXCERPT]!r} holds what no cookie may (space, quotes, comma, semicolon); percent-encode it"
        )
    return text


def _cookie_name(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ArgumentError(f"{text[: styles.EXCERPT]!r} is no cookie name (RFC 6265 section 4.1.1)")
    return text


def _content_text(parameter: Parameter) -> Text:
    """A value by its media type (``content``): JSON, a form, or text that is passed on as it is."""
    content_type = parameter.content_type or ""
    if is_json(content_type):
        return lambda value: encode_json(value).decode()
    if is_form(content_type):
        fields = forms.fields(_form_of(parameter))
        return lambda value: forms.text(value, fields)

    def plain(value: object) -> str:
        if isinstance(value, list | dict):
            raise ArgumentError(f"must be text in the format {content_type}")
        return "" if value is None else styles.spell(value)

    return plain


def _form_of(parameter: Parameter) -> MediaType:
    name = parameter.content_type or ""
    return MediaType(pointer=parameter.pointer, name=name, schema=parameter.schema, encoding=parameter.encoding)


def _escaped(text: Text) -> Text:
    return lambda value: percent.unreserved(text(value))


def _undefined(parameter: Parameter) -> SpecError:
    return SpecError(parameter.pointer, f"style {parameter.style} is not defined for {parameter.location} parameters")
