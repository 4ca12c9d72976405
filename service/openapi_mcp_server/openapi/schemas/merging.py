"""Merges a schema with the schemas that it refers to and combines in place into one object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from openapi_mcp_server.openapi.model import Schema
from openapi_mcp_server.openapi.pointers import DEFS


def top_level(schema: Schema, definitions: Mapping[str, Schema]) -> dict[str, Any]:
    """The outermost level of a schema as one object: references and ``allOf`` at its root followed and merged.

    Deeper levels stay as they are and may have ``$ref: "#/$defs/NAME"``. Parts that cannot be merged stay in ``allOf``.
    The result is ``{}`` if anything is allowed. Each definition counts once, so that cycles and repetitions end.
    """
    root = msgspec.json.decode(schema.json)
    if not _MERGED.isdisjoint(root):
        return _Merge(definitions).merged(root)
    level: dict[str, Any] = root
    return level


_MERGED = frozenset({"$ref", "allOf"})
_FIRST_COUNTS = frozenset({"title", "description", "default", "deprecated", "examples", "xml"})
_LINKED = frozenset(
    {
        "if", "then", "else", "items", "prefixItems", "contains", "minContains", "maxContains", "patternProperties",
        "unevaluatedItems", "unevaluatedProperties",
    }
)  # fmt: skip
"""Keywords that depend on each other (2020-12 core, sections 10.2.2 and 10.3, and section 11)."""


class _Merge:
    """Merges in place into the decoded schema: an ``allOf`` may have thousands of parts."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._level: dict[str, Any] = {}
        self._rest: list[dict[str, Any]] = []

    def merged(self, root: dict[str, Any]) -> dict[str, Any]:
        waiting = [root]
        seen = set()
        while waiting:
            part = dict(waiting.pop())
            reference, members = part.pop("$ref", None), part.pop("allOf", [])
            self._add(part)
            waiting += reversed(members)
            if reference is not None and reference not in seen:
                seen.add(reference)
                waiting.append(msgspec.json.decode(self._definitions[reference.removeprefix(DEFS)].json))
        if "required" in self._level:
            self._level["required"] = [*self._level["required"]]
        return self._level | ({"allOf": self._rest} if self._rest else {})

    def _add(self, part: dict[str, Any]) -> None:
        linked = not _LINKED.isdisjoint(part) and not _LINKED.isdisjoint(self._level)
        rest = {}
        for keyword, value in part.items():
            one = self._level.get(keyword)
            united = None if linked and keyword in _LINKED else self._united(keyword, one, value)
            if united is None and (keyword in self._level or value is not None):
                rest[keyword] = value
            else:
                self._level[keyword] = united
        if rest:
            self._rest.append(rest)

    def _united(self, keyword: str, one: Any, other: Any) -> Any:  # noqa: ANN401 - values of any keyword
        """The value that means both; None if there is none."""
        if keyword == "required":  # as keys, until the end
            names: dict[str, None] = {} if one is None else one
            names.update(dict.fromkeys(other))
            return names
        if one is None or one == other or keyword in _FIRST_COUNTS:
            return other if one is None else one
        match keyword:
            case "properties":
                one.update({name: _both(one.get(name), value) for name, value in other.items()})
                return one
            case "type":
                return _common_type(one, other)
            case "additionalProperties":
                return _common_rest(one, other)
            case _:
                return None


def _both(one: dict[str, Any] | None, other: dict[str, Any]) -> dict[str, Any]:
    if one is None or one == other:
        return other
    if one.keys() != {"allOf"}:
        return {"allOf": [one, other]}
    one["allOf"].append(other)  # beside the others: one within the next could not be encoded
    return one


def _common_rest(one: Any, other: Any) -> dict[str, Any] | bool:  # noqa: ANN401 - a schema or false
    """The schema of the other properties of the whole. The one of a part would also apply to the other part's
    properties."""
    if one is False or other is False:
        return False
    return _both(one, other) if one and other else {}


def _common_type(one: str | list[str], other: str | list[str]) -> str | list[str] | None:
    """The types that both admit; an integer is also a number."""
    first, second = ([each] if isinstance(each, str) else each for each in (one, other))
    common = [name for name in first if name in second or (name == "integer" and "number" in second)]
    common += [name for name in second if name == "integer" and name not in common and "number" in first]
    return (common[0] if len(common) == 1 else common) or None
