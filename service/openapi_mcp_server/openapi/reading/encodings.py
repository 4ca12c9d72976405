"""Encoding Objects: how the parts of a form or a multipart body are written, in bodies and in parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from openapi_mcp_server.openapi.model import Encoding, Parameter, Style
from openapi_mcp_server.openapi.notes import Notes
from openapi_mcp_server.openapi.reading.objects import (
    EncodingObject,
    Encodings,
    Text,
    as_known,
    is_there,
    reader_or_empty,
    written,
)
from openapi_mcp_server.openapi.references.resolve import Located

FORM_STYLES: tuple[Style, ...] = ("form", "spaceDelimited", "pipeDelimited", "deepObject")
"""The styles of query parameters, and of the parts of a form, which are written like these (Encoding Object,
``style``); the default first."""
_encoding = reader_or_empty(EncodingObject)

ReadHeader = Callable[[Located, str], Parameter]
"""Reads a Header Object, whose name is its key."""


class EncodingReader:
    """Reads the encodings of a Media Type Object or an Encoding Object. Raises SpecError."""

    def __init__(self, header: ReadHeader, notes: Notes) -> None:
        self._header = header
        self._notes = notes

    def by_name(self, at: Located, declared: Encodings) -> dict[str, Encoding]:
        members = (declared.encoding or {}).items()
        return {name: self._read(at.member(value, "encoding", name)) for name, value in members}

    def by_position(self, at: Located, declared: Encodings) -> tuple[Encoding, ...]:
        members = enumerate(declared.prefix_encoding or ())
        return tuple(self._read(at.member(value, "prefixEncoding", index)) for index, value in members)

    def of_the_rest(self, at: Located, declared: Encodings) -> Encoding | None:
        value = declared.item_encoding
        return self._read(at.member(value, "itemEncoding")) if is_there(value) else None

    def _read(self, at: Located) -> Encoding:
        declared = _encoding(at)
        headers = (declared.headers or {}).items()
        return Encoding(
            content_type=None if declared.content_type is None else written(declared.content_type),
            style=self._style(at, declared),
            explode=declared.explode,
            allow_reserved=declared.allow_reserved is True,
            headers=tuple(self._headers((name, at.member(value, "headers", name)) for name, value in headers)),
            encoding=self.by_name(at, declared),
            prefix_encoding=self.by_position(at, declared),
            item_encoding=self.of_the_rest(at, declared),
        )

    def _headers(self, headers: Iterable[tuple[str, Located]]) -> Iterable[Parameter]:
        """Encoding Object, ``headers``: Content-Type is described separately and ignored here."""
        return [self._header(at, name) for name, at in headers if name.lower() != "content-type"]

    def _style(self, at: Located, declared: EncodingObject) -> Style | None:
        if declared.style is None:
            return None
        style = known_style(declared.style, FORM_STYLES)
        if style is None:
            style = FORM_STYLES[0]
            message = f"style {declared.style!r} is not for a part of a form; {style!r} was taken"
            self._notes.add(f"{at.pointer}/style", "parameter_repaired", message)
        return style


def known_style(said: Text, possible: Iterable[Style]) -> Style | None:
    """The style that a word means; None if it is none of the possible ones."""
    word = as_known(written(said), possible)
    return next((style for style in possible if style == word), None)
