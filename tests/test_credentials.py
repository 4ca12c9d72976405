"""Credentials in the whole program: who gets which secret, and that nobody else gets any."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin

import msgspec
import pytest

from asked import call, fetch, message, post, until
from aws import Pool, running_aws
from openapi_mcp_server.settings.apis import ApiConfig
from openapi_mcp_server.settings.config import Config, load
from openapi_mcp_server.settings.table import SETTINGS
from processes import PROFILED, imported, inspected, run, started
from recording import Answer, Asked, Recording, document, recording, with_document
from scraped import metrics_url
from xray_daemon import daemon

HTTP = {"SERVER_TRANSPORT": "http", "SERVER_PORT": "0", "ALLOW_PRIVATE_NETWORKS": "true"}
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")


@pytest.fixture
def api() -> Iterator[Recording]:
    with recording(with_document(document())) as running:
        yield running


def settings(api: Recording, **more: str) -> dict[str, str]:
    return {**HTTP, "API_SPEC_URL": f"{api.url}/openapi.json", "API_BASE_URL": api.url, **more}


def result(url: str, tool: str = "getPets", **headers: str) -> dict[str, Any]:
    status, answer = post(url, call(tool), **headers)
    assert status == 200, answer
    return dict(msgspec.json.decode(answer)["result"])


def seen(url: str, tool: str = "getPets", **headers: str) -> dict[str, str]:
    """The headers that the API gets."""
    found = result(url, tool, **headers)
    assert not found.get("isError"), found
    return dict(msgspec.json.decode(found["content"][0]["text"])["headers"])


# The deployment guide's environment of AgentCore


def test_the_environment_of_the_guides_agentcore_stack_logs_in_and_calls_carry_the_token(api: Recording) -> None:
    from guide import AGENTCORE

    with running_aws() as aws:
        pool = Pool(aws)
        pool.add("ann", "Passw0rd!")
        theirs = {
            **AGENTCORE,
            "AUTH_COGNITO_CLIENT_ID": pool.client_id,
            "AUTH_COGNITO_USER_POOL_ID": pool.id,
            "AUTH_COGNITO_USERNAME": "ann",
            "AUTH_COGNITO_PASSWORD": "Passw0rd!",
        }
        here = {**settings(api), "AWS_ENDPOINT_URL": aws.url}
        with started(**{**here, **theirs}) as server:
            token = seen(server.url)["authorization"].removeprefix("Bearer ")
            payload = token.split(".")[1]
            claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            assert (claims["token_use"], claims["cognito:username"]) == ("id", "ann")
            assert seen(server.url, "postPets")["authorization"] == f"Bearer {token}"


# The caller's own token


def test_a_callers_token_is_exchanged_and_the_api_sees_only_the_new_one(api: Recording) -> None:
    from authorization_server import authorization_server

    def exchanged(asked: Asked) -> Answer:
        subject = parse_qs(asked.body.decode())["subject_token"][0].split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(subject + "=" * (-len(subject) % 4)))
        return 200, {}, msgspec.json.encode({"access_token": f"for-{claims['sub']}", "expires_in": 60})

    with authorization_server() as issuer, recording(exchanged) as login:
        issuer.audience = "ours"
        here = {
            **settings(api),
            "INBOUND_AUTH": "jwt", "INBOUND_JWT_ISSUERS": issuer.issuer, "INBOUND_JWT_AUDIENCE": "ours",
            "AUTH_TYPE": "oauth2", "AUTH_OAUTH2_TOKEN_URL": f"{login.url}/token", "AUTH_OAUTH2_CLIENT_ID": "c",
            "AUTH_OAUTH2_CLIENT_SECRET": "s3cret", "TOKEN_EXCHANGE": "rfc8693",
        }  # fmt: skip
        tokens = {user: issuer.token(sub=user) for user in ("ann", "bob")}
        with started(**here) as server:
            for user in ("ann", "bob", "ann"):
                assert seen(server.url, authorization=f"Bearer {tokens[user]}")["authorization"] == f"Bearer for-{user}"
        assert len(login.asked) == 2
        assert not [asked for asked in api.asked if any(token in repr(asked) for token in tokens.values())]


# What an API repeats


def test_fixed_values_that_are_credentials_are_hidden_in_a_failure_and_others_are_not(tmp_path: Path) -> None:
    basic = "YTpiOmM6ZDplOmY="
    secret = {"X-Api-Key": "k-0123456789", "X-Auth": f"Basic {basic}", "Subscription-Key": "sub-0123456789"}
    plain = {"Notion-Version": "2022-06-28", "X-Tenant": "acme-corporation", "X-Short-Key": "k-01"}
    query = {"access_token": "q/0123456789", "region": "eu-central-1"}

    def refused(asked: Asked) -> Answer:
        said = {"headers": [asked.headers[name.lower()] for name in (*secret, *plain)], "target": asked.target}
        return 400, {"X-Seen": asked.headers["x-api-key"]}, msgspec.json.encode(said)

    with recording(refused) as api:
        (tmp_path / "openapi.json").write_bytes(document(api.url))
        here = {**HTTP, "API_SPEC_PATH": str(tmp_path / "openapi.json")}
        headers, parameters = (msgspec.json.encode(each).decode() for each in (secret | plain, query))
        with started(**here, EXTRA_HEADERS=headers, EXTRA_QUERY=parameters) as one:
            said = str(result(one.url))
    assert [value for value in (*secret.values(), basic, "0123456789") if value in said] == []
    assert [value for value in (*plain.values(), "eu-central-1") if value not in said] == []


def test_a_callers_own_credentials_are_hidden_in_a_failure_and_other_headers_are_not(api: Recording) -> None:
    own = {
        "x-user-token": "u/0123456789",
        "x-renamed": "Bearer c-0123456789",
        "cookie": "sid=c0okie-01234; lang=german-de",
    }
    forwarded = "X-User-Token, X-Api-Key=X-Renamed, Cookie, X-Tenant"
    api.answers = with_document(document(), lambda asked: (400, {}, msgspec.json.encode(asked.headers)))
    with started(**settings(api, FORWARD_HEADERS=forwarded)) as server:
        said = str(result(server.url, **own, **{"x-tenant": "acme-corporation"}))
    assert "acme-corporation" in said
    assert [value for value in ("0123456789", "c0okie-01234", "german-de") if value in said] == []


@pytest.mark.parametrize("spell", [str, lambda pair: pair.rstrip("="), lambda pair: pair.replace("+", "-").rstrip("=")])
def test_name_and_password_are_hidden_in_every_spelling_of_base64(api: Recording, spell: Callable[[str], str]) -> None:
    def refused(asked: Asked) -> Answer:
        return 401, {}, spell(asked.headers["authorization"].removeprefix("Basic ")).encode()

    api.answers = with_document(document(), refused)
    password = "pass>>>w0rd~~~"
    with started(**settings(api, AUTH_TYPE="basic", AUTH_USERNAME="me", AUTH_PASSWORD=password)) as server:
        said = str(result(server.url))
    assert "[redacted]" in said
    assert spell(base64.b64encode(f"me:{password}".encode()).decode())[:16] not in said


# Secrets in files


def test_a_secret_in_a_file_is_exchanged_while_the_server_runs(api: Recording, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    with started(**settings(api, AUTH_TYPE="bearer", AUTH_TOKEN_FILE=str(file))) as server:
        assert seen(server.url)["authorization"] == "Bearer one"
        file.write_text("")
        server.wait_for("the old ones are used on: .* it is empty now")
        assert seen(server.url)["authorization"] == "Bearer one"
        file.unlink()
        server.wait_for("the old ones are used on: .* No such file")
        assert seen(server.url)["authorization"] == "Bearer one"
        (tmp_path / "new").write_text("two\n")
        (tmp_path / "new").rename(file)
        server.wait_for("credentials are those of now")
        assert seen(server.url)["authorization"] == "Bearer two"
        file.write_text("thr\x00ee\n")
        server.wait_for("the old ones are used on: AUTH_TOKEN")
        assert seen(server.url)["authorization"] == "Bearer two"


def test_every_field_of_another_api_may_be_in_a_file_that_changes(api: Recording, tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("headers", "schemes")}
    files["headers"].write_text('{"X-Tenant":"a"}')
    files["schemes"].write_text('{"k":{"type":"api_key","api_key":"k1"}}')
    schemes = {"k": {"type": "apiKey", "in": "header", "name": "X-K"}}
    api.answers = with_document(document(components={"securitySchemes": schemes}, security=[{"k": []}]))
    element = {
        "name": "pets", "spec_url": f"{api.url}/openapi.json", "base_url": api.url,
        "extra_headers_file": str(files["headers"]), "auth_schemes_file": str(files["schemes"]),
    }  # fmt: skip
    several = msgspec.json.encode([element]).decode()
    with started(**HTTP, ADDITIONAL_SPECS=several) as server:
        found = seen(server.url)
        assert (found["x-tenant"], found["x-k"]) == ("a", "k1")
        files["headers"].write_text('{"X-Tenant":"b"}')
        server.wait_for("credentials are those of now")
        files["schemes"].write_text('{"k":{"type":"api_key","api_key":"k2"}}')
        server.wait_for("credentials are those of now")
        found = seen(server.url)
        assert (found["x-tenant"], found["x-k"]) == ("b", "k2")


def test_a_secret_in_a_store_is_read_again_with_the_documents(api: Recording) -> None:
    with running_aws() as aws:
        ssm = aws.client("ssm")
        ssm.put_parameter(Name="/token", Value="one", Type="SecureString")
        here = settings(api, AUTH_TYPE="bearer", AUTH_TOKEN="ssm:/token", SPEC_REFRESH_SECONDS="1")
        with started(**{**here, **aws.environ}) as server:
            url = server.url
            assert seen(url)["authorization"] == "Bearer one"
            ssm.put_parameter(Name="/token", Value="two", Type="SecureString", Overwrite=True)
            assert until(lambda: seen(url)["authorization"] == "Bearer two")
            ssm.delete_parameter(Name="/token")
            assert "ParameterNotFound" in str(server.wait_for("the old ones are used on")["message"])
            assert seen(url)["authorization"] == "Bearer two"


# Documents


@pytest.mark.parametrize(
    ("more", "sent"),
    [
        ({}, {"authorization": "Bearer s3cret"}),
        ({"SPEC_AUTH": "never"}, {}),
        ({"SPEC_HEADERS": '{"X-Doc":"d"}'}, {"authorization": "Bearer s3cret", "x-doc": "d"}),
        ({"SPEC_AUTH": "never", "SPEC_HEADERS": '{"Authorization":"Basic d"}'}, {"authorization": "Basic d"}),
        ({"API_BASE_URL": "https://api.example.com"}, {}),
        ({"API_BASE_URL": ""}, {}),
    ],
)
def test_a_document_at_the_apis_own_origin_is_fetched_with_its_credentials(
    api: Recording, more: dict[str, str], sent: dict[str, str]
) -> None:
    inspected(**settings(api, AUTH_TYPE="bearer", AUTH_TOKEN="s3cret") | more)
    [asked] = api.of("/openapi.json")
    assert {name: asked.headers[name] for name in ("authorization", "x-doc") if name in asked.headers} == sent


def test_a_document_that_wants_a_login_says_how() -> None:
    with recording(lambda _: (401, {}, b"{}")) as api:
        done = run("inspect", **settings(api))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "401" in done.stderr
    assert "SPEC_HEADERS" in done.stderr


def test_a_document_that_is_not_there_yet_is_waited_for_and_the_server_not_ready() -> None:
    tries = 0

    def late(asked: Asked) -> Answer:
        nonlocal tries
        tries += asked.target == "/openapi.json"
        return with_document(document())(asked) if tries > 2 else (503, {}, b"starting")

    with recording(late) as api:
        port = _free_port()
        here = settings(api, SPEC_WAIT_SECONDS="30", SERVER_PORT=str(port))
        with started(**here) as server:
            server.wait_for("not there yet")
            base = f"http://127.0.0.1:{port}"
            assert fetch(f"{base}/livez")[0] == 200
            assert fetch(f"{base}/readyz")[0] == 503
            assert fetch(f"{base}/ping")[0] == 503
            status, headers, _ = fetch(f"{base}/mcp", "POST", message("ping"), origin="http://localhost:6274")
            assert (status, headers["access-control-allow-origin"]) == (503, "http://localhost:6274")
            assert server.url == base + "/mcp"
            assert until(lambda: fetch(f"{base}/readyz")[0] == 200)
            assert "x" not in seen(server.url)


@pytest.mark.parametrize("answer", [(403, {}, b""), (200, {}, b"no document")])
def test_what_waiting_does_not_mend_is_told_at_once(answer: Answer) -> None:
    with recording(lambda _: answer) as api:
        done = run("serve", **settings(api, SPEC_WAIT_SECONDS="3600"))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert len(api.asked) == 1


def test_the_wait_has_an_end() -> None:
    with recording(lambda _: (503, {}, b"")) as api:
        done = run("serve", **settings(api, SPEC_WAIT_SECONDS="3"))
    assert done.returncode == 1
    assert "answered 503" in done.stderr.splitlines()[-1]
    assert 2 <= len(api.asked) <= 3  # one a second, of which a machine with much to do may miss one


def test_a_token_endpoint_that_gives_none_is_told_of_at_the_start_and_the_server_is_ready(tmp_path: Path) -> None:
    """Other APIs are called meanwhile, and another task would fare no better."""
    spec = tmp_path / "openapi.json"
    spec.write_bytes(document("http://127.0.0.1:9"))
    here = {
        **HTTP,
        "API_SPEC_PATH": str(spec),
        "AUTH_TYPE": "oauth2",
        "AUTH_OAUTH2_TOKEN_URL": f"http://127.0.0.1:{_free_port()}/token",
        "AUTH_OAUTH2_CLIENT_ID": "me",
        "AUTH_OAUTH2_CLIENT_SECRET": MARK,
    }
    with started(**here) as server:
        url = server.url
        before = (line for line in server.log if line["message"] == "no token")
        said = next(before, None) or server.wait_for("^no token$")
        assert (said["api"], "no connection to http://127.0.0.1" in str(said["problem"])) == ("api", True)
        assert fetch(url.removesuffix("/mcp") + "/readyz")[0] == 200
        assert "no token for api" in str(result(url))


def test_aws_keys_that_cannot_be_had_are_told_of_at_the_start_and_the_server_is_ready(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{_free_port()}/keys"
    with started(**_signing(tmp_path), AWS_CONTAINER_CREDENTIALS_FULL_URI=nobody) as server:
        url = server.url
        before = (line for line in server.log if line["message"] == "no AWS credentials")
        said = next(before, None) or server.wait_for("^no AWS credentials$")
        assert (said["api"], "no connection to http://127.0.0.1" in str(said["problem"])) == ("api", True)
        assert fetch(url.removesuffix("/mcp") + "/readyz")[0] == 200


def test_where_no_aws_keys_can_be_the_start_ends_with_what_to_set(tmp_path: Path) -> None:
    done = run("serve", **_signing(tmp_path), AWS_EC2_METADATA_DISABLED="true")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("openapi-mcp-server: AUTH_TYPE: no AWS credentials: set AWS_ACCESS_KEY_ID")


def _signing(folder: Path) -> dict[str, str]:
    (folder / "openapi.json").write_bytes(document("https://api.example.com"))
    return {**HTTP, "API_SPEC_PATH": str(folder / "openapi.json"), "AUTH_TYPE": "aws_sigv4"}


def test_the_first_call_finds_the_token_that_was_asked_for_ahead(api: Recording) -> None:
    with recording(lambda _: (200, {}, b'{"access_token":"t1","expires_in":3600}')) as endpoint:
        more = {"AUTH_OAUTH2_TOKEN_URL": endpoint.url, "AUTH_OAUTH2_CLIENT_ID": "me", "AUTH_OAUTH2_CLIENT_SECRET": MARK}
        with started(**settings(api, AUTH_TYPE="oauth2", SPEC_AUTH="never", **more)) as server:
            url = server.url
            assert until(lambda: len(endpoint.asked) == 1)
            assert seen(url)["authorization"] == "Bearer t1"
            assert len(endpoint.asked) == 1


def _free_port() -> int:
    from processes import free_ports

    return free_ports(1)


# What a plain server loads


UNUSED = (
    "oauth2", "cognito", "digest", "aws_sigv4", "sigv4", "aws_keys", "aws", "stores", "tokens", "aws_addresses"
)  # fmt: skip


def test_a_plain_server_loads_nothing_of_what_it_does_not_use(tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_bytes(document("https://api.example.com"))
    with started(
        "--spec-path", str(tmp_path / "openapi.json"), **HTTP, **PROFILED, AUTH_TYPE="bearer", AUTH_TOKEN="t"
    ) as server:
        server.wait_for("^serving MCP at ")
        server.process.terminate()
        server.read_to_the_end()
    loaded = imported(server)
    own = {name.removeprefix("openapi_mcp_server.") for name in loaded if name.startswith("openapi_mcp_server.")}
    assert "upstream.credentials.bearer" in own
    assert own & {"upstream.web", "upstream.proxies", *(f"upstream.credentials.{kind}" for kind in UNUSED)} == set()
    assert loaded & {"httpx2", "httpcore2", "joserfc", "botocore", "boto3", "cryptography"} == set()


# Each secret is seen by its own origin alone

MARK = "s3cret"
PAIR = base64.b64encode(f"u:{MARK}-p".encode()).decode()
CREDENTIALS: dict[str, dict[str, str]] = {
    "bearer": {"AUTH_TYPE": "bearer", "AUTH_TOKEN": f"{MARK}-t"},
    "basic": {"AUTH_TYPE": "basic", "AUTH_USERNAME": "u", "AUTH_PASSWORD": f"{MARK}-p"},
    "key in a header": {"AUTH_TYPE": "api_key", "AUTH_API_KEY": f"{MARK}-k", "AUTH_API_KEY_NAME": "X-K"},
    "key in the query": {"AUTH_TYPE": "api_key", "AUTH_API_KEY": f"{MARK}-k", "AUTH_API_KEY_IN": "query"},
    "key in a cookie": {"AUTH_TYPE": "api_key", "AUTH_API_KEY": f"{MARK}-k", "AUTH_API_KEY_IN": "cookie"},
    "oauth2": {
        "AUTH_TYPE": "oauth2",
        "AUTH_OAUTH2_CLIENT_ID": "c",
        "AUTH_OAUTH2_CLIENT_SECRET": f"{MARK}-c",
        "AUTH_OAUTH2_CLIENT_AUTH": "post",
        "AUTH_OAUTH2_PARAMETERS": f'{{"more":"{MARK}-o"}}',
    },
    "aws_sigv4": {
        "AUTH_TYPE": "aws_sigv4",
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": f"{MARK}-aws",
        "AWS_SESSION_TOKEN": f"{MARK}-session",
        "AWS_REGION": "us-east-1",
    },
    "fixed values": {"EXTRA_HEADERS": f'{{"X-Tenant":"{MARK}-e"}}', "EXTRA_QUERY": f'{{"q":"{MARK}-q"}}'},
    "a scheme": {"AUTH_SCHEMES": f'{{"k":{{"type":"api_key","api_key":"{MARK}-s"}}}}'},
    "forwarded": {"FORWARD_HEADERS": "X-User"},
}
SCHEMES = {"k": {"type": "apiKey", "in": "header", "name": "X-S"}, "b": {"type": "http", "scheme": "bearer"}}


def carries(asked: Asked) -> bool:
    return any(mark in repr(asked) for mark in (MARK, PAIR, "Credential=AKID"))


class Hostile:
    """An API that sends its callers to another server wherever it can: by a redirect, by its document, by a reload."""

    def __init__(self, other: str) -> None:
        self.other = other
        self.is_moved = False
        self.retried = 0

    def document(self) -> bytes:
        paths = ("/pets", "/away", "/again", "/theirs")
        security = [{"k": []}, {"b": []}, {}]
        text = document(paths=paths, components={"securitySchemes": SCHEMES}, security=security)
        root = msgspec.json.decode(text)
        root["paths"]["/theirs"]["servers"] = [{"url": self.other}]
        if self.is_moved:
            root["servers"] = [{"url": self.other}]
        return msgspec.json.encode(root)

    def __call__(self, asked: Asked) -> Answer:
        match asked.target.partition("?")[0]:
            case "/openapi.json":
                return 200, {}, self.document()
            case "/away":
                return (302 if asked.method == "GET" else 307), {"Location": f"{self.other}/stolen"}, b""
            case "/again":
                self.retried += 1
                return (503, {"Retry-After": "0"}, b"") if self.retried % 2 else (200, {}, b"{}")
            case _:
                return 200, {}, b"{}"


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_a_secret_is_seen_by_its_own_origin_alone(kind: str) -> None:
    with recording() as other, recording() as api, recording() as login:
        hostile = api.answers = Hostile(other.url)
        login.answers = lambda _: (200, {}, msgspec.json.encode({"access_token": f"{MARK}-got", "expires_in": 60}))
        more = {"AUTH_OAUTH2_TOKEN_URL": f"{login.url}/token"} if kind == "oauth2" else {}
        here = {**HTTP, "API_SPEC_URL": f"{api.url}/openapi.json", "SPEC_REFRESH_SECONDS": "1"}
        with started(**here, **CREDENTIALS[kind], **more) as server:
            for tool in ("getPets", "postPets", "getAway", "postAway", "getAgain", "postAgain", "getTheirs"):
                answered = call(tool)
                post(server.url, answered, x_user=f"{MARK}-user")
            hostile.is_moved = True
            server.wait_for("not loaded again|have changed")
            post(server.url, call("getPets"), x_user=f"{MARK}-user")
        assert [asked for asked in other.asked if carries(asked)] == []
        assert any(carries(asked) for asked in api.of("/pets"))
        assert all(carries(asked) for asked in api.of("/again"))
        assert not any(f"{MARK}-c" in repr(asked) or f"{MARK}-o" in repr(asked) for asked in api.asked)
        assert not any(f"{MARK}-got" in repr(asked) for asked in login.asked)


def test_a_token_endpoint_that_points_elsewhere_takes_no_secret_there(api: Recording) -> None:
    with recording() as other, recording() as login:
        login.answers = lambda _: (307, {"Location": f"{other.url}/token"}, b"")
        more = {**CREDENTIALS["oauth2"], "AUTH_OAUTH2_TOKEN_URL": f"{login.url}/token", "SPEC_AUTH": "never"}
        with started(**settings(api, **more)) as server:
            assert result(server.url)["isError"]
        assert (len(login.asked), other.asked) == (1, [])
        assert api.of("/pets") == []


# No secret is told


def secret_settings(folder: Path) -> dict[str, str]:
    """Every secret setting of APIs and of what stands beside them, with a mark in it."""
    from authorization_server import key
    from certificates import certificate

    certificate(folder)
    plain = {
        "AUTH_PASSWORD": f"{MARK}-p",
        "AUTH_TOKEN": f"{MARK}-t",
        "AUTH_API_KEY": f"{MARK}-k",
        "AUTH_OAUTH2_CLIENT_SECRET": f"{MARK}-c",
        "AUTH_OAUTH2_PRIVATE_KEY": key("ES256").as_pem(private=True).decode(),
        "AUTH_OAUTH2_PARAMETERS": f'{{"more":"{MARK}-o"}}',
        "AUTH_COGNITO_CLIENT_SECRET": f"{MARK}-cc",
        "AUTH_COGNITO_PASSWORD": f"{MARK}-cp",
        "AUTH_CLIENT_CERTIFICATE": (folder / "cert.pem").read_text(),
        "AUTH_CLIENT_KEY": (folder / "key.pem").read_text(),
        "AUTH_SCHEMES": f'{{"k":{{"type":"api_key","api_key":"{MARK}-s"}}}}',
        "EXTRA_HEADERS": f'{{"X-Tenant":"{MARK}-e"}}',
        "EXTRA_QUERY": f'{{"q":"{MARK}-q"}}',
        "SPEC_HEADERS": f'{{"X-Doc":"{MARK}-d"}}',
        "HTTP_PROXY_URL": f"http://u:{MARK}-x@127.0.0.1:9",
        "SHARED_STATE": f"redis://u:{MARK}-r@127.0.0.1:9",
    }
    others = ("INBOUND_TOKENS", "SESSION_KEY", "OTEL_")
    ours = {each.name for each in SETTINGS if each.secret and not each.name.startswith(others)}
    assert ours == plain.keys()
    return plain


def marks(values: dict[str, str]) -> list[str]:
    pem = [line for name, text in values.items() if "KEY" in name for line in text.split("\n") if len(line) > 40]
    return [MARK, PAIR, *pem]


SAMPLED = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1"
FLAWS = {
    "yes": lambda _: (200, {}, b"{}"),
    "no": lambda _: (500, {}, b"{}"),
    "unauthorized": lambda _: (401, {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'}, b"{}"),
    "no HTTP": lambda _: (200, {"Content-Length": "5"}, b"{}"),
}


@pytest.mark.parametrize(
    "kind", ["basic", "bearer", "api_key", "digest", "oauth2", "cognito", "aws_sigv4", "private_key_jwt"]
)
def test_no_secret_is_in_logs_errors_health_metrics_traces_or_reports(kind: str, tmp_path: Path) -> None:
    secrets = secret_settings(tmp_path)
    text = document(components={"securitySchemes": SCHEMES})
    with (
        recording(with_document(text)) as api,
        recording(lambda _: (400, {}, b'{"error":"invalid"}')) as login,
        daemon() as xray,
    ):
        here = {
            **settings(api, **secrets),
            "TRACING": "xray",
            "AWS_XRAY_DAEMON_ADDRESS": xray.address,
            "AUTH_TYPE": "oauth2" if kind == "private_key_jwt" else kind,
            "AUTH_USERNAME": "u",
            "AUTH_OAUTH2_TOKEN_URL": f"{login.url}/token",
            "AUTH_OAUTH2_CLIENT_ID": "c",
            "AUTH_OAUTH2_CLIENT_AUTH": "private_key_jwt" if kind == "private_key_jwt" else "post",
            "AUTH_COGNITO_CLIENT_ID": "c",
            "AUTH_COGNITO_USERNAME": "u",
            "AUTH_COGNITO_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": login.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKID",
            "AWS_SECRET_ACCESS_KEY": f"{MARK}-aws",
            "AWS_SESSION_TOKEN": f"{MARK}-session",
            "LOG_LEVEL": "DEBUG",
            "ENABLE_PROMETHEUS": "true",
            "PROMETHEUS_PORT": "0",
            "SPEC_AUTH": "never",
        }
        told: list[object] = []
        with started(**here) as server:
            metrics, url = metrics_url(server), server.url
            for answers in FLAWS.values():
                api.answers = with_document(text, answers)
                told += [post(url, call(tool), x_amzn_trace_id=SAMPLED) for tool in ("getPets", "postPets")]
            api.answers = with_document(text)
            told += [fetch(urljoin(url, "/health")), fetch(metrics), post(url, message("tools/list"))]
            server.process.terminate()
            server.read_to_the_end()
            told += server.log
        told += [xray.document() for _ in range(2 * len(FLAWS))]
        told.append(run("inspect", "--json", **here))
        told.append(repr(load([], here, lambda path: path)))
        answered = [asked for asked in api.asked if carries(asked)]
    whole = "".join(map(repr, told))
    assert "answered 500" in whole or kind in {"oauth2", "cognito", "private_key_jwt"}
    assert [mark for mark in marks(secrets) if mark in whole] == []
    assert answered or kind in {"digest", "oauth2", "cognito", "private_key_jwt"}  # they were in use


REPEATED = {
    kind: values | {name: value.replace(MARK, f"{MARK}-value") for name, value in values.items() if MARK in value}
    for kind, values in CREDENTIALS.items()
    if kind not in {"fixed values", "forwarded"}
}


@pytest.mark.parametrize("kind", REPEATED)
def test_a_credential_that_an_api_repeats_in_a_failure_is_not_told(kind: str) -> None:
    def repeat(asked: Asked) -> Answer:
        return 404, {"Link": f'<{asked.target}>; rel="next"'}, msgspec.json.encode([asked.headers, asked.target])

    text = document(components={"securitySchemes": SCHEMES}, security=[{"k": []}, {"b": []}, {}])
    with recording(with_document(text, repeat)) as api, recording() as login:
        login.answers = lambda _: (200, {}, msgspec.json.encode({"access_token": f"{MARK}-got", "expires_in": 60}))
        more = {"AUTH_OAUTH2_TOKEN_URL": f"{login.url}/token"} if kind == "oauth2" else {}
        with started(**settings(api, **REPEATED[kind], **more, SPEC_AUTH="never")) as server:
            told = msgspec.json.encode(result(server.url)).decode()
        assert "answered 404" in told
        assert "[redacted]" in told
        marks_of_this = (MARK, PAIR[:12])  # a pair that begins in the same way
        assert [mark for mark in marks_of_this if mark in told] == []
        assert any(mark in repr(asked) for mark in marks_of_this for asked in api.of("/pets"))


def test_no_secret_is_in_a_traceback_that_shows_what_functions_hold(tmp_path: Path) -> None:
    """As error trackers print it: with the values of locals."""
    secrets = secret_settings(tmp_path) | {"API_SPEC_PATH": "a.yaml", "AUTH_TYPE": "basic", "AUTH_USERNAME": "u"}
    config = load([], secrets, lambda path: path)

    def fails(config: Config, apis: tuple[ApiConfig, ...], identities: list[object]) -> None:
        raise RuntimeError(f"{config} {apis} {identities}")

    try:
        fails(config, config.apis, [[each.auth, each.identity] for each in config.apis])
    except RuntimeError as error:
        whole = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    inner = whole.partition("in fails")[2]  # this test's own locals are the settings
    assert "Config" in inner
    assert [mark for mark in marks(secrets) if mark in inner] == []
