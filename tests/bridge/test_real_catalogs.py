"""Published documents to catalogs: nothing is lost, everything is legal, every schema compiles within its budget."""

from __future__ import annotations

import csv
import re

import jsonschema_rs
import msgspec
import pytest

from descriptions import told
from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.model import ToolCatalog, ToolForm
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.bridge.policy import Rule
from openapi_mcp_server.bridge.schemas import validation
from openapi_mcp_server.bridge.tools.api import SchemaLimits
from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import parse

LIMITS = SchemaLimits()


@pytest.fixture(scope="module")
def catalogs(specs_dir) -> dict[str, tuple[int, ToolCatalog]]:
    """By document: how many operations it has, and what the catalog makes of them."""
    with (specs_dir / "index.tsv").open(encoding="utf-8") as index:
        documents = {row["name"]: specs_dir / row["file"] for row in csv.DictReader(index, delimiter="\t")}
    made = {}
    for name, path in documents.items():
        try:
            description = describe(parse(path.read_bytes()))
        except SpecError:
            continue  # refused whole, with a reason
        source = ApiSource(name=name, base=base_url("https://api.example.com/v1"), description=description)
        built = build([source], ToolForm(response_filter=True))
        made[name] = (len(description.operations) + len(description.skipped), built)
    return made


def test_every_operation_is_a_tool_or_listed_with_a_reason(catalogs):
    for count, catalog in catalogs.values():
        assert len(catalog.tools) + len(catalog.skipped) == count
        assert all(each.operation.reason and each.operation.pointer.startswith("#/") for each in catalog.skipped)


def test_most_operations_are_tools(catalogs):
    operations = sum(count for count, _ in catalogs.values())
    assert sum(len(catalog.tools) for _, catalog in catalogs.values()) > 0.95 * operations


def test_every_name_is_legal(catalogs):
    for _, catalog in catalogs.values():
        for name, tool in catalog.tools.items():
            assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)
            assert all(re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", argument) for argument in tool.input.names)
            assert len(set(tool.input.names)) == len(tool.input.names)


def test_every_schema_is_within_its_budget_and_compiles(catalogs):
    for _, catalog in catalogs.values():
        for tool in catalog.tools.values():
            assert len(msgspec.json.encode(told(tool))) <= LIMITS.listed_bytes
            validation.compiled(tool.input.schema)
            if tool.output is not None:
                assert len(tool.output.schema) <= LIMITS.output_bytes
                jsonschema_rs.Draft202012Validator(bytes(tool.output.schema).decode(), offline=True)


@pytest.mark.parametrize(
    ("name", "megabytes"),
    [("github-api.github.com", 6), ("stripe-spec3-2023-09", 2.5), ("kubernetes-1.12-swagger2", 8)],
)
def test_the_lists_of_large_apis_stay_small(catalogs, name, megabytes):
    _, catalog = catalogs[name]
    assert sum(len(tool.entry) for tool in catalog.tools.values()) <= megabytes * 1_000_000


def test_read_only_leaves_no_operation_that_may_change_anything(specs_dir):
    with (specs_dir / "index.tsv").open(encoding="utf-8") as index:
        paths = [specs_dir / row["file"] for row in csv.DictReader(index, delimiter="\t")]
    read, listed = 0, 0
    for path in paths:
        try:
            description = describe(parse(path.read_bytes()))
        except SpecError:
            continue  # refused whole, with a reason
        base = base_url("https://api.example.com/v1")
        source = ApiSource(name="a", base=base, description=description, rule=Rule(read_only=True))
        tools = build([source]).tools.values()
        assert all(msgspec.json.decode(tool.entry)["annotations"]["readOnlyHint"] for tool in tools)
        asked = {f"{one.method} {one.path}" for one in description.operations}
        kept = {f"{tool.method} {tool.template}" for tool in tools}
        assert all(one.partition(" ")[0] in {"GET", "HEAD", "OPTIONS", "QUERY"} for one in kept)
        read += sum(one.startswith(("GET ", "HEAD ", "OPTIONS ", "QUERY ")) for one in asked)
        listed += len(kept)
    assert len(paths) > 100
    assert read > listed > 0.95 * read
