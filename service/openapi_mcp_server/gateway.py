"""The story of one MCP message: the only place where the rooms meet.

A call is looked up, checked, built, given credentials, sent and rendered; what a model can mend becomes a result
with ``isError``, what a client did wrong stays a JSON-RPC error, and whatever else is raised is a bug of ours: -32603
with an incident's id, whose details are in the log only.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cached_property, lru_cache, partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import anyio
import msgspec
import trio
from anyio.to_thread import run_sync

from openapi_mcp_server.bridge import guide, prompts
from openapi_mcp_server.bridge.arguments.check import check
from openapi_mcp_server.bridge.media.content import resource_uri
from openapi_mcp_server.bridge.model import RESPONSE_FILTER, ApiSummary, HttpRequest, HttpResponse, Tool, ToolCatalog
from openapi_mcp_server.bridge.names import nearest
from openapi_mcp_server.bridge.policy import ANYBODY, Permit
from openapi_mcp_server.bridge.request import build
from openapi_mcp_server.bridge.results import budget
from openapi_mcp_server.bridge.results.next_page import small
from openapi_mcp_server.bridge.results.redaction import REDACTED, Redaction
from openapi_mcp_server.bridge.results.result import MISMATCH, TRUNCATED, OutputValidators, from_error, render
from openapi_mcp_server.bridge.search.names import DESCRIBE, NAMES, SEARCH, is_searched, seen_tokens
from openapi_mcp_server.errors import ArgumentError, NoRoom, Refused, ServiceError, Timeout, UpstreamError
from openapi_mcp_server.mcp import answers
from openapi_mcp_server.mcp.inbound import SHOWN_CHARACTERS, Batch, Call, Rejection
from openapi_mcp_server.mcp.messages import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    Pieces,
    RequestId,
    ServerInfo,
    TextContent,
    ToolResult,
    error_response,
    own_size,
    progress,
    response,
    result,
    size,
    without_sound,
)
from openapi_mcp_server.mcp.methods import WITHOUT_SOUND, is_modern
from openapi_mcp_server.mcp.subscriptions import CHANGES, LISTEN, Subscription, unasked
from openapi_mcp_server.memory import FREE, SMALL_BYTES, UNBOUNDED, Budget, Hold
from openapi_mcp_server.observe.record import CallRecord, Observe, Outcome, Transport
from openapi_mcp_server.observe.trace import NO_CARRIER, Begin, Carrier, Trace, untraced

if TYPE_CHECKING:
    from openapi_mcp_server.bridge.results.response_filter import Selection
    from openapi_mcp_server.bridge.search.index import Index
    from openapi_mcp_server.bridge.search.mode import Offer

PROGRESS_AFTER_SECONDS = 2
"""Silence that a person begins to notice; most calls are over by then and cost nothing."""
PROGRESS_EVERY_SECONDS = 1
GUARD_SECONDS = 1.0
"""The upstream keeps the call's deadline itself, since it alone knows what was sent and what has arrived of an
answer. This much later the gateway gives up on it."""
COERCED = "openapi-mcp-server/coerced"
"""Key of a result's ``_meta``: the arguments that were read as another JSON type than they had."""

REDACTED_AT_ONCE = 64 * 1024
"""Bytes of an answer that are looked into between two other calls, in a few milliseconds."""
CLASSES = 1_024
"""Of principals, by what they may call; one more replaces the oldest."""
DECISIONS = 8_192
"""Who may call which tool, as it was last decided: a policy with twenty selectors takes 40 µs."""
VIEWS = 32
"""Different sets of tools for which lists are kept: each may have some megabytes."""

logger = logging.getLogger(__name__)

