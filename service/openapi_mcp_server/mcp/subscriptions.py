"""Notifies clients of changed lists: their subscriptions, and the messages of each.

2026-07-28, Subscriptions: the request stays open, its id tags every message, and its result is the proper end. Clients
of earlier revisions are told without having asked, where something can be told to them.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from openapi_mcp_server.mcp.messages import SERVER_INFO, RequestId, ServerInfo, response

LISTEN: Final = "subscriptions/listen"
CHANGES: Final = {
    "toolsListChanged": "notifications/tools/list_changed",
    "promptsListChanged": "notifications/prompts/list_changed",
}
"""The changes that can be subscribed to here, and how each is announced. Nothing is ever listed as a resource."""

SUBSCRIPTION_ID: Final = "io.modelcontextprotocol/subscriptionId"
"""Key in the ``_meta`` of every message of a subscription."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """``kinds``, keys of `CHANGES`: those that were asked for, of those that there are."""

    id: RequestId
    kinds: tuple[str, ...]
    server: ServerInfo

    def acknowledgement(self) -> bytes:
        """The first message."""
        agreed = dict.fromkeys(self.kinds, True)
        return _notification("notifications/subscriptions/acknowledged", self.id, {"notifications": agreed})

    def changed(self) -> list[bytes]:
        """The messages when the lists have changed: all do together."""
        return [_notification(CHANGES[kind], self.id, {}) for kind in self.kinds]

    def end(self) -> bytes:
        """The response to the request: nothing more is told, because the server says so."""
        meta = {SERVER_INFO: self.server, SUBSCRIPTION_ID: self.id}
        return b"".join(response(self.id, _encode({"resultType": "complete", "_meta": meta})))

    def farewell(self) -> list[bytes]:
        """The end on a channel that others share, where the server also has to cancel what it tears down (2026-07-28,
        Cancellation). Behind the response, since the official client takes a cancel before it for a lost connection."""
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": self.id}}
        return [self.end(), _encode(cancelled)]


def unasked(kinds: tuple[str, ...]) -> list[bytes]:
    """The messages to a client that has begun with ``initialize``, and so need not ask for them."""
    return [_encode({"jsonrpc": "2.0", "method": CHANGES[kind]}) for kind in kinds]


def _notification(method: str, subscription_id: RequestId, params: dict[str, Any]) -> bytes:
    tagged = {"_meta": {SUBSCRIPTION_ID: subscription_id}} | params
    return _encode({"jsonrpc": "2.0", "method": method, "params": tagged})


_encode = msgspec.json.Encoder().encode
