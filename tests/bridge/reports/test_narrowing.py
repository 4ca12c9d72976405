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
        ({"type": "string"}, {"anyOf": [{"type": "string"}, {"type": "null"}]}, [("a", "takes null too", False)]),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "string"}, [("a", "no longer takes null", True)]),
        ({"$ref": "#/$defs/O"}, {"anyOf": [{"$ref": "#/$defs/O"}, {"type": "null"}]}, [("a", "takes null too", False)]),
        ({"type": "string"}, {"oneOf": [{"type": "null"}, {"type": "string", "maxLength": 1}]},
         [("a", "has maxLength 1", True), ("a", "takes null too", False)]),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {}, [("a", "is anything, was string", False)]),
        ({"type": "object", "properties": {"b": {}}}, {"anyOf": [{"type": "string"}, {"type": "object"}]},
         [("a.b", "is gone", True), ("a", "has more alternatives", False)]),
        ({"anyOf": [{"const": 1}, {"const": 2}]}, {"oneOf": [{"const": 1}, {"const": 2}]},
         [("a", "takes only what fits one of its alternatives now", True)]),
        ({"prefixItems": [{"type": "number"}]}, {"prefixItems": [{"type": "integer"}]},
         [("a[0]", "is integer, was number", True)]),
        ({"prefixItems": [{}]}, {"prefixItems": [{}, {}]}, [("a", "has other first items", True)]),
        ({"patternProperties": {"^x": {}}}, {"patternProperties": {"^x": {"type": "null"}}},
         [("a.^x", "is null, was anything", True)]),
        ({}, {"patternProperties": {"^x": {}}}, [("a.^x", "is bound to conditions now", True)]),
        ({"patternProperties": {"^x": {}}}, {}, [("a.^x", "is gone", False)]),
        ({}, {"not": {"const": 1}}, [("a", 'has not {"const":1}', True)]),
        (True, False, [("a", "has not {}", True)]),
    ],
)  # fmt: skip
def test_a_difference_is_said_once_and_breaks_if_something_is_refused_now(old: Any, new: Any, said: list[Any]) -> None:
    assert differences(old, new) == said


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/O"},
        {"items": {"$ref": "#/$defs/O"}},
        {"properties": {"b": {"$ref": "#/$defs/O"}}},
        {"additionalProperties": {"$ref": "#/$defs/O"}},
        {"patternProperties": {"^x": {"$ref": "#/$defs/O"}}},
        {"prefixItems": [{"$ref": "#/$defs/O"}]},
        {"allOf": [{"$ref": "#/$defs/O"}]},
        {"anyOf": [{"$ref": "#/$defs/O"}, {"type": "null"}]},
        {"oneOf": [{"type": "null"}, {"$ref": "#/$defs/O"}]},
        {"type": "object", "anyOf": [{"$ref": "#/$defs/O"}, {"required": ["b"]}]},
        {"not": {"$ref": "#/$defs/O"}},
        {"if": {"$ref": "#/$defs/O"}, "then": {"required": ["b"]}},
        {"if": {}, "then": {"$ref": "#/$defs/O"}},
        {"contains": {"$ref": "#/$defs/User"}},
        {"propertyNames": {"$ref": "#/$defs/O"}},
        {"dependentSchemas": {"b": {"$ref": "#/$defs/User"}}},
        {"unevaluatedProperties": {"$ref": "#/$defs/O"}},
        {"unevaluatedItems": {"$ref": "#/$defs/O"}},
        {"contentSchema": {"$ref": "#/$defs/O"}},
    ],
    ids=" ".join,
)
def test_what_changes_in_a_definition_breaks_wherever_it_is_referred_to(schema: Any) -> None:
    user = {"User": {"items": {"$ref": "#/$defs/O"}}}
    old, new = ({"properties": {"a": schema}, "$defs": {"O": {"type": kind}, **user}} for kind in ("number", "integer"))
    assert [each.breaks for each in compare(old, new)] == [True]
    assert compare(old, old) == []


def test_alternatives_that_are_alternatives_again_come_to_an_end() -> None:
    def made(kind: str) -> Any:
        ways = [{"$ref": f"#/$defs/U{index}"} for index in range(12)]
        definitions = {f"U{index}": {"anyOf": [*ways, {"type": kind}]} for index in range(12)}
        return {"properties": {"a": {"$ref": "#/$defs/U0"}}, "$defs": definitions}

    assert any(each.breaks for each in compare(made("number"), made("integer")))
    assert any(each.breaks for each in compare(made("number"), {"properties": {"a": {"anyOf": [{"type": "null"}]}}}))


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


PLAIN = st.fixed_dictionaries(
    {"type": st.sampled_from(["string", "integer", "number", "boolean", ["string", "null"]])},
    optional={
        "enum": st.lists(st.sampled_from([1, "x", None, True, 2.5]), min_size=1, max_size=3, unique_by=repr),
        "minimum": st.integers(0, 3),
        "maxLength": st.integers(0, 3),
    },
)
LEAVES = PLAIN | st.just({"$ref": "#/$defs/O"})
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
        st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries(
            {"type": st.just("array"), "prefixItems": st.lists(inner, min_size=1, max_size=2), "items": inner}
        ),
        st.fixed_dictionaries(
            {
                "type": st.just("object"),
                "patternProperties": st.dictionaries(st.sampled_from(["^b", "[cd]"]), inner, max_size=2),
                "additionalProperties": st.just(value=False),
            }
        ),
        st.fixed_dictionaries({}, optional=dict.fromkeys(("not", "if", "then", "else", "contains"), inner)),
    ),
    max_leaves=4,
)
"""No objects that are open to anything: a member that gets a name and a type there is new and breaks nothing."""
VALUES = st.recursive(
    st.sampled_from([None, True, 0, 1, 2, 2.5, "", "x", "long text"]),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("bcd"), inner, max_size=3)),
    max_leaves=4,
)


REFERRED = PLAIN | st.fixed_dictionaries({"anyOf": st.lists(PLAIN, min_size=1, max_size=2)})


@given(SCHEMAS, SCHEMAS, REFERRED, REFERRED, VALUES)
def test_a_value_that_is_refused_only_now_comes_with_a_difference_that_breaks(
    old: Any, new: Any, referred: Any, now_referred: Any, value: Any
) -> None:
    before, after = (
        {"properties": {"a": schema}, "$defs": {"O": definition}}
        for schema, definition in ((old, referred), (new, now_referred))
    )
    was, now = (jsonschema_rs.Draft202012Validator(each).is_valid({"a": value}) for each in (before, after))
    if was and not now:
        assert any(each.breaks for each in compare(before, after))


@given(SCHEMAS, REFERRED, REFERRED, VALUES)
def test_a_value_that_a_changed_definition_refuses_comes_with_one_too(
    schema: Any, referred: Any, now_referred: Any, value: Any
) -> None:
    before, after = ({"properties": {"a": schema}, "$defs": {"O": each}} for each in (referred, now_referred))
    was, now = (jsonschema_rs.Draft202012Validator(each).is_valid({"a": value}) for each in (before, after))
    if was and not now:
        assert any(each.breaks for each in compare(before, after))


@given(SCHEMAS)
def test_a_schema_does_not_differ_from_itself(schema: Any) -> None:
    assert differences(schema, schema) == []
