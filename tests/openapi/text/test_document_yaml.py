"""YAML: the core schema of version 1.2, keys as text, and layouts that published documents have."""

from __future__ import annotations

import msgspec
import pytest

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.text.document import parse


def read(text: str) -> bytes:
    """The JSON of what ``text`` stands for below the first key of a document."""
    json = parse(f"openapi: 3.1.0\n{text}\n".encode()).json
    return json.removeprefix(b'{"openapi":"3.1.0",').removesuffix(b"}")


PLAIN = [
    ("", "null"),
    ("~", "null"),
    ("null", "null"),
    ("Null", "null"),
    ("NULL", "null"),
    ("nULL", '"nULL"'),
    ("true", "true"),
    ("True", "true"),
    ("TRUE", "true"),
    ("false", "false"),
    ("False", "false"),
    ("FALSE", "false"),
    ("yes", '"yes"'),
    ("no", '"no"'),
    ("on", '"on"'),
    ("off", '"off"'),
    ("y", '"y"'),
    ("0", "0"),
    ("-0", "-0"),
    ("5", "5"),
    ("+5", "5"),
    ("-19", "-19"),
    ("012", '"012"'),
    ("-012", '"-012"'),
    ("00", '"00"'),
    ("0o17", "15"),
    ("0o8", '"0o8"'),
    ("0x1F", "31"),
    ("0xffffffffffffffff", "18446744073709551615"),
    ("0xZZ", '"0xZZ"'),
    ("0b1", '"0b1"'),
    ("123456789012345678901234567890", "123456789012345678901234567890"),
    ("1_000", '"1_000"'),
    ("1.10", "1.10"),
    ("-1.10e-5", "-1.10e-5"),
    ("1e3", "1e3"),
    ("1E+05", "1E+05"),
    (".5", "0.5"),
    ("+.5", "0.5"),
    ("-.5e3", "-0.5e3"),
    ("5.", "5.0"),
    ("1.e5", "1.0e5"),
    ("01.5", '"01.5"'),
    ("1.5.6", '"1.5.6"'),
    ("1e400", '"1e400"'),
    (".inf", '".inf"'),
    ("-.INF", '"-.INF"'),
    (".nan", '".nan"'),
    ("inf", '"inf"'),
    ("NaN", '"NaN"'),
    (".", '"."'),
    ("2024-01-01", '"2024-01-01"'),
    ("2024-01-01T10:00:00Z", '"2024-01-01T10:00:00Z"'),
    ("1:30", '"1:30"'),
    ("12:30:45", '"12:30:45"'),
    ("a b  c", '"a b  c"'),
    ("https://a.b/c?d#e", '"https://a.b/c?d#e"'),
    ("text # comment", '"text"'),
    ("text   ", '"text"'),
    ("a#b", '"a#b"'),
    ("-x", '"-x"'),
    (":x", '":x"'),
    ("?x", '"?x"'),
    ("<<", '"<<"'),
    ("wow!", '"wow!"'),
    ("a, [b] {c}", '"a, [b] {c}"'),
]


@pytest.mark.parametrize(("text", "json"), PLAIN, ids=[text or "nothing" for text, _ in PLAIN])
@pytest.mark.parametrize(
    ("layout", "around"),
    [("x: {}", "{}"), ("x:\n  {}", "{}"), ("x:\n- {}", "[{}]"), ("x: &a {}", "{}")],
    ids=["beside its key", "below it", "in a list", "with an anchor"],
)
def test_plain_text_means_what_the_core_schema_says(layout: str, around: str, text: str, json: str) -> None:
    assert read(layout.replace("{}", text)) == b'"x":' + around.replace("{}", json).encode()


FLOW = [(text, json) for text, json in PLAIN if text and "," not in text and " #" not in text]


@pytest.mark.parametrize(("text", "json"), FLOW, ids=[text for text, _ in FLOW])
def test_plain_text_means_the_same_within_brackets(text: str, json: str) -> None:
    assert read(f"x: [{text}, {{k: {text} }}]") == f'"x":[{json},{{"k":{json}}}]'.encode()


