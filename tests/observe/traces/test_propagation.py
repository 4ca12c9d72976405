"""Where a trace comes from, as clients, proxies and load balancers write it, and how it goes on."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import TraceState

from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.mcp.inbound import Call
from openapi_mcp_server.observe.trace import Carrier
from openapi_mcp_server.observe.traces.propagation import Parent, parent, passed_on
from scripted import tool

BOTH = frozenset({"tracecontext", "xray"})
TRACE, SPAN = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7
W3C = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ROOT = "1-4bf92f35-77b34da6a3ce929d0e0e4736"
OTHER = "00-11111111111111111111111111111111-2222222222222222-00"


def call(**meta: str) -> Call:
    return Call(id=1, method="tools/call", version="2025-11-25", size=9, name="get_pet", **meta)


def found(propagators: Any = BOTH, meta: dict[str, str] | None = None, **headers: str) -> Parent | None:
    return parent(call(**(meta or {})), Carrier(**headers), propagators)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (W3C, Parent(TRACE, SPAN, True)),
        (W3C[:-2] + "00", Parent(TRACE, SPAN, False)),
        (W3C[:-2] + "03", Parent(TRACE, SPAN, True)),  # a trace id that is random
        (f" {W3C}\t", Parent(TRACE, SPAN, True)),
        ("01" + W3C[2:], Parent(TRACE, SPAN, True)),
        ("01" + W3C[2:] + "-what-comes-later", Parent(TRACE, SPAN, True)),
        ("", None),
        (W3C + "-more", None),
        ("ff" + W3C[2:], None),
        (W3C.upper(), None),
        (W3C.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32), None),
        (W3C.replace("00f067aa0ba902b7", "0" * 16), None),
        (W3C[:-1], None),
        (W3C.replace("-", ""), None),
        (f"{W3C},{W3C}", None),
        ("x" * 100_000, None),
    ],
)
def test_a_traceparent_is_read_by_its_specification(header: str, expected: Parent | None) -> None:
    assert found(traceparent=header) == expected
    assert found(meta={"traceparent": header}) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"Root={ROOT};Parent=00f067aa0ba902b7;Sampled=1", Parent(TRACE, SPAN, True)),
        (f"Root={ROOT};Parent=00f067aa0ba902b7;Sampled=0", Parent(TRACE, SPAN, False)),
        (f"Root={ROOT};Parent=00f067aa0ba902b7;Sampled=?", Parent(TRACE, SPAN, None)),
        (f"Root={ROOT};Parent=00f067aa0ba902b7", Parent(TRACE, SPAN, None)),
        (f"Root={ROOT}", Parent(TRACE, 0, None)),  # what an ALB sends
        (f"Root={ROOT};", Parent(TRACE, 0, None)),
        (f"Root={ROOT};Sampled=1", Parent(TRACE, 0, True)),
        (f"Self=1-67891234-12456789abcdef012345678;Root={ROOT}", Parent(TRACE, 0, None)),
        (f"Sampled=1; Parent=00f067aa0ba902b7 ;Root={ROOT}", Parent(TRACE, SPAN, True)),
        (f"Root={ROOT};Parent=00f067aa0ba902b7;Sampled=1;Lineage=25:3d3aed7f:0", Parent(TRACE, SPAN, True)),
        (f"Root={ROOT};CalledFrom=app;;=;Parent", Parent(TRACE, 0, None)),
        (f"root={ROOT.upper()};PARENT=00F067AA0BA902B7", Parent(TRACE, SPAN, None)),
        (f"Root={ROOT};Parent=0000000000000000;Sampled=yes", Parent(TRACE, 0, None)),
        (f"Root={ROOT};Parent=short", Parent(TRACE, 0, None)),
        ("", None),
        ("Parent=00f067aa0ba902b7;Sampled=1", None),
        ("Root=", None),
        ("Root=1-00000000-000000000000000000000000", None),
        (f"Root=2{ROOT[1:]}", None),
        (f"Root={ROOT}0", None),
        ("Root=1-4bf92f3577b34da6a3ce929d0e0e4736", None),
        (";" * 100_000, None),
    ],
)
def test_an_amazon_trace_id_is_read_however_it_is_written(header: str, expected: Parent | None) -> None:
    assert found(amzn_trace_id=header) == expected


@pytest.mark.parametrize(
    ("meta", "traceparent", "amzn", "trace"),
    [
        (W3C, OTHER, f"Root={ROOT}", TRACE),
        ("", W3C, "Root=1-11111111-111111111111111111111111", TRACE),
        ("nonsense", W3C, "", TRACE),
        ("nonsense", "nonsense", f"Root={ROOT}", TRACE),
        ("", "", "", None),
    ],
)
def test_the_message_comes_before_what_carried_it(meta: str, traceparent: str, amzn: str, trace: int | None) -> None:
    named = found(meta={"traceparent": meta}, traceparent=traceparent, amzn_trace_id=amzn)
    assert (named and named.trace_id) == trace


@pytest.mark.parametrize(
    ("propagators", "trace"), [({"tracecontext"}, 0x11111111111111111111111111111111), ({"xray"}, TRACE), (set(), None)]
)
def test_only_the_propagators_that_were_chosen_are_heard(propagators: set[str], trace: int | None) -> None:
    named = found(propagators, traceparent=OTHER, amzn_trace_id=f"Root={ROOT}")
    assert (named and named.trace_id) == trace


STATES = [
    ("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
    ("a=1 , , tenant@system=2\t", "a=1,tenant@system=2"),
    ("", ""),
    ("a=1,a=2", ""),
    ("A=1", ""),
    ("a", ""),
    ("a=1\r\nX-Evil: 1", ""),
    ("a=é", ""),
    (",".join(f"k{n}=1" for n in range(33)), ""),
    ("a=" + "x" * 256, "a=" + "x" * 256),
    ("a=" + "x" * 511, ""),
]


@pytest.mark.parametrize(("header", "expected"), STATES)
def test_a_tracestate_is_passed_on_whole_or_not_at_all(header: str, expected: str) -> None:
    named = found(traceparent=W3C, tracestate=header)
    assert named is not None
    assert named.state == expected


def test_a_tracestate_without_its_traceparent_says_nothing() -> None:
    assert found(meta={"tracestate": "a=1"}, tracestate="a=1") is None


@given(st.text(st.characters(max_codepoint=0xFF)))
def test_nothing_that_a_client_writes_as_tracestate_is_logged_by_the_library(text: str) -> None:
    named = found(traceparent=W3C, tracestate=text)
    assert named is not None
    lines: list[logging.LogRecord] = []
    heard = logging.Handler()
    heard.emit = lines.append  # type: ignore[method-assign]
    logger = logging.getLogger("opentelemetry")
    logger.addHandler(heard)
    try:
        assert named.state == "" or TraceState.from_header([named.state]).to_header() == named.state
    finally:
        logger.removeHandler(heard)
    assert lines == []


def request(*headers: tuple[str, str]) -> HttpRequest:
    return HttpRequest(method="GET", origin=tool().origin, path="/pets/5", query="", headers=headers)


def test_a_request_tells_the_api_its_trace_in_both_ways() -> None:
    sent = passed_on(request(("accept", "*/*")), Parent(TRACE, SPAN, True, "a=1"), BOTH)
    assert sent.headers == (
        ("accept", "*/*"),
        ("traceparent", W3C),
        ("tracestate", "a=1"),
        ("X-Amzn-Trace-Id", f"Root={ROOT};Parent=00f067aa0ba902b7;Sampled=1"),
    )


def test_a_request_of_a_trace_that_is_not_recorded_says_so() -> None:
    headers = dict(passed_on(request(), Parent(TRACE, SPAN, False), BOTH).headers)
    assert headers["traceparent"].endswith("-00")
    assert headers["X-Amzn-Trace-Id"].endswith(";Sampled=0")


@pytest.mark.parametrize("propagators", [BOTH, {"tracecontext"}, {"xray"}, set()])
def test_no_argument_and_no_document_sets_what_is_ours(propagators: Any) -> None:
    theirs = [("TraceParent", "x"), ("tracestate", "x"), ("x-amzn-trace-id", "x")]
    sent = passed_on(request(*theirs, ("x-own", "x")), Parent(TRACE, SPAN, True), propagators)
    assert [name for name, value in sent.headers if value == "x"] == ["x-own"]
    assert {name for name, _ in sent.headers} <= {"x-own", "traceparent", "X-Amzn-Trace-Id"}
