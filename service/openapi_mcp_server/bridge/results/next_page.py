"""The call that continues exactly where an answer ends, so that no row is missing or repeated.

An answer ends because it was cut, or because the API gives one page at a time. The API names the next page in a Link
header (RFC 8288), as an address or a token in the body, or by the number of rows. The model gets the arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import msgspec

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.bridge.media.large_json import is_large
from openapi_mcp_server.bridge.model import Paging, Tool
from openapi_mcp_server.bridge.results.answer_headers import next_link
from openapi_mcp_server.openapi.schemas.keywords import as_list

_PUNCTUATION = re.compile(r"[^a-z0-9]")
_OFFSETS = {"offset": 0, "pageoffset": 0, "skip": 0, "startat": 0, "startindex": 1, "start": 0, "from": 0}
"""Names of arguments that count rows, with the number of the first row."""
_IF_NUMBERS = frozenset({"start", "from"})
_NUMBERS_ONLY = frozenset({"from", "size"})
"""Names that mean a sender, or another size, unless they are numbers."""
_PAGES = frozenset({"page", "pageno", "pagenumber"})
"""Names of arguments that count pages."""
_SIZES = frozenset(
    {
        "perpage", "pagesize", "limit", "pagelimit", "size", "count", "maxresults", "maxitems", "maxkeys", "top",
        "rows", "take",
    }
)  # fmt: skip
_TOKENS = frozenset(
    {
        "pagetoken", "nextpagetoken", "cursor", "nextcursor", "pagecursor", "startcursor", "nexttoken",
        "paginationtoken", "continuationtoken", "continue", "marker", "bookmark",
    }
)  # fmt: skip
_IDS = frozenset({"startingafter", "after", "pageafter"})
"""Names of arguments that take the id of the last row, or a token."""
_WAYS = _PAGES | _TOKENS | _IDS | _OFFSETS.keys()
_OTHER_WAYS = frozenset({"before", "beginat", "continuation", "endingbefore", "first", "last", "pageindex"})
"""Names of further arguments for pages, whose use differs too much between APIs to continue by them."""
_CERTAIN = (_WAYS | _SIZES) - _IF_NUMBERS
_PAGING = _WAYS | _SIZES | _OTHER_WAYS
_BACKWARDS = frozenset({"before", "pagebefore"})
"""Beside one of these arguments, the order of rows is unknown."""

_SAYING = {
    "next": "next", "nextpage": "next", "nextlink": "next", "odatanextlink": "next", "nexturl": "next",
    "nextpageurl": "next", "nextpageuri": "next", "nextpagetoken": "token", "nextcursor": "token",
    "nexttoken": "token", "nextmarker": "token", "paginationtoken": "token", "nextcontinuationtoken": "token",
    "continue": "token", "endcursor": "token", "nextoffset": "offset", "lastid": "last", "hasmore": "more",
    "hasnextpage": "more", "hasnext": "more", "istruncated": "more", "total": "total", "totalcount": "total",
    "totalresults": "total", "totalitems": "total", "totalentries": "total", "totalrecords": "total",
    "totalelements": "total", "totalpages": "pages", "pagecount": "pages", "pages": "pages", "lastpage": "pages",
    "last": "end", "islast": "end", "islastpage": "end", "number": "page", "page": "page", "pagenumber": "page",
    "currentpage": "page", "pagenum": "page", "perpage": "size", "pagesize": "size", "size": "size", "limit": "size",
    "itemsperpage": "size",
}  # fmt: skip
"""The meaning of members of an answer for the next page, by their names without punctuation. ``page``: its own number,
``size``: its own size, ``end``: whether it is the last one."""
_URI_EXPRESSION = re.compile(r"\{[+#./;?&]?[A-Za-z0-9_.,:*%]+\}")
"""An expression in a URI template (RFC 6570, section 2.2). JSON in a query has braces, too, but with quotes between
them."""
_SAYING_WITHIN_NEXT = {
    "href": "next", "url": "next", "uri": "next", "after": "token", "cursor": "token", "token": "token",
    "offset": "offset", "page": "next",
}  # fmt: skip
_HOLDING = frozenset(
    {"links", "paging", "pagination", "meta", "metadata", "pageinfo", "responsemetadata", "next", "nextpage", "page"}
)
"""Members that contain the ones above."""
_LINKS = frozenset({"links", "link"})
_MOST_LINKS = 20
"""Elements of a list of links that are read (Atom's ``rel`` and ``href``, FHIR's ``relation`` and ``url``)."""
_ENVELOPES = frozenset({"data", "result", "response", "payload", "embedded"})
"""Members that hold the rows together with the data about pages (HAL, many APIs of China)."""
_LEVELS = 3
_ASKED_CHARACTERS = 200
_VALUE_CHARACTERS = 2_000
"""The most characters of a token that is shown, since models cannot write longer ones reliably."""
_SMALLEST_SHARE = 4
"""A page of less than a fourth of the rows shown is not offered, since it would need too many calls."""

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_scalar = msgspec.json.Decoder(str | int | bool | None).decode


class Next(NamedTuple):
    """Arguments of the next call. ``is_instead``: it begins where this answer begins, and asks for less."""

    arguments: Mapping[str, str | int]
    is_instead: bool = False

    def __str__(self) -> str:
        told = [f"{name}={text.visible(_encode(value))}" for name, value in self.arguments.items()]
        return ", ".join(told)


def _encode(value: object) -> str:
    return msgspec.json.encode(value).decode()


@lru_cache(4_096)
def _plain(name: str) -> str:
    """A name without differences of spelling: ``per_page``, ``$top``, ``page[size]``."""
    return _PUNCTUATION.sub("", name.lower())


def may_page(wires: Iterable[str]) -> bool:
    """Whether any name on the wire is a known one for pages. Most operations have none."""
    return not _WAYS.isdisjoint(map(_plain, wires))


def paging(
    wires: Mapping[str, str], texts: Iterable[str], numbers: Iterable[str], from_zero: Iterable[str] = ()
) -> Paging | None:
    """The arguments by which an operation pages. ``wires`` are their names on the wire; ``texts``, ``numbers`` and
    ``from_zero`` are arguments with a known type or start."""
    by_name = {_plain(name): argument for argument, name in wires.items()}
    if _WAYS.isdisjoint(by_name):
        return None
    said_texts, said_numbers = set(texts), set(numbers)
    counting = {name: each for name, each in by_name.items() if each not in said_texts}
    offset = next((n for n in _OFFSETS if n in counting and (n not in _IF_NUMBERS or counting[n] in said_numbers)), "")
    uncounted = _OFFSETS.keys() - _IF_NUMBERS - counting.keys()  # Asana counts no rows by its offset: it is a token
    token = next((name for name in by_name if name in _TOKENS or name in uncounted), "")
    is_known_way = _BACKWARDS.isdisjoint(by_name)
    page = next((each for name, each in counting.items() if name in _PAGES), "")
    found = Paging(
        offset=counting.get(offset, ""),
        first=_OFFSETS.get(offset, 0),
        page=page,
        first_page=0 if page in set(from_zero) else 1,
        size=next((each for name, each in counting.items() if name in _SIZES), ""),
        token=by_name.get(token, ""),
        after=next((each for name, each in by_name.items() if name in _IDS), ""),
        is_forward="startingafter" in by_name or is_known_way,
    )
    is_known = found.offset or found.page or found.token or found.after
    return found if is_known or not _PAGES.isdisjoint(by_name) else None  # a text may count pages too: addresses say it


def small(arguments: Mapping[str, Any]) -> dict[str, str | int]:
    """The small arguments of a call, which may select a page."""
    return {
        name: value
        for name, value in arguments.items()
        if type(value) is int or (type(value) is str and len(value) <= _ASKED_CHARACTERS)
    }


def paging_arguments(tool: Tool) -> list[str]:
    """The arguments that select another page of the same operation."""
    wires = {slot.argument: slot.name for slot in tool.slots if slot.location != "path"}
    if tool.body is not None:
        wires.update(tool.body.properties)
    plain = {argument: _plain(name) for argument, name in wires.items()}
    return [
        argument
        for argument, name in plain.items()
        if name in _PAGING and (name not in _NUMBERS_ONLY or _is_number(tool, argument))
    ]


def _is_number(tool: Tool, argument: str) -> bool:
    properties = msgspec.json.decode(tool.input.schema).get("properties", {})
    schema = properties.get(argument)
    return isinstance(schema, dict) and not {"integer", "number"}.isdisjoint(as_list(schema.get("type", [])))


# A page that was cut


def following(pages: Paging, asked: Mapping[str, object], kept: int, total: int, last: object = None) -> Next | None:
    """The call for the rows after the first ``kept`` of ``total``; None if it is unknown.

    ``asked`` are the arguments of this call, ``last`` is the id of the last row that is shown.
    """
    if not kept:
        return None
    if pages.offset:
        begun = asked.get(pages.offset, pages.first)
        return Next({pages.offset: begun + kept}) if isinstance(begun, int) else None
    if pages.page and pages.size and not pages.token:  # with both, pages are numbered for show only
        return _page(pages, asked, kept, total)
    if pages.after and not pages.token and pages.is_forward and isinstance(last, str | int):
        return Next({pages.after: last})
    if pages.size and (pages.token or pages.after):
        return Next({pages.size: kept}, is_instead=True)
    return None


def _page(pages: Paging, asked: Mapping[str, object], kept: int, total: int) -> Next | None:
    """A page of another size, if there is one that begins after the last row that was shown."""
    number, rows = asked.get(pages.page, pages.first_page), asked.get(pages.size, total)
    if not isinstance(number, int) or not isinstance(rows, int) or number < pages.first_page:
        return None
    before = number - pages.first_page
    if before and pages.size not in asked:  # the last page may be a short one
        return None
    seen = before * rows + kept
    each = next(each for each in range(kept, 0, -1) if seen % each == 0)
    following_one = seen // each + pages.first_page
    return Next({pages.size: each, pages.page: following_one}) if each * _SMALLEST_SHARE >= kept else None


# A page that is whole


def after_whole(
    tool: Tool, pages: Paging, asked: Mapping[str, object], response: HttpResponse, json: bytes | None
) -> Next | None:
    """The call for the page after this answer, if it says that there is one."""
    link = next_link(response)
    if link and (way := _by_address(tool, pages, asked, link)):
        return way
    if json is None or not json.startswith(b"{") or is_large(json):
        return None
    members = _opened(_members(json))
    said = dict(_said(members, _SAYING))
    if said.get("more") is False or said.get("end") is True:
        return None
    way = _by_what_is_said(tool, pages, asked, said)
    return way or _by_counting(_counted(pages, asked, said), asked, said, members)


def _opened(members: Mapping[str, msgspec.Raw]) -> Mapping[str, msgspec.Raw]:
    """The members of an answer, and those of the envelope with its rows."""
    if any(_begins(raw) == b"[" and _plain(name) not in _LINKS for name, raw in members.items()):
        return members
    held = (raw for name, raw in members.items() if _plain(name) in _ENVELOPES and _begins(raw) == b"{")
    inner = next(held, None)
    return members if inner is None else {**members, **_members(inner)}


def _begins(raw: bytes | msgspec.Raw) -> bytes:
    return bytes(memoryview(raw)[:1])


def counted(pages: Paging, asked: Mapping[str, object], json: bytes) -> Paging:
    """The arguments, corrected by how this answer counts its pages."""
    return _counted(pages, asked, dict(_said(_opened(_members(json)), _SAYING))) if json.startswith(b"{") else pages


def _counted(pages: Paging, asked: Mapping[str, object], said: Mapping[str, Any]) -> Paging:
    """The arguments for pages that begin with 0, if the answer to a call without a page says that it is page 0
    (Spring)."""
    number = said.get("page")
    begins_with_zero = type(number) is int and number == 0 and pages.page not in asked
    return msgspec.structs.replace(pages, first_page=0) if begins_with_zero else pages


def _said(members: Mapping[str, msgspec.Raw], saying: Mapping[str, str], depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The members of an answer about the next page, by kind. Empty ones are ignored."""
    for name, raw in members.items():
        is_known = (known := _plain(name)) in saying
        if not is_known and known not in _HOLDING and known not in _LINKS:
            continue
        value = bytes(raw)
        if value.startswith(b"{") and depth < _LEVELS and known in _HOLDING:
            yield from _said(
                _members(value), _SAYING_WITHIN_NEXT if saying.get(known) == "next" else _SAYING, depth + 1
            )
        elif value.startswith(b"[") and known in _LINKS:
            yield from _linked(value)
        elif is_known and not value.startswith((b"{", b"[")) and len(value) <= _VALUE_CHARACTERS:
            try:
                found = _scalar(value)
            except msgspec.ValidationError:  # a number that is none to count with
                continue
            if found not in {None, ""} and (saying[known] != "end" or isinstance(found, bool)):
                yield saying[known], found


