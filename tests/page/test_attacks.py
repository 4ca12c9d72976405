"""Documents, answers and other pages that attack the page: nothing of them ever becomes markup, script or a request."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest

from browser import Watched, opened_at
from hostile_api import ANSWERS, HOSTILE, document, served
from processes import inspected, run, started

CHANGED = """() => {
    const strange = "iframe, object, embed, base, form[action], #app style, #app script, #app link";
    const handled = each => each.getAttributeNames().some(name => name.startsWith("on"));
    const text = document.body.innerText + document.title;
    return {
        pwned: window.pwned,
        polluted: ({}).polluted,
        scripts: document.scripts.length,
        strange: document.querySelectorAll(strange).length,
        links: [...document.links].filter(each => !["http:", "blob:", "file:"].includes(each.protocol)).length,
        handlers: [...document.querySelectorAll("#app *")].filter(handled).length,
        hidden: /[\\u200b-\\u200f\\u202a-\\u202e\\u2066-\\u2069\\u{e0000}-\\u{e007f}]/u.test(text),
        large: text.length > 400000,
    };
}"""
MARKUP = "try { document.body.innerHTML = '<b>'; } catch { }"
NOTHING = {"scripts": 1, "strange": 0, "links": 0, "handlers": 0, "hidden": False, "large": False}
VIEWS = ("#/", "#/cost", "#/documents", "#/health", "#/connect", "#/tool/<img src=x onerror=pwned=1>", "#/%3Cscript%3E")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory) -> Iterator[tuple[str, str, list[str]]]:
    """The page of a hostile document in front of a hostile API: its address, the document's file, its tools."""
    file = tmp_path_factory.mktemp("hostile") / "api.json"
    file.write_text(json.dumps(document()))
    with served() as (api, _):
        argv = ("--spec-path", str(file), "--api-url", api, "--allow-private-networks")
        tools = [tool["name"] for tool in inspected(*argv)["tools"]]
        with started("serve", *argv, "--transport", "http", "--port", "0") as server:
            yield server.url.removesuffix("mcp"), str(file), tools


@contextmanager
def watched(chromium, url) -> Iterator[tuple[object, Watched]]:
    with opened_at(chromium, "about:blank") as page:
        seen = Watched(page)
        page.on("dialog", lambda dialog: seen.problems.append(dialog.message))
        page.goto(url)
        page.locator(".row").first.wait_for()
        yield page, seen


def unchanged(page, scripts=1):
    found = page.evaluate(CHANGED)
    return {name: value for name, value in found.items() if value is not None} == NOTHING | {"scripts": scripts}


def test_the_oracle_sees_what_a_policy_refuses(chromium, demo):
    with watched(chromium, demo) as (page, seen):
        for does in ("document.body.append(Object.assign(new Image(), {src: 'http://evil.example/'}))", MARKUP):
            with page.expect_console_message():
                page.evaluate(f"() => {{ {does}; }}")
        assert len(seen.problems) >= 2
        page.evaluate("() => { window.pwned = 1; }")
        assert not unchanged(page)


def test_a_hostile_document_changes_nothing_in_any_view(chromium, attacked):
    site, _, tools = attacked
    assert len(tools) >= len(HOSTILE)
    with watched(chromium, site) as (page, seen):
        said = ""
        for view in (*VIEWS, *(f"#/tool/{name}" for name in tools)):
            page.goto(site + view)
            page.locator("main h2, main .empty").first.wait_for()
            for each in page.locator("summary").all():
                each.click()
            assert unchanged(page), view
            said += page.locator("main").inner_text()
        assert [
            each for each in ("window.pwned = 1", "javascript:window", "__proto__", "AAA") if each not in said
        ] == []
        page.goto(site)
        page.get_by_label("Search tools").fill("<script>")
        assert unchanged(page)
        assert (seen.problems, seen.foreign(site)) == ([], [])