@pytest.mark.parametrize(
    "key",
    ["200", "on", "no", "null", "~", "true", "1.10", "2024-01-01", "012", "/pets/{id}", "$ref", "a b", "-x", "a#b"],
)
def test_a_key_is_the_text_that_was_written(key: str) -> None:
    assert msgspec.json.decode(b"{%b}" % read(f"{key}: 1")) == {key: 1}
    assert msgspec.json.decode(b"{%b}" % read(f"'{key}': 1")) == {key: 1}
    assert msgspec.json.decode(b"{%b}" % read(f'"{key}" : 1')) == {key: 1}


QUOTED = [
    ("'it''s'", "it's"),
    ("''", ""),
    ('""', ""),
    ("'5'", "5"),
    ('"null"', "null"),
    (r"'a\nb'", r"a\nb"),
    (r'"\0\a\b\t\n\v\f\r\e\ \"\/\\\N\_\L\P"', '\0\a\b\t\n\v\f\r\x1b "/\\\x85\xa0\u2028\u2029'),
    (r'"\x41\u00e9\U0001F600"', "Aé😀"),
    (r'"\ud83d\ude00"', "😀"),
    ('"a\n  b\n\n  c"', "a b\nc"),
    ("'a\n  b\n\n\n  c'", "a b\n\nc"),
    ('"a\\\n  b"', "ab"),
    ('"a \\\n  \\ b"', "a  b"),
    ('"a  \n  b"', "a b"),
    ('"a\nb"', "a b"),
    ('"tab\there"', "tab\there"),
    ('"#: no [comment], {or} * & key: 1"', "#: no [comment], {or} * & key: 1"),
]


@pytest.mark.parametrize(("text", "value"), QUOTED, ids=[text for text, _ in QUOTED])
def test_quoted_text_is_text(text: str, value: str) -> None:
    assert msgspec.json.decode(b"{%b}" % read(f"x: {text}")) == {"x": value}
    assert msgspec.json.decode(b"{%b}" % read(f"x: [{text}]")) == {"x": [value]}
    assert msgspec.json.decode(b"{%b}" % read(f"x: !!str {text} # said")) == {"x": value}


BLOCKS = [
    pytest.param("|\n  a\n  b\n", "a\nb\n", id="literal"),
    pytest.param("|-\n  a\n  b\n", "a\nb", id="stripped"),
    pytest.param("|+\n  a\n\n", "a\n\n", id="kept"),
    pytest.param(">\n  a\n  b\n", "a b\n", id="folded"),
    pytest.param(">-\n  a\n  b\n\n  c\n", "a b\nc", id="folded with a blank line"),
    pytest.param(">-\n  a\n    b\n    c\n  d\n", "a\n  b\n  c\nd", id="folded around deeper lines"),
    pytest.param(">-\n  a\n\n    b\n\n  c\n", "a\n\n  b\n\nc", id="folded around blank and deeper lines"),
    pytest.param("|2-\n    a\n   b\n", "  a\n b", id="with its indentation said"),
    pytest.param("|-2\n    a\n", "  a", id="with its indentation said last"),
    pytest.param("|  # why\n  a\n", "a\n", id="with a comment"),
    pytest.param("|\n\n  a\n", "\na\n", id="beginning blank"),
    pytest.param("|\n", "", id="empty"),
    pytest.param("|-\n  # no comment\n  k: v\n  - 'x\n", "# no comment\nk: v\n- 'x", id="like anything else"),
    pytest.param("|-\n  a  \n  b\n", "a  \nb", id="with spaces at the end"),
    pytest.param("|-\n        a\n      \n        b\n", "a\n\nb", id="with short blank lines"),
]


@pytest.mark.parametrize(("text", "value"), BLOCKS)
def test_a_block_scalar_is_read_and_so_is_its_alias(text: str, value: str) -> None:
    assert msgspec.json.decode(b"{%b}" % read(f"x: {text}y: 1")) == {"x": value, "y": 1}
    assert msgspec.json.decode(b"{%b}" % read(f"x: &a {text}y: *a")) == {"x": value, "y": value}


