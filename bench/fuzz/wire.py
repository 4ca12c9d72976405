"""Requests, messages, sessions and answers of APIs: against a real server in a process of its own."""

import re
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec
import trio

from fuzz.inputs import TOOL

EXCHANGE_SECONDS = 20.0
"""For an input to be answered or hung up on: above the server's limit for a call."""
QUIET_SECONDS = 0.05
"""After which bytes that are no whole request have got all the answer they will get."""
SECRET = "s3cret-of-the-operator"
"""Sent to the API and to nobody else."""
TOKEN = "fuzz-0123456789abcdef"
_TRACE = re.compile(rb"Traceback \(most recent|File \"/|root:x:0")
_LINE = re.compile(rb"GET /pets/[^/ ?]+(\?[^ ]*)? HTTP/1\.1")


class Api:
    """The API behind the server: what it was asked, and what it answers. A nonce in the path comes back."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.hostile: dict[bytes, bytes] = {}
        self.redirects = 0  # by answers so far, to places of this API itself, that may be followed
        self.port = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        received = b""
        with trio.move_on_after(EXCHANGE_SECONDS):
            try:
                while True:
                    while b"\r\n\r\n" not in received:
                        piece = await stream.receive_some()
                        if not piece:
                            return
                        received += bytes(piece)
                    head, _, received = received.partition(b"\r\n\r\n")
                    if not await self._answer(head, stream):
                        return
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return

    async def _answer(self, head: bytes, stream: trio.SocketStream) -> bool:
        line = head.partition(b"\r\n")[0]
        path = line.split(b" ")[1].partition(b"?")[0] if line.count(b" ") == 2 else b""
        if not _LINE.fullmatch(line) and not (self.redirects and line.startswith(b"GET /")):
            self.faults.append(f"escape: the API was asked {line[:200]!r}")
        name = path.removeprefix(b"/pets/")
        if name in self.hostile:
            answer = self.hostile.pop(name)
            self.redirects += b"location:" in answer.lower()
            await stream.send_all(answer)
            return False
        body = msgspec.json.encode({"nonce": name.decode("latin-1")})
        await stream.send_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        return True


def _call(name: str) -> dict[str, Any]:
    params = {"name": TOOL, "arguments": {"id": name}}
    return {"jsonrpc": "2.0", "id": name, "method": "tools/call", "params": params}


class Reply(NamedTuple):
    status: int
    body: bytes


async def _exchanged(port: int, data: bytes, *, whole: bool) -> bytes:
    """Everything that comes back until the server hangs up, or, of what is no whole request, for a moment."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    received = b""
    async with stream:
        try:
            await stream.send_all(data)
            with trio.move_on_after(EXCHANGE_SECONDS if whole else QUIET_SECONDS) as waited:
                while piece := await stream.receive_some():
                    received += bytes(piece)
        except trio.BrokenResourceError:
            return received
    if whole and waited.cancelled_caught:
        raise trio.TooSlowError
    return received


def _post(path: str, body: bytes) -> bytes:
    fields = ("Content-Type: application/json", "Connection: close", f"Content-Length: {len(body)}")
    return _head(f"POST {path}", *fields) + body


def _head(line: str, *fields: str) -> bytes:
    return "\r\n".join(
        (f"{line} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {TOKEN}", *fields, "", "")
    ).encode()


def _reply(received: bytes) -> Reply:
    head, _, body = received.partition(b"\r\n\r\n")
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
    if b"transfer-encoding: chunked" in head.lower():
        body = b"".join(re.split(rb"(?:^|\r\n)[0-9a-f]+\r\n", body))
    return Reply(int(found[1]) if found else 0, body)


def _leaked(received: bytes) -> str:
    if SECRET.encode() in received or _TRACE.search(received):
        return f"leak: {received[:300]!r}"
    return ""


