"""Names and texts that YAML reads as numbers or flags: where the specification asks for a text, they are as written."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from descriptions import told
from openapi_mcp_server.bridge import request
from openapi_mcp_server.bridge.arguments.check import check
from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.model import Tool, ToolCatalog
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.openapi.model import ApiDescription
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import parse

DOCUMENT = """
openapi: 3.2.0
info: {title: 1.10, version: 2.10}
tags: [{name: 3.10, parent: 3.00}, {name: 3.00}]
servers: [{url: 'https://api.example.com/{v}', variables: {v: {enum: [1.10, 2.0], default: 1.10}}}]
security: [{1.10: [4.10, 0, on, 1e3]}]
paths:
  /1.10/{2.0}:
    summary: 6.10
    parameters:
      - {name: 2.0, in: path, required: true, schema: {type: string}}
    post:
      operationId: 1.10
      tags: [3.10, 5.00, 6, off]
      parameters:
        - {name: 3.10, in: query, description: 7.10, schema: {type: string, pattern: 1.10, title: 8.10}}
        - {name: 404, in: header, schema: {type: string, example: 1.10, default: 1.20}}
        - {name: 1e3, in: cookie, example: 1.30, schema: {type: string}}
        - {name: on, in: query, examples: {a: {value: 1.40}}, schema: {type: string}}
        - {name: e, in: query, schema: {type: string, examples: [1.50, 2, x], enum: [1.50, 2, x, yes, ~]}}
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [7.10, 404, on, null, true]
              properties:
                7.10: {type: string}
                404: {type: string}
                on: {type: string}
                null: {type: string}
                true: {type: string}
                kind: {$ref: '#/components/schemas/1.10'}
                pet: {$ref: '#/components/schemas/3.30'}
              dependentRequired: {7.10: [8.10]}
      responses: {200: {description: 1.10}}
components:
  securitySchemes: {1.10: {type: apiKey, name: 9.10, in: query}}
  schemas:
    1.10: {oneOf: [{$ref: '#/components/schemas/A'}, {$ref: '#/components/schemas/2.20'}],
           discriminator: {propertyName: 9.10, mapping: {3.30: A, 4.40: 2.20}}}
    A: {type: object, required: [9.10, a], properties: {9.10: {type: string}, a: {type: integer}}}
    2.20: {type: object, required: [9.10, b], properties: {9.10: {type: string}, b: {type: integer}}}
    3.30: {type: object, properties: {1.0: {type: string}}, discriminator: {propertyName: 1.0, mapping: {1.70: 4.40}}}
    4.40: {allOf: [{$ref: '#/components/schemas/3.30'}, {type: object, properties: {c: {type: integer}}}]}
"""


@pytest.fixture(scope="module")
def description() -> ApiDescription:
    return describe(parse(DOCUMENT.encode()))


@pytest.fixture(scope="module")
def catalog(description: ApiDescription) -> ToolCatalog:
    return build([ApiSource(name="api", base=None, description=description)])


@pytest.fixture(scope="module")
def tool(catalog: ToolCatalog) -> Tool:
    assert catalog.skipped == ()
    (made,) = catalog.tools.values()
    return made


def test_names_and_prose_of_a_document(description: ApiDescription, catalog: ToolCatalog) -> None:
    (operation,) = description.operations
    assert (description.title, description.version) == ("1.10", "2.10")
    assert str(catalog.apis[0].base) == "https://api.example.com/1.10"
    assert operation.operation_id == "1.10"
    assert operation.summary == "6.10"
    assert operation.tags == ("3.10", "5.00", "6", "off", "3.00")
    assert operation.security[0].schemes == (("1.10", ("4.10", "0", "on", "1e3")),)
    assert description.security_schemes["1.10"].parameter == "9.10"


def test_the_schemas_of_arguments(tool: Tool) -> None:
    schema: Any = told(tool)
    properties = schema["properties"]
    assert properties["3.10"] == {"type": "string", "pattern": "1.10", "title": "8.10", "description": "7.10"}
    assert properties["e"]["enum"] == ["1.50", "2", "x", "yes", "null"]
    examples = [properties[name].get("examples") for name in ("404", "1e3", "on", "e")]
    assert examples == [["1.10"], ["1.30"], ["1.40"], ["1.50", "2", "x"]]
    assert properties["404"]["default"] == "1.20"
    assert properties["body"]["required"] == ["7.10", "404", "on", "null", "true"]
    assert properties["body"]["dependentRequired"] == {"7.10": ["8.10"]}


BODY: dict[str, Any] = {"7.10": "a", "8.10": "b", "404": "c", "on": "d", "null": "e", "true": "f"}


def sent(made: Tool, **more: Any) -> HttpRequest:
    arguments = {"2.0": "x", "3.10": "1.10", "404": "y", "1e3": "z", "on": "w", "body": BODY | more}
    checked = check(made, msgspec.Raw(msgspec.json.encode(arguments)))
    return request.build(made, checked.values, checked.others)


def test_names_on_the_wire(tool: Tool) -> None:
    made = sent(tool)
    assert made.target == "/1.10/1.10/x?3.10=1.10&on=w"
    headers = dict(made.headers)
    assert (headers["404"], headers["cookie"]) == ("y", "1e3=z")


@pytest.mark.parametrize(
    ("member", "value", "is_taken"),
    [
        ("kind", {"9.10": "3.30", "a": 1}, True),
        ("kind", {"9.10": "3.30", "b": 1}, False),
        ("kind", {"9.10": "4.40", "b": 1}, True),
        ("kind", {"9.10": "2.20", "a": 1}, False),
        ("pet", {"1.0": "1.70", "c": 1}, True),
        ("pet", {"1.0": "1.70", "c": "x"}, False),
    ],
)
def test_names_of_a_discriminator(tool: Tool, member: str, value: Any, is_taken: bool) -> None:
    if is_taken:
        assert sent(tool, **{member: value}).body
    else:
        with pytest.raises(ArgumentError, match=f"/body/{member}/"):
            sent(tool, **{member: value})


@pytest.mark.parametrize("dialect", ["swagger: '2.0'", "openapi: 3.0.4", "openapi: 3.1.1"])
def test_many_numbers_as_tags_are_read_in_one_pass(dialect: str) -> None:
    tags = ", ".join(f"{number}.10" for number in range(2_000))
    text = f"{dialect}\ninfo: {{title: t, version: 1.0}}\npaths: {{/x: {{get: {{tags: [{tags}], responses: {{}}}}}}}}\n"
    (operation,) = describe(parse(text.encode())).operations
    assert operation.tags[:2] == ("0.10", "1.10")
    assert len(operation.tags) == 2_000
