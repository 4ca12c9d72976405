"""Metrics of the real program: where they are, until when, what they cost whoever does not ask for them."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
from contextlib import closing
from pathlib import Path

import pytest

from asked import call, fetch, post, until
from held import HeldApi
from processes import PROFILED, imported, run, started
from scraped import metrics_url, scraped

SECONDS = 30
ON = {"ENABLE_PROMETHEUS": "true", "PROMETHEUS_PORT": "0"}
DEMO = ("demo", "--port", "0")
COUNT = "mcp_server_operation_duration_seconds_count"


def is_refused(url: str) -> bool:
    try:
        fetch(url)
    except ConnectionError:
        return True
    return False


def test_a_call_is_on_the_page():
    with started(*DEMO, **ON) as server:
        metrics, mcp = metrics_url(server), server.url
        assert b"Mia" in post(mcp, call("getPet", petId=1))[1]
        page = scraped(metrics)
    assert page.value(COUNT, gen_ai_tool_name="getPet", transport="http", error_type="") == 1
    assert page.value("openapi_mcp_upstream_requests_total", api="petshop", status="200") == 1
    assert page.value("openapi_mcp_state", state="ready") == 1
    assert page.value("openapi_mcp_tools", api="petshop") == 11
    assert page.value("openapi_mcp_sse_sessions") == page.value("openapi_mcp_calls_in_flight") == 0


def test_who_is_turned_away_is_counted():
    tokens = '[{"name": "ci", "token": "6f1ed002ab5595859014ebf0951522d9"}]'
    with started(*DEMO, **ON, INBOUND_AUTH="token", INBOUND_TOKENS=tokens) as server:
        metrics, mcp = metrics_url(server), server.url
        before = scraped(metrics)
        assert [post(url, call("getPet", petId=1))[0] for url in (mcp, mcp, mcp.replace("/mcp", "/sse"))] == [401] * 3
        page = scraped(metrics)
    counted = "openapi_mcp_refused_requests_total"
    assert [each.value(counted, status="401") for each in (before, page)] == [0, 3]
    assert page.value(counted, status="403") == 0


def test_over_stdio_there_are_metrics_too():
    with started("demo", "--transport", "stdio", stdin=subprocess.PIPE, **ON) as server:
        metrics = metrics_url(server)
        server.process.stdin.write(call("getPet", petId=1) + b"\n")
        server.process.stdin.flush()
        assert b"Mia" in server.process.stdout.readline()
        page = scraped(metrics)
        assert fetch(metrics.replace("/metrics", "/readyz"))[0] == 200
        server.process.stdin.close()
        assert server.process.wait(SECONDS) == 0
    assert page.value(COUNT, gen_ai_tool_name="getPet", transport="stdio") == 1
    assert page.value("openapi_mcp_state", state="ready") == 1


def test_the_port_answers_while_the_last_call_is_finished_and_nothing_else_does(tmp_path: Path):
    document = tmp_path / "openapi.yaml"
    document.write_text(HeldApi.DOCUMENT)
    with closing(HeldApi()) as api:
        argv = ("--spec-path", str(document), "--api-url", api.url, "--allow-private-networks")
        with started(*argv, "--transport", "http", "--port", "0", **ON) as server:
            metrics, mcp = metrics_url(server), server.url
            waiting = threading.Thread(target=post, args=(mcp, call("held")))
            waiting.start()
            with api.accept() as asked:
                server.process.send_signal(signal.SIGTERM)
                server.wait_for("^stopping")
                until(lambda: is_refused(mcp))
                page = scraped(metrics)
                assert fetch(metrics.replace("/metrics", "/readyz"))[0] == 503
                assert fetch(metrics.replace("/metrics", "/livez"))[0] == 200
                asked.sendall(HeldApi.ANSWER)
            waiting.join(SECONDS)
            assert server.process.wait(SECONDS) == 0
    assert page.value("openapi_mcp_state", state="draining") == 1
    assert page.value("openapi_mcp_calls_in_flight") == 1


def test_a_port_that_is_taken_stops_the_start_before_anything_else():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(*DEMO, ENABLE_PROMETHEUS="true", PROMETHEUS_PORT=str(port))
    assert ended.returncode == 2
    assert ended.stderr == (
        f"openapi-mcp-server: PROMETHEUS_PORT: port {port} on 127.0.0.1 is taken; stop what uses it or choose another\n"
    )


@pytest.mark.parametrize(("settings", "is_loaded"), [({}, False), (ON, True)], ids=["off", "on"])
def test_the_library_is_loaded_only_where_metrics_are_asked_for(settings, is_loaded):
    with started(*DEMO, **settings, **PROFILED) as server:
        server.wait_for("^serving MCP at ")
    modules = imported(server)
    assert "openapi_mcp_server.process.lifecycle" in modules
    assert ("prometheus_client" in modules, any(m.startswith("serving metrics at ") for m in modules)) == (
        is_loaded,
        is_loaded,
    )


def test_what_the_environment_says_to_other_programs_of_the_library_changes_nothing(tmp_path: Path):
    missing = str(tmp_path / "missing")
    with started(*DEMO, **ON, PROMETHEUS_MULTIPROC_DIR=missing, PROMETHEUS_DISABLE_CREATED_SERIES="false") as server:
        metrics, mcp = metrics_url(server), server.url
        post(mcp, call("getPet", petId=1))
        page = scraped(metrics)
    assert page.value(COUNT, gen_ai_tool_name="getPet") == 1
    assert not any(name.endswith("_created") for name, _ in page.series)
    assert not Path(missing).exists()


def test_a_result_that_is_cut_is_counted():
    with started(*DEMO, **ON, RESULT_BUDGET_BYTES="1000") as server:
        metrics, mcp = metrics_url(server), server.url
        for number in range(20):
            post(mcp, call("createPet", name=f"cat {number}", species="cat"))
        post(mcp, call("listPets", limit=100))
        page = scraped(metrics)
    assert page.value("openapi_mcp_truncated_results_total", gen_ai_tool_name="listPets") == 1
    assert page.value("openapi_mcp_truncated_results_total") == 1
    assert page.value("openapi_mcp_result_tokens_total", gen_ai_tool_name="listPets") > 200
