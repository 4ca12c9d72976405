"""What an API can do wrong, in every moment of a call, over every transport: one outcome for each, told for what it is.

The program runs in processes of its own. Cells are (kind of fault, method, transport); after each, the next call over
the same transport, which may get the same connection to the API, has to be right.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any, Literal

import msgspec
import trio

from asked import META
from loopback import Do, Reply, chunked, play, read_request, sized
from openapi_mcp_server.bridge.results.failure import UNKNOWN_OUTCOME
from processes import command, environment, started
from sessions import Http, Server

ATTEMPT_SECONDS = 1
DEADLINE_SECONDS = 60
DOCUMENT = """\
openapi: 3.1.0
paths:
  /{fault}/{nonce}:
    parameters:
      - {name: fault, in: path, required: true, schema: {type: string}}
      - {name: nonce, in: path, required: true, schema: {type: string}}
    get: {operationId: look}
    post: {operationId: act, requestBody: {content: {application/json: {schema: {type: object, properties: {}}}}}}
"""
SETTINGS = {"HTTP_TIMEOUT": str(ATTEMPT_SECONDS), "HTTP_RETRIES": "0", "HTTP_BREAKER": "false"}
PACKED = gzip.compress(b"nothing of use")
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nonly a part"

Outcome = Literal["fine", "failed", "unclear"]
"""``unclear``: an API that was told to act may have done so, and the model is told."""

FAULTS: dict[str, tuple[Outcome, Reply]] = {
    "reset": ("unclear", (Do.RESET,)),
    "closed": ("unclear", (Do.CLOSE,)),
    "silent": ("unclear", (Do.HANG,)),
    "reset in the status": ("unclear", (b"HTTP/1.1 2", Do.RESET)),
    "closed in the head": ("unclear", (b"HTTP/1.1 200 OK\r\nA:", Do.CLOSE)),
    "silent in the head": ("unclear", (b"HTTP/1.1 200 OK\r\nA:", Do.HANG)),
    "reset in the body": ("unclear", (HALF, Do.RESET)),
    "closed in the body": ("unclear", (HALF, Do.CLOSE)),
    "silent in the body": ("unclear", (HALF, Do.HANG)),
    "closed in a chunk": ("unclear", (chunked(b"a", end=b"f\r\nb"), Do.CLOSE)),
    "closed before the last chunk": ("unclear", (chunked(b"a", end=b""), Do.CLOSE)),
    "broken chunk": ("unclear", (chunked(b"a", end=b"z\r\n"),)),
    "two lengths": ("unclear", (sized(b"a", b"Content-Length: 2\r\n"),)),
    "no HTTP": ("unclear", (b"\0\1\2 garbage\r\n\r\n",)),
    "endless head": ("unclear", (b"HTTP/1.1 200 OK\r\nA: " + b"a" * 200_000,)),
    "flood of hints": ("unclear", (b"HTTP/1.1 103 \r\n\r\n" * 100, sized(b"a"))),
    "another protocol": ("unclear", (b"HTTP/1.1 101 \r\n\r\n", Do.HANG)),
    "broken gzip": ("unclear", (sized(b"no gzip", b"Content-Encoding: gzip\r\n"),)),
    "cut gzip": ("unclear", (sized(PACKED[:-9], b"Content-Encoding: gzip\r\n"),)),
    "unknown encoding": ("unclear", (sized(b"a", b"Content-Encoding: br\r\n"),)),
    "too large": ("unclear", (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", Do.HANG)),
    "server error": ("unclear", (sized(b"no", status=b"500 No"),)),
    "overload": ("unclear", (sized(b"no", b"Retry-After: 9\r\n", status=b"503 No"),)),
    "too many": ("failed", (sized(b"no", b"Retry-After: never\r\n", status=b"429 No"),)),
    "not found": ("failed", (sized(b"no", status=b"404 No"),)),
    "elsewhere": ("failed", (sized(b"", b"Location: http://169.254.169.254/\r\n", status=b"307 No"),)),
    "no JSON": ("fine", (sized(b'{"a":', b"Content-Type: application/json\r\n"),)),
    "closed at the end": ("fine", (b"HTTP/1.0 200 OK\r\n\r\nall of it", Do.CLOSE)),
    "one more answer": ("fine", (sized(b"a") + sized(b"for nobody"),)),
    "nothing": ("fine", (b"HTTP/1.1 204 \r\n\r\n",)),
}


async def api(requests: Counter[bytes], stream: trio.SocketStream) -> None:
    """Does what the path says, and counts requests by their nonces."""
    async with stream:
        try:
            while (request := await read_request(stream)) is not None:
                fault, nonce = request.split(b" ")[1].strip(b"/").replace(b"%20", b" ").split(b"/")
                requests[nonce] += 1
                _, reply = FAULTS.get(fault.decode(), ("fine", (sized(nonce),)))
                for step in reply:
                    await play(step, stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass


Ask = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Sends a call and returns the response; a second one for it would be taken for that to the next call."""


