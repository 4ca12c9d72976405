"""The stack's description by itself: what compose.yaml promises of every service, and that its files and limits fit."""

from __future__ import annotations

import fcntl
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

import nginx
from openapi_mcp_server.process import limits
from openapi_mcp_server.server.access.proxies import Proxies, Seen
from openapi_mcp_server.server.posts import Refusal
from openapi_mcp_server.server.visitors import allowed
from openapi_mcp_server.settings.config import load
from openapi_mcp_server.settings.table import SETTINGS
from processes import CHECKOUT, PAGES, environment

STACK = yaml.safe_load((CHECKOUT / "compose.yaml").read_text("utf-8"))
DEMO = yaml.safe_load((CHECKOUT / "deploy" / "compose" / "demo" / "stack.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = STACK["services"] | DEMO["services"]
NETWORKS: dict[str, Any] = STACK["networks"] | DEMO["networks"]
NAMES = {setting.name for setting in SETTINGS}
COMPOSE = CHECKOUT / "deploy" / "compose"

every_service = pytest.mark.parametrize("name", SERVICES)


def interpolated(text: object, **variables: str) -> str:
    """As Compose does it, as far as compose.yaml uses it: ``${NAME:-default}`` and ``${NAME:+instead}``, also inside of
    another's default."""

    def value(found: re.Match[str]) -> str:
        given = variables.get(found[1], "")
        return (given or found[3]) if found[2] == ":-" else (found[3] if given else "")

    inner = re.compile(r"\$\{(\w+)(:[-+])([^${}]*)\}")
    made = str(text)
    while inner.search(made):
        made = inner.sub(value, made)
    return made


def lines(file: str) -> list[str]:
    text = (COMPOSE / file).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def pairs(file: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in lines(file))


def seconds(period: str) -> int:
    return int(period.removesuffix("s"))


def image_environment() -> dict[str, str]:
    dockerfile = (CHECKOUT / "Dockerfile").read_text("utf-8")
    return dict(re.findall(r"\b((?:SERVER|INBOUND|SHUTDOWN)_\w+)=(\S+)", dockerfile))


def worker_environment(**variables: str) -> dict[str, str]:
    """What the worker sees, of what it knows: the later of these wins, as with Docker."""
    which = interpolated(SERVICES["worker"]["env_file"][1], **variables).removeprefix("deploy/compose/")
    passed = {name: variables[name] for name in lines("settings.env") if name in variables}
    own = {name: interpolated(value, **variables) for name, value in SERVICES["worker"]["environment"].items()}
    added = {name: interpolated(value, **variables) for name, value in pairs(which).items()}
    return {**image_environment(), **passed, **added, **own}


def test_the_images_are_those_that_the_documentation_names():
    assert {name: service["image"] for name, service in SERVICES.items() if "image" in service} == {
        "proxy": "nginx:1.28",
        "prometheus": "prom/prometheus:v3.11.3",
        "xray": "public.ecr.aws/xray/aws-xray-daemon:3.x",
        "grafana": "grafana/grafana:12.4.5",
        "valkey": "valkey/valkey:8.1",
    }
    assert {name for name, service in SERVICES.items() if "build" in service} == {"worker", "demo"}


@every_service
def test_a_service_writes_nowhere_gains_nothing_and_cannot_fill_the_machine(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "cap_add" not in service
    assert {"mem_limit", "pids_limit"} <= set(service)
    assert {"max-size", "max-file"} == set(service["logging"]["options"])


@every_service
def test_a_service_says_whether_it_is_well(name):
    from_image = "build" in SERVICES[name] and "HEALTHCHECK" in (CHECKOUT / "Dockerfile").read_text("utf-8")
    # The X-Ray daemon's image has nothing but the daemon in it: no program to ask with.
    assert ("healthcheck" in SERVICES[name] or from_image) is (name != "xray")


def test_only_the_proxy_and_the_operators_pages_are_published_and_only_on_this_machine():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"proxy", "prometheus", "grafana"}
    assert [interpolated(port) for ports in published.values() for port in ports] == [
        "127.0.0.1:8000:8000",
        "127.0.0.1:9090:9090",
        "127.0.0.1:3000:3000",
    ]


def test_with_a_certificate_the_published_port_and_the_health_check_are_those_of_tls():
    given = {"PROXY_TLS_CERTIFICATE_FILE": "./both.pem"}
    proxy, inside = SERVICES["proxy"], nginx.defaults()["PROXY_TLS_PORT"]
    assert interpolated(proxy["ports"][0], **given) == f"127.0.0.1:8000:{inside}"
    assert interpolated(proxy["healthcheck"]["test"][-1], **given) == f"https://127.0.0.1:{inside}/readyz"
    mounted = {each["target"]: STACK["secrets"][each["source"]]["file"] for each in proxy["secrets"]}
    both = {"/etc/nginx/tls/tls.crt": "./both.pem", "/etc/nginx/tls/tls.key": "./both.pem"}
    assert {target: interpolated(file, **given) for target, file in mounted.items()} == both
    assert interpolated(mounted["/etc/nginx/tls/tls.key"], **given, PROXY_TLS_KEY_FILE="./tls.key") == "./tls.key"
    assert {interpolated(file) for file in mounted.values()} == {"/dev/null"}


def test_the_documented_file_opens_the_stack_to_others_over_tls_and_with_tokens():
    (block,) = re.findall(r"```ini\n(.*?)```", (CHECKOUT / "docs/deploy/compose.md").read_text("utf-8"), re.DOTALL)
    given = dict(line.split("=", 1) for line in block.splitlines())
    assert interpolated(SERVICES["proxy"]["ports"][0], **given) == f"0.0.0.0:443:{nginx.defaults()['PROXY_TLS_PORT']}"
    assert interpolated(SERVICES["proxy"]["environment"]["PROXY_SERVER_NAMES"], **given) == "mcp.example.com"
    tokens = '[{"name": "agents", "token": "0123456789abcdef"}]'
    files = {"/run/secrets/inbound_tokens": tokens}
    config = load([], worker_environment(TRACING="none", **given), files.__getitem__)
    assert config.inbound.kind == "token"


def test_the_worker_is_reached_through_the_proxy_and_the_demo_api_reaches_nobody():
    members = {network: {name for name in SERVICES if network in SERVICES[name]["networks"]} for network in NETWORKS}
    assert members["front"] == {"proxy", "worker"}
    assert members["back"] == {"worker", "demo"}
    assert NETWORKS["back"] == {"internal": True}


@pytest.mark.parametrize("given", [{}, {"TRUSTED_PROXIES": "127.0.0.1,100.64.0.0/10"}], ids=["nothing", "another"])
def test_the_worker_believes_the_proxy_whatever_else_it_is_told_to_believe(given):
    config = load([], worker_environment(TRACING="none", **given), lambda path: "")
    proxies = Proxies(config.trusted_proxies)
    for beside in ("172.18.0.5", "192.168.176.3", *(["100.64.0.2"] if given else [])):
        told = {b"x-forwarded-for": b"203.0.113.9", b"x-forwarded-proto": b"https"}
        assert proxies.seen({"client": (beside, 1)}, told) == Seen("203.0.113.9", "https")


def test_prometheus_scrapes_the_worker_whatever_hosts_clients_may_name():
    config = load([], worker_environment(TRACING="none", ALLOWED_HOSTS="mcp.example.com"), lambda path: "")
    (target,) = scraped()
    for host in (target, "mcp.example.com"):
        allowed(config).check({b"host": host.encode()})
    with pytest.raises(Refusal):
        allowed(config).check({b"host": b"rebound.example:9090"})
    assert load([], worker_environment(TRACING="none"), lambda path: "").allowed_hosts == ()


def test_a_stop_goes_from_the_outside_to_the_inside():
    assert SERVICES["proxy"]["depends_on"]["worker"]["condition"] == "service_healthy"
    assert SERVICES["worker"]["depends_on"] == {
        "demo": {"condition": "service_healthy", "required": False},
        "xray": {"condition": "service_started"},
    }


def test_each_service_is_given_longer_to_stop_than_it_takes():
    config = load([], worker_environment(TRACING="none"), lambda path: "")
    command = " ".join(SERVICES["proxy"]["command"])
    proxy_drain = int(re.findall(r"worker_shutdown_timeout (\d+)s", command)[0])
    worker_drain = config.shutdown_grace_seconds + config.shutdown_lame_duck_seconds
    assert config.message_timeout_seconds < proxy_drain < seconds(SERVICES["proxy"]["stop_grace_period"])
    assert worker_drain < seconds(SERVICES["worker"]["stop_grace_period"])
    assert config.message_timeout_seconds < seconds(nginx.defaults()["PROXY_READ_TIMEOUT"])


def mebibytes(size: str) -> int:
    return int(size[:-1]) * {"m": 1, "g": 1024}[size[-1]]


def test_the_worker_has_memory_for_its_budget_two_catalogs_and_the_step_that_a_call_is_in(tmp_path):
    group = tmp_path / "sys/fs/cgroup/memory.max"
    group.parent.mkdir(parents=True)
    group.write_text(str(mebibytes(SERVICES["worker"]["mem_limit"]) * 2**20))
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/\n")
    one_catalog, one_step = 120, 64  # GitHub's document; what tests/test_memory.py holds a call to
    budget = limits.budget_bytes(1, tmp_path) // 2**20
    assert budget == 512
    assert budget + 2 * one_catalog + one_step <= mebibytes(SERVICES["worker"]["mem_limit"])


def test_the_proxy_has_memory_for_the_connections_that_it_takes():
    file = nginx.TEMPLATE.read_text("utf-8")
    (body,) = re.findall(r"client_body_buffer_size (\d+)k;", file)
    ((count, header),) = re.findall(r"large_client_header_buffers (\d+) (\d+)k;", file)
    each = int(body) + int(count) * int(header) + 8  # and the head of an answer
    assert f"up to {each} kB" in file
    every = int(nginx.defaults()["PROXY_ALL_CONNECTIONS"]) * each / 1024
    assert every + 32 <= mebibytes(SERVICES["proxy"]["mem_limit"])


@every_service
def test_what_a_service_mounts_or_reads_is_there(name):
    service = SERVICES[name]
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        assert (CHECKOUT / source).exists() if source.startswith(".") else source in STACK["volumes"], source
        assert volume.endswith(":ro") or not source.startswith(".")
    for given in ({}, {"API_SPEC_URL": "https://api.example.com"}, {"API_SPEC_PATH": "a"}, {"WORKERS": "4"}):
        for file in service.get("env_file", []):
            assert (CHECKOUT / interpolated(file, **given)).is_file(), file


def test_every_setting_is_passed_on_and_nothing_else():
    # The docker command gives this one to its plugins, so what arrives would be its own.
    assert lines("settings.env") == [each.name for each in SETTINGS if each.name != "OTEL_RESOURCE_ATTRIBUTES"]
    known = NAMES | {f"{name}_FILE" for name in NAMES}
    assert set(SERVICES["worker"]["environment"]) | set(pairs("demo/settings.env")) <= known


def test_every_secret_may_be_a_file_of_the_host():
    secret = {setting.name for setting in SETTINGS if setting.secret} | {"ADDITIONAL_SPECS"}
    assert set(SERVICES["worker"]["secrets"]) == {name.lower() for name in secret}
    for name in secret:
        inside = SERVICES["worker"]["environment"][f"{name}_FILE"]
        assert interpolated(inside) == ""
        assert interpolated(inside, **{f"{name}_FILE": "./a"}) == f"/run/secrets/{name.lower()}"
        assert interpolated(STACK["secrets"][name.lower()]["file"], **{f"{name}_FILE": "./a"}) == "./a"
    assert {interpolated(one["file"]) for one in STACK["secrets"].values()} == {"/dev/null"}


@every_service
def test_no_secret_stands_in_the_description(name):
    for variable, value in SERVICES[name].get("environment", {}).items():
        if re.search("SECRET|PASSWORD|TOKEN|_KEY", variable):
            assert value is None or interpolated(value) == "", variable


NAMING = ("API_SPEC_URL", "API_SPEC_PATH", "ADDITIONAL_SPECS", "ADDITIONAL_SPECS_FILE")
"""Each way to name a document."""


@pytest.mark.parametrize("name", NAMING)
def test_however_a_document_is_named_nothing_of_the_demo_api_is_added(name):
    given = {name: "README.md"}
    assert lines(interpolated(SERVICES["worker"]["env_file"][1], **given).removeprefix("deploy/compose/")) == []
    services = yaml.safe_load((CHECKOUT / interpolated(STACK["include"][0]["path"], **given)).read_text("utf-8"))[
        "services"
    ]
    assert services == {"demo": {"image": "scratch", "profiles": ["never"]}}


def test_the_ways_to_name_a_document_are_those_of_the_server():
    named = {row.name for row in SETTINGS if row.name.endswith(("SPEC_URL", "SPEC_PATH", "_SPECS"))} | {
        "ADDITIONAL_SPECS_FILE"
    }
    assert named == set(NAMING)
    assert set(re.findall(r"\$\{(\w+)", STACK["include"][0]["path"])) == set(NAMING)


@pytest.mark.parametrize("name", ["ALLOW_PRIVATE_NETWORKS", "ALLOW_INSECURE_HTTP"])
def test_a_permission_that_is_refused_explicitly_stays_refused(name):
    assert worker_environment(**{name: "false"})[name] == "false"


def test_without_an_address_the_demo_api_is_served_and_with_one_nothing_of_it_is_left():
    demo = load([], worker_environment(TRACING="none"), lambda path: "")
    assert (demo.apis[0].location, demo.apis[0].base_url) == ("http://demo:8000/openapi.yaml", "http://demo:8000")
    assert demo.allow_private_networks
    given = {
        "API_SPEC_URL": "https://api.example.com/openapi.json",
        "AUTH_TYPE": "bearer",
        "AUTH_TOKEN_FILE": "./token",
    }
    other = load([], worker_environment(TRACING="none", **given), {"/run/secrets/auth_token": "sesame\n"}.__getitem__)
    assert other.apis[0].location == "https://api.example.com/openapi.json"
    assert (other.apis[0].base_url, other.apis[0].auth.token) == (None, "sesame")
    assert not other.allow_private_networks
    assert not other.allow_insecure_http


def test_a_document_of_the_host_is_mounted_and_served():
    given = {"API_SPEC_PATH": "./openapi.yaml", "API_BASE_URL": "https://api.example.com"}
    config = load([], worker_environment(TRACING="none", **given), lambda path: "")
    (mount,) = SERVICES["worker"]["configs"]
    assert (config.apis[0].location, config.apis[0].base_url) == (mount["target"], "https://api.example.com")
    assert interpolated(STACK["configs"][mount["source"]]["file"], **given) == "./openapi.yaml"
    assert interpolated(STACK["configs"][mount["source"]]["file"]) == "/dev/null"
    assert not config.allow_private_networks


@pytest.mark.parametrize(
    ("count", "places"),
    [
        (1, ["worker:8000"] * 4),
        (2, ["worker:8000", "worker:8001"] * 2),
        (3, ["worker:8000", "worker:8001", "worker:8002", "worker:8000 down"]),
        (4, ["worker:8000", "worker:8001", "worker:8002", "worker:8003"]),
    ],
)
def test_the_proxy_knows_each_worker_by_its_number_and_spreads_calls_evenly(count, places):
    assert pairs(f"workers-{count}.env") == {f"PROXY_WORKER_{n}": place for n, place in enumerate(places)}


def test_the_proxy_takes_its_defaults_and_what_it_is_given_instead():
    fixed = {"PROXY_PORT", "PROXY_TLS_PORT", *(f"PROXY_WORKER_{n}" for n in range(4))}
    passed = SERVICES["proxy"]["environment"]
    assert {name: interpolated(value) for name, value in passed.items()} == {
        name: value for name, value in nginx.defaults().items() if name not in fixed
    }
    assert {interpolated(value, **{name: "given"}) for name, value in passed.items()} == {"given"}


DOCKER = """#!/bin/sh
echo "$@" >>"$TOLD"
case "$*" in
  *"ps --quiet --status running worker") echo old ;;
  *"ps --all --quiet worker") echo old; echo new ;;
  *" up "*) eval "$UP" ;;
  *" reload") eval "$RELOAD" ;;
  *" ps --format"*) echo stack-worker-2 ;;
  "logs "*) echo "LOG_LEVEL: 'loud' must be one of these" ;;
esac
"""
"""A docker that writes down what it is told."""


def rolled(folder: Path, up: str = ":", reload: str = ":") -> tuple[int, str, list[str]]:
    """(exit code, what deploy/compose/roll said, what docker was told)"""
    (folder / "docker").write_text(DOCKER)
    (folder / "docker").chmod(0o755)
    (folder / "told").touch()
    environ = {"PATH": f"{folder}:/usr/bin:/bin", "TOLD": str(folder / "told"), "UP": up, "RELOAD": reload}
    done = subprocess.run([COMPOSE / "roll", "-p", "a"], capture_output=True, text=True, check=False, env=environ)
    return done.returncode, done.stdout + done.stderr, (folder / "told").read_text().splitlines()


@pytest.mark.parametrize(
    ("goes_wrong", "reason"),
    [
        ({"up": "exit 1"}, "'loud' must be"),
        ({"up": "kill -TERM $PPID"}, ""),
        ({"reload": "echo no proxy; exit 1"}, "no proxy"),
    ],
    ids=["they do not start", "interrupted", "no proxy"],
)
def test_new_workers_that_the_proxy_never_learns_of_are_removed_and_the_old_ones_serve_on(goes_wrong, reason, tmp_path):
    code, said, told = rolled(tmp_path, **goes_wrong)
    assert code == 1
    assert reason in said
    assert "the old ones serve on" in said
    assert told[-1] == "rm --force new"
    assert told.count("rm --force new") == 2  # what was left by another roll, and its own
    assert not [each for each in told if each.startswith("stop")]


def test_a_second_roll_beside_another_changes_nothing(tmp_path):
    with (COMPOSE / "roll").open("rb") as script:
        fcntl.flock(script, fcntl.LOCK_EX)
        code, said, told = rolled(tmp_path)
    assert (code, told) == (1, [])
    assert "another one is under way" in said


def test_a_roll_that_has_begun_to_stop_the_old_workers_is_not_broken_off(tmp_path):
    code, said, told = rolled(tmp_path, reload="grep -q ^stop $TOLD && kill -TERM $PPID; :")
    assert (code, told[-2].split()[-1]) == (0, "reload")
    assert said.startswith("roll: 1 replaced")


def test_old_workers_are_stopped_once_the_proxy_knows_the_new_ones_and_what_was_left_is_removed_first(tmp_path):
    code, said, told = rolled(tmp_path)
    assert (code, said) == (0, "roll: 1 replaced; new: stack-worker-2\n")
    steps = [each.removeprefix("compose --progress quiet -p a ") for each in told if " ps " not in each]
    assert steps == [
        "rm --force new",
        "up --detach --wait --no-deps --no-recreate --scale worker=2 worker",
        "exec -T proxy nginx -s reload",
        "stop -t 75 old",
        "rm old",
        "exec -T proxy nginx -s reload",
    ]


def documented() -> list[str]:
    blocks = [block for page in PAGES for block in re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.DOTALL)]
    return [line for block in blocks for line in block.splitlines() if "docker compose" in line]


@pytest.mark.parametrize("line", documented())
def test_a_documented_command_of_the_stack_is_understood(line):
    words = shlex.split(line, comments=True)
    place = words.index("docker")
    given = dict(word.split("=", 1) for word in words[:place])
    assert set(given) <= set(re.findall(r"\$\{(\w+)", str(STACK))) | NAMES
    profile = ["--profile", "valkey"] if given.get("SHARED_STATE") else []
    assert words[place:] in (["docker", "compose", *profile, "up"], ["docker", "compose", "build", "worker"])
    assert load([], worker_environment(**{"TRACING": "none", **given}), lambda path: "secret") is not None


def compose_config(**variables: str) -> dict[str, Any]:
    asked = ["docker", "compose", "version"]
    if shutil.which("docker") is None or subprocess.run(asked, capture_output=True, check=False).returncode:
        pytest.skip("docker with its compose plugin is not installed")
    done = subprocess.run(
        [
            "docker",
            "compose",
            "--env-file",
            "/dev/null",
            "--profile",
            "grafana",
            "--profile",
            "valkey",
            "config",
            "--format",
            "json",
        ],
        cwd=CHECKOUT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return msgspec.json.decode(done.stdout)["services"]


def test_the_store_of_limits_is_reached_by_the_worker_alone_and_keeps_nothing():
    assert SERVICES["valkey"]["networks"] == ["shared"]
    assert NETWORKS["shared"] == {"internal": True}
    assert {name for name, service in SERVICES.items() if "shared" in service.get("networks", [])} == {
        "worker",
        "valkey",
    }
    assert "volumes" not in SERVICES["valkey"]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"API_SPEC_URL": "https://api.example.com/a.json", "API_NAME": "a", "LOG_LEVEL": "DEBUG"},
        {"ADDITIONAL_SPECS": "[]"},
    ],
    ids=["demo", "another", "several"],
)
def test_compose_understands_it_as_these_tests_do(given):
    services = compose_config(**given)
    assert set(services) == set(SERVICES) - ({"demo"} if given else set())
    ours = {name: value for name, value in worker_environment(**given).items() if name not in image_environment()}
    theirs = services["worker"]["environment"]
    assert {name: theirs.get(name) for name in ours} == ours
    assert set(theirs) - set(ours) <= set(image_environment())


