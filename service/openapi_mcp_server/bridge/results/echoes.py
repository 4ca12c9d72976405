"""Credentials that an API repeats: in the address of its next page, in an error about a key. They are the operator's,
and neither a client nor a model is to read them.

Headers are looked into, and the bodies of failures. The body of a success is what was asked for: an API that tells a
caller of its keys is left to REDACT.
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
"""A shorter credential may be a word of any answer: it would be known by what is missing."""
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
"""What writers of JSON escape beside what they must; base64 has three of these signs."""


def without_secrets(answer: HttpResponse, secrets: tuple[str, ...]) -> HttpResponse:
    """The answer without the values of ``secrets``, in the spellings that addresses and JSON have for them."""
    for spelling in _spellings(secrets):
        is_in_body = answer.status >= 300 and spelling.encode() in answer.body
        if is_in_body or any(spelling in value for _, value in answer.headers):
            answer = _without(answer, spelling, in_body=is_in_body)
    return answer


@lru_cache(maxsize=32)
def _spellings(secrets: tuple[str, ...]) -> tuple[str, ...]:
    """None of a number: JSON would be none without it, and ids are numbers too. Long ones come first, since a secret
    may be the beginning of another."""
    hidden = (each for each in secrets if len(each) >= LEAST_CHARACTERS and not each.replace(".", "").isdigit())
    spelt = dict.fromkeys(spelling for secret in hidden for spelling in _spelt(secret))
    return tuple(sorted(spelt, key=len, reverse=True))


def _spelt(secret: str) -> Iterator[str]:
    yield secret
    for escaped in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield escaped
        yield _PERCENT.sub(lambda found: found[0].lower(), escaped)
    written = msgspec.json.encode(secret).decode()[1:-1]
    yield written
    yield from map(written.translate, _ESCAPED)


def _without(answer: HttpResponse, spelling: str, *, in_body: bool) -> HttpResponse:
    headers = tuple((name, value.replace(spelling, HIDDEN)) for name, value in answer.headers)
    body = answer.body.replace(spelling.encode(), HIDDEN.encode()) if in_body else answer.body
    return msgspec.structs.replace(answer, headers=headers, body=body)
