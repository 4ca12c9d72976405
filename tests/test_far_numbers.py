"""Numbers near the ends of a double's range are read about as fast as others, whoever sends them."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

import msgspec
import pytest

from answers import answer, tool
from openapi_mcp_server.bridge.arguments.check import check
from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.bridge.model import CheckedSchema, InputContract, OutputContract
from openapi_mcp_server.bridge.results.result import OutputValidators, render
from openapi_mcp_server.openapi.text.numbers import decode_doubles
from openapi_mcp_server.server.principals import claims
from openapi_mcp_server.upstream.credentials.aws import cognito, stores
from openapi_mcp_server.upstream.credentials.login import json_object

COUNT = 25_000
MOST = 12.0
"""How many times longer the far numbers may take: they took 300 times as long in msgspec."""
TYPED = tool(output=OutputContract(schema=msgspec.Raw(b'{"type":"object"}'), wrapped=False))
TAKING = msgspec.structs.replace(
    tool(), input=InputContract(checked=CheckedSchema(b'{"type":"object","properties":{"body":{}}}'), names=("body",))
)


def listed(number: str) -> bytes:
    return b"[%b]" % ",".join([number] * COUNT).encode()


def of_token(numbers: bytes) -> str:
    payload = base64.urlsafe_b64encode(b'{"cognito:username":"me","a":%b}' % numbers).decode().rstrip("=")
    return cognito._username(f"x.{payload}.x")


READERS: dict[str, Callable[[bytes], object]] = {
    "numbers": decode_doubles,
    "a checked answer": lambda it: render(TYPED, answer(b'{"a":%b}' % it, "application/json"), OutputValidators()),
    "a failure": lambda it: render(tool(), answer(b'{"title":%b}' % it, "application/json", status=400)),
    "arguments": lambda it: check(TAKING, msgspec.Raw(b'{"body":%b}' % it)),
    "a token's claims": lambda it: claims.read(b'{"iss":"a","exp":1,"realm_access":%b}' % it),
    "a token endpoint": lambda it: json_object(HttpResponse(status=200, reason="", headers=(), body=b'{"a":%b}' % it)),
    "an ID token": of_token,
    "a secret": lambda it: stores._member(f'{{"a":"b","c":{it.decode()}}}', "a"),
}


def seconds(read: Callable[[bytes], object], numbers: bytes) -> float:
    spent = []
    for _ in range(3):
        began = time.thread_time()
        read(numbers)
        spent.append(time.thread_time() - began)
    return min(spent)


@pytest.mark.parametrize("far", ["1.5e300", "-1.7e308", "5e-324"])
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_far_numbers_are_read_about_as_fast_as_others(read: Callable[[bytes], object], far: str) -> None:
    assert seconds(read, listed(far)) < MOST * seconds(read, listed("1.5e30")) + 0.005


@pytest.mark.parametrize("text", [b"[1e400]", b"[-1e999]"])
def test_what_no_double_holds_is_none(text: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_doubles(text)


def test_a_number_in_a_secret_keeps_its_spelling() -> None:
    assert stores._member('{"pin":1.10}', "pin") == "1.10"
