"""Shortens every row of a long answer, before whole rows are dropped.

Thirty issues of GitHub are 290 kB. Nine tenths are links, nulls and repeated owners. Without these, all thirty fit in
the room of five. Numbers stay as the API spelt them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from openapi_mcp_server.bridge.media.by_parts import take_apart
from openapi_mcp_server.bridge.media.exact_json import encode_by_parts
from openapi_mcp_server.bridge.media.large_json import is_large
from openapi_mcp_server.pausing import in_turns

DETAIL_BYTES = 1024 * 1024
DETAIL_VALUES = 100_000
"""The most bytes, and the most values and names, of an answer whose rows are shortened: 0.2 s. A larger answer loses
rows. A hundred issues of GitHub have 1 MB and 24,000 values, and long lists of pods or runs over 50,000."""
_LONG, _SHORT = 300, 80
"""Characters of a text that is kept, at first and at last."""
_LEAST_ROWS = 2
_AT_ONCE = 20
"""Rows that are taken between two pauses: 0.1 ms."""
_DEPTH = 16
"""Levels that are shortened. Deeper values are unchanged."""
_NAMES = ("id", "name", "login", "title", "state", "status", "key", "slug", "email", "type")
"""Members that stand for their object, three of them at most."""
_NAMES_KEPT = 3
_LINK_ENDINGS = ("_url", "_urls", "_link", "_links", "href", "node_id", "_uri", "_uris")
_LINK_NAMES = frozenset({"url", "urls", "uri", "links", "self", "selflink"})
_EMPTY = frozenset({b"null", b'""', b"[]", b"{}"})

Node = Any
"""A JSON value whose objects and arrays are taken apart and whose other values are still text (`msgspec.Raw`)."""

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_string = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


class Reduced(NamedTuple):
    """``said``: what every row is without, in words."""

    json: bytes
    said: tuple[str, ...]


def reduced(whole: bytes, room: int) -> Reduced | None:
    """The answer in ``room`` bytes, or as small as less detail makes it; None if it has no rows."""
    if len(whole) > DETAIL_BYTES or is_large(whole, DETAIL_VALUES):
        return None
    tree = _tree(msgspec.Raw(whole))
    rows = max(_lists(tree), key=_size, default=None)
    if rows is None:
        return None
    said: list[str] = []
    encoded = whole
    for words, take in _STEPS:
        for at in in_turns(range(0, len(rows), _AT_ONCE), 1):
            rows[at : at + _AT_ONCE] = [take(row, 0) for row in rows[at : at + _AT_ONCE]]
        smaller = encode_by_parts(tree)
        if len(smaller) < len(encoded):
            encoded = smaller
            said = [*said, words] if words not in said else said
        if len(encoded) <= room:
            break
    take_apart(rows)
    return Reduced(encoded, tuple(said)) if said else None


def _tree(raw: msgspec.Raw, depth: int = 0) -> Node:
    text = bytes(memoryview(raw)[:1])
    if depth < _DEPTH and text == b"{":
        return {name: _tree(value, depth + 1) for name, value in _members(raw).items()}
    if depth < _DEPTH and text == b"[":
        return [_tree(value, depth + 1) for value in in_turns(_items(raw), _AT_ONCE)]
    return raw


def _lists(node: Node, depth: int = 0) -> Iterator[list[Node]]:
    """The lists of objects: the answer itself, or the lists in its envelope."""
    if isinstance(node, list):
        if sum(isinstance(each, dict) for each in node) >= _LEAST_ROWS:
            yield node
    elif isinstance(node, dict) and depth < _LEAST_ROWS:
        for each in node.values():
            yield from _lists(each, depth + 1)


def _size(node: Node) -> int:
    return len(encode_by_parts(node, _encode))


def _without_empty(node: Node, depth: int) -> Node:
    return _kept(node, depth, _without_empty, lambda _, value: not _is_empty(value))


def _is_empty(value: Node) -> bool:
    return not value if isinstance(value, list | dict) else bytes(value) in _EMPTY


def _without_links_below(node: Node, depth: int) -> Node:
    return _kept(node, depth, _without_links_below, lambda name, _: depth == 0 or not _is_link(name))


def _without_links(node: Node, depth: int) -> Node:
    return _kept(node, depth, _without_links, lambda name, _: not _is_link(name))


def _is_link(name: str) -> bool:
    lower = name.lower()
    return lower in _LINK_NAMES or lower.endswith(_LINK_ENDINGS)


def _kept(node: Node, depth: int, below: Callable[[Node, int], Node], keeps: Callable[[str, Node], bool]) -> Node:
    if isinstance(node, dict):
        return {name: below(value, depth + 1) for name, value in node.items() if keeps(name, value)}
    return [below(each, depth + 1) for each in node] if isinstance(node, list) else node


def _with_texts(most: int) -> Callable[[Node, int], Node]:
    def shortened(node: Node, depth: int) -> Node:
        if isinstance(node, dict | list):
            return _kept(node, depth, shortened, lambda _name, _value: True)
        raw = bytes(node)
        if len(raw) <= most or not raw.startswith(b'"'):
            return node
        text = _string(raw)
        return msgspec.Raw(_encode(text[:most] + "…")) if len(text) > most else node

    return shortened


def _named_below(most: int) -> Callable[[Node, int], Node]:
    """Replaces objects deeper than ``most`` levels in a row by their identifying members, and lists of them by a
    count."""

    def named(node: Node, depth: int) -> Node:
        if isinstance(node, dict):
            if depth > most:
                return _name(node)
            return {name: named(value, depth + 1) for name, value in node.items()}
        return [named(each, depth) for each in node] if isinstance(node, list) else node

    return named


def _name(node: dict[str, Node]) -> Node:
    known = [name for name in _NAMES if not isinstance(node.get(name, {}), dict | list)]
    return {name: node[name] for name in known[:_NAMES_KEPT]} or msgspec.Raw(b'"{%d members}"' % len(node))


_NESTED = "nested objects but what they are called by"
_STEPS: tuple[tuple[str, Callable[[Node, int], Node]], ...] = (
    ("empty members", _without_empty),
    ("links of nested objects", _without_links_below),
    (f"the ends of texts of over {_LONG} characters", _with_texts(_LONG)),
    (_NESTED, _named_below(2)),
    (_NESTED, _named_below(1)),
    (_NESTED, _named_below(0)),
    ("links", _without_links),
    (f"the ends of texts of over {_SHORT} characters", _with_texts(_SHORT)),
)
"""The cuts, in this order, until the answer fits."""
