"""Header fields of a request, read by RFC 9110: lists in several lines, media types, Accept."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, wraps
from typing import NamedTuple, TypeVar

_CHARSETS = frozenset({b"utf-8", b"utf8", b"us-ascii"})
"""Charsets whose texts can be read as UTF-8."""
_KEPT, _KEPT_BYTES = 256, 256
"""The number and length of remembered values: clients send the same few in every request."""
_NEVER = re.compile(rb"0(?:\.0*)?")


_Read = TypeVar("_Read")


def _remembered(read: Callable[[bytes], _Read]) -> Callable[[bytes], _Read]:
    kept = lru_cache(maxsize=_KEPT)(read)

    @wraps(read)
    def short(value: bytes) -> _Read:
        return kept(value) if len(value) <= _KEPT_BYTES else read(value)

    return short


def by_name(pairs: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Fields by name in lower case. Several lines are joined to one list (RFC 9110 section 5.3), so that nobody reads
    only the first or the last of them."""
    fields = dict(pairs)
    if len(fields) == len(pairs):
        return fields
    lines: dict[bytes, list[bytes]] = {}
    for name, value in pairs:
        lines.setdefault(name, []).append(value)
    return {name: b", ".join(values) for name, values in lines.items()}


@_remembered
def is_json(content_type: bytes) -> bool:
    """Whether it is JSON in UTF-8. Other parameters mean nothing to JSON (RFC 8259 section 11)."""
    kind, *parameters = content_type.lower().split(b";")
    named = [parameter.partition(b"=") for parameter in parameters]
    charsets = [value.strip().strip(b'"') for name, _, value in named if name.strip() == b"charset"]
    return kind.strip() == b"application/json" and all(charset in _CHARSETS for charset in charsets)


@_remembered
def media_ranges(accept: bytes) -> Mapping[bytes, bool]:
    """The ranges of an Accept field, or the codings of Accept-Encoding, in lower case, and whether each is wanted. A
    weight of 0 means that it is not."""
    ranges = {}
    for element in accept.lower().split(b","):
        media_range, *parameters = (part.strip() for part in element.split(b";"))
        weights = [value for name, _, value in (one.partition(b"=") for one in parameters) if name == b"q"]
        ranges[media_range] = not any(_NEVER.fullmatch(weight) for weight in weights)
    return ranges


class Accepted(NamedTuple):
    """The forms in which a client takes the answer to a POST. ``asks_for_events``: it names them explicitly."""

    json: bool
    events: bool
    asks_for_events: bool


@_remembered
def accepted(accept: bytes) -> Accepted:
    """The forms that an Accept field names."""
    ranges = media_ranges(accept)
    return Accepted(
        accepts(ranges, b"application/json"),
        accepts(ranges, b"text/event-stream"),
        ranges.get(b"text/event-stream", False),  # a client that accepts anything reads JSON best
    )


def accepts(ranges: Mapping[bytes, bool], media_type: bytes) -> bool:
    """Whether the type is wanted. The most specific range decides (RFC 9110 section 12.5.1)."""
    family = media_type.partition(b"/")[0] + b"/*"
    said = (ranges[one] for one in (media_type, family, b"*/*") if one in ranges)
    return next(said, False)
