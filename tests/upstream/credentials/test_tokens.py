"""Tokens against a token endpoint on a real socket: when one is asked for, what comes of endpoints that fail."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from logins import CLIENT_SECRET, WEB, Answering, Caller, answering, form, given, header, numbered, oauth2, tokens
from loopback import client, clocked, sized
from openapi_mcp_server.errors import ConfigError, CredentialError
from openapi_mcp_server.upstream.credentials.oauth2 import lifetime
from openapi_mcp_server.upstream.credentials.table import KINDS, Means
from openapi_mcp_server.upstream.credentials.tokens import PAUSE_SECONDS

OK = sized(b"{}", b"Content-Type: application/json\r\n")
UNAUTHORIZED = sized(b"{}", status=b"401 Unauthorized")


def with_servers(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """With an API that says yes and an endpoint that gives t1, t2, …, under a clock that jumps."""

    async def run(*args: Any, **named: Any) -> None:
        with trio.fail_after(100_000):
            async with answering(lambda _: OK) as api, answering(numbered()) as endpoint, client() as upstream:
                await test(api, endpoint, upstream, *args, **named)

    return clocked(run)


# When a token is asked for


@pytest.mark.parametrize(
    ("said", "ttl", "lasts"),
    [
        pytest.param(100, 3600, 90, id="a tenth before its end"),
        pytest.param(3600, 3600, 3570, id="30 s before its end where that is less"),
        pytest.param("100", 3600, 90, id="its end as text"),
        pytest.param(86_400, 100, 90, id="AUTH_TOKEN_TTL caps it"),
        pytest.param(None, 200, 180, id="AUTH_TOKEN_TTL where it does not say"),
        pytest.param(-5, 200, 180, id="an end that is none"),
    ],
)
def test_a_token_is_replaced_shortly_before_its_end(said: object, ttl: int, lasts: float) -> None:
    @with_servers
    async def run(api: Answering, endpoint: Answering, upstream: Any) -> None:
        endpoint.handler = numbered(said)
        one = Caller(oauth2(endpoint.url, token_ttl=ttl), api.origin, upstream)
        await one.call()
        await trio.sleep(lasts - 2)
        await one.call()
        await trio.sleep(4)
        await one.call()
        assert tokens(api) == ["Bearer t1", "Bearer t1", "Bearer t2"]
        assert len(endpoint.asked) == 2

    run()


@with_servers
async def test_a_hundred_calls_that_wait_for_one_token_ask_once(
    api: Answering, endpoint: Answering, upstream: Any
) -> None:
    one = Caller(oauth2(endpoint.url), api.origin, upstream)
    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(one.call)
    assert len(endpoint.asked) == 1
    assert tokens(api) == ["Bearer t1"] * 100


@with_servers
async def test_the_call_that_asks_may_be_cancelled_and_another_one_asks(
    api: Answering, endpoint: Answering, upstream: Any
) -> None:
    give = endpoint.handler
    endpoint.handler = lambda _: None
    one = Caller(oauth2(endpoint.url), api.origin, upstream)
    with trio.move_on_after(1):
        await one.call()
    endpoint.handler = give
    assert (await one.call()).status == 200
    assert tokens(api) == ["Bearer t1"]


# After an API's 401


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", b'{"a":1}'), ("PATCH", b"x"), ("DELETE", None)])
def test_a_revoked_token_is_replaced_once_and_the_call_sent_once_more(method: str, body: bytes | None) -> None:
    @with_servers
    async def run(api: Answering, endpoint: Answering, upstream: Any) -> None:
        api.handler = lambda request: UNAUTHORIZED if b"Bearer t1\r" in request else OK
        one = Caller(oauth2(endpoint.url), api.origin, upstream)
        assert (await one.call(method, body)).status == 200
        assert tokens(api) == ["Bearer t1", "Bearer t2"]
        assert {request.partition(b"\r\n\r\n")[2] for request in api.asked} == {body or b""}
        assert len(endpoint.asked) == 2

    run()


@with_servers
async def test_a_hundred_calls_with_a_revoked_token_ask_for_one_new_one(
    api: Answering, endpoint: Answering, upstream: Any
) -> None:
    one = Caller(oauth2(endpoint.url), api.origin, upstream)
    await one.call()
    api.handler = lambda request: UNAUTHORIZED if b"Bearer t1\r" in request else OK
    statuses = []

    async def call() -> None:
        statuses.append((await one.call("POST", b"{}")).status)

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(call)
    assert statuses == [200] * 100
    assert len(endpoint.asked) == 2


@with_servers
async def test_an_api_that_refuses_every_token_costs_two_requests_and_then_one_a_call(
    api: Answering, endpoint: Answering, upstream: Any
) -> None:
    api.handler = lambda _: UNAUTHORIZED
    one = Caller(oauth2(endpoint.url), api.origin, upstream)
    assert [(await one.call()).status for _ in range(3)] == [401, 401, 401]
    assert tokens(api) == ["Bearer t1", "Bearer t2", "Bearer t2", "Bearer t2"]


@with_servers
async def test_a_403_is_no_reason_for_another_token(api: Answering, endpoint: Answering, upstream: Any) -> None:
    api.handler = lambda _: sized(b"", status=b"403 Forbidden")
    one = Caller(oauth2(endpoint.url), api.origin, upstream)
    assert (await one.call()).status == 403
    assert (len(api.asked), len(endpoint.asked)) == (1, 1)


# Endpoints that fail

HTML = b"<html>" + CLIENT_SECRET.encode() + b"</html>"
BAD: dict[str, Callable[[bytes], bytes | None]] = {
    "silence": lambda _: None,
    "500": lambda _: sized(b"{}", status=b"500 Oh"),
    "a page": lambda _: sized(HTML),
    "bytes": lambda _: sized(b"\xff\xfe\x00"),
    "deep JSON": lambda _: sized(b"[" * 100_000),
    "a list": lambda _: sized(b"[]"),
    "no token": lambda _: sized(b'{"expires_in":1}'),
    "a token that is no text": lambda _: sized(b'{"access_token":5}'),
    "a token with a line break": lambda _: given("a\r\nX-Evil: 1"),
    "a token with a space": lambda _: given("a b"),
    "another kind of token": lambda _: given("a", token_type="mac"),
    "no HTTP": lambda _: b"SSH-2.0-x\r\n\r\n",
    "too long": lambda _: sized(b'{"x":"' + b"a" * (1024 * 1024 + 1) + b'"}'),
    "words of ours": lambda r: sized(
        b'{"error":"invalid_client","error_description":"' + form(r).get("client_secret", "").encode() + b'"}',
        status=b"401 x",
    ),
    "elsewhere": lambda _: sized(b"", b"Location: http://127.0.0.1:9/evil\r\n", status=b"307 There"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_endpoint_that_fails_costs_its_calls_an_error_and_is_left_alone_for_a_while(name: str) -> None:
    @with_servers
    async def run(api: Answering, endpoint: Answering, upstream: Any) -> None:
        good, endpoint.handler = endpoint.handler, BAD[name]
        one = Caller(oauth2(endpoint.url, oauth2_client_auth="post"), api.origin, upstream)
        problems = []

        async def call() -> None:
            with pytest.raises(CredentialError) as caught:
                await one.call()
            problems.append(str(caught.value))

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(call)
        assert (len(endpoint.asked), len(api.asked)) == (1, 0)
        assert not [problem for problem in problems if CLIENT_SECRET in problem]
        await call()  # at once: nobody asks
        assert len(endpoint.asked) == 1
        endpoint.handler = good
        await trio.sleep(PAUSE_SECONDS + 0.1)
        assert (await one.call()).status == 200

    run()


@with_servers
async def test_an_endpoint_that_repeats_name_and_secret_in_base64_is_told_without_them(
    api: Answering, endpoint: Answering, upstream: Any
) -> None:
    def refused(request: bytes) -> bytes:
        pair = request.partition(b"Authorization: Basic ")[2].partition(b"\r\n")[0]
        return sized(b'{"error":"no %b, no %b"}' % (pair, pair.rstrip(b"=")), status=b"401 x")

    endpoint.handler = refused
    with pytest.raises(CredentialError, match=r"answered 401 \(no …, no …\)"):
        await Caller(oauth2(endpoint.url), api.origin, upstream).call()


@with_servers
async def test_a_refusal_with_status_200_is_told_with_its_reason(
    api: Answering, endpoint: Answering, upstream: Any
) -> None:
    escaped = CLIENT_SECRET.replace("t", "\\u0074")
    said = b'{"error":"incorrect_client_credentials","error_description":"%b is wrong"}' % escaped.encode()
    endpoint.handler = lambda _: sized(said)
    with pytest.raises(CredentialError, match=r"answered 200 \(incorrect_client_credentials: … is wrong\)") as caught:
        await Caller(oauth2(endpoint.url), api.origin, upstream).call()
    assert not caught.value.transient


@pytest.mark.parametrize("said", [b'"token_type":null', b'"token_type":""', b'"token_type":"Bearer "', b'"scope":null'])
def test_a_token_without_a_type_of_its_own_is_a_bearer_token(said: bytes) -> None:
    @with_servers
    async def run(api: Answering, endpoint: Answering, upstream: Any) -> None:
        endpoint.handler = lambda _: sized(b'\xef\xbb\xbf{"access_token":"t1",%b}' % said)
        assert (await Caller(oauth2(endpoint.url), api.origin, upstream).call()).status == 200

    run()


@pytest.mark.parametrize("status", [b"429 Too Many Requests", b"503 Busy"])
def test_an_endpoint_says_when_it_may_be_asked_again(status: bytes) -> None:
    @with_servers
    async def run(api: Answering, endpoint: Answering, upstream: Any) -> None:
        good, endpoint.handler = endpoint.handler, lambda _: sized(b"{}", b"Retry-After: 20\r\n", status=status)
        one = Caller(oauth2(endpoint.url), api.origin, upstream)
        with pytest.raises(CredentialError):
            await one.call()
        endpoint.handler = good
        await trio.sleep(15)
        with pytest.raises(CredentialError, match=r"asked for again in \d+ s"):
            await one.call()
        assert len(endpoint.asked) == 1
        await trio.sleep(5.5)
        assert (await one.call()).status == 200

    run()


@with_servers
async def test_each_failure_doubles_the_pause_up_to_half_a_minute(
    api: Answering, endpoint: Answering, upstream: Any
) -> None:
    endpoint.handler = lambda _: sized(b"", status=b"500 Oh")
    one = Caller(oauth2(endpoint.url), api.origin, upstream)
    began = trio.current_time()
    while trio.current_time() - began < 600:
        with pytest.raises(CredentialError):
            await one.call()
        await trio.sleep(5)
    assert len(endpoint.asked) in range(18, 26)


@with_servers
async def test_a_token_that_still_lasts_is_used_while_its_endpoint_is_down(
    api: Answering, endpoint: Answering, upstream: Any
) -> None:
    one = Caller(oauth2(endpoint.url), api.origin, upstream)
    await one.call()
    endpoint.handler = lambda _: sized(b"", status=b"500 Oh")
    await trio.sleep(3580)
    assert (await one.call()).status == 200
    await trio.sleep(30)
    with pytest.raises(CredentialError):
        await one.call()


@with_servers
async def test_a_slow_endpoint_is_waited_for_within_the_time_of_the_call(
    api: Answering, endpoint: Answering, upstream: Any
) -> None:
    endpoint.handler = lambda _: None
    one = Caller(oauth2(endpoint.url), api.origin, upstream)
    began = trio.current_time()
    with pytest.raises(CredentialError):
        await one.call(seconds=3)
    assert trio.current_time() - began == pytest.approx(3, abs=0.5)


# How a client proves itself, and what it asks for


def sent_by(**fields: Any) -> bytes:
    """The token request of a client."""
    found: list[bytes] = []

    @with_servers
    async def run(api: Answering, endpoint: Answering, upstream: Any) -> None:
        await Caller(oauth2(endpoint.url, **fields), api.origin, upstream).call()
        found.extend(endpoint.asked)

    run()
    [request] = found
    return request


def test_basic_has_id_and_secret_in_the_encoding_of_forms() -> None:
    request = sent_by(oauth2_client_id="a:b c", oauth2_client_secret="p&ss word:ü")
    pair = base64.b64decode((header(request, "authorization") or "").removeprefix("Basic ")).decode()
    assert pair == "a%3Ab+c:p%26ss+word%3A%C3%BC"  # RFC 6749 section 2.3.1
    assert form(request) == {"grant_type": "client_credentials"}
    assert header(request, "content-type") == "application/x-www-form-urlencoded"


def test_post_has_them_in_the_form() -> None:
    request = sent_by(oauth2_client_auth="post")
    assert header(request, "authorization") is None
    assert form(request) == {"grant_type": "client_credentials", "client_id": "me", "client_secret": CLIENT_SECRET}


def test_scopes_audience_resource_and_further_fields_are_asked_for() -> None:
    request = sent_by(
        oauth2_scopes="a b",
        oauth2_audience="https://api.example.com",
        oauth2_resource="https://r.example.com",
        oauth2_parameters=(("tenant", "x"),),
    )
    assert form(request) == {
        "grant_type": "client_credentials",
        "scope": "a b",
        "audience": "https://api.example.com",
        "resource": "https://r.example.com",
        "tenant": "x",
    }


def test_a_field_that_is_given_takes_the_place_of_the_clients_own() -> None:
    fields = (("grant_type", "refresh_token"), ("refresh_token", "r3fresh"))
    assert form(sent_by(oauth2_parameters=fields)) == dict(fields)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("kind", ["RS256", "ES256", "Ed25519"])
def test_private_key_jwt_is_an_assertion_for_this_endpoint_alone(kind: str) -> None:
    from joserfc import jwt

    from authorization_server import key

    signer = key(kind)
    pem = signer.as_pem(private=True).decode()
    request = sent_by(oauth2_client_auth="private_key_jwt", oauth2_private_key=pem, oauth2_key_id="k1")
    sent = form(request)
    assert sent["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    algorithm = "EdDSA" if kind == "Ed25519" else kind
    token = jwt.decode(sent["client_assertion"], signer, algorithms=[algorithm])
    assert token.header["kid"] == "k1"
    assert (token.claims["iss"], token.claims["sub"]) == ("me", "me")
    assert token.claims["aud"] == f"http://{header(request, 'host')}/token"
    assert token.claims["exp"] - token.claims["iat"] == 600
    assert "client_secret" not in sent


def test_a_private_key_that_is_none_is_refused_at_start_without_a_word_of_it() -> None:
    auth = oauth2("https://login.example.com", oauth2_client_auth="private_key_jwt", oauth2_private_key="--- s3cret")
    with pytest.raises(ConfigError, match="no private key") as caught:
        KINDS["oauth2"]("pets", auth, Means(web=WEB))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (60, 60.0),
        ("60", 60.0),
        (1.5, 1.5),
        *((wrong, None) for wrong in (0, -1, 10**400, "1e999", "nan", True, None, "soon", [60])),
    ],
)
def test_a_life_that_is_no_number_of_seconds_says_nothing(said: object, seconds: float | None) -> None:
    assert lifetime(said) == seconds
