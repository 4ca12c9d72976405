"""A tool, and answers of its API, for the tests of what a model gets back."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.bridge.model import CheckedSchema, InputContract, OutputContract, Slot, Tool
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.bridge.results.next_page import paging
from openapi_mcp_server.mcp.messages import TextContent, ToolResult

PNG = b"\x89PNG\r\n\x1a\n\x00\x00"


def tool(method: str = "GET", output: OutputContract | None = None) -> Tool:
    return Tool(
        name="getPet",
        api="pet shop",
        method=method,
        pointer="#/paths/~1pets/get",
        template="/pets",
        origin=Origin("https", "api.example.com", 443),
        path=("/pets",),
        fixed_query="",
        slots=(),
        body=None,
        accept="*/*",
        input=InputContract(checked=CheckedSchema(b"{}"), names=()),
        output=output,
        entry=msgspec.Raw(b"{}"),
        title="",
        summary="",
    )


def paged(*names: str, texts: Iterable[str] = (), location: str = "query") -> Tool:
    """A tool with these optional arguments, those of ``texts`` said to be text."""
    slots = [Slot(argument=name, name=name, location=location, required=False, encode=str) for name in names]
    pages = paging({name: name for name in names if location != "path"}, texts, numbers=())
    return msgspec.structs.replace(tool(), slots=tuple(slots), paging=pages)


def answer(
    body: bytes, content_type: str | None = None, *headers: tuple[str, str], status: int = 200, cut: str | None = None
) -> HttpResponse:
    typed = () if content_type is None else (("content-type", content_type),)
    return HttpResponse(status=status, reason="", headers=(*typed, *headers), body=body, cut=cut)


def texts(result: ToolResult) -> list[str]:
    return [block.text for block in result.content if isinstance(block, TextContent)]
