"""Building from several documents, and the stages of a stop that the calls in flight do not show."""

from __future__ import annotations

import http.client
import re
import resource
import signal
from contextlib import closing
from urllib.parse import urlsplit

import msgspec
import pytest
import trio

from loopback import failing, loopback
from openapi_mcp_server.documents.loading import read_catalog
from openapi_mcp_server.mcp.inbound import Call
from openapi_mcp_server.observe.metrics.metrics import Metrics
from openapi_mcp_server.observe.record import CallRecord, to_each
from openapi_mcp_server.process.building import opened
from openapi_mcp_server.settings.config import load
from processes import inspected, run, started

SECONDS = 30
DOCUMENT = """
openapi: 3.1.0
servers: [{url: 'https://api.example.com'}]
paths: {/pets: {get: {operationId: listPets, responses: {'200': {description: ok}}}}}
"""


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "openapi.yaml"
    path.write_text(DOCUMENT)
    return str(path)


def additional(**spec: str) -> dict[str, str]:
    return {"ADDITIONAL_SPECS": msgspec.json.encode([spec]).decode()}


def test_the_tools_of_several_documents_carry_the_names_of_their_apis(document):
    settings = additional(name="cats", spec_path=document)
    report = inspected("--spec-path", document, "--api-name", "dogs", **settings)
    assert [(tool["api"], tool["name"]) for tool in report["tools"]] == [
        ("dogs", "dogs_listPets"),
        ("cats", "cats_listPets"),
    ]


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        ({"name": "cats", "spec_path": "/nowhere.yaml"}, 2, "ADDITIONAL_SPECS[0]: cannot read /nowhere.yaml"),
        ({"name": "cats", "spec_path": "{0}", "base_url": "ftp://x"}, 2, "ADDITIONAL_SPECS[0].base_url: 'ftp://x"),
        ({"name": "api", "spec_path": "{0}"}, 2, "ADDITIONAL_SPECS[0]: another API is named 'api' already"),
    ],
)
def test_one_document_that_cannot_be_used_ends_the_start(document, spec, code, message):
    settings = additional(**{key: value.format(document) for key, value in spec.items()})
    ended = run("--spec-path", document, "--transport", "http", "--port", "0", **settings)
    assert (ended.returncode, message in ended.stderr) == (code, True), ended.stderr
    assert "serving" not in ended.stderr


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: str | None = None):
    connection.request(method, path, body, {"content-type": "application/json"})
    response = connection.getresponse()
    return response.status, response.headers.get("connection"), response.read()


def test_a_server_that_is_told_to_stop_serves_on_for_its_lame_duck_time_but_is_not_ready():
    with started("demo", "--port", "0", SHUTDOWN_LAME_DUCK_SECONDS="30") as server:
        address = urlsplit(server.url)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=SECONDS)
        assert ask(connection, "GET", "/readyz")[0] == 200
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("^stopping")
        assert ask(connection, "GET", "/readyz")[0] == 503
        call = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getPet","arguments":{"petId":1}}}'
        status, closing, body = ask(connection, "POST", "/mcp", call)
        assert (status, closing, "Mia" in body.decode()) == (200, "close", True)


def test_a_server_takes_as_many_descriptors_as_it_may():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with started("demo", "--port", "0") as server:
            assert server.url
            assert resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE) == (min(hard, 65_536), hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_request_that_fails_for_lack_of_descriptors_ends_its_own_connection_only():
    """The first unusual one imports a library. A client that has taken all descriptors could end the server by it."""
    with started("demo", "--port", "0") as server:
        address, limits = urlsplit(server.url), resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        with closing(http.client.HTTPConnection(address.hostname, address.port, timeout=SECONDS)) as connection:
            assert ask(connection, "GET", "/livez")[0] == 200
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
            with pytest.raises(http.client.RemoteDisconnected):
                ask(connection, "HEAD", "/livez")
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, limits)
            assert ask(connection, "HEAD", "/livez")[0] == 200


@pytest.mark.parametrize(
    ("transport", "mcp", "sse"), [("http", 200, 200), ("streamable-http", 200, 404), ("sse", 404, 200)]
)
def test_the_transport_decides_which_endpoints_there_are(transport, mcp, sse):
    ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
    with started("demo", "--port", "0", "--transport", transport) as server:
        address = urlsplit(server.url)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=SECONDS)
        assert ask(connection, "POST", "/mcp", ping)[0] == mcp
        assert address.path == ("/mcp" if mcp == 200 else "/sse")
        connection.request("GET", "/sse")
        assert connection.getresponse().status == sse
        connection.close()


def test_a_server_with_open_sessions_ends_them_and_exits_when_it_is_told_to_stop():
    with started("demo", "--port", "0") as server:
        address = urlsplit(server.url)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=SECONDS)
        connection.request("GET", "/sse")
        stream = connection.getresponse()
        assert stream.readline() == b"event: endpoint\n"
        server.process.send_signal(signal.SIGTERM)
        stream.read()  # raises IncompleteRead where the response is cut off
        assert server.process.wait(5) == 0
        connection.close()


CALLS = 26


def of_calls_to_an_api_that_fails(document: str, settings: dict[str, str]) -> tuple[int, list[CallRecord], str]:
    """How many requests it saw, what observers were told, and the page of metrics."""
    records, metrics = [], Metrics()
    asked = Call(id=1, method="tools/call", version="2025-11-25", size=9, name="listPets", arguments=msgspec.Raw(b"{}"))

    async def calls() -> tuple[int, str]:
        async with loopback([failing(b"500 No")] * 100) as api:
            argv = ["--spec-path", document, "--api-url", str(api.origin), "--allow-private-networks"]
            config = load(argv, settings, lambda path: "")
            tools = await read_catalog(config)
            async with opened(config, tools, to_each(records.append, metrics), metrics) as gateway:
                for _ in range(CALLS):
                    await gateway.answer(asked, "http")
                return len(api.requests), metrics.page(open_metrics=False)().decode()

    requests, page = trio.run(calls, clock=trio.testing.MockClock(autojump_threshold=0.05))
    return requests, records, page


@pytest.mark.parametrize(
    ("settings", "requests"),
    [
        ({"HTTP_RETRIES": "0", "HTTP_BREAKER": "false"}, CALLS),
        ({"HTTP_RETRIES": "0"}, 20),  # then it is left alone
        ({"HTTP_BREAKER": "false"}, CALLS + 10 + 25 // 5),  # its budget for retries: ten, and one for five calls
    ],
)
def test_the_settings_decide_what_becomes_of_an_api_that_fails(document, settings, requests):
    seen, records, _ = of_calls_to_an_api_that_fails(document, settings)
    assert (seen, sum(record.retries for record in records)) == (requests, max(0, requests - CALLS))


def test_metrics_show_the_retries_and_that_an_api_is_left_alone(document):
    requests, records, page = of_calls_to_an_api_that_fails(document, {})
    assert requests == 20
    assert f'openapi_mcp_upstream_retries_total{{api="api"}} {sum(record.retries for record in records)}' in page
    assert re.search(r'openapi_mcp_breaker_state\{origin="http://127[^"]*",state="open"\} 1', page)
