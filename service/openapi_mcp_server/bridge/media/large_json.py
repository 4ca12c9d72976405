"""Recognizes JSON that is too large to be decoded, and finds its first entries in the text.

A byte of JSON becomes up to 90 bytes of objects, or 32 bytes in a list of an array's items as raw text (`[1,1,…]`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from openapi_mcp_server.bridge.media.by_parts import count, without_escapes
from openapi_mcp_server.grammar import IN_STRING, any_number_of
from openapi_mcp_server.pausing import in_turns

MAX_VALUES = 200_000
"""The most values and names of a JSON text that is decoded: at most 20 MB of objects. A model writes 100 in a call; an
answer of 2 MB has this many."""
_SIGNS = (b",", b":", b"[", b"{")
"""Signs before values and names, and of containers; only the first value has none."""
_AT_ONCE = 500
"""The number of signs between two pauses: 0.1 ms."""
_TOKENS = 100_000
"""The most tokens of one array or object that are read one by one."""
_STRING = rf'"{IN_STRING}"?'
_SIGN = re.compile(rb'"[^"]*+"?|([,:\[{])')
"""A string, or a sign, in a text `without_escapes`."""
_LEVELS = 5
"""The levels of nesting that a single match skips."""


def _passed_over() -> str:
    """A pattern for containers up to `_LEVELS` deep. It is possessive throughout, so each level reads a byte at most
    once."""
    inside = rf"[^\[\]{{}}\"]++|{_STRING}"
    container = rf"[\[{{]{any_number_of(inside)}[\]}}]"
    for _ in range(_LEVELS - 1):
        container = rf"[\[{{]{any_number_of(f'{inside}|{container}')}[\]}}]"
    return container


_TOKEN = re.compile(rf"{_passed_over()}|{_STRING}|([\[\]{{}},])".encode(), re.DOTALL)
_NAME = re.compile(_STRING.encode(), re.DOTALL)
_OPEN, _CLOSE, _COMMA, _BRACE = b"[{", b"]}", ord(","), ord("{")


class Entry(NamedTuple):
    """An item of an array, or a member of an object: its name as written, with the colon, and its value.

    A very large value may be followed by more text after its end.
    """

    key: bytes
    value: memoryview


def is_large(data: bytes, most: int = MAX_VALUES) -> bool:
    """Whether a JSON text holds more than ``most`` values and names."""
    if len(data) <= most or _signs(data) < most:
        return False
    left = most
    found = _SIGN.finditer(without_escapes(data))  # signs in strings do not count, and a table may have many
    for each in in_turns(found, _AT_ONCE):
        if each.lastindex:
            left -= 1
            if not left:
                return True
    return False


def _signs(data: bytes) -> int:
    """The number of signs, counted in parts. One call into C would hold the interpreter for 10 ms."""
    return sum(count(data, sign) for sign in _SIGNS)


def entries(container: memoryview) -> Iterator[Entry]:
    """The entries of an array or object in compact JSON, one after the other."""
    is_object = container[0] == _BRACE
    start, depth = 1, 0
    for number, token in enumerate(_TOKEN.finditer(container, 1)):
        sign = container[token.start()] if token.lastindex else 0
        if sign in _OPEN:
            depth += 1
        elif sign in _CLOSE and depth:
            depth -= 1
        elif (sign == _COMMA or sign in _CLOSE) and not depth:
            yield _entry(container[start : token.start()], is_object=is_object)
            if sign != _COMMA:
                return
            start = token.end()
        if number >= _TOKENS:
            yield _entry(container[start:], is_object=is_object)
            return


def _entry(text: memoryview, *, is_object: bool) -> Entry:
    name = _NAME.match(text) if is_object else None
    colon = name.end() + 1 if name else 0
    return Entry(bytes(text[:colon]), text[colon:])
