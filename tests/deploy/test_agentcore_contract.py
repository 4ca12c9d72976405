"""Amazon Bedrock AgentCore Runtime's contract for MCP, as the platform calls a container that has the construct's
settings: what it sends, what it probes, how soon it has to be answered."""

from __future__ import annotations

import ast
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

import nginx
from asked import META, call, fetch, is_ready, message, until
from authorization_server import authorization_server
from processes import CHECKOUT, Server, started
from recording import Recording, document, recording, with_document

RUNTIME = CHECKOUT / "deploy" / "agentcore" / "openapi_mcp_server_runtime.py"
SESSIONS = {
    "mcp_session_id": "0f6a1d2c-3b4e-4f5a-8b6c-7d8e9f0a1b2c",
    "x_amzn_bedrock_agentcore_runtime_session_id": "a" * 33,
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "baggage": "session.id=1",
    "host": "bedrock-agentcore.us-east-1.amazonaws.com",
    "accept": "application/json, text/event-stream",
    "content_type": "application/json",
}
"""The headers of the platform's own."""


def settings(**more: str) -> dict[str, str]:
    """Those of the construct, on a port of this machine's."""
    (assigned,) = [
        node.value
        for node in ast.walk(ast.parse(RUNTIME.read_text("utf-8")))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PLATFORM"
    ]
    platform: dict[str, str] = ast.literal_eval(assigned)
    assert (platform["SERVER_HOST"], platform["SERVER_PORT"]) == ("0.0.0.0", "8000")
    return {**platform, "SERVER_PORT": str(nginx.free_port()), "ALLOW_PRIVATE_NETWORKS": "true", **more}


@pytest.fixture(scope="module")
def api() -> Iterator[Recording]:
    with recording(with_document(document())) as running:
        yield running


@pytest.fixture(scope="module")
def server(api: Recording) -> Iterator[Server]:
    with started(**settings(API_SPEC_URL=f"{api.url}/openapi.json", API_BASE_URL=api.url)) as running:
        assert running.url
        yield running


def base(running: Server) -> str:
    return running.url.removesuffix("/mcp").replace("0.0.0.0", "127.0.0.1")


@pytest.mark.parametrize("era", ["2025-11-25", "2026-07-28"])
def test_a_call_of_the_platform_is_answered_in_either_era_whatever_session_it_names(server: Server, era: str) -> None:
    url, headers = f"{base(server)}/mcp", {**SESSIONS, "mcp_protocol_version": era}
    if era == "2025-11-25":
        first = message("initialize", protocolVersion=era, capabilities={}, clientInfo={"name": "a", "version": "1"})
        assert fetch(url, "POST", first, **SESSIONS)[0] == 200
        asked = call("getPets")
    else:
        asked = message("tools/call", name="getPets", arguments={}, _meta=META)
        headers |= {"mcp_method": "tools/call", "mcp_name": "getPets"}
    for session in (SESSIONS["mcp_session_id"], "another-session-of-another-container"):
        status, _, answer = fetch(url, "POST", asked, **{**headers, "mcp_session_id": session})
        assert status == 200, answer
        assert not msgspec.json.decode(answer)["result"].get("isError"), answer


def test_probes_are_answered_without_credentials_also_where_callers_need_some(api: Recording) -> None:
    with authorization_server() as issuer:
        jwt = {"INBOUND_AUTH": "jwt", "INBOUND_JWT_ISSUERS": issuer.url, "INBOUND_JWT_AUDIENCE": "https://a.example"}
        spec = {"API_SPEC_URL": f"{api.url}/openapi.json", "API_BASE_URL": api.url}
        with started(**settings(**jwt, **spec)) as running:
            url = base(running)
            assert [fetch(f"{url}{path}")[0] for path in ("/ping", "/livez", "/readyz")] == [200, 200, 200]
            assert fetch(f"{url}/ping")[2] == b'{"status":"Healthy"}'
            assert fetch(f"{url}/mcp", "POST", call("getPets"), **SESSIONS)[0] == 401


def test_it_is_ready_after_little_cpu(api: Recording) -> None:
    given = settings(API_SPEC_URL=f"{api.url}/openapi.json", API_BASE_URL=api.url, LOG_LEVEL="ERROR")
    with started(**given) as running:
        until(lambda: is_ready(given["SERVER_PORT"]))
        words = Path(f"/proc/{running.process.pid}/stat").read_text().rpartition(")")[2].split()
        seconds = (int(words[11]) + int(words[12])) / 100
    print(f"\nready after {seconds:.2f} s of CPU")
    assert seconds <= 1.5


def test_the_largest_payload_of_the_platform_is_refused_in_json_before_it_is_read(server: Server) -> None:
    address = urlsplit(base(server))
    with socket.create_connection((str(address.hostname), int(address.port or 0)), 30) as line:
        line.sendall(
            b"POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            b"Accept: application/json, text/event-stream\r\nContent-Length: 104857600\r\n\r\n" + b" " * 65_536
        )
        head, _, body = line.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert msgspec.json.decode(body)["error"]["code"] == -32600
    assert fetch(f"{base(server)}/ping")[0] == 200
