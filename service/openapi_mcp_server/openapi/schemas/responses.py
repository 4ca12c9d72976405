"""Converts a schema for describing answers: their content and types, without restrictions.

Real answers often break their own schemas (an undeclared null, a new value of an enumeration, a missing field), and
clients refuse an answer that does not fit the declared output. So everything may be null or absent, and only types,
names and structure are kept.
"""

from __future__ import annotations

from typing import Any

from openapi_mcp_server.openapi.schemas.conversion import MAX_DEPTH, TYPES, Conversion, JsonSchema, needs_settling
from openapi_mcp_server.openapi.schemas.keywords import as_list
from openapi_mcp_server.openapi.schemas.older_dialects import INT_OR_STRING

SHORT_PROSE = 120
"""The most characters of a description that are kept. Output schemas are two thirds of the bytes of a list of tools."""
_READ_PROSE = 4 * SHORT_PROSE
_STRUCTURE = frozenset(
    {
        "$ref", "$dynamicRef", "$recursiveRef", "properties", "additionalProperties", "items", "prefixItems", "allOf",
        "anyOf", "oneOf",
    }
)  # fmt: skip
"""Keywords that add structure to a type and a description. Most schemas have none of them."""
_COMBINED = (("allOf", "allOf"), ("anyOf", "anyOf"), ("oneOf", "anyOf"))


class ResponseConversion(Conversion):
    """The conversion of one schema to its loose form. It makes no notes, since keywords are dropped on purpose."""

    def _converted(self, schema: dict[str, Any]) -> JsonSchema:
        loose = _plain(schema)
        if _STRUCTURE.isdisjoint(schema):
            return loose
        if reference := self._reference(schema):
            loose["$ref"] = reference
        self._add_members(schema, loose)
        self._add_combined(schema, loose)
        if "$ref" in loose and (other := self._other_reference(schema)):
            loose["allOf"] = [*loose.get("allOf", ()), {"$ref": other}]
        self.is_unsettled = self.is_unsettled or needs_settling(loose)
        return loose

    def _add_members(self, schema: dict[str, Any], loose: dict[str, Any]) -> None:
        """Adds the schemas of an object's members or an array's items."""
        if isinstance(properties := schema.get("properties"), dict):
            loose["properties"] = {
                name: self._loose(each, "properties", name)
                for name, each in properties.items()
                if not self._setting.visibility.hides(each, self._base)
            }
        # Without the patterns, additionalProperties would apply to what they describe.
        if isinstance(others := schema.get("additionalProperties"), dict) and "patternProperties" not in schema:
            loose["additionalProperties"] = self._loose(others, "additionalProperties")
        items = schema.get("items")
        leading, keyword = (items, "items") if isinstance(items, list) else (schema.get("prefixItems"), "prefixItems")
        if isinstance(leading, list) and leading:
            loose["prefixItems"] = [self._loose(each, keyword, index) for index, each in enumerate(leading)]
        if isinstance(items, dict):
            loose["items"] = self._loose(items, "items")

    def _add_combined(self, schema: dict[str, Any], loose: dict[str, Any]) -> None:
        for keyword, becomes in _COMBINED:
            members = schema.get(keyword)
            if isinstance(members, list) and members and becomes not in loose:
                loose[becomes] = [self._loose(each, keyword, index, stays=True) for index, each in enumerate(members)]

    def _loose(self, value: object, *path: str | int, stays: bool = False) -> JsonSchema:
        """Converts a subschema. A false one becomes open, so that an unexpected value is not refused."""
        if not isinstance(value, dict):
            return {}
        if _STRUCTURE.isdisjoint(value) and len(self._path) + len(path) <= MAX_DEPTH:
            return _plain(value)  # where it stands means nothing
        return self._below(value, *path, stays=stays) or {}


def _plain(schema: dict[str, Any]) -> JsonSchema:
    """The type and the description of a schema."""
    loose: dict[str, Any] = {}
    declared = ["integer", "string"] if schema.get("format") == INT_OR_STRING else schema.get("type")
    if types := _nullable_types(declared):
        loose["type"] = types
    if isinstance(prose := schema.get("description"), str):
        loose["description"] = short(prose)
    return loose


def short(prose: str) -> str:
    """The beginning of a description, on one line."""
    line = " ".join(prose[:_READ_PROSE].split())
    return line if len(line) <= SHORT_PROSE else line[: SHORT_PROSE - 1] + "…"


def _nullable_types(declared: object) -> list[str]:
    """The types of 2020-12 among the declared ones, and null."""
    if isinstance(declared, str) and declared in TYPES and declared != "null":
        return [declared, "null"]
    names = as_list(declared)
    known = [name for name in names if isinstance(name, str) and name in TYPES and name != "null"]
    return [*dict.fromkeys(known), "null"] if known or "null" in names else []
