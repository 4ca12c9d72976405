"""No call and no answer within the limits takes more than 64 MiB while it is read, checked, built or written."""

from __future__ import annotations

from openapi_mcp_server.bridge.media.content import ANSWER_LIMIT
from openapi_mcp_server.bridge.media.large_json import MAX_VALUES
from openapi_mcp_server.server.posts import BODY_BYTES
from peaks import Task, peak_mib

MOST_MIB = 64
EMOJI = "😀".encode()


def list_of(item: bytes, size: int = BODY_BYTES - 200) -> bytes:
    return b"[" + b",".join([item] * (size // (len(item) + 1))) + b"]"


def just_taken(item: bytes) -> bytes:
    """As many items as may be decoded."""
    signs = 1 + sum(item.count(sign) for sign in (b",", b":", b"[", b"{"))
    return b"[" + b",".join([item] * ((MAX_VALUES - 10) // signs)) + b"]"


def tasks() -> dict[str, Task]:
    """By name. Not a table of the module: making it takes two seconds, which each process of the suite would spend
    before the first test."""
    arguments = {
        "numbers": b'{"body":%b}' % list_of(b"1"),
        "objects": b'{"body":%b}' % list_of(b'{"a":1}'),
        "as many fractions as are taken": b'{"body":%b}' % just_taken(b"0.123456"),
        "as many objects as are taken": b'{"body":%b}' % just_taken(b'{"a":1}'),
        "one long text": b'{"body":"%b"}' % (b"a" * (BODY_BYTES - 200) + EMOJI),
    }
    calls = {
        **{f"{tool}: {name}": (tool, text) for tool in ("json", "lines", "xml") for name, text in arguments.items()},
        "form: a list": ("form", b'{"n":%b}' % just_taken(b"123456789012")),
        "form: text": ("form", b'{"n":"%b"}' % ("é a".encode() * (BODY_BYTES // 4 - 50))),
        "form: a long key before many": ("form", b'{"d":{"%b":%b}}' % (b"k" * 1_000_000, just_taken(b"1"))),
        "multipart: a list": ("multipart", b'{"n":%b}' % just_taken(b"1")),
        "multipart: a file": ("multipart", b'{"photo":"%b"}' % (b"AAAA" * (BODY_BYTES // 4 - 50))),
        "multipart: a file in escapes": ("multipart", b'{"photo":"data:a/b,%b"}' % (b"%41" * (BODY_BYTES // 3 - 50))),
        "multipart: a million parameters": (
            "multipart",
            b'{"photo":"data:a/b%b,"}' % (b";a=b" * (BODY_BYTES // 4 - 50)),
        ),
        "query: a list": ("deep", b'{"f":{"a":%b}}' % just_taken(b"1")),
        "query: a long key before many": ("deep", b'{"f":{"%b":%b}}' % (b"k" * 1_000_000, just_taken(b"1"))),
        "json: JSON in a text": ("json", b'{"body":"%b","more":1E400}' % (b'{\\"a\\":1},' * (BODY_BYTES // 10 - 50))),
        "query: text": ("deep", b'{"s":"%b"}' % (b"a b" * (BODY_BYTES // 3 - 50))),
    }
    json = {
        "numbers": list_of(b"1", ANSWER_LIMIT),
        "fractions": list_of(b"0.5", ANSWER_LIMIT),
        "lists": list_of(b"[]", ANSWER_LIMIT),
        "objects": list_of(b'{"a":1}', ANSWER_LIMIT),
        "members": b"{" + b",".join(b'"%d":1' % number for number in range(900_000)) + b"}",
        "nested": b'{"next":"x","items":' + list_of(b"[[[[[[[[1]]]]]]]]", ANSWER_LIMIT - 100) + b"}",
        "a long text": b'["%b%b"]' % (b"a" * (ANSWER_LIMIT - 100), EMOJI),
        "escapes": b'["%b"]' % (b"\\u0001" * (ANSWER_LIMIT // 6 - 10)),
        "halves of characters": b'["%b"]' % (b"\\ud800" * (ANSWER_LIMIT // 6 - 10)),
        "as many values as are filtered": just_taken(b"0.123456"),
        "white space": b" " * ANSWER_LIMIT,
        "JSON in a text": b'{"log":"%b"}' % (b'{\\"a\\":1},' * (ANSWER_LIMIT // 10 - 10)),
        "backslashes before half a character": b'["%b\\ud800"]' % (b"\\\\" * (ANSWER_LIMIT // 2 - 10)),
    }
    answers = {
        **{f"{name}, cut": Task("answer", answer=body) for name, body in json.items()},
        **{f"{name}, filtered": Task("answer", answer=body, select="[*]") for name, body in json.items()},
        "copies": Task("answer", answer=json["numbers"], select=f"[{','.join(['@'] * 16)}]"),
        "text": Task("answer", answer=b"a" * (ANSWER_LIMIT - 4) + EMOJI, content_type="text/plain"),
        "a picture": Task("answer", answer=bytes(range(256)) * (ANSWER_LIMIT // 256), content_type="image/png"),
    }
    return {**{name: Task(tool, arguments) for name, (tool, arguments) in calls.items()}, **answers}


def test_no_call_and_no_answer_takes_more() -> None:
    tried = tasks()
    peaks = dict(zip(tried, peak_mib(list(tried.values())), strict=True))
    assert {name: mib for name, mib in peaks.items() if mib >= MOST_MIB} == {}
