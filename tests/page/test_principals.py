"""The page where callers say who they are: each sees what it may call, and nothing of the rest."""

from __future__ import annotations

import httpx2
import msgspec
import pytest

from asked import call, fetch
from openapi_mcp_server.bridge.policy import EVERYTHING, Permit, Rule, selector
from openapi_mcp_server.bridge.reports.report import sees_all
from processes import started

ALICE, BOB = "alice-0123456789abcdef", "bob-0123456789abcdef"
TOKENS = [{"name": "alice", "token": ALICE}, {"name": "bob", "token": BOB, "tags": ["pets"]}]
SPEC = """
openapi: 3.1.0
info: {title: Pets, version: '1'}
servers: [{url: 'http://127.0.0.1:9/secret-base'}]
paths:
  /pets: {get: {operationId: listPets, tags: [pets], responses: {'200': {description: ok}}}}
  /secret_orders: {get: {operationId: secretOrders, tags: [secret], responses: {'200': {description: ok}}}}
  /secret_skipped:
    get:
      operationId: secretSkipped
      tags: [secret]
      parameters: [{name: a, in: nowhere, schema: {type: string}}, {name: b, in: path, required: true}]
      responses: {'200': {description: ok}}
"""
DATA = ("catalog.json", "health.json", "tools/listPets", "tools/secretOrders")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    path = tmp_path_factory.mktemp("spec") / "openapi.yaml"
    path.write_text(SPEC)
    argv = ("serve", "--spec-path", str(path), "--transport", "http", "--port", "0", "--allow-private-networks")
    with started(*argv, INBOUND_AUTH="token", INBOUND_TOKENS=msgspec.json.encode(TOKENS).decode()) as server:
        yield server.url.removesuffix("mcp")


def told(site, path, token=None):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx2.get(f"{site}page/{path}", headers=headers)


@pytest.mark.parametrize("path", ["", "page/page.css", "page/page.js"])
def test_its_files_need_no_token_since_they_ask_for_it(site, path):
    assert httpx2.get(site + path).status_code == 200


@pytest.mark.parametrize("token", [None, "mallory-0123456789abcdef"])
@pytest.mark.parametrize("path", [*DATA, "none"])
def test_whatever_it_tells_of_this_server_needs_one(site, path, token):
    reply = told(site, path, token)
    assert (reply.status_code, reply.headers["www-authenticate"][:6]) == (401, "Bearer")
    assert "secret" not in reply.text


def test_who_may_call_everything_sees_everything(site):
    catalog = told(site, "catalog.json", ALICE).json()
    assert [tool["name"] for tool in catalog["tools"]] == ["listPets", "secretOrders"]
    assert [each["path"] for each in catalog["skipped"]] == ["/secret_skipped"]
    assert catalog["apis"][0]["base_url"] == "http://127.0.0.1:9/secret-base"
    assert told(site, "tools/secretOrders", ALICE).json()["entry"]["name"] == "secretOrders"


def test_who_may_call_a_part_sees_that_part(site):
    for path in ("mcp", "mcp"):
        fetch(
            site + path, "POST", call("secretOrders"), content_type="application/json", authorization=f"Bearer {ALICE}"
        )
    catalog = told(site, "catalog.json", BOB).json()
    assert [(tool["name"], tool["tags"]) for tool in catalog["tools"]] == [("listPets", ["pets"])]
    assert (catalog["apis"][0]["tools"], catalog["apis"][0]["unmet_security"]) == (1, 0)
    assert told(site, "tools/listPets", BOB).status_code == 200
    assert told(site, "tools/secretOrders", BOB).status_code == 404
    assert [each["name"] for each in told(site, "health.json", ALICE).json()["tools"]] == ["secretOrders"]
    assert set(told(site, "health.json", BOB).json()) == {
        "name",
        "version",
        "status",
        "uptime_seconds",
        "grace_seconds",
    }
    assert all("secret" not in told(site, path, BOB).text for path in DATA)


@pytest.mark.parametrize(
    ("permit", "whole"),
    [
        (Permit(), True),
        (Permit(granted=(EVERYTHING, EVERYTHING), scopes=frozenset({"a"})), True),
        (Permit(granted=()), False),
        (Permit(granted=(EVERYTHING, Rule(deny=(selector("DELETE"),)))), False),
        (Permit(own=Rule(read_only=True)), False),
    ],
)
def test_a_permit_is_whole_if_no_rule_of_it_leaves_anything_out(permit, whole):
    assert sees_all(permit) is whole
