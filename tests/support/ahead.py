"""Cases that take a process each: two at a time, begun in the order in which their tests ask what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

AT_ONCE = 2
"""The suite runs on two cores and more."""
Made = TypeVar("Made")


@contextmanager
def ahead(request: pytest.FixtureRequest, name: str, work: Callable[[Any], Made]) -> Iterator[Callable[[Any], Made]]:
    """Yields a function that waits for the result of ``work`` on a case, or raises what it has raised. ``name`` is the
    parameter that has the cases; those whose tests do not run are not begun."""
    chosen = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    cases = [item.callspec.params[name] for item in chosen if name in item.callspec.params]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        begun = {id(case): pool.submit(work, case) for case in cases}
        yield lambda case: begun[id(case)].result()
        pool.shutdown(cancel_futures=True)
