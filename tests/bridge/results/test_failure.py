"""What a model gets where there is no success: an error status, a redirect, or no answer at all."""

from __future__ import annotations

import msgspec
import pytest

from answers import PNG, answer, texts, tool
from growth import is_linear
from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.bridge.model import Access
from openapi_mcp_server.bridge.results import failure
from openapi_mcp_server.bridge.results.answer_headers import LINES_LIMIT
from openapi_mcp_server.bridge.results.result import from_error, render
from openapi_mcp_server.errors import (
    ArgumentError,
    BadResponse,
    ConfigError,
    CredentialError,
    Refused,
    Timeout,
    TooLarge,
    Unreachable,
)
from openapi_mcp_server.mcp.messages import TextContent, ToolResult


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (302, [("location", "https://evil.example/x")], "It points to evil.example."),
        (307, [("location", "https://user:secret@evil.example:8443/x")], "It points to evil.example:8443."),
        (308, [("location", "/elsewhere")], "It points to the same host."),
        (301, [("location", "https://[")], "It names no place to go to instead."),
        (300, [], "It names no place to go to instead."),
        (304, [], "It sends no content to a conditional request"),
    ],
)
def test_a_redirect_is_an_error_that_names_status_and_host(
    status: int, headers: list[tuple[str, str]], said: str
) -> None:
    result = render(tool(), answer(b"", None, *headers, status=status))
    assert result.isError
    assert texts(result)[0].startswith(f"The API answered {status} ")
    assert said in texts(result)[0]


@pytest.mark.parametrize(
    ("body", "content_type", "lines"),
    [
        pytest.param(
            b'{"type":"about:blank","title":"Invalid","status":422,"detail":"2 faults","errors":[{"pointer":"#/a"}]}',
            "application/problem+json",
            ["Invalid: 2 faults", '{"errors":[{"pointer":"#/a"}]}'],
            id="problem details",
        ),
        pytest.param(
            b'{"type":"https://x/y","title":"Out of credit","balance":1.10}',
            "application/problem+json",
            ["Out of credit", '{"type":"https://x/y","balance":1.10}'],
            id="problem details with members of its own",
        ),
        pytest.param(b'{"detail":"Not found."}', "application/json", ["Not found."], id="one sentence"),
        pytest.param(
            b'{"detail": [{"loc": ["q"]}], "status": "BAD"}',
            "application/json",
            ['{"detail":[{"loc":["q"]}],"status":"BAD"}'],
            id="other JSON as it is",
        ),
        pytest.param(b'[1, "a"]', "application/json", ['[1,"a"]'], id="an array"),
        pytest.param(b"{broken", "application/json", ["{broken"], id="broken JSON"),
        pytest.param(
            b"<head><title>t</title></head><body><script>if (a < b) x()</script><h1>Bad &amp; worse</h1>\n<p>No.",
            "text/html; charset=utf-8",
            ["Bad & worse No."],
            id="a page without its markup",
        ),
        pytest.param(
            b"<style\n type='text/css'>p {}</style><p\nid=a>No.<SCRIPT\tasync>x()</script >",
            "text/html",
            ["No."],
            id="a page whose tags are on several lines",
        ),
        pytest.param(b'{"detail":"No credit."}', "text/html", ["No credit."], id="JSON that calls itself a page"),
        pytest.param(b' {"code": 5}', "application/octet-stream", ['{"code":5}'], id="JSON that calls itself octets"),
        pytest.param(b"{plain}", "text/plain", ["{plain}"], id="text that begins like JSON"),
        pytest.param(b"  plain\n", "text/plain", ["plain"], id="text"),
        pytest.param(PNG, "image/png", ["Its body is 10 bytes of image/png."], id="a picture"),
        pytest.param(b"", None, [], id="nothing"),
    ],
)
def test_an_error_status_carries_the_useful_part_of_its_body(
    body: bytes, content_type: str | None, lines: list[str]
) -> None:
    result = render(tool(), answer(body, content_type, status=422))
    assert result.isError
    assert texts(result)[0].split("\n")[1:] == lines


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500, 503])
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"No such pet", "No such pet"),
        ('{"detail":"grüßt nicht"}'.encode("utf-16"), "grüßt nicht"),
        ('{"detail":"grüßt nicht"}'.encode("latin-1"), "grüßt nicht"),
        (b'{"a":1}{"b":2}', '{"a":1}{"b":2}'),
        (PNG, "Its body is 10 bytes of application/json."),
        (b" \n", ""),
    ],
)
def test_an_error_that_is_not_the_json_it_claims_is_told_in_its_own_words(body: bytes, said: str, status: int) -> None:
    result = render(tool(), answer(body, "application/json", status=status))
    assert result.isError
    lines = texts(result)[0].split("\n")
    assert lines[1:] == ([said] if said else [])