LAYOUTS = [
    pytest.param("x:\n- a\n- b\ny: 1", {"x": ["a", "b"], "y": 1}, id="a list as far left as its key"),
    pytest.param(
        "x:\n  - a\n  -\n    b: 1\n  -\n  - c", {"x": ["a", {"b": 1}, None, "c"]}, id="lists with empty items"
    ),
    pytest.param(
        "x:\n-\n- - a\n  - - b\n- c: 1\n  d: 2", {"x": [None, ["a", ["b"]], {"c": 1, "d": 2}]}, id="nested lists"
    ),
    pytest.param("x:\n- a:\n  - b\n  c: 1", {"x": [{"a": ["b"], "c": 1}]}, id="a list in a mapping in a list"),
    pytest.param("x:\n\n  # why\n  a: 1\n # less\n  b: 2\n", {"x": {"a": 1, "b": 2}}, id="blank lines and comments"),
    pytest.param("x: # why\n  a: 1", {"x": {"a": 1}}, id="a comment after a key"),
    pytest.param("x: a\n  b\n\n  c\ny: 1", {"x": "a b\nc", "y": 1}, id="plain text over lines"),
    pytest.param("x: a\n  # why\ny: 1", {"x": "a", "y": 1}, id="an indented comment after plain text"),
    pytest.param("x:\n  a\n   b\ny: 1", {"x": "a b", "y": 1}, id="plain text below its key"),
    pytest.param("x: a\n  - b", {"x": "a - b"}, id="a dash within plain text"),
    pytest.param("x: 5\n  6", {"x": "5 6"}, id="numbers over lines are text"),
    pytest.param("x:\n- a\n  b\n- c", {"x": ["a b", "c"]}, id="plain text over lines in a list"),
    pytest.param("x:\n- a\n- a\n  b\n- a", {"x": ["a", "a b", "a"]}, id="text over lines that was said before"),
    pytest.param("x: a\ny: a\n  b\nz: a", {"x": "a", "y": "a b", "z": "a"}, id="a value over lines, said before"),
    pytest.param("x:\n- a: 1\n- - a\n- a", {"x": [{"a": 1}, ["a"], "a"]}, id="what is a key and an item too"),
    pytest.param("x: 'a''b'\ny: \"a\\tb\"\nz: 'a' # b", {"x": "a'b", "y": "a\tb", "z": "a"}, id="quotes"),
    pytest.param('x: "a\ny"\nz: 1', {"x": "a y", "z": 1}, id="quoted text less indented than its key"),
    pytest.param("x: [\n  a,\n  b\n]\ny: 1", {"x": ["a", "b"], "y": 1}, id="a closing bracket below its key"),
    pytest.param(
        "x: {\na: 1, # one\n\n  b: 2,}\ny: 1", {"x": {"a": 1, "b": 2}, "y": 1}, id="a flow mapping over lines"
    ),
    pytest.param("x:\n  [a, [b, {c: d}], {}]", {"x": ["a", ["b", {"c": "d"}], {}]}, id="flow below a key"),
    pytest.param('x: {"a":1,"b":[true,null]}', {"x": {"a": 1, "b": [True, None]}}, id="JSON"),
    pytest.param("x: {a, b: , 'c'}", {"x": {"a": None, "b": None, "c": None}}, id="flow keys without values"),
    pytest.param("x: [a: 1, b]", {"x": [{"a": 1}, "b"]}, id="a pair in a list"),
    pytest.param("x: [a\n  b, 'c\n  d']", {"x": ["a b", "c d"]}, id="text over lines within brackets"),
    pytest.param("x: {a:1}", {"x": {"a:1": None}}, id="a colon without a space"),
    pytest.param("? x\n: y", {"x": "y"}, id="an explicit key"),
    pytest.param("? 'x y'\n: a: 1\n  b: 2\nz: 1", {"x y": {"a": 1, "b": 2}, "z": 1}, id="a mapping beside its colon"),
    pytest.param("x:\n  ? k\n  :\n    - a", {"x": {"k": ["a"]}}, id="an explicit key with a list below"),
    pytest.param("'x': 1\r\n\"y\": a\r\n  b\r\n", {"x": 1, "y": "a b"}, id="lines of Windows"),
    pytest.param("x: 1\ry: 2", {"x": 1, "y": 2}, id="lines of old Macs"),
    pytest.param("x:\t1\ny: a\n \tb", {"x": 1, "y": "a b"}, id="tabs that do not indent"),
    pytest.param("x: |\n  a\n...\n# end", {"x": "a\n"}, id="an end mark"),
    pytest.param("x: 1\n---\n", {"x": 1}, id="an empty second document"),
    pytest.param("x: !!map\n  a: 1\ny: !!seq [b]", {"x": {"a": 1}, "y": ["b"]}, id="tags of collections"),
    pytest.param("x: !!str 5\ny: !!int '5'\nz: ! 5", {"x": "5", "y": 5, "z": "5"}, id="tags of scalars"),
    pytest.param("x: [!!str 5, !!float 1, !!str ]", {"x": ["5", 1, ""]}, id="tags within brackets"),
    pytest.param("x: !<tag:yaml.org,2002:str> 5", {"x": "5"}, id="a tag in full"),
    pytest.param("!!str 5: !!null\n", {"5": None}, id="a tag on a key"),
]


