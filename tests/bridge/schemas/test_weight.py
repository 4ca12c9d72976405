"""What several schemas and patterns ask of one value: weighed, and large values bounded by it."""

from __future__ import annotations

import random
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from growth import is_linear
from openapi_mcp_server.bridge.media import exact_json
from openapi_mcp_server.bridge.schemas import validation, weight
from openapi_mcp_server.bridge.schemas.digits import Comparisons, are_long, are_many
from openapi_mcp_server.bridge.schemas.excerpt import Excerpt
from openapi_mcp_server.errors import ArgumentError

ONE = {"type": "integer"}
CHOICE = {"anyOf": [{"type": "object", "required": [f"a{number}"]} for number in range(300)]}
SLOW = "a[ab]{1000}c"


def of(schema: Any) -> weight.Weight:
    return weight.of(msgspec.json.encode(schema))


def wrapped(schema: Any, **definitions: Any) -> bytes:
    return msgspec.json.encode({"type": "object", "properties": {"x": schema}, "$defs": definitions})


@pytest.mark.parametrize(
    ("schema", "schemas"),
    [
        (ONE, 1),
        ({"properties": {"a": ONE, "b": ONE}}, 1),
        ({"allOf": [ONE, ONE]}, 3),
        ({"properties": {"a": {"anyOf": [ONE, ONE, {"not": ONE}]}}}, 5),
        ({"allOf": [{"properties": {"a": ONE}}, {"properties": {"a": ONE}}]}, 3),
        ({"items": ONE, "contains": ONE}, 2),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"allOf": [{"$ref": "#/$defs/B"}] * 2}, "B": ONE}}, 6),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"properties": {"a": {"$ref": "#/$defs/A"}}}}}, 2),
        (True, 1),
    ],
)
def test_schemas_are_counted_that_apply_at_one_place(schema: Any, schemas: int) -> None:
    assert of(schema).schemas == schemas


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"enum": ["a", 1, 2.5, True]}, (4, 2, 1, 0)),
        ({"enum": [None, False, '\\",', "", -1]}, (5, 1, 0, 0)),
        ({"items": {"const": 7}, "minItems": 1}, (1, 1, 0, 0)),
        ({"properties": {"a": {"enum": [1]}, "b": {"enum": ["x"] * 5}}}, (5, 1, 0, 0)),
        ({"anyOf": [{"enum": [1, 2]}, {"$ref": "#/$defs/A"}], "$defs": {"A": {"enum": [3]}}}, (3, 3, 0, 0)),
        ({"minimum": 1, "maximum": 5, "allOf": [{"multipleOf": 0.5}]}, (0, 0, 0, 3)),
    ],
)
def test_what_a_value_is_compared_with_at_one_place_is_counted(schema: Any, told: tuple[int, ...]) -> None:
    encoded = msgspec.json.encode(schema)
    numbers = weight.numbers_to_choose_from(encoded)
    assert (of(schema).options, numbers.options, numbers.fractions, weight.bounds(encoded)) == told


def test_values_to_choose_from_count_among_what_an_error_takes_since_each_has_a_copy_of_all() -> None:
    assert of({"enum": [f"a{number}" for number in range(1_600)]}).errors == 1 + 1_600 // weight.OPTIONS_OF_AN_ERROR
    schema = wrapped({"type": "array", "items": {"enum": [f"code {number}" for number in range(10_000)]}})
    found = validation.errors({"x": [0] * 1_000}, schema, 2_010)
    assert 10 < len(found) <= validation.LEAST_SEARCHED


SIZES = wrapped({"type": "array", "items": {"enum": [*range(1_000)]}})
BOUNDED = wrapped({"type": "array", "items": {"type": "number", "minimum": 0.5, "multipleOf": 0.1}})


