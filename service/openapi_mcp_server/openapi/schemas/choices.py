"""``oneOf`` as authors mean it: a list of the shapes that a value may have, of which several may fit.

JSON Schema refuses a value that fits two. So ``oneOf: [integer, number]`` would accept no integer, and no cat if cats
and dogs differ by optional properties (a discriminator asserts nothing). The API checks its own input. Arguments are
checked only to save a model the round trip, so in doubt they pass.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

from openapi_mcp_server.openapi.schemas.keywords import as_list

PRESENCE = frozenset({"required", "not", "title", "description"})
"""Keywords of a choice that is only about the presence of members. Such a choice really means exactly one."""


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
    """The types that a schema names, with integer as number; empty if it names none."""
    return frozenset("number" if name == "integer" else name for name in as_list(schema.get("type", [])))
