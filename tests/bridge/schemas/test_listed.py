"""Schemas that are too long for a list: as much of them as fits, what is required first, and where the rest is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import any_schema
from any_schema import around, combined
from descriptions import JSON, body, media, operation, parameter, schemas, told, tool, wide
from growth import is_linear
from openapi_mcp_server.bridge.arguments.check import check
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.schemas import edits
from openapi_mcp_server.bridge.schemas.inputs import Pieces
from openapi_mcp_server.bridge.schemas.listed import LISTED_BYTES, SHORTENED, InFull, Listings
from openapi_mcp_server.bridge.schemas.portable import portable_schema
from openapi_mcp_server.bridge.search import notation
from openapi_mcp_server.errors import ArgumentError

WHERE = "(Shortened; whole in the resource openapi://pets/operations/post_pets.)"
PROSE = "word " * 90
FAR = wide(200, description="how far it is")


def posted(**properties: Any) -> Tool:
    value = {"type": "object", "properties": properties, "required": [name for name in properties if name[0] == "r"]}
    return tool(operation("POST", body=body(media(JSON, value))), request_schemas=schemas(Far=FAR))


def members(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [name for name in properties if name[0] == "r"]}


def size(only: Tool) -> int:
    return len(msgspec.json.encode(told(only)))


def in_pieces(schema: dict[str, Any]) -> Pieces:
    def encoded(members: dict[str, Any]) -> tuple[bytes, ...]:
        return tuple(msgspec.json.encode({name: part})[1:-1] for name, part in members.items())

    required = msgspec.json.encode(schema["required"])
    return Pieces(encoded(schema["properties"]), required, encoded(schema["$defs"]))


def test_what_is_short_enough_is_listed_as_it_is() -> None:
    only = posted(a={"type": "string", "title": "A", "examples": ["x"]})
    assert told(only)["properties"]["a"] == {"type": "string", "title": "A", "examples": ["x"]}
    assert not only.input.is_shortened


def test_deep_optional_parts_are_open_and_say_where_the_rest_is() -> None:
    far = {"$ref": "#/$defs/Far"}
    only = posted(a=members(near={"type": "integer"}, far=far, further=far), b={"type": "string", "description": PROSE})
    assert size(only) <= LISTED_BYTES
    assert only.input.is_shortened
    assert told(only)["properties"]["a"]["properties"] == {
        "near": {"type": "integer"},
        "far": {"type": "object", "description": WHERE},
        "further": {"type": "object", "description": SHORTENED},
    }
    assert len(told(only)["properties"]["b"]["description"]) > 400  # those of arguments go last


def test_what_is_required_is_told_before_what_is_not() -> None:
    needed = wide(60, description="what is needed here")
    only = posted(a=members(c=FAR), r=members(r=members(rest=needed, x=FAR)))
    inner = told(only)["properties"]["r"]["properties"]["r"]["properties"]
    assert len(inner["rest"]["properties"]) == 60
    assert inner["x"] == {"type": "object", "description": SHORTENED}
    assert size(only) <= LISTED_BYTES


def test_names_of_what_is_required_stay_where_nothing_else_has_room() -> None:
    only = posted(r=members(**{f"r{index:03}": wide(3, description="x" * 100) for index in range(60)}))
    assert size(only) <= LISTED_BYTES
    assert len(told(only)["properties"]["r"]["required"]) == 60


def test_descriptions_of_arguments_are_shortened_last() -> None:
    many = tool(operation(parameters=tuple(parameter(f"a{index}", description=PROSE) for index in range(40))))
    assert size(many) <= LISTED_BYTES
    assert all(100 < len(each["description"]) <= 120 for each in told(many)["properties"].values())


def test_simple_arguments_are_told_where_a_required_one_alone_has_no_room() -> None:
    """One required list of long alternatives, as chat completions have it, takes no word from the arguments beside."""
    kinds = [wide(100, description=f"a message of kind {index}") for index in range(4)]
    simple = {
        "temperature": {"type": "number", "maximum": 2, "description": "How random it is."},
        "stream": {"anyOf": [{"type": "boolean"}, {"type": "null"}], "description": "Send parts."},
        "effort": {"anyOf": [{"type": "string", "enum": ["low", "high"]}, {"type": "null"}], "default": "low"},
    }
    only = posted(r_messages={"type": "array", "items": {"anyOf": kinds}}, **simple)
    properties = told(only)["properties"]
    assert {name: properties[name] for name in simple} == simple
    assert WHERE in str(properties["r_messages"])
    assert size(only) <= LISTED_BYTES


def test_names_below_an_argument_come_before_the_types_of_what_may_be_null() -> None:
    """The room for their types would cost the names, which no model can guess."""
    some = {"anyOf": [{"type": "string", "description": PROSE}, {"type": "null"}]}
    address = members(**{f"p{index:03}": some for index in range(150)})
    properties = told(posted(addresses={"type": "array", "items": address}))["properties"]
    assert len(properties["addresses"]["items"]["properties"]) == 150


def test_a_value_that_may_be_null_keeps_its_type_where_there_is_no_room_for_more() -> None:
    score = {"anyOf": [{"type": "integer", "maximum": 9}, {"type": "null"}], "default": 1, "description": PROSE}
    pieces = in_pieces({"properties": {"score": score}, "required": [], "$defs": {}})
    listed = msgspec.json.decode(Listings().shortened(pieces, "elsewhere", 60))
    assert listed["properties"]["score"] == {
        "anyOf": [{"type": "integer"}, {"type": "null"}],
        "description": "(Shortened; elsewhere.)",
    }


def test_arguments_are_checked_by_all_that_the_document_says() -> None:
    only = posted(a=members(near={"type": "integer"}, far=FAR))
    with pytest.raises(ArgumentError, match="/a/far/p7: expected string"):
        check(only, msgspec.Raw(b'{"a":{"far":{"p7":[1]}}}'))


def test_a_definition_that_many_refer_to_is_weighed_once() -> None:
    """Three hundred arguments of one large definition: putting each in place would take minutes for a document."""
    own = tuple(parameter(f"a{index}", value={"$ref": "#/$defs/Far"}) for index in range(150))
    only = tool(operation(parameters=own), request_schemas=schemas(Far=FAR))
    assert size(only) <= LISTED_BYTES


def needed(count: int) -> dict[str, Any]:
    names = [f"p{number}" for number in range(count)]
    return {"type": "object", "properties": {name: {"type": "integer"} for name in names}, "required": names}


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda schema: InFull({}).level(schema, 0), id="in full"),
        pytest.param(edits.removable, id="of a merge patch"),
        pytest.param(lambda schema: portable_schema(msgspec.json.encode(schema), WHERE, LISTED_BYTES), id="portable"),
        pytest.param(lambda schema: list(notation.members(notation.Types(), schema)), id="in search mode"),
    ],
)
def test_thousands_of_required_members_are_told_in_linear_time(read: Callable[[Any], object]) -> None:
    assert is_linear(read, needed)


# Any schema

names = st.sampled_from(["a", "b", "c"])
leaves = st.sampled_from(
    [
        {"type": "string", "description": "d" * 50},
        {"enum": ["x", "y"]},
        {"type": "integer"},
        {"$ref": "#/$defs/N"},
        True,
    ]
)


anything = any_schema.schemas(
    leaves,
    names,
    12,
    around("additionalProperties", type="object"),
    combined("oneOf"),
    around("not"),
    combined("allOf", unevaluatedProperties=False),
)
values = any_schema.values(st.integers(0, 1) | st.sampled_from(["x", "z"]), names)


@given(st.dictionaries(names, anything, min_size=1), st.dictionaries(names, values), st.integers(60, 700))
def test_whatever_fits_the_whole_schema_fits_the_listed_one(properties: Any, arguments: Any, limit: int) -> None:
    definitions = {"N": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}}
    whole = {"type": "object", "properties": properties, "required": [*properties][:1], "$defs": definitions}
    listed = msgspec.json.decode(Listings().shortened(in_pieces(whole), "elsewhere", limit))
    assert listed["required"] == whole["required"]
    assert [*listed["properties"]] == [*properties]
    if jsonschema_rs.is_valid(whole, arguments):
        assert jsonschema_rs.is_valid(listed, arguments)


definitions = st.sampled_from(
    [{"type": "integer"}, {"items": {"type": "string"}}, {"properties": {"a": {"enum": [1]}}}]
)
listings = st.tuples(st.dictionaries(names, anything, min_size=1), definitions, st.integers(60, 700))


@given(st.lists(listings, max_size=4))
def test_what_was_listed_before_changes_nothing(several: Any) -> None:
    """Also where another definition has the same name."""
    together = Listings()
    for properties, definition, limit in several:
        whole = {"properties": properties, "required": [*properties][:1], "$defs": {"N": definition}}
        pieces = in_pieces(whole)
        assert together.shortened(pieces, "elsewhere", limit) == Listings().shortened(pieces, "elsewhere", limit)
