"""``oneOf`` as people write it: a list of the shapes a value may have, not a promise that only one of them fits.

By the letter a value that fits two is refused, so that ``oneOf: [integer, number]`` takes no integer, and no cat is
taken where cats and dogs differ by optional properties (what the discriminator is for asserts nothing). The API is the
judge of its own input; arguments are checked to spare a model the round trip, so in doubt they pass.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

_PRESENCE = frozenset({"required", "not", "title", "description"})
"""Keywords of a choice that is only about which members are there: "either this or that" is meant by the letter."""
_NARROWED = {"integer": "number"}


def may_overlap(choices: list[dict[str, Any]]) -> bool:
    """Whether a value may fit two of these schemas by accident."""
    if all(choice.keys() <= _PRESENCE for choice in choices):
        return False
    types = [_types(choice) for choice in choices]
    return not all(one and other and one.isdisjoint(other) for one, other in combinations(types, 2))


def admit_several(schema: dict[str, Any]) -> None:
    """``oneOf`` becomes ``anyOf``."""
    choices = schema.pop("oneOf")
    if "anyOf" in schema:
        schema["allOf"] = [*schema.get("allOf", ()), {"anyOf": choices}]
    else:
        schema["anyOf"] = choices


def _types(schema: dict[str, Any]) -> frozenset[str]:
    """The types a schema names, an integer being a number; empty if it names none."""
    declared = schema.get("type", [])
    names: list[str] = declared if isinstance(declared, list) else [declared]
    return frozenset(_NARROWED.get(name, name) for name in names)
