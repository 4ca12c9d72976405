"""Texts and identifiers as stems."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openapi_mcp_server.bridge.search.words import joined, of_identifier, of_segment, stem, stems


@pytest.mark.parametrize(
    "family",
    [
        "repository repositories repository's",
        "key keys",
        "use uses used using",
        "delete deletes deleted deleting",
        "create created creating creates",
        "tag tags tagged tagging",
        "cancel cancels cancelled cancelling canceled",
        "catalogue catalog catalogs",
        "match matches matched",
        "box boxes",
        "policy policies",
        "organisation organization organizations",
        "person people persons",
        "subscribe subscribes subscriber subscription subscriptions",
        "generate generates generated generation generations",
        "cancel cancelling cancellation",
        "register registered registration",
        "verify verifies verified verification",
        "authorise authorize authorized authorization",
        "locate located location locations",
        "create creation",
        "analyse analyze analysis analyses",
        "colour color colours",
        "id ids",
    ],
)
def test_the_words_of_a_family_have_one_stem(family: str) -> None:
    assert len({tuple(stems(word)) for word in family.split()}) == 1


@pytest.mark.parametrize(
    "pair",
    [
        "customer custom",
        "status state",
        "play player",
        "news new",
        "universe university",
        "conversation conversion",
        "author authorize",
        "station state",
    ],
)
def test_words_that_only_look_alike_have_two(pair: str) -> None:
    one, other = pair.split()
    assert stem(one) != stem(other)


def test_identifiers_are_taken_apart_and_kept_as_one_word() -> None:
    assert list(of_identifier("listCronJob")) == ["list", "cron", "job", "listcronjob"]
    assert list(of_identifier("cron_jobs")) == ["cron", "job"]
    assert stem("configmap") in list(joined(["config", "map"]))


def test_an_accent_is_one_whether_it_is_a_character_of_its_own_or_not() -> None:
    assert stems("cafe\u0301") == stems("caf\u00e9")
    assert [*of_identifier("listCafe\u0301s")] == [*of_identifier("listCaf\u00e9s")]
    assert [*of_segment("cafe\u0301_menu")] == [*of_segment("caf\u00e9_menu")]


@given(st.text(max_size=200))
def test_any_text_has_stems(text: str) -> None:
    assert all(stems(text)) or stems(text) == []
