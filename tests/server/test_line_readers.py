"""Messages stay whole for clients whose readers end lines at more characters than LF and CR.

Python's ``str.splitlines`` does, by which httpx-sse before 0.4.2 read events, and so does Node's ``readline`` since
version 24. A client that loses an answer in this way waits for it until its timeout.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable

import msgspec
import pytest
import trio

from asked import META
from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.gateway.serving import Serving
from openapi_mcp_server.mcp.inbound import Call, Rejection, from_line
from openapi_mcp_server.mcp.methods import SUPPORTED, is_modern, methods
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import parse
from real_sockets import run
from scripted import SERVER, ScriptedApi, gateway, ok, unchanged
from served import Endpoint, endpoint
from sessions import Http, Session, request

ENDS = [chr(code) for code in range(sys.maxunicode) if len(f"a{chr(code)}b".splitlines()) > 1]
TEXT = "".join(f"a{end}b" for end in ENDS)
PARAMS = {
    "initialize": {"protocolVersion": "2025-11-25"},
    "logging/setLevel": {"level": "info"},
    "tools/call": {"name": "find", "arguments": {"q": TEXT}},
    "prompts/get": {"name": "find", "arguments": {"q": TEXT}},
    "resources/read": {"uri": "openapi://pets/operations/find"},
    "completion/complete": {"ref": {"type": "ref/prompt", "name": "find"}, "argument": {"name": "q", "value": ""}},
}
UNKNOWN = [("tools/call", {"name": TEXT}), ("prompts/get", {"name": TEXT}), ("resources/read", {"uri": TEXT})]


def document() -> bytes:
    query = {"name": "q", "in": "query", "description": TEXT, "schema": {"type": "string", "enum": [TEXT, "b"]}}
    media = {"schema": {"type": "object", "properties": {TEXT: {"type": "string", "description": TEXT}}}}
    answers = {"200": {"description": TEXT, "content": {"application/json": media}}}
    operation = {
        "operationId": "find", "summary": TEXT, "description": TEXT, "parameters": [query], "responses": answers,
    }  # fmt: skip
    info = {"title": TEXT, "description": TEXT, "version": TEXT}
    return msgspec.json.encode({"openapi": "3.1.0", "info": info, "paths": {"/find": {"get": operation}}})


def described(answer: bytes, mode: str) -> Gateway:
    source = ApiSource(name="pets", base=base_url("https://a.example.com"), description=describe(parse(document())))
    serving = Serving(server=SERVER, call_seconds=5, mode=mode)
    return Gateway(
        build([source]), serving, send=ScriptedApi(ok(answer)).send, authorize=unchanged, observe=lambda _: None
    )


async def reply(built: Gateway, version: str, method: str, params: dict[str, object]) -> bytes:
    meta = {"_meta": META} if is_modern(version) else {}
    message = from_line(request(method, 1, params | meta), version)
    if isinstance(message, Rejection):
        return message.encode()
    assert isinstance(message, Call)
    return b"".join(await built.answer(message, "stdio"))


def is_one_line(message: bytes) -> bool:
    return len(message.decode().splitlines()) == 1


@pytest.mark.parametrize("mode", ["all", "search"])
@pytest.mark.parametrize("version", SUPPORTED)
def test_every_reply_is_one_line_to_every_reader(version: str, mode: str) -> None:
    asked = [(method, PARAMS.get(method, {})) for method in methods(version) if method != "subscriptions/listen"]

    async def main() -> None:
        built = described(msgspec.json.encode({TEXT: TEXT}), mode)
        for method, params in [*asked, *UNKNOWN, (TEXT, {})]:
            said = await reply(built, version, method, params)
            assert is_one_line(said), said
            msgspec.json.decode(said)

    run(main)


@pytest.mark.parametrize("answer", [{"text": TEXT}, {TEXT: [TEXT]}, {"text": TEXT + "x" * 1_100_000}])
def test_a_model_reads_the_characters_that_the_api_sent(answer: dict[str, object]) -> None:
    async def main() -> bytes:
        called = {"name": "find", "arguments": {"q": "b"}}
        return await reply(described(msgspec.json.encode(answer), "all"), "2025-11-25", "tools/call", called)

    assert msgspec.json.decode(run_for(main))["result"]["structuredContent"] == answer


def run_for(main: Callable[[], Awaitable[bytes]]) -> bytes:
    said: list[bytes] = []

    async def keep() -> None:
        said.append(await main())

    run(keep)
    return said[0]


async def posted(server: Endpoint, target: str, body: bytes, accept: str) -> bytes:
    http = Http(await trio.open_tcp_stream("127.0.0.1", server.port))
    async with http.stream:
        await http.ask("POST", target, body, accept=accept)
        return await http.body()


CALLED = request("tools/call", 1, {"name": "get_pet", "arguments": {"id": 5}})


async def over_sse(server: Endpoint) -> str:
    http = Http(await trio.open_tcp_stream("127.0.0.1", server.port))
    async with http.stream:
        await http.ask("GET", "/sse", accept="text/event-stream")
        opened = Session(None, http)  # type: ignore[arg-type]  # what it posts is posted here
        _, opened.target = await opened.event()
        await posted(server, opened.target, CALLED, "application/json")
        return (await opened.event())[1]


async def over_http(server: Endpoint) -> str:
    body = await posted(server, "/mcp", CALLED, "text/event-stream")
    return body.decode().removeprefix("event: message\ndata: ").removesuffix("\n\n")


@pytest.mark.parametrize("size", [0, 1_100_000])
@pytest.mark.parametrize("ask", [over_sse, over_http])
def test_an_event_has_one_line_of_data_though_it_is_cut(ask: Callable[[Endpoint], Awaitable[str]], size: int) -> None:
    async def main() -> bytes:
        answer = msgspec.json.encode({"text": TEXT + "x" * size})
        async with endpoint(gateway(ScriptedApi(ok(answer)))) as server:
            return (await ask(server)).encode()

    said = run_for(main)
    assert is_one_line(said)
    assert msgspec.json.decode(said)["id"] == 1
