"""The page by keyboard, by ear, at any size and in any colours: what axe does not see."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from browser import expect, opened_at, press_call

Page = Any  # of Playwright
MEMBERS: dict[str, Any] = {
    "needed": {"type": "object", "description": "What it is.", "properties": {"a": {"type": "string"}}},
    "group": {"type": "object", "properties": {"inner": {"type": "string"}}},
    "list": {"type": "array", "items": {"type": "string"}},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    "photo": {"type": "string", "contentEncoding": "base64"},
    **{f"option{number:02}": {"type": "string"} for number in range(9)},
}
BODY = {"type": "object", "required": ["needed"], "properties": MEMBERS}
WORDS = "A long story. " * 80
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Reach", "version": "1"},
    "paths": {
        "/echo": {
            "post": {
                "operationId": "echo",
                "description": WORDS,
                "requestBody": {"required": True, "content": {"application/json": {"schema": BODY}}},
                "responses": {"200": {"description": "ok", "content": {"application/json": {"schema": {}}}}},
            }
        }
    },
}


@pytest.fixture
def page(visitor, site) -> Page:
    """A page at the tool that remembers nothing of the test before."""
    visitor.goto("about:blank")
    visitor.goto(f"{site}#/tool/echo")
    visitor.get_by_label("option01").wait_for()
    return visitor


def pressed(page: Page, name: str) -> None:
    button = page.get_by_role("button", name=name)
    button.focus()
    button.press("Enter")


def focused(page: Page) -> str:
    return str(
        page.evaluate(
            "(({ariaLabel, innerText, labels, tagName}) => ariaLabel || labels?.[0]?.innerText || innerText || tagName)"
            "(document.activeElement)"
        )
    )


def two_items(page: Page) -> None:
    for _ in range(2):
        pressed(page, "+ Add to list")


def a_member(page: Page) -> None:
    page.get_by_label("Name of a new member of labels").fill("gift")
    pressed(page, "+ Add member")


def a_file(page: Page) -> None:
    page.locator("input[type=file]").focus()
    page.locator("input[type=file]").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"x"})
    page.locator(".picked").wait_for()


def nothing(page: Page) -> None:
    pass


GONE: tuple[tuple[Callable[[Page], None], str, str], ...] = (
    (nothing, "more optional arguments", "option04 string"),
    (nothing, "+ Add group", "inner"),
    (lambda page: pressed(page, "+ Add group"), "Leave group out", "+ Add group"),
    (two_items, "Remove item 1 of list", "Remove item 1 of list"),
    (two_items, "Remove item 2 of list", "+ Add to list"),
    (a_member, "Remove gift", "Name of a new member of labels"),
    (a_file, "Remove", "photo"),
    (nothing, "Show all of it", "A long story."),
)


@pytest.mark.parametrize(("before", "button", "after"), GONE, ids=[button for _, button, _ in GONE])
def test_a_button_that_goes_away_when_it_is_pressed_leaves_the_focus_beside_it(page, before, button, after):
    before(page)
    pressed(page, button)
    page.wait_for_function("document.activeElement !== document.body")
    assert focused(page).startswith(after)


def answered_by(page: Page, answer: Callable[[Any], object]) -> None:
    """Has calls of tools answered so, in place of the server."""
    page.route("**/mcp", lambda route: answer(route) if "tools/call" in route.request.post_data else route.continue_())


def test_a_call_is_made_and_given_up_by_keyboard_without_losing_the_place(chromium, site):
    with opened_at(chromium, f"{site}#/tool/echo") as page:
        answered_by(page, lambda _: None)
        pressed(page, "Call")
        assert focused(page) == "Calling…"
        pressed(page, "Cancel")
        page.locator(".problem").wait_for()
        expect(page.get_by_role("button", name="Call", exact=True)).to_be_focused()


def test_a_view_that_is_left_by_a_link_in_it_hands_the_focus_to_the_next_ones_heading(chromium, site):
    with opened_at(chromium, site) as page:
        page.get_by_role("link", name="tokens for the list").press("Enter")
        expect(page.get_by_role("heading", name="What the list costs a model")).to_be_focused()


def test_on_a_telephone_the_way_back_to_the_list_leads_to_it_for_a_keyboard_too(chromium, site):
    with opened_at(chromium, f"{site}#/tool/echo", viewport={"width": 360, "height": 640}) as page:
        page.get_by_role("link", name="All tools").press("Enter")
        expect(page.locator(".split")).to_be_focused()  # no field, which would open a keyboard on the screen
        page.keyboard.press("Tab")
        expect(page.get_by_label("Search tools")).to_be_focused()


def test_every_view_has_a_title_of_its_own_for_the_history_of_the_browser(chromium, site):
    with opened_at(chromium, site) as page:
        for view, title in {
            "": "Tools · Reach",
            "#/cost": "Cost · Reach",
            "#/health": "Health · Reach",
            "#/tool/echo": "echo · Reach",
        }.items():
            page.goto(site + view)
            expect(page).to_have_title(title)
        page.go_back()
        expect(page).to_have_title("Health · Reach")
        page.go_forward()
        expect(page.get_by_role("heading", name="echo", exact=True)).to_be_visible()


def test_how_a_call_ended_is_said_in_a_few_words(page):
    press_call(page)
    expect(page.get_by_role("status").filter(has_text="The tool reports an error, after")).to_have_count(1)
    page.get_by_role("group", name="needed").get_by_role("textbox").fill("x")
    press_call(page)
    expect(page.get_by_role("status").filter(has_text="Result, after")).to_have_count(1)
    assert page.locator(".result[aria-live], .result [aria-live]").count() == 0


def test_a_group_says_to_a_screen_reader_that_it_is_required_and_what_it_is(page):
    needed = page.get_by_role("group", name="needed required object")
    expect(needed).to_have_accessible_description("What it is.")


@pytest.mark.parametrize("clipboard", ["the browser's", "none"])
def test_what_is_copied_is_said_to_be_and_is_there_also_where_the_page_is_not_secure(chromium, site, clipboard):
    with opened_at(chromium, "about:blank") as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        if clipboard == "none":
            page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
        page.goto(f"{site}#/connect")
        page.get_by_role("button", name="Copy: For Cursor").click()
        expect(page.get_by_role("button", name="Copied: For Cursor")).to_be_visible()
        expect(page.get_by_role("status").filter(has_text="Copied")).to_have_count(1)
        page.goto(f"{site}#/tool/echo")
        page.get_by_role("button", name="Edit as JSON").click()
        page.get_by_label("Arguments as JSON").press("Control+a")
        page.keyboard.press("Control+v")
        assert json.loads(page.get_by_label("Arguments as JSON").input_value()) == {
            "mcpServers": {"api": {"url": f"{site}mcp"}}
        }


@pytest.mark.parametrize(("host", "is_told"), [("shop.example", True), ("localhost", False), ("127.0.0.9", False)])
def test_what_claude_desktop_starts_is_told_to_take_plain_http_beyond_this_machine(chromium, site, host, is_told):
    """mcp-remote refuses it without --allow-http."""
    with opened_at(chromium, "about:blank") as page:
        there = f"http://{host}/"
        page.route(
            f"{there}**", lambda route: route.fulfill(response=route.fetch(url=route.request.url.replace(there, site)))
        )
        page.goto(f"{there}#/connect")
        argv = json.loads(page.get_by_label("For Claude Desktop", exact=True).inner_text())["mcpServers"]["api"]["args"]
        assert argv == ["-y", "mcp-remote", f"{there}mcp", *["--allow-http"] * is_told]


def test_who_will_give_no_token_is_not_asked_again_and_again(chromium, site):
    asked: list[str] = []
    with opened_at(chromium, "about:blank") as page:
        page.clock.install()
        page.route("**/page/health.json", lambda route: (asked.append("once"), route.fulfill(status=401)))
        page.goto(f"{site}#/health")
        page.wait_for_selector("dialog[open]")
        page.keyboard.press("Escape")
        expect(page.locator("[role=alert]")).to_contain_text("a token is needed")
        page.clock.run_for(60_000)
        assert (asked, page.locator("dialog[open]").count()) == (["once"], 0)


LARGE = 300_000


def test_a_large_answer_is_shown_by_its_beginning_in_every_form(chromium, site):
    reply = {"jsonrpc": "2.0", "id": 1, "result": {"content": [], "structuredContent": {"all": [1] * LARGE}}}
    with opened_at(chromium, f"{site}#/tool/echo") as page:
        answered_by(page, lambda route: route.fulfill(json=reply))
        press_call(page)
        for tab in ("Structure", "JSON-RPC answer"):
            page.get_by_role("tab", name=tab).click()
            page.get_by_text(re.compile(r"Show all \d")).wait_for()
            assert page.evaluate("document.querySelector('.result pre').textContent.length") == 200_000


CONTRAST = r"""selector => {
    const light = colour => {
        const parts = colour.match(/[\d.]+/g).slice(0, 3).map(each => each / 255);
        const [r, g, b] = parts.map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const style = getComputedStyle(document.querySelector(selector));
    const [low, high] = [light(style.borderTopColor), light(style.backgroundColor)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
}"""


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_edges_of_what_is_filled_in_are_seen(chromium, site, colours):
    """WCAG 2.2, 1.4.11: a ratio of 3 at least."""
    with opened_at(chromium, f"{site}#/tool/echo", color_scheme=colours) as page:
        page.get_by_label("option01").wait_for()
        assert page.evaluate(CONTRAST, "form[aria-label] input") >= 3
        assert page.evaluate(CONTRAST, "#search") >= 3


@pytest.mark.parametrize(("width", "height"), [(320, 256), (640, 360)])
def test_a_list_can_be_read_in_a_window_that_is_very_low(chromium, site, width, height):
    """WCAG 2.2, 1.4.10: 320 x 256, which is 1280 x 1024 at 400 %."""
    with opened_at(chromium, site, viewport={"width": width, "height": height}) as page:
        page.locator(".row").first.wait_for()
        assert page.locator(".rows").bounding_box()["height"] >= 150
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_row_that_the_keys_are_at_is_seen_in_a_systems_own_colours(chromium, site):
    with opened_at(chromium, site, forced_colors="active") as page:
        page.get_by_role("listbox").focus()
        page.keyboard.press("Home")
        assert page.locator(".row.active").evaluate("each => getComputedStyle(each).outlineStyle") == "solid"
