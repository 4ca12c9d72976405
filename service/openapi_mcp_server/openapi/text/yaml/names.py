"""Scalars that a document uses as names keep their spelling: ``name: 0x10`` is not 16, and ``required: [True]`` means
the property ``True:``.

YAML recognizes numbers and booleans by their form, and JSON then spells them differently. Keys are text already.
Elsewhere the keyword shows that a value is a name. Data (examples, defaults, enumerations that are not of text,
extensions) stays as it is.
"""

from __future__ import annotations

from typing import Any

from openapi_mcp_server.openapi.text.yaml.anchors import Value
from openapi_mcp_server.openapi.text.yaml.scalars import Respelt

_TEXTS = frozenset(
    {
        "name", "operationId", "propertyName", "parent", "title", "summary", "description", "version", "scheme",
        "bearerFormat", "contentType", "url", "namespace", "prefix", "pattern", "format",
    }
)  # fmt: skip
"""Keywords whose scalar values are always text."""
_LISTS = ("required", "tags")
_MAPS_OF_LISTS = ("dependentRequired",)
_MAPS_OF_NAMES = ("mapping",)
_VALUES = ("const", "default", "example")
_LISTED_VALUES = ("enum", "examples")
_DATA = frozenset({*_VALUES, *_LISTED_VALUES, "value"})
_HOLDING_NAMES = frozenset({*_LISTS, *_MAPS_OF_LISTS, *_MAPS_OF_NAMES, *_LISTED_VALUES, "security"})
_HOLDERS = frozenset({dict, list})
_FREELY_NAMED = frozenset(
    {
        "properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies", "schemas",
        "responses", "headers", "parameters", "requestBodies", "securitySchemes", "securityDefinitions", "callbacks",
        "links", "paths", "x-ms-paths", "pathItems", "webhooks", "content", "encoding", "variables", "mediaTypes",
    }
)  # fmt: skip
"""Maps whose keys are no keywords: there, ``default`` is a response and ``name`` a property."""


def kept(root: Value) -> None:
    """Replaces values that are used as names by their spelling, in the document itself."""
    seen: set[int] = set()
    left: list[tuple[Any, str]] = [(root, "")] if type(root) in _HOLDERS else []
    while left:
        value, keyword = left.pop()
        if id(value) in seen:  # by aliases, as often as there are
            continue
        seen.add(id(value))
        if isinstance(value, list):
            left += [(each, "") for each in value if type(each) in _HOLDERS]
        elif keyword in _FREELY_NAMED:
            if keyword == "variables":
                _respell_variables(value)
            left += [(each, "") for each in value.values() if type(each) in _HOLDERS]
        else:
            _look_into(value, left)


def _look_into(value: dict[str, Any], left: list[tuple[Any, str]]) -> None:
    """Looks into one object. Most have only text and other objects, and stay as they are."""
    has_names = False
    for key, each in value.items():
        kind = type(each)
        if kind is Respelt:
            has_names = True
        elif kind in _HOLDERS:
            has_names = has_names or key in _HOLDING_NAMES
            if key not in _DATA and not key.startswith("x-"):
                left.append((each, key))
    if has_names:
        _respell(value)


def _respell(value: dict[str, Any]) -> None:
    for key in _TEXTS & value.keys():
        value[key] = _name(value[key])
    for key in _LISTS:
        _respell_list(value.get(key))
    for key in _MAPS_OF_LISTS:
        _respell_lists(value.get(key))
    for requirement in _listed(value.get("security")):
        _respell_lists(requirement)
    for key in _MAPS_OF_NAMES:
        if isinstance(names := value.get(key), dict):
            names.update({name: _name(each) for name, each in names.items()})
    if "string" in (types := _listed(value.get("type")) or [value.get("type")]):
        _respell_values(value, types)


def _respell_values(value: dict[str, Any], types: list[Any]) -> None:
    """Turns values of a schema into text, if its types have text and no other type fits them."""
    for key in _VALUES:
        if isinstance(each := value.get(key), Respelt) and not each.is_of(types):
            value[key] = each.text
    for key in _LISTED_VALUES:
        if isinstance(values := value.get(key), list):
            values[:] = [each.text if isinstance(each, Respelt) and not each.is_of(types) else each for each in values]


def _respell_variables(variables: Any) -> None:  # noqa: ANN401 - whatever is written there
    """Turns the values of server variables into text."""
    for variable in variables.values() if isinstance(variables, dict) else ():
        if isinstance(variable, dict):
            _respell_values(variable, ["string"])


def _respell_lists(lists: Any) -> None:  # noqa: ANN401 - whatever is written there
    for each in lists.values() if isinstance(lists, dict) else ():
        _respell_list(each)


def _respell_list(names: Any) -> None:  # noqa: ANN401 - whatever is written there
    if isinstance(names, list):
        names[:] = [each.text if isinstance(each, Respelt) else each for each in names]


def _name(value: Any) -> Any:  # noqa: ANN401 - whatever is written there
    """A name as text; null, in any spelling, is no name."""
    return value.text if isinstance(value, Respelt) and value.value is not None else value


def _listed(value: Any) -> list[Any]:  # noqa: ANN401 - whatever is written there
    return value if isinstance(value, list) else []
