"""Sessions of HTTP+SSE over several tasks: a session's id names its task, and any task can verify that.

A message that reaches another task is passed on to the owner, over one hop at most (docs/adr/0027). The address is
authenticated with a key that all tasks share. So a client cannot choose the destination of that hop.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol
from urllib.parse import quote

from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import Refused, UpstreamError
from openapi_mcp_server.server.posts import RETRY_AFTER, Header, Refusal

HOP: Final = b"x-mcp-session-hop"
"""The header of a message that was passed on, and of its answer. It prevents a second hop, and the answer of a stranger
that got the address of a former task."""
HOP_ANSWER: Final[Header] = (HOP, b"1")
PASS_SECONDS: Final = 1.8
"""The time for the owner to accept a message: it answers 202 before the call is carried out."""
CONNECT_SECONDS: Final = 1.5
"""The time for a connection to a task in the same network. The address of a task that is gone may not answer."""
CONNECTIONS: Final = 256
IDLE_CONNECTIONS: Final = 64
"""Idle connections that are kept to all other tasks together."""
_NONCE_BYTES: Final = 16
_MAC_BYTES: Final = 16
_LONGEST_ID: Final = 200
"""The longest id in characters. With an IPv6 address and its port, one has 110."""
_CLIENT: Final = b"x-forwarded-for"
_PASSED_ON: Final = (b"authorization", b"traceparent", b"tracestate", b"x-amzn-trace-id", b"x-request-id")


class SessionIds:
    """Makes and verifies ids: ``b64url(nonce ‖ mac) "." b64url(address)``, where the mac is the first 16 bytes of
    HMAC-SHA256 over "sse", address, path and nonce, each after its length.

    The first of ``keys`` signs, all verify: so a key can be replaced without ending a session. ``own``: ``host:port``
    at which the other tasks reach this one.
    """

    def __init__(self, keys: Sequence[bytes], own: str) -> None:
        self._keys = keys
        self.own = own

    def mint(self, path: str) -> str:
        """An id that nobody can guess. ``path``: the path to which its messages are posted."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        mac = _mac(self._keys[0], self.own, path, nonce)
        return f"{_encoded(nonce + mac)}.{_encoded(self.own.encode())}"

    def owner(self, session_id: str, path: str) -> str | None:
        """The address of the task that made an id. None if no task has made it for this path."""
        if len(session_id) > _LONGEST_ID or not session_id.isascii():
            return None
        signed, _, place = session_id.partition(".")
        try:
            token, address = _decoded(signed), _decoded(place).decode("ascii")
        except (binascii.Error, ValueError):
            return None
        nonce, mac = token[:_NONCE_BYTES], token[_NONCE_BYTES:]
        genuine = [hmac.compare_digest(mac, _mac(key, address, path, nonce)) for key in self._keys]
        return address if any(genuine) else None


class SendToTask(Protocol):
    """Carries one request to another task; raises an `UpstreamError`."""

    async def __call__(self, request: HttpRequest, *, deadline_seconds: float) -> HttpResponse: ...


class Peers:
    """The other tasks. ``outcomes``: the number of messages passed on, by outcome. ``forwarded``: headers of clients
    that APIs want, in lower case."""

    def __init__(self, ids: SessionIds, send: SendToTask, forwarded: Iterable[bytes] = ()) -> None:
        self._passed_on = (*_PASSED_ON, *forwarded)
        self._ids = ids
        self._send = send
        self.outcomes = {"passed": 0, "gone": 0, "broken": 0}

    def mint(self, path: str) -> str:
        return self._ids.mint(path)

    def owner(self, session_id: str, path: str) -> str | None:
        """The other task that has a session; None if there is none."""
        owner = self._ids.owner(session_id, path)
        return None if owner == self._ids.own else owner

    async def pass_on(
        self, owner: str, path: str, session_id: str, body: bytes, headers: Mapping[bytes, bytes], client: str
    ) -> HttpResponse | None:
        """The owner's answer. None if the owner is gone, and the session with it. Raises Refusal if the owner may have
        the message without confirming it, or if this task lacks a resource.

        ``client``: the address that this task takes for the client's. The owner believes its neighbours, and would
        count the message for whatever address a client has written into the header itself.
        """
        passed = {name: headers[name] for name in self._passed_on if name in headers}
        passed[_CLIENT] = client.encode("latin-1")
        request = _request(owner, path, session_id, body, (headers.get(b"host", b""), passed))
        try:
            answer = await self._send(request, deadline_seconds=PASS_SECONDS)
        except Refused as error:
            self.outcomes["broken"] += 1
            raise Refusal(503, "the task that has this session cannot be asked now; try again", RETRY_AFTER) from error
        except UpstreamError as error:
            if not error.outcome_unknown:
                self.outcomes["gone"] += 1
                return None
            self.outcomes["broken"] += 1
            problem = "the task that has this session broke off; the message may have arrived"
            raise Refusal(502, problem, RETRY_AFTER) from error
        is_ours = answer.header(HOP.decode()) is not None
        self.outcomes["passed" if is_ours else "gone"] += 1
        return answer if is_ours else None


def _request(
    owner: str, path: str, session_id: str, body: bytes, passed: tuple[bytes, Mapping[bytes, bytes]]
) -> HttpRequest:
    """``passed``: the client's own Host, and its headers that are passed on."""
    place, _, port = owner.rpartition(":")
    host, fields = passed
    also = [(name.decode(), value.decode("latin-1")) for name, value in fields.items()]
    return HttpRequest(
        method="POST",
        origin=Origin("http", place.strip("[]"), int(port)),
        path=path,
        query=f"session_id={quote(session_id, safe='.')}",
        headers=(("content-type", "application/json"), (HOP.decode(), "1"), *also),
        body=body,
        authority=host.decode("latin-1"),  # the owner checks it as this task has
    )


def _mac(key: bytes, address: str, path: str, nonce: bytes) -> bytes:
    parts = (b"sse", address.encode(), path.encode(), nonce)
    said = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.new(key, said, hashlib.sha256).digest()[:_MAC_BYTES]


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
