"""Checks a model's arguments against the tool's input schema before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import msgspec

from openapi_mcp_server.bridge.arguments import coercion, grouped, problems, respelt, undeclared, whole_numbers
from openapi_mcp_server.bridge.media import exact_json
from openapi_mcp_server.bridge.media.by_parts import count, decode_by_parts, holds, take_apart
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.schemas import validation
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.openapi.json_schema import Validator
from openapi_mcp_server.openapi.text.numbers import decode_doubles

_MANY_DECIMALS = 20_000
"""Many numbers with a point: the validator takes 2 ms for this number of them."""
_OPENINGS = (b"{", b"[", b'"')
_NO_OBJECT = "The arguments must be one JSON object of names and values."
_EMPTY_TEXT = b'""'
"""Some clients send empty text for absent arguments. Most arguments have none and need no search for it."""


class CheckedArguments(msgspec.Struct, frozen=True):
    """Arguments by name that satisfy the schema; ``coerced`` names those that were converted.

    ``others`` are arguments that the tool does not name and its open body accepts. Numbers are exact; if only integers
    fit, they are spelt as integers.
    """

    values: dict[str, Any]
    coerced: tuple[str, ...] = ()
    others: Mapping[str, Any] = {}


class _Given(NamedTuple):
    """Arguments before any conversion. ``fits``: the schema accepts them. ``has_empty``: they have empty text, which
    may stand for an absent argument."""

    values: dict[str, Any]
    text: bytes
    fits: bool
    has_empty: bool


def check(tool: Tool, raw: msgspec.Raw | None) -> CheckedArguments:
    """The arguments of a call; raises ArgumentError with up to five problems, each with a pointer."""
    return _checked(tool, _given(tool, raw))


def at_once(tool: Tool, raw: msgspec.Raw | None) -> CheckedArguments | None:
    """The same for short arguments; None if it would take too long for the event loop. Most fit as they are. For others
    the validator makes errors, which takes up to 0.2 s for 4 kB."""
    given = _given(tool, raw)
    if given.fits and not given.has_empty and not whole_numbers.may_be_in(given.text):
        return CheckedArguments(given.values)
    return _checked(tool, given) if validation.is_quick(given.values, tool.input.schema, given.text) else None


def _given(tool: Tool, raw: msgspec.Raw | None) -> _Given:
    text, schema = bytes(raw or b""), tool.input.schema
    values = _object(text)
    if tool.input.spelling is not None:
        values = respelt.respelt(values, tool.input.spelling)
    validation.require_bounded(values, schema, text)
    validator = validation.compiled(schema, len(text))
    are_doubles = count(text, b".") > _MANY_DECIMALS and tool.input.spelling is None
    fits = (are_doubles and _fit_as_doubles(validator, text)) or validator.is_valid(values)
    return _Given(values, text, fits, holds(text, _EMPTY_TEXT))


def _checked(tool: Tool, given: _Given) -> CheckedArguments:
    values, text, fits, has_empty = given
    schema = tool.input.schema
    if fits and not has_empty:
        return CheckedArguments(whole_numbers.spelt(values, text, schema))
    others: Mapping[str, Any] = {}
    moved: list[str] = []
    if not fits:
        values, parted = grouped.ungrouped(tool, values)
        values, renamed = undeclared.by_arguments(tool, values)
        values, assembled = grouped.assembled(tool, values)
        values, gathered = grouped.gathered(tool, values, validation.compiled(schema, len(text)).is_valid)
        others = undeclared.taken(tool, values)
        moved += (*parted, *renamed, *assembled, *gathered)
    named = {name: value for name, value in values.items() if name not in others} if others else values
    find = partial(validation.errors, schema=schema, size=len(text))
    empty = coercion.empty_texts(named, schema, len(text)) if has_empty else []
    mended = coercion.coerced(named, schema, find, empty)
    if mended.errors:
        raise ArgumentError(problems.told(tool, mended.errors))
    coerced = tuple(dict.fromkeys((*moved, *mended.names)))
    return CheckedArguments(whole_numbers.spelt(mended.values, text, schema), coerced, others)


def _fit_as_doubles(validator: Validator, text: bytes) -> bool:
    """Whether the arguments fit the schema with numbers as doubles, as most programs read them. For 200,000 numbers the
    validator takes 18 ms with decimals and 1 ms with doubles."""
    try:
        values = decode_by_parts(text, decode=decode_doubles)
    except msgspec.DecodeError:  # a number beyond a double
        return False
    fits = validator.is_valid(values)
    take_apart(values)
    return fits


def _object(text: bytes) -> dict[str, Any]:
    if not text:
        return {}
    try:
        values = exact_json.decode(text)
    except ValueError as error:
        if not text.lstrip().startswith(_OPENINGS):
            raise ArgumentError(_NO_OBJECT) from error
        raise ArgumentError(f"The arguments cannot be read: {error}.") from error
    if not isinstance(values, dict):
        raise ArgumentError(_NO_OBJECT)
    return values
