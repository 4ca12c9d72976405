"""The interfaces that the gateway is given: how a catalog is served, and functions that send requests and add
credentials."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.policy import Permit
from openapi_mcp_server.bridge.results.redaction import Redaction
from openapi_mcp_server.mcp.inbound import Call
from openapi_mcp_server.mcp.messages import ServerInfo
from openapi_mcp_server.mcp.methods import is_modern
from openapi_mcp_server.memory import UNBOUNDED, Budget, Hold
from openapi_mcp_server.observe.trace import Carrier

Notify = Callable[[bytes], Awaitable[None]]
"""Sends one JSON-RPC notification to the client before its answer, on the same way."""
SendOne = Callable[[HttpRequest, float], Awaitable[HttpResponse]]
"""Sends a request within so many seconds."""


class Pending(Protocol):
    """A request whose credentials have to be waited for."""

    @property
    def body(self) -> bytes | None: ...

    async def exchange(self, send: SendOne, seconds: float) -> HttpResponse:
        """Raises `CredentialError`, and what ``send`` raises."""
        ...


Authorize = Callable[[HttpRequest, Tool, Carrier], HttpRequest | Pending]
"""Returns the request with the credentials of its tool and its caller; raises `CredentialError`."""


class Send(Protocol):
    """Carries out one request within the room of ``hold``, and sets its ``may_be_sent``; raises an `UpstreamError`."""

    async def __call__(self, request: HttpRequest, *, deadline_seconds: float, hold: Hold) -> HttpResponse: ...


class Sent(Protocol):
    """A request that waited for nothing, except for a place at its API. ``soon`` ends by itself within half a second.
    If it has no answer then, ``rest`` waits for one as `Send` does."""

    def soon(self) -> Awaitable[HttpResponse | None]: ...

    def rest(self) -> Awaitable[HttpResponse]: ...


class SendAtOnce(Protocol):
    """Sends one request that waits at most for a place at its API. None if it must go through `Send`."""

    def __call__(self, request: HttpRequest, *, deadline_seconds: float, hold: Hold) -> Sent | None: ...


def not_at_once(request: HttpRequest, *, deadline_seconds: float, hold: Hold) -> None:
    """Has every request sent by `Send`."""


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """How a catalog is served. ``page_size`` 0: all tools on one page; ``result_budget_bytes`` 0: answers are whole.

    ``memory`` is the budget of data that is kept for clients.
    """

    server: ServerInfo
    call_seconds: float
    page_size: int = 0
    prompts: bool | None = True  # for each operation; None: if they are few, else for the whole API
    validate_output: bool = True
    result_budget_bytes: int = 0
    memory: Budget = UNBOUNDED
    mode: Literal["all", "search", "auto"] = "all"
    portable: bool = False  # schemas of tools are told as every model API takes them
    list_tokens: int = 0  # with `auto`, tools whose list costs a model more are searched
    anybody: Permit = Permit()  # of callers whom nobody has asked who they are
    private: bool = False  # whether lists depend on who asks
    redaction: Redaction | None = None
    tell_arguments: bool = False  # in records

    def identity(self, call: Call) -> ServerInfo | None:
        """The server's name and version, which every answer has since protocol revision 2026-07-28."""
        return self.server if is_modern(call.version) else None
