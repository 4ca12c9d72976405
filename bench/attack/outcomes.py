"""How an attack may end."""

from __future__ import annotations

from typing import Literal

Outcome = Literal["held", "got through", "hangs", "skipped"]


class GotThrough(Exception):
    """The attack did what it was made for; the text is the sentence of the report."""


class Skipped(Exception):
    """Something is missing that the attack needs; the text says what."""


def require(held: object, problem: str) -> None:
    """Raises GotThrough with the problem unless it held."""
    if not held:
        raise GotThrough(problem)
