"""Calls of tools: looked up, checked, built, given credentials, sent and rendered."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import msgspec
import trio

from openapi_mcp_server.aside import OF_ARGUMENTS, OF_CUTS, Aside, is_heavy, run_in_thread
from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.bridge.media.content import resource_uri
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.policy import OperationPaths
from openapi_mcp_server.bridge.results.echoes import without_secrets
from openapi_mcp_server.bridge.results.event_size import without_large_files
from openapi_mcp_server.bridge.results.redaction import REDACTED
from openapi_mcp_server.bridge.results.result import Select, from_error, render
from openapi_mcp_server.bridge.search.names import DESCRIBE, NAMES, SEARCH
from openapi_mcp_server.errors import ArgumentError, Refused, ServiceError, Timeout, UpstreamError
from openapi_mcp_server.gateway import preparing
from openapi_mcp_server.gateway.draft import Draft
from openapi_mcp_server.gateway.preparing import PreparedCall
from openapi_mcp_server.gateway.serving import Notify, Pending, Send, SendAtOnce, SendOne, Sent, Serving, not_at_once
from openapi_mcp_server.gateway.views import CatalogViews, Indexing, ServedCatalog, View, denied, unknown_name
from openapi_mcp_server.mcp.inbound import Call, Rejection
from openapi_mcp_server.mcp.messages import (
    Pieces,
    RequestId,
    TextContent,
    ToolResult,
    progress,
    response,
    result,
    without_sound,
)
from openapi_mcp_server.mcp.methods import WITHOUT_SOUND
from openapi_mcp_server.memory import SMALL_BYTES, Hold

if TYPE_CHECKING:
    from openapi_mcp_server.bridge.results.response_filter import Selection
    from openapi_mcp_server.bridge.search.mode import Offer

PROGRESS_AFTER_SECONDS = 2
"""A silence that people begin to notice. Most calls have ended by then and cost nothing."""
PROGRESS_EVERY_SECONDS = 1
GUARD_SECONDS = 1.0
"""The upstream enforces the call's deadline, since only it knows what was sent and received. The gateway gives up on it
after this further time."""
COERCED = "openapi-mcp-server/coerced"
"""Key of a result's ``_meta``: the arguments that were read as another JSON type than they had."""

_FILTERS = "openapi_mcp_server.bridge.results.response_filter"
_SEARCH = "openapi_mcp_server.bridge.search.mode"

Made = TypeVar("Made")
Write = Callable[[Select | None], ToolResult]
"""Makes the result of an answer, after a filter."""


