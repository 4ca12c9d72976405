"""Headers and query parameters of the operator's own, and headers that clients send themselves."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import ConfigError, CredentialError
from openapi_mcp_server.observe.trace import Carrier
from openapi_mcp_server.settings.config import Config, load
from openapi_mcp_server.settings.fields import Forwarded
from openapi_mcp_server.upstream.credentials.requests import Credentials, FixedValues, Kit
from scripted import tool

HOP = (
    "Host", "content-length", "Transfer-Encoding", "Connection", "Keep-Alive", "TE", "Trailer", "Upgrade", "Expect",
    "Proxy-Authorization", "Content-Type", "Accept-Encoding",
)  # fmt: skip
ORIGIN = Origin("https", "api.example.com", 443)


def request(query: str = "", *headers: tuple[str, str], origin: Origin = ORIGIN) -> HttpRequest:
    return HttpRequest(method="GET", origin=origin, path="/pets", query=query, headers=headers)


def authorized(sent: HttpRequest, beside: dict[str, str] | None = None, own_query: str = "", **kit: Any) -> HttpRequest:
    one = Credentials({"pets": Kit(origins=frozenset({ORIGIN}), credentials={}, **kit)})
    called = msgspec.structs.replace(tool(), fixed_query=own_query)
    done = one.authorize(sent, called, Carrier(forwarded=beside or {}))
    assert isinstance(done, HttpRequest)
    return done


# Fixed values

FIXED = FixedValues(headers=(("Notion-Version", "1"), ("X-Tenant", "a")), query=(("v", "v=2"), ("a b", "a%20b=%C3%A9")))


@pytest.mark.parametrize(
    ("sent", "own", "query"),
    [
        (request(), "", "v=2&a%20b=%C3%A9"),
        (request("x=1"), "", "x=1&v=2&a%20b=%C3%A9"),
        (request("v=9&x=1&%76=8"), "", "x=1&v=2&a%20b=%C3%A9"),  # which a model has written
        (request("v=9&x=1"), "v=9", "v=9&x=1&a%20b=%C3%A9"),  # which the document has
    ],
)
def test_fixed_parameters_win_over_arguments_and_over_nothing_of_the_document(
    sent: HttpRequest, own: str, query: str
) -> None:
    assert authorized(sent, own_query=own, fixed=FIXED).query == query


def test_fixed_headers_are_added_where_the_request_has_none() -> None:
    done = authorized(request("", ("x-tenant", "m")), fixed=FIXED)
    assert done.headers == (("x-tenant", "m"), ("Notion-Version", "1"))


@pytest.mark.parametrize("origin", [Origin("https", "evil.example", 443), Origin("http", "api.example.com", 80)])
def test_neither_goes_to_another_origin(origin: Origin) -> None:
    for kit in ({"fixed": FIXED}, {"forwarded": (Forwarded(name="X-User", source="x-user"),)}):
        with pytest.raises(CredentialError, match="are not sent to"):
            authorized(request(origin=origin), {"x-user": "ann"}, **kit)


def config(**environ: str) -> Config:
    return load(["--spec-path", "a.yaml"], environ, lambda path: path)


@pytest.mark.parametrize(
    "name",
    [*HOP, "Proxy-Connection", "Accept", "Cookie", "a b", "", "a:b", "é"],
)
@pytest.mark.parametrize("setting", ["EXTRA_HEADERS", "SPEC_HEADERS"])
def test_a_header_of_http_itself_cannot_be_fixed(setting: str, name: str) -> None:
    with pytest.raises(ConfigError, match=setting) as caught:
        config(**{setting: msgspec.json.encode({name: "s3cret"}).decode()})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("value", ["s3cret\r\nX: y", "s3cret\n", "s3cret\0", "s3cret✓", " s3cret", ""])
def test_a_value_that_cannot_be_sent_is_refused_without_a_word_of_it(value: str) -> None:
    with pytest.raises(ConfigError, match="EXTRA_HEADERS") as caught:
        config(EXTRA_HEADERS=msgspec.json.encode({"X-A": value}).decode())
    assert "s3cret" not in str(caught.value)


# Forwarded headers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("X-User-Token", [("X-User-Token", "x-user-token")]),
        ("X-Api-Key=X-Client-Key", [("X-Api-Key", "x-client-key")]),
        ("api:X-User-Token, api:X-B=X-C", [("X-User-Token", "x-user-token"), ("X-B", "x-c")]),
        ("Authorization", [("Authorization", "authorization")]),
        ("Cookie", [("Cookie", "cookie")]),
        ("", []),
    ],
)
def test_headers_are_passed_on_by_name(text: str, expected: list[tuple[str, str]]) -> None:
    found = config(FORWARD_HEADERS=text).apis[0].forwarded
    assert [(each.name, each.source) for each in found] == expected


@pytest.mark.parametrize(
    "name",
    [*HOP, "Mcp-Session-Id", "mcp-protocol-version", "Mcp-Param-X", "X-Mcp-Session-Hop", "X-*", "*", "a b"],
)
@pytest.mark.parametrize("form", ["{}", "api:{}", "{}=X-Fine", "X-Fine={}"])
def test_some_headers_are_never_passed_on_under_any_name(form: str, name: str) -> None:
    with pytest.raises(ConfigError, match="FORWARD_HEADERS"):
        config(FORWARD_HEADERS=form.format(name))


TWO = '[{"name":"crm","spec_path":"b.yaml"},{"name":"erp","spec_path":"c.yaml","forward_headers":"X-Erp"}]'


def test_with_several_apis_each_header_names_its_own() -> None:
    several = config(ADDITIONAL_SPECS=TWO, FORWARD_HEADERS="crm:X-User, api:X-A").apis
    assert [[each.name for each in api.forwarded] for api in several] == [["X-A"], ["X-User"], ["X-Erp"]]
    with pytest.raises(ConfigError, match="must name its API, such as api:X-User"):
        config(ADDITIONAL_SPECS=TWO, FORWARD_HEADERS="X-User")
    with pytest.raises(ConfigError, match="'shop' is no API; there are api, crm, erp"):
        config(ADDITIONAL_SPECS=TWO, FORWARD_HEADERS="shop:X-User")


def test_over_stdio_it_is_said_at_start_that_there_are_none() -> None:
    assert any("FORWARD_HEADERS" in warning for warning in config(FORWARD_HEADERS="X-User").warnings)
    assert not any(
        "FORWARD_HEADERS" in warning for warning in config(FORWARD_HEADERS="X-User", SERVER_TRANSPORT="http").warnings
    )


USER = (Forwarded(name="X-User-Token", source="x-token"),)


def test_a_callers_header_wins_over_an_argument() -> None:
    done = authorized(request("", ("x-user-token", "model")), {"x-token": "ann"}, forwarded=USER)
    assert done.headers == (("X-User-Token", "ann"),)


def test_a_missing_header_is_named_to_whoever_runs_the_client() -> None:
    with pytest.raises(CredentialError, match="send the header x-token") as caught:
        authorized(request(), {"x-other": "1"}, forwarded=USER)
    assert caught.value.client


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\n", "a\0b", "a\x7f", "", " a", "✓"])
def test_a_value_that_could_smuggle_is_not_passed_on(value: str) -> None:
    with pytest.raises(CredentialError, match="cannot be passed on") as caught:
        authorized(request(), {"x-token": value}, forwarded=USER)
    assert caught.value.client
