"""Schemas that are hard to make a form of: what is typed is what is sent, and what is shown is what will be sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from browser import expect, press_call

CARD = {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "card"}, "digits": {"type": "string"}}}
CASH = {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "cash"}, "coins": {"type": "integer"}}}
MEMBERS: dict[str, Any] = {
    "constructor": {"type": "string"},
    "amount": {"type": "number"},
    "either": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    "payment": {"oneOf": [CARD, CASH]},
    "payments": {"type": "array", "items": {"oneOf": [CARD, CASH]}},
    "anything": {"type": "array", "items": {}},
    "files": {"type": "array", "items": {"type": "string", "contentEncoding": "base64"}},
    "description": {"type": "string"},
    "code": {"type": "string", "minLength": 3, "maxLength": 3, "pattern": "^[A-Z]+$"},
    "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "multipleOf": 0.5},
}
BODY = {"application/json": {"schema": {"type": "object", "properties": MEMBERS}}}
ANSWERS = {"200": {"description": "ok", "content": {"application/json": {"schema": {}}}}}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Forms", "version": "1"},
    "paths": {"/echo": {"post": {"operationId": "echo", "requestBody": {"content": BODY}, "responses": ANSWERS}}},
}


@pytest.fixture
def page(visitor, site) -> Any:
    """A page that remembers nothing of the test before."""
    visitor.goto("about:blank")
    visitor.goto(f"{site}#/tool/echo")
    visitor.get_by_label("constructor").wait_for()
    return visitor


def as_json(page):
    page.get_by_role("button", name="Edit as JSON").click()
    return json.loads(page.get_by_label("Arguments as JSON").input_value())


def test_a_name_that_every_object_of_javascript_has_is_empty_until_it_is_typed(page):
    assert page.get_by_label("constructor").input_value() == ""
    page.get_by_label("constructor").fill("x")
    assert as_json(page) == {"constructor": "x"}


@pytest.mark.parametrize(
    ("name", "limits"),
    [("code", "string ≥ 3 characters, ≤ 3 characters, like ^[A-Z]+$"), ("share", "number > 0, ≤ 1, a multiple of 0.5")],
)
def test_the_limits_of_a_value_stand_beside_its_name(page, name, limits):
    page.get_by_role("button", name="more optional arguments").click()
    expect(page.get_by_role("textbox", name=f"{name} {limits}", exact=True)).to_be_visible()


@pytest.mark.parametrize("typed", ["NaN", "Infinity", "1e400", "1.0"])
def test_what_is_no_number_of_json_yet_stays_as_it_was_typed(page, typed):
    page.get_by_label("amount").fill(typed)
    assert as_json(page) == {"amount": typed}


def test_an_item_that_is_removed_takes_with_it_what_was_shown_of_it(page):
    anything, files = (page.get_by_role("group", name=name) for name in ("anything", "files"))
    for name in ("anything", "anything", "files", "files"):
        page.get_by_role("button", name=f"+ Add to {name}").click()
    for place, text in enumerate(('"one"', '"two"')):
        anything.get_by_role("textbox").nth(place).fill(text)
    for name in ("a.txt", "b.txt"):
        chosen = {"name": name, "mimeType": "text/plain", "buffer": b"x"}
        files.locator("input[type=file]").first.set_input_files(chosen)
        page.get_by_text(f"{name} · 1 B").wait_for()
    page.get_by_label("Remove item 1 of anything").click()
    page.get_by_label("Remove item 1 of files").click()
    expect(anything.get_by_role("textbox")).to_have_value('"two"')
    expect(files.locator(".picked")).to_contain_text("b.txt")
    files.get_by_role("button", name="Remove", exact=True).click()
    expect(files.locator("input[type=file]")).to_have_count(1)
    assert as_json(page) == {"anything": ["two"], "files": [""]}


def test_one_of_several_forms_is_named_by_what_is_fixed_in_it_and_found_again(page):
    chosen = page.get_by_label("Form of payment", exact=True)
    chosen.select_option(label="cash (object)")
    page.get_by_label("coins").fill("7")
    assert as_json(page) == {"payment": {"kind": "cash", "coins": 7}}
    page.get_by_role("button", name="Edit as a form").click()
    expect(chosen.locator("option:checked")).to_have_text("cash (object)")
    expect(page.get_by_label("coins")).to_have_value("7")


def test_a_form_that_is_chosen_stays_while_its_value_is_emptied(page):
    page.get_by_label("Form of either").select_option(index=1)
    text = page.get_by_role("group", name="either").get_by_role("textbox")
    text.press_sequentially("a")
    text.press("Backspace")
    expect(text).to_be_focused()
    text.press_sequentially("b")
    assert as_json(page) == {"either": "b"}


def test_a_new_item_shows_no_form_before_one_is_chosen(page):
    page.get_by_role("button", name="+ Add to payments").click()
    expect(page.get_by_label("Form of 1").locator("option:checked")).to_have_text("choose a form…")
    page.get_by_label("Form of 1").select_option(label="card (object)")
    assert as_json(page) == {"payments": [{"kind": "card"}]}


@pytest.mark.parametrize("typed", ['"text"', "[1]", "null", "7"])
def test_arguments_that_are_no_object_are_refused_where_they_are_typed(page, typed):
    page.get_by_role("button", name="Edit as JSON").click()
    box = page.get_by_label("Arguments as JSON")
    box.fill(typed)
    expect(box).to_have_attribute("aria-invalid", "true")
    expect(box).to_have_accessible_description('arguments are an object, as in {"name": "value"}')
    page.get_by_role("button", name="Call", exact=True).click()
    expect(box).to_be_focused()
    assert page.locator(".result").count() == 0


def test_a_text_of_several_lines_keeps_them(page):
    page.get_by_label("description").fill("one\ntwo")
    assert as_json(page) == {"description": "one\ntwo"}


def test_several_lines_that_are_pasted_into_a_field_of_one_line_are_kept(page):
    page.get_by_label("description").fill("one\ntwo")
    page.get_by_label("description").press("Control+a")
    page.keyboard.press("Control+c")
    page.get_by_label("constructor").fill("<>")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Control+v")
    expect(page.get_by_label("constructor")).to_be_focused()
    assert as_json(page)["constructor"] == "<one\ntwo>"


def test_joiners_stay_in_scripts_and_emoji_that_need_them_and_are_shown_elsewhere(page):
    needed, hiding = (
        "می\u200cخواهم क्\u200dष 👨🏽\u200d👩\u200d👧 ❤\ufe0f\u200d🔥",
        "ad\u200dmin pass\u200cword \u200d👧 م\u200b",
    )
    page.get_by_label("description").fill(f"{needed}|{hiding}")
    press_call(page)
    said = json.loads(page.locator(".result pre").inner_text())["description"]
    assert said == f"{needed}|ad\ufffdmin pass\ufffdword \ufffd👧 م\ufffd"
