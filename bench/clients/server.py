"""The server that is tried: a process of any checkout, started by its own script, spoken to over HTTP alone."""

import os
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec

from clients import echo
from clients.documents import Document, Json

START_SECONDS = 120
CALL_SECONDS = 60
SAID = b"serving MCP at "


class Served(msgspec.Struct, frozen=True):
    """A running server: its address, the tools that it lists, the API behind it."""

    url: str
    tools: list[Json]
    api: echo.Api


@contextmanager
def serving(checkout: Path, document: Document) -> Iterator[Served]:
    with (
        echo.serving() as api,
        tempfile.TemporaryFile() as log,
        _started(checkout, document, api, log.fileno()) as server,
    ):
        url = _url(server, log)
        yield Served(url, listed(url), api)


@contextmanager
def _started(checkout: Path, document: Document, api: echo.Api, log: int) -> Iterator[subprocess.Popen[bytes]]:
    argv = [str(checkout / "scripts" / "run")]
    if document.path:
        argv += ["--spec-path", str(document.path), "--api-url", api.url, "--allow-private-networks"]
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environ = kept | {
        "SERVER_PORT": "0",
        "TOOL_MODE": document.mode,
        "TOOL_SCHEMAS": document.schemas,
        "OPENAPI_MCP_VENV": os.environ.get("OPENAPI_MCP_VENV", str(checkout / ".venv")),
    }
    with subprocess.Popen(argv, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log) as server:
        try:
            yield server
        finally:
            server.terminate()


def _url(server: subprocess.Popen[bytes], log: IO[bytes]) -> str:
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        log.seek(0)
        for line in log.read().splitlines():
            if SAID in line:
                return line.partition(SAID)[2].partition(b'"')[0].decode()
        time.sleep(0.1)
    log.seek(0)
    raise SystemExit(f"the server did not start:\n{log.read().decode()}")


def listed(url: str) -> list[Json]:
    """All pages of the list."""
    tools: list[Json] = []
    cursor: Json = {}
    while True:
        page = asked(url, "tools/list", cursor)["result"]
        tools += page["tools"]
        if not page.get("nextCursor"):
            return tools
        cursor = {"cursor": page["nextCursor"]}


def called(url: str, tool: str, arguments: Json) -> Json:
    """A call as no framework is in the way: ``text`` or ``error``, as runners tell it."""
    answer = asked(url, "tools/call", {"name": tool, "arguments": arguments})
    if "error" in answer:
        return {"error": answer["error"]["message"]}
    text = "\n".join(block.get("text", "") for block in answer["result"]["content"])
    return {"error" if answer["result"].get("isError") else "text": text}


def asked(url: str, method: str, params: Json) -> Json:
    """One request to the stateless endpoint; its answer may come as an event."""
    body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2025-06-18",
    }
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=CALL_SECONDS) as reply:
        answer = reply.read()
        if reply.headers.get_content_type() == "text/event-stream":
            answer = [line[5:] for line in answer.splitlines() if line.startswith(b"data:")][-1]
    return msgspec.json.decode(answer, type=dict[str, Any])
