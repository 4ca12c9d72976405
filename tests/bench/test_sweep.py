"""Real documents of many authors: every operation is accounted for, and calls made up for each tool become requests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

import proof
from descriptions import JSON, OBJECT, body, media, operation, parameter, tool
from openapi_mcp_server.bridge import request
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.bridge.tools.api import SchemaLimits
from processes import CHECKOUT, environment

OWN = "openapi: 3.1.0\npaths:\n  /a: {get: {}, post: {}}\n  /b: {$ref: 'elsewhere.yaml'}\n"
ORIGIN = Origin("https", "api.example.com", 443)
TOOL = tool(
    operation(
        "POST",
        "/pets/{id}/a b/v{n}",
        parameters=(
            parameter("id", "path"),
            parameter("n", "path"),
            parameter("q", "query", {"type": "array", "items": {"type": "string"}}),
            parameter("X-Trace", "header"),
        ),
        body=body(media(JSON, OBJECT)),
    )
)
REQUEST = request.build(TOOL, {"id": "1/2", "n": "3", "q": ["x"], "X-Trace": "t", "name": "é"})


def sweep(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(CHECKOUT / "bench" / "sweep.py"), str(folder), *options]
    return subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=600, check=False)


def rows_of(folder: Path) -> tuple[int, list[dict[str, Any]]]:
    done = sweep(folder, "--json")
    assert done.stdout, done.stderr
    return done.returncode, msgspec.json.decode(done.stdout)


@pytest.fixture(scope="module")
def real(specs_dir: Path) -> tuple[int, list[dict[str, Any]]]:
    return rows_of(specs_dir)


def test_every_operation_of_every_real_document_is_a_tool_or_listed_with_a_reason(real):
    code, rows = real
    assert [row for row in rows if row["crash"] or "\n" in row["problem"]] == []
    assert code == 0
    assert len(rows) >= 124


def test_every_tool_of_every_real_document_can_be_called(real):
    calls = [row["calls"] for row in real[1]]
    assert [fault for each in calls for fault in each["broken"] + each["refused"]] == []
    assert [reason for each in calls for reason in each["not_made"]] == []
    assert sum(each["built"] for each in calls) == 2 * sum(row["tools"] for row in real[1])


@pytest.mark.parametrize(
    ("text", "operations", "tools", "code"),
    [(OWN, 3, 2, 0), ("openapi: 3.1.0\npaths: {/a: {get: [}}\n", 0, 0, 0)],
    ids=["loaded", "refused"],
)
def test_a_folder_is_swept(tmp_path, text, operations, tools, code):
    (tmp_path / "api.yaml").write_text(text)
    (tmp_path / "package.json").write_text('{"name": "no document"}')
    got, rows = rows_of(tmp_path)
    told = [(row["operations"], row["tools"], row["calls"]["built"]) for row in rows]
    assert (got, told) == (code, [(operations, tools, 2 * tools)])


def test_a_document_in_several_files_is_swept_as_it_is_served(tmp_path):
    (tmp_path / "api.yaml").write_text(OWN)
    (tmp_path / "elsewhere.yaml").write_text("get: {}\nput: {}\n")
    got, rows = rows_of(tmp_path)
    assert (got, [(row["operations"], row["tools"]) for row in rows]) == (0, [(4, 4)])


def test_the_table_says_what_was_called_and_what_was_not(tmp_path):
    (tmp_path / "api.yaml").write_text(
        "openapi: 3.1.0\npaths:\n"
        "  /a/{p}: {get: {operationId: dots, parameters: [{name: p, in: path, schema: {const: '..'}}]}}\n"
        "  /b: {get: {operationId: never, parameters: [{name: q, in: query, required: true, schema: {not: {}}}]}}\n"
    )
    done = sweep(tmp_path)
    assert done.returncode == 0
    assert "refused: valid by the schema: 2\n          api.yaml: dots at " in done.stdout
    assert "not made: no valid arguments found: 2\n          api.yaml: never at " in done.stdout


def test_a_call_with_the_required_and_one_with_all_arguments_are_proven():
    found = proof.Proof()
    proof.prove(TOOL, ORIGIN, found)
    assert found == proof.Proof(built=2)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({}, None),
        ({"origin": Origin("http", "api.example.com", 80)}, "goes to http://api.example.com"),
        ({"path": "/v1/pets/1/2/a%20b/v3"}, "the path /v1/pets/1/2/a%20b/v3 is not /pets/{id}/a b/v{n}"),
        ({"path": "/v1/pets//a%20b/v3"}, "the path /v1/pets//a%20b/v3 is not /pets/{id}/a b/v{n}"),
        ({"path": "/v1/pets/1/other/v3"}, "the path /v1/pets/1/other/v3 is not /pets/{id}/a b/v{n}"),
        ({"path": "/v1/pets/1/a%20b/v"}, "the path /v1/pets/1/a%20b/v is not /pets/{id}/a b/v{n}"),
        ({"path": "/v2/pets/1/a%20b/v3"}, "the path /v2/pets/1/a%20b/v3 is not /pets/{id}/a b/v{n}"),
        ({"path": "/pets/1/a%20b/v3"}, "the path /pets/1/a%20b/v3 is not /pets/{id}/a b/v{n}"),
        ({"query": "q=a b"}, "the target is not visible ASCII"),
        ({"query": "q=é"}, "the target is not visible ASCII"),
        ({"query": "a=1&&b=2"}, "the query a=1&&b=2 is not in one piece"),
        ({"query": "a=1#b"}, "the query a=1#b is not in one piece"),
        ({"headers": (("a b", "c"),), "body": None}, "the header a b: 'c' is not legal"),
        ({"headers": (("a", "b\r\nc: d"),), "body": None}, "the header a: 'b\\r\\nc: d' is not legal"),
        ({"headers": ()}, "has a body and no type, or a type and no body"),
        ({"body": None}, "has a body and no type, or a type and no body"),
        ({"body": b'{"name":'}, "the body is no JSON: Input data was truncated"),
        ({"body": b'{"name":"other"}'}, "the body does not say what was given"),
    ],
)
def test_a_request_that_is_wrong_is_told_by_what_is_wrong(changed, fault):
    given = {"id": "1/2", "name": "é"}
    found = proof.request_faults(TOOL, given, msgspec.structs.replace(REQUEST, **changed), ORIGIN)
    assert found == ([] if fault is None else [fault])


@pytest.mark.parametrize(
    ("shown", "fault"),
    [
        ({"inputSchema": {"type": "object"}, "outputSchema": {"type": "object"}}, ""),
        ({"inputSchema": {"$ref": "#/$defs/gone"}}, "the input schema does not compile"),
        ({"inputSchema": {}, "outputSchema": {"type": "text"}}, "the output schema does not compile"),
        ({"inputSchema": {"pattern": "(?!a)"}}, "the input schema does not compile"),
        ({"inputSchema": {"$ref": "http://localhost/a"}}, "the input schema does not compile"),
        ({"inputSchema": {"title": "t" * SchemaLimits().input_bytes}}, "the input schema has 32,012 bytes"),
        (
            {"inputSchema": {}, "outputSchema": {"title": "t" * SchemaLimits().output_bytes}},
            "the output schema has 16,012 bytes",
        ),
    ],
)
def test_a_schema_that_is_wrong_is_told_by_what_is_wrong(shown, fault):
    faults = proof.schema_faults(msgspec.json.decode(msgspec.json.encode(shown), type=proof.Shown))
    assert [each[: len(fault)] for each in faults] == [fault] * bool(fault)
