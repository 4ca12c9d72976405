"""``oneOf`` as people write it: a list of the shapes a value may have, not a promise that only one of them fits.

By the letter a value that fits two is refused, so that ``oneOf: [integer, number]`` takes no integer, and no cat is
taken where cats and dogs differ by optional properties (what the discriminator is for asserts nothing). The API is the
judge of its own input; arguments are checked to spare a model the round trip, so in doubt they pass.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

from openapi_mcp_server.openapi.schemas.keywords import as_list

PRESENCE = frozenset({"required", "not", "title", "description"})
"""Keywords of a choice that is only about which members are there: "either this or that" is meant by the letter."""


def may_overlap(choices: list[dict[str, Any]]) -> bool:
    """Whether a value may fit two of these schemas by accident."""
    if all(choice.keys() <= PRESENCE for choice in choices):
        return False
    types = [types_named(choice) for choice in choices]
    return not all(one and other and one.isdisjoint(other) for one, other in combinations(types, 2))


def admit_several(schema: dict[str, Any]) -> None:
    """``oneOf`` becomes ``anyOf``."""
    choices = schema.pop("oneOf")
    if "anyOf" in schema:
        schema["allOf"] = [*schema.get("allOf", ()), {"anyOf": choices}]
    else:
        schema["anyOf"] = choices


def types_named(schema: dict[str, Any]) -> frozenset[str]:
    """The types a schema names, an integer being a number; empty if it names none."""
    return frozenset("number" if name == "integer" else name for name in as_list(schema.get("type", [])))
