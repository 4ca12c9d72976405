"""Long answers of published APIs at the default budget: what is left is valid, text and structure say the same, and
rows stay."""

from __future__ import annotations

from typing import Any, NamedTuple

import jsonschema_rs
import msgspec
import pytest

from answers import answer, texts
from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.model import Tool, ToolForm
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.bridge.results.result import MISMATCH, TRUNCATED, OutputValidators, render
from openapi_mcp_server.mcp.messages import ToolResult
from openapi_mcp_server.mock.answers import Answers
from openapi_mcp_server.openapi.model import ApiDescription, Operation
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import Document, parse

BUDGET = 40_000
KINDS = {
    "github-api.github.com.json": [
        ("issues_list-for-repo", 30), ("repos_list-for-org", 30), ("pulls_list", 30), ("repos_list-commits", 30),
        ("search_repos", 30), ("actions_list-workflow-runs-for-repo", 30), ("issues_list-labels-for-repo", 30),
    ],
    "stripe-spec3-2023-09.yaml": [("GetPrices", 50), ("GetEvents", 50), ("GetProducts", 100)],
    "kubernetes-1.12-swagger2.json": [
        ("listNamespacedPod", 50), ("listNamespacedConfigMap", 50), ("listNamespacedService", 50), ("listNode", 50),
    ],
    "twilio-api-v2010.yaml": [("ListMessage", 50), ("ListCall", 50)],
    "openai.yaml": [("listFiles", 100)],
    "spotify-web-api__fixed-spotify-open-api.yaml": [("get-playlists-tracks", 50), ("get-users-saved-tracks", 50)],
    "guru__asana.com.json": [("getTasks", 100)],
    "datadog-v1.yaml": [("ListMonitors", 50)],
    "guru__apache.org__airflow.json": [("get_dags", 100)],
}  # fmt: skip
"""Operations and how many rows they answer: 22 kinds."""


class Big(NamedTuple):
    name: str
    tool: Tool
    whole: bytes
    result: ToolResult


@pytest.fixture(scope="module")
def bigs(specs_dir) -> list[Big]:
    made = []
    for document, kinds in KINDS.items():
        read = parse((specs_dir / "specs" / document).read_bytes())
        description = describe(read)
        source = ApiSource(name="api", base=base_url("https://api.example.com"), description=description)
        tools = build([source], ToolForm(response_filter=True)).tools
        by_place = {(each.method, each.path): each for each in description.operations}
        for name, count in kinds:
            tool = tools[name]
            whole = with_rows(by_place[tool.method, tool.template], read, description, count)
            sent = answer(whole, "application/json")
            made.append(Big(name, tool, whole, render(tool, sent, OutputValidators(), budget_bytes=BUDGET)))
    return made


def with_rows(operation: Operation, document: Document, description: ApiDescription, count: int) -> bytes:
    """An answer as the document describes it, with so many rows in its list."""
    page = msgspec.json.decode(Answers(document, description).answer(operation).body)
    rows = rows_of(page)
    rows[:] = [rows[number % len(rows)] for number in range(count)]
    return msgspec.json.encode(page)


def rows_of(page: Any) -> list[Any]:
    """The list that is the answer, or the longest in its envelope."""
    if isinstance(page, list):
        return page
    return max(
        (each for each in page.values() if isinstance(each, list)), key=lambda rows: len(msgspec.json.encode(rows))
    )


def test_what_is_left_is_valid_and_text_and_structure_say_the_same(bigs: list[Big]) -> None:
    assert len(bigs) == 22
    for big in bigs:
        shown, *about = texts(big.result)
        page = msgspec.json.decode(shown)
        assert len(shown.encode()) <= BUDGET
        if big.tool.output is None:
            continue
        structure = msgspec.json.decode(big.result.structuredContent)
        assert jsonschema_rs.is_valid(msgspec.json.decode(big.tool.output.schema), structure), big.name
        note = structure.pop("_note", None)
        assert note == ("\n".join(about) or None)
        assert page in (structure, structure.get("result"), structure.get("undocumented"))
        assert ("undocumented" in structure) == (MISMATCH in (big.result.meta or {}))


def test_nearly_all_keep_every_row(bigs: list[Big]) -> None:
    over = [big for big in bigs if len(big.whole) > BUDGET]
    kept = [
        big.name
        for big in over
        if len(rows_of(msgspec.json.decode(texts(big.result)[0]))) == len(rows_of(msgspec.json.decode(big.whole)))
    ]
    assert len(over) >= 14
    assert all(TRUNCATED in (big.result.meta or {}) for big in over)
    assert len(kept) >= 14 / 16 * len(over), {big.name for big in over} - {*kept}
