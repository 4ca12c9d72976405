"""A path template as literal text and holes (OpenAPI, Paths Object)."""

from __future__ import annotations

from collections.abc import Mapping

from openapi_mcp_server.bridge.parameters import percent
from openapi_mcp_server.errors import ArgumentError, SpecError
from openapi_mcp_server.grammar import VARIABLE, has_dot_segment
from openapi_mcp_server.openapi.model import SPANNING

_literal = percent.reserved(percent.KEPT_IN_PATH + "/")
_query = percent.reserved(percent.KEPT_IN_QUERY + "&=+")


def holes(path: str) -> list[str]:
    """The names in braces, in order."""
    names: list[str] = VARIABLE.findall(path)
    return [name.strip(SPANNING) for name in names] if SPANNING in path else names


def compiled(prefix: str, path: str, slots: Mapping[str, int], pointer: str) -> tuple[str | int, ...]:
    """Percent-encoded text and indexes of slots in turns, including ``prefix`` (a base URL's path).

    Text that is percent-encoded already stays as it is. Raises SpecError for a path that could leave its prefix.
    """
    _refuse_dot_segments(prefix + path, pointer)
    pieces: list[str | int] = []
    for index, piece in enumerate(VARIABLE.split(prefix + path)):
        if index % 2:
            if (name := piece.strip(SPANNING)) not in slots:
                raise SpecError(pointer, f"the path variable {{{piece}}} is not a parameter")
            pieces.append(slots[name])
        elif piece:
            pieces.append(_literal(piece))
    return tuple(pieces)


def fixed_query(query: str) -> str:
    """The query in a path of the document, percent-encoded where it is not yet."""
    return _query(query)


def _refuse_dot_segments(path: str, pointer: str) -> None:
    if "." not in path and "%" not in path:
        return
    try:
        refused = has_dot_segment(percent.fully_decoded(VARIABLE.sub("x", path)))
    except ArgumentError as error:
        raise SpecError(pointer, f"the path {error}") from error
    if refused:
        raise SpecError(pointer, "the path has a dot segment, which would lead out of the API")
