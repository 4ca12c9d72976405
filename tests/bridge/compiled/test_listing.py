"""Entries in one text: those of tools are slices of it, and so is what they say of their answers."""

from __future__ import annotations

import msgspec
import pytest

from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.compiled.listing import Listing
from openapi_mcp_server.bridge.model import OutputContract, ToolCatalog
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.mcp import answers
from openapi_mcp_server.mcp.messages import ServerInfo
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import parse
from scripted import tool

DOCUMENT = b"""{"openapi": "3.1.0", "paths": {
    "/a": {"get": {"operationId": "a", "responses": {"200": {"content": {"application/json": {"schema": {
        "type": "object", "properties": {"b": {"type": "string"}}}}}}}}},
    "/c": {"get": {"operationId": "c", "responses": {"200": {}}}}}}"""


@pytest.fixture(scope="module")
def catalog() -> ToolCatalog:
    source = ApiSource(name="api", base=base_url("https://a.example.com"), description=describe(parse(DOCUMENT)))
    return build([source])


def test_entries_lie_beside_each_other_as_in_a_list(catalog: ToolCatalog) -> None:
    assert catalog.listed is not None
    listed = msgspec.json.decode(b"[" + bytes(catalog.listed) + b"]")
    assert listed == [msgspec.json.decode(each.entry) for each in catalog.tools.values()]
    assert [entry["name"] for entry in listed] == ["a", "c"]


def test_the_schema_of_answers_is_that_of_the_entry(catalog: ToolCatalog) -> None:
    first = catalog.tools["a"]
    assert first.output is not None
    assert msgspec.json.decode(first.output.schema) == msgspec.json.decode(first.entry)["outputSchema"]
    assert catalog.tools["c"].output is None


def test_a_list_of_all_tools_is_that_text(catalog: ToolCatalog) -> None:
    def pages(listed: memoryview | None) -> answers.Pages:
        entries = [each.entry for each in catalog.tools.values()]
        shown = answers.ListedEntries(tools=entries, listed=listed, prompts=[])
        made = answers.render(ServerInfo(name="s", version="1"), shown, page_size=1)
        return made.lists["tools/list"]

    assert catalog.listed is not None
    own, other = pages(catalog.listed), pages(None)
    assert [b"".join(page) for page in own.values()] == [b"".join(page) for page in other.values()]
    assert all(memoryview(page[1]).obj is catalog.listed.obj for page in own.values())


def test_what_is_not_in_the_entry_stays_as_it_is() -> None:
    listing = Listing()
    output = OutputContract(schema=msgspec.Raw(b'{"type":"null"}'), wrapped=False)
    one = msgspec.structs.replace(tool("one"), output=output)
    taken = {"one": listing.take(one)}
    assert bytes(taken["one"].entry) == b"{}"
    [given] = listing.given_back(taken).values()
    assert (bytes(given.entry), given.output) == (bytes(one.entry), output)


def test_white_space_keeps_entries_from_being_a_list_as_they_are() -> None:
    listing = Listing()
    listing.take(msgspec.structs.replace(tool(), entry=msgspec.Raw(b'{"a":\n1}')))
    assert listing.whole() is None
