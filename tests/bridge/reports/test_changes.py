"""Two catalogs: which tools came, went, were renamed or changed, judged by comparisons that share no code with ours."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from documents import described
from openapi_mcp_server.bridge import catalog
from openapi_mcp_server.bridge.model import ToolCatalog
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.bridge.reports.changes import compare
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import parse

BASE = base_url("https://api.example.com")


def built(description: Any) -> ToolCatalog:
    return catalog.build([catalog.ApiSource(name="api", base=BASE, description=description)])


def of(**operations: Any) -> ToolCatalog:
    """By name: (method, path, the rest of the operation)."""
    paths: dict[str, Any] = {}
    for name, (method, path, rest) in operations.items():
        paths.setdefault(path, {})[method] = {"operationId": name, **rest}
    return built(described(paths))


def query(name: str, **rest: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": "string"}, **rest}


def test_tools_are_paired_by_name_and_then_by_operation() -> None:
    old = of(kept=("get", "/a", {}), before=("get", "/b", {}), gone=("get", "/c", {}))
    new = of(kept=("get", "/a", {}), after=("get", "/b", {}), came=("post", "/c", {}))
    found = compare(old, new)
    assert [(each.was, each.name, each.breaks) for each in found.renamed] == [("before", "after", True)]
    assert [each.name for each in found.added] == ["came"]
    assert [each.name for each in found.removed] == ["gone"]
    assert (found.unchanged, found.breaking) == (1, 2)


def test_an_operation_that_can_no_longer_be_served_is_removed_with_the_reason() -> None:
    new = of(a=("get", "/a", {"parameters": [{"in": "moon", "name": "x"}]}))
    (removed,) = compare(of(a=("get", "/a", {})), new).removed
    assert "moon" in removed.reason


@pytest.mark.parametrize(
    ("old", "new", "what", "breaks"),
    [
        (("get", "/a", {}), ("get", "/b", {}), "is GET /b, was GET /a", False),
        (("get", "/a", {}), ("delete", "/a", {}), "is DELETE /a, was GET /a", True),
        (("get", "/a", {"summary": "x"}), ("get", "/a", {"summary": "y"}), "has another description", False),
        (("get", "/a", {}), ("get", "/a", {"parameters": [query("q")]}), "q is new", False),
        (("get", "/a", {}), ("get", "/a", {"parameters": [query("q", required=True)]}), "q is new and required", True),
        (("get", "/a", {"parameters": [query("q")]}), ("get", "/a", {}), "q is gone", True),
    ],
)
def test_a_change_says_what_it_is_and_whether_it_breaks(old: Any, new: Any, what: str, breaks: bool) -> None:
    (changed,) = compare(of(x=old), of(x=new)).changed
    assert what in [f"{each.argument} {each.what}".strip() for each in changed.changes]
    assert changed.breaks is breaks


def long(kind: str) -> ToolCatalog:
    """A tool whose schema is too long for a list; ``kind`` is the type of what is left out first."""
    inner = {f"m{index}": {"type": "string", "description": "y" * 60} for index in range(4)}
    members = {f"p{index}": {"type": "object", "properties": {"inner": {"properties": inner}}} for index in range(40)}
    members["p39"] = {"type": "object", "properties": {"inner": {"properties": {**inner, "last": {"type": kind}}}}}
    schema = {"type": "object", "properties": members}
    return of(a=("post", "/a", {"requestBody": {"content": {"application/json": {"schema": schema}}}}))


def test_a_change_in_what_a_list_has_no_room_for_is_one() -> None:
    old, new = long("number"), long("integer")
    assert bytes(old.tools["a"].entry) == bytes(new.tools["a"].entry)
    (changed,) = compare(old, new).changed
    assert [(each.argument, each.breaks) for each in changed.changes] == [("p39.inner.last", True)]
    assert compare(old, old).unchanged == 1


def operations(root: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any], str]]:
    """(path item, operation, method) of every operation that has an id and parameters of its own."""
    for item in root["paths"].values():
        for method, operation in item.items() if isinstance(item, dict) else ():
            if isinstance(operation, dict) and "operationId" in operation:
                yield item, operation, method


REAL = (
    "adyen-openapi__json__PaymentService-v50.json", "adyen-openapi__json__PayoutService-v51.json",
    "adyen-openapi__json__RecurringService-v30.json", "guru__anchore.io.json", "guru__apache.org__airflow.json",
    "guru__apideck.com__crm.json", "guru__asana.com.json", "guru__callfire.com.json", "guru__apis.guru.json",
    "guru__discourse.local.json", "guru__apideck.com__file-storage.json", "guru__intellifi.nl.json",
    "guru__maif.local__otoroshi.json", "guru__meshery.local.json", "guru__microcks.local.json",
    "guru__openpolicy.local.json", "kubernetes-1.12-swagger2.json", "twilio-oai__spec__json__twilio_content_v1.json",
    "twilio-oai__spec__json__twilio_monitor_v2.json",
)  # fmt: skip
"""Documents of which a second version is made by known changes; the twentieth pair has two versions of its own."""


@pytest.mark.parametrize("name", REAL)
def test_the_changes_made_to_a_real_document_are_those_that_are_found(name: str, specs_dir: Path) -> None:
    text = (specs_dir / "specs" / name).read_bytes()
    old = built(describe(parse(text)))
    root = msgspec.json.decode(text)
    known = [each for each in operations(root) if each[1]["operationId"] in old.tools]
    gone, renamed, needing = random.Random(name).sample(known, 3)
    del gone[0][gone[2]]
    was = renamed[1]["operationId"]
    renamed[1]["operationId"] = f"{was}Anew"
    needed = {"name": "brandNew", "in": "query", "required": True}
    kind = {"type": "string"} if "swagger" in root else {"schema": {"type": "string"}}
    needing[1].setdefault("parameters", []).append(needed | kind)
    found = compare(old, built(describe(parse(msgspec.json.encode(root)))))
    assert [each.name for each in found.removed] == [gone[1]["operationId"]]
    assert [(each.was, each.name) for each in found.renamed] == [(was, f"{was}Anew")]
    changed = {each.name: [(change.argument, change.breaks) for change in each.changes] for each in found.changed}
    changed = {name: changes for name, changes in changed.items() if changes != [("", False)]}  # a twin is none now
    assert changed == {needing[1]["operationId"]: [("brandNew", True)]}
    assert (found.added, found.breaking) == ((), 3)


def plain(text: bytes) -> dict[str, tuple[str, dict[str, bool]]]:
    """Read without any code of ours: by id, the operation and its parameters outside the body, required or not."""
    root = yaml.load(text, yaml.CSafeLoader)
    return {
        operation["operationId"]: (
            f"{method.upper()} {path}",
            {
                each["name"]: each.get("required", False)
                for each in [*item.get("parameters", ()), *operation.get("parameters", ())]
                if each["in"] != "body"
            },
        )
        for path, item in root["paths"].items()
        for method, operation in item.items()
        if isinstance(operation, dict)
    }


def test_two_versions_of_dockers_api_differ_as_a_plain_reading_of_them_says(specs_dir: Path) -> None:
    texts = [(specs_dir / "specs" / f"moby__api__docs__v1.{minor}.yaml").read_bytes() for minor in (26, 29)]
    old, new = map(plain, texts)
    found = compare(*(built(describe(parse(text))) for text in texts))
    by_operation = {operation: name for name, (operation, _) in old.items()}
    came = {name for name, (operation, _) in new.items() if name not in old and operation not in by_operation}
    moved = {
        (by_operation[operation], name)
        for name, (operation, _) in new.items()
        if name not in old and operation in by_operation
    }
    assert {each.name for each in found.added} == came
    assert {(each.was, each.name) for each in found.renamed} == moved
    kept = {operation for operation, _ in new.values()}
    assert {each.name for each in found.removed} == {
        name for name, (operation, _) in old.items() if name not in new and operation not in kept
    }
    gone = {(name, each) for name in old.keys() & new.keys() for each in old[name][1].keys() - new[name][1].keys()}
    assert {(each.name, c.argument) for each in found.changed for c in each.changes if c.what == "is gone"} >= gone
