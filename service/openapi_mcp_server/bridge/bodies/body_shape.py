"""The arguments for a request's body: its properties beside the parameters, or one ``body``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial

import msgspec

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.bodies import media_choice
from openapi_mcp_server.bridge.bodies.media_choice import Usable, is_merge_patch
from openapi_mcp_server.bridge.bodies.writers import Bodies
from openapi_mcp_server.bridge.model import BodyWriter
from openapi_mcp_server.bridge.names import BODY
from openapi_mcp_server.bridge.schemas.definitions import Definitions
from openapi_mcp_server.bridge.schemas.edits import NEEDED, JsonSchema, cleaned, encode, removable
from openapi_mcp_server.bridge.schemas.inputs import described, exemplified
from openapi_mcp_server.bridge.schemas.shapes import Outline
from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.model import Body, Schema
from openapi_mcp_server.openapi.references.resolve import opened

FILE = "Base64 text, or a data: URI with a media type and optional name="
"""The description for models of all arguments that become raw bytes."""

MAX_PROPERTIES = 200
"""The most properties that become arguments of their own. A body with more is one argument, which can be shortened."""

_SCHEMAS_KEPT = 16
"""The number of schemas of bodies whose arguments are remembered for the next operations."""

_PLAIN = frozenset(
    {
        "type", "properties", "required", "additionalProperties", "unevaluatedProperties", "title", "description",
        "example", "examples", "default", "deprecated", "xml", "discriminator", "externalDocs", "format", "readOnly",
        "writeOnly", "$comment",
    }
)  # fmt: skip
"""Keywords of an object that lose nothing if its properties become arguments."""
_TYPES = frozenset({"type", "enum", "const", "$ref", "allOf", "anyOf", "oneOf"})
"""Keywords that may say the type of a value."""


class Field(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The part of a body that becomes one argument: a property or the whole body.

    ``needed``: required if there is a body; ``required``: always required.
    """

    name: str
    schema: bytes
    refs: tuple[str, ...]
    required: bool
    needed: bool = False


class _Described(msgspec.Struct, frozen=True, gc=False):
    """The source of a body's properties. ``given``: there is always a body."""

    schema: bytes
    examples: tuple[bytes, ...]
    files: frozenset[str]
    is_patch: bool
    given: bool


class BodyShape(msgspec.Struct, frozen=True, kw_only=True):
    """``fields`` are the body's properties if ``flat``, else the one field `BODY`. The default writer comes first.

    ``is_patch``: null removes a member. ``open``: the document allows other properties. ``by_type`` has the writers of
    values that the first writer does not accept, by type. ``for_files`` is the media type that files need, if the first
    one cannot carry them. ``unusable`` has the media types that are not offered, with reasons, ``repaired`` those that
    are offered for another value than the documented one.
    """

    required: bool
    flat: bool
    fields: tuple[Field, ...]
    writers: Mapping[str, BodyWriter]
    unusable: tuple[SpecError, ...]
    repaired: tuple[SpecError, ...]
    by_type: Mapping[type, BodyWriter]
    open: bool = False
    is_patch: bool = False
    for_files: str = ""


class BodySchemas:
    """The schemas of bodies, with a cache of recent results, since creating and changing an object often share a
    schema."""

    def __init__(self, schemas: Mapping[str, Schema], definitions: Definitions) -> None:
        self.named = schemas
        self.bodies = Bodies(schemas)
        self.fields = lru_cache(_SCHEMAS_KEPT)(partial(_properties, self.bodies.outline, definitions))


def shape(body: Body, schemas: BodySchemas) -> BodyShape:
    """The shape of a body; raises SpecError if none of its media types can be written."""
    found = media_choice.sorted_out(body, schemas.bodies)
    usable = found.usable
    outline = _flat_outline(usable, schemas)
    is_patch = any(is_merge_patch(each.media) for each in usable)
    if outline is None:
        fields: tuple[Field, ...] = (_whole(body, usable, schemas.bodies),)
    else:
        files = frozenset[str]().union(*(schemas.bodies.file_properties(each.media) for each in usable))
        first = usable[0].media
        examples = tuple(map(bytes, first.examples))
        json = bytes(first.schema.json) if first.schema else b""
        fields = schemas.fields(_Described(json, examples, files, is_patch=is_patch, given=body.required))
    return BodyShape(
        required=body.required,
        flat=outline is not None,
        fields=fields,
        writers={each.media.name: each.write for each in usable},
        unusable=tuple(found.unusable),
        repaired=tuple(found.repaired),
        by_type=media_choice.by_type(usable, schemas.named) if outline is None else {},
        is_patch=is_patch,
        open=outline is not None and not _is_closed(outline),
        for_files=_for_files(usable, schemas.bodies),
    )


def _for_files(usable: Sequence[Usable], bodies: Bodies) -> str:
    if len(usable) == 1 or usable[0].kind == "multipart":
        return ""
    return next((each.media.name for each in usable if media_choice.files_of(each, bodies)), "")


