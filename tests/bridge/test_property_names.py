"""A property may have the name of any keyword: it is listed and checked like one of another name, in every schema that
names it."""

from __future__ import annotations

from typing import Any

import pytest

from documents import described, ref
from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.model import ToolForm
from openapi_mcp_server.bridge.origins import base_url

TEXT = {"type": "string"}
OTHER = "zzz"  # no keyword, and at the end of every alphabet
LARGE = {f"p{number}": {"type": "string", "description": "Some words of it. " * 28} for number in range(17)}
KEYWORDS = """
    additionalProperties allOf anyOf const contains content default definitions dependentRequired dependentSchemas
    deprecated description discriminator enum example examples format if items mapping name not nullable oneOf pattern
    patternProperties prefixItems properties propertyName readOnly required schema then title type
    unevaluatedProperties value writeOnly xml
""".split()  # noqa: SIM905 - read as words


def an_object(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {name: TEXT, "b": TEXT}, **more}


def with_base(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema beside a reference, so that it is settled with that."""
    return {**schema, "allOf": [ref("Base")]}


def schemas(name: str) -> dict[str, Any]:
    """Schemas that name a property, by what they say of it."""
    return {
        "required": an_object(name, required=[name]),
        "nested": {"type": "object", "properties": {name: an_object(name)}},
        "of-many-values": an_object("o", properties={name: {"type": "string", "enum": [f"v{n}" for n in range(60)]}}),
        "large": {"type": "object", "properties": {name: {"type": "object", "properties": LARGE}}},
        "in-a-part": {"allOf": [ref("Base"), an_object(name)]},
        "in-a-closed-part": {"allOf": [ref("Base"), an_object(name, additionalProperties=False)]},
        "in-a-choice": {"oneOf": [an_object(name, required=[name]), an_object("c", required=["c"])]},
        "refused": with_base(an_object(name, **{"not": {"required": [name]}})),
        "needing-another": with_base(an_object(name, dependentRequired={name: ["b"]})),
        "needed-by-another": with_base(an_object(name, dependentRequired={"b": [name]})),
        "leading-to-a-schema": with_base(an_object(name, dependentSchemas={name: {"required": ["b"]}})),
        "evaluated": with_base(an_object(name, unevaluatedProperties=False)),
        "hidden": {"type": "object", "properties": {name: TEXT | {"readOnly": True}, "b": TEXT}, "required": [name]},
        "in-a-cycle": ref("Node"),
        "selecting": {"oneOf": [ref("Cat"), ref("Dog")], "discriminator": {"propertyName": name}},
        "in-a-default": with_base({"type": "object", "properties": {"o": {"type": "object", "default": {name: "x"}}}}),
        "in-a-value": with_base({"type": "object", "properties": {"o": {"enum": [{name: ["x"]}, {name: {"a": 1}}]}}}),
        "in-an-example": {"type": "object", "properties": {"o": {"type": "object", "example": {name: "x"}}}},
    }


def told(name: str, form: ToolForm) -> str:
    """All that is told of tools that take these schemas as their bodies, with the notes."""
    named = {
        "Base": {"type": "object", "properties": {"z": TEXT}},
        "Node": {"type": "object", "properties": {name: ref("Node"), "n": TEXT}},
        "Cat": an_object(name, required=[name]),
        "Dog": {"type": "object", "properties": {name: TEXT, "bark": TEXT}, "required": [name]},
    }
    paths = {
        f"/{case}": {"post": {"requestBody": {"content": {"application/json": {"schema": schema}}}}}
        for case, schema in schemas(name).items()
    }
    description = described(paths, dialect="3.1", components={"schemas": named})
    catalog = build([ApiSource(name="a", base=base_url("https://api.example.com"), description=description)], form)
    lines = [f"{tool.name} {tool.input.schema.decode()}" for tool in catalog.tools.values()]
    lines += [bytes(tool.entry).decode().partition(',"_meta":')[0] for tool in catalog.tools.values()]
    lines += [f"{each.operation.path} is skipped: {each.operation.reason}" for each in catalog.skipped]
    lines += [f"{note.pointer} {note.kind} {note.message}" for api in catalog.apis for note in api.notes]
    return "\n".join(lines)


@pytest.mark.parametrize("portable", [False, True], ids=["exact", "portable"])
def test_a_property_named_like_a_keyword_is_told_like_any_other(portable: bool) -> None:
    form = ToolForm(portable=portable)
    expected = told(OTHER, form)
    assert "skipped" not in expected
    assert {name: told(name, form) for name in KEYWORDS} == {name: expected.replace(OTHER, name) for name in KEYWORDS}
