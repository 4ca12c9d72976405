"""The story of one MCP message, from its text to the answer.

A fault that a model can mend becomes a result with ``isError``. A client's fault stays a JSON-RPC error. Any other
exception is a bug of ours: -32603 with an incident's id, whose details are only in the log.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import anyio

from openapi_mcp_server.aside import Aside, is_heavy
from openapi_mcp_server.bridge.model import ToolCatalog
from openapi_mcp_server.bridge.policy import ANYBODY, Permit
from openapi_mcp_server.errors import NoRoom
from openapi_mcp_server.gateway import views
from openapi_mcp_server.gateway.calls import Calls
from openapi_mcp_server.gateway.draft import Draft
from openapi_mcp_server.gateway.guides import Guides
from openapi_mcp_server.gateway.serving import Authorize, Notify, Send, SendAtOnce, Serving
from openapi_mcp_server.gateway.views import CatalogViews, View
from openapi_mcp_server.mcp.inbound import Batch, Call, Message, Rejection
from openapi_mcp_server.mcp.messages import INTERNAL_ERROR, Pieces, own_size, size
from openapi_mcp_server.mcp.subscriptions import CHANGES, LISTEN, Subscription, unasked
from openapi_mcp_server.memory import FREE, SMALL_BYTES, Hold
from openapi_mcp_server.observe.record import CallRecord, Observe, Transport
from openapi_mcp_server.observe.trace import NO_CARRIER, Begin, Carrier, untraced

_RELOAD = "\0reload"
"""The server's own name among the clients whose work is done in the thread. No principal has this name."""
INDEX_AFTER_SECONDS = 1.0
"""The delay of the index after a start. It takes 0.1 s in a thread for 1,200 operations. Meanwhile the server and a
client's first messages would wait for the interpreter. An earlier search makes the index at once."""


class Gateway:
    """Answers calls. It holds no state of any client, so any call may come from anywhere.

    ``in_flight``: messages that are being answered. ``memory``: transports open a hold in it at a message's first byte,
    and close the hold when the answer is taken.
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
        self._observe = observe
        self._trace = trace
        self.in_flight = 0
        self._changing = tuple(kind for kind in CHANGES if serving.prompts is not False or kind != "promptsListChanged")
        self._tellers: list[Callable[[], object]] = []
        self._aside = Aside()
        self._replaced = anyio.Event()
        self._views = CatalogViews(serving, self._changing, catalog, authorize)
        self._guides = Guides(serving, self._views)
        self._calls = Calls(serving, send, self._views, self._aside)

    def send_by(self, at_once: SendAtOnce) -> None:
        """Sends requests through it from now on, where possible."""
        self._calls.send_at_once = at_once

    async def replace(
        self, catalog: ToolCatalog, authorize: Authorize, at_once: Callable[[], object] = lambda: None
    ) -> None:
        """Serves this catalog from now on. Calls in flight end with the old one. Clients are told if their lists have
        changed. Long work is done in a thread, before and after; ``at_once`` is called at the moment of the change."""
        recent = self._views.recent()
        made = await self._aside.do(partial(self._views.prepared, catalog, authorize, recent), _RELOAD)
        before = [self._views.replace(made)]
        at_once()
        self._replaced.set()
        if await self._aside.do(partial(views.has_changed, before[0], catalog), _RELOAD):
            self.lists_changed()
        await self._aside.do(partial(views.let_go, before), _RELOAD)

    async def index_ahead(self) -> None:
        """Makes the search index soon after the start and each reload. Runs until it is cancelled."""
        while True:
            self._replaced = anyio.Event()
            await self._views.index_ahead(INDEX_AFTER_SECONDS)
            await self._replaced.wait()

    def tell_changes(self, teller: Callable[[], object]) -> None:
        """Registers ``teller``, which is called when the lists have changed. Each transport has one for its clients."""
        self._tellers.append(teller)

    def tell_no_more(self, teller: Callable[[], object]) -> None:
        """Removes the teller of a transport that has ended."""
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
        with self._observed(call, transport, beside) as draft:
            draft.settle((subscription.acknowledgement(),))
        draft.tell()
        return subscription

    def at_once(
        self, call: Call, transport: Transport, beside: Carrier = NO_CARRIER, hold: Hold = FREE
    ) -> Pieces | None:
        """The response to a message that needs no waiting. None for ``tools/call`` and subscriptions."""
        if call.method in {"tools/call", LISTEN}:
            return None
        with self._observed(call, transport, beside) as draft:
            view = self._views.of(draft.permit)
            told = self._guides.resource(call, draft, view) or self._guides.completion(call, view)
            draft.settle(told or self._static(call, transport, view) or self._guides.prompt(call, draft, view))
        draft.tell()
        _settle(hold, call, draft.answer)
        return draft.answer

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
        draft = await self.called(call, transport, notify, beside, hold)
        draft.tell()
        return draft.answer

    async def called(
        self, call: Call, transport: Transport, notify: Notify | None, beside: Carrier, hold: Hold
    ) -> Draft:
        """The answer to a call of a tool, and its record, which is not written yet."""
        with self._observed(call, transport, beside) as draft:
            draft.settle(await self._calls.answer(call, draft, notify, hold))
        _settle(hold, call, draft.answer)
        return draft

    async def read(self, size: int, read: Callable[[], Message | Batch], client: str = "") -> Message | Batch:
        """A message of this size, read by one of `inbound`'s functions. A message of 4 MB may take 0.3 s."""
        if not is_heavy(size):
            return read()
        with anyio.move_on_after(self._serving.call_seconds):
            return await self._aside.do(read, client)
        problem = "too many large messages were before this one; send less, or again later"
        return Rejection(code=INTERNAL_ERROR, message=problem, status=503)

    @property
    def given_up(self) -> int:
        """Calls that a stop did not wait for."""
        return self._calls.given_up

    def give_up(self) -> None:
        """The process ends: calls that wait for an API are answered with what is known, and later ones as well."""
        self._calls.give_up()

    def refuse(self, rejection: Rejection, transport: Transport, beside: Carrier = NO_CARRIER) -> Pieces:
        """The response to a message that was no call of any method. It is recorded like every other message."""
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

    def _observed(self, call: Call, transport: Transport, beside: Carrier) -> Draft:
        draft = Draft(call, transport, beside, self._trace(call, transport, beside), self._settled)
        draft.permit = self._permit(beside)
        self.in_flight += 1
        return draft

    def _settled(self, draft: Draft) -> None:
        self.in_flight -= 1
        record = draft.record()
        self._observe(record)
        draft.trace.end(record)

    def _permit(self, beside: Carrier) -> Permit:
        return beside.principal.permit if beside.principal is not ANYBODY else self._serving.anybody

    def _static(self, call: Call, transport: Transport, view: View) -> Pieces | Rejection | None:
        return view.static.to(call, lasting=transport != "http", in_events=transport == "sse")


def _settle(hold: Hold, call: Call, answer: Pieces) -> None:
    """Keeps only the message and its answer from now on. A small message counts `CALL_BYTES`, as every message."""
    kept = call.size + size(answer)
    if kept > SMALL_BYTES:  # with what is kept for all
        kept = call.size + own_size(answer)
    hold.settle(kept if kept > SMALL_BYTES else 0)