@pytest.mark.parametrize(("text", "value"), LAYOUTS)
def test_every_layout_is_read(text: str, value: object) -> None:
    assert msgspec.json.decode(b"{%b}" % read(text)) == value


@pytest.mark.parametrize(
    "prologue", ["---\n", "%YAML 1.2\n---\n", "# a\n\n--- # b\n", "%YAML 1.1\n%FOO bar\n---\n", "\n\n"]
)
def test_what_may_come_before_a_document(prologue: str) -> None:
    assert parse(f"{prologue}openapi: 3.1.0\n".encode()).json == b'{"openapi":"3.1.0"}'


def test_another_meaning_of_tags_is_refused() -> None:
    with pytest.raises(SpecError, match="line 1, column 1: the directive %TAG is not supported"):
        parse(b"%TAG ! tag:example.com,2024:\n---\nopenapi: 3.1.0\n")


ANCHORS = [
    pytest.param("x: &a 1\ny: *a", {"x": 1, "y": 1}, id="of a scalar"),
    pytest.param("x: &a\n  k: 1\ny: *a # why", {"x": {"k": 1}, "y": {"k": 1}}, id="of a mapping"),
    pytest.param("x: &a [1]\ny: [*a, {k: *a}]", {"x": [1], "y": [[1], {"k": [1]}]}, id="within brackets"),
    pytest.param("x: [&a b, &c {d: *a}]\ny: *c", {"x": ["b", {"d": "b"}], "y": {"d": "b"}}, id="in a list"),
    pytest.param("x:\n- &a k: 1\n- *a", {"x": [{"k": 1}, "k"]}, id="of a key"),
    pytest.param("x: &a 1\ny: *a\nz: &a 2\nw: *a", {"x": 1, "y": 1, "z": 2, "w": 2}, id="said again"),
    pytest.param("x: &a !!str 5\ny: !!str &b 6\nz: [*a, *b]", {"x": "5", "y": "6", "z": ["5", "6"]}, id="with tags"),
    pytest.param("x: &a\ny: *a", {"x": None, "y": None}, id="of nothing"),
    pytest.param(
        "x: &a {k: 1, l: 2}\ny:\n  <<: *a\n  k: 3", {"x": {"k": 1, "l": 2}, "y": {"k": 3, "l": 2}}, id="merged"
    ),
    pytest.param(
        "x: &a {k: 1}\ny:\n  k: 3\n  <<: *a", {"x": {"k": 1}, "y": {"k": 3}}, id="own keys win over merged ones"
    ),
    pytest.param(
        "x: &a {k: 1}\ny: &b {k: 2, l: 2}\nz: {<<: [*a, *b]}",
        {"x": {"k": 1}, "y": {"k": 2, "l": 2}, "z": {"k": 1, "l": 2}},
        id="of those merged the first wins",
    ),
    pytest.param(
        "x: &a {k: 1}\ny:\n  !!merge <<: *a\n  l: 2", {"x": {"k": 1}, "y": {"k": 1, "l": 2}}, id="as Go writes it"
    ),
    pytest.param("x: &a {k: 1}\ny: {!!merge <<: [*a], l: 2}", {"x": {"k": 1}, "y": {"k": 1, "l": 2}}, id="in brackets"),
    pytest.param("x:\n  !!merge k: {a: 1}", {"x": {"k": {"a": 1}}}, id="the tag on another key"),
    pytest.param("x: {'<<': 1}", {"x": {"<<": 1}}, id="a quoted << is a key"),
    pytest.param(
        "x: &a {k: 1}\ny: &b {<<: *a}\nz: *b", {"x": {"k": 1}, "y": {"k": 1}, "z": {"k": 1}}, id="merged again"
    ),
]


