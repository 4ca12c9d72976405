"""The numbers of a value that are compared with others, and what that takes.

jsonschema-rs compares numbers exactly. Two integers take 10 ns. Any other pair takes 1 µs, and if one has hundreds of
digits, it takes as long as the square of these: 4 kB of digits beside 1,000 numbers to choose from took 8 s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from openapi_mcp_server.bridge.media.by_parts import count, holds_any
from openapi_mcp_server.bridge.schemas.visits import Visits
from openapi_mcp_server.bridge.schemas.weight import BOUNDS, Numbers, own_options, references
from openapi_mcp_server.openapi.schemas.keywords import is_number
from openapi_mcp_server.pausing import in_turns

_PLAIN_BITS = 64
_BLOCK = 100
"""Digits that are compared in the same time as one."""
_BITS_OF_A_BLOCK = 332
_FEW = 100
"""So few integers are not worth counting, whatever they are compared with."""
_ODD = (b"0.", b"0e", b"0" * 19)
_LONG = (b"0" * _BLOCK, b"e000", b"e+000")
_ALIKE = bytes.maketrans(b"123456789E-", b"000000000e+")
"""Digits and signs of numbers that count as others in these pieces."""
_AT_ONCE = 500
_WITH_NUMBERS = ("enum", "const", *BOUNDS)


def are_many(text: bytes) -> bool:
    """Whether there may be numbers in a JSON text that take time; false for nearly all arguments."""
    return count(text, b",") > _FEW or holds_any(text, _ODD, _ALIKE)


def are_long(text: bytes) -> bool:
    """Whether numbers in a JSON text may have hundreds of digits, which even take time beside a single bound."""
    return holds_any(text, _LONG, _ALIKE)


def comparisons(value: object, others: Numbers, most: int) -> int:
    """The pairs, of 1 µs each, if every number of a value were compared with all of ``others``. Counting ends soon
    after ``most``."""
    found = 0
    containers: list[Any] = [[value]]
    while containers and found <= most:
        for each in in_turns(_members(containers.pop()), _AT_ONCE):
            if isinstance(each, dict | list):
                containers.append(each)
            else:
                found += _pairs(each, others)
    return found


class Comparisons(Visits):
    """The exact number of these pairs, since a number is only compared with those that a schema has for its place. It
    costs 5 µs for each value there, so `comparisons` comes first."""

    def __init__(self, schema: bytes, most: int) -> None:
        super().__init__(schema, most)
        self._with_numbers: dict[int, bool] = {}
        self._definitions_with_numbers = _leading_to_numbers(self._definitions)

    def _parts(self, schema: dict[str, Any], value: Any, levels: int) -> Iterator[tuple[Any, tuple[Any, int]]]:  # noqa: ANN401 - any JSON value
        return (each for each in super()._parts(schema, value, levels) if self._leads_to_numbers(each[0]))

    def _leads_to_numbers(self, schema: Any) -> bool:  # noqa: ANN401 - any JSON value
        if id(schema) not in self._with_numbers:
            leads = not self._definitions_with_numbers.isdisjoint(references(schema))
            self._with_numbers[id(schema)] = leads or _has_numbers(schema)
        return self._with_numbers[id(schema)]

    def _own(self, schema: dict[str, Any], value: Any) -> int:  # noqa: ANN401 - any JSON value
        numbers = [each for each in own_options(schema) if is_number(each)]
        fractions = sum(isinstance(each, float) for each in numbers)
        return _pairs(value, Numbers(len(numbers), fractions, sum(keyword in schema for keyword in BOUNDS)))


def _leading_to_numbers(definitions: Mapping[str, Any]) -> set[str]:
    """The definitions that have numbers, or lead to some that have."""
    leading: dict[str, list[str]] = {name: [] for name in definitions}
    for name, part in definitions.items():
        for other in references(part):
            leading.setdefault(other, []).append(name)
    found: set[str] = set()
    waiting = [name for name, part in definitions.items() if _has_numbers(part)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += leading[name]
    return found


def _has_numbers(schema: Any) -> bool:  # noqa: ANN401 - any JSON value
    parts = [schema]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            if any(keyword in part for keyword in _WITH_NUMBERS):
                return True
            parts += part.values()
        elif isinstance(part, list):
            parts += part
    return False


def _members(container: Any) -> Iterable[Any]:  # noqa: ANN401 - any JSON value
    return container.values() if isinstance(container, dict) else container


def _pairs(value: object, others: Numbers) -> int:
    match value:
        case bool():
            return 0
        case int():
            bits = value.bit_length()
            if bits < _PLAIN_BITS:
                return others.fractions
            blocks = bits // _BITS_OF_A_BLOCK
        case float():
            blocks = 0
        case Decimal():
            exponent = value.as_tuple().exponent
            below = -exponent if isinstance(exponent, int) else 0
            blocks = (max(value.adjusted(), 0) + max(below, 0)) // _BLOCK
        case _:
            return 0
    return (1 + blocks**2) * others.options + blocks**2 * others.bounds
