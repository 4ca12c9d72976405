"""Chooses the media types of a body that are offered, their order, and the value for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

import msgspec

from openapi_mcp_server.bridge.bodies.writers import Bodies
from openapi_mcp_server.bridge.media.table import Kind, is_json, is_signed, is_xml
from openapi_mcp_server.bridge.media.types import KINDS
from openapi_mcp_server.bridge.model import BodyWriter
from openapi_mcp_server.bridge.schemas.edits import removable_parts
from openapi_mcp_server.bridge.schemas.shapes import Outline, may_be, outline_of, part_of, say_bytes
from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.grammar import essence
from openapi_mcp_server.openapi.model import Body, MediaType, Schema

MAX_MEDIA_TYPES = 16
"""The most media types that one tool offers; some documents list all registered ones."""
MAX_TRIED = 500
"""The most media types of one body that are examined, JSON first. Google's documents list 360 for an upload."""
_UNDESCRIBED: Mapping[Kind, bytes] = {
    "json": b"{}",
    "form": b'{"type":"object"}',
    "multipart": b'{"type":"object"}',
    "text": b'{"type":"string"}',
}
"""The schemas for a body without one, by kind."""


_JSON = "application/json"
_TEXT = Schema(msgspec.Raw(b'{"type":"string"}'))
_OPERATIONS = b'{"type":"array","items":{"type":"object"},"description":"JSON Patch (RFC 6902)"}'
_SAYING = frozenset({"properties", "anyOf", "oneOf", "allOf", "enum"})
_PATCHES = {"application/json-patch+json": "array", "application/merge-patch+json": "object"}
"""The two kinds of patch, and the JSON type of each."""


class Usable(msgspec.Struct, frozen=True, gc=False):
    media: MediaType
    kind: Kind
    write: BodyWriter


class Found(msgspec.Struct):
    usable: list[Usable]
    unusable: list[SpecError]
    repaired: list[SpecError]


def sorted_out(body: Body, bodies: Bodies) -> Found:
    """The media types that can be written, the preferred ones first, and the faults of the others."""
    found = Found([], [], [])
    failed: list[tuple[MediaType, SpecError]] = []
    for media in _tried(body):
        try:
            found.usable.append(_usable(media, bodies))
        except SpecError as error:
            failed.append((media, error.kept()))
    if failed and not any(map(_is_meant, found.usable)):
        failed = _taken_as_they_are(failed, bodies, found)
    found.unusable += [error for _, error in failed]
    if not found.usable:
        raise found.unusable[0].kept() if failed else SpecError(body.pointer, "the body has no media type")
    found.usable.sort(key=lambda each: (KINDS.index(each.kind), _is_other_patch(each, bodies.definitions)))
    if len(found.usable) > 1 and all(each.media.schema == found.usable[0].media.schema for each in found.usable):
        found.usable.sort(key=lambda each: not _needs_a_file(each, bodies))
    if len(found.usable) > MAX_MEDIA_TYPES:
        count = len(body.media) if len(body.media) > MAX_TRIED else len(found.usable)
        message = f"of {count} media types the first {MAX_MEDIA_TYPES} are offered"
        found.unusable.append(SpecError(body.pointer, message))
        del found.usable[MAX_MEDIA_TYPES:]
    return found


def _tried(body: Body) -> Sequence[MediaType]:
    if len(body.media) <= MAX_TRIED:
        return body.media
    return sorted(body.media, key=lambda media: not is_json(media.name))[:MAX_TRIED]


def _usable(media: MediaType, bodies: Bodies) -> Usable:
    return Usable(media, *bodies.kind_and_writer(media))


def files_of(usable: Usable, bodies: Bodies) -> frozenset[str]:
    """The properties of a body with parts that are files by their own words. In JSON and in other forms they would be
    base64 text, which frameworks that list all types for every body (Django REST, Elysia) refuse."""
    if usable.kind != "multipart" or usable.media.schema is None:
        return frozenset()
    members = bodies.outline(bytes(usable.media.schema.json)).get("properties", {})
    files = bodies.file_properties(usable.media).intersection(members)
    return frozenset(name for name in files if _says_bytes(members[name], bodies.definitions))


def _needs_a_file(usable: Usable, bodies: Bodies) -> bool:
    files = files_of(usable, bodies)
    schema = usable.media.schema if files else None
    return schema is not None and not files.isdisjoint(bodies.outline(bytes(schema.json)).get("required", ()))


def _says_bytes(member: object, definitions: Mapping[str, Schema]) -> bool:
    """Whether a property is a file, or a list of files, by its own words: one without a type may be anything."""
    outline = part_of({"member": member}, "member", definitions)
    return say_bytes([part_of(outline, "items", definitions) if outline.get("type") == "array" else outline])


