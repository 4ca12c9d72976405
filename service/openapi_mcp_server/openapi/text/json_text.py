"""JSON by RFC 8259, with one more rule: no object has a key twice (section 4 only recommends it).

msgspec silently keeps the last of two equal keys. A second parser that reports them would cost more time and memory
than the rest of the reading. So the decoded value is encoded again, and the two are compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.text.source import (
    JSON_SEPARATORS,
    DocumentLimits,
    bound_values,
    duplicate_key,
    place,
    too_deep,
)

# Values up to this size are decoded as a whole, larger objects member by member. At once, 13 MB would take 28 MB more.
_PIECE_BYTES = 131_072
# A document is decoded level by level only down to this depth, since every level reads the rest again.
_OPENED_LEVELS = 8

_CONTAINERS = frozenset({dict, list})
_KEY_END = b'":'
# Text that becomes `":` by decoding: an escaped quote, or an escaped colon at the beginning of a string.
_HIDDEN_KEY_END = re.compile(rb"\\u00(?:22|3[aA])")

# A string without an end, which valid JSON does not have, matches as a whole. Otherwise each quote would start a
# search.
_KEY_OR_BRACE = re.compile(rb'"(?P<text>[^"\\]*+(?>(?:\\.[^"\\]*+)*))(?:"(?P<key>[ \t\r\n]*+:)?)?|[{}]', re.DOTALL)
_BYTE = re.compile(r"^(?:JSON is malformed: )?(?P<problem>.*) \(byte (?P<offset>[0-9]+)\)$")
_TRUNCATED = "Input data was truncated"

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def compact(text: bytes, limits: DocumentLimits) -> bytes:
    """The same JSON without white space; numbers and strings keep their spelling. Raises SpecError with the place.

    ``text`` is UTF-8 without a byte order mark.
    """
    try:
        result = msgspec.json.format(text, indent=-1)
        bound_values(result, JSON_SEPARATORS, limits)
        loses_keys = _loses_keys(result, limits, level=0)
    except RecursionError as error:
        raise too_deep(limits) from error
    except msgspec.DecodeError as error:
        raise _malformed(text) from error
    if loses_keys or _HIDDEN_KEY_END.search(result):
        _refuse_duplicate_keys(text)
    return result


def _loses_keys(value: bytes | msgspec.Raw, limits: DocumentLimits, level: int) -> bool:
    """Whether equal keys of an object in ``value`` have become one. Then the text is shorter after encoding it again,
    and has fewer `":`. Other escapes and numbers may change its length as well.
    """
    if len(value) <= _PIECE_BYTES or level == _OPENED_LEVELS or bytes(memoryview(value)[:1]) != b"{":
        return _loses_keys_whole(bytes(value), limits, level)
    own = _members.decode(value)
    keys = msgspec.json.encode(dict.fromkeys(own))  # with null for each member
    is_shorter = len(keys) + sum(map(len, own.values())) - len(b"null") * len(own) != len(value)
    below = [_loses_keys(member, limits, level + 1) for member in own.values()]
    return any(below) or (is_shorter and keys.count(_KEY_END) != _own_keys(bytes(value), map(bytes, own.values())))


def _own_keys(value: bytes, members: Iterable[bytes]) -> int:
    return value.count(_KEY_END) - sum(member.count(_KEY_END) for member in members)


def _loses_keys_whole(value: bytes, limits: DocumentLimits, level: int) -> bool:
    decoded = msgspec.json.decode(value)
    room = limits.depth - level
    # A piece with no more opening brackets than allowed levels cannot be too deep; only others are walked.
    if value.count(b"{") + value.count(b"[") > room and depth(decoded) > room:
        raise too_deep(limits)
    encoded = msgspec.json.encode(decoded)
    return encoded != value and encoded.count(_KEY_END) != value.count(_KEY_END)


def depth(value: object) -> int:
    """The greatest number of lists and objects within each other."""
    levels = 0
    level: list[Any] = [value] if type(value) in _CONTAINERS else []
    while level:
        levels += 1
        level = [
            entry
            for container in level
            for entry in (container.values() if type(container) is dict else container)
            if type(entry) in _CONTAINERS
        ]
    return levels


def _malformed(text: bytes) -> SpecError:
    """The error of a malformed text, which is decoded again as a whole to get the offset."""
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        found = _BYTE.match(str(error))
        if str(error) == _TRUNCATED:
            return SpecError(place(text, len(text)), "not valid JSON: the document ends too early")
        if found is None:
            return SpecError("", f"not valid JSON: {str(error).partition(' - at')[0]}")
        return SpecError(place(text, int(found["offset"])), f"not valid JSON: {found['problem']}")
    raise AssertionError("JSON was refused in part and accepted whole")


def _refuse_duplicate_keys(text: bytes) -> None:
    """Raises for the first key that its object has already; returns if there is none. It is slow and exact."""
    objects: list[dict[bytes, int]] = []
    for token in _KEY_OR_BRACE.finditer(text):
        if token[0] == b"{":
            objects.append({})
        elif token[0] == b"}":
            objects.pop()
        elif token["key"]:
            key = _decoded(token["text"])
            first = objects[-1].setdefault(key, token.start())
            if first != token.start():
                problem = f"{duplicate_key(key.decode())}, first at {place(text, first)}"
                raise SpecError(place(text, token.start()), problem)


def _decoded(string: bytes) -> bytes:
    """``string`` without its escapes, since `"a"` and `"\\u0061"` are the same key."""
    return msgspec.json.decode(b'"' + string + b'"', type=str).encode() if b"\\" in string else string
