"""What the browser of a web page asks of the endpoints, and what it is told."""

from __future__ import annotations

from collections import Counter
from typing import Any

import h11
import msgspec
import pytest
import trio

from openapi_mcp_server.server.posts import BODY_BYTES
from openapi_mcp_server.server.visitors import Visitors
from scripted import ScriptedApi, gateway
from served import VISITORS, endpoint
from sessions import Http

INSPECTOR = "http://localhost:6274"
STRANGER = "https://evil.example.com"
PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
PREFLIGHT = {
    "content_type": None,
    "access_control_request_method": "POST",
    "access_control_request_headers": "content-type, mcp-method, mcp-protocol-version",
}
ENDPOINTS = ["/mcp", "/mcp/", "/sse", "/messages/w0/?session_id=0", "/v1/mcp"]
LARGE = PING + b" " * BODY_BYTES


def asked(
    method: str, target: str, body: bytes = b"", visitors: Visitors = VISITORS, **headers: str | None
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer."""

    async def main() -> Any:
        with trio.fail_after(10):
            async with (
                endpoint(gateway(ScriptedApi()), visitors) as server,
                await trio.open_tcp_stream("127.0.0.1", server.port) as stream,
            ):
                http = Http(stream)
                head: h11.Response = await http.ask(method, target, body, **headers)
                lasts = (b"content-type", b"text/event-stream") in list(head.headers)
                return head.status_code, list(head.headers), b"" if lasts else await http.body()

    status, found, answer = trio.run(main)
    return status, {name.decode(): value.decode() for name, value in found}, answer


@pytest.mark.parametrize("target", ENDPOINTS)
def test_the_browser_of_an_allowed_page_may_send_what_clients_send(target: str) -> None:
    status, headers, body = asked("OPTIONS", target, origin=INSPECTOR, **PREFLIGHT)
    assert (status, body) == (204, b"")
    assert headers["access-control-allow-origin"] == INSPECTOR
    assert "POST" in headers["access-control-allow-methods"]
    assert headers["access-control-allow-headers"] == "*, authorization"  # any field, and the one that * leaves out
    assert "access-control-allow-credentials" not in headers


@pytest.mark.parametrize("target", ENDPOINTS)
@pytest.mark.parametrize(
    ("changes", "status"), [({"origin": STRANGER}, 403), ({"origin": INSPECTOR, "host": "evil.example.com"}, 421)]
)
def test_other_pages_are_told_nothing_that_their_browser_would_believe(
    target: str, changes: dict[str, str], status: int
) -> None:
    for method, extra in (("OPTIONS", PREFLIGHT), ("POST", {})):
        answered, headers, _ = asked(method, target, **extra, **changes)
        assert answered == status
        assert not any(name.startswith("access-control-") for name in headers)


@pytest.mark.parametrize(
    ("method", "target", "body", "extra", "status"),
    [
        ("POST", "/mcp", PING, {}, 200),
        ("POST", "/mcp", b"{", {}, 400),
        ("DELETE", "/mcp", b"", {}, 405),
        ("OPTIONS", "/mcp", b"", {}, 405),
        ("POST", "/mcp", PING, {"accept": "text/html"}, 406),
        ("POST", "/mcp", LARGE, {}, 413),
        ("POST", "/mcp", PING, {"content_type": "text/plain"}, 415),
        ("POST", "/mcp", PING, {"content_encoding": "gzip"}, 415),
        ("GET", "/sse", b"", {}, 200),
        ("POST", "/sse", PING, {}, 405),
        ("GET", "/sse", b"", {"accept": "text/html"}, 406),
        ("GET", "/messages/w0/?session_id=0", b"", {}, 405),
        ("POST", "/messages/w0/?session_id=0", PING, {}, 404),
        ("POST", "/v1/mcp", PING, {}, 404),
        ("GET", "/", b"", {}, 404),
    ],
)
def test_an_allowed_page_reads_every_answer_also_refusals(
    method: str, target: str, body: bytes, extra: dict[str, str], status: int
) -> None:
    answered, headers, _ = asked(method, target, body, origin=INSPECTOR, **extra)
    assert (answered, headers["access-control-allow-origin"], headers["vary"]) == (status, INSPECTOR, "origin")


@pytest.mark.parametrize("target", ENDPOINTS)
def test_a_page_that_is_refused_is_counted(target: str) -> None:
    visitors = msgspec.structs.replace(VISITORS, refused=Counter())
    asked("POST", target, PING, visitors, origin=STRANGER)
    assert visitors.refused == {403: 1}


def test_who_sends_no_origin_is_told_nothing_of_pages() -> None:
    status, headers, _ = asked("POST", "/mcp", PING)
    assert status == 200
    assert not {"access-control-allow-origin", "vary"} & headers.keys()