Notify = Callable[[bytes], Awaitable[None]]
"""Sends one JSON-RPC notification on the way of the answer that is still to come."""
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
    """Carries one request out, within what ``hold`` has room for; raises an `UpstreamError`."""

    async def __call__(self, request: HttpRequest, *, deadline_seconds: float, hold: Hold) -> HttpResponse: ...


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """How a catalog is served. ``page_size`` 0: all tools on one page; ``result_budget_bytes`` 0: answers are whole.
    ``memory``: what may be kept for clients.
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


class _View:
    """The tools that one class of principals may call, and everything that is told of them, made when it is asked."""

    def __init__(
        self,
        tools: Mapping[str, Tool],
        offered: Mapping[str, Tool],
        apis: tuple[ApiSummary, ...],
        has_guide: bool,  # noqa: FBT001 - whether prompts for the whole API are offered
        offer: Offer | None,
        made: Callable[[], answers.StaticAnswers],
    ) -> None:
        self.tools = tools
        self.prompts = offered
        self.apis = apis
        self.has_guide = has_guide
        self.offer = offer  # where the tools are searched instead of listed
        self._made = made

    @cached_property
    def static(self) -> answers.StaticAnswers:
        """45 ms for 2,000 tools."""
        return self._made()


class _Indexing:
    """The index of a catalog's operations, made once, in a thread, for whoever asks first."""

    def __init__(self, catalog: ToolCatalog, limiter: anyio.CapacityLimiter) -> None:
        self._catalog = catalog
        self._limiter = limiter
        self._lock = anyio.Lock()
        self._index: Index | None = None

    async def get(self) -> Index:
        from openapi_mcp_server.bridge.search import index  # noqa: PLC0415 - its tables take 20 ms

        async with self._lock:
            if self._index is None:
                self._index = await run_sync(index.build, self._catalog, abandon_on_cancel=True, limiter=self._limiter)
            return self._index


class _Served(msgspec.Struct, frozen=True, kw_only=True):
    """A catalog and all that is made of it; replaced whole. ``views`` are made for each class when it first asks."""

    catalog: ToolCatalog
    authorize: Authorize
    validators: OutputValidators | None
    views: dict[Permit, _View]
    by_tools: dict[tuple[str, ...], _View]
    asked: dict[Permit, None]  # all classes that asked, as many as are remembered
    admits: Callable[[Permit, str], bool]
    index: _Indexing


