"""JSON that becomes too much when it is decoded: how it is recognized, and how its first entries are found in the text.

A byte of JSON becomes up to 90 bytes of objects, and a list of all items of an array as raw text still 32
(`[1,1,…]`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from openapi_mcp_server.bridge.media.by_parts import count
from openapi_mcp_server.pausing import in_turns

MAX_VALUES = 200_000
"""Values and names of a JSON text that is decoded: 20 MB of objects at most. A model writes 100 in a call; an answer of
2 MB has as many."""
_SIGNS = (b",", b":", b"[", b"{")
"""Each stands before a value or a name, or for a container; only the first value has none."""
_AT_ONCE = 500
"""Signs that are counted between two pauses: 0.1 ms."""
_TOKENS = 100_000
"""The most tokens of one array or object that are looked at one by one."""
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_SIGN = re.compile(rf"{_STRING}|([,:\[{{])".encode(), re.DOTALL)
_LEVELS = 5
"""Levels of nesting that a single match passes over."""


def _passed_over() -> str:
    """A pattern for containers up to `_LEVELS` deep. All is possessive: each level reads a byte once at most."""
    inside = rf"[^\[\]{{}}\"]++|{_STRING}"
    container = rf"[\[{{](?>(?:{inside})*)[\]}}]"
    for _ in range(_LEVELS - 1):
        container = rf"[\[{{](?>(?:{inside}|{container})*)[\]}}]"
    return container


_TOKEN = re.compile(rf"{_passed_over()}|{_STRING}|([\[\]{{}},])".encode(), re.DOTALL)
_NAME = re.compile(_STRING.encode(), re.DOTALL)
_OPEN, _CLOSE, _COMMA, _BRACE = b"[{", b"]}", ord(","), ord("{")


class Entry(NamedTuple):
    """An item of an array, or a member of an object: its name as it is written, with the colon, and its value.

    A value that is very large may have more after its end: only as much of it can be used as is needed.
    """

    key: bytes
    value: memoryview


def is_large(data: bytes) -> bool:
    """Whether a JSON text holds more than `MAX_VALUES` values and names."""
    if len(data) <= MAX_VALUES or _signs(data) < MAX_VALUES:
        return False
    left = MAX_VALUES
    for found in in_turns(_SIGN.finditer(data), _AT_ONCE):  # signs in strings do not count, and a table may have many
        if found.lastindex:
            left -= 1
            if not left:
                return True
    return False


def _signs(data: bytes) -> int:
    """In one call into C, during which a thread keeps the interpreter, this would take 10 ms."""
    return sum(count(data, sign) for sign in _SIGNS)


def entries(container: memoryview) -> Iterator[Entry]:
    """The entries of an array or object that begins here, one after the other; compact JSON."""
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
