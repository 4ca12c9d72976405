"""Credentials that an API repeats are hidden in what is told of its answer."""

from __future__ import annotations

import html
import json
import string
from collections.abc import Callable
from functools import partial
from html.entities import html5
from urllib.parse import quote, quote_plus

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from answers import answer, texts, tool
from openapi_mcp_server.bridge.results.echoes import SEARCHED_BYTES, concealed, without_secrets
from openapi_mcp_server.bridge.results.result import render

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


BASE64 = "tok/A+b9&x=Zq1-_~.7Q=="
WRITERS = {
    "Handlebars": BASE64.replace("&", "&amp;").replace("=", "&#x3D;").replace("/", "&#x2F;"),
    "Go's templates": BASE64.replace("&", "&amp;").replace("+", "&#43;"),
    "XML in decimals": "".join(f"&#{ord(sign)};" for sign in BASE64),
    "JSON in escapes alone": "".join(f"\\u{ord(sign):04x}" for sign in BASE64),
    "OWASP's JSON": BASE64.replace("&", "\\u0026").replace("/", "\\/").replace("+", "\\u002b").replace("-", "\\u002D"),
    "JSON in JSON": BASE64.replace("/", "\\\\/"),
    "an address": "tok%2FA%2Bb9%26x%3DZq1-_%7E.7Q%3D%3D",
    "an address in an address": "tok%252FA%252Bb9%2526x%253DZq1-_~.7Q%253D%253D",
    "an address in octets alone": "".join(f"%{ord(sign):02x}" for sign in BASE64),
    "a page in a page": BASE64.replace("&", "&amp;amp;").replace("=", "&amp;#x3D;"),
}


@pytest.mark.parametrize("content_type", ["text/html", "application/problem+json", "text/plain"])
@pytest.mark.parametrize("written", WRITERS.values(), ids=WRITERS)
def test_no_writer_of_errors_brings_a_credential_to_the_model(written: str, content_type: str) -> None:
    body = f'{{"title":"no key {written}!"}}' if content_type.endswith("json") else f"<p>no key {written}!</p>"
    said = without_secrets(answer(body.encode(), content_type, status=400), (BASE64,))
    (told,) = texts(render(tool(), said))
    assert "no key [redacted]!" in told
    assert BASE64 not in told


def test_a_credential_in_utf_16_is_hidden() -> None:
    said = without_secrets(answer(f"no key {BASE64}!".encode("utf-16"), "text/plain", status=400), (BASE64,))
    assert BASE64 not in "".join(texts(render(tool(), said)))


def test_a_reason_phrase_that_repeats_a_credential_is_told_without_it() -> None:
    said = msgspec.structs.replace(answer(b"", status=400), reason=f"No key {KEY}")
    assert without_secrets(said, (KEY,)).reason == "No key [redacted]"


