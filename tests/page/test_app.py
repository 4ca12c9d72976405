"""The page over HTTP: who gets it, with which policy, and that it is not there where it is off."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx2
import msgspec
import pytest

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.page.files import asset
from openapi_mcp_server.settings.config import load
from processes import Server, started

ALL = ("/", "/page/page.css", "/page/page.js", "/page/catalog.json", "/page/health.json", "/page/tools/getPet")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with started("demo", "--port", "0") as running:
        yield running


@pytest.fixture(scope="module")
def site(server) -> str:
    return str(server.url.removesuffix("mcp"))


def test_a_line_of_the_log_says_where_the_page_is(server, site):
    assert server.log[-2]["message"] == f"a page to look at is at {site}"


@pytest.mark.parametrize("path", ALL)
def test_everything_of_it_is_kept_from_pages_of_other_origins(site, path):
    reply = httpx2.get(site.rstrip("/") + path)
    assert reply.status_code == 200
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize("path", ALL)
@pytest.mark.parametrize(
    ("headers", "status"), [({"host": "evil.example"}, 421), ({"origin": "http://evil.example"}, 403)]
)
def test_a_name_or_an_origin_that_is_not_allowed_gets_nothing(site, path, headers, status):
    reply = httpx2.get(site.rstrip("/") + path, headers=headers)
    assert (reply.status_code, "Pet" in reply.text) == (status, False)


def test_its_policy_lets_in_nothing_but_its_own_files(site):
    policy = dict(part.split(" ", 1) for part in httpx2.get(site).headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"


def test_nothing_of_it_is_written_in_line():
    assert not re.search(rb"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", asset("page.html"))


@pytest.mark.parametrize(
    "path", ["/page", "/page/", "/page/../settings", "/page/tools/none", "/page/tools/", "/page/page.html"]
)
def test_what_it_has_not_is_404(site, path):
    assert httpx2.get(site.rstrip("/") + path).status_code == 404


@pytest.mark.parametrize("path", ALL)
def test_it_takes_get_and_head_only(site, path):
    address = site.rstrip("/") + path
    assert httpx2.post(address).status_code == 405
    whole, head = httpx2.get(address), httpx2.head(address)
    assert (head.status_code, head.content, head.headers["content-type"]) == (200, b"", whole.headers["content-type"])


def test_the_catalog_is_what_inspect_tells(site):
    told = httpx2.get(f"{site}page/catalog.json").json()
    names = [tool["name"] for tool in told["tools"]]
    assert "uploadPetPhoto" in names
    assert next(tool for tool in told["tools"] if tool["name"] == "getPet")["tags"] == ["pets"]
    assert told["apis"][0]["title"] == "Pet shop"


def test_all_its_files_are_small():
    assert sum(len(asset(name)) for name in ("page.html", "page.css", "page.js")) <= 150_000


@pytest.mark.parametrize(("on", "status"), [("false", 404), ("true", 200)])
def test_a_server_without_it_says_404_and_loads_none_of_it(on, status):
    with started("demo", "--port", "0", WEB_PAGE=on, PYTHONPROFILEIMPORTTIME="1") as running:
        site = running.url.removesuffix("mcp")
        assert [httpx2.get(site + path).status_code for path in ("", "page/page.js")] == [status] * 2
        said = "\n".join(str(line["message"]) for line in running.log)
    assert ("openapi_mcp_server.page" in said) is ("a page to look at" in said) is (on == "true")


@pytest.mark.parametrize(
    ("argv", "on"),
    [
        ((), True),
        (("--host", "::1"), True),
        (("--web-page", "false"), False),
        (("--host", "0.0.0.0", "--inbound-auth", "none"), False),
        (("--host", "0.0.0.0", "--inbound-auth", "none", "--web-page", "true"), True),
        (("--transport", "sse"), False),
        (("--transport", "stdio"), False),
        (("--transport", "streamable-http"), True),
    ],
)
def test_it_is_on_by_itself_where_only_this_machine_reaches_the_server(argv, on):
    assert load(["demo", *argv], {}, lambda path: "").web_page is on


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--web-page", "maybe"), "--web-page: 'maybe' must be auto, true or false"),
        (("--web-page", "true", "--transport", "sse"), "--web-page: the page calls tools at /mcp"),
    ],
)
def test_what_cannot_be_is_refused_by_name(argv, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        load(["demo", *argv], {}, lambda path: "")


def test_health_counts_a_call(site):
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "searchPets", "arguments": {"q": "x"}},
    }
    assert httpx2.post(f"{site}mcp", json=call).status_code == 200
    told = httpx2.get(f"{site}page/health.json").json()
    assert (told["status"], told["in_flight"], told["workers"]) == ("ready", 0, 1)
    assert [each["calls"] for each in told["tools"] if each["name"] == "searchPets"] == [1]


def test_the_answers_are_json_by_their_type_and_are_not_kept(site):
    reply = httpx2.get(f"{site}page/catalog.json")
    assert (reply.headers["content-type"], reply.headers["cache-control"]) == ("application/json", "no-store")
    assert msgspec.json.decode(reply.content)
