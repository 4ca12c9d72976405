"""Metrics: what a call leaves, which labels there can be, and what a page looks like."""

from __future__ import annotations

import http

import msgspec
import pytest
import trio

from descriptions import catalog, operation
from metric_families import FAMILIES
from openapi_mcp_server import __version__
from openapi_mcp_server.mcp.inbound import Call, Rejection, from_http
from openapi_mcp_server.memory import UNBOUNDED
from openapi_mcp_server.observe.metrics import families
from openapi_mcp_server.observe.metrics.metrics import LABEL_SETS, Metrics
from openapi_mcp_server.observe.record import CallRecord, to_each
from records import record
from scraped import Page
from scripted import ScriptedApi, gateway, ok

CALL = record(
    seconds=0.15,
    request_bytes=100,
    response_bytes=1_000,
    tool="getPet",
    api="pets",
    status=200,
    upstream_seconds=0.015,
    result_tokens=200,
)
DURATION = "mcp_server_operation_duration_seconds"
TRACE = "0af7651916cd43dd8448eb211c80319c"
JUNK = 10_000


def called(**changes: object) -> CallRecord:
    return msgspec.structs.replace(CALL, **changes)


def page(metrics: Metrics, *, open_metrics: bool = False) -> Page:
    return Page(metrics.page(open_metrics=open_metrics)().decode(), is_open=open_metrics)


def seen(*records: CallRecord) -> Page:
    metrics = Metrics()
    for one in records:
        metrics(one)
    return page(metrics)


def test_a_call_is_in_the_buckets_of_its_duration_under_the_names_of_the_conventions():
    after = seen(CALL, called(seconds=0.2), called(seconds=1_000))
    labels = {
        "mcp_method_name": "tools/call",
        "gen_ai_tool_name": "getPet",
        "error_type": "",
        "mcp_protocol_version": "2025-11-25",
        "transport": "http",
    }
    bounds = ["0.1", "0.2", "300.0", "+Inf"]
    assert [after.value(f"{DURATION}_bucket", **labels, le=bound) for bound in bounds] == [0, 2, 2, 3]
    assert after.labels(f"{DURATION}_bucket", "le") == {
        *("0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1.0", "2.0", "5.0", "10.0"),
        *("30.0", "60.0", "120.0", "300.0", "+Inf"),
    }


@pytest.mark.parametrize(
    ("changes", "error_type"),
    [
        ({}, ""),
        ({"outcome": "tool_error", "error": "Timeout", "status": None}, "tool_error"),
        ({"outcome": "tool_error", "status": 500}, "tool_error"),
        ({"outcome": "protocol_error", "error": "-32602", "tool": ""}, "-32602"),
        ({"outcome": "internal_error", "error": "-32603"}, "-32603"),
        ({"outcome": "cancelled", "status": None}, "cancelled"),
    ],
)
def test_the_type_of_error_is_the_codes_or_tool_error(changes, error_type):
    assert seen(called(**changes)).labels(f"{DURATION}_count", "error_type") == {error_type}


def test_what_a_tool_costs_and_wants_is_counted_by_tool():
    after = seen(CALL, called(truncated=True, mismatch=True), called(tool="listPets"))
    assert after.value("openapi_mcp_request_bytes_total", gen_ai_tool_name="getPet") == 200
    assert after.value("openapi_mcp_response_bytes_total", gen_ai_tool_name="getPet") == 2_000
    assert after.value("openapi_mcp_result_tokens_total", gen_ai_tool_name="getPet") == 400
    assert after.value("openapi_mcp_truncated_results_total", gen_ai_tool_name="getPet") == 1
    assert after.value("openapi_mcp_truncated_results_total", gen_ai_tool_name="listPets") == 0
    assert after.value("openapi_mcp_output_mismatches_total", gen_ai_tool_name="getPet") == 1


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"error": "ArgumentError", "status": None, "upstream_seconds": 0.0}, "ArgumentError"),
        ({"error": "Unreachable", "status": None}, "Unreachable"),
        ({"status": 404}, "4xx"),
        ({"status": 302}, "3xx"),
        ({"status": 200}, "2xx"),  # its body was not what it claimed to be
    ],
)
def test_a_tools_errors_are_counted_by_their_cause(changes, cause):
    after = seen(called(outcome="tool_error", **changes), CALL)
    assert after.labels("openapi_mcp_tool_errors_total", "error_type") == {cause}
    assert after.value("openapi_mcp_tool_errors_total", gen_ai_tool_name="getPet") == 1


