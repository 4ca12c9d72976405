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
        pytest.param(f"{{'/a?k={ESCAPED.lower()}'}}", "{'/a?k=[redacted]'}", id="in an address of .NET"),
        pytest.param('{"error":"k3y/of=ours\\u002B1"}', '{"error":"[redacted]"}', id="as System.Text.Json writes it"),
        pytest.param('{"error":"k3y/of\\u003dours+1"}', '{"error":"[redacted]"}', id="as Gson writes it"),
        pytest.param(f"{KEY} {KEY}", "[redacted] [redacted]", id="twice"),
        pytest.param('{"error":"k3y"}', '{"error":"k3y"}', id="a part of it"),
    ],
)
def test_a_failure_that_repeats_a_credential_is_told_without_it(said: str, told: str) -> None:
    assert without_secrets(answer(said.encode(), status=401), (KEY,)).body == told.encode()


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


@pytest.mark.parametrize("secrets", [("the-secret", "the-secret-of-ours"), ("the-secret-of-ours", "the-secret")])
def test_of_a_credential_that_begins_with_another_nothing_is_left(secrets: tuple[str, ...]) -> None:
    assert without_secrets(answer(b"the-secret-of-ours", status=403), secrets).body == b"[redacted]"