class Gateway:
    """Answers calls. Holds no state of any client, so any call may come from anywhere.

    ``in_flight``: messages that are being answered. ``memory``: where transports open a hold for each message, with its
    first byte, and close it when its answer is taken.
    """

    def __init__(
        self,
        catalog: ToolCatalog,
        serving: Serving,
        *,
        send: Send,
        authorize: Authorize,
        observe: Observe,
        trace: Begin = untraced,
    ) -> None:
        self.memory = serving.memory
        self._serving = serving
        self._send = send
        self._observe = observe
        self._trace = trace
        self.in_flight = 0
        self._changing = tuple(kind for kind in CHANGES if serving.prompts is not False or kind != "promptsListChanged")
        self._tellers: list[Callable[[], object]] = []
        self._waiting: set[trio.CancelScope] = set()
        self._has_given_up = False
        self._filtering = anyio.CapacityLimiter(1)  # two would share one interpreter's lock
        self._indexing = anyio.CapacityLimiter(1)
        self._replaced = anyio.Event()
        self._served = self._made(catalog, authorize)

    def replace(self, catalog: ToolCatalog, authorize: Authorize) -> None:
        """Serves this catalog from now on; calls in flight end as they began. Clients are told if their lists are
        different now."""
        before, self._served = self._served, self._made(catalog, authorize)
        self._replaced.set()
        if _has_changed(before.catalog, catalog, before.asked):
            self.lists_changed()

    async def index_ahead(self) -> None:
        """Makes what the first search would wait for, now and after each reload. Runs until it is cancelled."""
        while True:
            self._replaced = anyio.Event()
            if self._is_searched(self._served.catalog.tools):
                await self._served.index.get()
            await self._replaced.wait()

    def tell_changes(self, teller: Callable[[], object]) -> None:
        """``teller`` is called whenever the lists have changed; each transport has one, and tells its clients."""
        self._tellers.append(teller)

    def tell_no_more(self, teller: Callable[[], object]) -> None:
        """Its transport has ended."""
        self._tellers.remove(teller)

    def lists_changed(self) -> None:
        """The only place that announces a change of tools and prompts."""
        for tell in self._tellers:
            tell()

    def unasked_changes(self) -> list[bytes]:
        """The messages for clients that began with ``initialize`` when the lists have changed."""
        return unasked(self._changing)

    def subscribe(self, call: Call, transport: Transport, beside: Carrier = NO_CARRIER) -> Subscription:
        """The subscription that a ``subscriptions/listen`` gets; the transport keeps it, and tells."""
        kinds = tuple(kind for kind in call.listens if kind in self._changing)
        subscription = Subscription(id=call.id, kinds=kinds, server=self._serving.server)
        with self._observed(call, transport, beside) as entry:
            entry.settle((subscription.acknowledgement(),))
        return subscription

    def at_once(
        self, call: Call, transport: Transport, beside: Carrier = NO_CARRIER, hold: Hold = FREE
    ) -> Pieces | None:
        """The response to what needs no waiting, and None for the rest: ``tools/call`` and subscriptions."""
        if call.method in {"tools/call", LISTEN}:
            return None
        with self._observed(call, transport, beside) as entry:
            view = self._view(self._permit(beside))
            told = self._resource(call, entry, view) or self._completion(call, view)
            entry.settle(told or self._static(call, transport, view) or self._prompt(call, entry, view))
        _settle(hold, call, entry.answer)
        return entry.answer

    async def answer(
        self,
        call: Call,
        transport: Transport,
        notify: Notify | None = None,
        beside: Carrier = NO_CARRIER,
        hold: Hold = FREE,
    ) -> Pieces:
        """The whole JSON-RPC response to any call. ``notify`` may be used until then, for progress."""
        if (ready := self.at_once(call, transport, beside, hold)) is not None:
            return ready
        with self._observed(call, transport, beside) as entry:
            entry.settle(await self._call_tool(call, entry, notify, hold))
        _settle(hold, call, entry.answer)
        return entry.answer

    def give_up(self) -> None:
        """The process ends: calls that wait for an API are answered with what is known, and later ones as well."""
        self._has_given_up = True
        for scope in self._waiting:
            scope.cancel()

    def refuse(self, rejection: Rejection, transport: Transport, beside: Carrier = NO_CARRIER) -> Pieces:
        """The response to a message that was no call of any method; it leaves a record like every other."""
        refused = rejection.encode()
        self._observe(
            CallRecord(
                method="",
                version="",
                transport=transport,
                outcome="protocol_error",
                seconds=0.0,
                request_bytes=0,
                response_bytes=len(refused),
                error=str(rejection.code),
                request_id=beside.request_id,
                principal=beside.principal.name,
            )
        )
        return (refused,)

    async def answer_all(
        self, batch: Batch, transport: Transport, beside: Carrier = NO_CARRIER, hold: Hold = FREE
    ) -> Pieces:
        """The responses to a batch as a JSON array, its calls side by side; empty if it was notifications only."""
        answered: list[Pieces] = [()] * len(batch.messages)

        async def fill(index: int, call: Call) -> None:
            try:
                part = hold.part()
            except NoRoom as error:
                rejection = Rejection(id=call.id, code=INTERNAL_ERROR, message=str(error))
                answered[index] = self.refuse(rejection, transport, beside)
            else:
                answered[index] = await self.answer(call, transport, None, beside, part)

        async with anyio.create_task_group() as tasks:
            for index, message in enumerate(batch.messages):
                if isinstance(message, Call):
                    tasks.start_soon(fill, index, message)
                elif isinstance(message, Rejection):
                    answered[index] = self.refuse(message, transport, beside)
        present = [piece for one in answered if one for piece in (b",", *one)]
        return (b"[", *present[1:], b"]") if present else ()

    def _observed(self, call: Call, transport: Transport, beside: Carrier) -> _Entry:
        entry = _Entry(call, transport, beside, self._trace(call, transport, beside), self._settled)
        entry.permit = self._permit(beside)
        self.in_flight += 1
        return entry

    def _settled(self, entry: _Entry) -> None:
        self.in_flight -= 1
        record = entry.record()
        self._observe(record)
        entry.trace.end(record)

    def _made(self, catalog: ToolCatalog, authorize: Authorize) -> _Served:
        validators = OutputValidators() if self._serving.validate_output else None
        served = _Served(
            catalog=catalog,
            authorize=authorize,
            validators=validators,
            views={},
            by_tools={},
            asked={},
            admits=lru_cache(maxsize=DECISIONS)(partial(_decided, catalog)),
            index=_Indexing(catalog, self._indexing),
        )
        if not self._serving.private:
            self._add_view(served, self._serving.anybody)
        return served

    def _view(self, permit: Permit) -> _View:
        views = self._served.views
        view = views.pop(permit, None)
        if view is None:
            return self._add_view(self._served, permit)
        views[permit] = view  # the last to have asked
        return view

    def _add_view(self, served: _Served, permit: Permit) -> _View:
        """Classes that may call the same tools share one view; an issuer's scopes may make many classes."""
        tools = {name: tool for name, tool in served.catalog.tools.items() if permit.admits(tool.subject)}
        view = served.by_tools.get(tuple(tools))
        if view is None:
            _make_room_for_view(served)
            view = served.by_tools[tuple(tools)] = self._viewed(served.catalog, tools)
        _make_room(served.views, CLASSES)
        _make_room(served.asked, CLASSES)
        served.views[permit] = view
        served.asked[permit] = None
        return view

    def _is_searched(self, tools: Mapping[str, Tool]) -> bool:
        return is_searched(self._serving.mode, seen_tokens(tools.values()), self._serving.list_tokens)

    def _viewed(self, catalog: ToolCatalog, tools: Mapping[str, Tool]) -> _View:
        has_guide = self._serving.prompts is None and len(tools) > guide.FEW_TOOLS
        has_own = self._serving.prompts is not False and not has_guide
        offered = prompts.named([*tools.values()]) if has_own else {}
        apis = tuple(api for api in catalog.apis if any(tool.api == api.name for tool in tools.values()))
        offer, listed = None, [tool.entry for tool in tools.values()]
        if self._is_searched(tools):
            from openapi_mcp_server.bridge.search import mode  # noqa: PLC0415 - its tables take 20 ms

            offer = mode.offer(tools)
            titles = {api.name: api.title for api in catalog.apis}
            most = self._serving.result_budget_bytes
            listed = mode.entries(offer, titles, most, portable=self._serving.portable)

        def made() -> answers.StaticAnswers:
            entries = [*guide.ENTRIES] if has_guide else [prompts.entry(name, tool) for name, tool in offered.items()]
            return answers.render(
                server=self._serving.server,
                tools=listed,
                prompts=entries,
                resources=guide.resources(apis),
                templates=guide.templates(apis),
                page_size=self._serving.page_size,
                changing=[kind.removesuffix("ListChanged") for kind in self._changing],
                private=self._serving.private,
            )

        return _View(tools, offered, apis, has_guide, offer, made)

    def _permit(self, beside: Carrier) -> Permit:
        return beside.principal.permit if beside.principal is not ANYBODY else self._serving.anybody

    def _static(self, call: Call, transport: Transport, view: _View) -> Pieces | Rejection | None:
        return view.static.to(call, lasting=transport != "http", in_events=transport == "sse")

    def _resource(self, call: Call, entry: _Entry, view: _View) -> Pieces | None:
        """None for what is no resource of ours, which is refused like any other that is not there."""
        place = guide.place(call.name) if call.method == "resources/read" else None
        if place is None or place.api not in {api.name for api in view.apis}:
            return None
        try:
            text = self._explained(place.operation, entry, view) if place.operation else self._overview(view, place.api)
        except ArgumentError:
            return None
        kind = "text/plain" if place.operation else "text/markdown"
        read = answers.contents(call.name, kind, text, self._identity(call), private=self._serving.private)
        return response(call.id, read)

    def _completion(self, call: Call, view: _View) -> Pieces | None:
        """None where nothing is known of the argument."""
        if call.method != "completion/complete":
            return None
        try:
            asked = msgspec.json.decode(call.arguments or b"{}", type=guide.Completing)
        except msgspec.DecodeError:
            return None
        values = guide.completions(asked, view.tools, view.prompts)
        return response(call.id, answers.completion(values, guide.VALUES, self._identity(call))) if values else None

    def _overview(self, view: _View, api: str = "") -> str:
        from openapi_mcp_server.bridge.search import mode  # noqa: PLC0415 - its tables take 20 ms

        offer = view.offer or mode.offer(view.tools)
        apis = [each for each in view.apis if not api or each.name == api]
        return guide.overview(apis, view.tools, {each.name: mode.areas(offer, each.name) for each in apis})

    def _explained(self, name: str, entry: _Entry, view: _View) -> str:
        """Raises ArgumentError for an operation that the caller does not have."""
        from openapi_mcp_server.bridge.search import mode  # noqa: PLC0415 - its tables take 20 ms

        offer = view.offer or mode.offer(view.tools)
        entry.denied = _denied(self._served, offer, name)
        return mode.describe(offer, self._served.catalog, entry.permit, mode.Describe(name))

    def _guided(self, call: Call, entry: _Entry, view: _View) -> Pieces | Rejection:
        """One of the prompts for the whole API."""
        try:
            wanted = guide.wanted(call.name, guide.given(call.arguments))
            match call.name:
                case guide.OVERVIEW:
                    said = f"Tell me what can be done with this:\n\n{self._overview(view)}"
                case guide.EXPLAIN:
                    said = f"Explain this operation, and show a call of it:\n\n{self._explained(wanted, entry, view)}"
                case _:
                    said = guide.task(wanted, searched=view.offer is not None)
        except ArgumentError as error:
            return Rejection(id=call.id, code=INVALID_PARAMS, message=str(error), status=200)
        return response(call.id, result(guide.result(call.name, said), self._identity(call)))

    def _prompt(self, call: Call, entry: _Entry, view: _View) -> Pieces | Rejection:
        """A prompt may be asked for by the tool's own name too, though none is listed so."""
        if view.has_guide and call.name in guide.NAMES:
            return self._guided(call, entry, view)
        tool = view.prompts.get(call.name) or (view.tools.get(call.name) if view.prompts else None)
        if tool is None:
            return _unknown(call, "prompt", guide.NAMES if view.has_guide else view.prompts)
        try:
            made = prompts.messages(tool, call.arguments)
        except ArgumentError as error:  # a prompt has no way to carry an error: the person, not a model, chose these
            return Rejection(id=call.id, code=INVALID_PARAMS, message=str(error), status=200)
        return response(call.id, result(made, self._identity(call)))

    async def _call_tool(self, call: Call, entry: _Entry, notify: Notify | None, hold: Hold) -> Pieces | Rejection:
        served = self._served
        tool = served.catalog.tools.get(call.name)
        if self._serving.mode == "all" and tool is not None and served.admits(entry.permit, call.name):
            outcome = await self._reported(served, tool, call.arguments, call, entry, notify, hold)
            return self._answered(call, outcome, entry)  # which needs no lists
        view = self._view(entry.permit)
        if view.offer is not None and call.name in NAMES:
            return await self._call_for_all(served, view.offer, call, entry, notify, hold)
        tool = view.tools.get(call.name)
        if tool is None:
            if call.name in served.catalog.tools:
                entry.denied = call.name
            return _unknown(call, "tool", view.tools if view.offer is None else NAMES)
        outcome = await self._reported(served, tool, call.arguments, call, entry, notify, hold)
        return self._answered(call, outcome, entry)

    async def _call_for_all(
        self, served: _Served, offer: Offer, call: Call, entry: _Entry, notify: Notify | None, hold: Hold
    ) -> Pieces:
        """A call of one of the four tools that stand for all. Their answers are text."""
        from openapi_mcp_server.bridge.search import mode  # noqa: PLC0415 - imported already where there is an offer

        entry.stands_for_all = call.name
        try:
            if call.name == SEARCH:
                asked = mode.read(mode.Search, call.arguments)
                outcome = _text(mode.search(offer, await served.index.get(), entry.permit, asked))
            elif call.name == DESCRIBE:
                about = mode.read(mode.Describe, call.arguments)
                entry.denied = _denied(served, offer, about.name)
                outcome = _text(mode.describe(offer, served.catalog, entry.permit, about))
            else:
                wanted = mode.operate(call.arguments)
                entry.denied = _denied(served, offer, wanted.name)
                tool, arguments = mode.invocation(offer, served.catalog, entry.permit, call.name, wanted)
                plain = msgspec.structs.replace(tool, output=None)  # the answer's text alone
                outcome = await self._reported(served, plain, arguments, call, entry, notify, hold)
        except ArgumentError as error:
            entry.error = type(error).__name__
            outcome = ToolResult(content=(TextContent(str(error)),), isError=True)
        return self._answered(call, outcome, entry)

    def _answered(self, call: Call, outcome: ToolResult, entry: _Entry) -> Pieces:
        entry.result, tool = outcome, entry.tool
        if call.version == WITHOUT_SOUND and tool is not None:
            outcome = without_sound(outcome, resource_uri(tool.api, tool.name))
        return response(call.id, result(outcome, self._identity(call)))

    async def _reported(  # noqa: PLR0913, PLR0917 - all that is known of a call
        self,
        served: _Served,
        tool: Tool,
        arguments: msgspec.Raw | None,
        call: Call,
        entry: _Entry,
        notify: Notify | None,
        hold: Hold,
    ) -> ToolResult:
        """The outcome of an operation's call; its progress is reported meanwhile, where the client asks for it."""
        entry.tool = tool
        if self._serving.tell_arguments:
            entry.arguments = bytes(arguments or b"")
        if notify is None or call.progress_token is None:
            return await self._outcome(served, tool, arguments, entry, hold)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_report_progress, call.progress_token, notify)
            outcome = await self._outcome(served, tool, arguments, entry, hold)
            tasks.cancel_scope.cancel()
        return outcome

    async def _outcome(
        self, served: _Served, tool: Tool, arguments: msgspec.Raw | None, entry: _Entry, hold: Hold
    ) -> ToolResult:
        """Never raises for what the model, the credentials or the API did: those are results too."""
        try:
            checked = check(tool, arguments)
            coerced, select = checked.coerced, _selection(tool, checked.values)
            values = {**checked.values, **tool.fixed} if tool.fixed else checked.values
            request = served.authorize(build(tool, values, checked.others), tool, entry.beside)
            asked = small(checked.values) if tool.paging else {}
            del checked, values  # large ones take many times the bytes of the request
            if request.body is not None and len(request.body) > SMALL_BYTES:
                hold.take(len(request.body))
            answered = await self._exchange(request, tool, entry, hold)
            answered, hidden = await self._redacted(answered)
            rendered = await self._rendered(served, tool, answered, select, asked)
        except ServiceError as error:
            entry.error = type(error).__name__
            return from_error(_mended(error, tool, entry), tool)
        meta = {**({COERCED: coerced} if coerced else {}), **({REDACTED: hidden} if hidden else {})}
        return msgspec.structs.replace(rendered, meta={**(rendered.meta or {}), **meta}) if meta else rendered

    async def _redacted(self, answered: HttpResponse) -> tuple[HttpResponse, int]:
        """Without what REDACT hides, before anything else is made of it. A long answer is looked into in a thread."""
        redaction = self._serving.redaction
        if redaction is None:
            return answered, 0
        if len(answered.body) <= REDACTED_AT_ONCE:
            return redaction.applied(answered)
        return await run_sync(redaction.applied, answered, limiter=self._filtering)

    async def _rendered(
        self,
        served: _Served,
        tool: Tool,
        answered: HttpResponse,
        select: Selection | None,
        asked: Mapping[str, object],
    ) -> ToolResult:
        """An answer that the model's filter may take long for has its turn in a thread, and waits for it as long as a
        call may take: others are served meanwhile."""
        most = self._serving.result_budget_bytes
        write = partial(render, tool, answered, served.validators, budget_bytes=most, asked=asked)
        if select is None:
            return write()
        if not select.is_heavy(len(answered.body)):
            return write(select=select)
        with anyio.move_on_after(self._serving.call_seconds):
            return await run_sync(partial(write, select=select), limiter=self._filtering)
        return write(select=select.left_out("too many others are being applied; ask for less, or again later"))

    async def _exchange(self, request: HttpRequest | Pending, tool: Tool, entry: _Entry, hold: Hold) -> HttpResponse:
        if self._has_given_up:
            raise Refused("the server stops; call again", outcome_unknown=False)
        began = time.perf_counter()
        seconds = self._serving.call_seconds
        scope = trio.move_on_after(seconds + GUARD_SECONDS)
        self._waiting.add(scope)
        try:
            with scope:
                if isinstance(request, HttpRequest):
                    sent = entry.trace.sending(request, tool)
                    answered = await self._send(sent, deadline_seconds=seconds, hold=hold)
                else:
                    answered = await request.exchange(self._sender(tool, entry, hold), seconds)
                entry.status, entry.retries = answered.status, answered.retries
                return answered
        except UpstreamError as error:
            entry.retries = error.retries
            raise
        finally:
            self._waiting.discard(scope)
            entry.upstream_seconds = time.perf_counter() - began
        why = "the server stops and could not wait for it" if self._has_given_up else f"no answer within {seconds:g} s"
        raise Timeout(why, outcome_unknown=True)

    def _sender(self, tool: Tool, entry: _Entry, hold: Hold) -> SendOne:
        async def send(request: HttpRequest, seconds: float) -> HttpResponse:
            return await self._send(entry.trace.sending(request, tool), deadline_seconds=seconds, hold=hold)

        return send

    def _identity(self, call: Call) -> ServerInfo | None:
        return self._serving.server if is_modern(call.version) else None


