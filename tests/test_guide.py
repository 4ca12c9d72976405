"""Prompts about the whole API, resources, completion: what people pick and clients attach."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio
from mcp import Client, MCPError
from mcp_types.methods import validate_server_result

from descriptions import catalog, operation, parameter
from openapi_mcp_server.bridge.model import ToolCatalog
from openapi_mcp_server.bridge.policy import ANYBODY, Permit, Principal, Rule
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.gateway.serving import Serving
from openapi_mcp_server.mcp.inbound import Call
from openapi_mcp_server.mcp.methods import is_modern
from openapi_mcp_server.observe.trace import Carrier
from scripted import SERVER, ScriptedApi, unchanged
from served import served

VERSIONS = ["2025-11-25", "2026-07-28"]
COLOURS = parameter("colour", value={"type": "string", "enum": ["red", "green", "blue"]})
OPERATIONS = [
    operation(
        "POST", f"/pets/{number}", operation_id=f"createPet{number}", summary=f"Create pet {number}", tags=("pets",)
    )
    for number in range(30)
]
LIST_CARS = operation(
    "GET", "/cars", operation_id="listCars", summary="List cars", tags=("cars",), parameters=(COLOURS,)
)
MANY = catalog(*OPERATIONS, LIST_CARS)
FEW = catalog(LIST_CARS)
READERS = Principal(key="r", permit=Permit(own=Rule(read_only=True)))


def built(tools: ToolCatalog = MANY, **serving: Any) -> Gateway:
    how = Serving(**{"server": SERVER, "call_seconds": 60.0, "prompts": None, **serving})
    return Gateway(tools, how, send=ScriptedApi().send, authorize=unchanged, observe=lambda _: None)


def asked(
    gateway: Gateway, method: str, version: str = VERSIONS[0], principal: Principal = ANYBODY, **call: Any
) -> Any:
    arguments = call.pop("arguments", None)
    raw = None if arguments is None else msgspec.Raw(msgspec.json.encode(arguments))
    message = Call(id=1, method=method, version=version, size=9, arguments=raw, **call)
    answer = gateway.at_once(message, "http", Carrier(principal=principal))
    assert answer is not None
    return msgspec.json.decode(b"".join(answer))


def prompts(gateway: Gateway) -> list[str]:
    return [each["name"] for each in asked(gateway, "prompts/list")["result"]["prompts"]]


def prompted(gateway: Gateway, prompt: str, version: str = VERSIONS[0], **arguments: str) -> str:
    result = asked(gateway, "prompts/get", version, name=prompt, arguments=arguments)["result"]
    validate_server_result("prompts/get", version, result)
    return result["messages"][0]["content"]["text"]


def test_few_operations_have_a_prompt_each_and_many_have_three_about_all() -> None:
    assert prompts(built(FEW)) == ["use_listCars"]
    assert prompts(built()) == ["overview", "task", "explain_operation"]
    assert len(prompts(built(prompts=True))) == 31
    assert prompts(built(prompts=False)) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_the_overview_counts_what_there_is(version: str) -> None:
    told = prompted(built(), "overview", version)
    assert "31 operations, 1 of them only read." in told
    assert told.index("- pets: 30") < told.index("- cars: 1")


@pytest.mark.parametrize(("mode", "way"), [("all", "this server's tools"), ("search", "search_operations")])
def test_a_task_says_how_to_find_operations_and_to_ask_before_a_change(mode: str, way: str) -> None:
    told = prompted(built(mode=mode), "task", goal="buy a car")
    assert way in told
    assert "only after I have agreed" in told
    assert told.endswith("The task: buy a car")


def test_an_operation_is_explained_by_its_name_or_place() -> None:
    for name in ("listCars", "GET /cars"):
        assert 'colour?: "red"|"green"|"blue"' in prompted(built(), "explain_operation", name=name)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        ("task", {}, "missing required arguments: goal"),
        ("task", {"goal": "  "}, "missing required arguments: goal"),
        ("explain_operation", {}, "missing required arguments: name"),
        ("explain_operation", {"name": "listCar"}, "did you mean listCars?"),
        ("overview", {"x": "y"}, "unknown argument 'x'"),
        ("task", {"goal": 5}, "object of strings"),
        ("nothing", {}, "unknown prompt"),
    ],
)
def test_wrong_arguments_of_a_prompt_are_invalid_params(version: str, name: str, arguments: Any, problem: str) -> None:
    error = asked(built(), "prompts/get", version, name=name, arguments=arguments)["error"]
    assert error["code"] == -32602
    assert problem in error["message"]


@pytest.mark.parametrize("version", VERSIONS)
def test_resources_are_listed_and_read(version: str) -> None:
    gateway = built()
    listed = asked(gateway, "resources/list", version)["result"]
    validate_server_result("resources/list", version, listed)
    assert [each["uri"] for each in listed["resources"]] == ["openapi://pets/overview", "openapi://pets/document"]
    [template] = asked(gateway, "resources/templates/list", version)["result"]["resourceTemplates"]
    assert template["uriTemplate"] == "openapi://pets/operations/{name}"
    for uri, part in (
        ("openapi://pets/overview", "- cars: 1"),
        ("openapi://pets/operations/listCars", "GET /cars"),
        ("openapi://pets/document", '"operationId":"listCars"'),
    ):
        read = asked(gateway, "resources/read", version, name=uri)["result"]
        validate_server_result("resources/read", version, read)
        [contents] = read["contents"]
        assert contents["uri"] == uri
        assert part in contents["text"]
        assert ("ttlMs" in read) == is_modern(version)


@pytest.mark.parametrize(
    "uri",
    [
        "openapi://pets/operations/", "openapi://pets/operations/nothing", "openapi://zoo/overview", "openapi://pets",
        "openapi://zoo/document", "openapi://pets/document/x", "file:///etc/passwd", "pets/overview", "",
    ],
)  # fmt: skip
def test_what_is_no_resource_is_refused(uri: str) -> None:
    assert asked(built(), "resources/read", name=uri)["error"]["code"] == -32002


def completed(ref: Any, name: str, value: str, version: str = VERSIONS[0], gateway: Gateway | None = None) -> Any:
    arguments = {"ref": ref, "argument": {"name": name, "value": value}}
    result = asked(gateway or built(), "completion/complete", version, arguments=arguments)["result"]
    validate_server_result("completion/complete", version, result)
    return result["completion"]


OPERATION = {"type": "ref/resource", "uri": "openapi://pets/operations/{name}"}


@pytest.mark.parametrize("version", VERSIONS)
def test_names_of_operations_are_completed(version: str) -> None:
    explain = {"type": "ref/prompt", "name": "explain_operation"}
    for ref in (explain, OPERATION):
        assert completed(ref, "name", "LIST", version) == {"values": ["listCars"], "total": 1, "hasMore": False}
        assert completed(ref, "name", "pet2", version)["values"][:2] == ["createPet2", "createPet20"]
        assert completed(ref, "name", "", version)["total"] == 31


def test_values_that_a_schema_lists_are_completed() -> None:
    ref = {"type": "ref/prompt", "name": "use_listCars"}
    assert completed(ref, "colour", "r", gateway=built(FEW))["values"] == ["red", "green"]
    assert completed(ref, "colour", "x", gateway=built(FEW))["values"] == []


@pytest.mark.parametrize(
    ("ref", "argument"),
    [
        ({"type": "ref/prompt", "name": "task"}, "goal"),
        (OPERATION, "id"),
        ({"type": "ref/resource", "uri": "openapi://pets/overview"}, "name"),
        ({"type": "ref/resource", "uri": "openapi://pets/operations/listCars"}, "name"),
    ],
)
def test_what_is_not_known_has_no_completion(ref: Any, argument: str) -> None:
    assert completed(ref, argument, "") == {"values": [], "total": 0, "hasMore": False}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("uri", "near"),
    [
        ("openapi://pet/operations/{name}", "openapi://pets/operations/{name}"),
        ("openapi://zoo/operations/{name}", "openapi://pets/operations/{name}"),
        ("file:///{path}", ""),
        ("", ""),
    ],
)
def test_an_argument_of_a_resource_that_is_not_there_is_refused(version: str, uri: str, near: str) -> None:
    params = {"ref": {"type": "ref/resource", "uri": uri}, "argument": {"name": "name", "value": ""}}
    refused = asked(built(), "completion/complete", version, arguments=params)["error"]
    assert refused["code"] == -32602
    assert refused["message"] == f"unknown resource template {uri!r}{f'; did you mean {near}?' if near else ''}"


def test_a_template_may_come_with_its_braces_escaped() -> None:
    escaped = OPERATION | {"uri": "openapi://pets/operations/%7Bname%7D"}
    assert completed(escaped, "name", "") == completed(OPERATION, "name", "")


def test_the_prompt_of_a_tool_is_completed_by_the_name_of_the_tool_too() -> None:
    ref = {"type": "ref/prompt", "name": "listCars"}
    assert completed(ref, "colour", "b", gateway=built(FEW))["values"] == ["blue"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("tools", "name", "near"),
    [
        (MANY, "explain_operatoin", "explain_operation"),
        (MANY, "use_listCars", None),
        (FEW, "use_listCar", "use_listCars"),
        (FEW, "overview", None),
        (FEW, "", None),
    ],
)
def test_an_argument_of_a_prompt_that_is_not_there_is_refused_as_the_prompt_is(
    version: str, tools: ToolCatalog, name: str, near: str | None
) -> None:
    params = {"ref": {"type": "ref/prompt", "name": name}, "argument": {"name": "name", "value": ""}}
    refused = asked(built(tools), "completion/complete", version, arguments=params)["error"]
    assert refused == asked(built(tools), "prompts/get", version, name=name)["error"]
    assert (refused["code"], near is None or near in refused["message"]) == (-32602, True)


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
@pytest.mark.parametrize(
    "ref",
    [
        {}, {"type": 5}, {"type": "ref/tool", "name": "x"}, {"type": "ref/prompt"}, {"type": "ref/prompt", "name": 1},
        {"type": "ref/prompt", "uri": "x"}, {"type": "ref/resource"}, {"type": "ref/resource", "name": "x"},
        {"name": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_a_completion_for_nothing_that_could_be_is_refused(ref: Any, version: str) -> None:
    params = {"ref": ref, "argument": {"name": "name", "value": ""}}
    assert asked(built(), "completion/complete", version, arguments=params)["error"]["code"] == -32602


@pytest.mark.parametrize(
    "argument", [{}, {"name": "x"}, {"value": ""}, {"name": 1, "value": ""}, {"name": "x", "value": 1}]
)
def test_a_completion_of_no_argument_is_refused(argument: Any) -> None:
    refused = asked(built(), "completion/complete", arguments={"ref": OPERATION, "argument": argument})["error"]
    assert (refused["code"], refused["message"][:11]) == (-32602, "params.ref ")


def test_a_caller_is_told_of_no_operation_that_it_may_not_call() -> None:
    gateway = built(private=True)
    explain = {"ref": {"type": "ref/prompt", "name": "use_listCars"}, "argument": {"name": "name", "value": "create"}}
    calls = [
        ("resources/list", {}), ("resources/read", {"name": "openapi://pets/overview"}), ("prompts/list", {}),
        ("resources/read", {"name": "openapi://pets/operations/createPet1"}),
        ("resources/read", {"name": "openapi://pets/document"}),
        ("completion/complete", {"arguments": {"ref": OPERATION, "argument": {"name": "name", "value": "c"}}}),
        ("completion/complete", {"arguments": explain}),
    ]  # fmt: skip
    told = str([asked(gateway, method, VERSIONS[0], READERS, **call) for method, call in calls])
    assert "listCars" in told
    assert "Create pet" not in told
    assert "createPet2" not in told


@pytest.mark.filterwarnings(
    "ignore:Async generator 'httpx2:ResourceWarning", "ignore:Async generator 'httpcore2:ResourceWarning"
)
@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_the_official_client_reads_prompts_and_resources(mode: str) -> None:
    async def main() -> None:
        with trio.fail_after(20):
            async with served(built()) as url, Client(url, mode=mode) as client:
                overview, document = (await client.list_resources()).resources
                assert "# Pets" in (await client.read_resource(overview.uri)).contents[0].text
                assert "listCars" in (await client.read_resource(document.uri)).contents[0].text
                assert len((await client.list_prompts()).prompts) == 3
                told = await client.get_prompt("explain_operation", {"name": "listCars"})
                assert "colour" in told.messages[0].content.text
                with pytest.raises(MCPError):
                    await client.get_prompt("task", {})

    trio.run(main)
