"""Parts of ``allOf`` that close themselves against each other are one object, wherever that stands."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import any_schema
from documents import compiles, got, named, notes, of_schemas, ref, sent, sent_schema, the_answer
from growth import is_linear
from openapi_mcp_server.openapi.model import Schema
from openapi_mcp_server.openapi.schemas import settling

NEGATED = b'{"not":{"$ref":"#/$defs/%b"}}'

BASE = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"], "additionalProperties": False}
MORE = {"type": "object", "properties": {"name": {"type": "string"}}}
BOTH = {"id": {"type": "integer"}, "name": {"type": "string"}}
HOME = {"2.0": "#/definitions"}


def composed(dialect: str) -> dict[str, Any]:
    return {"allOf": [{"$ref": f"{HOME.get(dialect, '#/components/schemas')}/Base"}, MORE]}


@pytest.mark.parametrize("dialect", ["2.0", "3.0", "3.1", "3.2"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda schema: schema,
        lambda schema: {"type": "object", "properties": {"v": schema}},
        lambda schema: {"type": "array", "items": schema},
        lambda schema: {"type": "object", "additionalProperties": schema},
    ],
    ids=["whole", "property", "item", "map"],
)
def test_the_properties_of_all_parts_are_taken(dialect: Any, wrap: Any) -> None:
    description = of_schemas(wrap(composed(dialect)), dialect=dialect, Base=BASE)
    merged = wrap({"type": "object", "properties": BOTH, "required": ["id"], "additionalProperties": False})
    assert sent(description) == merged
    assert [kind for kind, _ in notes(description)] == ["schema_repaired"]


def test_the_note_says_where_it_is() -> None:
    holder = {"type": "object", "properties": {"v": composed("3.1")}}
    description = of_schemas({"$ref": "#/components/schemas/Holder"}, Holder=holder, Base=BASE)
    assert notes(description) == [("schema_repaired", "#/components/schemas/Holder/properties/v")]


@pytest.mark.parametrize(
    ("parts", "fitting", "refused"),
    [
        pytest.param(
            {"allOf": [MORE], "properties": {"own": {}}, "additionalProperties": False},
            {"name": "x", "own": 1},
            {"other": 1},
            id="the whole closes itself against a part",
        ),
        pytest.param(
            {"allOf": [{**MORE, "unevaluatedProperties": False}, {"properties": {"own": {}}}]},
            {"name": "x", "own": 1},
            {"name": 5},
            id="a part is closed by what is not evaluated",
        ),
        pytest.param(
            {
                "allOf": [
                    {**MORE, "additionalProperties": {"type": "string"}},
                    {"properties": {"n": {"type": "integer"}}},
                ]
            },
            {"name": "x", "n": 1, "other": "y"},
            {"n": "x"},
            id="a part says what all others are",
        ),
        pytest.param(
            {"allOf": [{"allOf": [{"$ref": "#/components/schemas/Base"}]}, MORE]},
            {"id": 1, "name": "x"},
            {"name": "x"},
            id="behind another combination",
        ),
        pytest.param(
            {"allOf": [{"$ref": "#/components/schemas/Base"}, {"anyOf": [MORE, {"properties": {"b": {}}}]}, MORE]},
            {"id": 1, "name": "x", "b": 2},
            {"id": 1, "other": 2},
            id="a choice beside it",
        ),
    ],
)
def test_what_fits_all_parts_fits(parts: Any, fitting: Any, refused: Any) -> None:
    description = of_schemas(parts, Base=BASE)
    validator = compiles(sent_schema(description), description.request_schemas)
    assert validator.is_valid(fitting)
    assert not validator.is_valid(refused)


@pytest.mark.parametrize(
    "parts",
    [
        {"allOf": [MORE, {"type": "object", "properties": {"b": {}}}]},
        {"allOf": [{**MORE, "additionalProperties": False}, {"required": ["name"]}]},
        {"allOf": [{**MORE, "additionalProperties": False}, {"description": "d", "minProperties": 1}]},
    ],
)
def test_parts_that_do_not_contradict_each_other_stay(parts: Any) -> None:
    description = of_schemas(parts)
    assert len(sent(description)["allOf"]) == 2
    assert notes(description) == []


def test_the_part_by_itself_stays_closed() -> None:
    description = of_schemas(
        {"properties": {"v": composed("3.1"), "b": {"$ref": "#/components/schemas/Base"}}}, Base=BASE
    )
    assert named(description.request_schemas)["Base"]["additionalProperties"] is False


def test_answers_are_told_alike() -> None:
    parts = [{**MORE, "additionalProperties": {"type": "string"}}, {"properties": {"n": {"type": "integer"}}}]
    assert set(got(of_schemas({"allOf": parts}))["properties"]) == {"name", "n"}


STATES = {"type": "string", "enum": ["draft", "closed"]}
PLACES = {
    "whole": (lambda schema: schema, lambda value: value),
    "property": (lambda schema: {"properties": {"v": schema}}, lambda value: {"v": value}),
    "item": (lambda schema: {"items": schema}, lambda value: [value]),
    "map": (lambda schema: {"type": "object", "additionalProperties": schema}, lambda value: {"k": value}),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("dialect", "beside", "takes_null"),
    [
        ("3.1", lambda ref: {"oneOf": [ref, {"type": "null"}]}, True),
        ("3.1", lambda ref: {"anyOf": [ref, {"type": "null"}]}, True),
        ("3.2", lambda ref: {"oneOf": [{"type": "integer"}, ref]}, False),
        ("3.1", lambda ref: {"description": "d", **ref}, False),
        ("3.0", lambda ref: {"oneOf": [ref]}, False),
        ("3.0", lambda ref: {"nullable": True, "allOf": [ref]}, True),
        ("3.0", lambda ref: {"allOf": [{"anyOf": [ref, {"type": "string", "maxLength": 1}]}]}, False),
        ("2.0", lambda ref: {"allOf": [ref]}, False),
    ],
)
def test_a_type_that_nothing_combined_beside_it_has_is_left_out(
    dialect: Any, beside: Any, takes_null: bool, place: str
) -> None:
    ref = {"$ref": f"{HOME.get(dialect, '#/components/schemas')}/State"}
    written, at = PLACES[place]
    description = of_schemas(written({"type": "object", **beside(ref)}), dialect=dialect, State=STATES)
    takes = compiles(sent_schema(description), description.request_schemas).is_valid
    assert [takes(at(value)) for value in ("draft", "closed", None, "other", {})] == [
        True,
        True,
        takes_null,
        False,
        False,
    ]
    assert {kind for kind, _ in notes(description)} == {"schema_repaired"}
    gets = compiles(the_answer(description), description.response_schemas).is_valid
    assert gets(at("draft"))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "oneOf": [{"$ref": "#/components/schemas/State"}, {"type": "null"}]},
        {"type": "object", "anyOf": [{"$ref": "#/components/schemas/State"}, MORE]},
        {"type": "integer", "anyOf": [{"type": "number", "minimum": 1}]},
        {"type": "object", "anyOf": [{"$ref": "#/components/schemas/Loop"}]},
        {"properties": {"type": {"type": "string"}, "anyOf": {"type": "string"}}},
        {"type": "object", "default": {"type": "object", "anyOf": [{"type": "string"}, 5]}},
    ],
    ids=["the same", "one of them", "a whole number", "a circle", "names of properties", "data"],
)
def test_a_type_that_something_combined_beside_it_has_stays(schema: Any) -> None:
    description = of_schemas(schema, State=STATES, Loop={"anyOf": [{"$ref": "#/components/schemas/Loop"}, MORE]})
    assert sent(description).get("type", "object") == schema.get("type", "object")
    assert notes(description) == []


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def with_rank(name: str) -> dict[str, Any]:
    return {"allOf": [{"properties": {"rank": {"type": "integer"}}}, ref(name)]}


CIRCLES: dict[str, tuple[dict[str, Any], list[Any], list[Any]]] = {
    "in itself": (
        {"A": closed(name={"type": "string"}, mother=with_rank("A"))},
        [{"name": "x"}, {"mother": {"rank": 1, "name": "y"}}, {"mother": {"mother": {"anything": 1}}}],
        [{"rank": 1}, {"mother": {"rank": "x"}}, {"mother": {"name": 1}}],
    ),
    "in a list": (
        {"A": closed(name={"type": "string"}, siblings={"type": "array", "items": with_rank("A")})},
        [{"siblings": [{"rank": 1, "siblings": [{"rank": 2}]}]}],
        [{"siblings": [{"rank": "x"}]}],
    ),
    "two in each other": (
        {"A": closed(b=with_rank("B")), "B": closed(a=with_rank("A"))},
        [{"b": {"rank": 1, "a": {"rank": 2, "b": {"rank": 3}}}}],
        [{"b": {"rank": "x"}}, {"b": {"a": {"rank": "x"}}}],
    ),
    "through a reference": (
        {"A": closed(b=ref("B")), "B": {"allOf": [closed(name={}), {"properties": {"a": ref("A")}}]}},
        [{"b": {"name": 1, "a": {"b": {"name": 2}}}}],
        [{"b": {"other": 1}}],
    ),
}


@pytest.mark.parametrize(("schemas", "fitting", "refused"), CIRCLES.values(), ids=CIRCLES)
def test_what_would_be_merged_into_itself_is_any_object_there(schemas: Any, fitting: Any, refused: Any) -> None:
    description = of_schemas(ref("A"), **schemas)
    takes = compiles(sent_schema(description), description.request_schemas).is_valid
    assert [value for value in fitting if not takes(value)] == []
    assert [value for value in refused if takes(value)] == []


def test_what_is_beside_the_part_that_it_would_be_merged_into_is_told() -> None:
    description = of_schemas(ref("A"), A=closed(name={"type": "string"}, mother=with_rank("A")))
    takes = compiles(sent_schema(description), description.request_schemas).is_valid
    assert takes({"mother": {"rank": 1, "mother": {"rank": 2, "anything": 3}}})
    assert not takes({"mother": {"rank": 1, "mother": {"rank": "x"}}})


LETTERS = st.sampled_from("abc")
LEAVES = st.sampled_from([{"type": "string"}, {"type": "integer"}, {"minLength": 2}, {}, *map(ref, ("S0", "S1", "S2"))])
CLOSING = st.sampled_from([{}, {}, {"additionalProperties": False}, {"additionalProperties": {"type": "integer"}}])


def objects(inner: any_schema.Anything) -> any_schema.Anything:
    parts = st.dictionaries(LETTERS, inner, max_size=2)
    return st.builds(lambda named, rest: {"type": "object", "properties": named, **rest}, parts, CLOSING)


COMBINING = st.recursive(
    LEAVES, lambda inner: st.one_of(objects(inner), any_schema.combined("allOf")(inner)), max_leaves=8
)
VALUES = any_schema.values(st.sampled_from(["", "xx", 1, None]), st.sampled_from("abcd"))


@settings(max_examples=300)
@given(st.tuples(COMBINING, COMBINING, COMBINING), st.lists(VALUES, min_size=1, max_size=10))
def test_whatever_all_parts_take_is_taken(schemas: Any, values: list[Any]) -> None:
    named_schemas = {f"S{number}": schema for number, schema in enumerate(schemas)}
    description = of_schemas(ref("S0"), **named_schemas)
    assume(description.operations)  # a reference may lead to itself
    takes_all = jsonschema_rs.Draft202012Validator(ref("S0") | {"components": {"schemas": named_schemas}}).is_valid
    settled = compiles(sent_schema(description), description.request_schemas).is_valid
    assert [value for value in values if takes_all(value) and not settled(value)] == []


def test_many_that_would_be_merged_into_each_other_stay_small() -> None:
    every = range(12)
    schemas = {f"A{i}": closed(**{f"x{i}": {}}, **{f"q{j}": with_rank(f"A{j}") for j in every}) for i in every}
    description = of_schemas(ref("A0"), **schemas)
    written = sum(len(bytes(schema.json)) for schema in description.request_schemas.values())
    assert written < 3 * settling.MAX_MERGED_BYTES
    assert len(description.notes) == len(every) ** 2


def test_what_is_not_merged_for_its_size_is_noted() -> None:
    large = closed(**{f"x{i}": {"description": "x" * 1_000} for i in range(1_000)})
    schemas = {"Large": large} | {f"A{i}": {"allOf": [ref("Large"), closed(y={})]} for i in range(6)}
    description = of_schemas({"properties": {f"a{i}": ref(f"A{i}") for i in range(6)}}, **schemas)
    told = [note.message.rpartition(";")[2] for note in description.notes]
    assert sorted(told) == [" all parts were taken for one object"] * 5 + [" any object is taken here"]


@pytest.mark.parametrize("combined", ["allOf", "anyOf", "oneOf"])
@pytest.mark.parametrize("length", [30, 3_000])
def test_many_in_a_row_cost_no_other_operation(combined: str, length: int) -> None:
    schemas = {f"S{i}": {"type": "object", combined: [ref(f"S{i + 1}"), {"minProperties": 1}]} for i in range(length)}
    description = of_schemas(ref("S0"), **schemas, **{f"S{length}": {"type": "object"}})
    assert len(description.operations) == 1
    assert notes(description) == []


@pytest.mark.parametrize("keyword", ["not", "if"])
def test_each_of_many_negated_within_each_other_is_looked_at_once(keyword: str) -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(20):  # a million looks, if each level had its own
        schema = {keyword: schema}
    began = time.process_time()
    description = of_schemas({"type": "object", "properties": {"a": schema}}, dialect="3.1")
    assert time.process_time() - began < 1
    assert sent(description)["properties"]["a"] == schema


def test_whether_definitions_lead_to_what_takes_more_is_found_out_in_linear_time() -> None:
    def in_a_row(count: int) -> dict[str, Schema]:
        names = [f"S{number}" for number in range(count)]
        row = {
            name: Schema(msgspec.Raw(NEGATED % next_one.encode()), (next_one,)) for name, next_one in pairwise(names)
        }
        return {**row, names[-1]: Schema(msgspec.Raw(b"{}"))}

    def settle(definitions: dict[str, Schema]) -> None:
        settled = settling.Settling(definitions)
        settled.loosened.add(next(reversed(definitions)))
        for each in definitions.values():
            settled.settled(each, lambda _path, _repair: None)

    assert is_linear(settle, in_a_row)


@given(st.data())
def test_what_leads_to_what_takes_more_is_not_negated(data: st.DataObject) -> None:
    names = [f"S{number}" for number in range(7)]
    refs = {name: data.draw(st.sets(st.sampled_from(names), max_size=2)) for name in names}
    loosened = data.draw(st.sets(st.sampled_from(names), max_size=2))
    settled = settling.Settling({name: Schema(msgspec.Raw(b"{}"), tuple(sorted(refs[name]))) for name in names})
    settled.loosened |= loosened
    for name in data.draw(st.permutations(names)):
        reached = {name}
        for _ in names:
            reached |= {ref for each in reached for ref in refs[each]}
        kept = settled.settled(Schema(msgspec.Raw(NEGATED % name.encode()), (name,)), lambda _path, _repair: None)
        assert (b"not" in bytes(kept.json)) is reached.isdisjoint(loosened)