class _Entry:
    """A call's record while it is being written, which is told when the context ends."""

    def __init__(
        self, call: Call, transport: Transport, beside: Carrier, trace: Trace, told: Callable[[_Entry], None]
    ) -> None:
        self._told = told
        self._call = call
        self._transport = transport
        self.beside = beside
        self.permit = beside.principal.permit
        self.denied = ""
        self.stands_for_all = ""  # the tool by which an operation was asked for
        self.arguments = b""
        self.trace = trace
        self._began = time.perf_counter()
        self._outcome: Outcome = "cancelled"  # until it is settled
        self.answer: Pieces = ()
        self.tool: Tool | None = None
        self.error = ""
        self.result: ToolResult | None = None
        self.status: int | None = None
        self.upstream_seconds = 0.0
        self.retries = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """The one last resort: a bug costs this call only, and is in the log under its id."""
        is_bug = isinstance(error, Exception)
        if is_bug:
            incident = secrets.token_hex(8)
            about = self.known_as()
            logger.error("incident %s while answering %s", incident, self._call.method, exc_info=error, extra=about)
            self.fail(incident)
        self._told(self)
        return is_bug

    def settle(self, answer: Pieces | Rejection) -> None:
        if isinstance(answer, Rejection):
            self._outcome, self.error, self.answer = "protocol_error", str(answer.code), (answer.encode(),)
        else:
            is_error = self.result is not None and self.result.isError
            self._outcome, self.answer = "tool_error" if is_error else "ok", answer

    def fail(self, incident: str) -> None:
        self._outcome, self.error = "internal_error", str(INTERNAL_ERROR)
        self.answer = (error_response(self._call.id, INTERNAL_ERROR, f"internal error; incident {incident}"),)

    def record(self) -> CallRecord:
        said = (self.result.meta or {}) if self.result else {}
        return CallRecord(
            method=self._call.method,
            version=self._call.version,
            transport=self._transport,
            outcome=self._outcome,
            seconds=time.perf_counter() - self._began,
            request_bytes=self._call.size,
            response_bytes=size(self.answer),
            tool=self.tool.name if self.tool else self.stands_for_all,
            api=self.tool.api if self.tool else "",
            error=self.error,
            status=self.status,
            upstream_seconds=self.upstream_seconds,
            retries=self.retries,
            result_tokens=budget.tokens(self.result) if self.result else 0,
            truncated=TRUNCATED in said,
            mismatch=MISMATCH in said,
            request_id=self.beside.request_id,
            trace_id=self.trace.trace_id,
            principal=self.beside.principal.name,
            denied=self.denied,
            arguments=self.arguments,
        )

    def known_as(self) -> dict[str, str]:
        """The ids by which the call is found elsewhere."""
        ids = {"request_id": self.beside.request_id, "trace_id": self.trace.trace_id}
        return {name: value for name, value in ids.items() if value}


