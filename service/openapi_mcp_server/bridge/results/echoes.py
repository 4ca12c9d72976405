"""Hides credentials that an API repeats, for example in the address of its next page or in an error about a key. They
are the operator's, and neither clients nor models may read them.

Headers and the bodies of failures are searched. The body of a success is the requested data: for an API that shows a
caller its keys, there is REDACT.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.bridge.results.redaction import HIDDEN

LEAST_CHARACTERS = 8
"""A shorter credential may be a word of any answer. Hiding it would reveal it by the missing word."""
_UNESCAPED = re.compile("[A-Za-z0-9]*")
_PERCENT = re.compile("%[0-9A-F]{2}")
_ESCAPED = tuple(
    str.maketrans(each)
    for each in (
        {"/": "\\/"},  # PHP
        {sign: f"\\u{ord(sign):04x}" for sign in "&<>"},  # Go
        {sign: f"\\u{ord(sign):04x}" for sign in "&<>='"},  # Gson
        {sign: f"\\u{ord(sign):04X}" for sign in "&<>+'`"},  # System.Text.Json
    )
)
"""Characters that JSON writers escape without need; base64 has three of them."""


def without_secrets(answer: HttpResponse, secrets: tuple[str, ...]) -> HttpResponse:
    """The answer without the values of ``secrets``, in the spellings that addresses and JSON have for them."""
    for unescaped, spellings in _sought(secrets):
        if any(_found(answer, unescaped)):
            for spelling in spellings:
                answer = _without(answer, spelling)
    return answer


@lru_cache(maxsize=32)
def _sought(secrets: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """A piece that all spellings of a secret share, and the spellings. An answer is first searched for that piece. A
    number is not hidden: the JSON would be broken, and ids are numbers, too. Long secrets come first, since one may
    begin with another."""
    hidden = [each for each in secrets if len(each) >= LEAST_CHARACTERS and not each.replace(".", "").isdigit()]
    hidden.sort(key=len, reverse=True)
    return tuple((max(_UNESCAPED.findall(each), key=len), tuple(dict.fromkeys(_spelt(each)))) for each in hidden)


def _spelt(secret: str) -> Iterator[str]:
    yield secret
    for escaped in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield escaped
        yield _PERCENT.sub(lambda found: found[0].lower(), escaped)
    written = msgspec.json.encode(secret).decode()[1:-1]
    yield written
    yield from map(written.translate, _ESCAPED)


def _found(answer: HttpResponse, text: str) -> tuple[bool, bool]:
    """Whether a text is in the headers, and whether it is in a body that is searched."""
    in_headers = any(text in value for _, value in answer.headers)
    return in_headers, answer.status >= 300 and text.encode() in answer.body


def _without(answer: HttpResponse, spelling: str) -> HttpResponse:
    in_headers, in_body = _found(answer, spelling)
    if not in_headers and not in_body:
        return answer
    headers = tuple((name, value.replace(spelling, HIDDEN)) for name, value in answer.headers)
    body = answer.body.replace(spelling.encode(), HIDDEN.encode()) if in_body else answer.body
    return msgspec.structs.replace(answer, headers=headers, body=body)