def test_an_answer_401_or_403_says_which_credential_is_missing_and_which_setting_it_needs() -> None:
    unmet = Access(kind="unmet", reason="r", advice="The document asks for http bearer. Set AUTH_TOKEN.")
    told = [
        texts(render(msgspec.structs.replace(tool(), access=access), answer(b"", status=status)))[0]
        for access in (unmet, Access(kind="met"))
        for status in (401, 403)
    ]
    assert [text.split("\n")[1] for text in told] == [
        "The document asks for http bearer. Set AUTH_TOKEN.",
        "The document asks for http bearer. Set AUTH_TOKEN.",
        "The credentials for this API are missing or not accepted; this server's operator has to mend that.",
        "The credentials configured for this API do not allow this.",
    ]


@pytest.mark.parametrize("status", [200, 404])
def test_reason_and_header_lines_are_bounded_and_without_invisible_characters(status: int) -> None:
    many = [("ratelimit-limit", "1" * 3_000)] * 20 + [("link", "<x\x1b[2J>; rel=next")]
    response = HttpResponse(status=status, reason="No\x1b[31m " * 9_000, headers=tuple(many), body=b"")
    (text,) = texts(render(tool("HEAD"), response))
    assert "\x1b" not in text
    assert len(text) < LINES_LIMIT + 1_000
    assert "more header lines are left out" in text


def test_an_error_excerpt_is_at_most_2_kb() -> None:
    (text,) = texts(render(tool(), answer(("é" * 5_000).encode(), "text/plain", status=500)))
    assert text.endswith("é… (8000 more bytes left out)")
    assert len(text.encode()) < 2_200


def test_control_characters_of_an_error_do_not_reach_a_terminal() -> None:
    body = b'{"title":"a\\u001b[31mred\\u0000\\u202e","detail":"one\\ntwo"}'
    (text,) = texts(render(tool(), answer(body, "application/problem+json", status=422)))
    assert text.endswith("a[31mred: one\ntwo")


def test_a_page_without_text_is_told_by_its_title() -> None:
    page = b"<html><head><title>Down for\n maintenance &amp; back</title></head><body><script>x</script></body></html>"
    (text,) = texts(render(tool(), answer(page, "text/html", status=503)))
    assert text.splitlines()[1] == "Down for maintenance & back"


def test_the_size_of_a_body_that_is_not_shown_is_that_of_the_whole() -> None:
    (text,) = texts(render(tool(), answer(PNG * 20_000, "image/png", status=404)))
    assert "Its body is 200,000 bytes of image/png." in text


TRACE = "at a.b.C(C.java)" * 400


@pytest.mark.parametrize(
    "body",
    [
        {"status": 400, "trace": TRACE, "message": "not so", "errors": [{"field": "name"}]},
        {"error": {"stack": TRACE, "message": "not so", "errors": [{"field": "name"}]}},
        {"errors": [{"extensions": {"stacktrace": [TRACE]}, "message": "not so", "path": {"field": "name"}}]},
        {"title": "Bad Request", "exceptionDetails": [{"raw": TRACE}], "errors": {"field": "name", "said": "not so"}},
    ],
)
def test_a_long_error_loses_the_trace_of_its_stack_and_not_its_message(body: object) -> None:
    (text,) = texts(render(tool(), answer(msgspec.json.encode(body), "application/json", status=400)))
    assert '"not so"' in text
    assert '"field":"name"' in text
    assert "more bytes left out" in text
    assert len(text.encode()) < 2_200


@pytest.mark.parametrize("sentences", [b'"title":"Invalid","detail":"2 faults",', b""])
def test_an_error_is_told_however_deep_it_is_nested(sentences: bytes) -> None:
    """It is read again, by more functions, to put it in order. At some depths only this reading gives up."""
    for depth in range(700, 1_000):
        body = b"{%b" % sentences + b'"e":' + b'{"k":' * depth + b"1" + b"}" * depth + b"}"
        said = texts(render(tool(), answer(body, "application/problem+json", status=422)))[0]
        assert said.startswith("The API answered 422"), depth
        assert '{"k":{"k":' in said


