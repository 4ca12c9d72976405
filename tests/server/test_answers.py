"""A success that is not the JSON it claims: told as a success in both eras over all three transports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
import trio

from asked import META
from openapi_mcp_server.bridge.model import OutputContract
from openapi_mcp_server.gateway.gateway import Gateway
from scripted import ScriptedApi, gateway, ok, tool
from served import endpoint
from sessions import Http, request, sse_server
from stdio_client import Client as StdioClient

MODERN = {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/call", "mcp_name": "get_pet"}
OUTPUT = OutputContract(schema=msgspec.Raw(b'{"type":"object","required":["id"]}'), wrapped=False)


def call(meta: dict[str, Any]) -> bytes:
    return request("tools/call", 1, {"name": "get_pet", "arguments": {"id": 5}, "_meta": meta})


async def over_http(built: Gateway, meta: dict[str, Any]) -> dict[str, Any]:
    async with endpoint(built) as server:
        http = Http(await trio.open_tcp_stream("127.0.0.1", server.port))
        async with http.stream:
            headers = MODERN if meta else {}
            await http.ask("POST", "/mcp", call(meta), accept="application/json, text/event-stream", **headers)
            return msgspec.json.decode(await http.body())


async def over_sse(built: Gateway, meta: dict[str, Any]) -> dict[str, Any]:
    async with sse_server(built) as server:
        session = await server.open()
        await session.post(call(meta))
        return await session.message()


async def over_stdio(built: Gateway, meta: dict[str, Any]) -> dict[str, Any]:
    client = StdioClient(built)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.serve)
        await client.say(call(meta) + b"\n")
        heard = await client.hear()
        client.end()
    client.close()
    return heard


Ask = Callable[[Gateway, dict[str, Any]], Awaitable[dict[str, Any]]]


@pytest.mark.parametrize("meta", [{}, META], ids=["legacy", "modern"])
@pytest.mark.parametrize("ask", [over_http, over_sse, over_stdio])
@pytest.mark.parametrize(
    ("body", "text"),
    [(b"OK", "OK"), (b'{"id":1}{"id":2}', '{"id":1}{"id":2}'), ("grüß".encode("utf-16"), "grüß")],
)
def test_a_success_that_is_not_json_is_told_as_undocumented(body: bytes, text: str, ask: Ask, meta: Any) -> None:
    of = msgspec.structs.replace(tool(method="POST"), output=OUTPUT)

    async def main() -> dict[str, Any]:
        with trio.fail_after(20):
            return await ask(gateway(ScriptedApi(ok(body, 201)), of), meta)

    result = trio.run(main)["result"]
    assert result.get("isError", False) is False
    assert result["structuredContent"] == {"undocumented": text, "_note": result["content"][1]["text"]}
    assert result["content"][0]["text"] == text
    assert result["content"][1]["text"].startswith("Status: 201 Created")
