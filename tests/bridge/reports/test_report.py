"""What programs and the page are told of a catalog, whole and in part."""

from __future__ import annotations

import msgspec

from descriptions import answer, catalog, operation
from openapi_mcp_server.bridge.model import ToolCatalog
from openapi_mcp_server.bridge.policy import Permit, Rule, selector
from openapi_mcp_server.bridge.reports.report import report, report_to
from openapi_mcp_server.openapi.model import Note, SkippedOperation

NOTE = Note(pointer="#/paths/~1secret", kind="path_repaired", message="secret")
SKIPPED = SkippedOperation(pointer="#/paths/~1secret/get", method="GET", path="/secret", reason="secret reasons")


def of_two() -> ToolCatalog:
    return catalog(
        operation(operation_id="listPets", tags=("pets",), responses=(answer("200"),)),
        operation("DELETE", "/secret/things", operation_id="secretThing", tags=("secret",)),
        notes=(NOTE,),
        skipped=(SKIPPED,),
    )


def test_everything_is_in_the_report_of_a_catalog() -> None:
    tools = of_two()
    told = report(tools)
    assert [(each["name"], each["method"], each["path"], each["credentials"]) for each in told["tools"]] == [
        ("listPets", "GET", "/pets", []),
        ("secretThing", "DELETE", "/secret/things", []),
    ]
    assert [each["reason"] for each in told["skipped"]] == ["secret reasons"]
    assert [(each["tools"], each["notes"]) for each in told["apis"]] == [(2, tools.apis[0].notes)]
    assert told["bytes"] == tools.list_bytes
    assert told["estimated_tokens"] == sum(tool.tokens for tool in tools.tools.values())


def test_whoever_may_call_everything_is_told_everything() -> None:
    assert report_to(Permit(), of_two()) == report(of_two())


def test_whoever_may_call_a_part_is_told_of_that_part_alone() -> None:
    permit = Permit(own=Rule(allow=(selector("tag:pets"),)))
    told = report_to(permit, of_two())
    assert [each["name"] for each in told["tools"]] == ["listPets"]
    assert (told["skipped"], told["apis"][0]["tools"], told["apis"][0]["base_url"]) == ([], 1, None)
    assert told["bytes"] == len(bytes(of_two().tools["listPets"].entry))
    assert b"secret" not in msgspec.json.encode(told)


def test_whoever_may_call_nothing_is_told_of_no_api() -> None:
    told = report_to(Permit(own=Rule(allow=(selector("tag:none"),))), of_two())
    assert (told["tools"], told["apis"], told["bytes"], told["estimated_tokens"]) == ([], [], 0, 0)