def test_compose_passes_on_what_the_proxy_is_given():
    proxy = compose_config(WORKERS="2", PROXY_RATE="7r/s")["proxy"]["environment"]
    assert (proxy["PROXY_WORKER_1"], proxy["PROXY_RATE"]) == ("worker:8001", "7r/s")
    assert set(proxy) == set(nginx.defaults())


def scraped() -> list[str]:
    description = yaml.safe_load((CHECKOUT / "deploy" / "prometheus" / "prometheus.yml").read_text("utf-8"))
    return [
        target for job in description["scrape_configs"] for each in job["static_configs"] for target in each["targets"]
    ]


def test_prometheus_scrapes_the_worker_where_its_metrics_are():
    assert f"worker:{SERVICES['worker']['environment']['PROMETHEUS_PORT']}" in scraped()


def test_grafana_finds_its_dashboards_and_prometheus_where_the_stack_has_them():
    provisioned = [
        yaml.safe_load(file.read_text("utf-8"))
        for file in (CHECKOUT / "deploy" / "grafana").glob("provisioning/*/*.yaml")
    ]
    mounts = {volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]}
    paths = {provider["options"]["path"] for one in provisioned for provider in one.get("providers", [])}
    assert paths
    assert paths <= mounts
    assert {source["url"] for one in provisioned for source in one.get("datasources", [])} == {"http://prometheus:9090"}
