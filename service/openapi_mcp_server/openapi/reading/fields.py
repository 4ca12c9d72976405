"""The fields of each object in each version of the specification, and the notes about unknown fields.

An unknown field is a mistake (``parameter``) or belongs to another version (``requestBody`` in Swagger 2.0). Readers
ignore it, so without a note an operation would silently lose its parameters. Names that begin with ``x-`` are
extensions. There are no notes within components, parameters and schemas, where many documents have words of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import takewhile
from typing import NamedTuple

from openapi_mcp_server.openapi.notes import Notes
from openapi_mcp_server.openapi.pointers import child


class Fields(NamedTuple):
    """The name of an object, and its fields by dialect; several dialects with the same fields are one key."""

    of: str
    by_dialect: Mapping[str, frozenset[str]]


METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch"})
"""The methods that every version has a field for."""
_ROOT_3 = frozenset(
    {"openapi", "info", "servers", "paths", "components", "security", "tags", "externalDocs"}
    | {"jsonSchemaDialect", "webhooks", "$self"}
)
_ITEM_3 = METHODS | {"$ref", "summary", "description", "trace", "servers", "parameters"}
_OPERATION = frozenset(
    {"tags", "summary", "description", "externalDocs", "operationId", "parameters", "responses", "deprecated"}
    | {"security"}
)
DOCUMENT = Fields(
    "a document",
    {
        "2.0": frozenset(
            {"swagger", "info", "host", "basePath", "schemes", "consumes", "produces", "paths", "definitions"}
            | {"parameters", "responses", "securityDefinitions", "security", "tags", "externalDocs"}
        ),
        "3.0 3.1 3.2": _ROOT_3,
    },
)
PATH_ITEM = Fields(
    "a path item",
    {
        "2.0": METHODS | {"$ref", "parameters"},
        "3.0 3.1": _ITEM_3,
        "3.2": _ITEM_3 | {"query", "additionalOperations"},
    },
)
OPERATION = Fields(
    "an operation",
    {
        "2.0": _OPERATION | {"consumes", "produces", "schemes"},
        "3.0 3.1 3.2": _OPERATION | {"requestBody", "callbacks", "servers"},
    },
)

_ALIKE = 3
"""The number of first letters that a name must share with a field to be taken for it. The comparison is this simple
because a document may have a million unknown names."""


def unknown(names: Collection[str], known: Fields, dialect: str) -> list[str]:
    """The names that are neither fields of the specification nor extensions."""
    fields = _of(known, dialect)
    return [name for name in names if name not in fields and not name.startswith("x-")]


def note(names: Collection[str], known: Fields, dialect: str, pointer: str, notes: Notes) -> None:
    """Notes each unknown name of the object at ``pointer``."""
    for name in unknown(names, known, dialect):
        notes.add(child(pointer, name), "field_unknown", misnamed(name, known, dialect))


def misnamed(name: str, known: Fields, dialect: str) -> str:
    """The note about a name that is no field."""
    of = f"{name!r} is no field of {known.of} in {version(dialect)}"
    if elsewhere := [each for each, fields in known.by_dialect.items() if name in fields]:
        return f"{of}, but in {version(elsewhere[0].split()[0])}"
    near = _near(name, _of(known, dialect))
    return f"{of}; did you mean {near!r}?" if near else of


def _near(name: str, fields: frozenset[str]) -> str | None:
    """The field with the longest common beginning, ignoring case and underscores; of two, the one of equal length."""

    def alike(field: str) -> tuple[int, int, str]:
        same = takewhile(lambda pair: pair[0] == pair[1], zip(_plain(name), _plain(field), strict=False))
        return len(list(same)), -abs(len(field) - len(name)), field

    best = max(fields, key=alike)
    return best if alike(best)[0] >= _ALIKE else None


def _plain(name: str) -> str:
    return name[:20].replace("_", "").lower()


def version(dialect: str) -> str:
    return f"{'Swagger' if dialect == '2.0' else 'OpenAPI'} {dialect}"


def _of(known: Fields, dialect: str) -> frozenset[str]:
    [fields] = [fields for dialects, fields in known.by_dialect.items() if dialect in dialects]
    return fields
