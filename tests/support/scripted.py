"""A gateway in front of an API that does what a test says: the stand-in for everything behind ``Send``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import msgspec

from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.bridge.model import Access, CheckedSchema, InputContract, Slot, Tool, ToolCatalog
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.gateway.serving import Authorize, Serving
from openapi_mcp_server.mcp.messages import ServerInfo
from openapi_mcp_server.memory import Hold
from openapi_mcp_server.observe.record import CallRecord, Observe
from openapi_mcp_server.observe.trace import Begin, Carrier, untraced
from openapi_mcp_server.upstream.call import Upstream

SERVER = ServerInfo(name="tests", version="1.0")
INPUT = b'{"type":"object","properties":{"id":{"type":"integer"}},"required":["id"],"additionalProperties":false}'


def tool(name: str = "get_pet", method: str = "GET") -> Tool:
    """An operation at ``/pets/{id}`` that takes one integer."""
    return Tool(
        name=name,
        api="pets",
        method=method,
        pointer="#/paths/~1pets~1{id}/get",
        template="/pets/{id}",
        origin=Origin("https", "api.example.com", 443),
        path=("/pets/", 0),
        fixed_query="",
        slots=(Slot(argument="id", name="id", location="path", required=True, encode=str),),
        body=None,
        accept="application/json",
        access=Access(kind="anonymous", credentials=("",)),
        input=InputContract(checked=CheckedSchema(INPUT), names=("id",), required=("id",)),
        output=None,
        entry=msgspec.Raw(
            msgspec.json.encode({"name": name, "description": "One pet", "inputSchema": msgspec.Raw(INPUT)})
        ),
        title="",
        summary="One pet",
    )


def ok(body: bytes = b'{"id":5}', status: int = 200) -> HttpResponse:
    return HttpResponse(status=status, reason="", headers=(("content-type", "application/json"),), body=body)


Step = HttpResponse | Exception | Callable[[HttpRequest], Awaitable[HttpResponse]]


class ScriptedApi:
    """Takes one step of its script for each request, the last one for ever; writes down what it was asked."""

    def __init__(self, *script: Step) -> None:
        self._script = list(script) or [ok()]
        self.requests: list[HttpRequest] = []
        self.deadlines: list[float] = []

    async def send(self, request: HttpRequest, *, deadline_seconds: float, hold: Hold) -> HttpResponse:
        self.requests.append(request)
        self.deadlines.append(deadline_seconds)
        hold.may_be_sent = True
        await anyio.lowlevel.checkpoint()
        step = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, HttpResponse) else await step(request)


class Silence:
    """A step that never answers; says when it was reached and when it was cancelled."""

    def __init__(self) -> None:
        self.reached = anyio.Event()
        self.cancelled = anyio.Event()

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        self.reached.set()
        try:
            await anyio.sleep_forever()
        except BaseException:
            self.cancelled.set()
            raise
        raise AssertionError("unreachable")


async def echo(request: HttpRequest) -> HttpResponse:
    return ok(msgspec.json.encode({"path": request.path}))


def slowly(seconds: float, answer: HttpResponse | None = None) -> Step:
    async def step(request: HttpRequest) -> HttpResponse:
        await anyio.sleep(seconds)
        return answer or ok()

    return step


def unchanged(request: HttpRequest, _: Tool, __: Carrier) -> HttpRequest:
    return request


def gateway(
    api: ScriptedApi | Upstream,
    *tools: Tool,
    records: list[CallRecord] | None = None,
    authorize: Authorize = unchanged,
    observe: Observe | None = None,
    trace: Begin = untraced,
    **serving: object,
) -> Gateway:
    served = {one.name: one for one in tools or (tool(),)}
    return Gateway(
        ToolCatalog(apis=(), tools=served, skipped=()),
        Serving(**{"server": SERVER, "call_seconds": 60.0, **serving}),
        send=api.send,
        authorize=authorize,
        observe=observe or ((lambda _: None) if records is None else records.append),
        trace=trace,
    )
