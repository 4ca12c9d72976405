"""What arguments that do not fit are read as, wherever they stand, in every dialect."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents import described
from openapi_mcp_server.bridge import request
from openapi_mcp_server.bridge.arguments.check import CheckedArguments, check
from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.errors import ArgumentError

FORM, MULTIPART, JSON = "application/x-www-form-urlencoded", "multipart/form-data", "application/json"
NEWER = ["3.0", "3.1", "3.2"]


def tool_of(operation: dict[str, Any], path: str, dialect: Any, **root: Any) -> Tool:
    description = described({path: {"post": {"operationId": "op", **operation}}}, dialect=dialect, **root)
    made = build([ApiSource(name="api", base=base_url("https://api.example.com"), description=description)])
    return made.tools["op"]


def in_parameter(location: str, schema: Any, dialect: str, *, required: bool) -> Tool:
    declared = {"name": "v", "in": location, "required": required or location == "path"}
    declared |= schema if dialect == "2.0" else {"schema": schema}
    return tool_of({"parameters": [declared]}, "/{v}" if location == "path" else "/x", dialect)


def in_body(media: str, schema: Any, dialect: str, *, required: bool) -> Tool:
    """A property of a body of its own, beside one that is always there."""
    if dialect == "2.0" and media != JSON:
        fields = [
            {"name": "v", "in": "formData", "required": required, **schema},
            {"name": "w", "in": "formData", "required": True, "type": "string"},
        ]
        return tool_of({"consumes": [media], "parameters": fields}, "/x", dialect)
    whole = {
        "type": "object",
        "properties": {"v": schema, "w": {"type": "string"}},
        "required": ["v", "w"] if required else ["w"],
    }
    return with_body(media, whole, dialect)


def with_body(media: str, schema: Any, dialect: str, **root: Any) -> Tool:
    if dialect == "2.0":
        return tool_of({"parameters": [{"name": "b", "in": "body", "required": True, "schema": schema}]}, "/x", dialect)
    return tool_of({"requestBody": {"required": True, "content": {media: {"schema": schema}}}}, "/x", dialect, **root)


def below(schema: Any, dialect: str, *, required: bool, wrap: Callable[[Any], Any]) -> Tool:
    inner = {"type": "object", "properties": {"v": schema}, "required": ["v"] if required else []}
    return with_body(JSON, {"type": "object", "properties": {"outer": wrap(inner)}, "required": ["outer"]}, dialect)


class Place(msgspec.Struct, frozen=True):
    """``make`` gives the tool; ``around`` puts a value into its arguments, and ``pointer`` is where that is."""

    name: str
    make: Callable[..., Tool]
    around: Callable[[dict[str, Any]], dict[str, Any]] = dict
    pointer: str = "/v"


def _object(inner: Any) -> Any:
    return inner


def _list(inner: Any) -> Any:
    return {"type": "array", "items": inner}


def _map(inner: Any) -> Any:
    return {"type": "object", "additionalProperties": inner}


PARAMETERS = [
    Place(location, lambda *given, location=location, **more: in_parameter(location, *given, **more))
    for location in ("query", "header", "cookie")
]
PATH = Place("path", lambda *given, **more: in_parameter("path", *given, **more))
BODIES = [
    Place(
        media, lambda *given, media=media, **more: in_body(media, *given, **more), lambda values: {"w": "x", **values}
    )
    for media in (JSON, FORM, MULTIPART)
]
NESTED = [
    Place(
        "nested object",
        lambda *given, **more: below(*given, wrap=_object, **more),
        lambda values: {"outer": values},
        "/outer/v",
    ),
    Place(
        "object in a list",
        lambda *given, **more: below(*given, wrap=_list, **more),
        lambda values: {"outer": [values]},
        "/outer/0/v",
    ),
    Place(
        "object in a map",
        lambda *given, **more: below(*given, wrap=_map, **more),
        lambda values: {"outer": {"k": values}},
        "/outer/k/v",
    ),
]
PLACES = [
    pytest.param(place, dialect, id=f"{place.name} {dialect}")
    for place in (*PARAMETERS, *BODIES, *NESTED)
    for dialect in ("2.0", *NEWER)
    if not (place.name == "cookie" and dialect == "2.0")
]

INTEGER = {"type": "integer"}
REFUSING_NULL = [
    INTEGER,
    {"type": "number"},
    {"type": "boolean"},
    {"type": "string"},
    {"type": "string", "enum": ["a"]},
    {"type": "string", "format": "date"},
    {"type": "array", "items": INTEGER},
]
REFUSING_EMPTY = [
    INTEGER,
    {"type": "boolean"},
    {"type": "string", "enum": ["a"]},
    {"type": "string", "minLength": 1},
    {"type": "string", "pattern": "^[a-z]+$"},
    {"type": "string", "format": "date"},
    {"type": "string", "format": "uuid"},
    {"type": "array", "items": INTEGER},
]


def read(made: Tool, arguments: dict[str, Any]) -> CheckedArguments:
    return check(made, msgspec.Raw(msgspec.json.encode(arguments)))


def problems(made: Tool, arguments: dict[str, Any]) -> list[str]:
    with pytest.raises(ArgumentError) as caught:
        read(made, arguments)
    return str(caught.value).splitlines()[1:]


@pytest.mark.parametrize(("place", "dialect"), PLACES)
def test_what_is_not_given_is_left_out(place: Place, dialect: str) -> None:
    for value, schemas in ((None, REFUSING_NULL), ("", REFUSING_EMPTY), ("null", [INTEGER])):
        for schema in schemas:
            made = place.make(schema, dialect, required=False)
            found = read(made, place.around({"v": value}))
            assert found.values == place.around({}), (value, schema)
            assert found.coerced


@pytest.mark.parametrize(("place", "dialect"), PLACES)
def test_what_is_required_is_named(place: Place, dialect: str) -> None:
    made = place.make(INTEGER, dialect, required=True)
    assert problems(made, place.around({"v": None})) == [f"- {place.pointer}: expected integer, got null"]
    assert problems(made, place.around({"v": ""})) == [f'- {place.pointer}: expected integer, got ""']


@pytest.mark.parametrize(("place", "dialect"), [*PLACES, *(pytest.param(PATH, each) for each in ("2.0", *NEWER))])
@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        ({"type": "string"}, 123, "123"),
        ({"type": "string"}, True, "true"),
        ({"type": "string"}, 1.5, "1.5"),
        ({"type": "string", "enum": ["1", "2"]}, 2, "2"),
        ({"type": "string", "format": "date"}, 2024, "2024"),
    ],
)
def test_numbers_and_flags_are_text_where_text_is_asked_for(
    place: Place, dialect: str, schema: Any, value: Any, text: str
) -> None:
    found = read(place.make(schema, dialect, required=True), place.around({"v": value}))
    assert found.values == place.around({"v": text})
    assert len(found.coerced) == 1


ORDERS = {"type": "string", "enum": ["asc", "DESC", "newestFirst", "größte"]}


@pytest.mark.parametrize(("place", "dialect"), [*PLACES, *(pytest.param(PATH, each) for each in ("2.0", *NEWER))])
def test_a_value_of_an_enumeration_is_known_in_another_case(place: Place, dialect: str) -> None:
    made = place.make(ORDERS, dialect, required=True)
    for value, meant in (("ASC", "asc"), ("desc", "DESC"), ("NewestFirst", "newestFirst"), ("GRÖSSTE", "größte")):
        found = read(made, place.around({"v": value}))
        assert found.values == place.around({"v": meant})
        assert len(found.coerced) == 1


@pytest.mark.parametrize(
    ("schema", "value", "meant"),
    [
        (_list(ORDERS), ["ASC", "asc"], ["asc", "asc"]),
        ({"anyOf": [ORDERS, {"type": "null"}]}, "ASC", "asc"),
        ({"oneOf": [{"enum": [1]}, ORDERS, {"type": "boolean"}]}, "ASC", "asc"),
        ({"const": "asc"}, "Asc", "asc"),
        (_map(ORDERS), {"a": "Desc"}, {"a": "DESC"}),
        (_list(ORDERS), '["ASC"]', ["asc"]),
    ],
)
def test_so_are_items_members_and_alternatives(schema: Any, value: Any, meant: Any) -> None:
    made = with_body(JSON, {"type": "object", "properties": {"v": schema}}, "3.1")
    assert read(made, {"v": value}).values == {"v": meant}


@pytest.mark.parametrize(
    ("options", "value"),
    [
        (["a", "A"], "Ａ"),
        (["ab", "Ab", "c"], "AB"),
        (["-name", "name_"], "Name"),
        (["newest_first"], "newest first"),
        (["asc", "desc"], "ascending"),
        (["asc"], " asc"),
        ([1, None], "NULL"),
    ],
)
def test_what_may_mean_another_value_of_an_enumeration_is_asked_about(options: list[Any], value: str) -> None:
    made = with_body(JSON, {"type": "object", "properties": {"v": {"enum": options}}, "required": ["v"]}, "3.1")
    assert "expected one of" in problems(made, {"v": value})[0]


@pytest.mark.parametrize(
    ("schema", "value", "meant"),
    [
        (_list({"type": "string"}), [1, "a", False], ["1", "a", "false"]),
        (_map({"type": "string"}), {"a": 1}, {"a": "1"}),
        (_map(INTEGER), {"a": None, "b": 1}, {"b": 1}),
        (_list(_list({"type": "string"})), [[1], [2]], [["1"], ["2"]]),
        ({"anyOf": [{"type": "string"}, {"type": "array"}]}, 5, "5"),
        ({"const": "1"}, 1, "1"),
    ],
)
def test_items_members_and_choices_are_read_alike(schema: Any, value: Any, meant: Any) -> None:
    made = with_body(JSON, {"type": "object", "properties": {"v": schema}}, "3.1")
    assert read(made, {"v": value}).values == {"v": meant}


def test_an_item_cannot_be_left_out() -> None:
    made = with_body(JSON, {"type": "object", "properties": {"v": _list(INTEGER)}}, "3.1")
    assert problems(made, {"v": [1, None]}) == ["- /v/1: expected integer, got null"]


NULLABLE = [
    ("3.0", {"type": "string", "nullable": True}),
    ("3.0", {"type": "string", "enum": ["a"], "nullable": True}),
    ("3.0", {"nullable": True, "allOf": [{"type": "integer"}]}),
    ("2.0", {"type": "string", "x-nullable": True}),
    ("3.1", {"type": ["string", "null"]}),
    ("3.1", {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
    ("3.1", {"oneOf": [{"type": "null"}, {"type": "object"}]}),
    ("3.1", {"enum": ["a", None]}),
    ("3.2", {"type": ["integer", "null"], "default": None}),
    ("3.1", {}),
]


@pytest.mark.parametrize(("dialect", "schema"), NULLABLE)
def test_null_that_the_schema_takes_is_a_value(dialect: str, schema: Any) -> None:
    made = with_body(JSON, {"type": "object", "properties": {"v": schema}}, dialect)
    found = read(made, {"v": None})
    assert (found.values, found.coerced) == ({"v": None}, ())


def test_empty_text_that_the_schema_takes_is_a_value() -> None:
    for schema in (
        {"type": "string"},
        {"type": "string", "enum": ["", "a"]},
        {"type": "string", "format": "uri-reference"},
    ):
        made = with_body(JSON, {"type": "object", "properties": {"v": schema}}, "3.1")
        assert read(made, {"v": ""}).values == {"v": ""}


@pytest.mark.parametrize("dates", [[""], ["2024-02-29", ""], [""] * 2_000])
def test_an_item_that_fits_is_taken_though_it_is_empty(dates: list[str]) -> None:
    made = with_body(JSON, {"type": "object", "properties": {"v": _list({"type": "string", "format": "date"})}}, "3.1")
    found = read(made, {"v": dates})
    assert (found.values, found.coerced) == ({"v": dates}, ())


def test_a_required_date_that_is_empty_goes_to_the_api() -> None:
    made = in_parameter("query", {"type": "string", "format": "date"}, "3.1", required=True)
    found = read(made, {"v": ""})
    assert (found.values, found.coerced) == ({"v": ""}, ())


def test_two_hundred_arguments_may_be_null() -> None:
    properties = {f"p{number}": {"type": "integer"} for number in range(200)}
    made = with_body(JSON, {"type": "object", "properties": properties}, "3.1")
    assert read(made, dict.fromkeys(properties)).values == {}


def test_reading_arguments_anew_takes_no_longer_than_looking_for_errors() -> None:
    """Lists are copied once for all of their items, and a long text is read once for all alternatives."""
    choices = {"anyOf": [{"type": "object", "required": [f"k{number}"]} for number in range(40)]}
    properties = {"list": _list(INTEGER), "map": _map(INTEGER), "choice": choices, "choices": _list(choices)}
    made = with_body(JSON, {"type": "object", "properties": properties}, "3.1")
    for arguments in (
        {"list": ["1"] * 150_000},
        {"map": {f"k{number}": None for number in range(40_000)}},
        {"choice": "[" * 60 + "1," * 500_000},
        {"choices": [{"z": "1"}] * 300},
    ):
        began = time.process_time()
        with pytest.raises(ArgumentError):
            read(made, arguments)
        assert time.process_time() - began < 1


def test_arguments_beside_a_long_text_are_read_too() -> None:
    properties = {"text": {"type": "string"}, "size": INTEGER, "name": {"type": "string"}, "flag": {"type": "boolean"}}
    made = with_body(JSON, {"type": "object", "properties": properties}, "3.1")
    long = "x" * 100_000
    found = read(made, {"text": long, "size": None, "name": 5, "flag": "true"})
    assert found.values == {"text": long, "name": "5", "flag": True}


RIGHT = {
    "limit": (INTEGER, ["2", None, ""]),
    "flag": ({"type": "boolean"}, ["true", None]),
    "name": ({"type": "string"}, [5, True, None]),
    "tags": (_list({"type": "string"}), ['["a"]', [1], None]),
    "inner": ({"type": "object", "properties": {"n": INTEGER}}, ['{"n":"1"}', {"n": "1"}, {"n": None}]),
    "either": ({"anyOf": [{"type": "object", "properties": {"n": INTEGER}}, INTEGER]}, [{"n": "1"}, "7"]),
}


@given(
    st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, (_, values) in RIGHT.items()}),
    st.sampled_from(
        [
            ("sort", "nope", 'expected one of "up", "down", got "nope"'),
            ("sort", 5, 'expected one of "up", "down", got 5'),
            ("count", "many", 'expected integer, got "many"'),
            ("count", [], "expected integer, got []"),
        ]
    ),
)
def test_only_the_mistake_is_named_beside_arguments_that_are_right(right: dict[str, Any], mistake: Any) -> None:
    name, value, said = mistake
    assert problems(MISTAKABLE, {**right, name: value}) == [f"- /{name}: {said}"]


MISTAKABLE = with_body(
    JSON,
    {
        "type": "object",
        "properties": {name: schema for name, (schema, _) in RIGHT.items()}
        | {"sort": {"type": "string", "enum": ["up", "down"]}, "count": INTEGER},
    },
    "3.1",
)


def test_a_value_of_unevaluated_properties_is_read_and_told_like_others() -> None:
    record = {
        "allOf": [{"type": "object", "properties": {"id": INTEGER}}, {"type": "object"}],
        "unevaluatedProperties": {"type": "object", "properties": {"n": INTEGER}},
    }
    made = with_body(JSON, {"type": "object", "properties": {"v": record}}, "3.1")
    assert read(made, {"v": {"id": 1, "a": {"n": "2"}}}).values == {"v": {"id": 1, "a": {"n": 2}}}
    assert problems(made, {"v": {"a": {"n": "x"}}}) == ['- /v/a/n: expected integer, got "x"']


# Bodies that the document leaves open


@pytest.mark.parametrize("dialect", ["2.0", *NEWER])
@pytest.mark.parametrize("media", [JSON, FORM, MULTIPART])
def test_what_an_open_body_does_not_name_goes_with_it(media: str, dialect: str) -> None:
    made = in_body(media, {"type": "string"}, dialect, required=False)
    found = read(made, {"w": "x", "undeclared": {"a": 1}})
    assert (found.values, found.others) == ({"w": "x"}, {"undeclared": {"a": 1}})
    assert b"undeclared" in (request.build(made, found.values, found.others).body or b"")
    found = read(made, {"w": 5, "undeclared": None})
    assert (found.values, found.others) == ({"w": "5"}, {"undeclared": None})


@pytest.mark.parametrize("closing", ["additionalProperties", "unevaluatedProperties"])
def test_a_closed_body_takes_what_it_names(closing: str) -> None:
    made = with_body(JSON, {"type": "object", "properties": {"w": {}}, closing: False}, "3.1")
    assert problems(made, {"undeclared": 1}) == ["- /undeclared: unknown; there are w"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Sort-By", "unknown; did you mean sort_by?"),
        ("sort_bi", "unknown; did you mean sort_by?"),
        ("filter[X]", "unknown; did you mean filter_x?"),
    ],
)
def test_a_slip_is_asked_about(name: str, said: str) -> None:
    made = with_body(JSON, {"type": "object", "properties": {"sort_by": {}, "filter[x]": {}}}, "3.1")
    assert problems(made, {name: 1}) == [f"- /{name}: {said}"]


def test_what_is_beside_the_name_that_it_is_like_is_no_slip() -> None:
    made = with_body(JSON, {"type": "object", "properties": {"address1": {"type": "string"}}}, "3.1")
    assert read(made, {"address1": "a", "address2": "b"}).others == {"address2": "b"}


def test_without_a_body_of_named_properties_an_unknown_argument_is_refused() -> None:
    made = in_parameter("query", INTEGER, "3.1", required=False)
    assert problems(made, {"undeclared": 1}) == ["- /undeclared: unknown; there are v"]


@pytest.mark.parametrize(
    ("schema", "given", "said"),
    [
        pytest.param({"type": "integer", "maximum": 5}, "9", "a number of at most 5, got 9", id="too large"),
        pytest.param({"type": ["integer", "null"], "minimum": 1}, "0", "a number of at least 1, got 0", id="or null"),
        pytest.param(
            {"anyOf": [{"type": "integer", "maximum": 5}, {"type": "null"}]},
            "9",
            "a number of at most 5, got 9",
            id="any",
        ),
        pytest.param(
            {"type": "string", "maxLength": 2}, 123, 'at most 2 characters, got "123"', id="a number for text"
        ),
        pytest.param(
            _list({"type": "string"}) | {"maxItems": 1}, '["a","b"]', 'at most 1 items, got ["a","b"]', id="a list"
        ),
        pytest.param({"type": "boolean"}, "9", 'boolean, got "9"', id="another type is told as it was given"),
        pytest.param(
            {"anyOf": [{"type": "boolean"}, {"type": "null"}]}, "9", 'boolean or null, got "9"', id="each other"
        ),
        pytest.param({"type": "integer", "enum": [1, 2]}, "3", 'one of 1, 2, got "3"', id="none of a list"),
    ],
)
def test_a_value_that_was_read_and_is_beyond_a_limit_is_told_by_the_limit(schema: Any, given: Any, said: str) -> None:
    made = with_body(JSON, {"type": "object", "properties": {"v": schema}}, "3.1")
    assert problems(made, {"v": given}) == [f"- /v: expected {said}"]