class Calls:
    """``aside``: where large work is done. ``given_up``: calls that a stop did not wait for."""

    def __init__(self, serving: Serving, send: Send, views: CatalogViews, aside: Aside) -> None:
        self._serving = serving
        self._send = send
        self.send_at_once: SendAtOnce = not_at_once
        self._views = views
        self._aside = aside
        self._waiting: set[trio.CancelScope] = set()
        self._has_given_up = False
        self.given_up = 0

    def give_up(self) -> None:
        """The process ends: calls that wait for an API are answered with what is known so far. So are later calls."""
        self._has_given_up = True
        self.given_up += len(self._waiting)
        for scope in self._waiting:
            scope.cancel()

    async def answer(self, call: Call, draft: Draft, notify: Notify | None, hold: Hold) -> Pieces | Rejection:
        served = self._views.served
        draft.client = hold.client
        tool = served.catalog.tools.get(call.name)
        if self._serving.mode == "all" and tool is not None and served.admits(draft.permit, call.name):
            outcome = await self._reported(served, tool, call.arguments, draft, notify, hold)
            return self._answered(outcome, draft)  # which needs no lists
        view = self._views.of(draft.permit)
        if view.offer is not None and call.name in NAMES:
            return await self._call_for_all(served, view, call, draft, notify, hold)
        tool = view.tools.get(call.name)
        if tool is None:
            if call.name in served.catalog.tools:
                draft.denied = call.name
            return unknown_name(call, "tool", call.name, view.tools if view.offer is None else NAMES)
        outcome = await self._reported(served, tool, call.arguments, draft, notify, hold)
        return self._answered(outcome, draft)

    async def _call_for_all(
        self, served: ServedCatalog, view: View, call: Call, draft: Draft, notify: Notify | None, hold: Hold
    ) -> Pieces:
        """A call of one of the four tools of search mode. Their answers are text."""
        from openapi_mcp_server.bridge.search import asking, mode  # noqa: PLC0415 - imported already where there is an offer

        offer = view.offer
        assert offer is not None  # noqa: S101 - for the type checker: a view without it has other tools
        draft.stands_for_all = call.name
        asked_for = ""
        try:
            if call.name == SEARCH:
                outcome = _text(await self._found(view.index, offer, call, draft))
            elif call.name == DESCRIBE:
                about = await self._read(call, partial(asking.read_name, call.arguments), draft)
                asked_for = about.name
                outcome = _text(mode.describe(offer, about.name, about.type))
            else:
                wanted = await self._read(call, partial(asking.operate, call.arguments), draft)
                asked_for = wanted.name
                find = partial(mode.invocation, offer, call.name, wanted, call.arguments)
                tool, arguments = await self._read(call, find, draft)
                plain = msgspec.structs.replace(tool, output=None)  # the answer's text alone
                outcome = await self._reported(served, plain, arguments, draft, notify, hold)
        except (ArgumentError, Refused) as error:
            draft.error = type(error).__name__
            draft.denied = denied(served, offer, asked_for)
            outcome = ToolResult(content=(TextContent(str(error)),), isError=True)
        return self._answered(outcome, draft)

    async def _found(self, index: Indexing, offer: Offer, call: Call, draft: Draft) -> str:
        """The text of what a search finds. Raises ArgumentError and Refused."""
        from openapi_mcp_server.bridge.search import asking, mode  # noqa: PLC0415 - imported already where there is an offer

        asked = await self._read(call, partial(asking.read_search, call.arguments), draft)
        find = partial(mode.search, offer, await index.get(), asked)
        is_large = is_heavy(len(asked.query) * len(offer.tools))
        return await self._done(find, draft, "search for fewer words", is_large=is_large)

    async def _read(self, call: Call, read: Callable[[], Made], draft: Draft) -> Made:
        """Reads the arguments of one of the four tools. Raises ArgumentError and Refused."""
        try:
            return await self._done(read, draft, "give less", is_large=preparing.are_large(call.arguments))
        except RecursionError:  # less of the stack is left here than where the message was read
            raise ArgumentError("the arguments are nested too deeply") from None

    async def _done(self, work: Callable[[], Made], draft: Draft, advice: str, *, is_large: bool) -> Made:
        """Raises what ``work`` raises, and Refused if there is no turn for it."""
        if not is_large:
            return work()
        with self._turn(draft):
            return await self._aside.do(work, draft.client)
        raise Refused(f"{self._why_no_turn()}; {advice}, or call again later", outcome_unknown=False)

    def _answered(self, outcome: ToolResult, draft: Draft) -> Pieces:
        draft.result = outcome
        return response(draft.call.id, draft.encoded or self._encoded(outcome, draft))

    def _encoded(self, outcome: ToolResult, draft: Draft) -> bytes:
        call, tool = draft.call, draft.tool
        if call.version == WITHOUT_SOUND and tool is not None:
            outcome = without_sound(outcome, resource_uri(tool.api, tool.name))
        return result(outcome, self._serving.identity(call))

    async def _reported(
        self,
        served: ServedCatalog,
        tool: Tool,
        arguments: msgspec.Raw | None,
        draft: Draft,
        notify: Notify | None,
        hold: Hold,
    ) -> ToolResult:
        """The outcome of an operation's call. Its progress is reported meanwhile, if the client asks for it."""
        draft.tool = tool
        if self._serving.tell_arguments and arguments is not None:
            await self._note(arguments, draft)
        if notify is None or draft.call.progress_token is None:
            return await self._outcome(served, tool, arguments, draft, hold)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_report_progress, draft.call.progress_token, notify)
            outcome = await self._outcome(served, tool, arguments, draft, hold)
            tasks.cancel_scope.cancel()
        return outcome

    async def _outcome(
        self, served: ServedCatalog, tool: Tool, arguments: msgspec.Raw | None, draft: Draft, hold: Hold
    ) -> ToolResult:
        """Never raises for faults of the model, the credentials or the API: they become results, too."""
        try:
            prepared = await self._prepared(tool, arguments, draft)
            if served.places is not None:
                _require_own_place(served.places, tool, prepared.request, draft)
            select = None if prepared.expression is None else await _selection(prepared.expression)
            request = served.authorize(prepared.request, tool, draft.beside)
            if request.body is not None and len(request.body) > SMALL_BYTES:
                hold.take(len(request.body))
            answered = await self._exchange(request, tool, draft, hold)
            write = partial(self._written, served, tool, answered, prepared)
            return await self._rendered(write, answered, select, draft)
        except ServiceError as error:
            draft.error = type(error).__name__
            return from_error(await _mended(error, tool, draft), tool)

    async def _note(self, arguments: msgspec.Raw, draft: Draft) -> None:
        """Keeps the arguments for the record, without what REDACT hides."""
        redaction, text = self._serving.redaction, bytes(arguments)
        if redaction is None or not is_heavy(OF_ARGUMENTS * len(text)):
            draft.arguments = text if redaction is None else redaction.text(text)[0]
            return
        with self._turn(draft):
            draft.arguments, _ = await self._aside.do(partial(redaction.text, text), draft.client)

    async def _prepared(self, tool: Tool, arguments: msgspec.Raw | None, draft: Draft) -> PreparedCall:
        ready = preparing.prepared_at_once(tool, arguments)
        if ready is not None:
            return ready
        with self._turn(draft):
            ready = await self._aside.do(partial(preparing.prepared, tool, arguments), draft.client)
            draft.waited_seconds = draft.seconds()
            return ready
        raise Refused(f"{self._why_no_turn()}; give less, or call again later", outcome_unknown=False)

    async def _rendered(
        self,
        write: Write,
        answered: HttpResponse,
        select: Selection | None,
        draft: Draft,
    ) -> ToolResult:
        """A large answer, or one with a slow filter, is processed in a thread. It waits for its turn
        until the call's deadline. Other calls are served meanwhile."""
        size = len(answered.body)
        weight = size * OF_CUTS if 0 < self._serving.result_budget_bytes < size else size
        if not is_heavy(weight if select is None else max(weight, select.weight(size))):
            return write(select)
        with self._turn(draft):
            made = self._aside.do(lambda: self._whole(write(select), draft), draft.client)
            rendered, draft.encoded = await made
            return rendered
        if select is not None and not is_heavy(weight):
            return write(select.left_out("too many others are being applied; ask for less, or again later"))
        why = f"the API answered {answered.status}, but {self._why_no_turn()}; ask for less"
        raise Timeout(why, outcome_unknown=True)

    def _written(
        self, served: ServedCatalog, tool: Tool, answered: HttpResponse, prepared: PreparedCall, select: Select | None
    ) -> ToolResult:
        """The result of an answer. Values that REDACT names are hidden before anything else."""
        hidden, redaction, meta = 0, self._serving.redaction, dict[str, Any]()
        if redaction is not None:
            answered, hidden = redaction.applied(answered)
        most, asked = self._serving.result_budget_bytes, prepared.asked
        rendered = render(tool, answered, served.validators, select=select, budget_bytes=most, asked=asked)
        if prepared.coerced:
            meta[COERCED] = prepared.coerced
        if hidden:
            meta[REDACTED] = hidden
        return msgspec.structs.replace(rendered, meta={**(rendered.meta or {}), **meta}) if meta else rendered

    def _whole(self, outcome: ToolResult, draft: Draft) -> tuple[ToolResult, bytes]:
        """Encodes a result in the thread that made it, since encoding a large one takes as long as making it."""
        if draft.transport == "sse":
            outcome = without_large_files(outcome)
        return outcome, self._encoded(outcome, draft)

    def _turn(self, draft: Draft) -> AbstractContextManager[None]:
        return self._within(self._serving.call_seconds - draft.seconds())

    @contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """Ends without a result if the call takes too long, or if the server stops."""
        scope = trio.move_on_after(max(seconds + GUARD_SECONDS, 0.0))
        self._waiting.add(scope)
        if self._has_given_up:
            scope.cancel()
        try:
            with scope:
                yield
        finally:
            self._waiting.discard(scope)

    def _why_no_turn(self) -> str:
        if self._has_given_up:
            return "the server stops"
        return f"too many large calls were before this one, for {self._serving.call_seconds:g} s"

    async def _exchange(self, request: HttpRequest | Pending, tool: Tool, draft: Draft, hold: Hold) -> HttpResponse:
        if self._has_given_up:
            raise _not_sent()
        draft.asked_at = time.perf_counter()
        try:
            answered = await self._asked(request, tool, draft, hold)
        except UpstreamError as error:
            draft.retries = error.retries
            raise
        finally:
            draft.upstream_seconds = time.perf_counter() - draft.asked_at
        draft.status, draft.retries = answered.status, answered.retries
        return without_secrets(answered, request.secrets) if isinstance(request, HttpRequest) else answered

    async def _asked(self, request: HttpRequest | Pending, tool: Tool, draft: Draft, hold: Hold) -> HttpResponse:
        """The API's answer. Most come soon, and need no scope to end the wait."""
        seconds = max(self._serving.call_seconds - draft.waited_seconds, 0.0)
        sent: Sent | None = None
        if isinstance(request, HttpRequest):
            request = draft.trace.sending(request, tool)
            sent = self.send_at_once(request, deadline_seconds=seconds, hold=hold)
            if sent is not None and (answered := await sent.soon()) is not None:
                return answered
        is_uncounted = self._has_given_up  # while it might have come soon
        with self._within(seconds):
            if sent is not None:
                return await sent.rest()
            if isinstance(request, HttpRequest):
                return await self._send(request, deadline_seconds=seconds, hold=hold)
            return await request.exchange(self._sender(tool, draft, hold), seconds)
        self.given_up += is_uncounted
        if self._has_given_up and not hold.may_be_sent:
            raise _not_sent()
        late = f"no answer within {self._serving.call_seconds:g} s"
        why = "the server stops and could not wait for it" if self._has_given_up else late
        raise Timeout(why, outcome_unknown=hold.may_be_sent)

    def _sender(self, tool: Tool, draft: Draft, hold: Hold) -> SendOne:
        """The API's time begins when it is asked, not while credentials are fetched."""
        is_first = True

        async def send(request: HttpRequest, seconds: float) -> HttpResponse:
            nonlocal is_first
            if is_first:
                draft.asked_at, is_first = time.perf_counter(), False
            sent = draft.trace.sending(request, tool)
            return without_secrets(await self._send(sent, deadline_seconds=seconds, hold=hold), sent.secrets)

        return send