def _is_meant(usable: Usable) -> bool:
    """Whether the author certainly meant this type for this schema. Google's documents list all types of an upload for
    an object, and one may end in ``+xml`` by chance.
    """
    return usable.kind != "xml" or essence(usable.media.name) in {"application/xml", "text/xml"}


def _taken_as_they_are(
    failed: Sequence[tuple[MediaType, SpecError]], bodies: Bodies, found: Found
) -> list[tuple[MediaType, SpecError]]:
    """Accepts ready text or bytes for types that cannot carry their schema's values; returns the other types.

    Beside them an object is sent as JSON, which an API understands most likely, unless they are XML.
    """
    rest = []
    for media, error in failed:
        try:
            usable = _usable(msgspec.structs.replace(media, schema=_TEXT if is_xml(media.name) else None), bodies)
        except SpecError:
            usable = None
        if usable is None or usable.kind not in {"xml", "text", "binary"}:
            rest.append((media, error))
            continue
        found.usable.append(usable)
        taken = "bytes" if usable.kind == "binary" else "texts"
        found.repaired.append(SpecError(media.pointer, f"{error.problem}; {taken} are sent as they are given"))
        if usable.kind != "xml" and not any(each.kind == "json" for each in found.usable):
            found.usable.append(_usable(msgspec.structs.replace(media, name=_JSON), bodies))
            found.repaired.append(SpecError(media.pointer, f"values that are no {taken} are sent as {_JSON}"))
    return rest


def _is_other_patch(usable: Usable, schemas: Mapping[str, Schema]) -> bool:
    """Whether the schema belongs to the other kind of patch. A JSON Patch is a list (RFC 6902 section 3), a merge patch
    nearly always an object (RFC 7396 section 1)."""
    wanted = _PATCHES.get(essence(usable.media.name))
    return wanted is not None and not may_be(outline_of(usable.media.schema, schemas), wanted)


def by_type(usable: Sequence[Usable], schemas: Mapping[str, Schema]) -> dict[type, BodyWriter]:
    """For each type of value the first writer that accepts it, if that is not the default writer."""
    found: dict[type, BodyWriter] = {}
    outlines = [(each, _outline_of_value(each, schemas)) for each in usable] if len(usable) > 1 else []
    for python_type, json_type in ((dict, "object"), (list, "array"), (str, "string")):
        first = next((each for each, outline in outlines if may_be(outline, json_type)), None)
        if first is not None and first is not usable[0]:
            found[python_type] = first.write
    return found


def _outline_of_value(usable: Usable, schemas: Mapping[str, Schema]) -> Outline:
    refs = () if usable.media.schema is None else usable.media.schema.refs
    return outline_of(Schema(msgspec.Raw(value_of(usable, schemas)), refs), schemas)


def value_of(usable: Usable, schemas: Mapping[str, Schema]) -> bytes:
    """The schema of the JSON value for the writer of this media type."""
    media = usable.media
    documented = None if media.schema is None else bytes(media.schema.json)
    if documented and is_merge_patch(media):
        documented = removable_parts(documented)
    if media.is_stream:
        return _list_of(documented)
    match usable.kind:
        case "xml":
            text = b'{"type":"string","description":"XML"}'
            return text if media.schema is _TEXT else _any_of(text, documented or b'{"type":"object"}')
        case "lines":  # before 3.2 many documents describe one line
            is_whole = outline_of(media.schema, schemas).get("type") == "array"
            return documented if documented and is_whole else _list_of(documented)
        case "binary":
            own = b'{"type":"string"}'
            return _any_of(own, b'{"type":"object"}', _list_of(None)) if is_json(media.name) else own
        case "text" if is_signed(essence(media.name)):
            return b'{"type":"string"}'
        case "json" | "form" | "multipart" | "text":
            is_patch = usable.kind == "json" and _is_any_patch(media, schemas)
            return _OPERATIONS if is_patch else documented or _UNDESCRIBED[usable.kind]
        case unknown:
            assert_never(unknown)


def is_merge_patch(media: MediaType) -> bool:
    return essence(media.name) == "application/merge-patch+json"


def _any_of(*schemas: bytes) -> bytes:
    return b'{"anyOf":[' + b",".join(schemas) + b"]}"


def _is_any_patch(media: MediaType, schemas: Mapping[str, Schema]) -> bool:
    """Whether the schema of a JSON Patch does not describe it: Kubernetes has one schema, an object, for all kinds of
    patch."""
    if essence(media.name) != "application/json-patch+json":
        return False
    outline = outline_of(media.schema, schemas)
    return outline.get("type", "object") == "object" and _SAYING.isdisjoint(outline)


def _list_of(item: bytes | None) -> bytes:
    return b'{"type":"array","items":' + (item or b"{}") + b"}"