def test_a_long_body_is_searched_as_far_as_it_is_told_of() -> None:
    beyond = b"x" * SEARCHED_BYTES + KEY.encode()
    assert without_secrets(answer(beyond, status=500), (KEY,)).body == beyond
    left = without_secrets(answer(KEY.encode() * (SEARCHED_BYTES // 4), status=500), (KEY,)).body
    assert KEY.encode() not in left


@given(st.binary(max_size=40), st.text(max_size=12))
def test_any_bytes_are_looked_through(text: bytes, secret: str) -> None:
    assert (concealed(text, [secret]) == text) or b"[redacted]" in concealed(text, [secret])


BESIDE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0%\\&"), max_size=20)
"""Text that becomes no escape together with a secret. A NUL is of UTF-16, and goes with it."""


@given(BESIDE, st.sampled_from([BASE64, KEY, "two words & more", "Zürich-Geheim-7"]), BESIDE)
def test_nothing_else_is_lost(before: str, secret: str, after: str) -> None:
    assert concealed(f"{before}{secret}{after}".encode(), [secret]) == f"{before}[redacted]{after}".encode()


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


# Every writer, for secrets of every kind of characters

SECRETS = {
    "Latin-1": "Zürich-Geheim-7!",
    "Cyrillic": "пароль-совсем-тайный",
    "Japanese": "秘密の鍵です1234",
    "beyond the first plane": "k€y-😀-é-0123",
    "signs and a line break": "a\"b\\c\nd%e&f<g>'h/i",
    "backslashes that look like escapes": "c:\\new\\table\\x41\\u0041",
    "escapes of its own": "100%41&amp;\\n%u0041+&#65;",
}


def _units(text: str, write: Callable[[int], str]) -> str:
    """A text by its units of UTF-16."""
    octets = text.encode("utf-16-be")
    return "".join(write(int.from_bytes(octets[at : at + 2])) for at in range(0, len(octets), 2))


_NAMES = {sign: name for name, sign in html5.items() if name.endswith(";")}
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON in ASCII": json.dumps,
    "JSON in UTF-8": partial(json.dumps, ensure_ascii=False),
    "JSON in escapes alone": lambda text: _units(text, "\\u{:04x}".format),
    "JSON in large and small escapes": lambda text: _units(text, lambda unit: f"\\u{unit:04{'xX'[unit % 2]}}"),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "JSON in JSON in JSON": lambda text: json.dumps(json.dumps(json.dumps(text))),
    "HTML": html.escape,
    "HTML in HTML": lambda text: html.escape(html.escape(text)),
    "HTML in JSON": lambda text: json.dumps(html.escape(text)),
    "HTML in decimals": lambda text: "".join(f"&#{ord(sign)};" for sign in text),
    "HTML in hexadecimals": lambda text: "".join(f"&#X{ord(sign):06X};" for sign in text),
    "HTML in halves of pairs": lambda text: _units(text, "&#{};".format),
    "HTML in names": lambda text: "".join(f"&{_NAMES[sign]}" if sign in _NAMES else sign for sign in text),
    "XML in ASCII": lambda text: html.escape(text).encode("ascii", "xmlcharrefreplace").decode(),
    "an address": partial(quote, safe=""),
    "a form": quote_plus,
    "an address in small letters": lambda text: "".join(f"%{octet:02x}" for octet in text.encode()),
    "an address in an address": lambda text: quote(quote(text, safe=""), safe=""),
    "an address in Latin-1": lambda text: quote(text.encode("latin-1", "xmlcharrefreplace"), safe=""),
    "an address in windows-1252": lambda text: quote(text.encode("cp1252", "xmlcharrefreplace"), safe=""),
    "JavaScript's escape": lambda text: _units(text, lambda unit: f"%{unit:02X}" if unit < 256 else f"%u{unit:04X}"),
    "JavaScript's points": lambda text: "".join(f"\\u{{{ord(sign):x}}}" for sign in text),
    "Python's text": ascii,
    "Python's bytes": lambda text: repr(text.encode()),
    "C's octets": lambda text: "".join(f"\\{octet:03o}" for octet in text.encode()),
    "UTF-8 that is taken for Latin-1": lambda text: text.encode().decode("latin-1"),
    "the same in JSON": lambda text: json.dumps(text.encode().decode("latin-1")),
}


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_a_secret_in_any_characters_is_hidden_in_any_spelling(secret: str, spell: Callable[[str], str]) -> None:
    written = spell(secret)
    body = without_secrets(answer(f"no key {written}; sorry".encode(), status=400), (secret,)).body
    quotes = b"\\\"'b"  # those of JSON and Python around it
    begun, hidden, ended = body.partition(b"[redacted]")
    assert (begun.rstrip(quotes), hidden, ended.lstrip(quotes)) == (b"no key ", b"[redacted]", b"; sorry")


@pytest.mark.parametrize(
    ("secret", "charset"),
    [
        *((SECRETS["Latin-1"], charset) for charset in ("iso-8859-1", "windows-1252", "utf-16", "utf-32")),
        *((SECRETS["Cyrillic"], charset) for charset in ("koi8-r", "windows-1251", "iso-8859-5", "utf-16")),
        *((SECRETS["Japanese"], charset) for charset in ("shift_jis", "euc-jp", "gb18030", "utf-16be")),
    ],
)
def test_a_secret_is_hidden_in_the_charset_of_the_answer(secret: str, charset: str) -> None:
    said = answer(f"no key {secret}!".encode(charset), f"text/plain; charset={charset}", status=400)
    assert not set("".join(texts(render(tool(), without_secrets(said, (secret,)))))) & (
        set(secret) - set(string.printable)
    )


@pytest.mark.parametrize("lost", ["Z?rich-Geheim-7!", "Z??rich-Geheim-7!", "Z\ufffdrich-Geheim-7!", "Zrich-Geheim-7!"])
def test_what_an_api_could_read_of_a_secret_is_hidden_as_well(lost: str) -> None:
    assert without_secrets(answer(lost.encode(), status=400), (SECRETS["Latin-1"],)).body == b"[redacted]"


@pytest.mark.parametrize("before", ["App\\", "100%", "&", "\\u00", "&#x0"])
@pytest.mark.parametrize("secret", ["token-123456", "41token-123456", "u0041token-9"])
def test_a_secret_is_found_behind_a_sign_that_begins_an_escape(before: str, secret: str) -> None:
    for spell in (str, json.dumps, partial(quote, safe="")):
        body = without_secrets(answer(spell(before + secret).encode(), status=400), (secret,)).body
        assert b"oken-" not in body


def test_a_secret_is_found_before_a_sign_that_ends_an_escape() -> None:
    said = answer(b"?a=1&tokenABCDEFGH;b", status=400)
    assert without_secrets(said, ("tokenABCDEFGH",)).body == b"?a=1&[redacted];b"


@pytest.mark.parametrize("spelling", ["an address in small letters", "JSON in escapes alone", "HTML in decimals"])
def test_a_header_is_searched_although_no_letter_of_the_secret_is_in_it(spelling: str) -> None:
    said = answer(b"", None, ("location", f"/a?k={SPELLINGS[spelling](KEY)}"))
    assert without_secrets(said, (KEY,)).headers == (("location", "/a?k=[redacted]"),)