@asynccontextmanager
async def over_http(port: int, *argv: str, modern: bool = False) -> AsyncIterator[Ask]:
    http = Http(await trio.open_tcp_stream("127.0.0.1", port))

    async def ask(message: dict[str, Any]) -> dict[str, Any]:
        headers = {}
        if modern:
            message["params"]["_meta"] = META
            name = message["params"]["name"]
            headers = {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/call", "mcp_name": name}
        head = await http.ask("POST", "/mcp", msgspec.json.encode(message), **headers)
        assert head.status_code == 200
        answer: dict[str, Any] = msgspec.json.decode(await http.body())
        http.next_cycle()
        return answer

    async with http.stream:
        yield ask


@asynccontextmanager
async def over_sse(port: int, *argv: str) -> AsyncIterator[Ask]:
    session = await Server(port).open()

    async def ask(message: dict[str, Any]) -> dict[str, Any]:
        assert (await session.post(msgspec.json.encode(message))).status == 202
        return await session.message()

    yield ask
    await session.leave()


@asynccontextmanager
async def over_stdio(port: int, *argv: str) -> AsyncIterator[Ask]:
    lines: list[bytes] = []
    process = await trio.lowlevel.open_process(
        command("--transport", "stdio", *argv), stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment(**SETTINGS)
    )
    assert process.stdin
    assert process.stdout

    async def ask(message: dict[str, Any]) -> dict[str, Any]:
        await process.stdin.send_all(msgspec.json.encode(message) + b"\n")
        while b"\n" not in (said := b"".join(lines)):
            lines.append(await process.stdout.receive_some())
        line, _, left = said.partition(b"\n")
        lines[:] = [left]
        answer: dict[str, Any] = msgspec.json.decode(line)
        return answer

    yield ask
    await process.stdin.aclose()
    await process.wait()


TRANSPORTS = {
    "http": over_http,
    "http, 2026-07-28": partial(over_http, modern=True),
    "sse": over_sse,
    "stdio": over_stdio,
}


class Cells:
    """What was found out so far."""

    def __init__(self) -> None:
        self.requests: Counter[bytes] = Counter()
        self.count = 0
        self.wrong: list[str] = []

    async def try_all(self, transport: str, port: int, argv: tuple[str, ...]) -> None:
        async with TRANSPORTS[transport](port, *argv) as ask:
            for fault, (outcome, _) in FAULTS.items():
                for tool in ("look", "act"):
                    self.count += 1
                    if problem := await self._try(ask, tool, fault, outcome):
                        self.wrong.append(f"{fault} / {tool} / {transport}: {problem}")

    async def _try(self, ask: Ask, tool: str, fault: str, outcome: Outcome) -> str:
        """What is wrong with this cell; empty if nothing is."""
        nonce = f"n{self.count}"
        result = (await ask(call(tool, fault, nonce)))["result"]
        text = "\n".join(block.get("text", "") for block in result["content"])
        following = (await ask(call("look", "none", "next" + nonce)))["result"]["content"]
        asked = self.requests[nonce.encode()]
        if asked != 1 and (tool, asked) != ("look", 2):  # a kept connection that was closed may just be an old one
            return f"the API was asked {asked} times"
        if result.get("isError", False) != (outcome != "fine"):
            return f"told as the opposite: {text}"
        if (UNKNOWN_OUTCOME in text) != (outcome == "unclear" and tool == "act"):
            return f"whether it may have been carried out is told wrongly: {text}"
        if following != [{"type": "text", "text": "next" + nonce}]:
            return f"the next call got {following}"
        return ""


def call(tool: str, fault: str, nonce: str) -> dict[str, Any]:
    """Every one has the same id, as some clients have it."""
    params = {"name": tool, "arguments": {"fault": fault, "nonce": nonce}}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def test_every_fault_of_an_api_is_one_outcome_over_every_transport(tmp_path: Path) -> None:
    document = tmp_path / "openapi.yaml"
    document.write_text(DOCUMENT, "utf-8")
    cells = Cells()

    async def main() -> None:
        with trio.fail_after(DEADLINE_SECONDS):
            async with trio.open_nursery() as nursery:
                listeners = await nursery.start(
                    partial(trio.serve_tcp, partial(api, cells.requests), 0, host="127.0.0.1")
                )
                port = listeners[0].socket.getsockname()[1]
                argv = ("--spec-path", str(document), "--api-url", f"http://127.0.0.1:{port}")
                argv = (*argv, "--allow-private-networks")
                with started("--transport", "http", "--port", "0", *argv, **SETTINGS) as server:
                    served = int(server.url.rpartition(":")[2].removesuffix("/mcp"))
                    async with trio.open_nursery() as clients:
                        for transport in TRANSPORTS:
                            clients.start_soon(cells.try_all, transport, served, argv)
                nursery.cancel_scope.cancel()

    trio.run(main)
    assert not cells.wrong
    assert cells.count == 4 * 2 * len(FAULTS) >= 120
