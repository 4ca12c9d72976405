"""What the worker answers beside MCP."""

from __future__ import annotations

import anyio
import msgspec
import pytest

from openapi_mcp_server import __version__
from openapi_mcp_server.bridge.model import ApiSummary, KeyPlace, SkippedTool, ToolCatalog
from openapi_mcp_server.bridge.origins import BaseUrl, Origin
from openapi_mcp_server.openapi.model import Note, SkippedOperation
from openapi_mcp_server.server.app import Health, Readiness, WorkerApp
from served import VISITORS

NOTES = tuple(
    Note(pointer=f"#/{n}", kind=kind, message="") for n, kind in enumerate(["pattern_dropped"] * 2 + ["output_dropped"])
)
CATALOG = ToolCatalog(
    apis=(
        ApiSummary(
            name="pets",
            title="Pets",
            version="2",
            dialect="3.1",
            base=BaseUrl(Origin("https", "api.example.com", 443), ""),
            origins=frozenset({Origin("https", "api.example.com", 443)}),
            tools=0,
            filtered=4,
            notes=NOTES,
            security_schemes={},
            key_places={"": KeyPlace(name="X-API-Key", location="header")},
            unmet=3,
        ),
    ),
    tools={},
    skipped=(SkippedTool(api="pets", operation=SkippedOperation(pointer="#/", method="GET", path="/", reason="x")),),
)


async def mcp(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"mcp"})


def ask(path, method="GET", state="ready", host=b"localhost", **headers):
    """(status, headers, body)"""
    fields = [(b"host", host), *((name.encode(), value) for name, value in headers.items())]
    readiness, sent = Readiness(), []
    readiness.state = state

    async def send(event):
        sent.append(event)

    async def main():
        app = WorkerApp(mcp, Health(CATALOG), readiness, VISITORS)
        await app({"type": "http", "method": method, "path": path, "headers": fields}, None, send)

    anyio.run(main, backend="trio")
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_every_request_to_the_endpoint_is_mcps(method, path):
    assert ask(path, method)[2] == b"mcp"


@pytest.mark.parametrize(
    ("path", "state", "status"),
    [
        ("/livez", "starting", 200),
        ("/livez", "draining", 200),
        ("/readyz", "starting", 503),
        ("/readyz", "ready", 200),
        ("/readyz", "draining", 503),
        ("/health", "draining", 200),
    ],
)
def test_alive_is_not_ready(path, state, status):
    assert ask(path, state=state)[0] == status


def test_health_counts_what_became_of_the_documents():
    told = msgspec.json.decode(ask("/health")[2])
    assert told.pop("uptime_seconds") >= 0
    assert told == {
        "status": "ready",
        "version": __version__,
        "tools": 0,
        "skipped_operations": 1,
        "apis": [
            {
                "name": "pets",
                "title": "Pets",
                "version": "2",
                "openapi": "3.1",
                "tools": 0,
                "filtered_operations": 4,
                "skipped_operations": 1,
                "unmet_security": 3,
                "notes": {"pattern_dropped": 2, "output_dropped": 1},
            }
        ],
    }


@pytest.mark.parametrize(
    ("path", "method", "status"), [("/", "GET", 404), ("/mcp/x", "POST", 404), ("/livez", "POST", 405)]
)
def test_the_rest_is_refused_in_json(path, method, status):
    answered, headers, body = ask(path, method)
    assert (answered, headers[b"content-type"]) == (status, b"application/json")
    assert "error" in msgspec.json.decode(body)


@pytest.mark.parametrize(
    ("of", "status"), [({"host": b"rebound.example"}, 421), ({"origin": b"https://evil.example"}, 403), ({}, 200)]
)
def test_a_page_that_reaches_this_machine_does_not_learn_which_apis_there_are(of, status):
    answered = ask("/health", **of)
    assert (answered[0], b"Pets" in answered[2]) == (status, status == 200)


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_an_orchestrator_may_call_the_process_what_it_likes(path):
    assert ask(path, host=b"10.1.2.3:8000")[0] == 200