def _linked(links: bytes) -> Iterator[tuple[str, str]]:
    for each in _items(links)[:_MOST_LINKS]:
        members = _members(each) if _begins(each) == b"{" else {}
        target = _text(members, "href", "url")
        if target and _text(members, "rel", "relation").lower() == "next":
            yield "next", target


def _text(members: Mapping[str, msgspec.Raw], *names: str) -> str:
    """The first text among these members."""
    texts = (members[name] for name in names if name in members and _begins(members[name]) == b'"')
    return next((msgspec.json.decode(each, type=str) for each in texts), "")


def _by_what_is_said(
    tool: Tool, pages: Paging, asked: Mapping[str, object], said: Mapping[str, str | int | bool]
) -> Next | None:
    """The next call by an address, a page or a token in the answer."""
    following_one = said.get("next")
    if isinstance(following_one, str) and ("://" in following_one or following_one.startswith(("/", "?"))):
        return _by_address(tool, pages, asked, following_one)
    token = said.get("token", said.get("offset", following_one))
    if token is None:
        return None
    counts = type(token) is int
    counting = (pages.offset if "offset" in said else pages.page) if counts and "token" not in said else ""
    place = counting or pages.token or pages.after
    return Next({place: token}) if place and not isinstance(token, bool) else None


def _by_address(tool: Tool, pages: Paging, asked: Mapping[str, object], address: str) -> Next | None:
    """The next call by an address: the arguments in its query that differ from this call's."""
    try:
        query = dict(parse_qsl(urlsplit(_URI_EXPRESSION.sub("", address)).query, max_num_fields=100))
    except ValueError:
        return None
    own = {slot.name: slot.argument for slot in tool.slots if slot.location == "query"}
    given = {own[name]: value for name, value in query.items() if name in own and len(value) <= _VALUE_CHARACTERS}
    changed = {name: value for name, value in given.items() if str(asked.get(name)) != value}
    paging_ones = {own[name] for name in query if name in own and _plain(name) in _CERTAIN} | {pages.offset}
    told = {name: value for name, value in changed.items() if name in paging_ones} or changed
    return Next({name: _number(value) for name, value in told.items()}) if told else None