class Target:
    """The server, and what each kind of input does to it. Every method says why an oracle does not hold, or nothing."""

    def __init__(self, port: int, api: Api) -> None:
        self.port = port
        self.api = api

    async def alive(self) -> str:
        """A call of somebody else, who is answered once and with its own answer."""
        nonce = secrets.token_hex(8)
        call = {
            "jsonrpc": "2.0",
            "id": nonce,
            "method": "tools/call",
            "params": {"name": TOOL, "arguments": {"id": nonce}},
        }
        received = await _exchanged(self.port, _post("/mcp", msgspec.json.encode(call)), whole=True)
        reply = _reply(received)
        if reply.status != 200 or reply.body.count(f'"id":"{nonce}"'.encode()) != 1 or nonce.encode() not in reply.body:
            return f"others: a call in between was answered {received[:300]!r}"
        return ""

    async def http(self, data: bytes) -> str:
        """Without a token of ours: nothing of the API may come back."""
        received = await _exchanged(self.port, data, whole=False)
        if b'"result"' in received or b"nonce" in received:
            return f"escape: a stranger was answered {received[:300]!r}"
        return _leaked(received)

    async def message(self, body: bytes) -> str:
        received = await _exchanged(self.port, _post("/mcp", body), whole=True)
        reply = _reply(received)
        if reply.status not in {200, 202, 400, 404, 406, 415, 429, 503}:
            return f"answered: {received[:200]!r}"
        return _leaked(received) or _answered_once(body, reply)

    async def answer(self, data: bytes) -> str:
        """What an API says, whatever it is, becomes one result with the call's id."""
        name = secrets.token_hex(8)
        self.api.hostile[name.encode()] = data
        call = {
            "jsonrpc": "2.0",
            "id": name,
            "method": "tools/call",
            "params": {"name": TOOL, "arguments": {"id": name}},
        }
        received = await _exchanged(self.port, _post("/mcp", msgspec.json.encode(call)), whole=True)
        reply = _reply(received)
        self.api.hostile.pop(name.encode(), None)
        if reply.status != 200 or reply.body.count(f'"id":"{name}"'.encode()) != 1:
            return f"answered: {received[:300]!r}"
        return "" if b"internal error" not in reply.body else f"traceback: {reply.body[:300]!r}"

    async def sse(self, body: bytes) -> str:
        """A session that is told anything, and then is asked something that it must answer."""
        async with self._session() as (address, next_event):
            posted = await _exchanged(self.port, _post(address, body), whole=True)
            if _reply(posted).status not in {202, 400, 404, 415, 429}:
                return f"answered: {posted[:200]!r}"
            await _exchanged(self.port, _post(address, b'{"jsonrpc":"2.0","id":"last","method":"ping"}'), whole=True)
            with trio.move_on_after(EXCHANGE_SECONDS):
                while True:
                    event = await next_event()
                    if leaked := _leaked(event):
                        return leaked
                    if b'"id":"last"' in event:
                        return ""
        return "hang: a session says nothing any more"

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[tuple[str, Callable[[], Any]]]:
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        received = b""

        async def next_event() -> bytes:
            nonlocal received
            while b"\n\n" not in received:
                piece = await stream.receive_some()
                if not piece:
                    raise trio.BrokenResourceError
                received += bytes(piece)
            event, _, received = received.partition(b"\n\n")
            return event

        async with stream:
            await stream.send_all(_head("GET /sse"))
            first = await next_event()
            yield first.rpartition(b"data: ")[2].decode().strip(), next_event


def _answered_once(body: bytes, reply: Reply) -> str:
    """A request with an id gets one response with it; what is no request gets none with any."""
    try:
        sent = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ""
    if not isinstance(sent, dict) or not isinstance(sent.get("id"), int) or isinstance(sent.get("id"), bool):
        return ""
    if reply.status != 202 and reply.body.count(b'"jsonrpc":"2.0"') != 1:
        return f"answered: {sent!r:.200} with {reply.body[:200]!r}"
    return ""
