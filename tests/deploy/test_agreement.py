"""Files of all platforms agree with each other and with the server: changing any one number in them fails here."""

from __future__ import annotations

import copy
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any

import agreement
import ecs
import ecs_rules
import msgspec
import pytest
from agreement import BOOK, Files
from ecs_rules import environment

import nginx
from openapi_mcp_server.settings.config import load
from openapi_mcp_server.settings.table import SETTINGS
from processes import CHECKOUT

NAMES = {setting.name for setting in SETTINGS}
FREE = (
    (r"TaskDefinition.*(\.Cpu|\.Memory)$", "sizes: ecs_rules has what Fargate gives"),
    (r"HealthCheck\.(Interval|Timeout|Retries)$|proxy.*StartPeriod", "how soon a sick container is noticed"),
    (r"TargetGroup.*\.(HealthCheck(Interval|Timeout)Seconds|(Healthy|Unhealthy)ThresholdCount|HttpCode)$", "likewise"),
    (r"(periodSeconds|failureThreshold|timeoutSeconds)$|healthcheck-(interval|timeout)", "likewise"),
    (r"HealthCheck\.Command", "how long a probe waits, and its version of HTTP"),
    (r"max-buffer-size|sizeLimit|resources\.|maxSkew|rollingUpdate", "room"),
    (
        r"DeploymentConfiguration|(min|max)Replicas|scaleUp|maxUnavailable",
        "how many, and how fast they come",
    ),
    (r"PROXY_TRUSTED|cidr|CidrIp|VpcId|Subnets|networkpolicy.*egress", "the reader's network"),
    (
        r"Arn$|Secrets\.|Dimensions|role-arn|certificate-arn|AlarmNames|Service\.Properties\.TaskDefinition|\.Image$|\.Type$|Architecture|region$",
        "names",
    ),
    (r"defaultMode", "that nginx's image may run a script: test_chart.py"),
    (r"apiVersion|labels|matchLabels|checksum|\.data\.|CW_CONFIG_CONTENT|k8s", "names, and what is read whole"),
)
"""Places whose numbers nothing else depends on, and why."""


@cache
def files() -> Files:
    return Files()


def test_each_wait_is_shorter_than_the_wait_around_it():
    assert agreement.broken_relations(BOOK) == []


@pytest.mark.parametrize("relation", agreement.RELATIONS)
def test_a_relation_means_something(relation):
    """The greater side made small is noticed."""
    greatest = re.split(r" <=? ", relation)[1].split(" + ")[0]
    if greatest in BOOK:
        assert relation in agreement.broken_relations({**BOOK, greatest: 0})
    else:
        least = relation.split(" < ")[0]
        assert relation in agreement.broken_relations({**BOOK, least: 10_000})


