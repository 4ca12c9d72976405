"""Two principals beside one another: every operation that takes an id, on every transport, with the other's id.

Alice has a call in flight on each transport, a session and subscriptions. Bob uses her ids in every way there is; then
she has all her answers, and he has none of them.
"""

from __future__ import annotations

import http.client
import re
import threading
from contextlib import ExitStack
from urllib.parse import urlsplit

import msgspec
import pytest

from asked import META, call, fetch, message
from held import HeldApi
from processes import started

ALICE, BOB = "alice-0123456789abcdef", "bob-0123456789abcdef"
TOKENS = [{"name": "alice", "token": ALICE}, {"name": "bob", "token": BOB}]
MODERN = {"mcp_protocol_version": "2026-07-28"}
CALLS = MODERN | {"mcp_method": "tools/call", "mcp_name": "held"}
ID, SUBSCRIPTION, PROGRESS = "alices-call", "alices-subscription", "alices-progress"
HANDSHAKE = message(
    "initialize", protocolVersion="2024-11-05", capabilities={}, clientInfo={"name": "t", "version": "1"}
)


def notification(method, **params):
    return msgspec.json.encode({"jsonrpc": "2.0", "method": method, "params": params})


def answer(request_id):
    """A response, as if the client had been asked something."""
    return msgspec.json.encode({"jsonrpc": "2.0", "id": request_id, "result": {"content": []}})


class Events:
    """A response that is a stream of server-sent events."""

    def __init__(self, root, token, method, path, body=None, **fields):
        self._connection = http.client.HTTPConnection(urlsplit(root).netloc, timeout=30)
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        given = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **named}
        self._connection.request(method, path, body, headers=given)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.read()

    def next(self):
        """The data of the next event."""
        while not (line := self._answer.readline()).startswith(b"data: "):
            assert line, "the stream has ended"
        return line[6:].strip()

    def close(self):
        self._connection.close()


class Alice:
    """Everything of hers that has an id."""

    def __init__(self, stack, url, api):
        self.url, self.root = url, url.removesuffix("/mcp")
        self.results = {}
        self.stream = Events(self.root, ALICE, "GET", "/sse")
        stack.callback(self.stream.close)
        self.address = self.stream.next().decode()
        self.session = self.address.rpartition("=")[2]
        assert self._say(HANDSHAKE) == self._say(notification("notifications/initialized")) == 202
        assert b"protocolVersion" in self.stream.next()
        assert self._say(call("held", ID)) == 202
        held = [api.accept()]
        self._threads = [
            threading.Thread(target=self._call, args=("legacy", {})),
            threading.Thread(target=self._call, args=("modern", CALLS)),
        ]  # fmt: skip
        for thread in self._threads:
            thread.start()
            held.append(api.accept())
        self.held = held
        body = message("subscriptions/listen", SUBSCRIPTION, notifications={"toolsListChanged": True}, _meta=META)
        given = MODERN | {"mcp_method": "subscriptions/listen", "accept": "application/json, text/event-stream"}
        self.listening = Events(self.root, ALICE, "POST", "/mcp", body, **given)
        stack.callback(self.listening.close)
        assert SUBSCRIPTION.encode() in self.listening.next()

    def _say(self, body):
        return fetch(f"{self.root}{self.address}", "POST", body, content_type="application/json", **token(ALICE))[0]

    def _call(self, name, fields):
        meta = {"_meta": {**(META if fields else {}), "progressToken": PROGRESS}}
        body = message("tools/call", ID, name="held", arguments={}, **meta)
        given = {"accept": "application/json", **fields, **token(ALICE)}
        self.results[name] = fetch(self.url, "POST", body, content_type="application/json", **given)

    def gets_everything(self):
        for connection in self.held:
            connection.sendall(HeldApi.ANSWER)
            connection.close()
        for thread in self._threads:
            thread.join(30)
        for status, _, body in (self.results["legacy"], self.results["modern"]):
            assert (status, msgspec.json.decode(body)["id"]) == (200, ID)
        assert msgspec.json.decode(self.stream.next())["id"] == ID  # and nothing came before it


def token(of):
    return {"authorization": f"Bearer {of}"}


def on_mcp(body, **fields):
    def asked(alice, bob):
        return fetch(alice.url, "POST", body, content_type="application/json", **token(BOB), **fields)[::2]

    return asked


def on_mcp_with_her_session(method, body=None):
    def asked(alice, bob):
        fields = {
            "mcp_session_id": alice.session,
            "last_event_id": "1",
            "accept": "text/event-stream, application/json",
        }
        return fetch(alice.url, method, body, content_type="application/json", **token(BOB), **fields)[::2]

    return asked


def on_her_session(body, method="POST", address="{}", **fields):
    def asked(alice, bob):
        url = f"{alice.root}{address.format(alice.address)}"
        return fetch(url, method, body, content_type="application/json", **token(BOB), **fields)[::2]

    return asked


def on_his_session(body, suffix=""):
    """The answer comes on his stream, and says nothing of hers."""

    def asked(alice, bob):
        url = f"{alice.root}{bob.address}{suffix.format(alice.session)}"
        return fetch(url, "POST", body, content_type="application/json", **token(BOB))[::2]

    return asked


