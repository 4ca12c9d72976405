"""A message that is being answered, and the data of its record in logs, metrics and traces."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.results import budget
from openapi_mcp_server.bridge.results.result import MISMATCH, TRUNCATED
from openapi_mcp_server.mcp.inbound import Call, Rejection
from openapi_mcp_server.mcp.messages import INTERNAL_ERROR, Pieces, ToolResult, error_response, size
from openapi_mcp_server.observe.record import CallRecord, Outcome, Transport
from openapi_mcp_server.observe.trace import Carrier, Trace

logger = logging.getLogger(__name__)


class Draft:
    """A call's record while it is being written. The receiver of the answer calls `tell`. If a cancellation ends the
    context, nobody receives the answer, and the record is told at that moment."""

    def __init__(
        self, call: Call, transport: Transport, beside: Carrier, trace: Trace, told: Callable[[Draft], None]
    ) -> None:
        self._told = told
        self.call = call
        self.transport = transport
        self.beside = beside
        self.permit = beside.principal.permit
        self.client = ""  # whose turn large work takes
        self.denied = ""
        self.stands_for_all = ""  # the tool by which an operation was asked for
        self.arguments = b""
        self.trace = trace
        self._began = time.perf_counter()
        self._seconds = 0.0  # until it was answered
        self.waited_seconds = 0.0  # for large arguments, before anything was sent
        self.encoded = b""  # a large result, where it was made
        self._outcome: Outcome = "cancelled"  # until it is settled
        self.answer: Pieces = ()
        self.tool: Tool | None = None
        self.error = ""
        self.result: ToolResult | None = None
        self.status: int | None = None
        self.asked_at = 0.0  # when the API was
        self.upstream_seconds = 0.0
        self.retries = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """The last resort: a bug costs this call only, and is logged under the call's id."""
        is_bug = isinstance(error, Exception)
        if is_bug:
            incident = secrets.token_hex(8)
            about = self.known_as()
            logger.error("incident %s while answering %s", incident, self.call.method, exc_info=error, extra=about)
            self.fail(incident)
        self._seconds = self.seconds()
        if isinstance(error, BaseException) and not is_bug:  # nobody gets it
            self.tell()
        return is_bug

    def tell(self) -> None:
        """Writes the record. Call it when the call is over, if possible after its answer is on the way."""
        self._told(self)

    def seconds(self) -> float:
        """The time since the call began."""
        return time.perf_counter() - self._began

    def settle(self, answer: Pieces | Rejection) -> None:
        if isinstance(answer, Rejection):
            self._outcome, self.error, self.answer = "protocol_error", str(answer.code), (answer.encode(),)
        else:
            is_error = self.result is not None and self.result.isError
            self._outcome, self.answer = "tool_error" if is_error else "ok", answer

    def fail(self, incident: str) -> None:
        self._outcome, self.error = "internal_error", str(INTERNAL_ERROR)
        self.answer = (error_response(self.call.id, INTERNAL_ERROR, f"internal error; incident {incident}"),)

    def record(self) -> CallRecord:
        said = (self.result.meta or {}) if self.result else {}
        return CallRecord(
            method=self.call.method,
            version=self.call.version,
            transport=self.transport,
            outcome=self._outcome,
            seconds=self._seconds,
            request_bytes=self.call.size,
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
