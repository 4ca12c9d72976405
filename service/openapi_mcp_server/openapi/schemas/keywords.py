"""The valid values of the keywords of JSON Schema 2020-12 (validation, sections 6 and 9), as one table.

Keywords that hold schemas, and the few with a meaning of their own, are converted in `requests`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from openapi_mcp_server.openapi.text import numbers

MAX_VALUE_DEPTH = 20
"""The most levels of a default, a constant or a member of an enumeration."""
SELECTING = "x-selecting-value"
"""The annotation of a property with the value that selects the schema around it, in exact answers: for the mock."""

SCHEMAS_BY_NAME = frozenset({"properties", "patternProperties", "dependentSchemas"})
"""Keywords whose value has schemas by names, which are no keywords: a property may be called ``type``."""
WITHOUT_SCHEMAS = frozenset({"enum", "const", "default", "examples", "dependentRequired", "xml"})
"""Keywords whose value is no schema and has none, although it may look like one."""

Check = Callable[[Any], bool]


def as_list(value: Any) -> list[Any]:  # noqa: ANN401 - a keyword's value
    """The values of a keyword that may have one or a list of them, as ``type``."""
    return value if isinstance(value, list) else [value]


def is_text(value: object) -> bool:
    return isinstance(value, str)


def are_texts(values: list[Any]) -> bool:
    """Whether a list holds only texts, as most enumerations do."""
    return set(map(type, values)) == {str}


def is_flag(value: object) -> bool:
    return isinstance(value, bool)


_FLAGS = {"true": True, "false": False}


def as_flag(value: object) -> bool | None:
    """The flag that a value is, also in quotes (``"true"``); None if it is no flag."""
    return _FLAGS.get(value.lower()) if isinstance(value, str) else value if isinstance(value, bool) else None


def is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_exclusive_bound(value: object) -> bool:
    """Whether it is a number, or (2.0 and 3.0) a flag that makes ``minimum`` or ``maximum`` exclusive."""
    return isinstance(value, int | float)


def is_count(value: object) -> TypeGuard[int | float]:
    """Whether it is a whole number from 0; 3.0 is one (section 6.3.1 and core, section 4.2.3)."""
    return is_number(value) and value >= 0 and value == int(value)


def is_positive(value: object) -> bool:
    return is_number(value) and value > 0


def is_list_of_names(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def is_map_of_lists_of_names(value: object) -> TypeGuard[dict[str, list[str]]]:
    """Whether it maps to lists of names without repetitions (validation, section 6.5.4)."""
    return isinstance(value, dict) and all(
        is_list_of_names(each) and len(set(each)) == len(each) for each in value.values()
    )


def is_shallow(value: object) -> bool:
    """Whether a value of any kind is not too deeply nested."""
    level = [] if isinstance(value, list) and are_texts(value) else [value]
    for _ in range(MAX_VALUE_DEPTH):
        level = [each for outer in level for each in _entries(outer)]
        if not level:
            return True
    return False


def _entries(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


PLAIN: Mapping[str, tuple[Check, str]] = {
    "title": (is_text, "a string"),
    "description": (is_text, "a string"),
    "default": (is_shallow, f"a value of at most {MAX_VALUE_DEPTH} levels"),
    "const": (is_shallow, f"a value of at most {MAX_VALUE_DEPTH} levels"),
    "deprecated": (is_flag, "a boolean"),
    "format": (is_text, "a string"),
    "contentEncoding": (is_text, "a string"),
    "contentMediaType": (is_text, "a string"),
    "multipleOf": (is_positive, "a number above 0"),
    "minimum": (is_number, "a number"),
    "maximum": (is_number, "a number"),
    "exclusiveMinimum": (is_exclusive_bound, "a number"),
    "exclusiveMaximum": (is_exclusive_bound, "a number"),
    "minLength": (is_count, "a whole number"),
    "maxLength": (is_count, "a whole number"),
    "minItems": (is_count, "a whole number"),
    "maxItems": (is_count, "a whole number"),
    "uniqueItems": (is_flag, "a boolean"),
    "minContains": (is_count, "a whole number"),
    "maxContains": (is_count, "a whole number"),
    "maxProperties": (is_count, "a whole number"),
}
"""Keyword → (the check of its value, the same in words). Their values are passed on as they are."""

TAKING_FLAGS = frozenset({is_flag, is_exclusive_bound})
"""The checks of keywords whose value may be a flag."""

_CLASSES: Mapping[str, Check] = {
    "null": lambda value: value is None,
    "boolean": is_flag,
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "number": is_number,
    "integer": lambda value: is_number(value) and value == int(value),
    "string": is_text,
}


def fits(value: object, types: list[str]) -> bool:
    """Whether a value is of one of the types; an empty list admits everything."""
    if len(types) == 1:
        return _CLASSES[types[0]](value)
    return not types or any(_CLASSES[name](value) for name in types)


def as_text(value: object) -> str:
    """A value as JSON text; a string stays as it is."""
    return value if isinstance(value, str) else numbers.encode(value).decode()
