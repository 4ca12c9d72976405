"""Reads what a schema says about one value, also where it does so by reference, in parts or in alternatives.

Most schemas of arguments are only a reference: every enumeration and every nested object of a framework's document.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from openapi_mcp_server.openapi.pointers import DEFS

_PARTS = ("allOf", "anyOf", "oneOf")


def describing_parts(schema: object, root: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - a decoded schema
    """A schema and all that describe the same value, each once. ``root`` has the definitions."""
    waiting, followed = [schema], set[str]()
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict):
            continue
        yield part
        if (target := part.get("$ref")) is not None and target not in followed:
            followed.add(target)
            waiting.append(referred_schema(target, root))
        waiting += [each for keyword in _PARTS for each in part.get(keyword, ())]


def declared_members(schema: object, root: Any) -> list[str]:  # noqa: ANN401 - a decoded schema
    """The names of the properties that a schema declares, each once."""
    return list(dict.fromkeys(name for part in describing_parts(schema, root) for name in part.get("properties", ())))


def referred_schema(target: str, root: Any) -> object:  # noqa: ANN401 - a decoded schema
    """The schema of a reference; None if there is none."""
    return root.get("$defs", {}).get(target.removeprefix(DEFS))


def schema_at(schema: Any, path: Sequence[str | int]) -> object:  # noqa: ANN401 - any JSON value
    """The value at a path; None if there is none."""
    for step in path:
        if isinstance(schema, dict):
            schema = schema.get(str(step))
        elif isinstance(schema, list) and isinstance(step, int) and step < len(schema):
            schema = schema[step]
        else:
            return None
    return schema
