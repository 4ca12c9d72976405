"""Tasks end to end in search mode, by a scripted model: it searches, describes what a hit does not tell, and calls.

Prints how many calls each task took and about how many tokens a model paid, beside the same task in list mode: the
list of all tools, and one call. The API is a stand-in that answers with a word, so what an answer costs is not in the
figures. A model that takes a wrong hit is not simulated.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import msgspec

from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.bridge.model import SEEN_BYTES_PER_TOKEN, Tool, ToolCatalog
from openapi_mcp_server.bridge.search.names import CALL, DESCRIBE, READ, SEARCH, seen_tokens
from openapi_mcp_server.bridge.search.notation import contract, is_simple
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.gateway.serving import Serving
from openapi_mcp_server.mcp.inbound import Call
from openapi_mcp_server.mcp.messages import ServerInfo
from openapi_mcp_server.memory import Hold
from openapi_mcp_server.mock import synthesis
from openapi_mcp_server.observe.trace import Carrier
from search_questions import catalogs, folder_of

QUESTIONS = Path(__file__).resolve().parent.parent / "tests" / "bridge" / "search" / "questions.tsv"
TASKS = 40
_PAGES = 3


class Task(NamedTuple):
    document: str
    query: str
    place: str


class Done(NamedTuple):
    """``calls`` 0: it was not done."""

    task: Task
    calls: int
    tokens: int
    called: int  # of them, those of the call itself, which is all that a list of tools leaves to say
    shown: int  # tokens of the four tools
    listed: int  # of all tools


def tasks() -> Iterator[Task]:
    with QUESTIONS.open() as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["half"] == "own words":
                yield Task(row["document"], row["question"], row["operations"])


class Model:
    """What a model says and reads, and what the API is asked because of it."""

    def __init__(self, tools: ToolCatalog) -> None:
        self._tools = tools
        self.asked: list[HttpRequest] = []
        self.calls = 0
        self.bytes = self.last_bytes = 0
        serving = Serving(server=ServerInfo(name="tasks", version="1"), call_seconds=10, mode="search")
        self._gateway = Gateway(tools, serving, send=self._send, authorize=_unchanged, observe=_ignore)

    async def _send(self, request: HttpRequest, *, deadline_seconds: float, hold: Hold) -> HttpResponse:
        del deadline_seconds, hold
        self.asked.append(request)
        body = b'{"done":true}'
        return HttpResponse(status=200, reason="", headers=(("content-type", "application/json"),), body=body)

    async def says(self, name: str, /, **arguments: Any) -> str:  # noqa: ANN401 - what JSON has
        """One call; returns the text of its answer."""
        raw = msgspec.Raw(msgspec.json.encode(arguments))
        call = Call(id=1, method="tools/call", version="2025-11-25", size=9, name=name, arguments=raw)
        answer = msgspec.json.decode(b"".join(await self._gateway.answer(call, "stdio")))
        text: str = answer["result"]["content"][0]["text"]
        self.calls += 1
        self.last_bytes = len(bytes(raw)) + len(text.encode())
        self.bytes += self.last_bytes
        return text

    def shown(self) -> int:
        answer = self._gateway.at_once(Call(id=1, method="tools/list", version="2025-11-25", size=9), "stdio")
        entries = msgspec.json.decode(b"".join(answer or ()))["result"]["tools"]
        seen = [[entry["name"], entry["description"], entry["inputSchema"]] for entry in entries]
        return int(sum(len(msgspec.json.encode(each)) for each in seen) / SEEN_BYTES_PER_TOKEN)

    async def does(self, task: Task) -> bool:
        """Finds the operation among the hits, and calls it with its required arguments."""
        for page in range(_PAGES):
            hits = await self.says(SEARCH, query=task.query, **({"offset": 5 * page} if page else {}))
            found = re.search(rf"^\d+\. ([\w-]+)\(.*\n   {re.escape(task.place)}(?= |$)(.*)", hits, re.MULTILINE)
            if found is not None:
                tool = self._tools.tools[found[1]]
                return await self._carries_out(tool, look="describe first" in found[2] or _has_more_to_tell(tool))
        return False

    async def _carries_out(self, tool: Tool, *, look: bool) -> bool:
        if look:
            await self.says(DESCRIBE, name=tool.name)
        made = synthesis.arguments(msgspec.json.decode(tool.input.schema), whole=False)
        await self.says(READ if tool.method == "GET" else CALL, name=tool.name, arguments=made)
        return [request.method for request in self.asked] == [tool.method]


def _has_more_to_tell(tool: Tool) -> bool:
    """Whether the body of what changes something has arguments that a line only names."""
    within = contract(tool.input.schema)
    return tool.body is not None and not all(is_simple(within.argument(name), within) for name in tool.input.names)


def _unchanged(request: HttpRequest, _: Tool, _beside: Carrier) -> HttpRequest:
    return request


def _ignore(_: object) -> None:
    """Only the answers count here."""


async def done(task: Task, tools: ToolCatalog) -> Done:
    model = Model(tools)
    is_done = await model.does(task)
    return Done(
        task=task,
        calls=model.calls if is_done else 0,
        tokens=int(model.bytes / SEEN_BYTES_PER_TOKEN),
        called=int(model.last_bytes / SEEN_BYTES_PER_TOKEN),
        shown=model.shown(),
        listed=seen_tokens(tools.tools.values()),
    )


async def all_done(folder: Path, chosen: Sequence[Task]) -> list[Done]:
    known = dict(catalogs(folder, [task.document for task in chosen]))
    return [await done(task, known[task.document]) for task in chosen]


def main() -> int:
    results = anyio.run(all_done, folder_of(__doc__), [*tasks()][:TASKS], backend="trio")
    print("search mode       list mode: 1 call")
    for each in results:
        listed = f"{each.listed + each.called:>9,} tokens"
        print(f"{each.calls} calls {each.tokens:>5} tokens  {listed}  {each.task.document[:20]:20}  {each.task.query}")
    count, most = len(results), max(each.calls for each in results)
    lists = [each.listed + each.called for each in results]
    print(f"{sum(each.calls > 0 for each in results)} of {count} done, {most} calls at most")
    print(f"{sum(each.tokens for each in results) / count:.0f} tokens a task, {results[0].shown} for the four tools;")
    print(f"in list mode {min(lists):,} to {max(lists):,}, {sum(lists) / count:,.0f} a task")
    return 0 if all(1 <= each.calls <= 3 for each in results) else 1


if __name__ == "__main__":
    sys.exit(main())
