"""Numbers and booleans of YAML that stand for names keep their spelling; as data they are what they look like."""

from __future__ import annotations

import msgspec
import pytest

from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import parse, read

SPELT = {
    "0x10": 16, "0o17": 15, "+1": 1, "True": True, "FALSE": False, ".5": 0.5, "1.": 1.0, "-0": 0,
    "12345678901234567890": 12345678901234567890,
}  # fmt: skip
AS_NAMES = {
    "a name": "name: {}",
    "an operation": "operationId: {}",
    "a title": "title: {}",
    "required": "required: [{}]",
    "tags": "tags:\n- {}",
    "required of dependents": "dependentRequired: {{a: [{}]}}",
    "what a discriminator names": "discriminator: {{propertyName: {}}}",
    "what it maps to": "discriminator: {{propertyName: a, mapping: {{a: {}}}}}",
    "a scope": "security: [{{a: [{}]}}]",
    "an enumeration of text": "{{type: string, enum: [{}]}}",
    "one of text or null": "{{type: [string, 'null'], enum: [{}]}}",
    "a constant text": "{{type: string, const: {}}}",
    "a default text": "{{type: string, default: {}}}",
    "examples of text": "{{type: string, examples: [{}]}}",
    "a server's variable": "variables: {{a: {{default: {}}}}}",
    "a server's variable's values": "variables: {{a: {{enum: [{}]}}}}",
    "the name of a parameter named by its place": "parameters: {{name: {{in: query, name: {}}}}}",
    "below a property that is named as a keyword": "properties: {{default: {{title: {}}}}}",
    "below the default answer": "responses: {{default: {{description: {}}}}}",
}
AS_DATA = {
    "all of the document": "{}",
    "a value of no keyword": "a: {}",
    "an example": "example: {{name: {}}}",
    "a default object": "default: {{required: [{}]}}",
    "an extension": "x-a: {{name: {}}}",
    "a property that takes anything": "properties: {{name: {}}}",
    "an enumeration of no type": "enum: [{}]",
    "one of numbers and booleans": "{{type: [integer, number, boolean], enum: [{}]}}",
    "one of these or of text": "{{type: [string, number, boolean], enum: [{}]}}",
    "an example by name": "examples: {{a: {{value: {}}}}}",
}


def innermost(value: object) -> object:
    """The last scalar."""
    while isinstance(value, dict | list):
        value = [*value.values()][-1] if isinstance(value, dict) else value[-1]
    return value


@pytest.mark.parametrize("spelt", SPELT)
@pytest.mark.parametrize("place", AS_NAMES)
def test_a_name_is_spelt_as_it_is_written(place: str, spelt: str) -> None:
    assert innermost(msgspec.json.decode(read(AS_NAMES[place].format(spelt).encode()))) == spelt


@pytest.mark.parametrize("spelt", SPELT)
@pytest.mark.parametrize("place", AS_DATA)
def test_data_is_what_it_looks_like(place: str, spelt: str) -> None:
    found = innermost(msgspec.json.decode(read(AS_DATA[place].format(spelt).encode())))
    assert (type(found), found) == (type(SPELT[spelt]), SPELT[spelt])


@pytest.mark.parametrize("spelt", ["Null", "NULL", "~"])
def test_nothing_is_no_name_but_a_property_may_be_called_so(spelt: str) -> None:
    assert read(f"name: {spelt}\nrequired: [{spelt}]".encode()) == f'{{"name":null,"required":["{spelt}"]}}'.encode()


def test_an_alias_is_spelt_by_its_place() -> None:
    assert read(b"a: &a 0x10\nname: *a\nb: *a") == b'{"a":16,"name":"0x10","b":16}'
    assert read(b"a: &a {name: 0x10}\nb: *a") == b'{"a":{"name":"0x10"},"b":{"name":"0x10"}}'


def test_a_tag_says_what_a_scalar_is() -> None:
    assert read(b"name: !!int 0x10\ntitle: !!str 0x10") == b'{"name":16,"title":"0x10"}'


def test_required_properties_and_parameters_are_found_under_their_names() -> None:
    description = describe(
        parse(
            b"""
openapi: 3.1.0
paths:
  /0x10:
    post:
      operationId: 0x1F
      tags: [True]
      parameters:
      - {name: +1, in: query, schema: {type: string, enum: [True, 0x10, 1.10]}}
      requestBody:
        content:
          application/json:
            schema: {type: object, properties: {0x10: {}, True: {}}, required: [0x10, True]}
      responses: {}
"""
        )
    )
    [operation] = description.operations
    assert (operation.path, operation.operation_id, operation.tags) == ("/0x10", "0x1F", ("True",))
    [parameter] = operation.parameters
    assert parameter.name == "+1"
    assert parameter.schema is not None
    assert msgspec.json.decode(parameter.schema.json)["enum"] == ["True", "0x10", "1.10"]
    assert operation.body is not None
    schema = msgspec.json.decode(operation.body.media[0].schema.json)
    assert schema["required"] == [*schema["properties"]] == ["0x10", "True"]
