"""Search mode: four tools stand for all operations, over every transport and in both eras."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec
import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types.methods import validate_server_result

from clocks import run
from descriptions import JSON, answer, body, catalog, media, operation, parameter, source
from model_apis import refusals
from openapi_mcp_server.bridge.catalog import build
from openapi_mcp_server.bridge.model import ToolCatalog, ToolForm
from openapi_mcp_server.bridge.policy import ANYBODY, Permit, Principal, Rule, selector
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.gateway.serving import Serving
from openapi_mcp_server.mcp.inbound import Call
from openapi_mcp_server.observe.record import CallRecord
from openapi_mcp_server.observe.trace import Carrier
from processes import command, environment, started
from scripted import SERVER, ScriptedApi, ok, slowly, unchanged

# The client leaves the generators of an event stream to the garbage collector, which Trio warns of.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Async generator 'httpx2:ResourceWarning", "ignore:Async generator 'httpcore2:ResourceWarning"
)
VERSIONS = ["2024-11-05", "2025-11-25", "2026-07-28"]
FOUR = ["search_operations", "describe_operation", "read_operation", "call_operation"]
LIST_PETS = operation(
    operation_id="listPets",
    summary="List the pets of a shop",
    tags=("pets",),
    parameters=(parameter("limit", value={"type": "integer", "maximum": 50}),),
    responses=(answer("200", media(JSON, {"type": "object", "properties": {"pets": {"type": "array", "items": {}}}})),),
)
CREATE_PET = operation(
    "POST",
    operation_id="createPet",
    summary="Create a pet",
    tags=("pets",),
    body=body(
        media(
            JSON,
            {
                "type": "object",
                "properties": {"name": {"type": "string", "maxLength": 20}, "price": {"type": "number"}},
                "required": ["name"],
            },
        )
    ),
)
CLOSE_SHOP = operation("DELETE", "/shops/{id}", operation_id="closeShop", summary="Close a shop", tags=("shops",))
CLOSE_SHOP = msgspec.structs.replace(CLOSE_SHOP, parameters=(parameter("id", "path"),))
ELSEWHERE = operation(
    "POST", "/photos", operation_id="uploadPhoto", summary="Upload a photo", servers=("https://files.example.com",)
)


def served_gateway(
    api: ScriptedApi | None = None,
    tools: ToolCatalog | None = None,
    records: list[CallRecord] | None = None,
    **serving: Any,
) -> Gateway:
    made = tools or catalog(LIST_PETS, CREATE_PET, CLOSE_SHOP, ELSEWHERE)
    how = Serving(**{"server": SERVER, "call_seconds": 60.0, "mode": "search", **serving})
    told = [] if records is None else records
    return Gateway(made, how, send=(api or ScriptedApi()).send, authorize=unchanged, observe=told.append)


def call(tool: str, version: str = "2025-11-25", **arguments: Any) -> Call:
    raw = msgspec.Raw(msgspec.json.encode(arguments))
    return Call(id=1, method="tools/call", version=version, size=9, name=tool, arguments=raw)


def result(built: Gateway, asked: Call, principal: Principal = ANYBODY) -> dict[str, Any]:
    async def main() -> bytes:
        return b"".join(await built.answer(asked, "http", beside=Carrier(principal=principal)))

    return msgspec.json.decode(run(main))["result"]


def text(built: Gateway, asked: Call, principal: Principal = ANYBODY) -> str:
    (content,) = result(built, asked, principal)["content"]
    return content["text"]


def error_text(built: Gateway, asked: Call, principal: Principal = ANYBODY) -> str:
    found = result(built, asked, principal)
    assert found["isError"] is True
    return found["content"][0]["text"]


def listed(built: Gateway, principal: Principal = ANYBODY) -> list[dict[str, Any]]:
    asked = Call(id=1, method="tools/list", version="2025-11-25", size=9)
    return msgspec.json.decode(b"".join(built.at_once(asked, "http", Carrier(principal=principal))))["result"]["tools"]


def test_four_tools_are_listed_and_say_what_there_is_to_find() -> None:
    tools = listed(served_gateway())
    assert [tool["name"] for tool in tools] == FOUR
    assert "There are 3; areas: pets 2, shops 1" in tools[0]["description"]
    assert not any("outputSchema" in tool for tool in tools)
    assert all(tool["_meta"]["anthropic/alwaysLoad"] for tool in tools)


def test_clients_can_allow_reading_for_ever() -> None:
    hints = {tool["name"]: tool["annotations"].get("readOnlyHint") for tool in listed(served_gateway())}
    assert hints == {**dict.fromkeys(FOUR[:3], True), "call_operation": None}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "asked", [("search_operations", {"query": "pets"}), ("describe_operation", {"name": "createPet"})]
)
def test_answers_are_text_alone(version: str, asked: tuple[str, dict[str, Any]]) -> None:
    found = result(served_gateway(), call(asked[0], version, **asked[1]))
    validate_server_result("tools/call", version, found)
    assert "structuredContent" not in found
    assert not found.get("isError")


def test_a_hit_says_how_it_is_called_and_what_it_answers() -> None:
    first, second, *_ = text(served_gateway(), call("search_operations", query="list pets")).splitlines()
    assert first == "1. listPets(limit?: int) → {pets}"
    assert second == "   GET /pets — List the pets of a shop"


def test_pages_of_hits_go_on_where_the_last_one_ended() -> None:
    built = served_gateway()
    first = text(built, call("search_operations", query="", limit=2))
    assert "1–2 of 3; offset=2 for more." in first
    assert text(built, call("search_operations", query="", limit="2", offset=2)).startswith("3. closeShop(id)")


@pytest.mark.parametrize(
    ("narrowed", "names"),
    [
        ({"tag": "Shops"}, ["closeShop"]),
        ({"method": "POST"}, ["createPet"]),
        ({"method": "get", "tag": "pets"}, ["listPets"]),
    ],
)
def test_a_search_may_be_narrowed(narrowed: dict[str, str], names: list[str]) -> None:
    found = text(served_gateway(), call("search_operations", query="", **narrowed))
    assert [name for name in ("listPets", "createPet", "closeShop") if f"{name}(" in found] == names


NFC, NFD = "Caf\u00e9s", "Cafe\u0301s"
"""One name in the two spellings of Unicode."""


@pytest.mark.parametrize("asked", [NFC, NFD, NFC.upper(), "Caf\u200b\u00e9s"])
@pytest.mark.parametrize("written", [NFC, NFD])
def test_an_area_and_a_place_are_found_in_either_spelling_of_unicode(written: str, asked: str) -> None:
    brew = operation("POST", f"/{written}/brew", operation_id="brew", tags=(written,))
    built = served_gateway(tools=catalog(LIST_PETS, brew))
    assert text(built, call("search_operations", query="", tag=asked)).splitlines()[0].startswith("1. brew(")
    assert f"tag={NFC!r}" in error_text(built, call("describe_operation", name=asked))
    if asked == asked.capitalize():
        assert "brew" in text(built, call("describe_operation", name=f"POST /{asked}/brew"))


@pytest.mark.parametrize("open_choice", [{"method": ""}, {"method": "any", "tag": "ALL"}, {"limit": 0, "offset": -1}])
def test_what_narrows_nothing_is_as_good_as_left_out(open_choice: dict[str, Any]) -> None:
    asked = text(served_gateway(), call("search_operations", query="pets"))
    assert text(served_gateway(), call("search_operations", query="pets", **open_choice)) == asked


def test_a_method_that_there_is_not_is_answered_with_those_there_are() -> None:
    told = error_text(served_gateway(), call("search_operations", query="pets", method="FETCH"))
    assert told == "there is no method 'FETCH'; there are GET, POST, DELETE"


@pytest.mark.parametrize("query", ["closeShop", "close-shop", "DELETE /shops/{id}", "/shops/7", "what closeShop does"])
def test_an_operation_that_a_query_names_is_found_first(query: str) -> None:
    assert text(served_gateway(), call("search_operations", query=query)).startswith("1. closeShop(")


def test_a_query_that_names_what_a_caller_may_not_call_finds_nothing_of_it() -> None:
    told = text(served_gateway(), call("search_operations", query="closeShop", method="GET"))
    assert "closeShop" not in told


def test_a_search_for_nothing_says_what_can_be_asked_for() -> None:
    assert "the argument tag: pets 2, shops 1" in text(served_gateway(), call("search_operations", query=" "))


def test_a_tool_that_there_is_not_is_answered_with_the_way_to_operations() -> None:
    async def main() -> bytes:
        return b"".join(await served_gateway().answer(call("close_shops"), "http"))

    assert "called with call_operation" in msgspec.json.decode(run(main))["error"]["message"]


def test_an_area_that_does_not_exist_is_answered_with_those_that_do() -> None:
    assert "did you mean pets?" in error_text(served_gateway(), call("search_operations", query="x", tag="pest"))


def test_an_operation_that_is_not_offered_is_named_with_the_reason_where_it_would_have_been_found() -> None:
    built = served_gateway()
    assert "Not offered here: POST /photos (" in text(built, call("search_operations", query="upload a photo"))
    assert "files.example.com" in error_text(built, call("call_operation", name="POST /photos"))


def test_an_operation_is_described_with_every_argument_and_its_limits() -> None:
    told = text(served_gateway(), call("describe_operation", name="POST /pets"))
    assert told.splitlines()[:2] == ["createPet: POST /pets", "Create a pet"]
    assert "  name: string (at most 20 characters)" in told
    assert "  price?: number" in told


@pytest.mark.parametrize("version", VERSIONS)
def test_an_operation_is_called_by_its_name_or_its_place(version: str) -> None:
    for name in ("createPet", "POST /pets", " POST  /pets ", "post /pets"):
        api = ScriptedApi(ok(b'{"id": 5}'))
        asked = call("call_operation", version, name=name, arguments={"name": "Rex"})
        assert text(served_gateway(api), asked) == '{"id":5}'
        assert [(one.method, one.path, one.body) for one in api.requests] == [("POST", "/v1/pets", b'{"name":"Rex"}')]


@pytest.mark.parametrize("arguments", ['{"name": "Rex"}', {"name": "Rex"}])
def test_arguments_that_are_written_as_text_are_read(arguments: object) -> None:
    api = ScriptedApi()
    result(served_gateway(api), call("call_operation", name="createPet", arguments=arguments))
    assert api.requests[0].body == b'{"name":"Rex"}'


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "createPet", "arguments": {"name": "createPet", "arguments": {"name": "Rex"}}},
        {"name": "createPet", "arguments": {"name": "createPet", "arguments": '{"name": "Rex"}'}},
        {"name": "createPet", "arguments": {"name": "Rex"}, "response_filter": None},
        {"name": "closeShop", "id": "7"},
        {"name": "closeShop", "id": "7", "arguments": None, "response_filter": None},
        {"name": "closeShop", "id": "7", "arguments": {}},
    ],
)
def test_a_call_is_carried_out_as_clients_and_models_write_it(asked: dict[str, Any]) -> None:
    api = ScriptedApi()
    result(served_gateway(api), call("call_operation", **asked))
    assert [(one.path, one.body) for one in api.requests] in (
        [("/v1/pets", b'{"name":"Rex"}')],
        [("/v1/shops/7", None)],
    )


def test_arguments_of_the_four_that_are_null_are_left_out() -> None:
    asked = call("search_operations", query="pets", tag=None, method=None, limit=None, offset=None)
    assert "listPets" in text(served_gateway(), asked)


def test_an_argument_that_has_the_name_of_the_envelope_is_the_operations_own() -> None:
    api = ScriptedApi()
    tools = catalog(
        operation(
            "POST",
            operation_id="run",
            body=body(media(JSON, {"type": "object", "properties": {"name": {}, "arguments": {"type": "object"}}})),
        )
    )
    own = {"name": "run", "arguments": {"name": "x"}}
    result(served_gateway(api, tools), call("call_operation", name="run", arguments=own))
    assert api.requests[0].body == msgspec.json.encode(own)


@pytest.mark.parametrize("arguments", ["Rex", [], 5, "", None])
def test_arguments_that_are_no_object_are_refused_in_words_or_count_as_none(arguments: object) -> None:
    api = ScriptedApi()
    told = error_text(served_gateway(api), call("call_operation", name="createPet", arguments=arguments))
    assert "name" in told or "cannot be read" in told
    assert api.requests == []


def test_what_is_wrong_with_an_argument_is_answered_with_how_it_is_to_be() -> None:
    told = error_text(served_gateway(), call("call_operation", name="createPet", arguments={"name": 5, "price": "x"}))
    assert "price?: number" in told
    assert "Nothing was sent to the API." in told


def test_reading_changes_nothing() -> None:
    api = ScriptedApi()
    built = served_gateway(api)
    assert "use call_operation" in error_text(built, call("read_operation", name="createPet", arguments={"name": "R"}))
    assert api.requests == []
    assert text(built, call("read_operation", name="listPets")) == '{"id":5}'


def test_a_filter_stands_beside_the_arguments() -> None:
    tools = build([source(LIST_PETS, CREATE_PET)], ToolForm(response_filter=True))
    built = served_gateway(ScriptedApi(ok(b'{"pets": [1, 2]}')), tools)
    asked = call("read_operation", name="listPets", arguments={"limit": 2}, response_filter="length(pets)")
    assert text(built, asked).startswith("2")
    assert "not JSON" in error_text(built, call("call_operation", name="createPet", response_filter="x"))


@pytest.mark.parametrize("tool", ["describe_operation", "read_operation", "call_operation"])
def test_an_unknown_operation_is_answered_with_the_nearest(tool: str) -> None:
    assert "did you mean listPets?" in error_text(served_gateway(), call(tool, name="list_pests"))
    assert "by what it does" in error_text(served_gateway(), call(tool, name="x" * 500))


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("search_operations", {}, "query"),
        ("search_operations", {"query": 5}, "query"),
        ("describe_operation", {"name": "createPet", "type": "nothing"}, "price"),
        ("call_operation", {"arguments": {}}, "name"),
    ],
)
def test_wrong_arguments_of_the_four_are_answered_in_words(tool: str, arguments: dict[str, Any], told: str) -> None:
    assert told in error_text(served_gateway(), call(tool, **arguments))


def test_records_name_the_operation_that_was_called() -> None:
    records: list[CallRecord] = []
    built = served_gateway(records=records)
    for asked in (
        call("search_operations", query="pets"),
        call("read_operation", name="GET /pets"),
        call("call_operation", name="nothing"),
    ):
        result(built, asked)
    assert [(record.tool, record.api, record.outcome, record.status) for record in records] == [
        ("search_operations", "", "ok", None),
        ("listPets", "pets", "ok", 200),
        ("call_operation", "", "tool_error", None),
    ]


def test_the_audit_has_the_operations_own_arguments() -> None:
    records: list[CallRecord] = []
    built = served_gateway(records=records, tell_arguments=True)
    result(built, call("call_operation", name="createPet", arguments={"name": "Rex"}))
    assert msgspec.json.decode(records[0].arguments) == {"name": "Rex"}


def test_the_deadline_of_a_call_holds_in_search_mode() -> None:
    told = error_text(served_gateway(ScriptedApi(slowly(100))), call("read_operation", name="listPets"))
    assert "no answer within 60 s" in told


def test_a_long_answer_is_cut_to_the_budget() -> None:
    built = served_gateway(ScriptedApi(ok(b"[%b1]" % (b"1," * 3_000))), result_budget_bytes=1_000)
    first, about = result(built, call("read_operation", name="listPets"))["content"]
    assert len(first["text"]) <= 1_000
    assert "499 of 3,001" in about["text"]


READERS = Principal(key="r", name="reader", permit=Permit(own=Rule(read_only=True)))
NO_SHOPS = Principal(key="n", name="clerk", permit=Permit(own=Rule(deny=(selector("tag:shops"), selector("/photos")))))


def everything_told(built: Gateway, principal: Principal) -> str:
    """All that the four tools say to somebody who asks for everything, by every way."""
    names = ["listPets", "createPet", "closeShop", "DELETE /shops/{id}", "POST /photos", "closeShop2", "uploadPhoto"]
    queries = ["", "close a shop", "upload a photo", "closeShop", "create a pet"]
    calls = [call("search_operations", query=query, limit=20) for query in queries]
    calls += [call("search_operations", query="", tag=tag) for tag in ("shops", "shop", "photos")]
    calls += [call(tool, name=name) for tool in FOUR[1:] for name in names]
    told = [msgspec.json.encode(listed(built, principal)).decode()]
    return "\n".join([*told, *(str(result(built, each, principal)) for each in calls)])


@pytest.mark.parametrize(
    ("principal", "denied"),
    [
        (READERS, ["createPet(", "Create a pet", "Close a shop", "Upload"]),
        (NO_SHOPS, ["Close a shop", "files.example"]),
    ],
)
def test_what_a_caller_may_not_call_is_in_no_byte_of_any_answer(principal: Principal, denied: list[str]) -> None:
    told = everything_told(served_gateway(private=True), principal)
    assert "listPets" in told
    assert [word for word in denied if word in told] == []


def test_what_a_caller_may_not_call_is_not_sent_and_is_in_the_audit() -> None:
    api, records = ScriptedApi(), list[CallRecord]()
    built = served_gateway(api, records=records, private=True)
    assert "there is no operation" in error_text(built, call("call_operation", name="closeShop"), READERS)
    assert api.requests == []
    assert [(record.denied, record.principal) for record in records] == [("closeShop", "reader")]


ID = parameter("id", "path")
PETS = [
    LIST_PETS,
    operation("GET", "/v1/pets/{id}", operation_id="getPet", summary="Get a pet", tags=("pets",), parameters=(ID,)),
    operation("GET", "/stores", operation_id="listStores", summary="List stores", tags=("stores",)),
    operation("GET", "/shops/{id}/toys", operation_id="shopToys", summary="Toys in a shop", parameters=(ID,)),
]
DENIED = [
    operation("GET", "/v2/pets/{id}", operation_id="getPetQuickly", summary="Get a pet quickly", parameters=(ID,)),
    operation("POST", "/zebras", operation_id="createZebra", summary="Create a zebra", tags=("zoo",)),
    operation("GET", "/salaries", operation_id="listSalaries", summary="List the salaries of a shop", tags=("pets",)),
    operation("GET", "/toys", operation_id="shop-toys", summary="Lists all toys", tags=("hr",)),
    operation("PUT", "/skipped", operation_id="putNothing", servers=("https://zebras.example.com",)),
]
ASKED = ["zebra", "zebras", "zebrs", "salaries", "salry", "quickly", "toys", "stores", "pets", "zoo", "hr", "skipped"]


def test_what_a_caller_may_not_call_changes_no_answer() -> None:
    """Whether a word is one of a hidden operation must show neither in hits nor in their order."""
    names = [each.operation_id for each in PETS]
    permitted = Permit(own=Rule(allow=tuple(map(selector, names))))
    somebody = Principal(key="s", name="somebody", permit=permitted)
    some, all_of_them = catalog(*PETS), catalog(*DENIED, *PETS)
    assert len(all_of_them.skipped) == 1
    places = [f"{each.method} {each.path}" for each in DENIED]
    queries = [*ASKED, *(f"{one} {other}" for one in ASKED for other in ASKED), *places]
    wanted = [call("search_operations", query=query, limit=20) for query in queries]
    wanted += [call("search_operations", query="", tag=tag) for tag in ASKED]
    wanted += [call(tool, name=name) for tool in FOUR[1:] for name in (*places, "createZebra", "listZebras", "zoo")]
    built = [served_gateway(tools=tools, private=True) for tools in (some, all_of_them)]
    without, beside = ([result(each, one, somebody) for one in wanted] for each in built)
    assert beside == without


@pytest.mark.parametrize("name", ["closeShop", "CLOSE-SHOP", "DELETE /shops/{id}", "delete /shops/{shop}", "/shops/7"])
@pytest.mark.parametrize("tool", ["describe_operation", "read_operation", "call_operation"])
def test_whoever_tries_what_is_denied_is_in_the_audit_however_it_is_written(tool: str, name: str) -> None:
    records = list[CallRecord]()
    built = served_gateway(records=records, private=True)
    assert result(built, call(tool, name=name), READERS)["isError"]
    assert [record.denied for record in records] == ["closeShop"]


def test_what_a_caller_may_describe_is_not_denied_in_the_audit() -> None:
    records = list[CallRecord]()
    built = served_gateway(records=records, private=True)
    for name in ("listPets", "LIST_PETS", "nothing like it"):
        result(built, call("describe_operation", name=name), READERS)
    assert [record.denied for record in records] == ["", "", ""]


@pytest.mark.parametrize("hides", [True, "yes"])
def test_an_operation_that_is_hidden_or_may_be_is_told_to_nobody(hides: object) -> None:
    override = msgspec.Raw(msgspec.json.encode({"hidden": hides}))
    hidden = msgspec.structs.replace(CLOSE_SHOP, overrides=override)
    tools = catalog(LIST_PETS, CREATE_PET, hidden)
    assert len(tools.skipped) == 1
    assert "Close a shop" not in everything_told(served_gateway(tools=tools), ANYBODY)
    assert "hidden" not in everything_told(served_gateway(tools=tools), ANYBODY)


def two_apis() -> ToolCatalog:
    return build([source(LIST_PETS, name="pets", prefix=True), source(LIST_PETS, name="zoo", prefix=True)])


def test_several_apis_are_searched_at_once_and_hits_say_whose_they_are() -> None:
    built = served_gateway(tools=two_apis())
    both = text(built, call("search_operations", query="list pets"))
    assert "pets: GET /pets" in both
    assert "zoo: GET /pets" in both
    assert "pets: GET" not in text(built, call("search_operations", query="list pets", api="zoo"))
    assert "there are pets, zoo" in error_text(built, call("search_operations", query="x", api="cars"))
    assert listed(built)[0]["inputSchema"]["properties"]["api"]["enum"] == ["pets", "zoo"]


@pytest.mark.parametrize(("budget", "names"), [(0, FOUR), (100_000, ["listPets", "createPet", "closeShop"])])
def test_auto_lists_what_a_model_can_pay_for_and_searches_more(budget: int, names: list[str]) -> None:
    assert [tool["name"] for tool in listed(served_gateway(mode="auto", list_tokens=budget))] == names


def test_auto_decides_by_what_a_caller_may_call() -> None:
    costly = operation("POST", "/w", operation_id="w", description="word " * 150, body=CREATE_PET.body)
    built = served_gateway(tools=catalog(LIST_PETS, costly), mode="auto", list_tokens=150, private=True)
    everything = Principal(key="e", permit=Permit())
    assert [tool["name"] for tool in listed(built, everything)] == FOUR
    assert [tool["name"] for tool in listed(built, READERS)] == ["listPets"]


def test_an_operation_may_still_be_called_by_its_own_name() -> None:
    assert text(served_gateway(), call("listPets")) == '{"id":5}'


def test_a_reload_is_searched_from_then_on() -> None:
    built = served_gateway()

    async def main() -> bytes:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(built.index_ahead)
            await anyio.wait_all_tasks_blocked()
            await built.answer(call("search_operations", query="pets"), "http")
            await built.replace(
                catalog(operation(path="/cars", operation_id="listCars", summary="List cars")), unchanged
            )
            found = await built.answer(call("search_operations", query="cars"), "http")
            tasks.cancel_scope.cancel()
            return b"".join(found)

    assert b"listCars" in run(main)


def test_searches_that_come_before_the_index_wait_for_one() -> None:
    built = served_gateway()
    found: list[bytes] = []

    async def search() -> None:
        found.append(b"".join(await built.answer(call("search_operations", query="list pets"), "http")))

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(search)

    run(main)
    assert len(found) == 5
    assert len(set(found)) == 1


async def whole_demo(client: Client) -> None:
    """A task as a model does it: find, describe, call, read."""
    assert [tool.name for tool in (await client.list_tools()).tools] == FOUR
    hits = await client.call_tool("search_operations", {"query": "create a pet"})
    assert hits.content[0].text.startswith("1. createPet(")
    told = await client.call_tool("describe_operation", {"name": "createPet"})
    assert "species" in told.content[0].text
    arguments = {"name": "Rex", "species": "dog"}
    created = await client.call_tool("call_operation", {"name": "createPet", "arguments": arguments})
    assert not created.is_error
    pet = msgspec.json.decode(created.content[0].text)["id"]
    read = await client.call_tool("read_operation", {"name": "getPet", "arguments": {"petId": pet}})
    assert msgspec.json.decode(read.content[0].text)["name"] == "Rex"
    wrong = await client.call_tool("read_operation", {"name": "getPet", "arguments": {"petId": "Mia"}})
    assert wrong.is_error


def with_client(connection: Any, mode: str) -> None:
    async def main() -> None:
        with anyio.fail_after(60):
            async with Client(connection, mode=mode) as client:
                await whole_demo(client)

    anyio.run(main, backend="trio")


@pytest.fixture(scope="module")
def searched():
    with started("demo", "--port", "0", TOOL_MODE="search") as server:
        yield server.url


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_the_official_client_does_a_task_over_http(searched: str, mode: str) -> None:
    with_client(searched, mode)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_the_official_client_does_a_task_over_sse(searched: str, mode: str) -> None:
    with_client(sse_client(searched.removesuffix("/mcp") + "/sse"), mode)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_the_official_client_does_a_task_over_stdio(mode: str) -> None:
    parameters = StdioServerParameters(
        command=command()[0],
        args=[*command()[1:], "demo", "--transport", "stdio"],
        env=environment() | {"TOOL_MODE": "search"},
    )
    with_client(stdio_client(parameters), mode)


# Lists that are short, and portable


@pytest.mark.parametrize("portable", [False, True])
def test_the_four_tools_are_taken_by_every_model_api_where_that_is_asked_for(portable: bool) -> None:
    built = served_gateway(portable=portable)
    found = [each for tool in listed(built) for each in refusals(msgspec.json.encode(tool))]
    assert (found == []) is portable
    answered = text(built, call("call_operation", name="createPet", arguments='{"name":"Rex"}'))
    assert answered == '{"id":5}'


LONG = {f"p{index}": {"type": "string", "description": "word " * 20} for index in range(100)}
ORDER = operation(
    "POST",
    "/orders",
    operation_id="order",
    body=body(media(JSON, {"type": "object", "properties": {"to": {"type": "object", "properties": LONG}}})),
)


def test_a_tool_that_is_listed_shortened_is_told_whole_elsewhere() -> None:
    tools = catalog(ORDER)
    built = served_gateway(tools=tools, mode="all")
    assert "openapi://pets/operations/order" in msgspec.json.encode(listed(built)).decode()
    asked = Call(id=1, method="resources/read", version="2025-11-25", size=9, name="openapi://pets/operations/order")
    [read] = msgspec.json.decode(b"".join(built.at_once(asked, "http")))["result"]["contents"]
    assert "p99?: string" in read["text"]
    assert "p99?: string" in text(served_gateway(tools=tools), call("describe_operation", name="order"))


def test_an_argument_that_is_wrong_is_told_whole_where_the_list_was_shortened() -> None:
    built = served_gateway(tools=catalog(ORDER), mode="all")
    told = error_text(built, call("order", to={"p7": [1]}))
    assert "/to/p7: expected string" in told
    assert "p99?: string" in told
