"""One argument of a tool: its place in the request, and its property in the input schema."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.bodies.body_shape import Field
from openapi_mcp_server.bridge.model import Slot
from openapi_mcp_server.bridge.parameters import encoders
from openapi_mcp_server.bridge.schemas.edits import cleaned, decode, encode, or_empty
from openapi_mcp_server.bridge.schemas.inputs import Argument, described, exemplified
from openapi_mcp_server.openapi.model import Parameter

_TEXT = encode({"type": "string"})
_NAME_SHOWN = 200
"""The most characters of a parameter's own name in the description of its argument."""


def slot(argument: str, parameter: Parameter) -> Slot:
    """The place of an argument. Raises SpecError if it cannot be sent."""
    return Slot(
        argument=argument,
        name=parameter.name,
        location=parameter.location,
        required=parameter.required,
        encode=encoders.deferred(parameter),
        spans_segments=parameter.spans_segments,
    )


_of_slot = attrgetter(
    "name", "location", "required", "style", "explode", "allow_reserved", "allow_empty_value", "inner",
    "spans_segments", "content_type",
)  # fmt: skip
_of_argument = attrgetter(
    "name", "location", "required", "description", "allow_empty_value", "deprecated", "content_type"
)


def of_slot(parameter: Parameter) -> tuple[object, ...]:
    """All parts of a parameter that `slot` uses; with a media type also its schema and encodings."""
    facts = _of_slot(parameter)
    return facts if parameter.content_type is None else (*facts, parameter.pointer)


def of_argument(parameter: Parameter) -> tuple[object, ...]:
    """All parts of a parameter that `of_parameter` uses. Equal schemas of a document are one object while it lives."""
    return (*_of_argument(parameter), id(parameter.schema), *map(bytes, parameter.examples))


def of_parameter(name: str, parameter: Parameter) -> Argument:
    """The property of the input schema for a parameter."""
    schema = cleaned(bytes(parameter.schema.json))
    prose = text.line(parameter.description or _description(schema), text.ARGUMENT_LIMIT)
    refs = parameter.schema.refs
    if parameter.content_type is not None and not encoders.carries_values(parameter.content_type):
        schema, refs = _TEXT, ()
        shown = text.shorten(text.visible(parameter.content_type), _NAME_SHOWN)
        prose = f"{text.sentence(prose)} Text in the format {shown}.".lstrip()
    if parameter.allow_empty_value:
        schema = or_empty(schema)
    if name == f"{parameter.name}__{parameter.location}":
        prose = f"{text.sentence(prose)} (In the {parameter.location}.)".lstrip()
    told = described(schema, _with_real_name(prose, name, parameter.name), deprecated=parameter.deprecated)
    return Argument(
        name=name,
        schema=exemplified(told, parameter.examples),
        refs=refs,
        required=parameter.required,
    )


def of_field(name: str, field: Field) -> Argument:
    schema = field.schema
    if not _is_told_by(name, field.name):
        schema = described(schema, _with_real_name(_description(schema), name, field.name))
    return Argument(name=name, schema=schema, refs=field.refs, required=field.required)


def _description(schema: bytes) -> str:
    """The description in a schema; empty if it has none."""
    own = decode(schema) if b'"description"' in schema else None
    prose = own.get("description") if isinstance(own, dict) else None
    return prose if isinstance(prose, str) else ""


def of_chooser(name: str, media_types: Sequence[str], *, by_value: bool, for_files: str = "") -> Argument:
    said = f"Media type in which the body is sent{f' (files need {for_files})' if for_files else ''}"
    schema: dict[str, object] = {"type": "string", "enum": media_types}
    if by_value:
        schema["description"] = f"{said}; left out, the first that can carry it."
    else:
        schema |= {"default": media_types[0], "description": f"{said}."}
    return Argument(name=name, schema=encode(schema), refs=(), required=False)


def _is_told_by(argument: str, name: str) -> bool:
    """Whether the argument's name is the real one, except for a suffix for its place."""
    return argument == name or argument.startswith(f"{name}__")


def _with_real_name(prose: str, argument: str, name: str) -> str:
    if _is_told_by(argument, name):
        return prose
    return f"{text.sentence(prose)} Sent as {text.shorten(text.visible(name), _NAME_SHOWN)!r}.".lstrip()
