"""Makes the function that writes one parameter, at load, from its location and style.

Sources: the Parameter Object of OpenAPI 3.0.4, 3.1.1 and 3.2.0 with their style examples, RFC 6570 for expansion, RFC
3986 for paths and queries, RFC 9110 for headers, RFC 6265 for cookies. `table` has the form of lists and objects for
each place and style; this module refuses values that must not go there.

* path: one non-empty segment, or several where the parameter may span them; never a dot segment however often it is
  decoded; no control characters.
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
from typing import assert_never

import msgspec

from openapi_mcp_server.bridge import sizes
from openapi_mcp_server.bridge.bodies import forms
from openapi_mcp_server.bridge.media import charsets
from openapi_mcp_server.bridge.media.exact_json import encode as encode_json
from openapi_mcp_server.bridge.media.table import is_form, is_json, row
from openapi_mcp_server.bridge.model import Deferred, Encoder
from openapi_mcp_server.bridge.parameters import percent, styles, table
from openapi_mcp_server.bridge.parameters.table import Styled, Text
from openapi_mcp_server.errors import ArgumentError, SpecError
from openapi_mcp_server.grammar import as_variable, essence, has_dot_segment, is_field_value, is_token
from openapi_mcp_server.openapi.model import Location, MediaType, Parameter, Schema

LIMITS: dict[Location, int] = {
    "path": 8 * 1024,  # the least that a server must accept of a whole target (RFC 9110 section 4.1: 8,000 octets)
    "query": 32 * 1024,  # long filters are real; most servers stop at 8 to 64 KiB
    "querystring": 32 * 1024,
    "header": 8 * 1024,  # the line limit of nginx, Apache and Node
    "cookie": 4 * 1024,  # RFC 6265 section 6.1
}
"""The most encoded octets of one parameter."""

_ANY = Schema(msgspec.Raw(b"{}"))
"""Replaces a parameter's own schema, which does not affect how it is written."""
_ANY_TYPE = frozenset({"*/*", "application/*"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TABS: dict[Location, str] = {"path": "%09", "header": "\t"}
"""Tabs are refused in these places, except as separators of a list of the collection format tsv."""

_NOT_SETTABLE = (
    (
        re.compile(
            r"host|connection|content-length|transfer-encoding|te|trailer|upgrade|keep-alive|expect|http2-settings|proxy-.*"
        ),
        "it frames the message or governs the connection (RFC 9110 sections 6 and 7)",
    ),
    (
        re.compile("authorization|cookie|set-cookie"),
        "credentials come from the settings, cookies from cookie parameters",
    ),
    (re.compile("accept|accept-encoding|content-type"), "it follows from the operation's media types"),
    (re.compile("content-encoding"), "bodies are sent as they are, without a coding"),
    (
        re.compile(
            r"forwarded|via|x-(original-)?forwarded(-.*)?|x-real-ip|x-client-ip|x-cluster-client-ip|true-client-ip"
            r"|cf-connecting-ip(v6)?|fastly-client-ip"
        ),
        "it says who the client is",
    ),
)
"""Header names that no argument sets, with reasons: each request has them anyway, or a model has no use for them.
OpenAPI itself ignores Accept, Content-Type and Authorization."""
_OTHER_OPERATION = re.compile(
    r"x-http-method(-override)?|x-method-override|x-original-url|x-original-uri|x-rewrite-url"
)
"""Header names that change the operation, or without which it may be another one."""


def encoder(parameter: Parameter) -> Encoder:
    """The writer of this parameter; see `Encoder` for its text in each location.

    Raises SpecError if the document requires something that is not defined or must not be set. The encoder raises
    ArgumentError with the parameter's location and name.
    """
    if not parameter.name and parameter.location != "querystring":
        raise SpecError(parameter.pointer, "a parameter needs a name")
    match parameter.location:
        case "path":
            return _encoder(parameter, _path_text(parameter), _require_segments)
        case "query":
            return _encoder(parameter, _query_text(parameter))
        case "querystring":
            return _encoder(parameter, _querystring_text(parameter))
        case "header":
            if problem := unsettable(parameter):
                raise SpecError(parameter.pointer, problem)
            return _encoder(parameter, _header_text(parameter), _require_field_value)
        case "cookie":
            return _encoder(parameter, _cookie_text(parameter))
        case unknown:
            assert_never(unknown)


def deferred(parameter: Parameter) -> Encoder:
    """The writer, which is made at the first call. Raises SpecError now."""
    encoder(parameter)
    return Deferred(encoder, msgspec.structs.replace(parameter, schema=_ANY, description="", examples=()))


def unsettable(header: Parameter) -> str:
    """The reason why this header is left out of every request; empty if an argument may set it.

    Raises SpecError for a header without which it would be another operation.
    """
    name = header.name.lower()
    if not is_token(name):
        raise SpecError(header.pointer, f"{header.name!r} is no header name (RFC 9110 section 5.1)")
    name = as_variable(name)
    if _OTHER_OPERATION.fullmatch(name):
        problem = f"the header {header.name} cannot be an argument: it would turn the operation into another"
        raise SpecError(header.pointer, problem)
    reason = next((why for names, why in _NOT_SETTABLE if names.fullmatch(name)), "")
    return reason and f"the header {header.name} cannot be an argument: {reason}"


def _encoder(parameter: Parameter, text: Text, require: Callable[[str], None] | None = None) -> Encoder:
    label = f"{parameter.location} parameter {parameter.name!r}"
    limit = LIMITS[parameter.location]
    delimits = _TABS.get(parameter.location) if parameter.style == "tsv" else None

    def encode(value: object) -> str:
        try:
            if isinstance(value, str | list | dict) and sizes.exceeds(value, 2 * limit):
                raise ArgumentError(f"takes more than {2 * limit:,} bytes; the limit is {limit:,}")  # noqa: TRY301
            written = text(value)
            sizes.require(len(written), limit)
            if require is not None:
                require(written if delimits is None else written.replace(delimits, "-"))
        except ArgumentError as error:
            raise ArgumentError(f"{label}: {error}") from error
        except UnicodeEncodeError as error:
            raise ArgumentError(f"{label}: holds half of a surrogate pair, which is no character") from error
        except RecursionError as error:
            raise ArgumentError(f"{label}: is nested too deeply") from error
        return written

    return encode


def _styled_text(parameter: Parameter, location: table.Place) -> Text:
    if not table.is_defined(location, parameter.style):
        problem = f"style {parameter.style} is not defined for {location} parameters"
        raise SpecError(parameter.pointer, problem)
    return table.text(
        location,
        Styled(
            name=parameter.name,
            style=parameter.style,
            explode=parameter.explode,
            allow_reserved=parameter.allow_reserved,
            inner=parameter.inner,
            spans_segments=parameter.spans_segments,
        ),
    )


def _path_text(parameter: Parameter) -> Text:
    if parameter.content_type is not None:
        return _escaped(_content_text(parameter))
    return _styled_text(parameter, "path")


def _require_segments(text: str) -> None:
    """Requires valid segments between slashes; only a parameter that spans segments has slashes."""
    if not text:
        raise ArgumentError("must not be empty: the path would lose a segment")
    if not all(text.split("/")):
        raise ArgumentError("must not begin or end with a slash, nor hold two together: a segment would be empty")
    decoded = percent.fully_decoded(text) if "%" in text else text
    if has_dot_segment(decoded):
        raise ArgumentError("must not be or hold a dot segment ('.' or '..'): it would name another path")
    if _CONTROL.search(decoded):
        raise ArgumentError("must not hold control characters")


def _query_text(parameter: Parameter) -> Text:
    name = percent.unreserved(parameter.name)
    if parameter.content_type is not None:
        content = _escaped(_content_text(parameter))
        return lambda value: f"{name}={content(value)}"
    text = _styled_text(parameter, "query")
    # allowEmptyValue: an empty value stands for a parameter that would be left out (an empty list or object)
    nothing = f"{name}=" if parameter.allow_empty_value and parameter.style == "form" else ""
    return (lambda value: text(value) or nothing) if nothing else text


def _querystring_text(parameter: Parameter) -> Text:
    if parameter.content_type is None:
        raise SpecError(parameter.pointer, "a querystring parameter needs 'content'")
    content = _content_text(parameter)
    return content if is_form(parameter.content_type) else _escaped(content)


def _header_text(parameter: Parameter) -> Text:
    if parameter.content_type is not None and is_json(parameter.content_type):
        return lambda value: charsets.json_in("us-ascii", encode_json(value)).decode("ascii")
    if parameter.content_type is not None:
        return _content_text(parameter)
    return _styled_text(parameter, "header")


def _require_field_value(text: str) -> None:
    if not is_field_value(text):
        raise ArgumentError(
            "must be printable ASCII without white space around it; encode anything else as the API says"
        )


def _cookie_text(parameter: Parameter) -> Text:
    if parameter.content_type is not None:
        name, content = percent.unreserved(parameter.name), _content_text(parameter)
        # Plain text is for values that must not be encoded (OpenAPI 3.2, appendix D); JSON could not go otherwise.
        escape = table.cookie_octets if parameter.content_type.startswith("text/") else percent.unreserved
        return lambda value: f"{name}={escape(content(value))}"
    if parameter.style == "cookie" and not is_token(parameter.name):
        raise SpecError(parameter.pointer, f"{parameter.name!r} is no cookie name (RFC 6265 section 4.1.1)")
    return _styled_text(parameter, "cookie")


def _content_text(parameter: Parameter) -> Text:
    """The writer of a value with a media type (``content``): JSON, a form, or text that is passed on as it is."""
    content_type = parameter.content_type or ""
    if is_json(content_type):
        return lambda value: encode_json(value).decode()
    if is_form(content_type):
        fields = forms.fields(_form_of(parameter))
        return lambda value: forms.text(value, fields)

    def plain(value: object) -> str:
        if isinstance(value, list | dict):
            if not carries_values(content_type):
                raise ArgumentError(f"must be text in the format {content_type}")
            return encode_json(value).decode()
        return "" if value is None else styles.spell(value)

    return plain


def carries_values(content_type: str) -> bool:
    """Whether a parameter of this media type may be an object or a list, which is JSON as text or as any type. A model
    writes the text of other types (XML, CSV)."""
    name = essence(content_type)
    return name in _ANY_TYPE or row(name).written in {"json", "form", "text"}


def _form_of(parameter: Parameter) -> MediaType:
    name = parameter.content_type or ""
    return MediaType(pointer=parameter.pointer, name=name, schema=parameter.schema, encoding=parameter.encoding)


def _escaped(text: Text) -> Text:
    return lambda value: percent.unreserved(text(value))
