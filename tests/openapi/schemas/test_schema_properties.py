"""What holds for every schema: requests are exact, answers loose, everything compiles."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from documents import compiles, got, of_schemas, sent_schema
from openapi_mcp_server.openapi.model import Schema
from openapi_mcp_server.openapi.schemas.keywords import PLAIN
from openapi_mcp_server.openapi.schemas.merging import top_level

OLD = {"type": "string", "nullable": True}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=5,
)
TYPES = st.sampled_from(["object", "array", ["string", "null"]])


def made(always: dict[str, Any], sometimes: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Schemas all of which have the first keywords, and any of the second."""
    return st.recursive(
        st.sampled_from([True, False, {"type": "string"}, {"type": "integer"}, {"enum": ["a", 1]}, {"const": "b"}]),
        lambda inner: st.fixed_dictionaries(
            always,
            optional=sometimes
            | {
                "properties": st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
                "required": st.just(["a"]),
                "additionalProperties": inner,
                "items": inner,
                "prefixItems": st.lists(inner, min_size=1, max_size=2),
                "allOf": st.lists(inner, min_size=1, max_size=2),
                "anyOf": st.lists(inner, min_size=1, max_size=2),
                "not": inner,
                "minItems": st.just(1),
                "patternProperties": st.dictionaries(st.just("^a"), inner, max_size=1),
            },
        ),
        max_leaves=8,
    )


CHOICE = {"oneOf": st.lists(st.deferred(lambda: schemas), min_size=1, max_size=2)}
schemas: st.SearchStrategy[Any] = made({}, {"type": TYPES, **CHOICE})
typed = made({"type": TYPES}, {})
"""Without a type, what has properties is taken for an object; a ``oneOf`` whose choices overlap is one of ``anyOf``."""


@given(typed.filter(lambda schema: isinstance(schema, dict)), json_values)
def test_a_request_is_checked_by_exactly_what_3_1_says(schema, instance):
    description = of_schemas(schema)
    assume(all(note.kind != "schema_repaired" for note in description.notes))  # what test_settling.py is about
    as_written = Schema(msgspec.Raw(msgspec.json.encode(schema)))
    expected = compiles(as_written, {}).is_valid(instance)
    assert compiles(sent_schema(description), description.request_schemas).is_valid(instance) is expected


@given(schemas.filter(lambda schema: isinstance(schema, dict)), json_values)
def test_an_honest_answer_always_fits_its_loose_schema(schema, instance):
    as_written = Schema(msgspec.Raw(msgspec.json.encode(schema)))
    if compiles(as_written, {}).is_valid(instance):
        loose = Schema(msgspec.Raw(msgspec.json.encode(got(of_schemas(schema)))))
        assert compiles(loose, {}).is_valid(instance)
        assert compiles(loose, {}).is_valid(None)


APPLICATORS = (
    "type", "enum", "required", "pattern", "properties", "patternProperties", "items", "prefixItems", "allOf", "anyOf",
    "oneOf", "not", "if", "then", "additionalProperties", "exclusiveMinimum", "example", "examples", "dependentSchemas",
)  # fmt: skip
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*PLAIN, *APPLICATORS, "$ref", "nullable", "$id"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(anything, st.sampled_from(["2.0", "3.0", "3.1", "3.2"]))
def test_whatever_is_written_what_is_emitted_compiles(schema, dialect):
    description = of_schemas(schema, dialect=dialect)
    assert len(description.operations) + len(description.skipped) == 1
    for operation in description.operations:
        assert operation.body is not None
        for sent_as in operation.body.media:
            if sent_as.schema is not None:
                compiles(sent_as.schema, description.request_schemas)
        for got_as in operation.responses[0].media if operation.responses else ():
            if got_as.schema is not None:
                compiles(got_as.schema, description.response_schemas)


@given(schemas.filter(lambda schema: isinstance(schema, dict)), json_values)
def test_merging_never_refuses_what_the_schema_admits(schema, instance):
    description = of_schemas(schema)
    whole = compiles(sent_schema(description), {})
    merged = Schema(msgspec.Raw(msgspec.json.encode(top_level(sent_schema(description), {}))))
    if whole.is_valid(instance):
        assert compiles(merged, {}).is_valid(instance)
