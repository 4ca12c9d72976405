"""The page as a server may be set: search mode, several APIs, callers that may do a part, answers cut short."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from browser import expect, opened_at, press_call
from hostile_api import served
from node import NODE, NODE_FOLDER
from processes import environment, run, started

ALICE, BOB = "alice-0123456789abcdef", "bob-0123456789abcdef"
TOKENS = json.dumps([{"name": "alice", "token": ALICE}, {"name": "bob", "token": BOB, "tags": ["pets"]}])


def form(title: str, name: str, kind: str) -> dict[str, Any]:
    return {"title": title, "type": "object", "required": [name], "properties": {name: {"type": kind}}}


KINDS = {
    "type": "object",
    "required": ["colour"],
    "properties": {
        "colour": {"type": "string", "enum": ["red", "green"]},
        "note": {"type": ["string", "null"], "description": "Goes with `colour`, and an odd ` stays."},
        "hot": {"type": "boolean"},
        "sizes": {"type": "array", "items": {"type": "integer"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "payment": {"oneOf": [form("Card", "digits", "string"), form("Cash", "coins", "integer")]},
    },
}


def operation(name: str, tag: str = "", **more: Any) -> dict[str, Any]:
    answers = {"200": {"description": "ok", "content": {"application/json": {"schema": {}}}}}
    return {"operationId": name, "responses": answers, **({"tags": [tag]} if tag else {}), **more}


PATHS = {
    "/orders": {
        "get": operation("listOrders", "orders", summary="List orders of a customer"),
        "post": operation(
            "addOrder",
            "orders",
            summary="Place an order",
            requestBody={"required": True, "content": {"application/json": {"schema": KINDS}}},
        ),
    },
    "/orders/{order}/refund": {
        "parameters": [{"name": "order", "in": "path", "required": True, "schema": {"type": "integer"}}],
        "post": operation("refundOrder", "orders", summary="Give money back for an order"),
    },
    "/pets": {"get": operation("listPets", "pets", summary="List pets")},
    "/moon": {"get": operation("moon", parameters=[{"name": "phase", "in": "moon"}])},
}


def document(folder: Path, title: str = "Shop", paths: dict[str, Any] = PATHS) -> str:
    whole = {"openapi": "3.1.0", "info": {"title": title, "version": "1"}, "paths": paths}
    (folder / f"{title}.json").write_text(json.dumps(whole, indent=2))
    return str(folder / f"{title}.json")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """What a server of the shop is started with; its API answers a body with that body."""
    path = document(tmp_path_factory.mktemp("shop"))
    with served() as (api, _):
        where = ["--spec-path", path, "--api-url", api, "--allow-private-networks"]
        yield ["serve", *where, "--transport", "http", "--port", "0"]


def give(page, token):
    page.get_by_role("textbox", name="Token").fill(token)
    page.get_by_role("button", name="Use it").click()
    page.wait_for_selector(".row")


@pytest.mark.parametrize("mode", [{"TOOL_MODE": "search"}, {"TOOL_MODE": "auto", "TOOL_BUDGET_TOKENS": "10"}])
def test_a_search_shows_live_what_a_model_would_read(chromium, shop, mode):
    with started(*shop, **mode) as server, opened_at(chromium, server.url.removesuffix("mcp")) as page:
        expect(page.locator(".cards")).to_contain_text("behind 4 tools to search with")
        page.get_by_label("Search tools").press_sequentially("give money back")
        hits = page.locator(".hits")
        expect(hits).to_contain_text("1. refundOrder(order: int")
        expect(hits).to_contain_text("   POST /orders/{order}/refund — Give money back for an order")
        page.get_by_label("Search tools").fill("order")
        page.get_by_label("Method", exact=True).select_option("GET")
        expect(hits).to_contain_text("1. listOrders(")
        expect(hits).not_to_contain_text("POST")
        expect(page.locator(".found")).to_contain_text('search_operations {"query":"order","method":"GET"}')
        hits.get_by_role("link", name="listOrders").click()
        press_call(page)
        assert page.locator(".result.good").count() == 1
        page.get_by_role("link", name="Tools", exact=True).click()
        expect(hits).to_contain_text("1. listOrders(")
        page.goto(f"{server.url.removesuffix('mcp')}#/cost")
        expect(page.locator("main")).to_contain_text("Clients are told of 4 tools to search with instead")


def test_what_is_found_is_word_for_word_the_answer_to_a_model(chromium, shop):
    with started(*shop, TOOL_MODE="search") as server, opened_at(chromium, server.url.removesuffix("mcp")) as page:
        asked = {"name": "search_operations", "arguments": {"query": "orders"}}
        answer = httpx2.post(
            server.url,
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": asked},
            headers={"accept": "application/json", "mcp-protocol-version": "2025-11-25"},
        ).json()
        page.get_by_label("Search tools").fill("orders")
        page.wait_for_selector(".hits")
        assert page.locator(".hits p").all_text_contents() == answer["result"]["content"][0]["text"].split("\n")


def test_a_list_that_is_not_searched_has_nothing_that_a_model_would_find(chromium, shop):
    with started(*shop) as server, opened_at(chromium, server.url.removesuffix("mcp")) as page:
        page.get_by_label("Search tools").fill("orders")
        expect(page.locator(".row")).to_have_count(3)
        assert page.locator(".found").count() == 0


def test_several_apis_are_told_apart_in_every_view(chromium, tmp_path):
    where = {"base_url": "http://127.0.0.1:9"}
    apis = [{"name": name, "spec_path": document(tmp_path, name), **where} for name in ("one", "two")]
    argv = ("serve", "--transport", "http", "--port", "0", "--allow-private-networks")
    with started(*argv, ADDITIONAL_SPECS=json.dumps(apis)) as server:
        site = server.url.removesuffix("mcp")
        with opened_at(chromium, site) as page:
            expect(page.locator(".row")).to_have_count(8)
            page.get_by_label("API", exact=True).select_option("two")
            expect(page.locator(".row")).to_have_count(4)
            assert page.locator(".row b").first.inner_text() == "two_listOrders"
            page.get_by_role("link", name="Documents").click()
            page.get_by_role("heading", name="2 documents").wait_for()
            assert page.locator("main .panel h3").all_inner_texts()[0].startswith("one")
            page.get_by_role("link", name="Cost").click()
            expect(page.locator(".bars").first).to_contain_text("two · orders")


def test_a_caller_that_may_do_a_part_sees_that_part_and_no_numbers_of_others(chromium, shop):
    settings = {"INBOUND_AUTH": "token", "INBOUND_TOKENS": TOKENS}
    with started(*shop, **settings) as server:
        site = server.url.removesuffix("mcp")
        with opened_at(chromium, f"{site}#/tool/listOrders") as page:
            give(page, ALICE)
            press_call(page)
            page.get_by_text("The same call elsewhere").click()
            command = page.get_by_label("Command", exact=True).inner_text()
            assert command == f"scripts/run call listOrders --server {site}mcp --token-file token"
            page.get_by_role("link", name="Health").click()
            expect(page.locator("table")).to_contain_text("listOrders")
        with opened_at(chromium, site) as page:
            give(page, BOB)
            assert page.locator(".row b").all_inner_texts() == ["listPets"]
            page.goto(f"{site}#/tool/listPets")
            press_call(page)
            page.goto(f"{site}#/tool/listOrders")
            expect(page.locator(".detail")).to_contain_text("There is no tool listOrders")
            page.get_by_role("link", name="Health").click()
            expect(page.locator(".note")).to_contain_text("only those who may call everything see them")
            for view in ("Health", "Cost", "Document", "Tools"):
                page.get_by_role("link", name=view, exact=True).click()
                assert "listOrders" not in page.locator("main").inner_text().replace("no tool listOrders", "")


def test_every_kind_of_argument_is_filled_in_a_form(chromium, shop):
    with started(*shop) as server, opened_at(chromium, f"{server.url.removesuffix('mcp')}#/tool/addOrder") as page:
        page.get_by_label(re.compile("^colour")).select_option(label="green")
        page.get_by_label("null for note").check()
        page.get_by_label("hot").select_option(label="true")
        for size in ("3", "4"):
            page.get_by_role("button", name="+ Add to sizes").click()
            page.get_by_role("group", name="sizes").get_by_role("textbox").last.fill(size)
        page.get_by_label("Name of a new member of labels").fill("gift")
        page.get_by_role("button", name="+ Add member").click()
        page.get_by_label("gift").last.fill("yes")
        page.get_by_label("Form of payment").select_option(index=2)
        page.get_by_label("coins").fill("7")
        press_call(page)
        assert json.loads(page.locator(".result pre").inner_text()) == {
            "colour": "green",
            "note": None,
            "hot": True,
            "sizes": [3, 4],
            "labels": {"gift": "yes"},
            "payment": {"coins": 7},
        }


def test_what_stands_between_backticks_is_code_in_descriptions(chromium, shop):
    with started(*shop) as server, opened_at(chromium, f"{server.url.removesuffix('mcp')}#/tool/addOrder") as page:
        about = page.locator(".about", has_text="Goes with")
        expect(about.locator("code")).to_have_text("colour")
        assert about.inner_text() == "Goes with colour, and an odd ` stays."


@pytest.mark.parametrize("width", [390, 1400])
def test_a_part_of_the_map_of_costs_has_a_label_only_where_there_is_room(chromium, tmp_path, width):
    paths = {f"/t{n}": {"get": operation(f"get{n}", f"tag-{n:02}", summary="x" * n * 20)} for n in range(40)}
    file = tmp_path / "map.html"
    assert run("inspect", "--spec-path", document(tmp_path, "Map", paths), "--html", str(file)).returncode == 0
    with opened_at(chromium, f"file://{file}#/cost") as page:
        page.set_viewport_size({"width": width, "height": 900})
        page.locator(".treemap").wait_for()
        tags = page.evaluate(
            """() => [...document.querySelectorAll(".tag")].map(tag => {
                const label = tag.querySelector(":scope > span");
                return [tag.clientWidth, label !== null && label.offsetWidth > 0];
            })"""
        )
        assert any(is_labelled for _, is_labelled in tags)
        assert [wide for wide, is_labelled in tags if is_labelled and wide < 76] == []


def test_what_was_skipped_is_told_with_its_reason_and_place_and_a_cut_answer_as_cut(chromium, shop):
    settings = {"RESULT_BUDGET_BYTES": "2000"}
    with started(*shop, **settings) as server, opened_at(chromium, server.url.removesuffix("mcp")) as page:
        page.get_by_role("link", name="Document").click()
        page.get_by_role("heading", name="1 document").wait_for()
        said = page.locator("main").inner_text()
        assert "'in' must be one of path, query, header, cookie, querystring, not 'moon'" in said
        assert "#/paths/~1moon/get/parameters/0/in" in said
        page.goto(f"{server.url.removesuffix('mcp')}#/tool/addOrder")
        page.get_by_role("button", name="Edit as JSON").click()
        page.get_by_label("Arguments as JSON").fill(json.dumps({"colour": "red", "note": "x" * 9_000}))
        press_call(page)
        assert "truncated" in page.locator(".result header").inner_text()


def test_a_reload_and_a_drain_are_told_and_a_server_that_is_gone_is_said_to_be(chromium, shop):
    settings = {"SPEC_REFRESH_SECONDS": "3600", "SHUTDOWN_LAME_DUCK_SECONDS": "60"}
    with started(*shop, **settings) as server, opened_at(chromium, f"{server.url.removesuffix('mcp')}#/health") as page:
        expect(page.locator(".cards")).to_contain_text("not yet")
        server.process.send_signal(signal.SIGTERM)
        expect(page.locator(".cards")).to_contain_text("draining")
        server.process.kill()
        expect(page.locator("[role=alert]")).to_contain_text("the server does not answer")


@pytest.fixture(scope="module", params=[{}, {"INBOUND_AUTH": "token", "INBOUND_TOKENS": TOKENS}], ids=["open", "token"])
def snippets(chromium, shop, request) -> Iterator[dict[str, str]]:
    """What the page gives people to copy, by client, beside its server."""
    with started(*shop, **request.param) as server:
        with opened_at(chromium, f"{server.url.removesuffix('mcp')}#/connect") as page:
            if request.param:
                page.get_by_role("textbox", name="Token").fill(ALICE)
                page.get_by_role("button", name="Use it").click()
            page.wait_for_selector(".snippets")
            found = {
                each.locator("h3").inner_text(): each.locator("pre").inner_text().replace("YOUR_TOKEN", ALICE)
                for each in page.locator(".snippets section").all()
            }
        yield found


def test_each_client_is_told_of_the_server(snippets):
    assert set(snippets) == {"Claude Code", "Claude Desktop", "VS Code", "Cursor", "Python", "TypeScript"}
    assert all("/mcp" in text for text in snippets.values())
    for client in ("Claude Desktop", "VS Code", "Cursor"):
        json.loads(snippets[client])


def test_the_program_in_python_lists_the_tools(snippets):
    argv = [sys.executable, "-c", snippets["Python"]]
    done = subprocess.run(argv, env=environment(), capture_output=True, text=True, check=False, timeout=30)
    assert done.stdout.split() == ["listOrders", "addOrder", "refundOrder", "listPets"], done.stderr


@pytest.mark.skipif(not (NODE_FOLDER / "node_modules").exists(), reason="no npm packages: scripts/test installs them")
def test_the_program_in_typescript_lists_the_tools(snippets):
    argv = [str(NODE), "--input-type=module", "-e", f"{snippets['TypeScript']}\nawait client.close();"]
    done = subprocess.run(argv, cwd=NODE_FOLDER, capture_output=True, text=True, check=False, timeout=30)
    assert done.stdout.split() == ["listOrders", "addOrder", "refundOrder", "listPets"], done.stderr
