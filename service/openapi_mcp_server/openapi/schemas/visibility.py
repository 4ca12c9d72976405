"""Hides properties by direction: read-only ones in requests, write-only ones in answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.references.resolve import Located, References, decoded
from openapi_mcp_server.openapi.schemas.keywords import as_flag

_MOST_NESTED = 50
"""The most references and combinations that are followed to find a property's flag."""
_NO_NAMES: frozenset[str] = frozenset()
_NAMING = frozenset({"properties", "allOf", "$ref"})
"""The keywords that give a schema properties. Most schemas have none of them."""

T = TypeVar("T")


class Visibility:
    """Finds hidden properties; ``keyword`` is the flag that hides them. It costs nothing in documents without the
    flag."""

    def __init__(self, references: References, keyword: Literal["readOnly", "writeOnly"], json: bytes) -> None:
        self._references = references
        self._keyword = keyword
        self._flagging = frozenset({keyword, "allOf", "$ref"})
        self._is_used = f'"{keyword}"'.encode() in json
        self._flags: dict[str, bool] = {}
        self._names: dict[str, frozenset[str]] = {}

    def hides(self, schema: object, base: str) -> bool:
        """Whether a property with this schema is left out; the flag may be behind ``$ref`` or in an ``allOf``."""
        return self._is_used and self._flag(schema, base, 0)

    def hidden_names(self, schema: object, base: str) -> frozenset[str]:
        """The hidden properties of a schema and of the schemas in its ``allOf`` and ``$ref``."""
        return self._hidden(schema, base, 0) if self._is_used else _NO_NAMES

    def _flag(self, schema: object, base: str, depth: int) -> bool:
        if not isinstance(schema, dict) or depth > _MOST_NESTED or self._flagging.isdisjoint(schema):
            return False
        if as_flag(schema.get(self._keyword)) or any(self._flag(each, base, depth + 1) for each in _combined(schema)):
            return True
        reference = schema.get("$ref")
        return isinstance(reference, str) and self._beyond(reference, base, self._flags, self._flag, depth) is True

    def _hidden(self, schema: object, base: str, depth: int) -> frozenset[str]:
        if not isinstance(schema, dict) or depth > _MOST_NESTED or _NAMING.isdisjoint(schema):
            return _NO_NAMES
        properties = schema.get("properties")
        members = properties.items() if isinstance(properties, dict) else ()
        names = {name for name, each in members if self._flag(each, base, 0)}
        names.update(*(self._hidden(each, base, depth + 1) for each in _combined(schema)))
        if isinstance(reference := schema.get("$ref"), str):
            beyond = self._beyond(reference, base, self._names, self._hidden, depth)
            names.update(beyond or _NO_NAMES)
        return frozenset(names)

    def _beyond(
        self, reference: str, base: str, known: dict[str, T], ask: Callable[[object, str, int], T], depth: int
    ) -> T | None:
        """The result of ``ask`` for a reference's target; None if it cannot be read, which its user reports."""
        try:
            target = self._references.find(reference, Located("", msgspec.Raw(), base))
            if target.pointer not in known:
                known[target.pointer] = ask(None, base, depth)  # what stands while a cycle is walked
                known[target.pointer] = ask(decoded(target), target.base, depth + 1)
        except SpecError:
            return None
        return known[target.pointer]


def _combined(schema: dict[str, object]) -> list[object]:
    members = schema.get("allOf")
    return members if isinstance(members, list) else []
