"""Credentials that an API repeats: in the address of its next page, in an error about a key. They are the operator's,
and neither a client nor a model is to read them.

Headers are looked into, and the bodies of failures. The body of a success is what was asked for: an API that tells a
caller of its keys is left to REDACT.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import quote

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.bridge.results.redaction import HIDDEN

_ESCAPE = re.compile("%[0-9A-F]{2}")
_FOR_HTML = (
    {ord("/"): "\\/"},
    {ord(sign): f"\\u{ord(sign):04x}" for sign in "=<>&'"},
    {ord(sign): f"\\u{ord(sign):04X}" for sign in "+<>&'`"},
)
"""The characters that PHP, Gson and .NET escape in JSON, lest a page takes them for its own."""
LEAST_CHARACTERS = 8
"""A shorter credential may be a word of any answer: it would be known by what is missing."""


def without_secrets(answer: HttpResponse, secrets: Sequence[str]) -> HttpResponse:
    """The answer without the values of ``secrets``, in the spellings that addresses and JSON have for them."""
    for secret in sorted(secrets, key=len, reverse=True):  # one may begin with another
        for spelling in _spellings(secret):
            is_in_body = answer.status >= 300 and spelling.encode() in answer.body
            if is_in_body or any(spelling in value for _, value in answer.headers):
                answer = _without(answer, spelling, in_body=is_in_body)
    return answer


@lru_cache(maxsize=32)
def _spellings(secret: str) -> tuple[str, ...]:
    """None of a number: JSON would be none without it, and ids are numbers too."""
    if len(secret) < LEAST_CHARACTERS or secret.replace(".", "").isdigit():
        return ()
    escaped = (quote(secret, safe=""), quote(secret))
    small = (_ESCAPE.sub(lambda found: found[0].lower(), each) for each in escaped)
    json = msgspec.json.encode(secret).decode()[1:-1]
    return tuple(dict.fromkeys((secret, *escaped, *small, json, *map(json.translate, _FOR_HTML))))


def _without(answer: HttpResponse, spelling: str, *, in_body: bool) -> HttpResponse:
    headers = tuple((name, value.replace(spelling, HIDDEN)) for name, value in answer.headers)
    body = answer.body.replace(spelling.encode(), HIDDEN.encode()) if in_body else answer.body
    return msgspec.structs.replace(answer, headers=headers, body=body)
