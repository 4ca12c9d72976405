"""Converts arguments that do not fit into the values that were meant.

It converts JSON text to its value (``"5"`` to 5, ``"[1]"`` to [1]), a number or a flag to text (some clients cannot
write ``"1"``), an object or a list to its text where the schema says that the text is JSON, a text to a value of an
enumeration in another case, and Python's ``"True"`` to a flag. It drops null or ``""`` for absent arguments (some
clients write every argument). A conversion requires that the given value does not fit the schema, that the new one
does, and that nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import reduce
from itertools import chain, islice
from operator import getitem
from typing import Any

import msgspec

from openapi_mcp_server.bridge.arguments.declared import schema_at
from openapi_mcp_server.bridge.media import exact_json
from openapi_mcp_server.bridge.media.table import is_json
from openapi_mcp_server.bridge.schemas import validation
from openapi_mcp_server.bridge.schemas.edits import decode
from openapi_mcp_server.bridge.schemas.validation import Failure, Kind

_MAX_LOOKED_AT = 3_000
"""The most errors that one round reads, including those of all alternatives: 30 ms."""
_MAX_NESTED = 3
"""The most texts within each other, such as an object as text that has a number as text."""
_LONGEST_CHOICE, _LARGEST_CHOICE = 200, 300
"""The most characters of a text that is compared with an enumeration, and the enumeration's most values: all
countries."""
_OF_TEXT = b'"contentMediaType":'
_FLAGS = {"True": True, "False": False}
"""As Python spells them, in which many agents are written."""
_NOT_GIVEN: Any = msgspec.UNSET

Path = tuple[str | int, ...]
Find = Callable[[dict[str, Any]], Sequence[Failure]]


class Coerced(msgspec.Struct, frozen=True):
    """``names`` are the converted arguments; ``errors`` are the remaining errors."""

    values: dict[str, Any]
    names: tuple[str, ...]
    errors: Sequence[Failure]


def coerced(values: dict[str, Any], schema: bytes, find: Find, empty: Sequence[Failure] = ()) -> Coerced:
    """The arguments with all possible conversions.

    ``find`` returns the errors of arguments; ``empty`` are values that fit but are hardly meant (see `empty_texts`).
    """
    given, errors = values, find(values)
    root = decode(schema) if _OF_TEXT in schema else None
    read: dict[Path, None] = {}
    for _ in range(_MAX_NESTED):
        meant = _meant(values, [*errors, *empty], root)
        if not meant:
            break
        values, empty = _replaced(values, meant), ()
        read |= dict.fromkeys(meant)
        errors = find(values)
    in_vain = _still_wrong(errors) & read.keys()
    values = _replaced(values, _given(given, in_vain))
    names = dict.fromkeys(str(path[0]) for path in read if path not in in_vain)
    return Coerced(values, tuple(names), find(values) if in_vain else errors)


def empty_texts(values: dict[str, Any], schema: bytes, size: int) -> list[Failure]:
    """The places of empty text in formats that do not allow it, such as a date or a UUID."""
    found = every(validation.format_errors(values, schema, size))
    return [
        error for error in islice(found, _MAX_LOOKED_AT) if error.instance == "" and isinstance(error.kind, Kind.Format)
    ]


def _meant(values: dict[str, Any], errors: Sequence[Failure], root: object) -> dict[Path, Any]:
    """Conversions of values that do not fit, by their places; empty if there are too many."""
    found = list(islice(every(errors), _MAX_LOOKED_AT + 1))
    if len(errors) >= validation.MAX_ERRORS or len(found) > _MAX_LOOKED_AT:
        return {}
    meant: dict[Path, Any] = {}
    unread: set[Path] = set()
    for error in found:
        path = tuple(error.instance_path)
        if not path or path in meant:
            continue
        value = _at(values, path)
        if isinstance(value, str) and (choice := _choice(value, error.kind)) is not None:
            meant[path] = choice
        if path in meant or path in unread:
            continue
        try:
            meant[path] = _reading(value, path, error, root)
        except ValueError:
            if isinstance(value, str):  # a text says the same to every alternative, and may be long
                unread.add(path)
    return meant


def every(errors: Iterable[Failure]) -> Iterator[Failure]:
    """All errors; an error about a choice is followed by those of all branches."""
    return chain.from_iterable(map(with_alternatives, errors))


def with_alternatives(error: Failure) -> Iterator[Failure]:
    """An error; if it is about a choice, it is followed by those of all branches."""
    yield error
    for branch in getattr(error.kind, "context", ()):
        for inner in branch:
            yield from with_alternatives(inner)


def _reading(value: object, path: Path, error: Failure, root: object) -> Any:  # noqa: ANN401 - any JSON value
    """The value that was meant by one that does not fit; raises ValueError if there is none."""
    match value:
        case None | "" if isinstance(path[-1], str):
            return _NOT_GIVEN
        case str() if value in _FLAGS:
            return _FLAGS[value]
        case str():
            return _said(value)
        case bool() | int() | Decimal() if _asks_for_text(error.kind):
            return exact_json.encode(value).decode()
        case dict() | list() if _asks_for_text(error.kind) and _is_of_json(error, root):
            return exact_json.encode(value).decode()
    raise ValueError("nothing else")


def _choice(text: str, kind: Kind) -> str | None:
    """The single value of the enumeration that differs only in case."""
    match kind:
        case Kind.Enum(options=options):
            pass
        case Kind.Constant(expected_value=value):
            options = [value]
        case _:
            return None
    if len(text) > _LONGEST_CHOICE or len(options) > _LARGEST_CHOICE:
        return None
    own = text.casefold()
    found = [each for each in options if isinstance(each, str) and each.casefold() == own]
    return found[0] if len(found) == 1 else None


def _asks_for_text(kind: Kind) -> bool:
    match kind:
        case Kind.Type(types=types):
            return "string" in types
        case Kind.Enum(options=options):
            return any(isinstance(option, str) for option in options)
        case Kind.Constant(expected_value=value):
            return isinstance(value, str)
    return False


def _is_of_json(error: Failure, root: object) -> bool:
    """Whether the text that is asked for is JSON (2020-12 validation, section 8.4); ``root`` is the whole schema."""
    match schema_at(root, error.schema_path[:-1]):
        case {"contentMediaType": str() as content_type, **others}:
            return "contentEncoding" not in others and is_json(content_type)
    return False


def _said(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """The JSON value that a text spells. Raises ValueError if it is no JSON, if it is text within text, and for a
    number, a flag or null that JSON would spell differently."""
    value = exact_json.decode(text.encode())
    if isinstance(value, str):
        raise ValueError("text in text")  # noqa: TRY004 - one error for one caller
    if not isinstance(value, dict | list) and exact_json.encode(value).decode() != text:
        raise ValueError("not spelt as JSON spells it")
    return value


def _still_wrong(errors: Sequence[Failure]) -> set[Path]:
    """The places of values of a wrong kind, or that are missing. A number that is only too large was meant as a number:
    its error should say so."""
    return set(islice(chain.from_iterable(map(_wrong_places, errors)), _MAX_LOOKED_AT))


def _wrong_places(error: Failure) -> Iterator[Path]:
    path = tuple(error.instance_path)
    if _is_of_wrong_kind(error):
        yield path
    elif isinstance(error.kind, Kind.Required):
        yield (*path, error.kind.property)
    for branch in getattr(error.kind, "context", ()):
        for inner in branch:
            if len(inner.instance_path) > len(path):
                yield from _wrong_places(inner)


def _is_of_wrong_kind(error: Failure) -> bool:
    """Whether the value has another type than every alternative, or is none of the listed values."""
    match error.kind:
        case Kind.Type() | Kind.Enum() | Kind.Constant():
            return True
        case Kind.AnyOf(context=branches) | Kind.OneOfNotValid(context=branches):
            return all(
                any(inner.instance_path == error.instance_path and _is_of_wrong_kind(inner) for inner in branch)
                for branch in branches
            )
    return False


def _at(values: Any, path: Path) -> Any:  # noqa: ANN401 - any JSON value
    return reduce(getitem, path, values)


def _replaced(values: dict[str, Any], changes: Mapping[Path, Any]) -> dict[str, Any]:
    """A copy with some values replaced or left out; only the containers on the way to them are copied, each once."""
    copies: dict[Path, Any] = {(): values.copy()}
    for path, value in changes.items():
        for length in range(1, len(path)):
            if path[:length] not in copies:
                holder, step = copies[path[: length - 1]], path[length - 1]
                copies[path[:length]] = holder[step] = holder[step].copy()
        holder, step = copies[path[:-1]], path[-1]
        if value is _NOT_GIVEN:
            del holder[step]
        else:
            holder[step] = value
    copy: dict[str, Any] = copies[()]
    return copy


def _given(values: dict[str, Any], paths: Iterable[Path]) -> dict[Path, Any]:
    """The given values at some places; a place within a given text has none."""
    found = {}
    for path in paths:
        with suppress(TypeError, KeyError, IndexError):
            found[path] = _at(values, path)
    return found