def test_stripping_a_hostile_page_takes_linear_time() -> None:
    assert is_linear(failure.strip_html, lambda size: "<script" * size + "<!--" * size + "&#" * size)


@pytest.mark.parametrize(
    ("status", "header", "line"),
    [
        (405, ("allow", "GET, PUT"), ["Allow: GET, PUT"]),
        (415, ("accept-patch", "application/merge-patch+json"), ["Accept-Patch: application/merge-patch+json"]),
        (400, ("allow", "GET"), []),
    ],
)
def test_what_would_be_taken_instead_is_said(status: int, header: tuple[str, str], line: list[str]) -> None:
    (text,) = texts(render(tool(), answer(b"", None, header, status=status)))
    assert text.splitlines()[1:] == line


def test_advice_goes_with_the_status() -> None:
    (text,) = texts(render(tool(), answer(b"", None, ("retry-after", "7"), status=429)))
    assert text.split("\n") == [
        "The API answered 429 Too Many Requests.",
        "Wait before the next call of this API.",
        "Retry-After: 7",
    ]


@pytest.mark.parametrize(("method", "warned"), [("POST", True), ("PATCH", True), ("GET", False), ("PUT", False)])
def test_a_failing_server_may_have_carried_out_what_is_not_idempotent(method: str, warned: bool) -> None:
    (text,) = texts(render(tool(method), answer(b"", status=503)))
    assert (failure.UNKNOWN_OUTCOME in text) is warned


@pytest.mark.parametrize(
    ("error", "method", "said"),
    [
        (ArgumentError("limit: expected integer"), "GET", "limit: expected integer\nNothing was sent to the API."),
        (
            CredentialError("no token"),
            "GET",
            "no token\nNothing was sent to the API. Only the operator of this server can fix this.",
        ),
        (Refused("10.0.0.1 is private", outcome_unknown=False), "POST", "Not sent: 10.0.0.1 is private"),
        (
            Timeout("no connection", outcome_unknown=False),
            "POST",
            "no connection\nNothing was sent: the call can be repeated.",
        ),
        (Timeout("no answer", outcome_unknown=True), "PUT", "no answer\nThe call can be repeated safely."),
        (Timeout("no answer", outcome_unknown=True), "POST", f"no answer\n{failure.UNKNOWN_OUTCOME}"),
        (
            Unreachable("no DNS", outcome_unknown=False),
            "POST",
            "no DNS\nNothing was sent: the call can be repeated.",
        ),
        (BadResponse("reset", outcome_unknown=True), "PATCH", f"reset\n{failure.UNKNOWN_OUTCOME}"),
        (
            TooLarge("over 10 MiB", outcome_unknown=True),
            "GET",
            "over 10 MiB\nAsk for less: a page, a filter, fewer fields.",
        ),
    ],
)
def test_an_error_says_what_happened_and_what_to_do(error: ArgumentError, method: str, said: str) -> None:
    assert from_error(error, tool(method)) == ToolResult(content=(TextContent(said),), isError=True)


def test_a_failure_says_how_often_the_call_was_tried() -> None:
    gone = Unreachable("no connection", outcome_unknown=False)
    gone.retries = 2
    (text,) = texts(from_error(gone, tool()))
    assert text.startswith("no connection (tried 3 times)\n")
    busy = msgspec.structs.replace(answer(b"", status=503), retries=1)
    assert texts(render(tool(), busy)) == ["The API answered 503 Service Unavailable (tried 2 times)."]


@pytest.mark.parametrize(("method", "said"), [("DELETE", True), ("PUT", True), ("GET", False)])
def test_an_answer_that_may_be_the_consequence_of_an_earlier_attempt_says_so(method: str, said: bool) -> None:
    gone = msgspec.structs.replace(answer(b"", status=404), retries=1, doubtful=True)
    (text,) = texts(render(tool(method), gone))
    assert (failure.DOUBTFUL in text) is said


def test_what_was_refused_after_something_was_sent_is_not_called_unsent() -> None:
    late = Refused("10.0.0.1 is private", outcome_unknown=True)
    assert texts(from_error(late, tool("PUT"))) == ["10.0.0.1 is private\nThe call can be repeated safely."]


def test_an_error_of_the_start_is_no_answer_to_a_call() -> None:
    with pytest.raises(ConfigError):
        from_error(ConfigError("API_BASE_URL", "missing"), tool())
