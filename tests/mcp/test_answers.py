"""The answers made at load, held against the official SDK's wire types."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from mcp_types.methods import validate_server_result

from openapi_mcp_server.mcp import answers
from openapi_mcp_server.mcp.inbound import Call, Rejection
from openapi_mcp_server.mcp.messages import Pieces, PromptArgument, PromptEntry, ServerInfo
from openapi_mcp_server.mcp.messages import size as length_of
from openapi_mcp_server.mcp.methods import LEGACY, MODERN, SUPPORTED, methods

SERVER = ServerInfo(name="tests", version="1.0")
TOOLS = [msgspec.Raw(b'{"name":"tool_%d","inputSchema":{"type":"object"}}' % number) for number in range(7)]
PROMPTS = [PromptEntry(name="tool_0", description="Do it", arguments=(PromptArgument(name="a", required=True),))]


def rendered(
    page_size: int = 0, tools: Sequence[msgspec.Raw] = TOOLS, prompts: Sequence[PromptEntry] = PROMPTS
) -> answers.StaticAnswers:
    return answers.render(SERVER, answers.ListedEntries(tools=tools, prompts=prompts), page_size=page_size)


def call(method: str, version: str, **more: object) -> Call:
    return Call(id="x", method=method, version=version, size=1, **more)


def result(answered: Pieces | Rejection | None) -> dict[str, object]:
    assert isinstance(answered, tuple)
    message = msgspec.json.decode(b"".join(answered))
    assert message["jsonrpc"] == "2.0"
    assert message["id"] == "x"
    return message["result"]


STATIC = [
    (method, version)
    for version in SUPPORTED
    for method in methods(version)
    if method not in {"tools/call", "prompts/get", "resources/read", "subscriptions/listen"}
]


@pytest.mark.parametrize(("method", "version"), STATIC)
def test_every_answer_is_valid_in_its_revision(method: str, version: str) -> None:
    validate_server_result(method, version, result(rendered().to(call(method, version))))


@pytest.mark.parametrize("version", SUPPORTED)
def test_what_depends_on_the_call_is_left_to_the_gateway(version: str) -> None:
    assert rendered().to(call("tools/call", version)) is None
    assert rendered().to(call("prompts/get", version)) is None


@pytest.mark.parametrize("version", LEGACY)
def test_initialize_says_the_revision_that_was_negotiated(version: str) -> None:
    answered = result(rendered().to(call("initialize", version)))
    assert answered["protocolVersion"] == version
    assert answered["serverInfo"] == {"name": "tests", "version": "1.0"}


@pytest.mark.parametrize("method", [method for method, version in STATIC if version in MODERN])
def test_modern_answers_say_their_type_and_their_server(method: str) -> None:
    answered = result(rendered().to(call(method, MODERN[0])))
    assert answered["resultType"] == "complete"
    assert answered["_meta"] == {"io.modelcontextprotocol/serverInfo": {"name": "tests", "version": "1.0"}}


def test_discover_lists_every_revision_newest_first() -> None:
    answered = result(rendered().to(call("server/discover", MODERN[0])))
    assert answered["supportedVersions"] == ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]


def test_all_tools_are_on_one_page_unless_a_size_is_set() -> None:
    answered = result(rendered().to(call("tools/list", "2025-11-25")))
    assert [tool["name"] for tool in answered["tools"]] == [f"tool_{number}" for number in range(7)]
    assert "nextCursor" not in answered


@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize("size", [1, 3, 6, 7, 8])
def test_pages_hold_every_tool_once_in_order(version: str, size: int) -> None:
    static, names, cursor = rendered(size), [], None
    while True:
        answered = result(static.to(call("tools/list", version, cursor=cursor)))
        validate_server_result("tools/list", version, answered)
        assert len(answered["tools"]) <= size
        names += [tool["name"] for tool in answered["tools"]]
        cursor = answered.get("nextCursor")
        if cursor is None:
            break
    assert names == [f"tool_{number}" for number in range(7)]


@pytest.mark.parametrize("cursor", ["1", "x", "0" * 24])
def test_a_cursor_that_was_not_given_out_is_refused(cursor: str) -> None:
    rejection = rendered(3).to(call("tools/list", "2025-11-25", cursor=cursor))
    assert isinstance(rejection, Rejection)
    assert rejection.code == -32602


def test_cursors_are_stable_and_do_not_outlive_their_list() -> None:
    def second(tools: list[msgspec.Raw]) -> object:
        static = rendered(3, tools)
        return result(static.to(call("tools/list", "2025-11-25")))["nextCursor"]

    assert second(TOOLS) == second(list(TOOLS))
    assert second(TOOLS) != second(TOOLS[:-1])


@pytest.mark.parametrize(("version", "code"), [("2025-11-25", -32002), ("2026-07-28", -32602)])
def test_a_resource_is_not_found_in_the_words_of_its_era(version: str, code: int) -> None:
    rejection = rendered().to(call("resources/read", version, name="test://x"))
    assert isinstance(rejection, Rejection)
    assert (rejection.code, rejection.data) == (code, {"uri": "test://x"})


def test_an_answer_is_one_line_whatever_its_tools_look_like() -> None:
    pretty = msgspec.Raw(b'{\r\n "name": "a\\n",\n "inputSchema": {}\n}')
    static = rendered(tools=[pretty])
    answered = static.to(call("tools/list", "2025-11-25"))
    assert isinstance(answered, tuple)
    assert b"\n" not in b"".join(answered)
    assert b"\r" not in b"".join(answered)
    assert result(answered)["tools"][0]["name"] == "a\n"


@pytest.mark.parametrize(("size", "bytes_of_one"), [(0, 300_000), (2, 300_000), (3, 10), (0, 10), (0, 2_000_000)])
@pytest.mark.parametrize("method", ["tools/list", "prompts/list"])
def test_lists_in_events_have_pages_that_clients_can_read(method: str, size: int, bytes_of_one: int) -> None:
    prose = "x" * bytes_of_one
    tools = [msgspec.Raw(msgspec.json.encode({"name": f"tool_{number}", "description": prose})) for number in range(7)]
    prompts = [PromptEntry(name=f"tool_{number}", description=prose) for number in range(7)]
    made = rendered(size, tools, prompts)
    member, cursor, names = method.partition("/")[0], None, []
    while cursor != "":
        page = made.to(call(method, "2025-11-25", cursor=cursor), in_events=True)
        assert isinstance(page, tuple)
        told = result(page)
        assert length_of(page) < 1_048_000 or len(told[member]) == 1
        names += [each["name"] for each in told[member]]
        cursor = told.get("nextCursor", "")
    assert names == [f"tool_{number}" for number in range(7)]
    assert "nextCursor" not in result(made.to(call("prompts/list", "2025-11-25")))
