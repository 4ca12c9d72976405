"""Hostile documents: refused in words, within bounds of time and memory."""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress

import pytest

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.text.document import Document, DocumentLimits, parse

DEPTH = DocumentLimits().depth
MIB = 2**20


def json(value: bytes) -> bytes:
    return b'{"openapi": "3.1.0", "x": ' + value + b"}"


def yaml(value: bytes) -> bytes:
    return b"openapi: 3.1.0\nx: " + value + b"\n"


def ladder(levels: int, line: bytes) -> bytes:
    return b"".join(b"\n" + b" " * level + line for level in range(1, levels + 1))


# Each gives a document with as many levels of nesting, the root being one of them.
NESTED: dict[str, Callable[[int], bytes]] = {
    "JSON objects": lambda levels: json(b'{"a":' * (levels - 1) + b"1" + b"}" * (levels - 1)),
    "JSON arrays": lambda levels: json(b"[" * (levels - 1) + b"]" * (levels - 1)),
    "JSON beside large values": lambda levels: json(
        (b'["%b",' % (b"c" * 20_000)) * 12 + b"[" * (levels - 13) + b"]" * (levels - 1)
    ),
    "YAML flow": lambda levels: yaml(b"[" * (levels - 1) + b"]" * (levels - 1)),
    "YAML flow mappings": lambda levels: yaml(b"{a: " * (levels - 1) + b"}" * (levels - 1)),
    "YAML pairs": lambda levels: yaml(b"[a: " * ((levels - 1) // 2) + b"[" * ((levels - 1) % 2) + b"]" * (levels // 2)),
    "YAML lists": lambda levels: yaml(b"\n" + b"- " * (levels - 1) + b"a"),
    "YAML mappings": lambda levels: yaml(ladder(levels - 1, b"a:")),
    "YAML anchors": lambda levels: yaml(ladder(levels - 1, b"a: &a")),
    "YAML aliases": lambda levels: yaml(
        b"&a0 []\n" + b"".join(b"a%d: &a%d [*a%d]\n" % (n, n, n - 1) for n in range(1, levels - 1))
    ),
}


@pytest.mark.parametrize("kind", NESTED)
def test_the_deepest_document_that_is_allowed_is_read(kind: str) -> None:
    assert parse(NESTED[kind](DEPTH)).dialect == "3.1"


@pytest.mark.parametrize("kind", NESTED)
def test_one_level_more_is_refused(kind: str) -> None:
    with pytest.raises(SpecError, match=f"nesting deeper than {DEPTH} levels"):
        parse(NESTED[kind](DEPTH + 1))


@pytest.mark.parametrize("kind", [kind for kind in NESTED if kind not in {"YAML mappings", "YAML anchors"}])
def test_a_hundred_thousand_levels_are_refused(kind: str) -> None:
    with pytest.raises(SpecError, match=f"nesting deeper than {DEPTH} levels"):
        parse(NESTED[kind](100_000))


@pytest.mark.parametrize("opening", [b"[", b"{a: ", b"- ", b'{"a":', b"? ", b"&a ", b"!!map "])
def test_what_is_opened_a_hundred_thousand_times_and_never_closed_is_refused(opening: bytes) -> None:
    with pytest.raises(SpecError):
        parse(yaml(b"\n" + opening * 100_000))


def test_a_document_is_refused_in_words_from_deep_within_something_else() -> None:
    def from_below(frames: int) -> Document:
        return from_below(frames - 1) if frames else parse(NESTED["YAML mappings"](DEPTH))

    frames, here = 0, sys._getframe()
    while here := here.f_back:  # type: ignore[assignment]
        frames += 1
    with pytest.raises(SpecError, match="nesting deeper"):
        from_below(sys.getrecursionlimit() - frames - DEPTH)


BOMBS = [
    pytest.param(
        b"&a0 [x, x, x, x, x, x, x, x, x, x]\n"
        + b"".join(b"a%d: &a%d [%b]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 12)),
        id="tenfold eleven times",
    ),
    pytest.param(b"&a " + b"x" * MIB + b"\ny:\n" + b"- *a\n" * 100, id="a large text a hundred times"),
    pytest.param(
        b"&a0 {k: x}\n"
        + b"".join(b"a%d: &a%d {<<: *a%d, l%d: *a%d}\n" % (n, n, n - 1, n, n - 1) for n in range(1, 60)),
        id="merged and doubled sixty times",
    ),
]


@pytest.mark.parametrize("width", [8, 100_000])
def test_few_lines_are_remembered_at_a_time(width: int) -> None:
    document = yaml(b"1\n" + b"".join(b"# %0*d\n" % (width, number) for number in range(4 * MIB // width)))
    tracemalloc.start()
    try:
        parse(document)
        assert tracemalloc.get_traced_memory()[1] < 20 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"[" + b"a " * MIB + b"]", id="words"),
        pytest.param(b"[a" + b" :b" * MIB + b"]", id="colons"),
        pytest.param(b'"' + b"\\n" * MIB + b'"', id="escapes"),
        pytest.param(b"'" + b"''" * MIB + b"'", id="quotes"),
        pytest.param(b'"a' + b"\n" * MIB + b' b"', id="line breaks"),
        pytest.param(b"|\n" + b" a\n" * MIB, id="lines of a block"),
        pytest.param(b"[" + b" #\n" * MIB + b" ]", id="comments in brackets"),
        pytest.param(b"1\n" + b"...\n" * MIB, id="ends"),
    ],
)
def test_what_is_repeated_a_million_times_takes_little_more_than_its_text(value: bytes) -> None:
    document = yaml(value)
    tracemalloc.start()
    try:
        parse(document)
        assert tracemalloc.get_traced_memory()[1] < 40 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("value", BOMBS)
def test_an_alias_bomb_is_refused_before_it_is_expanded(value: bytes) -> None:
    document = yaml(value)
    tracemalloc.start()
    try:
        with pytest.raises(SpecError, match=r"aliases (add|expand the document to) more than [0-9,]+ bytes"):
            parse(document)
        assert tracemalloc.get_traced_memory()[1] < 16 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("size", "most"), [pytest.param(MIB // 8, 31, id="4 MiB"), pytest.param(MIB, 9, id="ten times the text")]
)
def test_what_aliases_add_is_bounded(size: int, most: int) -> None:
    def copied(times: int) -> bytes:
        return yaml(b"&a " + b"x" * size + b"\ny:\n" + b"- *a\n" * times)

    parse(copied(most))
    with pytest.raises(SpecError, match=r"aliases add more than [0-9,]+ bytes to the document"):
        parse(copied(most + 2))


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(json(b"[" + b"1," * 600 + b"1]"), id="JSON array"),
        pytest.param(json(b"{" + b",".join(b'"%d":[]' % n for n in range(600)) + b"}"), id="JSON object"),
        pytest.param(yaml(b"\n" + b"- 1\n" * 600), id="YAML list"),
        pytest.param(yaml(b"[" + b"1," * 600 + b"1]"), id="YAML flow"),
        pytest.param(yaml(b"&a [%b]\ny: [%b]" % (b"1," * 20, b"*a," * 30)), id="YAML aliases"),
    ],
)
def test_more_values_than_allowed_are_refused(document: bytes) -> None:
    with pytest.raises(SpecError, match="the document has more than 500 values"):
        parse(document, limits=DocumentLimits(values=500))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b'"a\n' + b" " * MIB + b'a"', id="spaces in quoted text"),
        pytest.param(b'"a\\\n' + b" " * MIB + b'a\\ "', id="spaces among escapes"),
        pytest.param(b"a\n " + b" " * MIB + b"b" + b" " * MIB + b"#", id="spaces in plain text"),
        pytest.param(b"[a" + b" " * MIB + b"]", id="spaces within brackets"),
        pytest.param(b"[a" + b" :" * 400_000 + b"]", id="colons within brackets"),
        pytest.param(b"a" + b" #" * 400_000, id="comments"),
        pytest.param(b">\n" + b" a\n\n" * 200_000, id="folded lines"),
        pytest.param(b"\n" + b"- [1]: " * 100_000, id="brackets for keys"),
        pytest.param(b"1" * MIB, id="digits"),
        pytest.param(b"1." + b"1" * MIB + b"e1", id="more digits"),
        pytest.param(b"0x" + b"f" * MIB, id="hexadecimal digits"),
        pytest.param(b"&" + b"a" * MIB + b" b", id="an anchor's name"),
        pytest.param(b"\n" + b"&a " * 300_000 + b"b: 1", id="anchors"),
        pytest.param(b"\n? " + b"a " * 500_000 + b"!", id="an explicit key"),
    ],
)
def test_the_time_that_is_needed_does_not_grow_with_the_square_of_the_size(value: bytes) -> None:
    started = time.process_time()
    with suppress(SpecError):
        parse(yaml(value))
    assert time.process_time() - started < 5  # it is a fraction of a second, or would be an hour
