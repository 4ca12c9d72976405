"""Results and notifications made for one call, held against the official SDK's wire types."""

from __future__ import annotations

import msgspec
import pytest
from mcp_types.jsonrpc import JSONRPCError
from mcp_types.methods import parse_server_notification, validate_server_result

from openapi_mcp_server.mcp import messages
from openapi_mcp_server.mcp.messages import (
    AudioContent,
    BlobResource,
    EmbeddedResource,
    ImageContent,
    PromptMessage,
    PromptResult,
    ServerInfo,
    TextContent,
    TextResource,
    ToolResult,
)

SERVER = ServerInfo(name="tests", version="1.0")
CONTENT = (
    TextContent("héllo\n"),
    ImageContent(b"\0", "image/png"),
    AudioContent(b"\0", "audio/wav"),
    EmbeddedResource(BlobResource(uri="test://b", mimeType="application/pdf", blob=b"\0")),
    EmbeddedResource(TextResource(uri="test://t", mimeType="text/csv", text="a,b")),
)
ERAS = [pytest.param("2025-11-25", None, id="legacy"), pytest.param("2026-07-28", SERVER, id="modern")]


@pytest.mark.parametrize(("version", "server"), ERAS)
def test_a_tool_result_with_every_kind_of_content_is_valid(version: str, server: ServerInfo | None) -> None:
    made = ToolResult(content=CONTENT, structuredContent=msgspec.Raw(b'{"a":1}'), isError=True, meta={"a/b": 1})
    answered = msgspec.json.decode(messages.result(made, server))
    validate_server_result("tools/call", version, answered)
    assert answered["structuredContent"] == {"a": 1}
    assert answered["isError"] is True
    assert answered["_meta"]["a/b"] == 1


@pytest.mark.parametrize(("version", "server"), ERAS)
def test_a_prompt_result_is_valid(version: str, server: ServerInfo | None) -> None:
    made = PromptResult(description="d", messages=(PromptMessage(content=TextContent("do it")),))
    answered = msgspec.json.decode(messages.result(made, server))
    validate_server_result("prompts/get", version, answered)
    assert answered["messages"] == [{"role": "user", "content": {"type": "text", "text": "do it"}}]


def test_a_modern_result_keeps_its_own_meta_beside_the_server() -> None:
    answered = msgspec.json.decode(messages.result(ToolResult(content=(), meta={"a/b": 1}), SERVER))
    assert answered["_meta"] == {"a/b": 1, "io.modelcontextprotocol/serverInfo": {"name": "tests", "version": "1.0"}}


def test_structured_content_in_several_lines_leaves_one() -> None:
    made = ToolResult(content=(), structuredContent=msgspec.Raw(b'{\n  "a": "x\\ny"\r\n}'))
    encoded = messages.result(made, None)
    assert encoded == b'{"content":[],"structuredContent":{"a":"x\\ny"}}'


@pytest.mark.parametrize("request_id", [1, "a", None])
def test_an_error_response_is_one_of_the_sdk(request_id: int | str | None) -> None:
    encoded = messages.error_response(request_id, -32602, "no", {"uri": "x"})
    parsed = JSONRPCError.model_validate_json(encoded)
    assert (parsed.id, parsed.error.code, parsed.error.data) == (request_id, -32602, {"uri": "x"})


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
def test_progress_is_a_notification_of_both_eras(version: str) -> None:
    message = msgspec.json.decode(messages.progress("token", 3, "waiting"))
    assert message["jsonrpc"] == "2.0"
    parsed = parse_server_notification(message["method"], version, message["params"])
    assert (parsed.params.progress_token, parsed.params.progress) == ("token", 3.0)
