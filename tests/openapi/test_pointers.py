"""JSON Pointers as URI fragments (RFC 6901 section 6)."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openapi_mcp_server.openapi.pointers import ROOT, child, step, tokens

_KEPT = "!$&'()*+,;=:@?"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_key_is_a_step_of_a_fragment_and_found_by_it(key: str) -> None:
    assert tokens(child(ROOT, key)) == (key,)
    assert step(key) == quote(key.replace("~", "~0").replace("/", "~1"), safe=_KEPT)


@pytest.mark.parametrize(
    ("token", "expected"),
    [("/pets/{id}", "~1pets~1%7Bid%7D"), ("a~b c%", "a~0b%20c%25"), ("é/ü", "%C3%A9~1%C3%BC"), (3, "3"), ("", "")],
)
def test_a_step_keeps_what_a_fragment_may_hold(token: str | int, expected: str) -> None:
    assert step(token) == expected
