"""JSON text where JSON was meant: ``"5"`` for 5, ``"true"`` for true, ``"[1]"`` for [1].

Models write it. It is taken only where the text itself does not fit the schema, what it says does, and nothing of the
text is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import msgspec

from openapi_mcp_server.bridge.media import exact_json
from openapi_mcp_server.bridge.schemas.validation import Error

_MAX_TRIED = 20
"""Values that are looked at in one call."""
_MAX_NESTED = 3
"""Texts within texts: an object as text whose number is text."""

Path = tuple[str | int, ...]


class Coerced(msgspec.Struct, frozen=True):
    values: dict[str, Any]
    names: tuple[str, ...]


def coerced(
    values: dict[str, Any], errors: Sequence[Error], find: Callable[[dict[str, Any]], Sequence[Error]]
) -> Coerced | None:
    """The arguments with texts replaced by what they say, and which; None if that does not make them fit.

    ``errors`` are those of ``values``; ``find`` tells those of others.
    """
    names: dict[str, None] = {}
    for _ in range(_MAX_NESTED):
        meant = _meant(values, errors)
        if not meant:
            return None
        for path, value in meant.items():
            values = _replaced(values, path, value)
            names[str(path[0])] = None
        errors = find(values)
        if not errors:
            return Coerced(values, tuple(names))
    return None


def _meant(values: dict[str, Any], errors: Sequence[Error]) -> dict[Path, Any]:
    """What the texts say that do not fit, by their places."""
    meant: dict[Path, Any] = {}
    for error in islice(chain.from_iterable(map(with_alternatives, errors)), _MAX_TRIED):
        path = tuple(error.instance_path)
        text = _at(values, path)
        if isinstance(text, str) and path not in meant:
            try:
                meant[path] = _said(text)
            except ValueError:
                continue
    return meant


def with_alternatives(error: Error) -> Iterator[Error]:
    """An error and, of a choice, those of all its branches."""
    yield error
    for branch in getattr(error.kind, "context", ()):
        for inner in branch:
            yield from with_alternatives(inner)


def _said(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """The JSON value that a text says; ValueError if it is none, is text again, or is not spelt as it would be."""
    value = exact_json.decode(text.encode())
    if isinstance(value, str):
        raise ValueError("text in text")  # noqa: TRY004 - one error for one caller
    if not isinstance(value, dict | list) and exact_json.encode(value).decode() != text:
        raise ValueError("not spelt as JSON spells it")
    return value


def _at(values: Any, path: Path) -> Any:  # noqa: ANN401 - any JSON value
    for step in path:
        values = values[step]
    return values


def _replaced(values: Any, path: Path, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A copy with one value replaced; only what lies on the way is copied."""
    if not path:
        return value
    copy = values.copy()
    copy[path[0]] = _replaced(values[path[0]], path[1:], value)
    return copy
