"""How the arguments of a tool make up a request's body: its properties beside the parameters, or one ``body``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

import msgspec

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.bodies import writers
from openapi_mcp_server.bridge.media.table import Kind, essence
from openapi_mcp_server.bridge.media.types import KINDS
from openapi_mcp_server.bridge.model import BodyWriter
from openapi_mcp_server.bridge.names import BODY
from openapi_mcp_server.bridge.schemas.definitions import Definitions
from openapi_mcp_server.bridge.schemas.edits import JsonSchema, cleaned, encode, or_null
from openapi_mcp_server.bridge.schemas.inputs import described
from openapi_mcp_server.bridge.schemas.shapes import Outline, outline_of
from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.model import Body, MediaType, Schema

FILE = "Base64 text, or a data: URI with a media type and optional name="
"""What the model is told of everything that becomes raw bytes (interface.md, Tool names and arguments)."""

MAX_MEDIA_TYPES = 16
"""Media types that one tool offers; some documents list every one that is registered."""
MAX_PROPERTIES = 200
"""Properties that become arguments of their own; a body of more is one argument, which can be shortened."""

_PLAIN = frozenset(
    {
        "type", "properties", "required", "additionalProperties", "unevaluatedProperties", "title", "description",
        "example", "examples", "default", "deprecated", "xml", "discriminator", "externalDocs", "format", "readOnly",
        "writeOnly", "$comment",
    }
)  # fmt: skip
"""Keywords of an object that lose nothing when its properties stand on their own."""

_UNDESCRIBED: Mapping[Kind, bytes] = {
    "json": b"{}",
    "form": b'{"type":"object"}',
    "multipart": b'{"type":"object"}',
    "text": b'{"type":"string"}',
}
"""What a body without a schema can be made from."""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes one argument: a property of the body, or the whole body.

    ``needed``: wherever there is a body; ``required``: always.
    """

    name: str
    schema: bytes
    refs: tuple[str, ...]
    required: bool
    needed: bool = False


class BodyShape(msgspec.Struct, frozen=True, kw_only=True):
    """``fields`` are the body's properties if ``flat``, else the one field `BODY`. The default writer comes first.

    ``unusable`` says which media types of the document are not offered, and why.
    """

    required: bool
    flat: bool
    fields: tuple[Field, ...]
    writers: Mapping[str, BodyWriter]
    unusable: tuple[SpecError, ...]


class _Usable(msgspec.Struct, frozen=True):
    media: MediaType
    kind: Kind
    write: BodyWriter


def shape(body: Body, schemas: Mapping[str, Schema], definitions: Definitions) -> BodyShape:
    """The shape of a body; raises SpecError if none of its media types can be written."""
    usable, unusable = _sorted_out(body, schemas)
    outline = _flat_outline(usable, schemas)
    if outline is None:
        fields: tuple[Field, ...] = (_whole(body, usable, schemas),)
    else:
        files = frozenset[str]().union(*(writers.file_properties(each.media, schemas) for each in usable))
        fields = _properties(_patched(outline, usable), files, definitions, given=body.required)
    return BodyShape(
        required=body.required,
        flat=outline is not None,
        fields=fields,
        writers={each.media.name: each.write for each in usable},
        unusable=tuple(unusable),
    )


def _sorted_out(body: Body, schemas: Mapping[str, Schema]) -> tuple[list[_Usable], list[SpecError]]:
    """The media types that can be written, the preferred first, and what is wrong with the others."""
    usable, unusable = [], []
    for media in body.media:
        try:
            usable.append(_Usable(media, writers.kind(media, schemas), writers.writer(media, schemas)))
        except SpecError as error:
            unusable.append(error.kept())
    if not usable:
        raise unusable[0].kept() if unusable else SpecError(body.pointer, "the body has no media type")
    usable.sort(key=lambda each: KINDS.index(each.kind))
    if len(usable) > MAX_MEDIA_TYPES:
        unusable.append(
            SpecError(body.pointer, f"of {len(usable)} media types the first {MAX_MEDIA_TYPES} are offered")
        )
    return usable[:MAX_MEDIA_TYPES], unusable


def _flat_outline(usable: Sequence[_Usable], schemas: Mapping[str, Schema]) -> Outline | None:
    """The outermost level of the plain object that goes into every media type; None if they need anything else."""
    first = usable[0]
    if first.kind not in {"json", "form", "multipart"} or any(each.media.is_stream for each in usable):
        return None
    if not all(each.kind in {"json", "form", "multipart", "xml"} for each in usable):
        return None
    if not all(each.media.schema == first.media.schema for each in usable):
        return None
    outline = outline_of(first.media.schema, schemas)
    return outline if _is_plain(outline) else None


