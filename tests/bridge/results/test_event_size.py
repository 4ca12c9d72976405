"""Answers that are longer than clients read in an event: what fits is told, and that it is not all."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types.methods import validate_server_result

from openapi_mcp_server.bridge.results.event_size import EVENT_BYTES, fitted, without_large_files
from openapi_mcp_server.mcp.messages import (
    AudioContent,
    BlobResource,
    Content,
    EmbeddedResource,
    ImageContent,
    TextContent,
    ToolResult,
    result,
)
from openapi_mcp_server.mcp.messages import response as response_of

LONG = EVENT_BYTES + 1


def response(**result: Any) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": "a", "result": result})


def cut(**result: Any) -> dict[str, Any]:
    (message,) = fitted((response(**result),))
    assert len(message) <= EVENT_BYTES
    made = msgspec.json.decode(message)
    assert (made["jsonrpc"], made["id"]) == ("2.0", "a")
    validate_server_result("tools/call", "2025-11-25", made["result"])
    return made["result"]


def test_an_answer_that_fits_is_left_alone() -> None:
    message = (response(content=[{"type": "text", "text": "x" * 900_000}]),)
    assert fitted(message) is message


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"type": "image", "data": "A" * LONG, "mimeType": "image/png"}, "[image/png, "),
        ({"type": "audio", "data": "A" * LONG, "mimeType": "audio/mpeg"}, "[audio/mpeg, "),
        (
            {
                "type": "resource",
                "resource": {"uri": "openapi://a/b", "mimeType": "application/pdf", "blob": "A" * LONG},
            },
            "[application/pdf, ",
        ),
        ({"type": "text", "text": "x" * LONG}, "xxx"),
        ({"type": "text", "text": "\x01" * LONG}, "\x01"),
        ({"type": "text", "text": "é" * LONG}, "é"),
    ],
)
def test_what_is_too_long_is_cut_and_said_to_be(block: Any, told: str) -> None:
    result = cut(content=[{"type": "text", "text": "before"}, block])
    first, second, note = (each["text"] for each in result["content"])
    assert (first, second.startswith(told)) == ("before", True)
    assert "an event of this connection carries 1,000,000: the rest was left out" in note
    assert result["_meta"] == {"openapi-mcp-server/truncated": True}


@pytest.mark.parametrize("data", [bytes(EVENT_BYTES), bytes(EVENT_BYTES + 1), b"a"])
@pytest.mark.parametrize(
    "block",
    [
        lambda data: ImageContent(data, "image/png"),
        lambda data: AudioContent(data, "audio/mpeg"),
        lambda data: EmbeddedResource(BlobResource(uri="openapi://a/b", mimeType="application/pdf", blob=data)),
        lambda data: TextContent(data.decode()),
    ],
)
def test_a_file_that_no_event_carries_is_told_as_if_it_had_been_encoded(
    block: Callable[[bytes], Content], data: bytes
) -> None:
    whole = ToolResult(
        content=(block(data), TextContent("about it")), structuredContent=msgspec.Raw(b"{}"), meta={"a": 1}
    )
    made = without_large_files(whole)
    assert (made is whole) == (len(data) == 1 or isinstance(whole.content[0], TextContent))
    assert without_sizes(made) == without_sizes(whole)


def without_sizes(whole: ToolResult) -> Any:
    message = fitted(response_of("a", result(whole, None)))
    return msgspec.json.decode(re.sub(rb"[\d,]{6,}", b"many", b"".join(message)))


def test_structure_is_not_promised_in_vain() -> None:
    result = cut(
        content=[{"type": "text", "text": "{}"}], structuredContent={"a": "x" * LONG}, isError=False, _meta={"k": 1}
    )
    assert list(result["structuredContent"]) == ["undocumented"]
    assert result["_meta"] == {"k": 1, "openapi-mcp-server/truncated": True}


def test_a_list_that_does_not_fit_is_an_error_in_words() -> None:
    made = msgspec.json.decode(b"".join(fitted((response(tools=["x" * LONG]),))))
    assert made["error"]["code"] == -32603
    assert made["error"]["message"].endswith("; ask for application/json")


def test_each_answer_of_a_batch_has_its_share() -> None:
    long = response(content=[{"type": "text", "text": "x" * LONG}])
    made = b"".join(fitted((b"[", long, b",", response(), b",", long, b"]")))
    assert len(made) <= EVENT_BYTES
    assert [sorted(each["result"]) for each in msgspec.json.decode(made)] == [
        ["_meta", "content"],
        [],
        ["_meta", "content"],
    ]


@pytest.mark.parametrize("is_first", [True, False])
def test_a_list_in_a_batch_may_be_in_pieces_of_its_own(is_first: bool) -> None:
    listed = response_of(1, b"{", b'"tools":[', memoryview(b'{"name":"a"}'), b"]", b"}")
    long = response_of(2, b'{"content":[{"type":"text","text":"%b"}]}' % (b"x" * LONG))
    first, second = (listed, long) if is_first else (long, listed)
    made = msgspec.json.decode(b"".join(fitted((b"[", *first, b",", *second, b"]"))))
    assert {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "a"}]}} in made
    assert [one["id"] for one in made] == ([1, 2] if is_first else [2, 1])


def test_of_a_large_batch_one_answer_at_a_time_is_copied() -> None:
    large = response(content=[{"type": "image", "data": "A" * 6_000_000, "mimeType": "image/png"}])
    batch = (b"[", large, b",", memoryview(large), b",", large, b"]")
    tracemalloc.start()
    made = fitted(batch)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * len(large)
    assert len(msgspec.json.decode(b"".join(made))) == 3


@given(st.lists(st.text(max_size=40), min_size=1, max_size=5), st.integers(11_000, 12_000))
def test_no_answer_is_over_its_limit(texts: list[str], limit: int) -> None:
    blocks = [{"type": "text", "text": text * 300} for text in texts]
    assert len(b"".join(fitted((response(content=blocks),), limit))) <= limit
