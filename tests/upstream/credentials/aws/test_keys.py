"""Where AWS gives a process its access keys: each place as AWS documents it, on a real socket."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from aws import running_aws
from logins import WEB, Answering, answering, form, header
from loopback import sized
from openapi_mcp_server.errors import CredentialError, Refused
from openapi_mcp_server.upstream.credentials.aws.addresses import AwsAddresses
from openapi_mcp_server.upstream.credentials.aws.keys import KeyChain
from openapi_mcp_server.upstream.credentials.aws.sigv4 import Keys
from openapi_mcp_server.upstream.credentials.tokens import Failed
from openapi_mcp_server.upstream.sockets import TcpDialler


def found(**changes: Any) -> dict[str, Any]:
    return {"AccessKeyId": "AK", "SecretAccessKey": "SK", "Token": "ST", "Expiration": stamp(3600), **changes}


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(time.time() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def answer(body: Any, status: bytes = b"200 OK", headers: bytes = b"") -> bytes:
    return sized(body if isinstance(body, bytes) else msgspec.json.encode(body), headers, status)


async def keys(environ: dict[str, str]) -> Keys:
    with trio.fail_after(20):
        return await KeyChain(environ, WEB).keys()


def served(handler: Callable[[bytes], bytes], use: Callable[[Answering], Any]) -> Any:
    async def main() -> Any:
        async with answering(handler) as server:
            return await use(server)

    return trio.run(main)


class Redirected(TcpDialler):
    """Stands for the machine: whatever is dialled is our own server."""

    def __init__(self, port: int) -> None:
        self.dialled: list[str] = []
        self._port = port

    async def connect(self, host: str, port: int, *args: Any, **options: Any) -> Any:
        self.dialled.append(f"{host}:{port}")
        return await super().connect("127.0.0.1", self._port, *args, **options)


def test_the_environment_comes_first() -> None:
    made = trio.run(keys, {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c"})
    assert made == Keys(access_key="a", secret_key="b", session_token="c")


def test_a_task_of_ecs_asks_the_address_that_aws_has_fixed() -> None:
    async def use(server: Answering) -> None:
        dialler = Redirected(server.origin.port)
        chain = KeyChain({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/x"}, WEB, AwsAddresses(dialler))
        made = await chain.keys()
        assert (made.access_key, made.secret_key, made.session_token) == ("AK", "SK", "ST")
        assert dialler.dialled == ["169.254.170.2:80"]
        assert server.asked[0].startswith(b"GET /v2/credentials/x HTTP/1.1\r\n")

    served(lambda _: answer(found()), use)


def test_a_pod_of_eks_sends_its_token_as_the_file_has_it_now(tmp_path: Path) -> None:
    file = tmp_path / "token"

    async def use(server: Answering) -> None:
        environ = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(file),
        }
        chain = KeyChain(environ, WEB)
        for token in ("one", "two"):
            file.write_text(f"{token}\n")
            await chain.keys()
            chain.forget()
        assert [header(request, "authorization") for request in server.asked] == ["one", "two"]

    served(lambda _: answer(found()), use)


@pytest.mark.parametrize("url", ["http://10.0.0.1/keys", "http://metadata.example.com/", "http://169.254.1.1/"])
def test_keys_are_asked_for_nowhere_else_without_tls(url: str) -> None:
    with pytest.raises(Exception, match="is not where AWS gives credentials"):
        trio.run(keys, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url})


def test_the_dialler_of_these_addresses_dials_nothing_else() -> None:
    async def run() -> None:
        with pytest.raises(Refused):
            await AwsAddresses(TcpDialler()).connect("10.0.0.1", 80)

    trio.run(run)


def test_an_instance_is_asked_by_its_second_protocol() -> None:
    def machine(request: bytes) -> bytes:
        path = request.split(b" ")[1].decode()
        if path.endswith("/api/token"):
            return answer(b"proof")
        if header(request, "x-aws-ec2-metadata-token") != "proof":
            return answer(b"", b"401 Unauthorized")
        return answer(found()) if path.endswith("/role-1") else answer(b"role-1")

    async def use(server: Answering) -> None:
        made = await keys({"AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url})
        assert made.access_key == "AK"
        assert [request.split(b" ")[0] for request in server.asked] == [b"PUT", b"GET", b"GET"]

    served(machine, use)


def test_where_nothing_is_there_it_says_what_to_do() -> None:
    with pytest.raises(CredentialError, match="AWS_ACCESS_KEY_ID"):
        trio.run(keys, {"AWS_EC2_METADATA_DISABLED": "true"})
    with pytest.raises(CredentialError, match="role"):
        trio.run(keys, {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9"})


@pytest.mark.parametrize(
    "bad",
    [
        answer(b"<html>"),
        answer([]),
        answer({}),
        answer({"AccessKeyId": 5}),
        answer(found(), b"500 Oh"),
        answer(b"\xff"),
    ],
    ids=["a page", "a list", "nothing", "a number", "bytes", "500"],
)
def test_an_answer_without_keys_is_one_clear_failure(bad: bytes) -> None:
    async def use(server: Answering) -> None:
        with pytest.raises(Failed, match="endpoint"):
            await keys({"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/k"})

    served(lambda _: bad, use)


@pytest.mark.parametrize("skew", [-300, 0, 300])
def test_keys_end_by_our_clock_however_awss_goes(skew: int) -> None:
    async def use(server: Answering) -> None:
        made = await keys({"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/k"})
        assert made.ends == pytest.approx(time.time() + 3600, abs=5)

    date = f"Date: {formatdate(time.time() + skew)}\r\n".encode()
    served(lambda _: answer(found(Expiration=stamp(3600 + skew)), headers=date), use)


def test_keys_are_asked_for_once_however_many_wait_and_again_before_their_end() -> None:
    async def use(server: Answering) -> None:
        chain = KeyChain({"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/k"}, WEB)
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(chain.keys)
        assert len(server.asked) == 1

    served(lambda _: answer(found()), use)


def test_keys_that_are_not_to_be_had_are_asked_for_once_however_many_wait_and_by_the_next_again() -> None:
    """An instance that does not answer takes 2 s: the last of thirty calls would fail after a minute."""
    told: list[str] = []

    async def use(server: Answering) -> None:
        chain = KeyChain({"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/k"}, WEB)

        async def one() -> None:
            with pytest.raises(Failed, match="answered 500") as caught:
                await chain.keys()
            told.append(str(caught.value))

        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(one)
        assert (len(server.asked), len(told), len(set(told))) == (1, 50, 1)
        server.handler = lambda _: answer(found())
        assert (await chain.keys()).access_key == "AK"

    served(lambda _: answer({}, b"500 Oh"), use)


def test_an_address_that_is_not_aws_s_is_one_failure_of_the_credentials() -> None:
    with pytest.raises(CredentialError, match=r"AWS_CONTAINER_CREDENTIALS_FULL_URI: .* is not where AWS gives"):
        trio.run(keys, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/k"})


@pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")
def test_a_web_identity_is_exchanged_at_sts(tmp_path: Path) -> None:
    file = tmp_path / "identity"
    file.write_text("a.b.c\n")
    with running_aws() as aws:
        environ = {
            "AWS_ENDPOINT_URL_STS": aws.url,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/pods",
        }
        made = trio.run(keys, environ)
    assert made.access_key.startswith("ASIA")
    assert made.session_token
    assert made.ends
    assert made.ends > time.time()


def test_the_identitys_token_goes_into_the_form_alone(tmp_path: Path) -> None:
    file = tmp_path / "identity"
    file.write_text("a.b.c\n")

    async def use(server: Answering) -> None:
        environ = {"AWS_ENDPOINT_URL_STS": server.url, "AWS_WEB_IDENTITY_TOKEN_FILE": str(file), "AWS_ROLE_ARN": "r"}
        with pytest.raises(Failed, match=r"sts answered 400 \(ExpiredTokenException\)"):
            await keys(environ)
        [request] = server.asked
        assert form(request)["WebIdentityToken"] == "a.b.c"
        assert b"a.b.c" not in request.partition(b"\r\n\r\n")[0]

    served(lambda _: answer(b"<Error><Code>ExpiredTokenException</Code></Error>", b"400 Bad Request"), use)