def _not_sent() -> Refused:
    return Refused("the server stops; call again", outcome_unknown=False)


def _require_own_place(places: OperationPaths, tool: Tool, request: HttpRequest, draft: Draft) -> None:
    try:
        places.require_own(tool, request, draft.permit)
    except ArgumentError:
        draft.denied = tool.name
        raise


def _text(said: str) -> ToolResult:
    return ToolResult(content=(TextContent(said),))


async def _mended(error: ServiceError, tool: Tool, draft: Draft) -> ServiceError:
    """Tells a model how wrong arguments must look, if no list has shown it all of the operation's arguments."""
    has_seen = not draft.stands_for_all and not tool.input.is_shortened
    if has_seen or not isinstance(error, ArgumentError):
        return error
    await _import(_SEARCH)
    from openapi_mcp_server.bridge.search import mode  # noqa: PLC0415 - imported by now

    return mode.mended(error, tool)


async def _selection(expression: str) -> Selection:
    """Raises ArgumentError."""
    await _import(_FILTERS)
    from openapi_mcp_server.bridge.results import response_filter  # noqa: PLC0415 - imported by now

    return response_filter.selection(expression)


async def _import(module: str) -> None:
    """Imports a module that few calls need in a thread: it takes 7 to 30 ms."""
    if module not in sys.modules:
        await run_in_thread(partial(import_module, module))


async def _report_progress(token: RequestId, notify: Notify) -> None:
    seconds = PROGRESS_AFTER_SECONDS
    await anyio.sleep(seconds)
    while True:
        await notify(progress(token, seconds, f"waiting for the API, {seconds} s so far"))
        await anyio.sleep(PROGRESS_EVERY_SECONDS)
        seconds += PROGRESS_EVERY_SECONDS
