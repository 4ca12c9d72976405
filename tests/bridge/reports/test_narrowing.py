"""Two schemas of the same arguments: what the newer one no longer takes is said, and marked as breaking."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openapi_mcp_server.bridge.reports.narrowing import compare


def differences(old: Any, new: Any, **definitions: Any) -> list[tuple[str, str, bool]]:
    """Of an argument ``a``."""
    before, after = ({"type": "object", "properties": {"a": each}, "$defs": definitions} for each in (old, new))
    return [tuple(each) for each in compare(before, after)]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"type": "string"}, {"type": "string", "description": "x"}, []),
        ({"type": "string"}, {"type": "integer"}, [("a", "is integer, was string", True)]),
        ({"type": "integer"}, {"type": "number"}, [("a", "is number, was integer", False)]),
        ({"type": "number"}, {"type": "integer"}, [("a", "is integer, was number", True)]),
        ({"type": ["string", "null"]}, {"type": "string"}, [("a", "is string, was null or string", True)]),
        ({"type": "string"}, {}, [("a", "is anything, was string", False)]),
        ({"enum": ["x"]}, {"enum": ["z"]}, [("a", 'no longer takes "x"', True), ("a", 'takes "z" too', False)]),
        ({"enum": [1, "x"]}, {"enum": [1, "x"], "type": "integer"}, [("a", 'no longer takes "x"', True)]),
        ({"enum": [1]}, {"enum": [True]}, [("a", "no longer takes 1", True), ("a", "takes true too", False)]),
        ({"type": "string"}, {"type": "string", "enum": ["x"]}, [("a", 'takes only "x" now', True)]),
        ({"const": "x"}, {"type": "string"}, [("a", "takes more than the listed values", False)]),
        ({"maximum": 5}, {"maximum": 4}, [("a", "has maximum 4, was 5", True)]),
        ({"maximum": 5}, {"maximum": 6}, [("a", "has maximum 6, was 5", False)]),
        ({"minLength": 5}, {}, [("a", "has no minLength any more", False)]),
        ({"pattern": "a"}, {"pattern": "b"}, [("a", 'has pattern "b", was "a"', True)]),
        ({"contentSchema": {}}, {"contentSchema": True}, [("a", "has contentSchema true, was {}", True)]),
        ({"format": "date"}, {"format": "date-time"}, [("a", 'has format "date-time", was "date"', False)]),
        ({"items": {"type": "string"}}, {"items": {"type": "null"}}, [("a[]", "is null, was string", True)]),
        ({"properties": {"b": {}}}, {"properties": {}}, [("a.b", "is gone", True)]),
        ({}, {"properties": {"b": {}}}, [("a.b", "is new", False)]),
        ({}, {"properties": {"b": {}}, "required": ["b"]}, [("a.b", "is new and required", True)]),
        ({"properties": {"b": {}}}, {"properties": {"b": {}}, "required": ["b"]}, [("a.b", "is required now", True)]),
        ({"required": ["b"], "properties": {"b": {}}}, {"properties": {"b": {}}}, [("a.b", "is optional now", False)]),
        ({}, {"required": ["b"]}, [("a.b", "is required now", True)]),
        ({}, {"additionalProperties": False}, [("a", "takes no other members any more", True)]),
        ({"additionalProperties": False}, {}, [("a", "takes other members now", False)]),
        ({"anyOf": [{"const": 1}, {"const": 2}]}, {"anyOf": [{"const": 2}]}, [("a", "has fewer alternatives", True)]),
        ({"oneOf": [{"const": 1}]}, {"oneOf": [{"const": 2}, {"const": 1}]}, [("a", "has more alternatives", False)]),
        ({"allOf": [{}]}, {"allOf": [{}, {"minimum": 1}]}, [("a", "is bound to more conditions", True)]),
        ({}, {"not": {"const": 1}}, [("a", 'has not {"const":1}', True)]),
        (True, False, [("a", "has not {}", True)]),
    ],
)  # fmt: skip
def test_a_difference_is_said_once_and_breaks_if_something_is_refused_now(old: Any, new: Any, said: list[Any]) -> None:
    assert differences(old, new) == said


def test_schemas_that_refer_to_themselves_come_to_an_end() -> None:
    ref = {"$ref": "#/$defs/Node"}
    node = {"properties": {"next": ref, "size": {"type": "integer"}}}
    assert differences(ref, ref, Node=node) == []
    narrower = {"properties": {"next": ref, "size": {"type": "string"}}}
    old = {"properties": {"a": ref}, "$defs": {"Node": node}}
    assert compare(old, {"properties": {"a": ref}, "$defs": {"Node": narrower}}) == [
        ("a.size", "is string, was integer", True)
    ]


def test_what_is_deeper_than_anybody_writes_is_compared_as_a_whole() -> None:
    def nested(inner: Any) -> Any:
        for _ in range(200):
            inner = {"items": inner}
        return inner

    ((_, what, breaks),) = differences(nested({}), nested({"type": "string"}))
    assert (what, breaks) == ("is described differently", True)


LEAVES = st.fixed_dictionaries(
    {"type": st.sampled_from(["string", "integer", "number", "boolean", ["string", "null"]])},
    optional={
        "enum": st.lists(st.sampled_from([1, "x", None, True, 2.5]), min_size=1, max_size=3, unique_by=repr),
        "minimum": st.integers(0, 3),
        "maxLength": st.integers(0, 3),
    },
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.fixed_dictionaries(
            {
                "type": st.just("object"),
                "properties": st.dictionaries(st.sampled_from("bc"), inner, max_size=2),
                "additionalProperties": st.one_of(st.just(value=False), inner),
            },
            optional={"required": st.lists(st.sampled_from("bc"), unique=True)},
        ),
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=2)}),
    ),
    max_leaves=4,
)
"""No objects that are open to anything: a member that gets a name and a type there is new and breaks nothing."""
VALUES = st.recursive(
    st.sampled_from([None, True, 0, 1, 2, 2.5, "", "x", "long text"]),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("bcd"), inner, max_size=3)),
    max_leaves=4,
)


@given(SCHEMAS, SCHEMAS, VALUES)
def test_a_value_that_is_refused_only_now_comes_with_a_difference_that_breaks(old: Any, new: Any, value: Any) -> None:
    was, now = (jsonschema_rs.Draft202012Validator(each).is_valid(value) for each in (old, new))
    if was and not now:
        assert any(breaks for _, _, breaks in differences(old, new))


@given(SCHEMAS)
def test_a_schema_does_not_differ_from_itself(schema: Any) -> None:
    assert differences(schema, schema) == []
