"""From a document to the bytes of a body: which media type carries it where there are several, or a wrong one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from documents import described
from openapi_mcp_server.bridge import catalog, request
from openapi_mcp_server.bridge.arguments import check
from openapi_mcp_server.bridge.model import Tool, ToolCatalog
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.openapi.model import DialectName

HELLO = "aGVsbG8="
JSON = "application/json"
OBJECT = {"type": "object", "properties": {"raw": {"type": "string"}}}
BYTES = {"type": "string", "format": "binary"}
OLD_FILE = {"type": "object", "format": "file"}
DIALECTS: list[DialectName] = ["2.0", "3.0", "3.1", "3.2"]


def built(schema: Any, *types: str, dialect: DialectName = "3.0", method: str = "post", **schemas: Any) -> ToolCatalog:
    """Of one operation ``t`` whose body has this schema in each of the types."""
    operation: dict[str, Any] = {"operationId": "t"}
    root: dict[str, Any] = {"components": {"schemas": schemas}}
    if dialect == "2.0":
        operation |= {
            "consumes": [*types],
            "parameters": [{"name": "b", "in": "body", "required": True, "schema": schema}],
        }
        root = {"definitions": schemas}
    else:
        operation["requestBody"] = {"required": True, "content": {name: {"schema": schema} for name in types}}
    description = described({"/x": {method: operation}}, dialect=dialect, **root)
    return catalog.build([catalog.ApiSource(name="a", base=base_url("http://x"), description=description)])


def tool(made: ToolCatalog) -> Tool:
    assert made.skipped == ()
    return made.tools["t"]


def sent(of: Tool, **values: Any) -> tuple[str, bytes]:
    """Content-Type and body, by way of the check against the tool's schema."""
    made = request.build(of, check.check(of, msgspec.Raw(msgspec.json.encode(values))).values)
    assert made.body is not None
    return dict(made.headers)["content-type"], made.body


def notes(made: ToolCatalog) -> list[str]:
    return [note.kind for note in made.apis[0].notes]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "schema", [OLD_FILE, {"type": "string", "format": "file"}, {"type": "object", "format": "binary"}, BYTES]
)
@pytest.mark.parametrize(
    "name",
    [
        "application/octet-stream",
        "application/x-thing",
        "image/png",
        "text/powershell",
        "text/csv",
        JSON,
        "application/vnd.x+json",
        "application/x-ndjson",
        "application/xml",
    ],
)
def test_a_schema_of_bytes_is_a_file_in_every_type(name: str, schema: Any, dialect: DialectName) -> None:
    of = tool(built(schema, name, dialect=dialect))
    assert sent(of, body=HELLO) == (name, b"hello")
    assert sent(of, body=f"data:text/plain;base64,{HELLO}") == (name, b"hello")
    assert b"data: URI" in of.input.schema


def test_a_file_of_text_may_be_given_as_text() -> None:
    assert sent(tool(built(BYTES, "text/csv")), body="a,b\n1,2\n") == ("text/csv", b"a,b\n1,2\n")
    with pytest.raises(ArgumentError, match="no base64"):
        sent(tool(built(BYTES, "application/pdf")), body="a,b\n1,2\n")


@pytest.mark.parametrize("value", [{"a": 1}, [1, 2]])
def test_a_file_of_json_may_be_given_as_json(value: Any) -> None:
    assert sent(tool(built(BYTES, JSON)), body=value) == (JSON, msgspec.json.encode(value))


def test_a_schema_of_bytes_may_be_a_reference_and_nullable() -> None:
    made = built({"$ref": "#/components/schemas/F"}, JSON, F=BYTES | {"nullable": True})
    assert sent(tool(made), body=HELLO) == (JSON, b"hello")


def test_an_object_that_holds_bytes_stays_an_object() -> None:
    of = tool(built({"type": "object", "properties": {"photo": BYTES}}, JSON))
    assert sent(of, photo=HELLO) == (JSON, b'{"photo":"aGVsbG8="}')


def test_json_beside_bytes_is_the_default_for_an_object_and_bytes_for_text() -> None:
    description = {"content": {JSON: {"schema": OBJECT}, "application/pdf": {"schema": OLD_FILE}}, "required": True}
    root = described({"/x": {"post": {"operationId": "t", "requestBody": description}}}, dialect="3.0")
    of = tool(catalog.build([catalog.ApiSource(name="a", base=base_url("http://x"), description=root)]))
    assert sent(of, body={"raw": "x"}) == (JSON, b'{"raw":"x"}')
    assert sent(of, body=HELLO) == ("application/pdf", b"hello")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "types",
    [
        ("message/cpim", "message/imdn+xml", "message/rfc822"),
        ("application/octet-stream",),
        ("image/png", "application/octet-stream"),
        ("text/csv",),
    ],
)
def test_the_types_of_an_upload_take_a_file_and_an_object_goes_as_json(
    types: tuple[str, ...], dialect: DialectName
) -> None:
    made = built(OBJECT, *types, dialect=dialect)
    of = tool(made)
    assert sent(of, body={"raw": "x"}) == (JSON, b'{"raw":"x"}')
    name = types[-1]
    given = "a,b" if name == "text/csv" else HELLO
    assert sent(of, body=given, content_type=name) == (name, b"a,b" if name == "text/csv" else b"hello")
    assert sent(of, body=given)[0] == types[0]
    assert "body_repaired" in notes(made)