@pytest.mark.parametrize(
    ("schema", "numbers", "is_refused"),
    [
        (SIZES, "7", False),
        (SIZES, ",".join(["7"] * 50_000), False),
        (SIZES, "0.5,1.5,2e1," + str(2**64), False),
        (SIZES, ",".join(["0.5"] * 31), True),
        (SIZES, "1e999", True),
        (SIZES, "0." + "1" * 600, True),
        (SIZES, "1" * 2_000, True),
        (SIZES, ",".join([f'"0.{"1" * 600}"'] * 9), False),
        (wrapped({"items": {"enum": [n + 0.5 for n in range(500)]}}), ",".join(["7"] * 110), True),
        (wrapped({"items": {"enum": [n + 0.5 for n in range(500)]}}), ",".join(["7"] * 59), False),
        (wrapped({"items": {"enum": ["0.5"] * 500}}), ",".join(["0.7"] * 5_000), False),
        (BOUNDED, ",".join(["0.5"] * 50_000), False),
        (BOUNDED, "0." + "1" * 4_000, False),
        (BOUNDED, ",".join(["0." + "1" * 4_000] * 20), True),
    ],
)
def test_numbers_are_compared_as_far_as_their_digits_allow(schema: bytes, numbers: str, is_refused: bool) -> None:
    text = f'{{"x":[{numbers}]}}'.encode()
    values = exact_json.decode(text)
    if is_refused:
        with pytest.raises(ArgumentError, match=r"too many numbers, or too long ones.*give fewer"):
            validation.require_bounded(values, schema, text)
    else:
        validation.require_bounded(values, schema, text)


def test_numbers_of_other_places_are_not_counted_there() -> None:
    row = {"type": "object", "properties": {"size": {"enum": [256, 512]}, "vector": {"items": {"type": "number"}}}}
    given = {"size": 256, "vector": [0.5] * 1_500}
    text = msgspec.json.encode({"x": [given] * 30})
    validation.require_bounded(exact_json.decode(text), wrapped({"type": "array", "items": row}), text)


def test_what_stands_beside_them_is_not_counted_either() -> None:
    row = {"properties": {"rate": {"enum": [0.5, 1.5]}, **{name: {"type": "number"} for name in "abcd"}}}
    text = msgspec.json.encode({"x": [dict.fromkeys(["rate", *"abcd"], 0.5)] * 10_000})
    validation.require_bounded(exact_json.decode(text), wrapped({"items": row}), text)


def test_definitions_that_lead_to_numbers_are_found_in_linear_time() -> None:
    def chain(length: int) -> bytes:
        row = {f"A{index}": {"not": {"$ref": f"#/$defs/A{index + 1}"}} for index in range(length)}
        return wrapped({}, **row, **{f"A{length}": {"enum": [0.5]}})

    assert is_linear(lambda schema: Comparisons(schema, validation.COMPARISONS), chain)


def test_those_of_a_schema_that_leads_to_itself_are_counted_at_every_level() -> None:
    tree = {"type": "object", "properties": {"v": {"enum": [*range(500)]}, "kids": {"items": {"$ref": "#/$defs/T"}}}}
    leaf = {"kids": [{"v": 0.5}] * 70}
    text = msgspec.json.encode({"x": {"kids": [{"kids": [leaf]}]}})
    with pytest.raises(ArgumentError, match="too many numbers"):
        validation.require_bounded(exact_json.decode(text), wrapped({"$ref": "#/$defs/T"}, T=tree), text)


def test_so_are_those_that_were_read_in_texts() -> None:
    with pytest.raises(ArgumentError, match="too many numbers, or too long ones"):
        validation.errors(exact_json.decode(b'{"x":[%b]}' % b",".join([b"0.5"] * 200)), SIZES, 1_000)


def test_a_row_of_definitions_is_no_trouble() -> None:
    row = {f"A{index}": {"properties": {"a": {"$ref": f"#/$defs/A{index + 1}"}}} for index in range(2_000)}
    assert of({"$ref": "#/$defs/A0", "$defs": row}).schemas == 2


def test_patterns_weigh_what_they_take_where_they_apply_together() -> None:
    apart = of({"properties": {"a": {"pattern": SLOW}, "b": {"pattern": "^a"}}})
    together = of({"allOf": [{"pattern": SLOW}, {"pattern": "^a"}], "patternProperties": {"^x": {}}})
    assert 50_000 < apart.patterns < apart.all_patterns
    assert apart.patterns < together.patterns


