"""A server asked over HTTP, each time on a connection of its own, and what it is asked: messages of JSON-RPC."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

TIMEOUT_SECONDS = 30
POLL_SECONDS = 0.05
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
"""What a message of that revision has at least in its ``_meta``."""
Found = TypeVar("Found")


def fetch(
    url: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, headers=named)
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.headers.items()}, response.read()
    finally:
        connection.close()


def is_ready(port: int | str) -> bool:
    try:
        return fetch(f"http://127.0.0.1:{port}/readyz")[0] == 200
    except OSError:
        return False


def post(url: str, body: bytes, **headers: str) -> tuple[int, bytes]:
    """A message; the status and the body of the answer."""
    status, _, answer = fetch(url, "POST", body, content_type="application/json", **headers)
    return status, answer


def message(method: str, request_id: int | str = 1, **params: object) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})


def call(tool: str, request_id: int | str = 1, /, **arguments: object) -> bytes:
    return message("tools/call", request_id, name=tool, arguments=arguments)


LIST = message("tools/list")


def asked(
    url: str, token: str | None, body: bytes = LIST, method: str = "POST", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to a caller with this token."""
    given = {} if token is None else {"authorization": f"Bearer {token}"}
    return fetch(url, method, body, content_type="application/json", **given, **headers)


def tools(url: str, token: str) -> list[str]:
    """The names of the tools that are there for a caller with this token."""
    status, _, body = asked(url, token)
    assert status == 200, body
    return [tool["name"] for tool in msgspec.json.decode(body)["result"]["tools"]]


def until(look: Callable[[], Found]) -> Found:
    """What ``look`` finds in another process, as soon as it is something."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, look
        time.sleep(POLL_SECONDS)
    return found