def _decided(catalog: ToolCatalog, permit: Permit, name: str) -> bool:
    return permit.admits(catalog.tools[name].subject)


def _denied(served: _Served, offer: Offer, name: str) -> str:
    """The name, if it is that of a tool that the caller may not call: for the audit."""
    return name if name in served.catalog.tools and name not in offer.tools else ""


def _text(said: str) -> ToolResult:
    return ToolResult(content=(TextContent(said),))


def _mended(error: ServiceError, tool: Tool, entry: _Entry) -> ServiceError:
    """A model that has not seen all of an operation's arguments in a list is told how the wrong ones are to be."""
    has_seen = not entry.stands_for_all and not tool.input.is_shortened
    if has_seen or not isinstance(error, ArgumentError):
        return error
    from openapi_mcp_server.bridge.search import mode  # noqa: PLC0415 - imported already where there is an offer

    return mode.mended(error, tool)


def _has_changed(before: ToolCatalog, after: ToolCatalog, permits: Iterable[Permit]) -> bool:
    """Whether any of these classes has other lists now. Looks at what has changed only: making the lists of all
    classes would hold up every call."""
    names = [name for name in {**before.tools, **after.tools} if _told(before, name) != _told(after, name)]
    moved = [*filter(after.tools.get, before.tools)] != [*filter(before.tools.get, after.tools)]

    def differs(permit: Permit) -> bool:
        return moved or any(_told_to(permit, before, name) != _told_to(permit, after, name) for name in names)

    return any(map(differs, permits))


