"""What is wrong with a value is told at a bounded price, however many alternatives lead to its places."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from openapi_mcp_server.bridge.media import exact_json
from openapi_mcp_server.bridge.model import OutputContract
from openapi_mcp_server.bridge.results.result import OutputValidators
from openapi_mcp_server.bridge.schemas import validation
from openapi_mcp_server.bridge.schemas.visits import Visits
from openapi_mcp_server.errors import ArgumentError

CPU_SECONDS = 1.0
"""Of each; without the bound 488 bytes took longer than half a minute."""
DEPTHS = [1, 2, 5, 14, 30, 60, 95]


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}


def node(inner: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"op": {"type": "string"}, "next": inner}, "required": ["op"]}


def circle(combined: str) -> dict[str, Any]:
    return {**ref("E"), "$defs": {"E": {combined: [ref("A"), ref("B")]}, "A": node(ref("E")), "B": node(ref("E"))}}


def row(combined: str, length: int = 20) -> dict[str, Any]:
    """No circle: each level has schemas of its own."""
    levels = {f"E{n}": {combined: [node(ref(f"E{n + 1}")), node(ref(f"E{n + 1}"))]} for n in range(length)}
    return {**ref("E0"), "$defs": {**levels, f"E{length}": {"type": "string"}}}


def in_lists(combined: str) -> dict[str, Any]:
    lists = {"type": "object", "properties": {"op": {"type": "string"}, "next": {"type": "array", "items": ref("E")}}}
    return {**ref("E"), "$defs": {"E": {combined: [lists, {**lists, "title": "B"}]}}}


SCHEMAS = {"a circle": circle, "a row": row, "lists": in_lists}


def nested(depth: int, innermost: Any, *, listed: bool) -> Any:
    value: Any = {"op": innermost}
    for _ in range(depth):
        value = {"op": "a", "next": [value] if listed else value}
    return value


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("combined", ["anyOf", "oneOf"])
@pytest.mark.parametrize("kind", SCHEMAS)
def test_arguments_that_are_wrong_deep_below_alternatives_are_refused_soon(
    kind: str, combined: str, depth: int
) -> None:
    inner = SCHEMAS[kind](combined)
    schema = {"type": "object", "properties": {"body": ref("E" if "E" in inner["$defs"] else "E0")}, **inner}
    del schema["$ref"]
    encoded = exact_json.encode(schema)
    values = {"body": nested(depth, 5, listed=kind == "lists")}
    began = time.process_time()
    errors = validation.errors(values, encoded, 100)
    if depth >= 14:
        wrong = ["body", *(["next", 0] if kind == "lists" else ["next"]) * depth, "op"]
        assert [list(error.instance_path) for error in errors] == [
            wrong[: 1 + 20] if kind == "a row" and depth > 20 else wrong
        ]
        assert _at(schema, errors[0].schema_path) == "string"
    else:
        assert errors
    list(validation.format_errors(values, encoded, 100))
    assert time.process_time() - began < CPU_SECONDS


def _at(schema: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        schema = schema[step]
    return schema


def test_a_wrong_value_that_each_alternative_has_another_schema_for_is_told_with_its_place() -> None:
    alternatives = {"E": {"anyOf": [node(ref("E")) | {"title": "A"}, node(ref("E")) | {"title": "B"}]}}
    alternatives["E"]["anyOf"][1]["properties"]["op"] = {"type": "boolean"}
    encoded = exact_json.encode({"type": "object", "properties": {"body": ref("E")}, "$defs": alternatives})
    with pytest.raises(ArgumentError, match=r"at /body(/next){40}/op, and are too long to say why, or nested too deep"):
        validation.errors({"body": nested(40, 5, listed=False)}, encoded, 100)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("kind", SCHEMAS)
def test_an_answer_that_is_wrong_deep_below_alternatives_is_told_soon(kind: str, depth: int) -> None:
    contract = OutputContract(
        schema=msgspec.Raw(exact_json.encode({"type": "object", **SCHEMAS[kind]("anyOf")})), wrapped=False
    )
    answer = exact_json.encode(nested(depth, 5, listed=kind == "lists"))
    began = time.process_time()
    told = OutputValidators().mismatch(contract, answer)
    assert told is not None
    if depth in {30, 60} and kind != "a row":
        assert told.startswith("#/next/")
    assert time.process_time() - began < CPU_SECONDS


@pytest.mark.parametrize("combined", ["anyOf", "oneOf", "allOf"])
def test_a_small_value_that_alternatives_of_alternatives_lead_to_is_not_checked_for_ever(combined: str) -> None:
    inner = row(combined, 40)
    schema = exact_json.encode({"type": "object", "properties": {"body": ref("E0")}, "$defs": inner["$defs"]})
    for depth, is_checked in ((12, True), (39, False)):
        values = {"body": nested(depth, "a", listed=False)}
        text = exact_json.encode(values)
        assert validation.multiplies(values, schema) != is_checked
        if is_checked:
            validation.require_bounded(values, schema, text)
            continue
        with pytest.raises(ArgumentError, match="nested too deep for the alternatives of the tool's schema"):
            validation.require_bounded(values, schema, text)
        contract = OutputContract(schema=msgspec.Raw(schema), wrapped=False)
        told = OutputValidators().mismatch(contract, text)
        assert told == "it cannot be checked: too many alternatives lead to its parts"


def beside_a_row(**properties: Any) -> bytes:
    """A schema in which alternatives multiply, elsewhere than in these properties, which have ``D0`` to ``D700``."""
    defs = row("anyOf", 40)["$defs"] | {f"D{n}": {"allOf": [ref(f"D{n + 1}")]} for n in range(700)} | {"D700": {}}
    return exact_json.encode({"type": "object", "properties": {"other": ref("E0"), **properties}, "$defs": defs})


def test_counting_visits_is_bounded_itself() -> None:
    """60,000 numbers that twelve schemas are about took 4 s and 340 MiB."""
    schema = beside_a_row(many={"items": {"allOf": [{"minimum": least} for least in range(12)]}})
    began = time.process_time()
    assert not validation.multiplies({"many": list(range(1_000))}, schema)
    assert validation.multiplies({"many": list(range(1_000, 61_000))}, schema)
    assert time.process_time() - began < CPU_SECONDS


def test_a_row_of_definitions_that_is_too_long_to_be_counted_is_told_in_words() -> None:
    schema = beside_a_row(long=ref("D0"))
    with pytest.raises(ArgumentError, match="too deep for the alternatives"):
        validation.require_bounded({"long": {}}, schema, b'{"long":{}}')
    assert OutputValidators().mismatch(OutputContract(schema=msgspec.Raw(schema), wrapped=False), b'{"long":{}}')


def test_a_value_of_a_schema_that_leads_back_to_itself_is_checked_however_deep() -> None:
    schema = exact_json.encode({"type": "object", "properties": {"body": ref("E")}, "$defs": circle("anyOf")["$defs"]})
    values = {"body": nested(90, "a", listed=False)}
    validation.require_bounded(values, schema, exact_json.encode(values))
    assert validation.compiled(schema).is_valid(values)


def test_alternatives_multiply_by_level_and_all_else_adds() -> None:
    deep, flat = Visits(exact_json.encode(circle("anyOf")), 10**9), Visits(exact_json.encode(node(True)), 10**9)
    counts = [deep.of(nested(depth, 5, listed=False), 100) for depth in (4, 5, 6)]
    assert counts[2] > 1.8 * counts[1] > 3.2 * counts[0]
    assert flat.of(nested(50, 5, listed=False), 100) < 10
