"""Schemas of any shape, and values that may fit them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Anything = st.SearchStrategy[Any]


def schemas(
    leaves: Anything, names: st.SearchStrategy[str], max_leaves: int, *more: Callable[[Anything], Anything]
) -> Anything:
    """Schemas of objects with these names and of lists, around ``leaves``; ``more`` make other ones of inner ones."""

    def levels(inner: Anything) -> Anything:
        properties = st.dictionaries(names, inner, max_size=3)
        return st.one_of(
            st.builds(
                lambda parts, few: {"type": "object", "properties": parts, "required": [*parts][:few]},
                properties,
                st.integers(0, 2),
            ),
            st.builds(lambda part: {"type": "array", "items": part}, inner),
            *(make(inner) for make in more),
        )

    return st.recursive(leaves, levels, max_leaves=max_leaves)


def combined(keyword: str, **beside: Any) -> Callable[[Anything], Anything]:
    """Schemas of one to three inner ones under a keyword such as ``allOf``."""
    return lambda inner: st.builds(lambda parts: {keyword: parts} | beside, st.lists(inner, min_size=1, max_size=3))


def around(keyword: str, **beside: Any) -> Callable[[Anything], Anything]:
    """Schemas with an inner one under a keyword such as ``not``."""
    return lambda inner: st.builds(lambda part: {keyword: part} | beside, inner)


def values(leaves: Anything, names: st.SearchStrategy[str]) -> Anything:
    """``leaves``, and lists and objects of them."""
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=3),
        max_leaves=6,
    )
