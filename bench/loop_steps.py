"""How long one call holds the loop, and how long a small call waits beside it.

``loop_steps.py [CASE…] [--rounds N]`` prints a row a case. Processes on loopback: an API with large answers, this server
with an instrument (`stepped`), one that asks for something small all the time, and this one.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import trio

import measured
from stepped import Step

HERE = Path(__file__).parent
ROUNDS = 5
LARGE_ARGUMENTS = 3_900_000
LARGE_ANSWER = 10_000_000
IN_FLIGHT = 1_000
SESSIONS = 1_995  # of the 2,000 that may be
_JSON, _TEXT, _XML, _CSV, _LINES = (
    "application/json",
    "text/plain",
    "application/xml",
    "text/csv",
    "application/x-ndjson",
)
_ROW: dict[str, Any] = {
    "id": 1,
    "name": "n" * 40,
    "nested": {"x": "x" * 40, "y": None},
    "tags": ["a", "b"],
    "text": "Lorem ipsum dolor sit amet " * 36,
}
_DENSE: dict[str, Any] = {"id": 12345, "name": "Rex", "tags": ["a", "b"], "price": 12.50, "owner": {"id": 7}}


def _rows(row: dict[str, Any], size: int) -> bytes:
    one = msgspec.json.encode(row)
    return b"[" + b",".join([one] * (size // (len(one) + 1))) + b"]"


def answers(size: int = LARGE_ANSWER) -> dict[str, tuple[str, bytes]]:
    """The API's answers by path."""
    text = b"Lorem ipsum dolor sit amet, consectetur adipiscing elit.\n"
    xml, csv = b"<pet><id>7</id><name>Rex</name></pet>", b"7,Rex,12.50,available\n"
    line = msgspec.json.encode(_DENSE) + b"\n"
    return {
        "/rows": (_JSON, _rows(_ROW, size)),
        "/dense": (_JSON, _rows(_DENSE, size)),
        "/spaced": (_JSON, msgspec.json.format(_rows(_ROW, int(size * 0.9)), indent=1)),
        "/string": (_JSON, b'"' + b"x" * size + b'"'),
        "/text": (_TEXT, text * (size // len(text))),
        "/umlauts": (_TEXT, "Grüße aus Köln, schöne Tage\n".encode() * (size // 32)),
        "/xml": (_XML, b"<pets>" + xml * (size // len(xml)) + b"</pets>"),
        "/csv": (_CSV, csv * (size // len(csv))),
        "/lines": (_LINES, line * (size // len(line))),
        "/picture": ("image/png", b"\x89PNG" + bytes(size)),
        "/medium": (_JSON, _rows(_DENSE, size // 10)),
        "/pets": (_JSON, measured.BODY),
    }


async def api() -> None:
    """Says its port, answers each path with what `answers` has for it, and /slow after a second."""
    made = {
        path: b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (kind.encode(), len(body), body)
        for path, (kind, body) in answers().items()
    }

    async def answer(stream: trio.SocketStream) -> None:
        received = bytearray()
        try:
            while data := await stream.receive_some():
                received += data
                head, found, body = received.partition(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
                if not found or len(body) < length:
                    continue
                received.clear()
                path = head.split(b" ", 2)[1].decode().partition("?")[0]
                if path == "/slow":
                    await trio.sleep(1.0)
                await stream.send_all(made.get(path, made["/pets"]))
        except trio.BrokenResourceError:
            pass

    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, answer, 0, host="127.0.0.1", backlog=2048)
        [listener] = await nursery.start(serve)
        print(listener.socket.getsockname()[1], flush=True)


def _get(path: str, kind: str, schema: dict[str, Any] | None) -> dict[str, Any]:
    media = {"schema": schema} if schema is not None else {}
    answer = {"200": {"description": "It", "content": {kind: media}}}
    return {"get": {"operationId": path.strip("/"), "responses": answer}}


def _post(name: str, kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    body = {"required": True, "content": {kind: {"schema": schema}}}
    return {"post": {"operationId": name, "requestBody": body, "responses": {"200": {"description": "Done"}}}}


_OBJECT = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {"id": {"type": "integer"}, "name": {"type": "string"}, "price": {"type": "number"}},
}
_LIST = {"type": "array", "items": _OBJECT}
_IN = {
    "objects": _LIST,
    "numbers": {"type": "array", "items": {"type": "number"}},
    "content": {"type": "string"},
    "deep": {},
}


def document() -> bytes:
    schemas: dict[str, dict[str, Any]] = {"/rows": _LIST, "/dense": _LIST, "/spaced": _LIST, "/medium": _LIST, "/string": {"type": "string"}}
    paths = {path: _get(path, kind, schemas.get(path)) for path, (kind, _) in answers(1_000).items() if path != "/pets"}
    paths["/slow"] = _get("slow", _JSON, {})
    pet = _get("getPet", _JSON, {"type": "object"})
    pet["get"]["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}]
    paths["/pets/{id}"] = pet
    body = {"type": "object", "properties": _IN}
    kinds = {"sendJson": _JSON, "sendForm": "application/x-www-form-urlencoded", "sendParts": "multipart/form-data"}
    for name, kind in {**kinds, "sendXml": _XML}.items():
        paths[f"/{name}"] = _post(name, kind, body)
    paths["/sendText"] = _post("sendText", _TEXT, {"type": "string"})
    paths["/sendFile"] = _post("sendFile", "application/octet-stream", {"type": "string", "format": "binary"})
    return msgspec.json.encode({"openapi": "3.1.0", "info": {"title": "Steps", "version": "1"}, "paths": paths})


def message(tool: str, **arguments: Any) -> bytes:  # noqa: ANN401 - any JSON
    params = {"name": tool, "arguments": arguments}
    return msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})


def post(body: bytes) -> bytes:
    head = (
        "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
        f"MCP-Protocol-Version: 2025-11-25\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _numbers(size: int) -> list[float]:
    return [0.12345678901234567] * (size // 20)


def _objects(size: int) -> list[dict[str, Any]]:
    row = {"id": 7, "name": "n" * 180, "price": 12.5}
    return [row] * (size // (len(msgspec.json.encode(row)) + 1))


def _deep(size: int) -> Any:  # noqa: ANN401 - any JSON
    value: Any = "x"
    for _ in range(80):
        value = {"a": [value]}
    return [value] * (size // len(msgspec.json.encode(value)))


class Case(NamedTuple):
    """``said``: the messages that are sent one after the other; ``together``: how often at once."""

    said: tuple[bytes, ...]
    together: int = 1
    sessions: int = 0


def cases() -> dict[str, Case]:
    size = LARGE_ARGUMENTS
    long = {"response_filter": "[].{id:id,name:name,x:nested.x}"}
    large = {"objects": _objects(size)}
    of_numbers = {"numbers": _numbers(size)}
    found = {f"answer {name}": message(name) for name in (path.strip("/") for path in answers(1_000)) if name != "pets"}
    found |= {
        "filter 10 MB": message("rows", **long),
        "filter 10 MB, first": message("rows", response_filter="[0].name"),
        "filter 10 MB, condition": message("rows", response_filter="[?id==`1` && nested.x=='b'].name"),
        "filter 1 MB": message("medium", response_filter="[].{id:id,name:name,x:owner.id}"),
        "filter 10 MB, too many": message("dense", **long),
        "arguments objects": message("sendJson", **large),
        "arguments numbers": message("sendJson", **of_numbers),
        "arguments text": message("sendJson", content="x" * size),
        "arguments deep": message("sendJson", deep=_deep(size)),
        "arguments wrong": message("sendJson", objects=[*large["objects"], {"id": "no"}]),
        "arguments unreadable": message("sendJson", content="x" * size).replace(b'"content":"', b'"content":01"'),
        "form objects": message("sendForm", **large),
        "form numbers": message("sendForm", **of_numbers),
        "parts objects": message("sendParts", **large),
        "parts numbers": message("sendParts", numbers=_numbers(190_000)),
        "xml objects": message("sendXml", **large),
        "xml numbers": message("sendXml", **of_numbers, content="x"),
        "body text": message("sendText", body="x" * size),
        "body file": message("sendFile", body="QUJD" * (size // 4)),
        "not a tool": message("nothing", content="x" * size),
        "not JSON": message("sendJson", content="x" * size)[:-1],
        "half a pair": message("sendJson", content="x" * size + "Y").replace(b"xY", b"\\ud800"),
        "equal keys": message("sendJson", content="x" * size)[:-1] + b',"jsonrpc":"2.0"}',
    }
    made = {name: Case((said,)) for name, said in found.items()}
    made[f"{IN_FLIGHT:,} in flight"] = Case((message("slow"),), IN_FLIGHT)
    made[f"{SESSIONS:,} sessions"] = Case((message("getPet", id=7),), 32, SESSIONS)
    return made


async def ask(port: int, said: bytes) -> bytes:
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(post(said))
        received = bytearray()
        while b"\r\n\r\n" not in received:
            received += await measured.receive(stream)
        head, _, body = bytes(received).partition(b"\r\n\r\n")
        left = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]) - len(body)
        pieces = [body]
        while left > 0:
            pieces.append(await measured.receive(stream))
            left -= len(pieces[-1])
        return head + b"\r\n\r\n" + b"".join(pieces)


async def _listen(port: int, opened: trio.Event, count: int) -> None:
    """Idle sessions, until it is cancelled."""
    streams = []
    for _ in range(count):
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        streams.append(stream)
        await stream.send_all(b"GET /sse HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
        await measured.receive(stream)
    opened.set()
    await trio.sleep_forever()


async def play(port: int, case: Case, quiet: Callable[[], object]) -> list[bytes]:
    """``quiet`` is called when all is ready and the case begins."""
    found: list[bytes] = []

    async def one() -> None:
        found.extend([await ask(port, said) for said in case.said])

    async with trio.open_nursery() as idle:
        if case.sessions:
            opened = trio.Event()
            idle.start_soon(_listen, port, opened, case.sessions)
            await opened.wait()
        quiet()
        async with trio.open_nursery() as nursery:
            for _ in range(case.together):
                nursery.start_soon(one)
        idle.cancel_scope.cancel()
    return found


def neighbour(port: int) -> None:
    """Asks for a pet all the time; on each line of standard input it says what it saw since the last one."""
    seen: list[float] = []

    async def asking() -> None:
        stream, said = await trio.open_tcp_stream("127.0.0.1", port), measured.request(port)
        while True:
            began = time.perf_counter()
            await stream.send_all(said)
            await measured.answered(stream)
            seen.append((time.perf_counter() - began) * 1000)
            await trio.sleep(0.001)

    async def telling() -> None:
        while await trio.to_thread.run_sync(sys.stdin.readline):
            now, seen[:] = seen[:], []
            print(
                msgspec.json.encode([len(now), statistics.median(now or [0.0]), max(now, default=0.0)]).decode(),
                flush=True,
            )

    async def both() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asking)
            await telling()
            nursery.cancel_scope.cancel()

    trio.run(both)


class Waited(NamedTuple):
    """Milliseconds that small calls took."""

    calls: int
    median: float
    worst: float


class Row(NamedTuple):
    """The longest step, and what a neighbour saw without the case and beside it, in one round."""

    step: Step
    alone: Waited
    beside: Waited
    seconds: float
    answered: bytes


class Watched:
    """A server that is watched, and its neighbour."""

    def __init__(
        self, port: int, server: subprocess.Popen[bytes], report: Path, asker: subprocess.Popen[bytes]
    ) -> None:
        self.port = port
        self._server = server
        self._report = report
        self._asker = asker
        self._told = 0

    def step(self) -> Step:
        self._server.send_signal(signal.SIGUSR1)
        while True:
            lines = self._report.read_bytes().split(b"\n")[:-1] if self._report.exists() else []
            if len(lines) > self._told:
                self._told = len(lines)
                return msgspec.json.decode(lines[-1], type=Step)
            time.sleep(0.01)

    def waited(self) -> Waited:
        assert self._asker.stdin is not None
        assert self._asker.stdout is not None
        self._asker.stdin.write(b"\n")
        self._asker.stdin.flush()
        return Waited(*msgspec.json.decode(self._asker.stdout.readline()))

    def play(self, case: Case) -> Row:
        self.waited()
        time.sleep(1.0)
        alone = self.waited()
        began = time.perf_counter()

        def quiet() -> None:
            nonlocal began
            self.step()
            self.waited()
            began = time.perf_counter()

        said = trio.run(play, self.port, case, quiet)
        took = time.perf_counter() - began
        time.sleep(0.05)
        return Row(self.step(), alone, self.waited(), took, said[0])


@contextmanager
def watched(folder: Path, api_port: int, *argv: str) -> Iterator[Watched]:
    written, log, report = folder / "steps.json", folder / "steps.log", folder / "steps.told"
    written.write_bytes(document())
    where = ["--spec-path", str(written), "--api-url", f"http://127.0.0.1:{api_port}", "--allow-private-networks"]
    where += ["--http-max-connections", "1100"]
    whole = [str(HERE / "stepped.py"), str(report), "--transport", "http", "--port", "0", *where, *argv]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with log.open("wb") as stderr, measured.started(*whole, stderr=stderr.fileno()) as server:
        port = measured._listening(log, server)
        asker = [sys.executable, __file__, "--neighbour", str(port)]
        with subprocess.Popen(asker, **pipes) as process:  # type: ignore[call-overload]
            try:
                yield Watched(port, server, report, process)
            finally:
                process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="*")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--whole", action="store_true", help="answers are not cut")
    parser.add_argument("--api", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--neighbour", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.api:
        trio.run(api)
    elif options.neighbour:
        neighbour(options.neighbour)
    else:
        every = cases()
        chosen = {
            name: case for name, case in every.items() if not options.case or any(one in name for one in options.case)
        }
        argv = ["--result-budget-bytes", "0"] if options.whole else []
        with (
            tempfile.TemporaryDirectory() as folder,
            measured.beside(__file__, "--api") as api_port,
            watched(Path(folder), api_port, *argv) as server,
        ):
            for name, case in chosen.items():
                rows = [server.play(case) for _ in range(options.rounds)]
                step = min((row.step for row in rows), key=lambda step: step.cpu_ms)
                alone = statistics.median(row.alone.median for row in rows)
                worst_alone = statistics.median(row.alone.worst for row in rows)
                worst = sorted(row.beside.worst for row in rows)
                took = min(row.seconds for row in rows)
                print(
                    f"{name:26} step {step.cpu_ms:7.1f} ms cpu {step.wall_ms:7.1f} wall | alone {alone:5.2f} worst"
                    f" {worst_alone:5.1f} | beside worst {worst[0]:6.1f} {statistics.median(worst):6.1f} {worst[-1]:6.1f}"
                    f" | {took:5.2f} s | {step.task[-40:]} | {rows[0].answered[-80:]!r}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