def test_every_file_says_what_the_table_says():
    assert agreement.differences(files()) == []
    assert {fact for _, fact, _ in agreement.everything(files())} | {"grace of calls in flight"} == set(BOOK)


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(path, the container, the key in it) of each leaf with a number in it."""
    pairs: Any = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(pairs):
        name = value.get("Name") or value.get("name") or value.get("Key") if isinstance(value, dict) else None
        here = f"{path}.{name or key}" if isinstance(node, list) else f"{path}.{key}"
        if isinstance(value, (dict, list)):
            yield from leaves(value, here)
        elif not isinstance(value, bool) and re.search(r"\d", str(value)):
            yield here, node, key


def raised(value: Any) -> Any:
    """Another number in its place."""
    if isinstance(value, (int, float)):
        return value + 1
    return re.sub(r"\d+(?=\D*$)", lambda found: str(int(found[0]) + 1), value, count=1)


def is_free(path: str) -> bool:
    return any(re.search(pattern, path) for pattern, _ in FREE)


def chain_of_ecs(made: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in (
        "TaskDefinition", "LoadBalancer", "TargetGroup", "Listener", "Service", "LoadBalancerSecurityGroup",
        "TaskSecurityGroup", "TasksFromTasks", "TasksToTasks", "ScaleOnCpu", "ScaleOnCalls", "ScaleOnSessions",
    ):  # fmt: skip
        yield from leaves(made[name], name)


def is_noticed(changed: Files) -> bool:
    try:
        return bool(agreement.differences(changed) or ecs_rules.faults(changed.ecs, ecs.task_definition(changed.ecs)))
    except (KeyError, IndexError, ValueError, AssertionError, AttributeError):  # it is not even found any more
        return True


def unnoticed(changed: Files, numbers: Iterator[tuple[str, Any, Any]]) -> list[str]:
    """Where a number may change without a word."""
    found = []
    for path, holder, key in list(numbers):
        if not is_free(path):
            before = holder[key]
            holder[key] = raised(before)
            if not is_noticed(changed):
                found.append(path)
            holder[key] = before
    return found


def test_a_number_of_the_ecs_template_cannot_change_alone():
    changed = copy.copy(files())
    changed.ecs = copy.deepcopy(changed.ecs)
    assert "\n".join(unnoticed(changed, chain_of_ecs(changed.ecs))) == ""


@pytest.mark.parametrize("name", ["base", "alb", "gateway"])
def test_a_number_of_the_manifests_cannot_change_alone(name):
    changed = copy.copy(files())
    changed.manifests = copy.deepcopy(changed.manifests)
    for document in changed.manifests[name]:
        assert "\n".join(unnoticed(changed, leaves(document, document["kind"].lower()))) == ""


FREE_LINES = (
    (
        "compose.yaml",
        r"on-failure:|max-size|interval:|timeout:|retries:|^      start_period:",
        "how often is tried and looked",
    ),
    ("compose.yaml", r"mem_limit|pids_limit|maxmemory|retention|buffer-memory", "room on the reader's machine"),
    ("compose.yaml", r"stop_grace_period: (30|15|5)s", "of services that keep nothing: test_compose.py has the order"),
    ("compose.yaml", r"env_file|workers-|AWS_REGION|PROXY_SERVER_NAMES|TRUSTED_PROXIES", "names"),
    ("compose.yaml", r"127\.0\.0\.1", "this machine alone: test_compose.py"),
    ("compose.yaml", r"curl.*-m", "how long a probe waits"),
    ("Dockerfile", r"HEALTHCHECK", "how often is looked"),
    ("Dockerfile", r"/dev/tcp|-perm|Apache|PYTHON\w+=1", "test_image.py and test_supervisor.py run it"),
    ("proxy/Dockerfile", r"HEALTHCHECK|curl", "how often is looked"),
    ("proxy/Dockerfile", r"Apache", "a name"),
    ("proxy/nginx.conf", r"ssl_(session_cache|protocols)", "tests/proxy/test_proxy_files.py: gixy"),
    ("proxy/nginx.conf", r"zone |keepalive (16|64)|keepalive_requests|max_fails", "room, and that nobody is put aside"),
    (
        "proxy/nginx.conf",
        r"\b[2-5]\d\d\b|~\^5|default +(1|-32600)|a message may have",
        "statuses: tests/proxy/test_proxy.py",
    ),
    ("proxy/nginx.conf", r"asked_port|passed_on|server_names_hash", "a digit; test_proxy.py; test_proxy_files.py"),
    ("proxy/nginx.conf", r"allow |proxy_http_version", "private networks; HTTP/1.1 keeps connections"),
    ("proxy/defaults.env", r"PROXY_SERVER_NAMES", "names"),
    ("deploy/prometheus/agent.yml", r"url:|region:", "the reader's workspace"),
    ("deploy/agentcore/app.py", r"Fn\.join", "escapes: test_agentcore.py"),
    ("deploy/agentcore/openapi_mcp_server_runtime.py", r"parents|noqa|ACKNOWLEDGED|_IDENTITIES|AwsSolutions", "names"),
    ("deploy/api-gateway/template.yaml", r"AWSTemplateFormatVersion|W1030|StageName|Deployment1|PublicName:", "names"),
    ("deploy/helm/openapi-mcp-server/values.yaml", r"grafana_dashboard", "as Grafana's own chart has it"),
    ("deploy/helm/openapi-mcp-server/values.yaml", r"trustedCidr|cpu:|memory:|callsInFlight", "the reader's cluster"),
)
"""Lines of files that people write whose numbers nothing else depends on, and why."""


def mutants(path: str) -> Iterator[tuple[int, str]]:
    """(number of the line, the content with another number in it), of each number outside of comments."""
    content = agreement.text(path)
    for found in re.finditer(r"(?<![\w.])\d+", content):
        begin = content.rfind("\n", 0, found.start()) + 1
        line = content[begin : content.find("\n", found.start())]
        said = content[begin : found.start()]
        if "#" in said or any(path == file and re.search(free, line) for file, free, _ in FREE_LINES):
            continue
        changed = content[: found.start()] + str(int(found[0]) + 1) + content[found.end() :]
        yield content.count("\n", 0, begin) + 1, changed


@pytest.mark.parametrize("path", agreement.TEXTS)
def test_a_number_of_a_file_that_people_write_cannot_change_alone(path):
    changed, unnoticed_lines, tried = copy.copy(files()), [], 0
    for number, content in mutants(path):
        tried += 1
        try:
            changed.take(path, content)
        except ValueError:
            continue
        if not is_noticed(changed):
            unnoticed_lines.append(f"{path}:{number}")
    assert unnoticed_lines == []
    assert tried > 0


TOKENS = '[{"name": "agents", "token": "0123456789abcdef"}]'


def all_workers() -> Iterator[tuple[str, dict[str, str]]]:
    """(where, variables) of every worker that the files start, secrets with a value that says nothing."""
    for name, changed in ecs.VARIANTS.items():
        worker = ecs.container(ecs.task_definition(ecs.resources(**changed)), "worker")
        yield f"ECS, {name}", {**environment(worker), **{each["name"]: "secret" for each in worker.get("secrets", [])}}
    for name, documents in files().manifests.items():
        yield f"EKS, {name}", environment(agreement.of_pod(documents, "worker"))


@pytest.mark.parametrize(("where", "values"), list(all_workers()), ids=[where for where, _ in all_workers()])
def test_a_worker_is_given_settings_that_there_are(where, values):
    assert set(values) - NAMES == set()


@pytest.mark.parametrize(("where", "values"), list(all_workers()), ids=[where for where, _ in all_workers()])
def test_the_server_takes_a_workers_settings_and_stops_within_the_chain(where, values):
    of_platform = {"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/1"}
    taken = {**values, **of_platform}
    if "SESSION_ADDRESS" in taken:  # Kubernetes puts the pod's own address in, and the key comes from a secret
        taken["SESSION_ADDRESS"] = taken["SESSION_ADDRESS"].replace("$(POD_IP)", "10.1.2.3")
        taken["SESSION_KEY"] = "k" * 64
    if taken.get("AUTH_TYPE") == "bearer":  # likewise
        taken = {"AUTH_TOKEN": "secret", **taken}
    if taken.get("INBOUND_AUTH") == "token" or "INBOUND_TOKENS" in taken:  # Kubernetes' come from a secret, too
        taken["INBOUND_TOKENS"] = TOKENS
    if taken.get("SHARED_STATE") == "secret":
        taken["SHARED_STATE"] = "valkeys://:secret@cache.example.com"
    config = load([], taken, lambda path: TOKENS if "TOKENS" in path.upper() else "secret")
    assert config.message_timeout_seconds == BOOK["a call"]
    assert config.shutdown_grace_seconds == BOOK["grace of calls in flight"]
    assert config.http_max_connections == BOOK["connections to an API"]
    assert (config.port, config.prometheus_port) == (BOOK["the worker"], BOOK["metrics"])


def test_the_settings_table_has_the_same_defaults():
    defaults = {setting.name: setting.default for setting in SETTINGS}
    assert defaults["SERVER_MESSAGE_TIMEOUT"] == str(BOOK["a call"])
    assert defaults["SERVER_PORT"] == str(BOOK["the worker"])
    assert defaults["PROMETHEUS_PORT"] == str(BOOK["metrics"])
    assert defaults["HTTP_MAX_CONNECTIONS"] == str(BOOK["connections to an API"])
    assert defaults["AUTH_TOKEN_TTL"] == str(BOOK["a token"])


def test_a_proxy_is_given_every_one_of_its_variables_and_no_other():
    wanted = set(files().defaults)
    given = {where: set(values) for where, values in agreement.all_proxies(files()) if where != "defaults.env"}
    assert {where: names ^ wanted for where, names in given.items() if names != wanted} == {}


@pytest.mark.parametrize("where", ["ECS", "EKS (alb)"])
def test_nginx_takes_what_a_proxy_is_given(where, tmp_path):
    values = dict(agreement.all_proxies(files()))[where]
    main = nginx.configuration(tmp_path, **values)
    tried = subprocess.run(
        [nginx.program(), "-t", "-p", str(tmp_path), "-c", str(main)], capture_output=True, text=True, check=False
    )
    assert tried.returncode == 0, tried.stderr


def test_every_variable_in_the_deployment_files_exists():
    known = NAMES | set(files().defaults)
    known |= {f"{name}_FILE" for name in known}
    known |= {
        "PROXY_TLS_PEM",
        "PROXY_TLS_CERTIFICATE_FILE",
        "PROXY_TLS_KEY_FILE",
    }  # of the proxy's image, and of compose
    known |= set(re.findall(r"\$\{(\w+_PUBLISH_PORT)", agreement.text("compose.yaml")))  # of the machine's own ports
    prefixes = "SERVER|API|AUTH|HTTP|SHUTDOWN|SPEC|PROMETHEUS|ENABLE|INBOUND|SESSION|SHARED|PUBLIC|PROXY|TOOL|ALLOW|LOG"
    named = re.compile(rf"\b(?:{prefixes})_[A-Z_0-9]*[A-Z0-9]\b")
    # Names of the CloudWatch agent, of a shell in the template, and of a kind of integration.
    others = {"PROMETHEUS_CONFIG_CONTENT", "PROMETHEUS_CONFIG", "HTTP_PROXY"}
    lost = {
        f"{path.relative_to(CHECKOUT)}: {name}"
        for path in [*CHECKOUT.glob("deploy/**/*"), *CHECKOUT.glob("docs/*.md"), *CHECKOUT.glob("docs/deploy/*.md")]
        if path.is_file() and path.suffix in {".yaml", ".json", ".py", ".md", ".tpl"} and "grafana" not in path.parts
        for name in named.findall(path.read_text("utf-8"))
        if name not in known | others
    }
    assert lost == set()


def test_the_metrics_that_scale_and_warn_are_measured():
    families = (CHECKOUT / "docs" / "monitoring.md").read_text("utf-8")
    for user, namespace, name, _ in ecs_rules.used_metrics(files().ecs):
        if namespace == "OpenApiMcp":
            assert f"| `{name}` | {'' if user == 'Dashboard' else 'gauge |'}" in families


def test_the_agents_configuration_names_one_port_of_metrics():
    agent = environment(ecs.container(ecs.task_definition(files().ecs), "cloudwatch-agent"))
    configuration = msgspec.json.decode(agent["CW_CONFIG_CONTENT"])
    both = (configuration["logs"], configuration["metrics"])
    paths = {each["metrics_collected"]["prometheus"]["prometheus_config_path"] for each in both}
    assert paths == {"env:PROMETHEUS_CONFIG_CONTENT"}
