"""A question in words, as what an index knows."""

from __future__ import annotations

import pytest

from descriptions import catalog, operation
from openapi_mcp_server.bridge.search import index
from openapi_mcp_server.bridge.search.query import Query, read

SUMMARIES = (
    "List playlist tracks",
    "Get a folder",
    "Create an issue",
    "Delete a member",
    "List webhooks",
    "Place an order",
)
INDEX = index.build(
    catalog(*(operation("GET", f"/{each.split()[-1]}", operation_id=each, summary=each) for each in SUMMARIES))
)


def stems(query: Query) -> set[str]:
    return {word for group in query.groups for word, weight in group.stems.items() if weight == 1.0}


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("delete a folder", "delete"),
        ("take a track away", "delete"),
        ("stop sharing a folder", "delete"),
        ("unfollow a playlist", "delete"),
        ("make the folder public", "update"),
        ("make a folder", "create"),
        ("which tracks delete themselves", "read"),
        ("could you please delete a folder", "delete"),
        ("give me the tracks", "read"),
        ("dlete a folder", "delete"),
        ("frobnicate the folder", "act"),
        ("tracks", "read"),
        ("tracks I could order", "read"),
        ("permissions a track needs", "read"),
        ("open orders of a member", "read"),
        ("open an order", "create"),
        ("time out a member", "act"),
        ("tell me about an order", "read"),
        ("tell me when an order is placed", "create"),
        ("take down a folder", "delete"),
        ("give the folder back", "delete"),
        ("tracks that we delete", "read"),
        ("leave the folder", "delete"),
        ("leave a comment on an issue", "create"),
        ("get the order signed", "create"),
        ("alert me when an issue is closed", "create"),
        ("let me know when an issue is closed", "create"),
        ("be notified about orders", "create"),
        ("chane an issue", "update"),
        ("wich tracks are there", "read"),
    ],
)
def test_what_is_to_be_done(text: str, intent: str) -> None:
    intents = read(INDEX, text).intents
    assert intents[intent] == max(intents.values())  # type: ignore[index]


def test_what_stands_before_a_preposition_is_asked_for() -> None:
    heads = {word for group in read(INDEX, "tracks of a playlist").groups if group.is_head for word in group.stems}
    assert "track" in heads
    assert "playlist" not in heads


@pytest.mark.parametrize(
    "name", ["octocat/webhooks", '"my folder"', "`folder`", "folder@example.com", "folder_9s6XKzkNR", "#42"]
)
def test_names_of_one_thing_are_no_words(name: str) -> None:
    query = read(INDEX, f"get issue {name}")
    assert query.is_one
    assert stems(query) <= {"issu", "get"}


@pytest.mark.parametrize(("text", "word"), [("delete/create an issue", "creat"), ('"webhooks"', "webhook")])
def test_what_only_looks_like_a_name_is_said(text: str, word: str) -> None:
    assert word in stems(read(INDEX, text))


@pytest.mark.parametrize(
    ("wrong", "word"), [("foler", "folder"), ("isseu", "issu"), ("playlits", "playlist"), ("isue", "issu")]
)
def test_a_mistyped_word_is_what_it_is_nearest_to(wrong: str, word: str) -> None:
    assert word in {each for group in read(INDEX, f"get {wrong}").groups for each in group.stems}


@pytest.mark.parametrize("right", ["older", "later", "much"])
def test_usual_english_is_no_mistake(right: str) -> None:
    assert "folder" not in stems(read(INDEX, f"{right} tracks"))
    assert "order" not in stems(read(INDEX, f"{right} tracks"))


@pytest.mark.parametrize(
    ("text", "own"), [("my tracks", True), ("show me tracks", False), ("get tracks for me", False)]
)
def test_what_the_caller_has_is_told_from_what_is_shown_to_him(text: str, own: bool) -> None:
    assert read(INDEX, text).is_own is own


def test_an_idiom_keeps_the_words_between_its_parts() -> None:
    assert "webhook" in stems(read(INDEX, "mark the webhooks as read"))


def test_what_is_made_private_is_asked_for_and_not_what_is_private() -> None:
    index_of_both = index.build(catalog(operation("GET", "/folders/private"), operation("PUT", "/folders/{id}")))
    weights = {
        word: group.weight for group in read(index_of_both, "make a folder private").groups for word in group.stems
    }
    assert weights["folder"] > weights["privat"]
