"""``subscriptions/listen`` over Streamable HTTP: each subscription is the response to its own POST."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.mcp.inbound import Call, Rejection
from openapi_mcp_server.mcp.messages import INTERNAL_ERROR, INVALID_REQUEST
from openapi_mcp_server.mcp.subscriptions import Subscription
from openapi_mcp_server.observe.trace import Carrier
from openapi_mcp_server.server.asgi import Receive, Send
from openapi_mcp_server.server.events import event
from openapi_mcp_server.server.principals.limits import Limits
from openapi_mcp_server.server.principals.pauses import leave
from openapi_mcp_server.server.streams import EventStream, Streams
from openapi_mcp_server.server.visitors import Entrant

SUBSCRIPTIONS = 2000
"""The most at once: 35 MB of memory, and as many descriptors."""


class Subscribers:
    """The clients that listen, for as long as they stay. The tasks of ``streams`` must run."""

    def __init__(self, gateway: Gateway, draining: Callable[[], bool], limits: Limits) -> None:
        self._gateway = gateway
        self._draining = draining
        self._limits = limits
        self._open: dict[EventStream, Subscription] = {}
        self._shares: Counter[str] = Counter()
        self.streams = Streams()
        gateway.tell_changes(self._tell_changes)

    def refusal(self, call: Call, entrant: Entrant, *, takes_events: bool) -> Rejection | None:
        """Why a client cannot listen now, or in this way."""
        if not takes_events:
            problem = "the answer is a stream of events: Accept must list text/event-stream"
            return Rejection(id=call.id, code=INVALID_REQUEST, message=problem, status=406)
        if self._draining():
            return Rejection(
                id=call.id, code=INTERNAL_ERROR, message="the server is stopping; listen again", status=503
            )
        if len(self._open) >= SUBSCRIPTIONS:
            problem = f"{SUBSCRIPTIONS} subscriptions are open, which is the limit; try again later"
            return Rejection(id=call.id, code=INTERNAL_ERROR, message=problem, status=503)
        if crowd := self._limits.crowd(entrant, self._shares, SUBSCRIPTIONS, "subscriptions"):
            return Rejection(id=call.id, code=INTERNAL_ERROR, message=crowd, status=429)
        return None

    async def serve(self, call: Call, beside: Carrier, share: str, receive: Receive, send: Send) -> None:
        """Serves a subscription until the client leaves or the server drains."""
        stream = EventStream(send, self.streams)
        self._shares[share] += 1
        subscription = self._open[stream] = self._gateway.subscribe(call, "http", beside)
        stream.put(event(subscription.acknowledgement()))
        try:
            await stream.serve(receive)
        finally:
            del self._open[stream]
            leave(self._shares, share)

    def drain(self) -> None:
        """Ends each subscription properly, so that its client opens another one elsewhere."""
        for stream, subscription in self._open.items():
            stream.put(event(subscription.end()))
            stream.end()

    def _tell_changes(self) -> None:
        self.streams.tell([partial(_tell, stream, subscription) for stream, subscription in self._open.items()])


def _tell(stream: EventStream, subscription: Subscription) -> None:
    for change in subscription.changed():
        stream.put(event(change))