def test_hostile_answers_change_nothing(chromium, attacked):
    site, _, tools = attacked
    with watched(chromium, site) as (page, seen):
        for name in (path[1:] for path in ANSWERS):
            assert name in tools
            page.goto(f"{site}#/tool/{name}")
            page.get_by_role("button", name="Call", exact=True).click()
            page.locator(".result").wait_for()
            for tab in page.locator(".result [role=tab]").all():
                tab.click()
                assert unchanged(page), name
        assert (seen.problems, seen.foreign(site)) == ([], [])


def test_the_page_as_one_file_is_changed_by_nothing_either(chromium, attacked, tmp_path):
    _, file, tools = attacked
    done = run("inspect", "--spec-path", file, "--api-url", "https://a.example", "--html", str(tmp_path / "out.html"))
    assert done.returncode == 0, done.stderr
    url = (tmp_path / "out.html").as_uri()
    with watched(chromium, url) as (page, seen):
        for view in ("", "#/cost", "#/documents", *(f"#/tool/{name}" for name in tools)):
            page.goto(url + view)
            page.locator("main h2").first.wait_for()
            assert unchanged(page, scripts=2), view
        assert (seen.problems, seen.foreign("file:")) == ([], [])


TRIES = """async site => {
    const call = {name: "deletePet", arguments: {petId: 1}};
    const body = JSON.stringify({jsonrpc: "2.0", id: 1, method: "tools/call", params: call});
    const asked = async (path, how) => {
        try {
            const reply = await fetch(site + path, how);
            return reply.type === "opaque" && (await reply.text()) === "" ? "opaque" : "read";
        } catch {
            return "refused";
        }
    };
    const loaded = (tag, given) => new Promise(done => {
        const says = {onload: () => done("loaded"), onerror: () => done("refused")};
        document.body.append(Object.assign(document.createElement(tag), says, given));
    });
    return [
        await asked(""),
        await asked("page/catalog.json"),
        await asked("page/health.json", {mode: "no-cors"}),
        await asked("mcp", {method: "POST", body, headers: {"content-type": "application/json"}}),
        await asked("mcp", {method: "POST", body, mode: "no-cors"}),
        await loaded("script", {src: site + "page/page.js"}),
        await loaded("link", {rel: "stylesheet", href: site + "page/page.css"}),
        await loaded("img", {src: site + "page/catalog.json"}),
    ];
}"""


FRAME = "site => { document.body.append(Object.assign(document.createElement('iframe'), {src: site})); }"


class _Blank(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<!doctype html><title>evil</title><body></body>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Nothing on standard error."""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The address of a page of another origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Blank) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://evil.example:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_page_of_another_origin_can_neither_read_nor_call(chromium, demo, elsewhere):
    with opened_at(chromium, elsewhere) as page:
        tried = page.evaluate(TRIES, demo)
    assert tried == ["refused", "refused", "refused", "refused", "opaque", "refused", "refused", "refused"]
    assert httpx2.get(f"{demo}page/health.json").json()["tools"] == []


def test_a_page_of_another_origin_can_neither_frame_nor_hold_it(chromium, demo, elsewhere):
    with opened_at(chromium, elsewhere) as page:
        with page.expect_event("framenavigated"):
            page.evaluate(FRAME, demo)
        assert [frame.url for frame in page.frames[1:]] == ["chrome-error://chromewebdata/"]
        with page.context.expect_page() as opened:
            page.evaluate("site => { window.held = window.open(site); }", demo)
        opened.value.locator(".row").first.wait_for()
        assert opened.value.evaluate("window.opener") is None
        assert page.evaluate("window.held.closed")


def test_the_server_under_a_name_of_another_site_answers_nothing(chromium, demo):
    port = demo.rstrip("/").rpartition(":")[2]
    with opened_at(chromium, f"http://rebound.example:{port}/") as page:
        assert "does not answer for the Host" in page.locator("body").inner_text()