@pytest.mark.parametrize(("text", "value"), ANCHORS)
def test_an_alias_is_the_value_of_its_anchor(text: str, value: object) -> None:
    assert msgspec.json.decode(b"{%b}" % read(text)) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x: 1\nx: 2", "line 3, column 1: duplicate key 'x'"),
        ("x:\n- a: 1\n  b: 2\n  a: 3", "line 5, column 3: duplicate key 'a'"),
        ('x:\n  "é": 1\n  é: 2', "line 4, column 3: duplicate key 'é'"),
        ("x: {a: 1, a: 2}", "line 2, column 11: duplicate key 'a'"),
        ("x:\n  <<: {a: 1}\n  <<: {b: 1}", "line 4, column 3: duplicate key '<<'"),
        ("openapi: 3.1.0", "line 2, column 1: duplicate key 'openapi'"),
        ("200: a\n'200': b", "line 3, column 1: duplicate key '200'"),
        ("x: !!python/name:os.system", "line 2, column 4: the tag !!python/name:os.system is not supported"),
        ("x: [!include a.yaml]", "line 2, column 5: the tag !include is not supported"),
        ("!a x: 1", "line 2, column 1: the tag !a is not supported"),
        ("x: !!binary aGk=", "line 2, column 4: the tag !!binary is not supported"),
        ("x: !!map [a]", "line 2, column 4: !!map cannot be put on this"),
        ("x: !!str [a]", "line 2, column 10: a scalar cannot begin with `[`; quote it"),
        ("x: !!seq\n  a: 1", "line 2, column 4: !!seq cannot be put on this"),
        ("x: [1, , 2]", "line 2, column 8: text that begins with this must be quoted"),
        ("x: [1 {]", "line 2, column 7: expected a comma or ]"),
        ("x: {a: 1]", "line 2, column 9: expected a comma or }"),
        ("x: {[a]: 1}", "line 2, column 5: a key must be plain or quoted text"),
        ("x: 'a'\n  b", "line 3, column 1: this line fits no level of indentation above it"),
        ("x: '", "line 2, column 4: the quoted text that begins here does not end"),
        ("x: 'a' b", "line 2, column 7: text after the end of the value"),
        ("x: [a] b", "line 2, column 7: text after the end of the value"),
        ("x: |x\n  a", "line 2, column 4: a block scalar begins with `|` or `>`"),
        ("x: -", "line 2, column 4: plain text cannot begin with `-`; quote it"),
        ("x: - a", "line 2, column 4: plain text cannot begin with `-`; quote it"),
        ("x: `a`", "line 2, column 4: plain text cannot begin with ```; quote it"),
        ("x: a\n  # b\n  c", "line 3, column 3: a comment ends plain text, but more is below it"),
        ("x: a\n  b: c", "line 3, column 4: a colon and a space within plain text; quote the text"),
        ("*x : 1", "line 2, column 1: an alias cannot be a key; write the key out"),
        ("? x", "line 3, column 1: expected the `:` of the key after `?`"),
        ("x: [*]", "line 2, column 5: an alias has no name"),
        (r'x: "\ud800"', "line 2, column 4: an escape in this text is half a character"),
        (r'x: "\U00110000"', "line 2, column 4: \\U00110000 is no character"),
        (r'x: "\x4"', "line 2, column 4: \\x is no escape of YAML"),
    ],
)
def test_what_is_refused_names_its_place(text: str, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(text)
    assert str(caught.value).startswith(problem)


def test_lines_that_are_alike_mean_what_they_mean_where_they_stand() -> None:
    """More lines than are remembered at a time, with long ones between."""
    differing = "".join(f"k{number}:\n  a: {number}\n" for number in range(25_000))
    alike = "".join(f"l{number}:\n  - a: |\n      a: 1\n  - a: 1\n" for number in range(2_000))
    text = f"{differing}m: '{'n' * 200_000}'\n{alike}"
    value = msgspec.json.decode(b"{%b}" % read(text))
    assert [value[f"k{number}"]["a"] for number in range(25_000)] == [*range(25_000)]
    assert all(value[f"l{number}"] == [{"a": "a: 1\n"}, {"a": 1}] for number in range(2_000))
    assert value["m"] == "n" * 200_000