def _is_plain(outline: Outline) -> bool:
    """An object of named properties and nothing else; an open map or a choice needs its own argument.

    Where null may stand for the whole object, it cannot be said: not giving the properties is how to say it.
    An object that is closed and empty (every GET of Stripe has one for its body) has nothing to ask for.
    """
    count = len(outline.get("properties", ()))
    return (
        outline.get("type", "object") in ("object", ["object", "null"], ["null", "object"])
        and (0 < count <= MAX_PROPERTIES or (count == 0 and outline.get("additionalProperties") is False))
        and outline.get("additionalProperties", False) is False
        and outline.get("unevaluatedProperties", False) is False
        and outline.keys() <= _PLAIN
    )


def _patched(outline: Outline, usable: Sequence[_Usable]) -> Outline:
    """In a merge patch null says that a member is to be removed, whatever the member's own schema is (RFC 7396)."""
    if not any(essence(each.media.name) == "application/merge-patch+json" for each in usable):
        return outline
    needed = outline.get("required", ())
    properties = outline.get("properties", {}).items()
    removable = {name: schema if name in needed else or_null(schema) for name, schema in properties}
    return {**outline, "properties": removable}


def _properties(outline: Outline, files: frozenset[str], definitions: Definitions, *, given: bool) -> tuple[Field, ...]:
    """The properties of a plain object; ``given``: there is always a body."""
    needed = set(outline.get("required", ()))
    fields = []
    for name, schema in outline.get("properties", {}).items():
        hints = [f"{FILE}."] if name in files else []
        if name in needed and not given:
            hints.append("Required if a body is sent.")
        encoded = cleaned(_with_hints(schema, hints))
        refs = definitions.refs_in(encoded)
        is_needed = name in needed
        fields.append(Field(name=name, schema=encoded, refs=refs, required=is_needed and given, needed=is_needed))
    return tuple(fields)


def _with_hints(schema: JsonSchema, hints: Sequence[str]) -> bytes:
    """A property's schema, its own description cleaned, and what we have to say after it."""
    own = schema.get("description", "") if isinstance(schema, dict) else ""
    prose = text.line(own, text.ARGUMENT_LIMIT) if isinstance(own, str) else ""
    said = " ".join(part for part in (prose, *hints) if part)
    return encode(schema) if said == own else described(encode(schema), said)


def _whole(body: Body, usable: Sequence[_Usable], schemas: Mapping[str, Schema]) -> Field:
    """One argument for all of it: any of the schemas that the media types have."""
    alternatives = list(dict.fromkeys(_value_of(each, schemas) for each in usable))
    schema = alternatives[0] if len(alternatives) == 1 else b'{"anyOf":[' + b",".join(alternatives) + b"]}"
    hints = _file_hints(usable, schemas)
    prose = " ".join([text.line(body.description, text.ARGUMENT_LIMIT), *hints]).strip()
    refs = dict.fromkeys(ref for each in usable if each.media.schema for ref in each.media.schema.refs)
    return Field(name=BODY, schema=described(cleaned(schema), prose), refs=tuple(refs), required=body.required)


def _file_hints(usable: Sequence[_Usable], schemas: Mapping[str, Schema]) -> list[str]:
    if any(each.kind == "binary" for each in usable):
        return [f"{FILE}."]
    has_files = any(writers.takes_files(each.media, schemas) for each in usable if each.kind == "multipart")
    return [f"Files: {FILE[0].lower()}{FILE[1:]}."] if has_files else []


def _value_of(usable: _Usable, schemas: Mapping[str, Schema]) -> bytes:
    """The schema of the JSON value that the writer of this media type takes."""
    media = usable.media
    documented = None if media.schema is None else bytes(media.schema.json)
    if media.is_stream:
        return _list_of(documented)
    match usable.kind:
        case "xml":
            return b'{"anyOf":[{"type":"string","description":"XML"},' + (documented or b'{"type":"object"}') + b"]}"
        case "lines":  # before 3.2 many documents describe one line
            is_whole = outline_of(media.schema, schemas).get("type") == "array"
            return documented if documented and is_whole else _list_of(documented)
        case "binary":
            return b'{"type":"string"}'
        case "json" | "form" | "multipart" | "text":
            return documented or _UNDESCRIBED[usable.kind]
        case unknown:
            assert_never(unknown)


def _list_of(item: bytes | None) -> bytes:
    return b'{"type":"array","items":' + (item or b"{}") + b"}"