CANCEL = notification("notifications/cancelled", requestId=ID)
UNSUBSCRIBE = notification("notifications/cancelled", requestId=SUBSCRIPTION)
PROGRESSED = notification("notifications/progress", progressToken=PROGRESS, progress=1)
LIST = message("tools/list", ID)
MODERN_CANCEL = notification("notifications/cancelled", requestId=ID, _meta=META)
GIVEN = MODERN | {"mcp_method": "notifications/cancelled"}
OPERATIONS = {
    # a request's id, a subscription's, a progress token: on the stateless endpoint
    "cancel": (on_mcp(CANCEL), {202}),
    "cancel, modern": (on_mcp(MODERN_CANCEL, **GIVEN), {202}),
    "cancel in a batch": (on_mcp(b"[" + CANCEL + b"]", mcp_protocol_version="2025-03-26"), {202}),
    "unsubscribe": (on_mcp(UNSUBSCRIBE), {202}),
    "unsubscribe, modern": (
        on_mcp(notification("notifications/cancelled", requestId=SUBSCRIPTION, _meta=META), **GIVEN), {202}),
    "progress": (on_mcp(PROGRESSED), {202}),
    "an answer": (on_mcp(answer(ID)), {202, 400}),
    "the same id": (on_mcp(LIST), {200}),
    "a cursor": (on_mcp(message("tools/list", ID, cursor="alices-cursor")), {200}),
    "a resource": (on_mcp(message("resources/read", ID, uri="openapi://api/operations/held")), {200}),
    "a task": (on_mcp(message("tasks/get", ID, taskId=ID)), {200, 400, 404}),
    "a task's result": (on_mcp(message("tasks/result", ID, taskId=ID)), {200, 400, 404}),
    "a task's end": (on_mcp(message("tasks/cancel", ID, taskId=ID)), {200, 400, 404}),
    "unsubscribe from a resource": (on_mcp(message("resources/unsubscribe", ID, uri=ID)), {200, 400, 404}),
    # her session, where there are none
    "session: GET": (on_mcp_with_her_session("GET"), {405}),
    "session: DELETE": (on_mcp_with_her_session("DELETE"), {405}),
    "session: cancel": (on_mcp_with_her_session("POST", CANCEL), {202}),
    "session: list": (on_mcp_with_her_session("POST", LIST), {200}),
    # her session of HTTP+SSE
    "sse: cancel": (on_her_session(CANCEL), {404}),
    "sse: unsubscribe": (on_her_session(UNSUBSCRIBE), {404}),
    "sse: progress": (on_her_session(PROGRESSED), {404}),
    "sse: answer": (on_her_session(answer(ID)), {404}),
    "sse: list": (on_her_session(LIST), {404}),
    "sse: call": (on_her_session(call("held", "bobs")), {404}),
    "sse: initialize": (on_her_session(HANDSHAKE), {404}),
    "sse: initialized": (on_her_session(notification("notifications/initialized")), {404}),
    "sse: no message": (on_her_session(b"{"), {404}),
    "sse: another content": (on_her_session(b"x", x="y"), {404}),
    "sse: GET": (on_her_session(None, "GET"), {405}),
    "sse: DELETE": (on_her_session(None, "DELETE"), {405}),
    "sse: as if passed on": (on_her_session(CANCEL, x_mcp_session_hop="1"), {404}),
    "sse: twice": (on_her_session(CANCEL, address="{0}&session_id=1"), {404}),
    "sse: another spelling": (on_her_session(CANCEL, address="{0}%00"), {404}),
    "sse: another worker": (on_her_session(CANCEL, address="/messages/w1/?{0}"), {404}),
    # his own session
    "his: cancel": (on_his_session(CANCEL), {202}),
    "his: unsubscribe": (on_his_session(UNSUBSCRIBE), {202}),
    "his: progress": (on_his_session(PROGRESSED), {202}),
    "his: the same id": (on_his_session(LIST), {202}),
    "his: hers beside it": (on_his_session(CANCEL, "&session_id={}"), {404}),
    "his: hers in it": (on_his_session(CANCEL, "/{}"), {404}),
}  # fmt: skip


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    path = tmp_path_factory.mktemp("two") / "openapi.yaml"
    path.write_text(HeldApi.DOCUMENT)
    with ExitStack() as stack:
        api = HeldApi()
        stack.callback(api.close)
        argv = ("serve", "--spec-path", str(path), "--transport", "http", "--port", "0", "--api-url", api.url)
        settings = {"INBOUND_AUTH": "token", "INBOUND_TOKENS": msgspec.json.encode(TOKENS).decode()}
        server = stack.enter_context(started(*argv, "--allow-private-networks", **settings))
        alice = Alice(stack, server.url, api)
        bob = Events(alice.root, BOB, "GET", "/sse")
        stack.callback(bob.close)
        bob.address = bob.next().decode()
        yield alice, bob


def test_nobody_can_do_anything_with_the_ids_of_another(scene):
    alice, bob = scene
    said = []
    for name, (operation, statuses) in OPERATIONS.items():
        status, body = operation(alice, bob)
        assert status in statuses, name
        said.append(body)
    assert fetch(f"{alice.root}{bob.address}", "POST", message("ping", "last"), content_type="application/json",
                 **token(BOB))[0] == 202  # fmt: skip
    while b'"last"' not in (event := bob.next()):
        said.append(event)
    heard = b"".join(said)
    assert alice.session.encode() not in heard
    assert b"204" not in heard
    alice.gets_everything()
    assert not re.search(rb'"isError"', b"".join(body for _, _, body in alice.results.values()))
