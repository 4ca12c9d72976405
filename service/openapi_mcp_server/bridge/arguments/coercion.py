"""What arguments that do not fit were meant to be.

JSON text where JSON was meant (``"5"`` for 5, ``"[1]"`` for [1]), a number or a flag where text is asked for (some
clients cannot write ``"1"``), null or ``""`` for what is not given (some clients write every argument). Each is taken
only where what was given does not fit the schema, what it is read as does, and nothing of it is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain, islice
from typing import Any

import msgspec

from openapi_mcp_server.bridge.media import exact_json
from openapi_mcp_server.bridge.schemas import validation
from openapi_mcp_server.bridge.schemas.validation import Failure, Kind

_MAX_TRIED = 500
"""Values that are read anew in one round: published tools have up to 200 optional arguments, all of them null."""
_MAX_LOOKED_AT = 10_000
"""Errors that are looked at in one round, those of all alternatives counted."""
_MAX_NESTED = 3
"""Texts within texts: an object as text whose number is text."""
_NOT_GIVEN: Any = msgspec.UNSET

Path = tuple[str | int, ...]
Find = Callable[[dict[str, Any]], Sequence[Failure]]


class Coerced(msgspec.Struct, frozen=True):
    """``names`` are the arguments that were read as something else; ``errors`` is what is still wrong with the rest."""

    values: dict[str, Any]
    names: tuple[str, ...]
    errors: Sequence[Failure]


def coerced(values: dict[str, Any], errors: Sequence[Failure], find: Find) -> Coerced:
    """The arguments with everything replaced that can be read as what fits.

    ``errors`` are those of ``values``; ``find`` tells those of others.
    """
    given = values
    read: dict[Path, None] = {}
    for _ in range(_MAX_NESTED):
        meant = _meant(values, errors)
        if not meant:
            break
        for path, value in meant.items():
            values = _replaced(values, path, value)
        read |= dict.fromkeys(meant)
        errors = find(values)
    in_vain = _still_wrong(errors) & read.keys()
    for path in in_vain:
        values = _restored(values, path, given)
    names = dict.fromkeys(str(path[0]) for path in read if path not in in_vain)
    return Coerced(values, tuple(names), find(values) if in_vain else errors)


def empty_texts(values: dict[str, Any], schema: bytes) -> list[Failure]:
    """Where ``""`` stands for what has a format that no empty text has: a date, a UUID."""
    found = every(validation.format_errors(values, schema))
    return [error for error in found if error.instance == "" and isinstance(error.kind, Kind.Format)]


def _meant(values: dict[str, Any], errors: Sequence[Failure]) -> dict[Path, Any]:
    """What the values that do not fit can be read as, by their places."""
    meant: dict[Path, Any] = {}
    for error in islice(every(errors), _MAX_TRIED):
        path = tuple(error.instance_path)
        if path and path not in meant:
            try:
                meant[path] = _reading(_at(values, path), path, error)
            except ValueError:
                continue
    return meant


def every(errors: Iterable[Failure]) -> Iterator[Failure]:
    """The errors and, of each choice, those of all its branches."""
    return chain.from_iterable(map(with_alternatives, errors))


def with_alternatives(error: Failure) -> Iterator[Failure]:
    """An error and, of a choice, those of all its branches."""
    yield error
    for branch in getattr(error.kind, "context", ()):
        for inner in branch:
            yield from with_alternatives(inner)


def _reading(value: object, path: Path, error: Failure) -> Any:  # noqa: ANN401 - any JSON value
    """What else a value can be read as where it does not fit; ValueError if it cannot be."""
    match value:
        case None | "" if isinstance(path[-1], str):
            return _NOT_GIVEN
        case str():
            return _said(value)
        case bool() | int() | Decimal() if _asks_for_text(error.kind):
            return exact_json.encode(value).decode()
    raise ValueError("nothing else")


def _asks_for_text(kind: Kind) -> bool:
    match kind:
        case Kind.Type(types=types):
            return "string" in types
        case Kind.Enum(options=options):
            return any(isinstance(option, str) for option in options)
        case Kind.Constant(expected_value=value):
            return isinstance(value, str)
    return False


def _said(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """The JSON value that a text says; ValueError if it is none, is text again, or is not spelt as it would be."""
    value = exact_json.decode(text.encode())
    if isinstance(value, str):
        raise ValueError("text in text")  # noqa: TRY004 - one error for one caller
    if not isinstance(value, dict | list) and exact_json.encode(value).decode() != text:
        raise ValueError("not spelt as JSON spells it")
    return value


def _still_wrong(errors: Sequence[Failure]) -> set[Path]:
    """The places of values that do not fit, or that are missing."""
    found = list(islice(every(errors), _MAX_LOOKED_AT))
    return {tuple(error.instance_path) for error in found} | {
        (*error.instance_path, error.kind.property) for error in found if isinstance(error.kind, Kind.Required)
    }


def _at(values: Any, path: Path) -> Any:  # noqa: ANN401 - any JSON value
    for step in path:
        values = values[step]
    return values


def _replaced(values: Any, path: Path, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A copy with one value replaced, or left out; only what lies on the way is copied."""
    step, *rest = path
    copy = values.copy()
    if rest:
        copy[step] = _replaced(values[step], tuple(rest), value)
    elif value is _NOT_GIVEN:
        del copy[step]
    else:
        copy[step] = value
    return copy


def _restored(values: dict[str, Any], path: Path, given: dict[str, Any]) -> dict[str, Any]:
    """A copy with a value as it was given; unchanged where it was part of a text that was given."""
    try:
        before = _at(given, path)
    except (TypeError, KeyError, IndexError):
        return values
    restored: dict[str, Any] = _replaced(values, path, before)
    return restored
