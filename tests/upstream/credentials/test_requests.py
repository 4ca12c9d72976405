"""Static credentials: what goes out, to whom, and what cannot."""

from __future__ import annotations

import msgspec
import pytest

from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import ConfigError, CredentialError
from openapi_mcp_server.settings.auth import Auth
from openapi_mcp_server.upstream.addresses import AddressRule
from openapi_mcp_server.upstream.credentials.login import Web
from openapi_mcp_server.upstream.credentials.placing import secrets_of
from openapi_mcp_server.upstream.credentials.requests import Credentials, FixedValues, Kit, with_fixed
from openapi_mcp_server.upstream.credentials.table import KINDS, Means
from openapi_mcp_server.upstream.sockets import TcpDialler
from scripted import tool

ORIGIN = Origin("https", "api.example.com", 443)
UPLOADS = Origin("https", "uploads.example.com", 443)
ORIGINS = {"pets": frozenset({ORIGIN, UPLOADS})}
SECRET = "s3cret-value"


def request(query: str = "", *headers: tuple[str, str], origin: Origin = ORIGIN) -> HttpRequest:
    return HttpRequest(method="GET", origin=origin, path="/v1/pets", query=query, headers=headers)


MEANS = Means(web=Web(dialler=TcpDialler(), rule=AddressRule(allow_private=False, allow_insecure=False)))


def credentials(auths: dict[str, Auth]) -> Credentials:
    made = {api: {"": KINDS[auth.kind](api, auth, MEANS)} for api, auth in auths.items() if auth.kind != "none"}
    return Credentials({api: Kit(origins=ORIGINS["pets"], credentials=each) for api, each in made.items()})


def authorized(auth: Auth, sent: HttpRequest) -> HttpRequest:
    """What goes out."""
    done = credentials({"pets": auth}).authorize(sent, tool())
    assert isinstance(done, HttpRequest)
    return msgspec.structs.replace(done, secrets=())


def key(location: str, name: str = "key", value: str = SECRET) -> Auth:
    return Auth(kind="api_key", api_key=value, api_key_name=name, api_key_in=location)


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        pytest.param(
            Auth(kind="basic", username="Aladdin", password="open sesame"),
            ("Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            id="basic, the example of RFC 7617",
        ),
        pytest.param(
            Auth(kind="basic", username="test", password="123£"),
            ("Authorization", "Basic dGVzdDoxMjPCow=="),
            id="basic in UTF-8, the example of RFC 7617",
        ),
        pytest.param(Auth(kind="bearer", token="abc.def"), ("Authorization", "Bearer abc.def"), id="bearer"),
        pytest.param(Auth(kind="api_key", api_key="k 1"), ("X-API-Key", "k 1"), id="the default header"),
        pytest.param(key("header", "X-Ours"), ("X-Ours", SECRET), id="a header"),
        pytest.param(key("cookie"), ("Cookie", f"key={SECRET}"), id="a cookie"),
    ],
)
def test_a_header_is_added_last(auth: Auth, header: tuple[str, str]) -> None:
    sent = request("a=1", ("accept", "*/*"))
    assert authorized(auth, sent) == request("a=1", ("accept", "*/*"), header)


@pytest.mark.parametrize(
    ("query", "expected"), [("", "api%20key=a%26b%3D%C3%A9"), ("a=1", "a=1&api%20key=a%26b%3D%C3%A9")]
)
def test_a_key_in_the_query_is_encoded_and_last(query: str, expected: str) -> None:
    assert authorized(key("query", "api key", "a&b=é"), request(query)).query == expected


@pytest.mark.parametrize(
    ("auth", "sent", "expected"),
    [
        pytest.param(
            key("query"),
            request("key=mine&a=1&k%65y=x&key&keys=2"),
            request(f"a=1&keys=2&key={SECRET}"),
            id="in the query, however it is spelt",
        ),
        pytest.param(
            key("header", "X-Key"),
            request("", ("x-key", "mine"), ("X-KEY", "mine"), ("x-keys", "2")),
            request("", ("x-keys", "2"), ("X-Key", SECRET)),
            id="in a header, in any case",
        ),
        pytest.param(
            key("cookie"),
            request("", ("cookie", "key=mine; a=1;key=x; keys=2")),
            request("", ("Cookie", f"a=1; keys=2; key={SECRET}")),
            id="in a cookie",
        ),
        pytest.param(
            Auth(kind="bearer", token=SECRET),
            request("", ("authorization", "Bearer mine")),
            request("", ("Authorization", f"Bearer {SECRET}")),
            id="in Authorization",
        ),
    ],
)
def test_the_credential_wins_over_an_argument_of_its_name(auth: Auth, sent: HttpRequest, expected: HttpRequest) -> None:
    assert authorized(auth, sent) == expected


