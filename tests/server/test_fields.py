"""Header fields of requests: the rules of RFC 9110, case by case."""

from __future__ import annotations

import pytest

from openapi_mcp_server.server import fields

JSON = b"application/json"
EVENTS = b"text/event-stream"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (b"application/json, text/event-stream", {JSON, EVENTS}),
        (b"text/event-stream;q=0.9 , Application/JSON;charset=utf-8", {JSON, EVENTS}),
        (b"*/*", {JSON, EVENTS}),
        (b"application/*", {JSON}),
        (b"text/*;q=0.1", {EVENTS}),
        (b"text/html", set()),
        (b"", set()),
        (b", ,", set()),
        (b"*", set()),
        (b"application/jsonp, application/json-patch+json", set()),
        (b"application/json;q=0, text/event-stream", {EVENTS}),
        (b"application/json; q=0.000, */*", {EVENTS}),
        (b"*/*, text/*;q=0", {JSON}),
        (b"text/*;q=0, text/event-stream", {EVENTS}),
        (b"application/json;q=0.001", {JSON}),
    ],
)
def test_the_range_that_says_most_decides_what_is_acceptable(accept: bytes, wanted: set[bytes]) -> None:
    ranges = fields.media_ranges(accept)
    assert {kind for kind in (JSON, EVENTS) if fields.accepts(ranges, kind)} == wanted


@pytest.mark.parametrize(
    ("content_type", "json"),
    [
        (b"application/json", True),
        (b"Application/JSON", True),
        (b"application/json; charset=UTF-8", True),
        (b'application/json ; charset="utf-8"', True),
        (b"application/json;charset=utf8", True),
        (b"application/json; charset=us-ascii", True),
        (b"application/json;", True),
        (b"application/json; odata=verbose; charset=utf-8", True),
        (b"application/json; charset=utf-16", False),
        (b"application/json; charset=latin-1; charset=utf-8", False),
        (b"application/json, text/plain", False),
        (b"application/jsonp", False),
        (b"application/vnd.api+json", False),
        (b"text/json", False),
        (b"", False),
    ],
)
def test_json_is_json_in_utf_8_whatever_its_other_parameters(content_type: bytes, json: bool) -> None:
    assert fields.is_json(content_type) == json


def test_a_field_in_several_lines_is_one_list() -> None:
    pairs = [(b"accept", b"a/b"), (b"host", b"x"), (b"accept", b"c/d"), (b"accept", b"")]
    assert fields.by_name(pairs) == {b"accept": b"a/b, c/d, ", b"host": b"x"}