def _flat_outline(usable: Sequence[Usable], schemas: BodySchemas) -> Outline | None:
    """The outermost level of the plain object that every media type can carry; None if one needs anything else."""
    first = usable[0]
    if first.kind not in {"json", "form", "multipart"} or any(each.media.is_stream for each in usable):
        return None
    if not all(each.kind in {"json", "form", "multipart", "xml"} for each in usable):
        return None
    if not all(each.media.schema == first.media.schema for each in usable):
        return None
    if first.media.schema is None:
        return None
    outline = schemas.bodies.outline(bytes(first.media.schema.json))
    return outline if _is_plain(outline) else None


def _is_plain(outline: Outline) -> bool:
    """Whether it is an object of named properties only; an open map or a choice needs an argument of its own.

    If null may replace the whole object, leaving out all properties means null. A closed empty object (every GET of
    Stripe has one as its body) needs no arguments.
    """
    count = len(outline.get("properties", ()))
    return (
        outline.get("type", "object") in ("object", ["object", "null"], ["null", "object"])
        and (0 < count <= MAX_PROPERTIES or (count == 0 and outline.get("additionalProperties") is False))
        and (outline.get("additionalProperties") or False) in (False, True)  # {} and true say nothing
        and outline.get("unevaluatedProperties", False) is False
        and outline.keys() <= _PLAIN
    )


def _is_closed(outline: Outline) -> bool:
    """Whether an object accepts only the properties that it names."""
    return outline.get("additionalProperties") is False or outline.get("unevaluatedProperties") is False


def _properties(
    outline_of: Callable[[bytes], Outline], definitions: Definitions, described: _Described
) -> tuple[Field, ...]:
    """The properties of a plain object."""
    outline, given, files = outline_of(described.schema), described.given, described.files
    if described.is_patch:
        outline = removable(outline)
    needed = set(outline.get("required", ()))
    examples = [each for each in map(opened, map(msgspec.Raw, described.examples)) if isinstance(each, dict)]
    fields = []
    for name, declared in outline.get("properties", {}).items():
        schema, hints = (_typed(declared), [f"{FILE}."]) if name in files else (declared, [])
        if name in needed and not given:
            hints.append(NEEDED)
        shown = [example[name] for example in examples if name in example]
        encoded = exemplified(cleaned(_with_hints(schema, hints)), shown)
        refs = definitions.refs_in(encoded)
        is_needed = name in needed
        fields.append(Field(name=name, schema=encoded, refs=refs, required=is_needed and given, needed=is_needed))
    return tuple(fields)


def _typed(schema: JsonSchema) -> JsonSchema:
    """Adds the type of its argument to the schema of a file or of a list of files. OpenAPI 3.1 has none for bytes."""
    if not isinstance(schema, dict):
        return schema
    if "items" in schema:
        return schema | {"items": _typed(schema["items"])}
    return {"type": "string"} | schema if "contentMediaType" in schema and _TYPES.isdisjoint(schema) else schema


def _with_hints(schema: JsonSchema, hints: Sequence[str]) -> bytes:
    """A property's schema with its cleaned description, followed by our hints."""
    own = schema.get("description", "") if isinstance(schema, dict) else ""
    prose = text.line(own, text.ARGUMENT_LIMIT) if isinstance(own, str) else ""
    said = " ".join(part for part in (text.sentence(prose) if hints else prose, *hints) if part)
    return encode(schema) if said == own else described(encode(schema), said)


def _whole(body: Body, usable: Sequence[Usable], bodies: Bodies) -> Field:
    """The whole body as one argument, which accepts the values of all media types."""
    alternatives = list(dict.fromkeys(media_choice.value_of(each, bodies.definitions) for each in usable))
    schema = alternatives[0] if len(alternatives) == 1 else b'{"anyOf":[' + b",".join(alternatives) + b"]}"
    hints = _file_hints(usable, bodies)
    said = text.line(body.description, text.ARGUMENT_LIMIT)
    prose = " ".join([text.sentence(said) if hints else said, *hints]).strip()
    examples = [] if usable[0].kind == "binary" or usable[0].media.is_stream else usable[0].media.examples
    refs = dict.fromkeys(ref for each in usable if each.media.schema for ref in each.media.schema.refs)
    return Field(
        name=BODY,
        schema=exemplified(described(cleaned(schema), prose), examples),
        refs=tuple(refs),
        required=body.required,
    )


def _file_hints(usable: Sequence[Usable], bodies: Bodies) -> list[str]:
    if any(each.kind == "binary" for each in usable):
        return [f"{FILE}."]
    has_files = any(bodies.takes_files(each.media) for each in usable if each.kind == "multipart")
    return [f"Files: {FILE[0].lower()}{FILE[1:]}."] if has_files else []
