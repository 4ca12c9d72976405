"""Secrets that AWS keeps, as values of settings: moto's Secrets Manager and Parameter Store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio

from aws import REGION, Aws, running_aws
from logins import WEB, answering
from loopback import sized
from openapi_mcp_server.errors import CredentialError
from openapi_mcp_server.upstream.credentials.aws import stores
from processes import run

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")
TOKEN = "tok-s3cret"


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with running_aws() as running:
        yield running


@pytest.fixture(scope="module")
def arn(aws: Aws) -> str:
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name="plain", SecretString=TOKEN)
    secrets.create_secret(Name="binary", SecretBinary=b"\x00")
    aws.client("ssm").put_parameter(Name="/apis/token", Value=TOKEN, Type="SecureString")
    return str(secrets.create_secret(Name="json", SecretString='{"token":"tok-s3cret","port":5}')["ARN"])


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("secretsmanager:plain", TOKEN),
        ("secretsmanager:ARN:token", TOKEN),
        ("secretsmanager:ARN:port", "5"),
        ("secretsmanager:ARN:token::", TOKEN),
        ("secretsmanager:ARN", '{"token":"tok-s3cret","port":5}'),
        ("ssm:/apis/token", TOKEN),
        ("ssm:arn:aws:ssm:us-east-1:123456789012:parameter/apis/token", TOKEN),
    ],
)
def test_a_secret_is_read_where_it_is_kept(aws: Aws, arn: str, place: str, expected: str) -> None:
    environ = {**aws.environ, "ALLOW_PRIVATE_NETWORKS": "true"}
    assert stores.read(place.replace("ARN", arn), environ) == expected


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("secretsmanager:nothing", "ResourceNotFoundException"),
        ("secretsmanager:ARN:user", "no key 'user'"),
        ("secretsmanager:plain:user", "no JSON object"),
        ("secretsmanager:binary", "holds no text"),
        ("ssm:/apis/nothing", "ParameterNotFound"),
    ],
)
def test_a_secret_that_is_not_there_says_so(aws: Aws, arn: str, place: str, problem: str) -> None:
    environ = {**aws.environ, "ALLOW_PRIVATE_NETWORKS": "true"}
    with pytest.raises(CredentialError, match=problem) as caught:
        stores.read(place.replace("ARN", arn), environ)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("body", [b"{}", b'{"Parameter":null}', b'{"Parameter":{"Value":5}}', b"[]"])
def test_an_answer_of_another_form_holds_no_text(body: bytes) -> None:
    async def read() -> None:
        environ = {"AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        async with answering(lambda _: sized(body)) as server:
            with pytest.raises(CredentialError, match="holds no text"):
                await stores.fetched("ssm:/apis/token", environ | {"AWS_ENDPOINT_URL_SSM": server.url}, WEB)

    trio.run(read)


def test_without_keys_or_region_it_says_what_is_missing(aws: Aws) -> None:
    with pytest.raises(CredentialError, match="AWS_REGION"):
        stores.read("ssm:/apis/token", {})
    with pytest.raises(CredentialError, match="AWS_ACCESS_KEY_ID"):
        stores.read("ssm:/apis/token", {"AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true"})


def test_the_program_reads_its_secrets_there_and_refuses_by_the_settings_name(aws: Aws, arn: str) -> None:
    environ = {**aws.environ, "ALLOW_PRIVATE_NETWORKS": "true", "AUTH_TYPE": "bearer"}
    missing = run("inspect", "--spec-path", "/nowhere", AUTH_TOKEN="ssm:/apis/nothing", **environ)
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)
    assert "AUTH_TOKEN" in missing.stderr
    assert "ssm:/apis/nothing" in missing.stderr
    found = run("inspect", "--spec-path", "/nowhere", AUTH_TOKEN=f"secretsmanager:{arn}:token", **environ)
    assert "cannot read /nowhere" in found.stderr
