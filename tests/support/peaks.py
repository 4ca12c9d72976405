"""What one call takes of memory at most, by what the kernel says was resident in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from processes import environment

DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Peaks", "version": "1"},
    "servers": [{"url": "https://api.example.com"}],
    "paths": {
        "/answer": {
            "get": {
                "operationId": "answer",
                "responses": {"200": {"description": "Anything", "content": {"application/json": {"schema": {}}}}},
            }
        },
        "/deep": {
            "get": {
                "operationId": "deep",
                "parameters": [
                    {"name": "f", "in": "query", "style": "deepObject", "explode": True, "schema": {"type": "object"}},
                    {"name": "s", "in": "query", "schema": {"type": "string"}},
                ],
                "responses": {"200": {"description": "Nothing"}},
            }
        },
        **{
            f"/{name}": {
                "post": {
                    "operationId": name,
                    "requestBody": {"content": {media: {"schema": schema, **more}}},
                    "responses": {"200": {"description": "Nothing"}},
                }
            }
            for name, media, schema, more in [
                ("json", "application/json", {}, {}),
                ("lines", "application/x-ndjson", {}, {}),
                ("xml", "application/xml", {"type": "object", "xml": {"name": "n" * 2_000}}, {}),
                (
                    "form",
                    "application/x-www-form-urlencoded",
                    {"type": "object", "properties": {"n": {}, "d": {}}},
                    {"encoding": {"d": {"style": "deepObject", "explode": True}}},
                ),
                (
                    "multipart",
                    "multipart/form-data",
                    {"type": "object", "properties": {"n": {}, "photo": {"type": "string", "format": "binary"}}},
                    {},
                ),
            ]
        },
    },
}


class Task(msgspec.Struct):
    """A call, or an answer to the tool ``answer`` with the filter that is applied to it."""

    tool: str
    arguments: bytes = b"{}"
    answer: bytes | None = None
    content_type: str = "application/json"
    select: str = ""


def peak_mib(tasks: list[Task]) -> list[float]:
    """Of each, above what there was before it."""
    done = subprocess.run(
        [sys.executable, __file__],
        input=msgspec.msgpack.encode(tasks),
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2_000:]
    return msgspec.json.decode(done.stdout, type=list[float])


def _resident(what: str) -> int:
    status = Path("/proc/self/status").read_text("ascii")
    return int(re.findall(rf"{what}:\s+(\d+) kB", status)[0])


def _main() -> None:
    from openapi_mcp_server.bridge import catalog
    from openapi_mcp_server.bridge.arguments.check import check
    from openapi_mcp_server.bridge.http_messages import HttpResponse
    from openapi_mcp_server.bridge.request import build
    from openapi_mcp_server.bridge.results import response_filter
    from openapi_mcp_server.bridge.results.result import OutputValidators, render
    from openapi_mcp_server.errors import ArgumentError
    from openapi_mcp_server.mcp.messages import result
    from openapi_mcp_server.openapi.operations import describe
    from openapi_mcp_server.openapi.text.document import parse

    source = catalog.ApiSource(name="api", base=None, description=describe(parse(msgspec.json.encode(DOCUMENT))))
    tools = catalog.build([source]).tools

    def carry_out(task: Task) -> None:
        tool = tools[task.tool]
        if task.answer is None:
            with suppress(ArgumentError):
                build(tool, check(tool, msgspec.Raw(task.arguments)).values)
            return
        headers = (("content-type", task.content_type),)
        response = HttpResponse(status=200, reason="", headers=headers, body=task.answer)
        select = response_filter.selection(task.select) if task.select else None
        result(render(tool, response, OutputValidators(), select=select, budget_bytes=100_000), None)

    def measured(task: Task) -> float:
        ours, theirs = os.pipe()
        if not (child := os.fork()):
            before = _resident("VmRSS")
            carry_out(task)
            os.write(theirs, b"%d" % (_resident("VmHWM") - before))
            os._exit(0)
        os.close(theirs)
        with open(ours, "rb") as pipe:  # noqa: PTH123 - a descriptor
            found = pipe.read()
        assert os.waitpid(child, 0)[1] == 0, task.tool
        return int(found) / 1024

    tasks = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=list[Task])
    sys.stdout.buffer.write(msgspec.json.encode([measured(task) for task in tasks]))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    _main()
