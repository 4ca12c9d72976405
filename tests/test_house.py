"""The house keeps its plan: few rooms, few floors, no crowd in one, and no name that means two things."""

from __future__ import annotations

import ast
import re

import pytest

import house

ROOMS = 15
MODULES_BESIDE_ROOMS = 6
"""The way in, the joiner, and what all rooms need: errors, grammar, the budget of memory, the thread for large work."""
FLOORS = 9
FILES = 20

BEGINNINGS = ("What ", "Of ", "That ", "Those ")
"""Words by which a docstring goes on with the name above it, which a reader of the docstring alone has not read."""

QUOTED = re.compile(r"(?<!`)`([A-Za-z_][\w.]*)`(?!`)")
STRANGERS = "auto multiprocessing getaddrinfo openapi swagger lost_lines"
"""Names in back quotes that are not ours: words of settings, documents and the log, and other people's modules."""

CONVENTIONS = {
    "the verb of its module, which says of what (`catalog.build`, `overlay.apply`)": (
        "apply build check compare compiled describe entries joined of parse parsed read read_text reduced render"
        " require resolved run search shown spelt unique words"
    ),
    "one format each, named by the module (`exact_json.encode`, `content.decode`)": "decode encode writer",
    "one for each kind of credential, which is its module": "login piece",
    "the same for two kinds of text: may it be read as JSON, what is left unsaid": (
        "is_json overlooked lines report told"
    ),
    "a participle of its module's one noun (`table.text`, `accept.header`, `kinds.described`)": (
        "described document fits fitted header line named opened place response result schemes short text tokens way"
    ),
}
"""Functions of one name in several modules, by the reason why it may be so."""
CLASSES = {
    "Answer": "what an API answers, in the two APIs of our own: demo and mock",
    "Pending": "the protocol that the gateway asks for, and what credentials give it",
    "Row": "one row of the table of its module, never used without it",
}


def test_there_are_few_rooms_on_few_floors_and_the_contract_knows_each():
    modules = {path.stem for path in house.PACKAGE.glob("*.py")} - {"__init__"}
    assert len(house.rooms()) <= ROOMS
    assert len(modules) <= MODULES_BESIDE_ROOMS
    assert len(house.floors()) <= FLOORS
    assert sorted({*house.rooms(), *modules}) == sorted(name for floor in house.floors() for name in floor)


def test_no_room_is_crowded():
    folders = {path.parent for path in house.PACKAGE.rglob("*.py")}
    crowded = {folder.name: files for folder in folders if (files := len(list(folder.glob("*.py")))) > FILES}
    assert crowded == {}


@pytest.mark.parametrize(
    ("is_kind", "excepted"),
    [
        pytest.param(lambda name: name[0].isupper(), set(CLASSES), id="classes"),
        pytest.param(lambda name: name[0].islower(), set(" ".join(CONVENTIONS.values()).split()), id="functions"),
    ],
)
def test_a_public_name_means_one_thing(is_kind, excepted):
    """A new one gets another name, or a line above with the reason; a line that is not needed any more goes."""
    twice = {name for name, places in house.definitions().items() if len(places) > 1 and is_kind(name)}
    assert (twice - excepted, excepted - twice) == (set(), set())


def test_the_drawing_has_every_room_and_arrows_that_point_down():
    height = {name: number for number, floor in enumerate(house.floors()) for name in floor}
    arrows = house.arrows()
    assert all(height[upper] < height[lower] for upper, lower in arrows)
    drawn = house.mermaid()
    assert all(f'{name}["{name}"]' in drawn for name in height)
    assert all(f"  {upper} --> {lower}\n" in f"{drawn}\n" for upper, lower in arrows)


def test_a_docstring_stands_alone():
    begun = [
        f"{path.relative_to(house.PACKAGE)}:{node.lineno}: {node.value.value[:40]}"
        for path in sorted(house.PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        if node.value.value.startswith(BEGINNINGS)
    ]
    assert begun == []


def test_a_name_in_back_quotes_is_there():
    """In the sentences of the code, as in those of the documentation (`test_documentation`)."""
    known = set(STRANGERS.split())
    quoted = []
    for path in sorted(house.PACKAGE.rglob("*.py")):
        known |= {path.stem, path.parent.name}
        for node in ast.walk(ast.parse(path.read_text())):
            known |= {getattr(node, field) for field in ("id", "attr", "arg", "name", "asname") if hasattr(node, field)}
        lines = enumerate(path.read_text().splitlines(), 1)
        quoted += [(f"{path.stem}.py:{number}", each) for number, line in lines for each in QUOTED.findall(line)]
    assert [(place, each) for place, each in quoted if each.split(".")[-1] not in known] == []
