"""Servers of others that are measured beside ours: how each is installed, started and asked."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from installing import Unavailable, installed, installed_by_npm
from proxied import await_port, free_port
from rounds import ABOUT
from targets import HERE, Place, Start, Target

START_SECONDS = 40.0
HTTP_SERVER_QUEUE = 5
"""socketserver.TCPServer.request_queue_size, which `http.server` keeps; with 1,024 in its place nothing is reset."""
FASTMCP, SDK, MCPIFY, GATEWAY, IVOTOBY, AWSLABS = (
    "fastmcp==4.2.3",
    "mcp==2.3.0",
    "mcpify-openapi[yaml]==1.19.0",
    "openapi-mcp-gateway==0.8.0",
    "@ivotoby/openapi-mcp-server@1.16.1",
    "awslabs.openapi-mcp-server==1.1.6",
)


def over_http(place: Place) -> dict[str, Start]:
    document, base = str(place.document), place.base

    def fastmcp(port: int) -> list[str]:
        return [*_fastmcp(document, base), str(port)]

    def sdk(port: int) -> list[str]:
        python = installed("sdk", SDK, "uvicorn", "httptools", "uvloop", "httpx")
        return [str(python), str(HERE / "peer_sdk.py"), document, base, str(port)]

    def mcpify(port: int) -> list[str]:
        return [_of(MCPIFY, "mcpify"), "serve", document, "--base-url", base, "--http", str(port)]

    def gateway(port: int) -> list[str]:
        where = ["--host", "127.0.0.1", "--port", str(port), "--quiet"]
        return [_of(GATEWAY, "openapi-mcp-gateway"), "--spec", document, "--base-url", base, *where]

    def ivotoby(port: int) -> list[str]:
        return [*_ivotoby(document, base), "-t", "http", "-p", str(port), "--host", "127.0.0.1"]

    return {
        "FastMCP 4.2.3, stateless, JSON, uvloop": partial(_listening, fastmcp),
        "official SDK 2.3.0 by hand, uvloop, httptools": partial(_listening, sdk),
        "mcpify-openapi 1.19.0": partial(_listening, mcpify, session=True, queue=HTTP_SERVER_QUEUE),
        "openapi-mcp-gateway 0.8.0": partial(_listening, gateway, path="/api/mcp", session=True),
        "@ivotoby/openapi-mcp-server 1.16.1": partial(_listening, ivotoby, session=True, streamed=True),
    }


@contextmanager
def _listening(command: Callable[[int], list[str]], **asked: Any) -> Iterator[Target]:  # noqa: ANN401 - fields of Target
    port = free_port()
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command(port), stdout=nowhere, stderr=nowhere) as process:
        try:
            await_port(process, port, START_SECONDS)
            yield Target((process.pid,), port, **asked)
        finally:
            process.terminate()


class Command(NamedTuple):
    """A program that speaks over its standard input and output."""

    argv: list[str]
    environment: Mapping[str, str] = {}


def over_stdio(place: Place) -> dict[str, Callable[[], Command]]:
    document, base = str(place.document), place.base
    awslabs = {"API_NAME": "bench", "API_BASE_URL": base, "API_SPEC_PATH": document, "FASTMCP_LOG_LEVEL": "ERROR"}
    gateway = ["--spec", document, "--base-url", base, "--transport", "stdio", "-q"]
    return {
        "mcpify-openapi 1.19.0": lambda: Command([_of(MCPIFY, "mcpify"), "serve", document, "--base-url", base]),
        "@ivotoby/openapi-mcp-server 1.16.1": lambda: Command([*_ivotoby(document, base), "-t", "stdio"]),
        "FastMCP 4.2.3": lambda: Command([*_fastmcp(document, base), "stdio"]),
        "awslabs.openapi-mcp-server 1.1.6": lambda: Command([_of(AWSLABS, "awslabs.openapi-mcp-server")], awslabs),
        "openapi-mcp-gateway 0.8.0": lambda: Command([_of(GATEWAY, "openapi-mcp-gateway"), *gateway]),
    }


def _fastmcp(document: str, base: str) -> list[str]:
    return [str(installed("fastmcp", FASTMCP, "uvloop")), str(HERE / "peer_fastmcp.py"), document, base]


def _of(package: str, program: str) -> str:
    name, _, _ = re.split(r"(\[|=)", package, maxsplit=1)
    return str(installed(name, package).parent / program)


def _ivotoby(document: str, base: str) -> list[str]:
    folder: Path = installed_by_npm("ivotoby", IVOTOBY)
    return [str(folder / "openapi-mcp-server"), "-s", document, "-u", base]


@contextmanager
def running(command: Command, errors: int = subprocess.DEVNULL) -> Iterator[subprocess.Popen[bytes]]:
    """``errors``: where it says what else it has to say."""
    pipe = subprocess.PIPE
    whole = {**os.environ, **command.environment}
    with subprocess.Popen(command.argv, env=whole, stdin=pipe, stdout=pipe, stderr=errors) as process:
        try:
            yield process
        finally:
            process.kill()
            with suppress(BrokenPipeError):  # what could not be said to one that has ended is still to be said
                process.stdin.close()  # type: ignore[union-attr]


def greet(process: subprocess.Popen[bytes]) -> None:
    exchange(process, {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": ABOUT})
    _say(process, {"jsonrpc": "2.0", "method": "notifications/initialized"})


def _say(process: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(message) + b"\n")
    process.stdin.flush()


def exchange(process: subprocess.Popen[bytes], message: dict[str, Any]) -> bytes:
    """The answer to a message. One that has ended may be so before it is asked, or after."""
    assert process.stdout is not None
    with suppress(BrokenPipeError):
        _say(process, message)
    while line := process.stdout.readline():
        if b'"id"' in line:
            return line
    raise Unavailable(f"it ended with {process.wait(10)}")
