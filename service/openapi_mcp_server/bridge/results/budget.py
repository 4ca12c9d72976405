"""An answer within the operator's budget: cut where it loses least, still valid JSON, with a note about each cut.

Rows lose detail (`detail`) before whole rows are dropped. Then arrays lose their last items and long strings their
ends. Members, numbers and everything that fits stay exactly as the API spelt them. A picture, a sound or a file is
never cut: half of one is useless, and `content.ANSWER_LIMIT` limits it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, count, islice

import msgspec

from openapi_mcp_server.bridge.media import by_parts
from openapi_mcp_server.bridge.media.by_parts import short_pieces
from openapi_mcp_server.bridge.media.content import AnswerContent
from openapi_mcp_server.bridge.media.large_json import Entry, entries, is_large
from openapi_mcp_server.bridge.model import RESPONSE_FILTER, Tool
from openapi_mcp_server.bridge.results import detail
from openapi_mcp_server.bridge.results.next_page import Next, counted, following, paging_arguments, row_id
from openapi_mcp_server.bridge.text import shorten, visible
from openapi_mcp_server.grammar import any_number_of
from openapi_mcp_server.mcp.messages import EmbeddedResource, TextContent, TextResource, ToolResult
from openapi_mcp_server.openapi.pointers import escaped
from openapi_mcp_server.pausing import make_way

BYTES_PER_TOKEN = 4
"""A rule of thumb for English and JSON."""
MAX_DEPTH = 20
"""Levels that are cut. Each may read the whole answer once, so this limits the time. Deeper values are left out
whole."""
_LEAST = 64
"""The smallest size to which a member of an object is cut. With less room for each, the last members are dropped."""
_MANY_MEMBERS = 1_000
"""The most members of a large object that may be cut to equal shares. If it has more, the first are kept."""
_PIECE = 64 * 1024
_CONTINUED = bytes(range(0x80, 0xC0))
"""In UTF-8, every byte of a character but its first."""
_CUTS_TOLD = 10
_ENVELOPE = 2
"""Levels of objects that a page's rows may be in."""
_ROWS_FOR_A_WAY = 4
"""At most one in so many rows is dropped for a page of another size that begins after the last row shown."""
_NAME_SHOWN = 60
_ELLIPSIS = "…".encode()

_WHOLE_CHARACTERS = re.compile(
    any_number_of(
        r"[^\\]++|\\[^u]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u(?![dD][89abAB])[0-9a-fA-F]{4}"
    )
)
"""The inside of a JSON string up to the last escape that is whole, both halves of a surrogate pair together."""

NOTHING: Mapping[str, object] = {}
Path = tuple[str, ...]

_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_string = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


class Cut(msgspec.Struct, frozen=True):
    """A value that was cut, and how much of it is left. ``path``: the names and numbers that lead to it. ``total`` is
    None if counting would take too long."""

    path: Path
    kept: int
    total: int | None
    of: str  # items, members, characters

    def __str__(self) -> str:
        """The cut in words, with a JSON Pointer (RFC 6901) in which names are shortened."""
        pointer = "".join(f"/{escaped(shorten(visible(name), _NAME_SHOWN))}" for name in self.path)
        first = "" if self.of == "members" else "the first "
        total = "many more" if self.total is None else f"{self.total:,}"
        return f"{pointer or 'the answer'}: {first}{self.kept:,} of {total} {self.of}"


def within(body: AnswerContent, tool: Tool, budget_bytes: int, asked: Mapping[str, object] = NOTHING) -> AnswerContent:
    """The body in at most ``budget_bytes`` of UTF-8 text, with notes about missing parts; 0: no limit. ``asked`` are
    the arguments of the call, for the next call.

    Only a number that is longer than the budget by itself is not cut.
    """
    if not budget_bytes:
        return body
    if body.json is not None:
        return _json_within(body, body.json, tool, budget_bytes, asked)
    whole = body.text
    if len(whole) <= budget_bytes:
        return body
    left = whole[:budget_bytes].decode(errors="ignore")  # an incomplete last character is dropped
    characters = sum(len(piece.translate(None, _CONTINUED)) for piece in short_pieces(whole))
    cuts = [Cut((), len(left), characters, "characters")]
    return AnswerContent(
        text=left.encode(), notes=(*body.notes, *_told(len(whole), budget_bytes, cuts, tool)), lacks=True
    )


def _json_within(
    body: AnswerContent, whole: bytes, tool: Tool, budget_bytes: int, asked: Mapping[str, object]
) -> AnswerContent:
    if len(whole) <= budget_bytes:
        return body
    cuts: list[Cut] = []
    large = is_large(whole)
    less = None if large else detail.reduced(whole, budget_bytes)
    text = whole if less is None else less.json
    left = _cut(memoryview(text) if large else text, budget_bytes, (), cuts)
    if left is None:
        return body
    way = None
    if not body.filtered:
        left, way = _with_way(left, tool, asked, cuts)
    notes = (*body.notes, *_told(len(whole), budget_bytes, cuts, tool, less.said if less else (), way))
    arguments = way.arguments if way else None
    return AnswerContent(json=left, notes=notes, filtered=body.filtered, next=arguments, lacks=bool(cuts))


