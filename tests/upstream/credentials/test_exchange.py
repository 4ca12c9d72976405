"""Each caller's token exchanged at a token endpoint on a real socket: which form, how often, and who sees what."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from logins import WEB, Answering, Caller, answering, form, given, oauth2, tokens
from loopback import client, clocked, sized
from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.errors import ConfigError, CredentialError
from openapi_mcp_server.observe.trace import NO_CARRIER, Carrier
from openapi_mcp_server.settings.config import Config, load
from openapi_mcp_server.upstream.credentials.exchange import CALLERS
from openapi_mcp_server.upstream.credentials.table import KINDS, Means

OK = sized(b"{}", b"Content-Type: application/json\r\n")
UNAUTHORIZED = sized(b"{}", status=b"401 Unauthorized")


def exchanging(request: bytes) -> bytes:
    sent = form(request)
    return given(f"for-{sent.get('subject_token') or sent['assertion']}")


class Callers(Caller):
    """Several callers of one API, each with a token of its own."""

    def __init__(self, api: Answering, endpoint: Answering, upstream: Any, **fields: Any) -> None:
        super().__init__(oauth2(endpoint.url, **{"exchange": "rfc8693", **fields}), api.origin, upstream)

    async def by(self, user: str) -> HttpResponse:
        beside = Carrier(forwarded={"authorization": f"Bearer {user}"}) if user else NO_CARRIER
        return await self.call("POST", b"{}", beside=beside)


@clocked
async def test_each_callers_token_is_exchanged_once_and_the_api_sees_only_the_new_one() -> None:
    async with answering(lambda _: OK) as api, answering(exchanging) as endpoint, client() as upstream:
        one = Callers(api, endpoint, upstream, oauth2_scopes="a b", oauth2_audience="api")
        async with trio.open_nursery() as nursery:
            for user in ("ann", "bob") * 50:
                nursery.start_soon(one.by, user)
        assert sorted(tokens(api)) == ["Bearer for-ann"] * 50 + ["Bearer for-bob"] * 50
        assert sorted(form(request)["subject_token"] for request in endpoint.asked) == ["ann", "bob"]
        assert form(endpoint.asked[0]) | {"subject_token": "x"} == {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": "x",
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "scope": "a b",
            "audience": "api",
        }


@clocked
async def test_on_behalf_of_is_the_form_of_entra() -> None:
    async with answering(lambda _: OK) as api, answering(exchanging) as endpoint, client() as upstream:
        one = Callers(api, endpoint, upstream, exchange="on_behalf_of", oauth2_client_auth="post", oauth2_scopes="s")
        await one.by("ann")
        assert form(endpoint.asked[0]) == {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": "ann",
            "requested_token_use": "on_behalf_of",
            "client_id": "me",
            "client_secret": "client-s3cret",
            "scope": "s",
        }
        assert tokens(api) == ["Bearer for-ann"]


@clocked
async def test_a_refused_token_is_replaced_for_its_own_caller_alone() -> None:
    async with answering(lambda _: OK) as api, answering(exchanging) as endpoint, client() as upstream:
        one = Callers(api, endpoint, upstream)
        await one.by("ann")
        await one.by("bob")
        count = iter(range(100))
        endpoint.handler = lambda request: given(f"again-{form(request)['subject_token']}-{next(count)}")
        api.handler = lambda request: UNAUTHORIZED if b"for-ann" in request else OK
        assert [(await one.by(user)).status for user in ("ann", "bob")] == [200, 200]
        assert tokens(api)[2:] == ["Bearer for-ann", "Bearer again-ann-0", "Bearer for-bob"]


@clocked
async def test_one_callers_refusal_holds_up_nobody_else_and_repeats_no_token() -> None:
    def endpoint_of(request: bytes) -> bytes:
        if form(request)["subject_token"] == "s3cret-ann":
            return sized(b'{"error":"invalid_grant","error_description":"s3cret-ann"}', status=b"400 Bad Request")
        return exchanging(request)

    async with answering(lambda _: OK) as api, answering(endpoint_of) as endpoint, client() as upstream:
        one = Callers(api, endpoint, upstream)
        with pytest.raises(CredentialError, match="invalid_grant") as caught:
            await one.by("s3cret-ann")
        assert "s3cret" not in str(caught.value)
        assert (await one.by("bob")).status == 200
        with pytest.raises(CredentialError, match="wants to know who calls") as without:
            await one.by("")
        assert without.value.client


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_may_be_written_in_any_case(scheme: str) -> None:
    made = KINDS["oauth2"]("pets", oauth2("https://login.example.com", exchange="rfc8693"), Means(web=WEB))
    assert callable(made)
    assert made(Carrier(forwarded={"authorization": f"{scheme} ann"}))


def test_so_many_callers_are_kept_and_who_has_not_called_for_longest_goes_first() -> None:
    auth = oauth2("https://login.example.com", exchange="rfc8693")
    made = KINDS["oauth2"]("pets", auth, Means(web=WEB))
    assert callable(made)

    def login_of(user: int) -> object:
        return made(Carrier(forwarded={"authorization": f"Bearer {user}"}))

    first, second = login_of(1), login_of(2)
    for user in range(3, CALLERS + 1):
        login_of(user)
    assert login_of(1) is first
    login_of(CALLERS + 1)
    assert login_of(1) is first
    assert login_of(2) is not second


def config(**environ: str) -> Config:
    login = {"AUTH_TYPE": "oauth2", "AUTH_OAUTH2_TOKEN_URL": "https://login.example.com", "AUTH_OAUTH2_CLIENT_ID": "c"}
    inbound = {"INBOUND_AUTH": "jwt", "INBOUND_JWT_ISSUERS": "https://i.example.com", "INBOUND_JWT_AUDIENCE": "a"}
    here = {**login, **inbound, "AUTH_OAUTH2_CLIENT_SECRET": "s", "SERVER_TRANSPORT": "http"}
    return load(["--spec-path", "a.yaml"], {**here, "TOKEN_EXCHANGE": "rfc8693", **environ}, lambda path: path)


def test_it_is_for_oauth2_and_clients_that_log_in() -> None:
    assert config().forwarded == {b"authorization"}
    assert config(TOKEN_EXCHANGE="none").forwarded == set()
    with pytest.raises(ConfigError, match="TOKEN_EXCHANGE: is of use with oauth2 only"):
        config(AUTH_TYPE="bearer", AUTH_TOKEN="t")
    for other in ({"INBOUND_AUTH": "none"}, {"SERVER_TRANSPORT": "stdio"}):
        with pytest.raises(ConfigError, match="TOKEN_EXCHANGE: needs clients that log in"):
            config(**other)
