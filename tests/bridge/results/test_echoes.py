"""Credentials that an API repeats are hidden in what is told of its answer."""

from __future__ import annotations

import pytest

from answers import answer
from openapi_mcp_server.bridge.results.echoes import without_secrets

KEY = "k3y/of=ours+1"
ESCAPED = "k3y%2Fof%3Dours%2B1"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        pytest.param(f'{{"error":"no key {KEY}"}}', '{"error":"no key [redacted]"}', id="as it is"),
        pytest.param(f'{{"self":"/a?k={ESCAPED}&b=1"}}', '{"self":"/a?k=[redacted]&b=1"}', id="in an address"),
        pytest.param('{"error":"k3y\\/of=ours+1"}', '{"error":"[redacted]"}', id="with escaped slashes"),
        pytest.param('{"self":"/a?k=k3y%2fof%3dours%2b1"}', '{"self":"/a?k=[redacted]"}', id="with small escapes"),
        pytest.param('{"error":"k3y/of\\u003dours+1"}', '{"error":"[redacted]"}', id="escaped for HTML by Gson"),
        pytest.param('{"error":"k3y/of=ours\\u002B1"}', '{"error":"[redacted]"}', id="escaped for HTML by .NET"),
        pytest.param(f"{KEY} {KEY}", "[redacted] [redacted]", id="twice"),
        pytest.param('{"error":"k3y"}', '{"error":"k3y"}', id="a part of it"),
    ],
)
def test_a_failure_that_repeats_a_credential_is_told_without_it(said: str, told: str) -> None:
    assert without_secrets(answer(said.encode(), status=401), (KEY,)).body == told.encode()


def test_one_that_another_begins_with_is_hidden_in_whole() -> None:
    said = answer(f"{KEY}-of-{KEY}".encode(), status=401)
    assert without_secrets(said, (KEY, f"{KEY}-of-")).body == b"[redacted]" * 2


@pytest.mark.parametrize("status", [200, 302, 404])
def test_a_header_that_repeats_a_credential_is_told_without_it(status: int) -> None:
    repeated = ("location", f"https://api.example.com/a?k={ESCAPED}"), ("link", f'</a?k={KEY}&page=2>; rel="next"')
    headers = without_secrets(answer(b"", None, *repeated, status=status), (KEY,)).headers
    assert ("location", "https://api.example.com/a?k=[redacted]") in headers
    assert ("link", '</a?k=[redacted]&page=2>; rel="next"') in headers


@pytest.mark.parametrize("secret", ["1234567", "12345678901", "2026.1234"])
def test_what_may_be_a_word_or_a_number_of_any_answer_is_left(secret: str) -> None:
    said = answer(f'{{"id":{secret}}}'.encode(), status=404)
    assert without_secrets(said, (secret,)) is said


def test_a_success_is_what_was_asked_for() -> None:
    said = answer(f'{{"key":"{KEY}"}}'.encode())
    assert without_secrets(said, (KEY,)) is said


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        pytest.param("two words & more", "two+words+%26+more", id="a form"),
        pytest.param("two words & more", "two words \\u0026 more", id="Go"),
        pytest.param('it says "no"', '{"key":"it says \\"no\\""}', id="quotes"),
        pytest.param("c:\\the\\key", "c:\\\\the\\\\key", id="backslashes"),
    ],
)
def test_a_credential_is_found_however_it_is_escaped(secret: str, said: str) -> None:
    body = without_secrets(answer(said.encode(), status=403), (secret,)).body
    assert b"[redacted]" in body
    assert b"key" not in body.replace(b'"key"', b"")
    assert b"more" not in body
