"""Commands that the pages about platforms tell people to type exist, and their tables are true."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import ecs
import msgspec
import pytest
import yaml
from botocore import xform_name
from moto.server import ThreadedMotoServer
from shapes import model
from tools import tool

from processes import CHECKOUT
from prometheus import promtool

PAGES = sorted((CHECKOUT / "docs" / "deploy").glob("*.md"))
BLOCKS = "".join(re.findall(r"```sh\n(.*?)```", "".join(page.read_text("utf-8") for page in PAGES), re.DOTALL))
COMMANDS = [line.strip() for line in dict.fromkeys(BLOCKS.splitlines()) if line.strip()]
OWN_COMMANDS = {
    "cloudformation deploy": {"stack-name", "template-file", "parameter-overrides", "capabilities"},
    "ecr get-login-password": set(),
}
"""Commands of the AWS CLI that are no operation of an API, with their flags."""
GLOBAL = {"region", "query"}
AWS = [command for command in COMMANDS if command.startswith("aws ")]
ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def words(command: str) -> list[str]:
    return shlex.split(re.sub(r"\$\(.*?\)", "made", command.split(" | ", maxsplit=1)[0]))


@pytest.mark.parametrize("command", AWS)
def test_a_documented_aws_command_exists_with_its_flags(command):
    _, service, operation, *rest = words(command)
    flags = {word.removeprefix("--") for word in rest if word.startswith("--")} - GLOBAL
    known = OWN_COMMANDS.get(f"{service} {operation}")
    if known is None:
        api = model(service)
        names = {xform_name(name, "-"): name for name in api.operation_names}
        shape = api.operation_model(names[operation]).input_shape
        known = {xform_name(name, "-") for name in shape.members} | {"cli-input-json"}
    assert flags - known == set()


@pytest.mark.parametrize("command", AWS)
def test_a_shell_passes_on_a_documented_command_as_it_is_written(command):
    """Braces with a comma in them become several words, and brackets name files, unless they are quoted."""
    typed = re.sub(r"\$\(.*?\)", "made", command.split(" | ", maxsplit=1)[0])
    done = subprocess.run(["bash", "-c", f"printf '%s\\n' {typed}"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == words(command)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_documented_file_is_there(command):
    named = re.findall(r"(?:fileb?://)?\b((?:deploy|scripts)/[\w./-]+)", command)
    assert [path for path in named if not (CHECKOUT / path).exists()] == []


@pytest.mark.parametrize("command", [command for command in AWS if "cloudformation deploy" in command])
def test_a_documented_parameter_exists(command):
    template = CHECKOUT / words(command)[words(command).index("--template-file") + 1]
    declared = ecs.read(template)["Parameters"]
    given = [word.partition("=")[0] for word in words(command) if re.match(r"[A-Z]\w+=", word)]
    assert [name for name in given if name not in declared] == []


@pytest.fixture(scope="module")
def endpoint() -> str:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


CARRIED_OUT = r"aws (ecr|ecs (register|list|update)|amp create-(workspace|rule)|secretsmanager create)"
"""What the stand-in for AWS knows of the commands."""


@pytest.fixture(scope="module")
def account(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A cluster, a service, a workspace and a file as the pages name them, and what the last two are called here."""
    boto3 = pytest.importorskip("boto3")
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    ecs_client = boto3.client("ecs", "us-east-1", endpoint_url=endpoint, **keys)
    ecs_client.create_cluster(clusterName="CLUSTER")
    ecs_client.register_task_definition(family="f", containerDefinitions=[{"name": "a", "image": "a", "memory": 9}])
    ecs_client.create_service(cluster="CLUSTER", serviceName="SERVICE", taskDefinition="f", desiredCount=1)
    made = boto3.client("amp", "us-east-1", endpoint_url=endpoint, **keys).create_workspace(alias="a")
    folder = tmp_path_factory.mktemp("typed")
    files = {"tls.pem": "-----BEGIN CERTIFICATE-----\n", "tokens.json": "[]", "myapi.json": "{}"}
    for name, text in files.items():
        (folder / name).write_text(text)
    here = {f"file://{name}": f"file://{folder / name}" for name in files}
    return {"ws-12345678-1234-1234-1234-123456789012": made["workspaceId"], **here}


