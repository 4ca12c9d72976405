"""The house keeps its plan: few rooms, few floors, no crowd in one, and no name that means two things."""

from __future__ import annotations

import subprocess
import sys

import pytest

import house

ROOMS = 15
MODULES_BESIDE_ROOMS = 5
"""The way in, the joiner, and what all rooms need: errors, grammar, the budget of memory."""
FLOORS = 9
FILES = 20

_BY_MODULE = "its module says of what: callers write `module.name`, or import it under a longer name"
_SAME = "means the same in each"
TWICE = {
    "Answer": "what an API answers, in the two APIs of our own: demo and mock",
    "Row": "one row of the table of its module, always as `table.Row`",
    "Address": _BY_MODULE,
    "Body": _BY_MODULE,
    "Parts": _BY_MODULE,
    "apply": _BY_MODULE,
    "build": _BY_MODULE,
    "check": _BY_MODULE,
    "compare": "the one of schemas is imported as compare_schemas",
    "compiled": _BY_MODULE,
    "decode": _BY_MODULE,
}


def test_there_are_few_rooms_and_floors():
    modules = {path.stem for path in house.PACKAGE.glob("*.py")} - {"__init__"}
    assert len(house.rooms()) <= ROOMS
    assert len(modules) <= MODULES_BESIDE_ROOMS
    assert len(house.floors()) <= FLOORS
    assert sorted({*house.rooms(), *modules}) == sorted(name for floor in house.floors() for name in floor)
