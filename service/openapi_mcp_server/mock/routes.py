"""Which operation a request is for: paths with holes, the plainest first, in time that grows with the path alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

from openapi_mcp_server.grammar import VARIABLE
from openapi_mcp_server.openapi.model import Operation

Pieces = tuple[str, ...]
"""The text between the holes of a segment: one piece where there is no hole."""


class _Route(NamedTuple):
    segments: tuple[Pieces, ...]
    operation: Operation


class Routes:
    """The operations of one document by method and path. The first of several that are alike is found."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._by_length: dict[int, list[_Route]] = {}
        self._spanning: list[tuple[Pieces, Operation]] = []
        for operation in operations:
            segments = tuple(_pieces(segment) for segment in operation.path.split("/"))
            self._by_length.setdefault(len(segments), []).append(_Route(segments, operation))
            if any(parameter.spans_segments for parameter in operation.parameters):
                self._spanning.append((_pieces(operation.path), operation))
        for routes in self._by_length.values():
            routes.sort(key=_plainness)

    def find(self, method: str, path: str, query: str) -> Operation | None:
        """``path`` and ``query`` are percent-encoded, as they are in the request."""
        pairs = set(unquote(query).split("&"))
        for operation in self._at(path):
            if operation.method == method and pairs.issuperset(filter(None, unquote(operation.query).split("&"))):
                return operation
        return None

    def methods(self, path: str) -> list[str]:
        """The methods that there are at a path."""
        return sorted({operation.method for operation in self._at(path)})

    def _at(self, path: str) -> Iterable[Operation]:
        segments = [unquote(segment) for segment in path.split("/")]
        for route in self._by_length.get(len(segments), ()):
            if all(_fits(text, pieces) for text, pieces in zip(segments, route.segments, strict=True)):
                yield route.operation
        for pieces, operation in self._spanning:
            if _fits(unquote(path), pieces):
                yield operation


def _plainness(route: _Route) -> tuple[object, ...]:
    """Text before holes, from the left, and much of it; an operation that names its query before one that does not."""
    return (*((len(pieces) > 1, -len("".join(pieces))) for pieces in route.segments), not route.operation.query)


def _pieces(template: str) -> Pieces:
    return tuple(unquote(piece) for piece in VARIABLE.split(template)[::2])


def _fits(text: str, pieces: Pieces) -> bool:
    """Whether the pieces stand in a text in this order, with something in every hole."""
    first, *others = pieces
    if not others:
        return text == first
    if not text.startswith(first):
        return False
    place = len(first)
    for piece in others[:-1]:
        place = text.find(piece, place + 1)
        if place < 0:
            return False
        place += len(piece)
    return text.endswith(others[-1]) and len(text) - len(others[-1]) > place
