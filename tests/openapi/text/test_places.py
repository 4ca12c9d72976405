"""Lines and columns of errors: the same place whatever the document is written in, nothing where there is none."""

from __future__ import annotations

import string

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from openapi_mcp_server.openapi import pointers
from openapi_mcp_server.openapi.text.places import Place, Places, of_error

TABLE: list[tuple[str, str, str, str]] = [
    ("a: 1\nb:\n  c: 2\n", "#/b/c", "line 3, column 3", "c: 2"),
    ("a: 1\nb:\n- x\n- y\n", "#/b/1", "line 4, column 3", "- y"),
    ("b:\n  - name: x\n    in: y\n", "#/b/0/in", "line 3, column 5", "in: y"),
    ("b:\n  - - 1\n    - 2\n", "#/b/0/1", "line 3, column 7", "- 2"),
    ("b: {c: [1, {d: 2}]}\n", "#/b/c/1/d", "line 1, column 13", "b: {c: [1, {d: 2}]}"),
    ("t: |\n  x: 1\n  y: 2\ny: 3\n", "#/y", "line 4, column 1", "y: 3"),
    ("'a/b': 1\n\"c~d\": 2\n", "#/c~0d", "line 2, column 1", '"c~d": 2'),
    ("a/b: 1\r\nc:\r\n  d: 2\r\n", "#/c/d", "line 3, column 3", "d: 2"),
    ("\ufeffa: 1\nb: 2\n", "#/b", "line 2, column 1", "b: 2"),
    ("%YAML 1.2\n---\na: 1\n", "#/a", "line 3, column 1", "a: 1"),
    ("a: &x\n  b: 1\nc: *x\n", "#/c/b", "line 2, column 3", "b: 1"),
    ("? a\n: b: 1\n", "#/a/b", "line 2, column 3", ": b: 1"),
    ('{"a": 1, "b": {"c": [true, {"d": null}]}}', "#/b/c/1/d", "line 1, column 29", ""),
    ('{\n  "é": 0,\n  "b": [\n    1,\n    2\n  ]\n}', "#/b/1", "line 5, column 5", "2"),
    ('{"a\\u0062": {"c": 1}}', "#/ab/c", "line 1, column 14", ""),
    ("a:\tb\u202ec\n", "#/a", "line 1, column 1", "a: b\ufffdc"),
    ("a: 1\n", "#", "line 1, column 1", "a: 1"),
]


@pytest.mark.parametrize(("text", "pointer", "at", "line"), TABLE)
def test_a_pointer_has_a_line_and_a_column(text, pointer, at, line):
    found = Places(text.encode()).of(pointer)
    assert found is not None
    assert (found.at, found.line) == (at, line or text)


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("a: 1\n", "#/b"),
        ("a: 1\n", "#/a/b"),
        ("a: [1]\n", "#/a/1"),
        ("a: [1]\n", "#/a/x"),
        ('{"a": [1]}', "#/a/01"),
        ('{"a": {"b": 1, "b": 2}}', "#/a/c"),
        ('{"a": ', "#/a"),
        ("a: [", "#/a"),
        ("a: 1", "#/a~2"),
        ("a: 1", "line 3"),
        ("", "#/a"),
        ("<<: {a: 1}\n", "#/a"),
    ],
)
def test_what_is_not_in_the_text_has_no_place(text, pointer):
    assert of_error(text.encode(), pointer) is None


@pytest.mark.parametrize(
    ("text", "at", "line"),
    [
        ("a\nb: [\nc", "line 2, column 4", "b: ["),
        ("a\r\nb\rc", "line 3, column 1", "c"),
        ("a", "line 7, column 1", ""),
        ("x" * 50 + "y" * 100, "line 1, column 51", "…" + "x" * 20 + "y" * 60 + "…"),
    ],
)
def test_an_error_of_the_text_itself_shows_its_line(text, at, line):
    assert of_error(text.encode(), at) == Place(at, line)


def test_of_a_line_of_megabytes_eighty_characters_are_shown():
    text = b'{"a": "' + b"x" * 3_000_000 + b'", "b": 5, "c": "' + b"y" * 3_000_000 + b'"}'
    found = of_error(text, "#/b")
    assert found is not None
    assert found.at == "line 1, column 3000011"
    assert '"b": 5' in found.line
    assert len(found.line) <= 82


KEYS = st.text(string.ascii_letters + "/~%é ", min_size=1, max_size=6).filter(lambda key: key.strip() == key)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(string.ascii_letters + "\n#:", max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=25,
)


def marks(node: yaml.Node, at: str = "#") -> dict[str, str]:
    """The same places by PyYAML."""
    found = {}
    if isinstance(node, yaml.MappingNode):
        inner = [(key.value, key, value) for key, value in node.value]
    else:
        inner = [(i, value, value) for i, value in enumerate(node.value)] if isinstance(node.value, list) else []
    for key, named, value in inner:
        pointer = pointers.child(at, key)
        found[pointer] = f"line {named.start_mark.line + 1}, column {named.start_mark.column + 1}"
        found |= marks(value, pointer)
    return found


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
def test_json_and_yaml_have_the_places_that_pyyaml_finds(root):
    for text in (
        msgspec.json.format(msgspec.json.encode(root), indent=2).decode(),
        msgspec.json.encode(root).decode(),
        yaml.safe_dump(root, sort_keys=False, allow_unicode=True),
        yaml.safe_dump(root, sort_keys=False, allow_unicode=True, default_flow_style=True),
    ):
        known = Places(text.encode())
        expected = marks(yaml.compose(text, yaml.SafeLoader))
        found = {pointer: place.at for pointer in expected if (place := known.of(pointer))}
        assert found == expected, text
