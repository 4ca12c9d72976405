"""An API's own way: certificates shown and trusted, and proxies, on real sockets."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from asked import call, post
from authorization_server import authorization_server
from certificates import certificate
from logins import LOOPBACK, answering, given, oauth2
from loopback import OK, get, loopback
from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import ConfigError, Refused, Unreachable
from openapi_mcp_server.settings.ways import Proxy, WayOut, before_settings
from openapi_mcp_server.upstream.addresses import AddressRule
from openapi_mcp_server.upstream.call import Upstream, UpstreamSettings
from openapi_mcp_server.upstream.proxies import ProxyDialler
from openapi_mcp_server.upstream.sockets import TcpDialler
from openapi_mcp_server.upstream.ways import Way, way
from processes import started
from recording import Answer, Asked, document, recording, with_document

PASSWORD = "proxy-s3cret"


@pytest.fixture
def own(tmp_path: Path) -> tuple[ssl.SSLContext, str, str]:
    """A server's context that asks for the certificate of a client, which is its own; both as PEM."""
    context, public = certificate(tmp_path)
    context.load_verify_locations(public)
    context.verify_mode = ssl.CERT_REQUIRED
    return context, public.read_text(), (tmp_path / "key.pem").read_text()


def asked(origin: Origin, name: str = "pets") -> HttpRequest:
    return msgspec.structs.replace(get(origin), way=name)


def upstream(**ways: Way) -> Upstream:
    return Upstream(TcpDialler(), UpstreamSettings(retries=0), ways.get)


async def sent(one: Upstream, request: HttpRequest) -> int:
    with trio.fail_after(20):
        return (await one.send(request, deadline_seconds=10)).status


def test_an_api_is_shown_its_certificate_and_its_authority_is_trusted(own: Any) -> None:
    context, public, key = own

    async def run() -> None:
        made = way(WayOut(certificate=public, key=key, authorities=public), LOOPBACK)
        async with loopback([(OK,)], tls=context) as api, upstream(pets=made) as one:
            assert await sent(one, asked(api.origin)) == 200
            with pytest.raises(Unreachable, match="certificate"):
                await sent(one, get(api.origin))  # another API there has neither

    trio.run(run)


def test_without_the_certificate_the_api_refuses_and_the_call_says_so(own: Any) -> None:
    context, public, _ = own

    async def run() -> None:
        made = way(WayOut(authorities=public), LOOPBACK)
        async with loopback([(OK,)], tls=context) as api, upstream(pets=made) as one:
            with pytest.raises(Exception, match=r"connection"):
                await sent(one, asked(api.origin))

    trio.run(run)


def test_two_apis_at_one_origin_share_no_connection_where_their_ways_differ() -> None:
    async def run() -> None:
        ways = {name: way(WayOut(), LOOPBACK) for name in ("a", "b")}
        async with loopback([(OK,)] * 4) as api, upstream(**ways) as one:
            for name in ("a", "b", "a", "b", ""):
                await sent(one, asked(api.origin, name))
            assert api.connections == 3

    trio.run(run)


def test_after_a_change_of_its_way_an_api_is_asked_on_new_connections_only() -> None:
    """A server goes by the certificate of the handshake: kept connections would be those of the old one for ever."""

    async def run() -> None:
        ways = {"pets": way(WayOut(), LOOPBACK)}
        async with (
            loopback([(OK,)] * 4, [(OK,)] * 4) as api,
            Upstream(TcpDialler(), UpstreamSettings(retries=0), lambda name: ways[name]) as one,
        ):
            for _ in range(2):
                await sent(one, asked(api.origin))
            assert api.connections == 1
            ways["pets"] = way(WayOut(), LOOPBACK)
            for _ in range(2):
                await sent(one, asked(api.origin))
            assert api.connections == 2

    trio.run(run)


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="files in memory are Linux's")
def test_a_certificate_needs_no_folder_that_can_be_written_to(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, public, key = own
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    assert way(WayOut(certificate=public, key=key), LOOPBACK).tls is not None


@pytest.mark.parametrize("fault", ["no PEM", "another key", "an encrypted key", "no key"])
def test_a_certificate_that_cannot_be_used_is_refused_without_a_word_of_it(
    own: Any, fault: str, tmp_path: Path
) -> None:
    from cryptography.hazmat.primitives import serialization

    _, public, key = own
    (tmp_path / "other").mkdir()
    certificate(tmp_path / "other")
    loaded = serialization.load_pem_private_key(key.encode(), None)
    encrypted = loaded.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    ).decode()
    faults = {
        "no PEM": WayOut(certificate="-----BEGIN s3cret"),
        "another key": WayOut(certificate=public, key=(tmp_path / "other" / "key.pem").read_text()),
        "an encrypted key": WayOut(certificate=public, key=encrypted),
        "no key": WayOut(certificate=public),
    }
    with pytest.raises(ConfigError, match="AUTH_CLIENT_CERTIFICATE") as caught:
        way(faults[fault], LOOPBACK)
    assert "s3cret" not in str(caught.value)


