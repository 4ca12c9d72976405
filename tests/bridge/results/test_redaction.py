"""REDACT: what is hidden is in no byte of what is left, and everything else is as it was."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.bridge.media.by_parts import PART_BYTES
from openapi_mcp_server.bridge.results import redaction

SECRET = "s3cret-value"


def answered(body, content_type="application/json", **headers):
    named = (("content-type", content_type), *headers.items())
    return HttpResponse(status=200, reason="OK", headers=named, body=body)


def hidden(rules, body):
    found = redaction.of(rules)
    assert found is not None
    return found.text(body)


@pytest.mark.parametrize(
    ("rule", "body", "left"),
    [
        ("password", '{"user":{"password":"s3cret-value","n":1.10}}', '{"user":{"password":"[redacted]","n":1.10}}'),
        ("password", '{"PassWord":"s3cret-value"}', '{"PassWord":"[redacted]"}'),
        ("ssn", '[{"ssn":123},{"ssn":{"a":"s3cret-value"}},{"ssn":null}]', '[{"ssn":null},{"ssn":null},{"ssn":null}]'),
        ("$.user.email",
         '{"user":{"email":"s3cret-value"},"email":"kept"}', '{"user":{"email":"[redacted]"},"email":"kept"}'),
        ("$..token",
         '{"a":[{"token":"s3cret-value"}],"token":"s3cret-value"}',
         '{"a":[{"token":"[redacted]"}],"token":"[redacted]"}'),
        ("$.items[*].card", '{"items":[{"card":"s3cret-value","id":1}]}', '{"items":[{"card":"[redacted]","id":1}]}'),
        ("$.items[1]", '{"items":["a","s3cret-value","c"]}', '{"items":["a","[redacted]","c"]}'),
        ("$['a b'].c", '{"a b":{"c":"s3cret-value"}}', '{"a b":{"c":"[redacted]"}}'),
        ("password", '{"passw\\u006frd":"s3cret-value"}', '{"password":"[redacted]"}'),
        ("key", '{"key":"s3cret-value"}\n{"b":1.0}\n', '{"key":"[redacted]"}\n{"b":1.0}'),
        ("key", '{"b":1}\r\n{"key":"s3cret-value"}\r\n{"key":"s3cret-va', '{"b":1}\n{"key":"[redacted]"}\n[redacted]'),
        ("key", '\x1e{"key":"s3cret-value"}\n', '{"key":"[redacted]"}'),
        ("key", '\ufeff{"key":"s3cret-value"}', '{"key":"[redacted]"}'),
        ("key", '{"log":"{\\"key\\":\\"s3cret-value\\"}"}', '{"log":"{\\"key\\":\\"[redacted]\\"}"}'),
        ("key", '{"log":"\\"{\\\\\\"key\\\\\\":[\\\\\\"s3cret-value\\\\\\"]}\\""}',
         '{"log":"\\"{\\\\\\"key\\\\\\":null}\\""}'),
    ],
)  # fmt: skip
def test_a_value_is_hidden_and_nothing_else(rule, body, left):
    text, count = hidden([rule], body.encode())
    assert (text.decode(), SECRET.encode() in text) == (left, False)
    assert count >= 1


@pytest.mark.parametrize(
    ("rule", "body"),
    [
        ("key", '{"key": "s3cret-value", broken'),
        ("key", '{"key": [\n"s3cret-value"\n],}'),
        ("key", '{"key":\n"s3cret-value", "n": NaN}'),
        ("key", "<a>\n<key>\ns3cret-value\n</key>\n<b>1</b>"),
        ("key", "id,key\n1,s3cret-value\n"),
        ("key", '"key"\n"s3cret-value"\n'),
        ("key", "key: |\n\n  s3cret-value\n"),
        ("key", "b=1&key=s3cret-value"),
        ("Straße", "id,STRASSE\n1,s3cret-value\n"),
        ("$[0]", '["s3cret-value",'),
    ],
)
def test_what_cannot_be_looked_into_is_withheld_whole(rule, body):
    """A name may be in one line and its value in another: of tables the name is in the first only."""
    assert hidden([rule], body.encode()) == (b"[redacted]", 1)


@pytest.mark.parametrize("inner", ['{"key":"s3cret-value"', "[" * 5000 + '{"key":"s3cret-value"}' + "]" * 5000])
def test_json_within_a_text_that_cannot_be_read_is_withheld(inner):
    assert hidden(["key"], msgspec.json.encode({"log": inner})) == (b'{"log":"[redacted]"}', 1)


@pytest.mark.parametrize(
    ("rule", "body", "left"),
    [
        ("key", '{"key":"s3cret-value","key":null}', '{"key":null}'),
        ("$.user.email", '{"user":{"email":"s3cret-value"},"user":1}', '{"user":1}'),
    ],
)
def test_of_two_members_of_one_name_the_first_hides_nothing(rule, body, left):
    assert redaction.of([rule]).applied(answered(body.encode()))[0].body.decode() == left


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ('data: {"key":"s3cret-value"}\n\ndata: {"b": 1}\n\n', 'data: {"key":"[redacted]"}\n\ndata: {"b": 1}\n\n'),
        ('id: 1\r\ndata: {"key":\r\ndata: "s3cret-value"}\r\n\r\n', 'id: 1\ndata: {"key":"[redacted]"}\n\n'),
        ('data: {"key":\n\ndata: hello\n\n', "data: [redacted]\n\ndata: hello\n\n"),
        ('data: the key is\ndata: s3cret-value\n\n', "data: [redacted]\n\n"),
        ("event: key s3cret-value\ndata: 1\n\n", "data: 1\n\n"),
        ("event: key\ndata: s3cret-value\n\ndata: 1\n\n", "data: [redacted]\n\ndata: 1\n\n"),
        ("data: s3cret-value\nevent:KEY\nid: 1\n\n", "id: 1\ndata: [redacted]\n\n"),
    ],
)  # fmt: skip
def test_events_are_looked_into_one_by_one(body, left):
    text = redaction.of(["key"]).applied(answered(body.encode(), "text/event-stream; charset=utf-8"))[0].body.decode()
    assert (text, SECRET in text) == (left, False)


@given(st.lists(st.sampled_from(["", "data: x", "id: 1", ":", 'data: {"key":"s3cret-value"}', "event: key", "data:"])))
def test_many_events_are_looked_into_as_each_one_is(blocks):
    body = "\n\n".join(blocks)
    found = redaction.of(["key"])
    alone = [found.applied(answered(block.encode(), "text/event-stream"))[0].body for block in blocks]
    left = found.applied(answered(body.encode(), "text/event-stream"))[0].body
    assert [line for line in left.split(b"\n") if line] == [
        line for each in alone for line in each.split(b"\n") if line
    ]


@pytest.mark.parametrize("at", range(PART_BYTES - 12 * 13, PART_BYTES + 13, 13))
@pytest.mark.parametrize(
    "name", ["password", "&#112;&#97;&#115;&#115;&#119;&#111;&#114;&#100;", "p\0a\0s\0s\0w\0o\0r\0d"]
)
def test_a_name_in_two_parts_of_a_large_text_is_found(name, at):
    text, _ = hidden(["password"], b"x" * at + name.encode() + b"=s3cret-value" + b"x" * PART_BYTES)
    assert SECRET.encode() not in text


def test_names_of_every_alphabet_are_hidden():
    assert hidden(["Straße"], b'{"STRASSE":"s3cret-value"}')[0] == b'{"STRASSE":"[redacted]"}'


def test_a_path_without_a_name_is_looked_for_in_every_answer():
    assert hidden(["$[0]"], b'["s3cret-value"]')[0] == b'["[redacted]"]'


def test_what_is_too_large_to_be_looked_into_is_withheld():
    text, _ = hidden(["key"], b'{"key":"s3cret-value","n":[' + b"1," * 300_000 + b"1]}")
    assert SECRET.encode() not in text
    assert isinstance(msgspec.json.decode(text), str)


def test_two_bytes_a_character_hide_nothing():
    text, _ = hidden(["key"], '{"key":"s3cret-value"}'.encode("utf-16-le"))
    assert SECRET.encode("utf-16-le") not in text


def test_what_names_nothing_hidden_stays_the_same_object():
    answer = answered(b'{"id":1.10}')
    assert redaction.of(["password"]).applied(answer) == (answer, 0)


def test_a_header_of_that_name_goes_too():
    left, count = redaction.of(["x-token"]).applied(answered(b"{}", **{"x-token": SECRET}))
    assert (left.header("x-token"), count) == (None, 1)


names = st.sampled_from(["password", "PASSWORD", "id", "name", "items"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=10,
)


def _marked(value, within=False):
    """Every text below a hidden key holds the secret."""
    match value:
        case dict():
            return {name: _marked(each, within or name.casefold() == "password") for name, each in value.items()}
        case list():
            return [_marked(each, within) for each in value]
        case str():
            return f"{value}{SECRET}" if within else value
    return value


@given(values)
def test_nothing_below_a_hidden_key_is_left(value):
    text, _ = hidden(["password"], msgspec.json.encode(_marked(value)))
    assert SECRET.encode() not in text


@pytest.mark.parametrize("rule", ["", "$", "$.", "a.b", "$[?(@.a)]", "a b[", "$..", "[0]"])
def test_what_is_no_rule_is_refused(rule):
    with pytest.raises(ValueError, match=r"neither|JSON path"):
        redaction.of([rule])


@pytest.mark.parametrize(
    "body",
    [
        "p%61ss=s3cret-value", "%50%61%73%73=s3cret-value", "p%41ss=s3cret-value",
        "<p&#97;ss>s3cret-value</p&#97;ss>", "<p&#x61;ss>s3cret-value", "<p&#0097;ss>s3cret-value",
        "p&#X41;ss s3cret-value",
        '"p\\x61ss": s3cret-value', "p\\u0061ss: s3cret-value",
    ],
)  # fmt: skip
def test_a_name_that_is_written_in_escapes_is_a_name(body):
    assert hidden(["pass"], body.encode()) == (b"[redacted]", 1)


@pytest.mark.parametrize("body", ["p%62ss=kept", "p&#98;ss kept", "100 % &# \\", "pa%73"])
def test_other_escapes_say_nothing_hidden(body):
    assert hidden(["pass"], body.encode()) == (body.encode(), 0)


@pytest.mark.parametrize(
    ("value", "is_left"),
    [
        ("</a?pass=s3cret-value>; rel=next", False), ("/a?x=1&PASS=s3cret-value", False), ("pass=s3cret-value", False),
        ("/a?p%61ss=s3cret-value", False), ("https://a.example.com/?x=1;pass=s3cret-value", False),
        ("</a?token=s3cret-value>; rel=next", False),
        ("</a?page_token=1>; rel=next", True), ("/a?x=pass", True), ("/pass/1", True), ("pass", True),
    ],
)  # fmt: skip
def test_a_header_with_a_parameter_of_that_name_goes(value, is_left):
    rules = redaction.of(["pass", "$..token"])
    assert rules is not None
    left, count = rules.applied(answered(b"{}", link=value))
    assert (left.header("link"), count) == ((value, 0) if is_left else (None, 1))
