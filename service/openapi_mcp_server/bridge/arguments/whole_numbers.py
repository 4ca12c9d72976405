"""Turns ``5.0`` into ``5``, and ``1e3`` into ``1000``, if the schema expects an integer.

Both are integers in JSON Schema (2020-12 validation, section 6.1.1), and clients whose numbers are all doubles write
them. But most APIs refuse ``?limit=5.0``. Only the spelling changes, not the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any

from openapi_mcp_server.bridge.arguments.coercion import Path, with_alternatives
from openapi_mcp_server.bridge.media.exact_json import MAX_MAGNITUDE
from openapi_mcp_server.bridge.schemas import validation
from openapi_mcp_server.bridge.schemas.validation import Kind

_MAYBE = re.compile(rb"\d(?:\.0|[eE])")
"""A piece of every text with such a number. Most arguments have none and need no search."""
_HALF = Decimal("0.5")
_EXACT = Context(prec=2 * MAX_MAGNITUDE)
"""A context for large numbers. The default 28 digits would lose a half added to 1e30."""


def may_be_in(raw: bytes) -> bool:
    """Whether arguments may hold such a number, unless they are large."""
    return _MAYBE.search(raw) is not None


def spelt(values: dict[str, Any], raw: bytes, schema: bytes) -> dict[str, Any]:
    """Valid arguments with whole numbers as integers where only integers fit; large arguments stay as they are.

    The validator finds the places: after adding a half, the number there has the wrong type.
    """
    if len(raw) > validation.SMALL_BYTES or not may_be_in(raw):
        return values
    if not validation.can_explain(schema, values, len(_MAYBE.findall(raw))):
        return values
    validator = validation.compiled(schema, len(raw))
    halves = _changed(values, (), lambda _, number: _EXACT.add(number, _HALF))
    errors = [inner for error in validator.iter_errors(halves) for inner in with_alternatives(error)]
    places = {tuple(error.instance_path) for error in errors if _asks_for_integer(error.kind)}
    mended: dict[str, Any] = _changed(values, (), lambda path, number: int(number) if path in places else number)
    return mended


def _asks_for_integer(kind: Kind) -> bool:
    match kind:
        case Kind.Type(types=types):
            return "integer" in types
    return False


def _changed(value: Any, path: Path, change: Callable[[Path, Decimal], object]) -> Any:  # noqa: ANN401 - any JSON value
    """A copy with ``change`` applied to every whole number that is not spelt as an integer."""
    match value:
        case dict():
            return {name: _changed(member, (*path, name), change) for name, member in value.items()}
        case list():
            return [_changed(item, (*path, index), change) for index, item in enumerate(value)]
        case Decimal() if value == value.to_integral_value():
            return change(path, value)
    return value