def test_a_certificate_needs_no_disk_that_can_be_written(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's file system is read-only, and may have no other one at /tmp."""
    monkeypatch.setattr("tempfile.tempdir", "/proc/self")
    _, public, key = own
    assert way(WayOut(certificate=public, key=key), LOOPBACK).tls is not None


def test_without_files_in_memory_a_disk_that_takes_none_is_named(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/proc/self")
    monkeypatch.delattr(os, "memfd_create", raising=False)
    _, public, key = own
    with pytest.raises(ConfigError, match="AUTH_CLIENT_CERTIFICATE: no temporary file can be made"):
        way(WayOut(certificate=public, key=key), LOOPBACK)


def test_an_authority_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="HTTP_CA_BUNDLE"):
        way(WayOut(authorities="-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"), LOOPBACK)


# Proxies


class Tunnels:
    """A proxy; ``answer`` is what it says instead of making a tunnel."""

    def __init__(self, answer: bytes = b"") -> None:
        self.heads: list[bytes] = []
        self.port = 0
        self._answer = answer

    async def serve(self, stream: trio.SocketStream) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await stream.receive_some()
        self.heads.append(head)
        if self._answer:
            await stream.send_all(self._answer)
            return
        port = int(head.split(b" ")[1].rpartition(b":")[2])
        async with await trio.open_tcp_stream("127.0.0.1", port) as other, trio.open_nursery() as nursery:
            await stream.send_all(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 p\r\n\r\n")
            nursery.start_soon(_copy, stream, other)
            await _copy(other, stream)
            nursery.cancel_scope.cancel()


async def _copy(one: trio.SocketStream, other: trio.SocketStream) -> None:
    try:
        async for piece in one:
            await other.send_all(piece)
        await other.send_eof()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


@asynccontextmanager
async def tunnels(answer: bytes = b"", tls: ssl.SSLContext | None = None) -> AsyncIterator[Tunnels]:
    proxy = Tunnels(answer)
    async with trio.open_nursery() as nursery:
        if tls is None:
            (listener,) = await nursery.start(partial(trio.serve_tcp, proxy.serve, 0, host="127.0.0.1"))
        else:
            (listener,) = await nursery.start(partial(trio.serve_ssl_over_tcp, proxy.serve, 0, tls, host="127.0.0.1"))
            listener = listener.transport_listener
        proxy.port = listener.socket.getsockname()[1]
        yield proxy
        nursery.cancel_scope.cancel()


class Named(TcpDialler):
    """Where every name is this machine."""

    async def connect(self, host: str, port: int, *args: Any, **options: Any) -> Any:
        return await super().connect("127.0.0.1", port, *args, **options)


def through(proxy: Tunnels, *, direct: tuple[str, ...] = (), rule: AddressRule = LOOPBACK, **fields: Any) -> Way:
    named = Proxy(scheme="http", host="127.0.0.1", port=proxy.port, direct=direct, **fields)
    return Way(dialler=ProxyDialler(named, rule, Named()))


def remote(origin: Origin, host: str = "api.example.com") -> Origin:
    """The same port under a name that only the proxy knows."""
    return Origin(origin.scheme, host, origin.port)


def test_calls_go_through_a_tunnel_and_the_api_sees_none_of_the_proxys_credentials() -> None:
    async def run() -> None:
        async with loopback([(OK,)] * 2) as api, tunnels() as proxy:
            made = through(proxy, username="me", password=PASSWORD)
            async with upstream(pets=made) as one:
                assert await sent(one, asked(remote(api.origin))) == 200
                assert await sent(one, asked(remote(api.origin))) == 200
            [head] = proxy.heads
            place = f"api.example.com:{api.origin.port}".encode()
            assert head.startswith(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n" % (place, place))
            assert base64.b64encode(f"me:{PASSWORD}".encode()) in head
            assert not [request for request in api.requests if b"roxy" in request]

    trio.run(run)


def test_tls_is_with_the_api_and_not_with_the_proxy(tmp_path: Path) -> None:
    context, public = certificate(tmp_path, "api.example.com")

    async def run() -> None:
        async with loopback([(OK,)], tls=context) as api, tunnels() as proxy:
            trust = way(WayOut(authorities=public.read_text()), LOOPBACK).tls
            made = msgspec.structs.replace(through(proxy), tls=trust)
            async with upstream(pets=made) as one:
                assert await sent(one, asked(remote(api.origin))) == 200

    trio.run(run)


@pytest.mark.parametrize(
    ("direct", "host", "is_direct"),
    [
        ((), "localhost", True),
        ((), "127.0.0.1", True),
        ((), "api.example.com", False),
        (("*",), "api.example.com", True),
        (("api.example.com",), "API.example.com", True),
        (("example.com",), "api.example.com", True),
        ((".example.com",), "api.example.com", True),
        (("*.example.com",), "api.example.com", True),
        (("ample.com",), "api.example.com", False),
        (("10.0.0.0/8",), "10.1.2.3", True),
        (("10.0.0.0/8",), "11.1.2.3", False),
        (("nonsense/x",), "11.1.2.3", False),
        ((".münchen.example",), "api.xn--mnchen-3ya.example", True),
        (("münchen…",), "api.xn--mnchen-3ya.example", False),
    ],
)
def test_what_needs_no_proxy_goes_without(direct: tuple[str, ...], host: str, is_direct: bool) -> None:
    async def run() -> None:
        async with loopback([(OK,)]) as api, tunnels() as proxy, upstream(pets=through(proxy, direct=direct)) as one:
            assert await sent(one, asked(remote(api.origin, host))) == 200
            assert (proxy.heads == []) is is_direct

    trio.run(run)


def test_an_address_is_under_the_rule_behind_a_proxy_too_and_a_name_is_the_proxys_to_refuse() -> None:
    async def run() -> None:
        rule = AddressRule(allow_private=False, allow_insecure=True)
        async with loopback([(OK,)]) as api, tunnels() as proxy, upstream(pets=through(proxy, rule=rule)) as one:
            other_spellings = ("2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "169.254.169.254.")
            for host in ("10.0.0.1", "169.254.169.254", "fd00::1", *other_spellings):
                with pytest.raises(Refused):
                    await sent(one, asked(remote(api.origin, host)))
            assert proxy.heads == []
            assert await sent(one, asked(remote(api.origin, "metadata.internal"))) == 200

    trio.run(run)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"HTTP/1.1 407 Who are you\r\n\r\n", "407 .* HTTP_PROXY_URL"),
        (b"HTTP/1.1 403 No\r\n\r\n", "answered 403"),
        (b"HTTP/1.1 302 There\r\nLocation: http://evil/\r\n\r\n", "answered 302"),
        (b"SSH-2.0\r\n\r\n", "no valid HTTP answer"),
        (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "no valid HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000, "no valid HTTP answer"),
        (b"HTTP/1.1 200 OK\r\n", "no valid HTTP answer"),
    ],
    ids=["407", "403", "redirect", "no HTTP", "an answer before a request", "too long", "cut"],
)
def test_a_proxy_that_makes_no_tunnel_is_told_without_its_password(answer: bytes, problem: str) -> None:
    async def run() -> None:
        async with tunnels(answer) as proxy, upstream(pets=through(proxy, username="u", password=PASSWORD)) as one:
            with pytest.raises(Unreachable, match=problem) as caught:
                await sent(one, asked(Origin("https", "api.example.com", 443)))
            assert not caught.value.outcome_unknown
            assert PASSWORD not in str(caught.value)

    trio.run(run)


def test_a_proxy_that_is_down_is_named() -> None:
    async def run() -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            proxy = Tunnels()
            proxy.port = closed.getsockname()[1]
            async with upstream(pets=through(proxy)) as one:
                with pytest.raises(
                    Unreachable, match=r"api\.example\.com: the proxy 127\.0\.0\.1: Connection refused$"
                ):
                    await sent(one, asked(Origin("https", "api.example.com", 443)))

    trio.run(run)


def test_token_endpoints_go_through_it_too() -> None:
    from openapi_mcp_server.upstream.credentials.login import Web
    from openapi_mcp_server.upstream.credentials.table import KINDS, Means

    async def run() -> None:
        async with answering(lambda _: given("t1")) as endpoint, tunnels() as proxy:
            auth = oauth2(str(remote(endpoint.origin, "login.example.com")))
            web = Web(dialler=through(proxy).dialler, rule=LOOPBACK)
            login = KINDS["oauth2"]("pets", auth, Means(web=web))
            with trio.fail_after(10):
                sent, _ = await login.applied(get(endpoint.origin))  # type: ignore[union-attr]
            assert dict(sent.headers)["Authorization"] == "Bearer t1"
            assert [head.split(b" ")[1] for head in proxy.heads] == [
                f"login.example.com:{endpoint.origin.port}".encode()
            ]

    trio.run(run)


def test_a_proxy_whose_certificate_is_not_trusted_is_named_with_the_way_to_trust_it(tmp_path: Path) -> None:
    context, _ = certificate(tmp_path)

    async def run() -> None:
        async with tunnels(tls=context) as proxy:
            made = way(WayOut(proxy=Proxy(scheme="https", host="localhost", port=proxy.port)), LOOPBACK)
            async with upstream(pets=made) as one:
                with pytest.raises(
                    Unreachable, match=r"the proxy localhost: certificate verify failed.*HTTP_CA_BUNDLE"
                ):
                    await sent(one, asked(Origin("https", "api.example.com", 443)))

    trio.run(run)


@pytest.mark.parametrize("trusted_by", ["SSL_CERT_FILE", "HTTP_CA_BUNDLE"])
def test_a_proxy_may_be_asked_by_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted_by: str) -> None:
    context, public = certificate(tmp_path)
    of_setting = trusted_by == "HTTP_CA_BUNDLE"
    if not of_setting:
        monkeypatch.setenv("SSL_CERT_FILE", str(public))

    async def run() -> None:
        async with loopback([(OK,)]) as api, tunnels(tls=context) as proxy:
            named = Proxy(scheme="https", host="localhost", port=proxy.port)
            made = way(WayOut(authorities=public.read_text() if of_setting else "", proxy=named), LOOPBACK)
            async with upstream(pets=made) as one:
                assert await sent(one, asked(remote(api.origin))) == 200

    trio.run(run)


@pytest.mark.parametrize(
    ("environ", "host"),
    [
        ({}, None),
        ({"HTTP_PROXY_URL": "http://proxy:3128"}, "proxy"),
        ({"HTTP_PROXY_URL": "proxy:3128"}, "proxy"),
        ({"HTTP_PROXY_URL": "http://proxy"}, "proxy"),
        ({"HTTP_PROXY_URL": "None"}, None),
        ({"HTTP_PROXY_URL": "Environment ", "HTTPS_PROXY": "theirs:1"}, "theirs"),
        ({"HTTP_PROXY_URL_FILE": "/run/proxy"}, "of-a-file"),
        ({"HTTP_PROXY_URL": "environment", "HTTPS_PROXY": "http://theirs:1"}, "theirs"),
        ({"HTTPS_PROXY": "http://theirs:1"}, None),
        ({"HTTP_PROXY_URL": "ssm:/proxy"}, None),
        ({"HTTP_PROXY_URL_FILE": "secretsmanager:proxy"}, None),
    ],
)
def test_a_secret_in_a_store_is_fetched_through_the_proxy_that_the_environment_alone_names(
    environ: dict[str, str], host: str | None
) -> None:
    proxy = before_settings(environ, {"/run/proxy": "http://of-a-file:3128"}.__getitem__).proxy
    assert (proxy and proxy.host) == host


@pytest.mark.parametrize("form", ["written", "of the environment"])
def test_the_program_reaches_all_that_it_asks_through_the_proxy(form: str) -> None:
    """Names that only the proxy knows: the API with its document, a secret of AWS's, the issuer of a client's token."""

    def answers(request: Asked) -> Answer:
        if request.headers.get("x-amz-target") == "AmazonSSM.GetParameter":
            return 200, {}, b'{"Parameter":{"Value":"sesame"}}'
        return with_document(document())(request)

    def use(proxy: str) -> None:
        port = api.url.rpartition(":")[2]
        settings = {
            "API_SPEC_URL": f"http://api.example.com:{port}/openapi.json",
            "API_BASE_URL": f"http://api.example.com:{port}",
            "AUTH_TYPE": "bearer",
            "AUTH_TOKEN": "ssm:/token",
            "AWS_ENDPOINT_URL_SSM": f"http://ssm.example.com:{port}",
            "AWS_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "INBOUND_AUTH": "jwt",
            "INBOUND_JWT_ISSUERS": issuer.url,
            "INBOUND_JWT_AUDIENCE": "https://mcp.example.com/mcp",
            "ALLOW_INSECURE_HTTP": "true",
            "SERVER_TRANSPORT": "http",
            "SERVER_PORT": "0",
            "HTTP_PROXY_URL": proxy,
        }
        if form == "of the environment":
            settings |= {"HTTP_PROXY_URL": "environment", "https_proxy": proxy}
        with started(**settings) as server:
            status, answer = post(server.url, call("getPets"), authorization=f"Bearer {issuer.token()}")
        assert status == 200, answer
        assert api.of("/pets")[0].headers["authorization"] == "Bearer sesame"

    async def run() -> None:
        async with tunnels() as proxy:
            await trio.to_thread.run_sync(use, f"http://127.0.0.1:{proxy.port}")
            asked = {head.split()[1].partition(b":")[0].decode() for head in proxy.heads}
            assert asked == {"api.example.com", "ssm.example.com", "login.example.com"}

    with recording(answers) as api, authorization_server() as issuer:
        issuer.url = issuer.url.replace("127.0.0.1", "login.example.com")
        trio.run(run)