def _number(value: str) -> str | int:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 16 and str(int(value)) == value else value


def _by_counting(
    pages: Paging, asked: Mapping[str, object], said: Mapping[str, Any], members: Mapping[str, msgspec.Raw]
) -> Next | None:
    """The next call by the rows of this page, if the answer says that there are more, or how many there are."""
    if said.keys().isdisjoint(("more", "end", "total", "pages")):
        return None
    lists = (raw for name, raw in members.items() if _begins(raw) == b"[" and _plain(name) not in _LINKS)
    rows = _items(max(lists, key=_length, default=b"[]"))
    number, begun = asked.get(pages.page, pages.first_page), asked.get(pages.offset, pages.first)
    if not rows or not isinstance(number, int) or not isinstance(begun, int):
        return None
    if pages.offset and _has_more(said, begun - pages.first + len(rows)):
        return Next({pages.offset: begun + len(rows)})
    shown = number - pages.first_page + 1
    size = said.get("size", asked.get(pages.size))  # an API may give less than it was asked for
    seen = len(rows) if shown == 1 else shown * size if type(size) is int else None
    if pages.page and (shown < _count(said, "pages") or _has_more(said, seen)):
        return Next({pages.page: number + 1})
    if not _says_more(said) or not pages.after or not pages.is_forward:
        return None
    last = said.get("last", row_id(rows[-1]))
    return None if last is None else Next({pages.after: last})


def _length(raw: msgspec.Raw) -> int:
    return len(memoryview(raw))


def _has_more(said: Mapping[str, Any], seen: int | None) -> bool:
    return _says_more(said) or (seen is not None and seen < _count(said, "total"))


def _says_more(said: Mapping[str, Any]) -> bool:
    return bool(said.get("more")) or said.get("end") is False


def _count(said: Mapping[str, Any], kind: str) -> int:
    value = said.get(kind)
    return value if type(value) is int else 0


def row_id(row: bytes | msgspec.Raw) -> str | int | None:
    """The ``id`` of a row, if it has a usable one."""
    if _begins(row) != b"{":
        return None
    try:
        found = _scalar(_members(row).get("id", b"null"))
    except msgspec.ValidationError:
        return None
    return None if isinstance(found, bool) or found == "" else found
