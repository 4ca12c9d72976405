"""Servers of others that are measured beside ours: how each is installed, started and asked."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from installing import Unavailable, installed, installed_by_npm
from proxied import await_port, free_port
from rounds import ABOUT
from targets import HERE, Place, Start, Target

START_SECONDS = 40.0
FASTMCP, SDK, MCPIFY, GATEWAY, IVOTOBY, AWSLABS = (
    "fastmcp==4.2.3",
    "mcp==2.3.0",
    "mcpify-openapi==1.19.0",
    "openapi-mcp-gateway==0.8.0",
    "@ivotoby/openapi-mcp-server@1.16.1",
    "awslabs.openapi-mcp-server==1.1.6",
)


def over_http(place: Place) -> dict[str, Start]:
    document, base = str(place.document), place.base

    def fastmcp(port: int) -> list[str]:
        return [str(installed("fastmcp", FASTMCP, "uvloop")), str(HERE / "peer_fastmcp.py"), document, base, str(port)]

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
        "mcpify-openapi 1.19.0": partial(_listening, mcpify, session=True),
        "openapi-mcp-gateway 0.8.0": partial(_listening, gateway, path="/api/mcp", session=True),
        "@ivotoby/openapi-mcp-server 1.16.1": partial(_listening, ivotoby, session=True),
    }


@contextmanager
def _listening(command: Callable[[int], list[str]], *, path: str = "/mcp", session: bool = False) -> Iterator[Target]:
    port = free_port()
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command(port), stdout=nowhere, stderr=nowhere) as process:
        try:
            await_port(process, port, START_SECONDS)
            yield Target((process.pid,), port, path=path, session=session)
        finally:
            process.terminate()


def over_stdio(place: Place) -> dict[str, Callable[[], Any]]:
    document, base = str(place.document), place.base
    awslabs = {"API_NAME": "bench", "API_BASE_URL": base, "API_SPEC_PATH": document, "FASTMCP_LOG_LEVEL": "ERROR"}
    return {
        "mcpify-openapi 1.19.0": lambda: stdio([_of(MCPIFY, "mcpify"), "serve", document, "--base-url", base]),
        "@ivotoby/openapi-mcp-server 1.16.1": lambda: stdio([*_ivotoby(document, base), "-t", "stdio"]),
        "awslabs.openapi-mcp-server 1.1.6": lambda: stdio([_of(AWSLABS, "awslabs.openapi-mcp-server")], awslabs),
        "openapi-mcp-gateway 0.8.0": lambda: stdio(
            [_of(GATEWAY, "openapi-mcp-gateway"), "--spec", document, "--base-url", base, "--transport", "stdio", "-q"]
        ),
    }


def _of(package: str, program: str) -> str:
    return str(installed(package.partition("=")[0], package).parent / program)


def _ivotoby(document: str, base: str) -> list[str]:
    folder: Path = installed_by_npm("ivotoby", IVOTOBY)
    return [str(folder / "openapi-mcp-server"), "-s", document, "-u", base]


@contextmanager
def stdio(command: list[str], environment: Mapping[str, str] = {}) -> Iterator[subprocess.Popen[bytes]]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env={**os.environ, **environment}, **pipes) as process:  # type: ignore[call-overload]
        try:
            exchange(process, {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": ABOUT})
            _say(process, {"jsonrpc": "2.0", "method": "notifications/initialized"})
            yield process
        finally:
            process.terminate()


def _say(process: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(message) + b"\n")
    process.stdin.flush()


def exchange(process: subprocess.Popen[bytes], message: dict[str, Any]) -> bytes:
    """The answer to a message."""
    _say(process, message)
    assert process.stdout is not None
    while line := process.stdout.readline():
        if b'"id"' in line:
            return line
    raise Unavailable(f"it ended with {process.wait(10)}")