def test_a_pattern_holds_for_values_as_long_as_it_can_be_afforded() -> None:
    schema = wrapped({"pattern": "^[0-9a-f-]{36}$"})
    (error,) = validation.errors({"x": "g" * 30_000}, schema, 30_010)
    assert error.kind.name == "pattern"
    slow = wrapped({"pattern": SLOW})
    assert validation.errors({"x": "b" * 5_000}, slow, 5_010)
    began = time.thread_time()
    text = "".join(random.Random(1).choices("ab", k=4_000_000))
    assert validation.errors({"x": text}, slow, len(text) + 10) == []
    assert time.thread_time() - began < 1  # 14 s and more if it were matched


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        ({"oneOf": [{"pattern": SLOW}, {"pattern": "^b"}]}, "b" * 20_000, True),
        ({"not": {"pattern": SLOW}}, "b" * 20_000, True),
        ({"patternProperties": {SLOW: {}}, "additionalProperties": False}, {"b" * 20_000: 1}, True),
        ({"pattern": SLOW, "maxLength": 5}, "b" * 20_000, False),
    ],
)
def test_without_its_patterns_a_schema_only_takes_more(schema: Any, value: Any, fits: bool) -> None:
    assert bool(validation.errors({"x": value}, wrapped(schema), 20_010)) is not fits


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([1] * 30_000, None),
        ([1] * 1_000_000, "more than 33,222 values"),
        ("text, with, commas," * 50_000, None),
    ],
)
def test_values_are_counted_where_many_schemas_apply(value: Any, problem: str | None) -> None:
    schema = wrapped(CHOICE)
    text = msgspec.json.encode({"x": value})
    if problem is None:
        validation.require_bounded({"x": value}, schema, text)
    else:
        with pytest.raises(ArgumentError, match=problem):
            validation.require_bounded({"x": value}, schema, text)


def test_the_errors_of_a_large_value_are_those_of_its_beginning() -> None:
    schema = wrapped({"type": "array", "items": CHOICE})
    found = validation.errors({"x": [{}] * 30_000}, schema, 90_010)
    assert 10 < len(found) <= validation.MAX_ERRORS
    assert {error.kind.name for error in found} == {"anyOf"}


def test_an_error_that_its_beginning_does_not_show_is_looked_for_with_its_place() -> None:
    schema = wrapped({"type": "array", "items": {"type": "integer"}})
    [error] = validation.errors({"x": [1] * 15_000 + ["a"]}, schema, 30_010)
    assert (list(error.instance_path), error.kind.name) == (["x", 15_000], "type")


def test_an_error_that_is_too_far_from_the_beginning_is_told_with_as_much_of_its_place_as_is_known() -> None:
    schema = wrapped({"type": "array", "items": {"type": "integer"}})
    with pytest.raises(ArgumentError, match="at /x, and are too long to say why"):
        validation.errors({"x": [1] * 300_000 + ["a"]}, schema, 600_010)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner, max_size=6),
    max_leaves=30,
)
SCHEMAS: list[Any] = [
    {"type": "array", "minItems": 3, "items": {"type": "object", "required": ["a"]}, "uniqueItems": True},
    {"anyOf": [{"type": "string", "maxLength": 5}, {"type": "object", "minProperties": 2}, {"enum": [[1, 2], "ab"]}]},
    {"not": {"type": "array", "contains": {"type": "integer"}}, "maxItems": 2, "pattern": "^a"},
    {"type": "object", "additionalProperties": {"type": ["integer", "array"]}, "properties": {"": False}},
]  # fmt: skip


@given(json_values, st.integers(1, 12), st.sampled_from(SCHEMAS))
def test_no_error_is_told_that_the_whole_value_has_not(value: Any, values: int, schema: Any) -> None:
    validator = validation.compiled(msgspec.json.encode(schema))
    excerpt = Excerpt(value, values)
    whole = {(*error.instance_path, error.kind.name) for error in validator.iter_errors(value)}
    told = [error for error in validator.iter_errors(excerpt.value) if excerpt.is_certain(error)]
    assert {(*error.instance_path, error.kind.name) for error in told} <= whole


@given(json_values)
def test_a_small_value_is_its_own_excerpt(value: Any) -> None:
    assert Excerpt(value, 1_000).value == value


@pytest.mark.parametrize(
    ("number", "is_odd", "is_long"),
    [
        ("7", False, False),
        ("123456789012345678", False, False),
        ("9223372036854775807", True, False),
        ("0.5", True, False),
        ("1e5", True, False),
        ("1E-99", True, False),
        ("1e100", True, True),
        ("2E-987", True, True),
        ("3e+123", True, True),
        ("9" * 99, True, False),
        ("8" * 100, True, True),
    ],
)
def test_odd_and_long_numbers_are_seen_in_a_text(number, is_odd, is_long):
    text = f'{{"a":"-.eE","b":[{number}]}}'.encode()
    assert (are_many(text), are_long(text)) == (is_odd, is_long)
