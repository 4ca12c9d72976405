"""JSONPath queries (RFC 9535) over decoded JSON, by python-jsonpath in its strict mode (docs/adr/0009)."""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from openapi_mcp_server.openapi import json_schema

if TYPE_CHECKING:
    from jsonpath import JSONPathEnvironment

Json = Any
"""A decoded value: dict, list, str, int, float, bool or None."""
QUERY_CHARACTERS = 1_000
"""The most characters of a query. python-jsonpath 2.2 recurses over it, and 100,000 steps crash the process. The
specification's examples have 60."""
DESCENTS = 3
"""The most ``..`` in one query: each multiplies the visited nodes by the depth of the document."""
NODES = 200_000
"""The most nodes that one query may select. A document of 4 MB has 70,000 in all."""


class Node(msgspec.Struct, frozen=True):
    """A value and the way to it from the root: keys and indices."""

    location: tuple[str | int, ...]
    value: Json


def select(query: str, root: Json) -> list[Node]:
    """The nodes that a query selects, each once, in the order of the document; raises ValueError with the reason."""
    from jsonpath import JSONPathError  # noqa: PLC0415 - takes 0.2 s to import, and few documents have overlays

    if len(query) > QUERY_CHARACTERS:
        raise ValueError(f"the JSONPath has more than {QUERY_CHARACTERS} characters")
    if query.count("..") > DESCENTS:
        raise ValueError(f"{query!r} descends more than {DESCENTS} times (`..`)")
    try:
        found = list(islice(_environment().compile(query).finditer(root), NODES + 1))
    except JSONPathError as error:
        raise ValueError(f"{query!r} is not JSONPath: {_one_line(error.message)}") from error
    except (TypeError, RecursionError) as error:  # python-jsonpath 2.2: count(@); many steps
        raise ValueError(f"{query!r} cannot be evaluated") from error
    if len(found) > NODES:
        raise ValueError(f"{query!r} selects more than {NODES} nodes")
    return [Node(location, value) for location, value in {match.parts: match.obj for match in found}.items()]


def _one_line(message: object) -> str:
    return " ".join(str(message).split())


@cache
def _environment() -> JSONPathEnvironment:
    from jsonpath import JSONPathEnvironment  # noqa: PLC0415 - as above
    from jsonpath.function_extensions import ExpressionType, FilterFunction  # noqa: PLC0415 - as above

    class Pattern(FilterFunction):
        """``match`` and ``search`` in linear time. The library's own ones use Python's ``re``, which backtracks."""

        arg_types: ClassVar = [ExpressionType.VALUE, ExpressionType.VALUE]
        return_type = ExpressionType.LOGICAL

        def __init__(self, form: str) -> None:
            self._form = form

        def __call__(self, value: object, pattern: object) -> bool:
            if not isinstance(value, str) or not isinstance(pattern, str):
                return False
            compiled = _compiled(self._form.format(pattern))
            return compiled is not None and compiled.is_valid(value)

    environment = JSONPathEnvironment(strict=True)
    environment.function_extensions["match"] = Pattern("^(?:{})$")
    environment.function_extensions["search"] = Pattern("{}")
    return environment


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> json_schema.Validator | None:
    """The compiled pattern; None if it is invalid, since it then matches nothing (RFC 9535 section 2.4.6)."""
    return json_schema.compiled({"pattern": pattern}) if json_schema.is_pattern(pattern) else None
