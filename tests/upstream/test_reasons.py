"""Why there is no connection, in the same words for a call and for what is no call (documents, tokens, keys)."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from certificates import certificate
from loopback import OK, client, get, loopback, send
from openapi_mcp_server.bridge.http_messages import HttpRequest, request_for
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import Unreachable
from openapi_mcp_server.upstream import web
from openapi_mcp_server.upstream.sockets import TcpDialler

pytestmark = pytest.mark.anyio

FAILURES = [
    ("a self-signed certificate", "certificate verify failed: self-signed certificate; HTTP_CA_BUNDLE names", False),
    ("the certificate of another host", "certificate verify failed: IP address mismatch", False),
    ("no TLS", r"(wrong version number|record layer failure); is it http://\?", True),
    ("nobody there", "Connection refused", True),
]


@pytest.mark.parametrize("door", ["a call", "a document"])
@pytest.mark.parametrize(("failure", "words", "transient"), FAILURES)
async def test_a_failed_connection_says_why_and_what_to_do(
    failure: str, words: str, transient: bool, door: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "api.example.com" if failure == "the certificate of another host" else "127.0.0.1"
    tls, public = certificate(tmp_path, name)
    if failure != "a self-signed certificate":
        monkeypatch.setenv("SSL_CERT_FILE", str(public))
    async with loopback([(OK,)], tls=tls) as api, trio.open_nursery() as nursery:
        plain = await nursery.start(trio.serve_tcp, no_tls, 0)
        ports = {"no TLS": plain[0].socket.getsockname()[1], "nobody there": 1}
        origin = Origin(scheme="https", host="127.0.0.1", port=ports.get(failure, api.origin.port))
        with pytest.raises(Unreachable, match=rf"^no connection to https://127\.0\.0\.1:\d+: {words}") as caught:
            await asked(door, get(origin))
        nursery.cancel_scope.cancel()
    assert (caught.value.transient, caught.value.outcome_unknown) == (transient, False)


@pytest.mark.parametrize("url", ["http://256.256.256.256/", f"http://api.example.com/{'x' * 70_000}"])
async def test_a_url_that_cannot_be_asked_is_told_in_a_line(url: str) -> None:
    with pytest.raises(Unreachable, match=r"cannot be asked: (Invalid IPv4 address|URL too long)") as caught:
        await asked("a document", request_for(url))
    assert not caught.value.outcome_unknown
    assert len(str(caught.value)) < 300


async def test_a_redirect_that_cannot_be_followed_is_told_in_a_line() -> None:
    there = b"HTTP/1.1 302 Found\r\nLocation: /%b\r\nContent-Length: 0\r\n\r\n" % (b"x" * 70_000)
    async with loopback([(there,)]) as api:
        with pytest.raises(Unreachable, match="cannot be asked: URL too long"):
            await asked("a document", get(api.origin))


async def no_tls(stream: trio.SocketStream) -> None:
    await stream.receive_some(1)
    await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def asked(door: str, request: HttpRequest) -> None:
    if door == "a document":
        await web.fetch(request, TcpDialler(), seconds=30, most_bytes=1000)
        return
    async with client() as one:
        await send(one, request)