@pytest.mark.parametrize("others", [("application/octet-stream",), ("text/csv", "image/png"), ("message/imdn+xml",)])
@pytest.mark.parametrize(
    "name", [JSON, "application/vnd.x+json", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_json_or_a_form_that_is_there_carries_the_object_whatever_stands_beside_it(
    name: str, others: tuple[str, ...]
) -> None:
    of = tool(built(OBJECT, *others, name))
    content_type, _ = sent(of, **({"raw": "x"} if "body" not in of.input.names else {"body": {"raw": "x"}}))
    assert content_type.partition(";")[0] == name


def test_xml_by_its_plain_name_is_meant() -> None:
    of = tool(built(OBJECT | {"xml": {"name": "R"}}, "application/octet-stream", "application/xml"))
    assert sent(of, body={"raw": "x"})[1].endswith(b"<R><raw>x</raw></R>")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", ["application/xml", "text/xml", "application/vnd.x+xml"])
@pytest.mark.parametrize("schema", [OBJECT, {"type": "array", "items": OBJECT}])
def test_xml_without_a_root_name_is_given_as_text(schema: Any, name: str, dialect: DialectName) -> None:
    made = built(schema, name, dialect=dialect)
    of = tool(made)
    assert sent(of, body="<R><raw>x</raw></R>") == (name, b"<R><raw>x</raw></R>")
    with pytest.raises(ArgumentError, match="expected string"):
        sent(of, body={"raw": "x"} if schema is OBJECT else [])
    assert notes(made) == ["body_repaired"]


def test_xml_without_a_root_name_gives_way_to_json() -> None:
    made = built(OBJECT, "application/xml", JSON)
    assert sent(tool(made), raw="x") == (JSON, b'{"raw":"x"}')
    assert notes(made) == ["body_dropped"]


PATCHES = ("application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("schema", [{"type": "object"}, {"type": "object", "description": "A patch."}, {}])
def test_a_patch_is_of_the_kind_that_its_value_is(schema: Any, dialect: DialectName) -> None:
    of = tool(built(schema, *PATCHES, dialect=dialect, method="patch"))
    assert sent(of, body={"spec": None}) == ("application/merge-patch+json", b'{"spec":null}')
    operations = [{"op": "remove", "path": "/spec"}]
    expected = "application/json-patch+json"
    assert sent(of, body=operations, content_type=expected) == (expected, msgspec.json.encode(operations))
    assert sent(of, body=operations)[0] == expected
    assert sent(of, body={}, content_type=PATCHES[2])[0] == PATCHES[2]


def test_a_json_patch_that_is_the_only_type_of_an_object_carries_it() -> None:
    of = tool(built(OBJECT, "application/json-patch+json"))
    assert sent(of, raw="x") == ("application/json-patch+json", b'{"raw":"x"}')


def test_json_is_preferred_to_a_json_patch_for_an_object_and_the_patch_for_a_list() -> None:
    types = ("application/json-patch+json", JSON, "text/json")
    assert sent(tool(built(OBJECT, *types)), raw="x")[0] == JSON
    operations = {"type": "array", "items": {"type": "object"}}
    merge_first = ("application/merge-patch+json", "application/json-patch+json")
    assert sent(tool(built(operations, *merge_first)), body=[])[0] == "application/json-patch+json"


FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
FILES = {"type": "array", "items": BYTES}


def holding(file: Any, *required: str) -> Any:
    return {"type": "object", "properties": {"f": file, "n": {"type": "string"}}, "required": [*required]}


@pytest.mark.parametrize("types", [(JSON, FORM, MULTIPART), (MULTIPART, JSON)])
@pytest.mark.parametrize("file", [BYTES, FILES, {"$ref": "#/components/schemas/File"}])
def test_a_file_that_must_be_given_goes_as_one_where_json_has_the_same_schema(
    file: Any, types: tuple[str, ...]
) -> None:
    of = tool(built(holding(file, "f"), *types, File=BYTES))
    content_type, data = sent(of, f=[HELLO] if file is FILES else HELLO)
    assert content_type.startswith(MULTIPART)
    assert b"\r\n\r\nhello\r\n" in data
    assert sent(of, f=[HELLO] if file is FILES else HELLO, content_type=JSON)[0] == JSON


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(holding(BYTES), id="the file may be left out"),
        pytest.param(holding({"type": "string", "format": "byte"}, "f"), id="base64"),
        pytest.param(holding({}, "f"), id="anything"),
        pytest.param(holding({"type": "string"}, "f"), id="text"),
    ],
)
def test_json_stays_the_default_where_no_file_has_to_be_given(schema: Any) -> None:
    assert sent(tool(built(schema, MULTIPART, JSON, dialect="3.1")), f="aGk=")[0] == JSON


@pytest.mark.parametrize(
    ("schema", "types", "said"),
    [
        (holding(BYTES), (JSON, MULTIPART), " (files need multipart/form-data)."),
        (holding(FILES), (JSON, FORM, MULTIPART), " (files need multipart/form-data)."),
        (holding(BYTES, "f"), (JSON, MULTIPART), "."),
        (holding({}), (JSON, MULTIPART), "."),
    ],
)
def test_the_choice_of_a_type_says_which_one_files_need(schema: Any, types: tuple[str, ...], said: str) -> None:
    entry = msgspec.json.decode(bytes(tool(built(schema, *types, dialect="3.1")).entry))
    chosen = entry["inputSchema"]["properties"]["content_type"]
    assert chosen["description"] == f"Media type in which the body is sent{said}"


def test_json_of_another_schema_stays_the_default() -> None:
    content = {MULTIPART: {"schema": holding(BYTES, "f")}, JSON: {"schema": {"type": "object", "required": ["url"]}}}
    operation = {"operationId": "t", "requestBody": {"required": True, "content": content}}
    source = catalog.ApiSource(name="a", base=base_url("http://x"), description=described({"/x": {"post": operation}}))
    assert sent(tool(catalog.build([source])), body={"url": "http://y"}) == (JSON, b'{"url":"http://y"}')
