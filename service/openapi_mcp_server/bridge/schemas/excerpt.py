"""The beginning of a large value, in which errors of the whole are searched at limited cost.

jsonschema-rs copies a value into each error about it, and a choice has errors for each alternative. A list of a million
numbers in place of one of 300 objects took 47 s and 18 GB.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from openapi_mcp_server.openapi.json_schema import Error, Kind

CHARACTERS_PER_VALUE = 2_000
"""Characters of texts that are kept for each value. Copying so many costs less than the rest of an error."""
LEVELS = 100
"""The most levels that are searched. Each takes three frames of the stack, and no document describes so many."""

Step = str | int
Path = tuple[Step, ...]

_OF_THE_OUTSIDE = frozenset({"required", "dependentRequired", "minItems", "minProperties", "minLength", "pattern"})
"""Keywords that do not depend on the content of a value's items and properties."""


class Excerpt:
    """An excerpt: ``value`` has about ``values`` values (the whole value if it has no more) and at most ``levels``."""

    def __init__(self, whole: Any, values: int, levels: int = LEVELS) -> None:  # noqa: ANN401 - any JSON value
        self._values = values
        self._levels = levels
        self._characters = values * CHARACTERS_PER_VALUE
        self._cut: set[Path] = set()
        self.value = self._begun(whole, ())

    def is_certain(self, error: Error) -> bool:
        """Whether the whole value certainly has this error, too."""
        match error.kind:
            case Kind.Type() | Kind.AdditionalProperties() | Kind.MaxItems() | Kind.MaxProperties() | Kind.MaxLength():
                return True
            case Kind.AnyOf(context=branches) | Kind.OneOfNotValid(context=branches):
                if all(any(map(self.is_certain, branch)) for branch in branches):
                    return True
        path = tuple(error.instance_path)
        if error.kind.name in _OF_THE_OUTSIDE:
            return path not in self._cut
        return not any(cut[: len(path)] == path for cut in self._cut)

    def _begun(self, value: Any, path: Path) -> Any:  # noqa: ANN401 - any JSON value
        self._values -= 1
        match value:
            case str():
                return self._text(value, path)
            case list():
                return [item for _, item in self._members(enumerate(value), len(value), path)]
            case dict():
                return dict(self._members(value.items(), len(value), path))
        return value

    def _text(self, text: str, path: Path) -> str:
        if len(text) > self._characters:
            self._cut.add(path)
        kept = text[: self._characters]
        self._characters -= len(kept)
        return kept

    def _members(self, members: Iterable[tuple[Step, Any]], count: int, path: Path) -> list[tuple[Any, Any]]:
        kept: list[tuple[Any, Any]] = []
        for step, member in members:
            if (
                self._values <= 0
                or len(path) >= self._levels
                or (isinstance(step, str) and len(step) > self._characters)
            ):
                break
            self._characters -= len(step) if isinstance(step, str) else 0
            kept.append((step, self._begun(member, (*path, step))))
        if len(kept) < count:
            self._cut.add(path)
        return kept
