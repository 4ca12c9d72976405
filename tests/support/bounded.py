"""Documents loaded in a process of its own, which the kernel ends when it takes more time or memory than it may.

A bound that is kept this way holds however slow the machine is, and for what C and Rust allocate as well.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from openapi_mcp_server.bridge import catalog
from openapi_mcp_server.bridge.arguments import check
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.errors import ArgumentError, SpecError
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import parse
from processes import environment

MIB = 2**20


class Task(msgspec.Struct):
    """``calls``: tools by name with the arguments that are checked once the document is loaded."""

    document: bytes
    calls: list[tuple[str, bytes]] = []


class Outcome(msgspec.Struct):
    """``problem``: why the whole document was refused. ``answers``: of each call, "" where its arguments fit."""

    problem: str = ""
    tools: int = 0
    largest: int = 0  # bytes of a tool's entry
    skipped: list[tuple[str, str]] = []
    notes: list[str] = []
    answers: list[str] = []


def loaded(document: bytes, *, seconds: int, mebibytes: int, calls: Sequence[tuple[str, bytes]] = ()) -> Outcome:
    """What became of it; fails if it took more than ``seconds`` of CPU or ``mebibytes`` of addresses."""
    done = subprocess.run(
        [sys.executable, __file__, str(seconds), str(mebibytes)],
        input=msgspec.msgpack.encode(Task(document, list(calls))),
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stderr.decode()[-2_000:])
    return msgspec.json.decode(done.stdout, type=Outcome)


def _load(task: Task) -> Outcome:
    try:
        source = catalog.ApiSource(
            name="api", base=base_url("https://api.example.com"), description=describe(parse(task.document))
        )
        built = catalog.build([source])
    except SpecError as error:
        return Outcome(problem=str(error))
    return Outcome(
        tools=len(built.tools),
        largest=max((len(bytes(tool.entry)) for tool in built.tools.values()), default=0),
        skipped=[(each.operation.pointer, each.operation.reason) for each in built.skipped],
        notes=[note.kind for api in built.apis for note in api.notes],
        answers=[_answer(built, name, encoded) for name, encoded in task.calls],
    )


def _answer(built: catalog.ToolCatalog, name: str, encoded: bytes) -> str:
    try:
        check.check(built.tools[name], msgspec.Raw(encoded))
    except ArgumentError as error:
        return str(error)
    return ""


def _main() -> None:
    seconds, mebibytes = map(int, sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (mebibytes * MIB, mebibytes * MIB))
    outcome = _load(msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Task))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    _main()
