"""Amazon Cognito: every flow against moto's user pools, and against servers of our own for what moto does not check."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import trio

from aws import REGION, Aws, Pool, running_aws
from logins import WEB, Answering, Caller, answering, form, given, header
from loopback import client, clocked, sized
from openapi_mcp_server.errors import ConfigError, CredentialError
from openapi_mcp_server.settings.auth import Auth
from openapi_mcp_server.upstream.addresses import AddressRule, CheckedDialler
from openapi_mcp_server.upstream.credentials.login import Web
from openapi_mcp_server.upstream.credentials.table import KINDS, Means

OK = sized(b"{}", b"Content-Type: application/json\r\n")
PASSWORD = "Passw0rd!"
RULE = AddressRule(allow_private=False, allow_insecure=False)
pytestmark = [
    pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:jwt:UserWarning"),
]


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with running_aws() as running:
        yield running


@pytest.fixture(scope="module")
def pool(aws: Aws) -> Pool:
    made = Pool(aws)
    made.add("ann", PASSWORD)
    made.add("new", PASSWORD, permanent=False)
    return made


def cognito(**fields: Any) -> Auth:
    usual = {"region": REGION, "username": "ann", "password": PASSWORD}
    return Auth(kind="cognito", **{f"cognito_{name}": value for name, value in {**usual, **fields}.items()})


def claims(request: bytes) -> dict[str, Any]:
    token = (header(request, "authorization") or "").removeprefix("Bearer ")
    payload = token.split(".")[1]
    return msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=dict[str, Any])


@pytest.mark.parametrize(
    ("fields", "use"),
    [
        ({}, "id"),
        ({"token": "access"}, "access"),
        ({"flow": "user_password"}, "id"),
        ({"flow": "admin_user_password"}, "id"),
        ({"flow": "admin_user_password", "token": "access"}, "access"),
    ],
)
def test_a_user_of_a_pool_logs_in_and_calls_carry_the_token(aws: Aws, pool: Pool, fields: Any, use: str) -> None:
    async def run() -> None:
        async with answering(lambda _: OK) as api, client() as upstream:
            auth = cognito(client_id=pool.client_id, user_pool_id=pool.id, **fields)
            one = Caller(auth, api.origin, upstream, aws.environ)
            with trio.fail_after(20):
                assert [(await one.call("POST", b"{}")).status for _ in range(2)] == [200, 200]
            assert {claims(request)["token_use"] for request in api.asked} == {use}
            assert len({header(request, "authorization") for request in api.asked}) == 1

    trio.run(run)


def test_a_client_with_a_secret_logs_in_too(aws: Aws) -> None:
    guarded = Pool(aws, with_secret=True)
    guarded.add("ann", PASSWORD)

    async def run() -> None:
        async with answering(lambda _: OK) as api, client() as upstream:
            auth = cognito(client_id=guarded.client_id, client_secret=guarded.secret)
            with trio.fail_after(20):
                assert (await Caller(auth, api.origin, upstream, aws.environ).call()).status == 200

    trio.run(run)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"username": "new"}, "new must choose a new password first"),
        ({"password": "Wrong-s3cret1"}, "NotAuthorizedException"),
        ({"username": "nobody"}, "Exception"),
    ],
)
def test_a_login_that_fails_says_why(aws: Aws, pool: Pool, fields: Any, problem: str) -> None:
    async def run() -> None:
        async with answering(lambda _: OK) as api, client() as upstream:
            one = Caller(cognito(client_id=pool.client_id, **fields), api.origin, upstream, aws.environ)
            with trio.fail_after(20), pytest.raises(CredentialError, match=problem) as caught:
                await one.call()
            assert "s3cret" not in str(caught.value)
            assert PASSWORD not in str(caught.value)
            assert api.asked == []

    trio.run(run)


# Beside moto, which checks neither the hash nor which flows are allowed


class UserPool:
    """Gives tokens that last so many seconds; ``off`` are flows that the app client does not allow."""

    def __init__(self, *, off: tuple[str, ...] = (), seconds: int = 3600) -> None:
        self.flows: list[str] = []
        self.sent: list[dict[str, Any]] = []
        self.signed: list[str | None] = []
        self.off = off
        self.seconds = seconds
        self.refresh_is_good = True

    def __call__(self, request: bytes) -> bytes:
        fields = msgspec.json.decode(request.partition(b"\r\n\r\n")[2])
        self.flows.append(fields["AuthFlow"])
        self.sent.append(fields)
        self.signed.append(header(request, "authorization"))
        if fields["AuthFlow"] in self.off:
            return self._refused("InvalidParameterException", "USER_PASSWORD_AUTH flow not enabled for this client")
        if fields["AuthFlow"] == "REFRESH_TOKEN_AUTH" and not self.refresh_is_good:
            return self._refused("NotAuthorizedException", "Refresh Token has expired")
        payload = base64.urlsafe_b64encode(b'{"cognito:username":"sub-1"}').decode().rstrip("=")
        token = f"h.{payload}.{len(self.flows)}"
        found = {"IdToken": token, "AccessToken": f"a{len(self.flows)}", "ExpiresIn": self.seconds}
        if fields["AuthFlow"] != "REFRESH_TOKEN_AUTH":
            found["RefreshToken"] = "refresh-s3cret"
        return sized(msgspec.json.encode({"AuthenticationResult": found}))

    @staticmethod
    def _refused(code: str, text: str) -> bytes:
        return sized(msgspec.json.encode({"__type": code, "message": text}), status=b"400 Bad Request")


def of(server: Answering, **more: str) -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": "AKIDTESTS", "AWS_SECRET_ACCESS_KEY": "k", "AWS_REGION": REGION}
    return {"AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": server.url, **keys, **more}


def secret_hash(name: str) -> str:
    return base64.b64encode(hmac.digest(b"the-secret", f"{name}app".encode(), hashlib.sha256)).decode()


@clocked
async def test_an_end_is_met_by_a_refresh_and_the_end_of_that_by_the_password() -> None:
    users = UserPool()
    async with answering(lambda _: OK) as api, answering(users) as pool, client() as upstream:
        auth = cognito(client_id="app", client_secret="the-secret")
        one = Caller(auth, api.origin, upstream, of(pool))
        await one.call()
        await trio.sleep(3600)
        await one.call()
        users.refresh_is_good = False
        await trio.sleep(3600)
        await one.call()
    assert users.flows == ["USER_PASSWORD_AUTH", "REFRESH_TOKEN_AUTH", "REFRESH_TOKEN_AUTH", "USER_PASSWORD_AUTH"]
    hashes = [each["AuthParameters"]["SECRET_HASH"] for each in users.sent]
    assert hashes == [secret_hash("ann"), secret_hash("sub-1"), secret_hash("sub-1"), secret_hash("ann")]
    assert set(users.signed) == {None}
    assert len({header(request, "authorization") for request in api.asked}) == 3


@clocked
async def test_the_admin_flow_takes_over_where_the_app_client_allows_no_other_and_is_signed() -> None:
    users = UserPool(off=("USER_PASSWORD_AUTH",))
    async with answering(lambda _: OK) as api, answering(users) as pool, client() as upstream:
        auth = cognito(client_id="app", user_pool_id="us-east-1_pool")
        assert (await Caller(auth, api.origin, upstream, of(pool)).call()).status == 200
    assert users.flows == ["USER_PASSWORD_AUTH", "ADMIN_USER_PASSWORD_AUTH"]
    assert users.sent[-1]["UserPoolId"] == "us-east-1_pool"
    assert users.signed[0] is None
    assert "/us-east-1/cognito-idp/aws4_request" in (users.signed[1] or "")


@clocked
async def test_client_credentials_are_asked_for_at_the_domain_in_full() -> None:
    async with answering(lambda _: OK) as api, answering(lambda _: given("t1")) as domain, client() as upstream:
        auth = cognito(
            client_id="app", client_secret="the-secret", username="", password="", domain=domain.url, scopes="a/b, c/d"
        )
        assert (await Caller(auth, api.origin, upstream, of(domain)).call()).status == 200
        [asked] = domain.asked
    assert asked.startswith(b"POST /oauth2/token ")
    assert form(asked) == {"grant_type": "client_credentials", "scope": "a/b c/d"}
    assert header(api.asked[0], "authorization") == "Bearer t1"


@pytest.mark.parametrize(
    ("domain", "place"),
    [
        ("ours", "https://ours.auth.us-east-1.amazoncognito.com"),
        ("login.example.com", "https://login.example.com"),
        ("https://login.example.com/", "https://login.example.com"),
    ],
)
def test_a_domain_is_a_prefix_or_in_full(domain: str, place: str) -> None:
    from openapi_mcp_server.upstream.credentials.aws.cognito import _domain

    assert _domain(domain, REGION) == place


def test_client_credentials_have_no_id_token() -> None:
    auth = cognito(client_id="app", client_secret="x", username="", domain="ours", token="id")
    with pytest.raises(ConfigError, match="no ID token"):
        KINDS["cognito"]("pets", auth, Means(web=WEB))


@pytest.mark.parametrize("flow", ["user_password", "admin_user_password"])
def test_an_address_of_cognito_that_must_not_be_asked_ends_the_start(flow: str) -> None:
    """The first login comes later, when the server already serves: it ended it then."""
    environ = {"AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": "http://cognito.example.com"}
    web = Web(dialler=CheckedDialler(RULE), rule=RULE)
    with pytest.raises(ConfigError, match="AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER"):
        KINDS["cognito"]("pets", cognito(client_id="app", flow=flow), Means(web=web, environ=environ))
