"""A catalog that was kept as data is the one that was compiled: the same lists, and the same requests byte for byte."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.compiled import kept
from openapi_mcp_server.bridge.model import Tool, ToolCatalog, ToolForm
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.bridge.request import build as request
from openapi_mcp_server.bridge.tools import overrides
from openapi_mcp_server.errors import ArgumentError, SpecError
from openapi_mcp_server.mock import synthesis
from openapi_mcp_server.mock.levels import NoValueError
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import parse

SPECS = Path(__file__).parents[2] / "specs"
OWN = sorted(SPECS.glob("*.yaml"))
DECODE = msgspec.json.Decoder(float_hook=Decimal).decode
SHOWN = [name for name in Tool.__struct_fields__ if name not in {"entry", "output", "slots", "body"}]


def compiled(*paths: Path, told: overrides.Entries = {}, portable: bool = False) -> ToolCatalog:  # noqa: B006 - nobody changes it
    sources = [
        ApiSource(
            name=f"api{number}",
            base=base_url("https://api.example.com/v1"),
            description=describe(parse(path.read_bytes())),
            prefix=len(paths) > 1,
            overrides=told,
        )
        for number, path in enumerate(paths)
    ]
    return build(sources, ToolForm(response_filter=True, result_bytes=100_000, portable=portable))


def again(catalog: ToolCatalog) -> ToolCatalog:
    """The catalog as another process has it."""
    about, pieces = kept.encode(catalog)
    return kept.decode(about, memoryview(b"".join(pieces)))


def listed(tool: Tool) -> tuple[Any, ...]:
    output = None if tool.output is None else (bytes(tool.output.schema), tool.output.wrapped)
    return bytes(tool.entry), output, *(getattr(tool, name) for name in SHOWN)


def given(tool: Tool) -> Iterator[dict[str, Any]]:
    """Arguments for it: those that it needs, all of them, and each of its media types."""
    schema = DECODE(tool.input.schema)
    for whole in (False, True):
        try:
            arguments = synthesis.arguments(schema, whole=whole)
        except (NoValueError, synthesis.EndlessError):
            continue
        yield arguments
        if tool.body is not None and tool.body.chooser is not None:
            yield from (arguments | {tool.body.chooser: media_type} for media_type in tool.body.writers)
        if tool.body is not None and tool.body.whole is not None:
            yield from (arguments | {tool.body.whole: value} for value in ({"a": 1}, [1, "b"], "text"))


def sent(tool: Tool, arguments: dict[str, Any]) -> object:
    try:
        return request(tool, arguments)
    except ArgumentError as error:
        return str(error)


def require_the_same(catalog: ToolCatalog) -> int:
    """The number of requests that were compared."""
    other, count = again(catalog), 0
    assert (other.apis, other.skipped, list(other.tools)) == (catalog.apis, catalog.skipped, list(catalog.tools))
    for name, tool in catalog.tools.items():
        assert listed(other.tools[name]) == listed(tool)
        for arguments in given(tool):
            assert sent(other.tools[name], arguments) == sent(tool, arguments)
            count += 1
    return count


@pytest.mark.parametrize("portable", [False, True])
@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_documents_with_one_of_everything_are_what_they_were(path: Path, portable: bool) -> None:
    assert require_the_same(compiled(path, portable=portable)) >= 10


def test_published_documents_are_what_they_were(specs_dir: Path) -> None:
    with (specs_dir / "index.tsv").open(encoding="utf-8") as index:
        paths = [specs_dir / row["file"] for row in csv.DictReader(index, delimiter="\t")]
    count = 0
    for path in paths:
        if path.stat().st_size < 400_000:
            try:
                count += require_the_same(compiled(path))
            except SpecError:
                continue
    assert count > 1_000


def test_apis_beside_each_other_keep_their_own_definitions() -> None:
    assert require_the_same(compiled(SPECS / "openapi-3.0.yaml", SPECS / "openapi-3.1.yaml")) > 20


def test_fixed_values_keep_every_digit() -> None:
    text = b"""{"openapi": "3.1.0", "paths": {"/a": {"get": {"operationId": "a", "parameters": [
        {"name": "n", "in": "query", "schema": {"type": "number"}}], "responses": {}}}}}"""
    told = overrides.read(b"a: {arguments: {n: {value: 0.10000000000000000000001}}}")
    source = ApiSource(
        name="api", base=base_url("https://a.example.com"), description=describe(parse(text)), overrides=told
    )
    [tool] = again(build([source])).tools.values()
    assert tool.fixed == {"n": Decimal("0.10000000000000000000001")}


def test_its_bytes_are_not_copied() -> None:
    about, pieces = kept.encode(compiled(SPECS / "openapi-3.1.yaml"))
    content = bytearray(b"".join(pieces))
    tools = kept.decode(about, memoryview(content)).tools.values()
    content[:] = b"x" * len(content)
    assert {bytes(tool.entry).strip(b"x") for tool in tools} == {b""}


ABOUT, PIECES = kept.encode(compiled(SPECS / "openapi-3.1.yaml"))
CONTENT = b"".join(PIECES)


@pytest.mark.parametrize(
    "about",
    [
        b"",
        b"{}",
        ABOUT[:-1],
        ABOUT[:-10],
        ABOUT.replace(b'"query"', b'"anywhere"'),
        ABOUT.replace(b'"api.example.com"', b"7"),
    ],
    ids=["nothing", "another object", "cut", "cut further", "a place that is none", "a host that is none"],
)
def test_only_what_the_compiler_makes_is_taken(about: bytes) -> None:
    with pytest.raises(ValueError, match="is not what this version writes"):
        kept.decode(about, memoryview(CONTENT))


def test_bytes_that_are_not_there_are_refused() -> None:
    with pytest.raises(ValueError, match="bytes that are not there"):
        kept.decode(ABOUT, memoryview(CONTENT[:-1]))


def test_a_form_that_hundreds_of_operations_send_is_kept_once():
    """Kept with each of them, the headers of its parts took 140 MB."""
    headers = {f"H{number}": {"schema": {"const": "a"}} for number in range(300)}
    media = {"schema": {"properties": {"a": {"type": "string"}}}, "encoding": {"a": {"headers": headers}}}
    bodies = {"requestBodies": {"B": {"content": {"multipart/form-data": media}}}}
    paths = {f"/{n}": {"post": {"requestBody": {"$ref": "#/components/requestBodies/B"}}} for n in range(300)}
    document = msgspec.json.encode({"openapi": "3.1.0", "paths": paths, "components": bodies})
    source = ApiSource(name="a", base=base_url("https://api.example.com"), description=describe(parse(document)))
    about, pieces = kept.encode(build([source]))
    assert len(about) < 1_000_000
    tools = list(kept.decode(about, memoryview(b"".join(pieces))).tools.values())
    assert request(tools[0], {"a": "x"}).body.count(b"H299: a") == 1
    assert request(tools[299], {"a": "x"}).body.count(b"H299: a") == 1