def tokens(result: ToolResult) -> int:
    """The approximate number of tokens for a model. Pictures, sounds and files are not text and do not count."""
    texts = (block.resource if isinstance(block, EmbeddedResource) else block for block in result.content)
    return sum(_size(each.text) for each in texts if isinstance(each, TextContent | TextResource)) // BYTES_PER_TOKEN


def _size(text: str) -> int:
    """The bytes of a text in UTF-8. Most answers are ASCII, whose bytes are counted without encoding."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _is_of_rows(path: Path) -> bool:
    """Whether a list is the answer itself or near its top, and not within a row of another list."""
    return len(path) <= _ENVELOPE and not any(step.isdigit() for step in path)


def _with_way(left: bytes, tool: Tool, asked: Mapping[str, object], cuts: list[Cut]) -> tuple[bytes, Next | None]:
    """The JSON that is left, and the next call, if only whole rows of one list are missing.

    A page of another size can begin only after certain numbers of rows, so a few more rows may be dropped.
    """
    match cuts:
        case [Cut(path=path, kept=kept, total=int(total), of="items")] if tool.paging and _is_of_rows(path):
            pages = counted(tool.paging, asked, left)
            for fewer in range(kept, kept - kept // _ROWS_FOR_A_WAY - 1, -1):
                last = row_id(rows[fewer - 1]) if (rows := _rows(left, path)) and tool.paging.after else None
                if way := following(pages, asked, fewer, total, last):
                    cuts[:] = [Cut(path, fewer, total, "items")]
                    return (left if fewer == kept else _with_rows(left, path, fewer)), way
    return left, None


def _rows(left: bytes, path: Path) -> list[msgspec.Raw]:
    for name in path:
        left = bytes(_members(left)[name])
    return _items(left)


def _with_rows(left: bytes, path: Path, count: int) -> bytes:
    """A part of an answer with the first ``count`` rows only."""
    if not path:
        return _encode(_items(left)[:count])
    name, *below = path
    members = _members(left)
    return _encode(members | {name: msgspec.Raw(_with_rows(bytes(members[name]), tuple(below), count))})


def _told(
    size: int,
    budget_bytes: int,
    cuts: Sequence[Cut],
    tool: Tool,
    without: Sequence[str] = (),
    way: Next | None = None,
) -> Iterator[str]:
    sizes = f"It has {_amount(size)}; the limit is {_amount(budget_bytes)}."
    if without:
        rows = "Its rows are" if cuts else "Every row is here,"
        yield f"Note: this answer is shortened. {sizes} {rows} without {', '.join(without)}."
        if tool.filterable:
            yield f"{RESPONSE_FILTER} gives what is left out of them."
        if not cuts:
            return
        yield "It shows:"
    else:
        yield f"Note: this answer is cut. {sizes} It shows:"
    yield from (f"- {cut}" for cut in cuts[:_CUTS_TOLD])
    if len(cuts) > _CUTS_TOLD:
        yield f"- and {len(cuts) - _CUTS_TOLD:,} more places that are cut"
    yield _advice(tool, way)


def _advice(tool: Tool, way: Next | None) -> str:
    ways = []
    if way is not None:
        instead = ", before anything that this answer says of a next page" if way.is_instead else ""
        ways.append(f"call again with {way}{instead}")
    elif names := paging_arguments(tool):
        ways.append(f"call again with other values of {', '.join(names)}")
    if tool.filterable:
        ways.append(f"select what you need with {RESPONSE_FILTER}")
    if not ways:
        return "This operation has no arguments for pages: ask for something narrower."
    return f"For the rest, {', or '.join(ways)}."


def _amount(size: int) -> str:
    return f"{size:,} bytes (about {size // BYTES_PER_TOKEN:,} tokens)"


def _cut(value: bytes | memoryview, room: int, path: Path, cuts: list[Cut]) -> bytes | None:
    """Compact JSON in at most ``room`` bytes; None if nothing of it can be kept. Each cut is added to ``cuts``.

    A memoryview holds an answer that is too large to be parsed at once.
    """
    if len(value) <= room:
        return bytes(value)
    if len(path) >= MAX_DEPTH or room < len("[]"):
        return None
    first = bytes(memoryview(value)[:1])
    if first == b'"':
        return _cut_string(bytes(value), room, path, cuts)
    if isinstance(value, memoryview):
        return _cut_large(value, room, path, cuts)
    cut = _CUTTERS.get(first)
    return None if cut is None else cut(bytes(value), room, path, cuts)  # bytes of msgspec.Raw


def _cut_string(value: bytes, room: int, path: Path, cuts: list[Cut]) -> bytes | None:
    inside = room - len(_ELLIPSIS) - 2
    if inside < 0:
        return None
    kept = _whole_characters(value[1:-1][:inside])
    cuts.append(Cut(path, len(_string(f'"{kept}"')), _length(value[1:-1]), "characters"))
    return b'"%b%b"' % (kept.encode(), _ELLIPSIS)


def _length(inside: bytes) -> int:
    """Characters of a JSON string. Piece by piece: one emoji makes every character of a text take four bytes."""
    length = start = 0
    while whole := _whole_characters(inside[start : start + _PIECE]):
        make_way()
        length += len(_string(f'"{whole}"'))
        start += len(whole.encode())
    return length


def _whole_characters(inside: bytes) -> str:
    """The inside of a JSON string without a partial escape at its end."""
    whole = _WHOLE_CHARACTERS.match(inside.decode(errors="ignore"))
    return whole[0] if whole else ""


def _cut_large(value: memoryview, room: int, path: Path, cuts: list[Cut]) -> bytes | None:
    """Cuts a value by the entries found in its text. Beyond the room, only the members of an object are read."""
    match bytes(value[:1]):
        case b"[":
            items = ((b"", str(index), item) for index, (_, item) in enumerate(entries(value)))
            kept = _first(items, room, path, cuts)
            cuts.append(Cut(path, len(kept), None, "items"))
            return b"[%b]" % b",".join(kept)
        case b"{":
            following = map(_named, entries(value))
            members = [*islice(following, _MANY_MEMBERS)]
            if len(members) < _MANY_MEMBERS:
                return _cut_members(members, room, path, cuts)
            kept = _first(chain(members, following), room, path, cuts)
            cuts.append(Cut(path, len(kept), None, "members"))
            return b"{%b}" % b",".join(kept)
        case _:
            return None


def _named(entry: Entry) -> tuple[bytes, str, bytes | memoryview]:
    return entry.key, _string(entry.key[:-1]), entry.value


def _cut_object(value: bytes, room: int, path: Path, cuts: list[Cut]) -> bytes:
    members = [(_encode(name) + b":", name, member) for name, member in _members(value).items()]
    return _cut_members(members, room, path, cuts)


def _cut_members(
    members: Sequence[tuple[bytes, str, bytes | memoryview]], room: int, path: Path, cuts: list[Cut]
) -> bytes:
    """Keeps every member and cuts the large ones to equal shares, as long as something is left of each."""
    share = _share([len(member) for _, _, member in members], room - 2 - sum(len(key) + 1 for key, _, _ in members))
    if share < _LEAST:
        kept = _first(members, room, path, cuts)
    else:
        parts = [(key, _cut(member, share, (*path, name), cuts)) for key, name, member in members]
        kept = [key + part for key, part in parts if part is not None]
    if len(kept) < len(members):
        cuts.append(Cut(path, len(kept), len(members), "members"))
    return b"{%b}" % b",".join(kept)


def _share(sizes: Sequence[int], room: int) -> int:
    """The largest size to which all may be cut so that their sum is at most ``room``."""
    for position, size in enumerate(sorted(sizes)):
        share = room // (len(sizes) - position)
        if size > share:
            return share
        room -= size
    return max(sizes, default=0)


def _cut_array(value: bytes, room: int, path: Path, cuts: list[Cut]) -> bytes:
    numbers = count()
    items = ((b"", str(index), item) for item, index in zip(by_parts.items(value), numbers, strict=False))
    kept = _first(items, room, path, cuts)
    deque(items, maxlen=0)  # the rest is counted, and not kept: 70 bytes for each item
    total = next(numbers)
    if len(kept) < total:
        cuts.append(Cut(path, len(kept), total, "items"))
    return b"[%b]" % b",".join(kept)


_CUTTERS = {b"[": _cut_array, b"{": _cut_object}


def _first(
    found: Iterable[tuple[bytes, str, bytes | memoryview]], room: int, path: Path, cuts: list[Cut]
) -> list[bytes]:
    """The first items of an array or members of an object (key with colon, name, value) that fit.

    The first one that does not fit is cut itself if more than half of the room would be empty otherwise. A page's rows
    may be the second item of an array, and a single item may be the whole answer.
    """
    left = room - 1  # with a comma for each entry, of which the last needs none
    kept: list[bytes] = []
    for key, name, value in found:
        size = len(key) + len(value) + 1
        if size > left:
            inside = left - len(key) - 1
            part = _cut(value, inside, (*path, name), cuts) if left > room // 2 else None
            return kept if part is None else [*kept, key + part]
        kept.append(key + bytes(value))
        left -= size
    return kept
