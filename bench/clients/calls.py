"""The calls that are made through every adapter, and what is wrong with one that was made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import msgspec

from clients import server
from clients.documents import Document, Json, Request, as_numbers, as_text
from clients.echo import Api
from openapi_mcp_server.bridge.schemas.edits import encode
from openapi_mcp_server.mock import synthesis
from openapi_mcp_server.mock.levels import NoValueError

GIVEN = "given"
SPELLINGS: dict[str, Callable[[Json], Json]] = {GIVEN: dict, "text": as_text, "numbers": as_numbers}
"""How the arguments of a document's nested call are written; each must become the same request."""
LEAST = "least"
"""A call of some other tool with what it requires and nothing else: so what a framework adds for the rest is seen."""


class Call(msgspec.Struct, frozen=True):
    """``alone``: what is wrong with it where no framework stands between; for most, nothing."""

    spelling: str
    tool: str
    arguments: Json
    wanted: Request | str
    alone: str = ""


def planned(served: server.Served, document: Document, samples: int) -> list[Call]:
    return [*_nested(served, document), *(_least(served, samples) if document.file and document.mode == "all" else ())]


def _nested(served: server.Served, document: Document) -> Iterator[Call]:
    for spelling, spelled in SPELLINGS.items():
        arguments = spelled(document.arguments)
        made = server.called(served.url, document.tool, arguments)
        yield Call(spelling, document.tool, arguments, document.wanted, fault(made, document.wanted, served.api))


def _least(served: server.Served, samples: int) -> Iterator[Call]:
    """Calls of so many tools, evenly spread over the list, where such a call reaches the API."""
    for tool in served.tools[:: max(1, len(served.tools) // max(1, samples))][:samples]:
        try:
            found = synthesis.arguments(tool["inputSchema"], whole=False)
        except (NoValueError, synthesis.EndlessError, RecursionError):
            continue
        arguments = msgspec.json.decode(encode(found), type=Json)
        made = server.called(served.url, tool["name"], arguments)
        if sent := served.api.behind(made.get("text", "")):
            yield Call(LEAST, tool["name"], arguments, sent)


def fault(made: Mapping[str, str], wanted: Request | str, api: Api) -> str:
    """What is wrong with a call, from what the caller got and what the API received."""
    if "error" in made:
        return one_line(made["error"])
    if isinstance(wanted, str):
        return "" if wanted in bare(made["text"]) else one_line(made["text"])
    sent = api.behind(made["text"])
    if sent is None:
        return one_line(made["text"])
    return "" if sent == wanted else f"sent {difference(sent, wanted)}"


def bare(text: str) -> str:
    """Text of an answer, however often a framework quoted it."""
    return re.sub(r"""[\\"'\s]""", "", text)


def one_line(text: str) -> str:
    return " ".join(text.split())[:400]


def difference(sent: Request, wanted: Request) -> str:
    parts = [name for name in Request.__struct_fields__ if getattr(sent, name) != getattr(wanted, name)]
    return ", ".join(f"{name} {str(getattr(sent, name))[:300]}" for name in parts)