@pytest.mark.parametrize("command", [command for command in AWS if re.match(CARRIED_OUT, command)])
def test_the_aws_cli_carries_out_a_documented_command(command, endpoint, account):
    environ = {**os.environ, **ACCOUNT, "AWS_ENDPOINT_URL": endpoint, "PYTHONPATH": ""}
    argv = [account.get(word, word) for word in words(command)[1:]]
    done = subprocess.run([tool("aws"), *argv], cwd=CHECKOUT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_ecs_registers_the_task_definition(endpoint):
    boto3 = pytest.importorskip("boto3")
    client = boto3.client(
        "ecs", "us-east-1", endpoint_url=endpoint, aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    given = msgspec.json.decode((ecs.FOLDER / "task-definition.json").read_bytes())
    made = client.register_task_definition(**given)["taskDefinition"]
    assert made["family"] == "openapi-mcp-server"
    assert [each["name"] for each in made["containerDefinitions"]] == ["proxy", "worker", "cloudwatch-agent"]


def pushed(endpoint: str, folder: Path, *argv: str, **environ: str) -> tuple[int, str, list[str]]:
    """(exit code, what it said, what docker was told) of deploy/ecr/push with a docker that only writes down."""
    docker = folder / "docker"
    docker.write_text('#!/bin/sh\n[ "$1" != login ] || cat >/dev/null\necho "$@" >>"$TOLD"\n')
    docker.chmod(0o755)
    told = folder / "told"
    told.touch()
    path = os.pathsep.join([str(folder), str(Path(tool("aws")).parent), os.environ["PATH"]])
    done = subprocess.run(
        [CHECKOUT / "deploy" / "ecr" / "push", *argv],
        env={
            **os.environ,
            **ACCOUNT,
            "PYTHONPATH": "",
            "AWS_ENDPOINT_URL": endpoint,
            "PATH": path,
            "TOLD": str(told),
            **environ,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr, told.read_text().splitlines()


def test_push_makes_the_repositories_and_pushes_both_images_for_both_architectures(endpoint, tmp_path):
    code, said, told = pushed(endpoint, tmp_path)
    assert code == 0, said
    registry = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
    version = re.search(r'^version = "(.+)"', (CHECKOUT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)[1]
    elsewhere = "--build-arg PYTHON_IMAGE --build-arg NGINX_IMAGE --build-arg PIP_INDEX_URL"
    build = f"buildx build --platform linux/arm64,linux/amd64 --provenance=true --sbom=true {elsewhere} --tag"
    assert told == [
        f"login --username AWS --password-stdin {registry}",
        f"{build} {registry}/openapi-mcp-server:{version} --push .",
        f"{build} {registry}/openapi-mcp-server-proxy:{version} --push proxy",
    ]


def test_push_refuses_a_tag_that_moves(tmp_path):
    done = subprocess.run([CHECKOUT / "deploy" / "ecr" / "push", "latest"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "rolled back" in done.stderr


def test_the_pushed_names_are_those_of_the_parameters():
    parameters = ecs.parameters()
    names = [parameters[name].rpartition("/")[2].partition(":")[0] for name in ("WorkerImage", "ProxyImage")]
    assert names == ["openapi-mcp-server", "openapi-mcp-server-proxy"]


@pytest.mark.parametrize("file", sorted((CHECKOUT / "deploy" / "iam").glob("*.json")), ids=lambda file: file.name)
def test_a_policy_allows_single_actions(file):
    policy = msgspec.json.decode(file.read_bytes())
    assert policy["Version"] == "2012-10-17"
    for statement in policy["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not any("*" in action for action in actions)
        if statement["Resource"] == "*":  # of those that take no resource
            assert all(action.startswith("xray:") or action == "aps:ListWorkspaces" for action in actions)


def test_promtool_takes_the_agents_configuration():
    code, said = promtool("check", "config", "--agent", CHECKOUT / "deploy" / "prometheus" / "agent.yml")
    assert code == 0, said


def test_the_managed_collector_finds_the_charts_pods_by_label_and_port():
    (job,) = yaml.safe_load((CHECKOUT / "deploy/prometheus/scraper.yml").read_text("utf-8"))["scrape_configs"]
    label, port = job["relabel_configs"][0]["regex"].split(";")
    (deployment,) = [
        each
        for each in yaml.safe_load_all((CHECKOUT / "deploy/kubernetes/base/all.yaml").read_text("utf-8"))
        if each["kind"] == "Deployment"
    ]
    pod = deployment["spec"]["template"]
    ports = {each["name"] for container in pod["spec"]["containers"] for each in container["ports"]}
    assert pod["metadata"]["labels"]["app.kubernetes.io/name"] == label
    assert port in ports
    assert job["job_name"] == "openapi-mcp-server"


# ---- secrets ----


def test_the_table_about_the_secret_has_the_keys_that_the_template_reads():
    page = (CHECKOUT / "docs" / "deploy" / "ecs.md").read_text("utf-8")
    for kind in ("bearer", "basic", "api_key", "cognito"):
        row = re.search(rf"^ *\| `{kind}` \| (.*) \|$", page, re.MULTILINE)
        worker = ecs.container(ecs.task_definition(ecs.resources(AuthType=kind)), "worker")
        keys = {each["valueFrom"].split(":")[7] for each in worker["secrets"] if each["valueFrom"].count(":") > 6}
        assert set(re.findall(r"`(\w+)`", row[1])) == keys