def _told(catalog: ToolCatalog, name: str) -> tuple[Any, ...] | None:
    """All that lists say of a tool, and who is told."""
    tool = catalog.tools.get(name)
    return None if tool is None else (bytes(tool.entry), tool.title, tool.summary, tool.subject)


def _told_to(permit: Permit, catalog: ToolCatalog, name: str) -> tuple[Any, ...] | None:
    told = _told(catalog, name)
    return told[:-1] if told is not None and permit.admits(told[-1]) else None


def _make_room_for_view(served: _Served) -> None:
    """Makes room for one more view, which is kept nowhere else: those of who asked longest ago go."""
    if len(served.by_tools) < VIEWS:
        return
    in_use = [*dict.fromkeys(map(id, reversed(served.views.values())))]
    kept = frozenset(in_use[: VIEWS - 1])
    for permit in [permit for permit, view in served.views.items() if id(view) not in kept]:
        del served.views[permit]
    for tools in [tools for tools, view in served.by_tools.items() if id(view) not in kept]:
        del served.by_tools[tools]


def _make_room(kept: dict[Any, Any], most: int) -> None:
    if len(kept) >= most:
        del kept[next(iter(kept))]  # the oldest


def _settle(hold: Hold, call: Call, answer: Pieces) -> None:
    """Keeps nothing but the message and its answer from now on. Small ones count as every message does."""
    kept = call.size + own_size(answer)
    hold.settle(kept if kept > SMALL_BYTES else 0)


def _selection(tool: Tool, arguments: dict[str, Any]) -> Selection | None:
    """The selection that the model asks of the answer, taken out of the arguments; raises ArgumentError."""
    expression = arguments.pop(RESPONSE_FILTER, None) if tool.filterable else None
    if expression in (None, ""):  # what some clients write for what is not given
        return None
    from openapi_mcp_server.bridge.results import response_filter  # noqa: PLC0415 - jmespath takes 12 to 30 ms to import; few calls need it

    return response_filter.selection(expression)


def _unknown(call: Call, kind: str, known: Iterable[str]) -> Rejection:
    near = nearest(call.name[:SHOWN_CHARACTERS], known)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    message = f"unknown {kind} {call.name[:SHOWN_CHARACTERS]!r}{hint}"
    return Rejection(id=call.id, code=INVALID_PARAMS, message=message, status=200)


async def _report_progress(token: RequestId, notify: Notify) -> None:
    seconds = PROGRESS_AFTER_SECONDS
    await anyio.sleep(seconds)
    while True:
        await notify(progress(token, seconds, f"waiting for the API, {seconds} s so far"))
        await anyio.sleep(PROGRESS_EVERY_SECONDS)
        seconds += PROGRESS_EVERY_SECONDS
