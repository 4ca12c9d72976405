"""Reads the arguments of search mode's four tools, in all forms that models and frameworks write."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from openapi_mcp_server.bridge import text
from openapi_mcp_server.errors import ArgumentError

DEFAULT_LIMIT = 5
"""The default number of hits: five answer 90 in 100 new questions, ten 93."""
_QUERY_CHARACTERS = 2_000
"""The most characters of a query or a name that are read; a longer text is neither a question nor a place."""
_SHOWN = 120
_NAMED = 5
"""The most unknown arguments that an error names."""
_WRONG = re.compile(r"Expected `([^`]*)`, got `([^`]*)` - at `\$\.(\w+)`")
_MISSING = re.compile(r"missing required field `(\w+)`")
_KINDS = {"str": "text", "int": "a number", "float": "a number", "array": "a list", "object": "an object"}

Asked = TypeVar("Asked")
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Search(msgspec.Struct, frozen=True):
    query: str
    tag: str = ""
    method: str = ""
    api: str = ""
    limit: int = DEFAULT_LIMIT
    offset: int = 0


class Describe(msgspec.Struct, frozen=True):
    name: str
    type: str = ""


class Operate(msgspec.Struct, frozen=True):
    """``read_operation`` and ``call_operation``."""

    name: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")
    response_filter: str = ""


Named = TypeVar("Named", Describe, Operate)
_OF_OPERATE = frozenset(Operate.__struct_fields__)


def read(kind: type[Asked], arguments: msgspec.Raw | None) -> Asked:
    """The arguments of one of the four tools; raises ArgumentError. Numbers may be text, as some models write them.
    Null counts as absent, since CrewAI and mcp-use send it for all arguments that a model leaves out. An operation's
    own arguments stay as they are, and may be large."""
    given = bytes(arguments or b"{}")
    try:
        return msgspec.json.decode(_without_nulls(given) if b"null" in given else given, type=kind, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        known = kind.__struct_fields__  # type: ignore[attr-defined]
        raise ArgumentError(f"{_in_words(str(error), given, known)}; there are {', '.join(known)}") from error


def read_search(arguments: msgspec.Raw | None) -> Search:
    """The arguments of a search. A text that is too long for a question is cut, to limit the cost."""
    asked = read(Search, arguments)
    return msgspec.structs.replace(asked, query=asked.query[:_QUERY_CHARACTERS])


def read_name(arguments: msgspec.Raw | None) -> Describe:
    return _short(read(Describe, arguments))


def _short(asked: Named) -> Named:
    """With the beginning of a name that is too long to be one, of which each word would be looked for."""
    return msgspec.structs.replace(asked, name=asked.name[:_QUERY_CHARACTERS])


def _in_words(error: str, given: bytes, known: Sequence[str]) -> str:
    """An error of msgspec in our words."""
    if found := _WRONG.search(error):
        expected, got, name = found.groups()
        return f"{name}: expected {_KINDS.get(expected, expected)}, got {_KINDS.get(got, got)}"
    if found := _MISSING.search(error):
        others = [text.line(name, _SHOWN) for name in _members.decode(given) if name not in known]
        return f"{found[1]} is missing" + (f", {', '.join(others[:_NAMED])} unknown" if others else "")
    return f"the arguments do not fit: {error}"


def _without_nulls(given: bytes) -> bytes:
    return msgspec.json.encode({name: each for name, each in _members.decode(given).items() if bytes(each) != b"null"})


def operate(arguments: msgspec.Raw | None) -> Operate:
    return _short(read(Operate, arguments))


def members_beside(arguments: msgspec.Raw | None) -> dict[str, msgspec.Raw]:
    """The members that are no arguments of ``call_operation``. There may be 300,000, which take 15 ms to free, so they
    are read and freed where they are looked at."""
    members = _members.decode(arguments or b"{}")
    return {name: each for name, each in members.items() if name not in _OF_OPERATE}