def test_the_request_itself_is_not_changed() -> None:
    sent = request()
    authorized(key("header"), sent)
    assert sent == request()


@pytest.mark.parametrize("auths", [{}, {"pets": Auth()}, {"shop": key("header")}])
def test_an_api_without_credentials_gets_none(auths: dict[str, Auth]) -> None:
    assert credentials(auths).authorize(request(), tool()) == request()


def test_credentials_are_sent_to_every_origin_of_their_own_api() -> None:
    sent = authorized(key("header"), request(origin=UPLOADS))
    assert (sent.origin, dict(sent.headers)) == (UPLOADS, {"key": SECRET})


@pytest.mark.parametrize(
    "origin",
    [
        Origin("http", "api.example.com", 80),
        Origin("https", "api.example.com", 8443),
        Origin("https", "evil.example", 443),
        Origin("https", "api.example.com.evil.example", 443),
    ],
)
def test_credentials_are_not_sent_to_another_origin(origin: Origin) -> None:
    with pytest.raises(CredentialError, match="are not sent to") as caught:
        authorized(key("header"), request(origin=origin))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("auth", "setting"),
    [
        pytest.param(Auth(kind="basic", username="a:b", password="c"), "AUTH_USERNAME", id="a colon in the user"),
        pytest.param(Auth(kind="bearer", token=f"{SECRET}\r\nX: y"), "AUTH_TOKEN", id="a line break"),
        pytest.param(Auth(kind="bearer", token=f"{SECRET} "), "AUTH_TOKEN", id="a space at the end"),
        pytest.param(Auth(kind="bearer", token=f"{SECRET}✓"), "AUTH_TOKEN", id="beyond Latin-1"),
        pytest.param(key("header", value=f"{SECRET}\0"), "AUTH_API_KEY", id="NUL"),
        pytest.param(key("cookie", value=f"{SECRET}; admin=1"), "AUTH_API_KEY", id="a second cookie"),
        pytest.param(key("header", "X Key"), "AUTH_API_KEY_NAME", id="no header name"),
        pytest.param(key("header", "Host"), "AUTH_API_KEY_NAME", id="a header of HTTP"),
        pytest.param(key("cookie", "a=b"), "AUTH_API_KEY_NAME", id="no cookie name"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_start_without_a_word_of_it(auth: Auth, setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        credentials({"pets": auth})
    assert caught.value.setting == setting
    assert SECRET not in str(caught.value)


# Other spellings of a credential's name


@pytest.mark.parametrize(
    ("auth", "query", "headers"),
    [
        (key("header", "X-Api-Key"), "", [("X_Api_Key", "evil"), ("x_api-KEY", "evil")]),
        (key("query", "api_key"), "API_KEY=evil&api.key=evil&api_key%5B%5D=evil&api+key=evil&api_key%00x=evil", []),
        (key("cookie", "s_id"), "", [("Cookie", "S_ID=evil; s.id=evil; s%5fid=evil; s_id[]=evil")]),
    ],
    ids=["header", "query", "cookie"],
)
def test_no_argument_stands_beside_a_credential_under_a_name_that_some_server_reads_as_its(
    auth: Auth, query: str, headers: list[tuple[str, str]]
) -> None:
    sent = authorized(auth, request(query, *headers))
    assert "evil" not in f"{sent.query} {sent.headers}"
    assert SECRET in f"{sent.query} {sent.headers}"


def test_no_argument_stands_beside_a_fixed_value_under_a_name_that_some_server_reads_as_its() -> None:
    fixed = FixedValues(headers=(("X-Tenant", "ours"),), query=(("tenant_id", "tenant_id=ours"),))
    sent = with_fixed(request("Tenant.Id=evil&tenant_id[]=evil&other=1"), fixed, "")
    assert sent.query == "other=1&tenant_id=ours"
    documented = with_fixed(request("tenant.id=theirs", ("x_tenant", "theirs")), fixed, "tenant.id=theirs")
    assert (documented.query, documented.headers) == ("tenant.id=theirs", (("x_tenant", "theirs"),))


def test_a_client_cannot_make_the_server_look_for_any_number_of_secrets() -> None:
    many = "; ".join(f"n{number}=value-{number:04}" for number in range(1_000))
    assert max(len(secrets_of(name, many)) for name in ("Cookie", "X-Token")) <= 81
    assert many in secrets_of("X-Token", many)