@pytest.mark.parametrize(
    ("changes", "status", "error_type"),
    [
        ({}, "200", ""),
        ({"outcome": "tool_error", "status": 503}, "503", ""),
        ({"outcome": "tool_error", "status": None, "error": "Timeout"}, "", "Timeout"),
        ({"outcome": "cancelled", "status": None}, "", "cancelled"),
        ({"outcome": "internal_error", "status": None, "error": "-32603"}, "", "-32603"),
    ],
)
def test_an_api_is_counted_by_its_status_or_by_why_it_gave_none(changes, status, error_type):
    after = seen(called(**changes))
    labels = {"api": "pets", "status": status, "error_type": error_type}
    assert after.value("openapi_mcp_upstream_requests_total", **labels) == 1
    status_class = f"{status[0]}xx" if status else ""
    assert after.value("openapi_mcp_upstream_duration_seconds_sum", api="pets", status_class=status_class) == 0.015


def test_the_time_of_an_api_is_without_calls_that_were_not_sent_to_it():
    after = seen(CALL, called(outcome="tool_error", error="Refused", status=None, upstream_seconds=0.0001))
    assert after.value("openapi_mcp_upstream_requests_total", api="pets", error_type="Refused") == 1
    assert after.value("openapi_mcp_upstream_duration_seconds_count", api="pets") == 1


def test_a_call_that_never_reached_its_api_is_none_of_its():
    after = seen(called(outcome="tool_error", error="ArgumentError", status=None, upstream_seconds=0.0))
    assert not any(name.startswith("openapi_mcp_upstream") for name, _ in after.series)


def test_retries_are_counted_from_zero():
    metrics = Metrics()
    metrics.load(catalog(operation()))
    assert page(metrics).value("openapi_mcp_upstream_retries_total", api="pets") == 0
    metrics(called(retries=2))
    assert page(metrics).value("openapi_mcp_upstream_retries_total", api="pets") == 2


def test_what_became_of_the_documents_is_told_by_api():
    metrics = Metrics()
    metrics.load(catalog(operation(), operation("POST", path="/x/{id}")))
    after = page(metrics)
    assert after.value("openapi_mcp_tools", api="pets") == 1
    assert after.value("openapi_mcp_skipped_operations", api="pets") == 1
    assert after.value("openapi_mcp_build_info", version=__version__) == 1


def test_gauges_are_read_when_a_page_is_written():
    metrics, now = Metrics(), {"state": "ready", "calls": 3, "sessions": 2, "breaker": "open"}
    metrics.follow_state(lambda: now["state"])
    metrics.follow_calls(lambda: now["calls"], lambda: now["calls"] - 1)
    metrics.follow_stop(lambda: now["calls"] / 2, lambda: now["calls"] + 1)
    metrics.follow_sessions(lambda: now["sessions"])
    metrics.follow_refused(refused := {401: 0})
    metrics.follow_breakers(lambda: {"https://api.example.com": now["breaker"]})
    metrics.follow_dropped_spans(lambda: {"xray": now["calls"]})

    def told() -> tuple[float, ...]:
        after = page(metrics)
        return (
            *(after.value("openapi_mcp_state", state=state) for state in ("starting", "ready", "draining")),
            after.value("openapi_mcp_calls_in_flight"),
            after.value("openapi_mcp_calls_waiting"),
            after.value("openapi_mcp_drain_seconds"),
            after.value("openapi_mcp_calls_given_up_total"),
            after.value("openapi_mcp_sse_sessions"),
            after.value("openapi_mcp_refused_requests_total", status="401"),
            after.value("openapi_mcp_dropped_spans_total", exporter="xray"),
            *(
                after.value("openapi_mcp_breaker_state", origin="https://api.example.com", state=state)
                for state in ("closed", "half_open", "open")
            ),
        )

    assert told() == (0, 1, 0, 3, 2, 1.5, 4, 2, 0, 3, 0, 0, 1)
    refused[401] = 5
    now.update(state="draining", calls=0, sessions=0, breaker="closed")
    assert told() == (0, 0, 1, 0, -1, 0, 1, 0, 5, 0, 1, 0, 0)


def test_the_process_is_on_the_page_too():
    after = seen()
    assert after.value("process_resident_memory_bytes") > 1_000_000
    assert after.value("process_cpu_seconds_total") > 0


