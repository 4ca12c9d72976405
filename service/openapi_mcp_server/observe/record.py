"""The record of what is known of one message once it is answered; the one thing that observers get."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

Outcome = Literal["ok", "tool_error", "protocol_error", "cancelled", "internal_error"]
"""``tool_error``: a result with isError. ``protocol_error``: a JSON-RPC error for what the client asked.
``cancelled``: nobody waits for the answer any more. ``internal_error``: a bug of ours, answered with an incident."""

Transport = Literal["http", "sse", "stdio"]


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One request, answered or given up. No secrets; every label is bounded by the catalog.

    ``method`` and ``version`` are empty and ``request_bytes`` is 0 for a message that was refused before it was a
    call. ``tool`` and ``api`` are empty where no tool of the catalog was called. ``error`` is the type's name for a
    tool error and the JSON-RPC code for the others; empty if all went well. ``status`` is the API's, None if it
    gave none. ``seconds`` is the time from message to answer, ``upstream_seconds`` the part of it
    that the API took, retries and pauses included, or if there were no credentials for it, the wait for them; 0 where
    it was not asked; sizes are bytes of the messages.
    ``retries`` are the attempts after the first. ``result_tokens`` is about what a model reads of the result;
    ``truncated``: a part of the answer is missing in it; ``mismatch``: the answer does not fit the tool's output
    schema. ``request_id`` is the proxy's, empty without one. ``trace_id``, 32 hex digits, is that of the trace in which
    the call is recorded, so that it always leads to one, else empty.
    ``principal`` is the name of who called, empty where nobody was asked; ``denied`` the tool that it may not call;
    ``arguments`` are there only where the operator has asked for them in the audit, without what REDACT hides.
    """

    method: str
    version: str
    transport: Transport
    outcome: Outcome
    seconds: float
    request_bytes: int
    response_bytes: int
    tool: str = ""
    api: str = ""
    error: str = ""
    status: int | None = None
    upstream_seconds: float = 0.0
    retries: int = 0
    result_tokens: int = 0
    truncated: bool = False
    mismatch: bool = False
    request_id: str = ""
    trace_id: str = ""
    principal: str = ""
    denied: str = ""
    arguments: bytes = b""

    @property
    def has_failed(self) -> bool:
        """Whether it ended in an error. That a client leaves is none."""
        return self.outcome not in {"ok", "cancelled"}

    @property
    def error_type(self) -> str:
        """OpenTelemetry, Semantic conventions for MCP, ``error.type``; empty if all went well."""
        match self.outcome:
            case "ok":
                return ""
            case "tool_error" | "cancelled":
                return self.outcome
            case "protocol_error" | "internal_error":
                return self.error


Observe = Callable[[CallRecord], None]
"""Must return at once and must not raise."""


def to_each(*observers: Observe) -> Observe:
    """One observer that tells several."""

    def observe(record: CallRecord) -> None:
        for one in observers:
            one(record)

    return observe
