"""Tests without Python's collector of garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """What is in a circle stays, and no time goes into looking for it, of which a process of tests takes more than a
    server."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