def test_the_trace_of_a_call_is_an_exemplar_in_openmetrics():
    metrics = Metrics()
    metrics(called(trace_id=TRACE))
    metrics(CALL)
    exemplars = {
        (sample.name, sample.labels["le"]): (sample.exemplar.labels, sample.exemplar.value)
        for sample in page(metrics, open_metrics=True).samples
        if sample.exemplar
    }
    assert exemplars == {
        (f"{DURATION}_bucket", "0.2"): ({"trace_id": TRACE}, 0.15),
        ("openapi_mcp_upstream_duration_seconds_bucket", "0.02"): ({"trace_id": TRACE}, 0.015),
    }
    assert TRACE not in metrics.page(open_metrics=False)().decode()


def test_both_formats_say_the_same():
    metrics = Metrics()
    metrics.load(catalog(operation()))
    metrics(CALL)
    assert page(metrics).series == page(metrics, open_metrics=True).series


def asked(name: str = "get_pet", method: str = "tools/call", version: str = "2025-11-25"):
    """What becomes of such a message over HTTP."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"name": name, "arguments": {"id": 5}}}
    return from_http([(b"mcp-protocol-version", version.encode())], msgspec.json.encode(body))


def test_ten_thousand_bad_names_methods_and_versions_make_no_series():
    metrics, records = Metrics(), []
    built = gateway(ScriptedApi(ok()), observe=to_each(records.append, metrics))

    async def send(message: object) -> None:
        if isinstance(message, Rejection):
            built.refuse(message, "http")
        else:
            assert isinstance(message, Call)
            await built.answer(message, "http")

    async def main() -> Page:
        for message in (asked(), asked("x"), asked(method="x"), asked(version="x"), asked("x", "prompts/get")):
            await send(message)
        before = page(metrics)
        for number in range(JUNK):
            await send(asked(f"tool{number}"))
            await send(asked(method=f"tools/{number}"))
            await send(asked(version=f"2025-{number}"))
            await send(asked(f"tool{number}", "prompts/get"))
        return before

    before = trio.run(main)
    assert page(metrics).series == before.series
    assert page(metrics).value(f"{DURATION}_count") == len(records) == 4 * JUNK + 5


def test_an_api_that_makes_up_statuses_makes_few_series():
    after = seen(*(called(status=status) for status in range(100, 1000)))
    statuses = after.labels("openapi_mcp_upstream_requests_total", "status")
    assert {"200", "404", "5xx", "9xx"} <= statuses
    assert len(statuses) <= len(http.HTTPStatus) + 9
    assert after.value("openapi_mcp_upstream_requests_total") == 900
    assert len(after.labels("openapi_mcp_upstream_duration_seconds_count", "status_class")) == 9


def test_more_tools_than_the_limit_are_counted_together():
    number = LABEL_SETS + 500
    after = seen(*(called(tool=f"tool{n}", outcome="tool_error", error="Timeout", status=None) for n in range(number)))
    for name in (f"{DURATION}_count", "openapi_mcp_request_bytes_total", "openapi_mcp_tool_errors_total"):
        assert len(after.labels(name, "gen_ai_tool_name")) == LABEL_SETS + 1
    assert after.value(f"{DURATION}_count") == number
    assert after.value("openapi_mcp_tool_errors_total", gen_ai_tool_name="_OTHER") == 500


def test_the_table_is_what_there_is():
    metrics = Metrics()
    metrics.load(catalog(operation()))
    metrics.follow_state(lambda: "ready")
    metrics.follow_calls(int, int)
    metrics.follow_stop(float, int)
    metrics.follow_sessions(int)
    metrics.follow_refused({})
    metrics.follow_forwarded({})
    metrics.follow_memory(UNBOUNDED)
    metrics.follow_dropped_spans(dict)
    metrics.follow_breakers(dict)
    metrics.follow_reloads({}, bool)
    metrics.follow_shared_state(bool, int)
    there = {
        family.name + ("_total" if family.type == "counter" else ""): (family.type, family.documentation)
        for family in page(metrics).families
        if not family.name.startswith(("process_", "python_"))
    }
    of_workers = {families.RESTARTS.name}  # the supervisor's own
    assert there == {family.name: (family.kind, family.help) for family in FAMILIES if family.name not in of_workers}


def test_every_label_is_in_the_table():
    metrics = Metrics()
    metrics.load(catalog(operation()))
    metrics(called(outcome="tool_error"))
    for family in FAMILIES:
        found = [set(sample.labels) - {"le"} for sample in page(metrics).samples if sample.name.startswith(family.name)]
        assert all(labels == set(family.labels) for labels in found), family.name


def test_two_of_them_share_nothing():
    first, second = Metrics(), Metrics()
    first(CALL)
    assert not any(name.startswith(DURATION) for name, _ in page(second).series)
