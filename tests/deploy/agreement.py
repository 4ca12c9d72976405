"""Reads ports, paths, images and times out of the files of every platform, and has the one table that they must agree
with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import yaml
from ecs import TEMPLATE, VARIANTS, task_definition
from ecs_rules import environment, of_type

from cloudformation import Resolver, read
from processes import CHECKOUT
from render_task_definition import parameters

CHART = CHECKOUT / "deploy" / "helm" / "openapi-mcp-server"

BOOK: dict[str, Any] = {
    # seconds, from the inside out
    "a call": 55,
    "grace of calls in flight": 60,
    "the proxy's drain": 70,
    "the proxy's patience": 75,
    "compose: stop": 75,
    "image: lame duck": 3,
    "ECS: lame duck": 0,
    "ECS: deregistration": 75,
    "ECS: stop of the proxy": 80,
    "ECS: stop of the worker": 90,
    "ECS: stop of a sidecar": 30,
    "a remote write that is given up": 10,
    "EKS: preStop": 15,
    "EKS: lame duck": 17,
    "EKS: grace period": 90,
    "idle time of the load balancer": 120,
    "an answer through a Gateway": "0s",
    "the proxy's keep-alive behind a load balancer": 130,
    "the proxy's keep-alive": 75,
    "keep-alive to workers": 60,
    "wait for the document": 60,
    "compose: start of the worker": 90,
    "ECS: start of the worker": 90,
    "ECS: start of the worker, at most": 120,
    "ECS: start of the service": 150,
    "EKS: start of the worker": 120,
    "scaling in": 900,
    "scaling out": 60,
    "a connection to a worker": 2,
    "a request in the proxy's hands": 30,
    "a client's header": 15,
    "a client's body": 30,
    "another worker": 5,
    "a scrape": 15,
    "AgentCore: start": 120,
    "AgentCore: lame duck": 0,
    "AgentCore: idle, minutes": 15,
    "AgentCore: a session, hours": 8,
    "API Gateway: a stream": 900,
    "a token": 3600,
    # ports
    "the worker": 8000,
    "Prometheus itself": 9090,
    "Grafana's port": 3000,
    "the proxy on one machine": 8000,
    "the proxy on one machine, with TLS": 18000,
    "the proxy of a task": 8080,
    "the proxy of a task, with TLS": 8443,
    "metrics": 9090,
    "a Prometheus beside the worker": 9091,
    "X-Ray": 2000,
    "HTTPS": 443,
    "the Service": 80,
    "the proxy as its worker sees it": "127.0.0.1",
    "the worker's address where only its own task asks": "127.0.0.1",
    "the worker's address where the kubelet asks": "0.0.0.0",
    # paths
    "ready": "/readyz",
    "alive": "/livez",
    "measures": "/metrics",
    # images
    "nginx": "nginx:1.28",
    "TLS of clients": "ELBSecurityPolicy-TLS13-1-2-2021-06",
    "Prometheus": "prom/prometheus:v3.11.3",
    "X-Ray's daemon": "public.ecr.aws/xray/aws-xray-daemon:3.x",
    "Grafana": "grafana/grafana:12.4.5",
    "Valkey": "valkey/valkey:8.1",
    "Python": "python:3.13-slim",
    "Kubernetes": ">=1.30.0-0",
    "version": "0.2.0",
    "the proxy's user": 101,
    "the worker's user": 10001,
    "Valkey's user": 999,
    # limits
    "connections to an API": 100,
    "calls in flight to scale at": 70,
    "calls in flight to warn at": 90,
    "sessions": 2000,
    "sessions to scale at": 1200,
    "sessions to warn at": 1600,
    "CPU to scale at": 60,
    "tasks at most": 10,
    "requests a second": "100r/s",
    "requests at once": 200,
    "connections of a client": 256,
    "connections of all": 1500,
    "shards of a remote write": 10,
    "samples of a remote write": 1000,
    "files of nginx": 8192,
    "a message": "4m",
    "headers": "4 16k",
    "what is kept of a message": "64k",
    "pods at least": 2,
}
"""Everything that two files have to agree on. docs/deployment.md says why each is what it is."""

RELATIONS = (
    "a call < grace of calls in flight",
    "a call < the proxy's drain",
    "a call < the proxy's patience",
    "a connection to a worker < another worker",
    "another worker < a call",
    "a client's header < a call",
    "a request in the proxy's hands < a call",
    "a client's body < a call",
    "the proxy's drain < compose: stop",
    "grace of calls in flight + image: lame duck + 3 < compose: stop",
    "a call < ECS: deregistration",
    "the proxy's drain < ECS: stop of the proxy",
    "ECS: lame duck + grace of calls in flight + 3 < ECS: stop of the worker",
    "ECS: stop of the worker < 121",
    "a remote write that is given up < ECS: stop of a sidecar",
    "EKS: preStop + 2 <= EKS: lame duck",
    "EKS: lame duck + grace of calls in flight + 8 <= EKS: grace period",
    "EKS: preStop + the proxy's drain < EKS: grace period",
    "idle time of the load balancer < the proxy's keep-alive behind a load balancer",
    "120 <= idle time of the load balancer",
    "60 < the proxy's keep-alive",
    "keep-alive to workers < 75",
    "wait for the document < compose: start of the worker",
    "wait for the document < ECS: start of the worker",
    "ECS: start of the worker < ECS: start of the worker, at most",
    "ECS: start of the worker, at most < ECS: start of the service",
    "wait for the document < EKS: start of the worker",
    "wait for the document < AgentCore: start",
    "the proxy's patience < API Gateway: a stream",
    "calls in flight to scale at < calls in flight to warn at",
    "calls in flight to warn at < connections to an API",
    "sessions to scale at < sessions to warn at",
    "sessions to warn at < sessions",
)
"""The chain: names of the book, numbers, + and one comparison."""

Said = Iterator[tuple[str, str, Any]]
"""(where, name of the book, what is said there)"""


def broken_relations(book: dict[str, Any]) -> list[str]:
    def value(side: str) -> int:
        return sum(int(book.get(term.strip(), term)) for term in side.split(" + "))

    broken = []
    for relation in RELATIONS:
        left, sign, right = re.split(r" (<=?) ", relation)
        if not (value(left) <= value(right) if sign == "<=" else value(left) < value(right)):
            broken.append(relation)
    return broken


def variables(content: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in content.splitlines() if line and not line.startswith("#"))


TEXTS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "compose.yaml": ("compose", yaml.safe_load),
    "Dockerfile": ("dockerfile", str),
    "proxy/Dockerfile": ("proxy_dockerfile", str),
    "proxy/nginx.conf": ("nginx", str),
    "proxy/defaults.env": ("defaults", variables),
    "deploy/prometheus/prometheus.yml": ("prometheus", yaml.safe_load),
    "deploy/helm/openapi-mcp-server/values.yaml": ("values", yaml.safe_load),
    "deploy/helm/openapi-mcp-server/Chart.yaml": ("chart", yaml.safe_load),
    "deploy/prometheus/agent.yml": ("agent", yaml.safe_load),
    "deploy/agentcore/openapi_mcp_server_runtime.py": ("runtime", str),
    "deploy/agentcore/app.py": ("app", str),
    "deploy/api-gateway/template.yaml": ("gateway", str),
}
"""Files that people write, each with the field of `Files` that it becomes."""


class Files:
    """Everything that is read, parsed once; a test may change a copy."""

    compose: Any
    dockerfile: str
    proxy_dockerfile: str
    nginx: str
    defaults: dict[str, str]
    prometheus: Any
    values: Any
    chart: Any
    agent: Any
    runtime: str
    app: str
    gateway: str
    raw: dict[str, str]

    def __init__(self) -> None:
        for path in TEXTS:
            self.take(path, text(path))
        self.ecs = Resolver(read(TEMPLATE), parameters()).resources()
        self.guide = Resolver(read(TEMPLATE), {**parameters(), **VARIANTS["the guide's sidecars"]}).resources()
        self.manifests = {name: documents(f"deploy/kubernetes/{name}/all.yaml") for name in ("base", "alb", "gateway")}
        self.pyproject = text("pyproject.toml")

    def take(self, path: str, content: str) -> None:
        """The content of one of `TEXTS`."""
        field, parse = TEXTS[path]
        setattr(self, field, parse(content))
        self.raw = {**getattr(self, "raw", {}), path: content}


def text(path: str) -> str:
    return (CHECKOUT / path).read_text("utf-8")


def documents(path: str) -> list[Any]:
    return list(yaml.safe_load_all(text(path)))


def first(pattern: str, of: str) -> str:
    """The first match's only group, anywhere in the lines."""
    return str(re.findall(pattern, of, re.MULTILINE)[0])


def number(value: object) -> int:
    """The first in it: ``75s``, ``"8080"``, ``127.0.0.1:2000`` after its colon."""
    found = re.search(r"(\d+)\D*$", str(value))
    assert found is not None, value
    return int(found[1])


def drain(command: object) -> int:
    return int(re.findall(r"worker_shutdown_timeout (\d+)s", str(command))[0])


def everything(files: Files) -> Said:
    yield from compose(files)
    yield from nginx_and_images(files)
    yield from proxies(files)
    yield from ecs_task(files)
    yield from ecs_around(files)
    yield from agents(files)
    yield from agent_file(files)
    yield from agentcore(files)
    yield from api_gateway(files)
    for name, documents in files.manifests.items():
        yield from pods(f"EKS ({name})", documents)
        yield from around_pods(f"EKS ({name})", documents)
    yield from chart(files)


TLS = re.compile(r"\$\{PROXY_TLS_CERTIFICATE_FILE:\+(\w+)\}")
"""What compose.yaml puts in where there is a certificate."""


def without_tls(value: str) -> str:
    return TLS.sub("", value)


def with_tls(value: str) -> str:
    return TLS.sub(r"\1", value)


def compose(files: Files) -> Said:
    services = files.compose["services"]
    for name in ("proxy", "worker"):
        yield f"compose: {name}", "compose: stop", number(services[name]["stop_grace_period"])
    yield "compose: proxy", "the proxy's drain", drain(services["proxy"]["command"])
    yield "compose: proxy", "files of nginx", number(services["proxy"]["command"][-1])
    yield "compose: proxy", "nginx", services["proxy"]["image"]
    yield "compose: proxy", "the proxy's user", number(services["proxy"]["user"])
    yield "compose: proxy", "the proxy on one machine", number(services["proxy"]["ports"][0])
    probe = services["proxy"]["healthcheck"]["test"][-1]
    yield "compose: proxy", "the proxy on one machine", number(probe.removesuffix("/readyz"))
    yield "compose: proxy", "ready", "/" + probe.rpartition("/")[2]
    start = services["worker"]["healthcheck"]["start_period"]
    yield "compose: worker", "compose: start of the worker", number(start)
    yield "compose: worker", "wait for the document", number(services["worker"]["environment"]["SPEC_WAIT_SECONDS"])
    yield (
        "compose: worker",
        "the worker's address where the kubelet asks",
        services["worker"]["environment"]["SERVER_HOST"],
    )
    proxy = services["proxy"]
    for mount in proxy["tmpfs"]:
        for owner in re.findall(r"[ug]id=(\d+)", mount):
            yield "compose: proxy", "the proxy's user", int(owner)
    yield "compose: proxy", "the proxy's user", number(proxy["user"].partition(":")[0])
    yield "compose: valkey", "Valkey", services["valkey"]["image"]
    for owner in services["valkey"]["user"].split(":"):
        yield "compose: valkey", "Valkey's user", int(owner)
    yield "compose: grafana", "Grafana", services["grafana"]["image"]
    for name, fact in (
        ("proxy", "the proxy on one machine"),
        ("prometheus", "Prometheus itself"),
        ("grafana", "Grafana's port"),
    ):
        (published,) = services[name]["ports"]
        asked = re.findall(r"127\.0\.0\.1:(.+?)/", str(services[name]["healthcheck"]))[0]
        for port in re.findall(r"(?<=[:-])(\d{4,5})", without_tls(published)):
            yield f"compose: {name}", fact, int(port)
        yield f"compose: {name}", fact, int(without_tls(asked))
        if name == "proxy":
            for place in (published, asked):
                yield "compose: proxy", "the proxy on one machine, with TLS", number(with_tls(place))
    worker = services["worker"]["environment"]
    yield "compose: worker", "the worker", number(worker["SERVER_PORT"])
    yield "compose: worker", "metrics", number(worker["PROMETHEUS_PORT"])
    yield "compose: worker", "metrics", number(worker["ALLOWED_HOSTS"].partition(",")[0])
    yield "compose: worker", "X-Ray", number(worker["AWS_XRAY_DAEMON_ADDRESS"])
    yield "compose: prometheus", "Prometheus", services["prometheus"]["image"]
    yield "compose: xray", "X-Ray's daemon", services["xray"]["image"]
    for name, fact in (
        ("PROXY_READ_TIMEOUT", "the proxy's patience"),
        ("PROXY_KEEPALIVE", "the proxy's keep-alive"),
        ("PROXY_BURST", "requests at once"),
        ("PROXY_CONNECTIONS", "connections of a client"),
        ("PROXY_ALL_CONNECTIONS", "connections of all"),
    ):
        yield "compose: proxy", fact, number(services["proxy"]["environment"][name].partition(":-")[2])
    rate = services["proxy"]["environment"]["PROXY_RATE"]
    yield "compose: proxy", "requests a second", rate.partition(":-")[2].rstrip("}")


def nginx_and_images(files: Files) -> Said:
    keep_alives = re.findall(r"^\s*(?:upstream .*)?keepalive_timeout (\S+)s?;", files.nginx, re.MULTILINE)
    inline = re.findall(r"keepalive 16; keepalive_timeout (\d+)s", files.nginx)
    for value in [keep_alives[0], *inline]:
        yield "nginx.conf", "keep-alive to workers", number(value)
    yield "defaults.env", "the proxy's keep-alive", number(files.defaults["PROXY_KEEPALIVE"])
    yield "nginx.conf", "the proxy's drain", drain(files.nginx)
    for fact, directive in (
        ("a connection to a worker", "proxy_connect_timeout"),
        ("a request in the proxy's hands", "proxy_send_timeout"),
        ("a client's header", "client_header_timeout"),
        ("a client's body", "client_body_timeout"),
        ("another worker", "proxy_next_upstream_timeout"),
    ):
        yield "nginx.conf", fact, int(first(rf"^\s*{directive} (\d+)s;", files.nginx))
    yield "nginx.conf", "a message", first(r"^client_max_body_size (\w+);", files.nginx)
    yield "nginx.conf", "headers", first(r"^large_client_header_buffers (\w+ \w+);", files.nginx)
    yield "nginx.conf", "what is kept of a message", first(r"^client_body_buffer_size (\w+);", files.nginx)
    yield "defaults.env", "the proxy on one machine", number(files.defaults["PROXY_PORT"])
    yield "defaults.env", "the proxy on one machine, with TLS", number(files.defaults["PROXY_TLS_PORT"])
    yield "defaults.env", "the worker", number(files.defaults["PROXY_WORKER_0"])
    where, proxy = "proxy/Dockerfile", files.proxy_dockerfile
    yield where, "nginx", first(r"^ARG NGINX_IMAGE=(\S+)", proxy)
    yield where, "the proxy's drain", drain(proxy)
    yield where, "files of nginx", number(first(r"worker_rlimit_nofile (\d+)", proxy))
    for owner in re.findall(r"(?:chown -R |USER )(\d+):(\d+)", proxy):
        for each in owner:
            yield where, "the proxy's user", int(each)
    yield where, "the proxy on one machine", number(first(r"EXPOSE (\d+)", proxy))
    yield where, "the proxy on one machine, with TLS", number(first(r"EXPOSE \d+ (\d+)", proxy))
    yield where, "the proxy on one machine", number(first(r"PROXY_PORT:-(\d+)", proxy))
    yield "Dockerfile", "image: lame duck", number(first(r"LAME_DUCK_SECONDS=(\d+)", files.dockerfile))
    yield "Dockerfile", "the worker", number(first(r"SERVER_PORT=(\d+)", files.dockerfile))
    yield "Dockerfile", "the worker", number(first(r"EXPOSE (\d+)", files.dockerfile))
    for owner in re.findall(r"(?:--[ug]id |USER |(?<=\d):)(\d+)", files.dockerfile):
        yield "Dockerfile", "the worker's user", int(owner)
    yield "Dockerfile", "Python", first(r"^ARG PYTHON_IMAGE=(\S+)", files.dockerfile)
    yield "Dockerfile", "the worker's address where the kubelet asks", first(r"SERVER_HOST=(\S+)", files.dockerfile)
    for where, content in (("Dockerfile", files.dockerfile), ("proxy/Dockerfile", files.proxy_dockerfile)):
        yield where, "version", first(r'image\.version="(.+)"', content)
    yield "pyproject.toml", "version", first(r'^version = "(.+)"', files.pyproject)


def all_proxies(files: Files) -> Iterator[tuple[str, dict[str, str]]]:
    """(where, its variables)"""
    yield "defaults.env", files.defaults
    yield "ECS", environment(container(files.ecs, "proxy"))
    for name, documents in files.manifests.items():
        yield f"EKS ({name})", environment(of_pod(documents, "proxy"))


def proxies(files: Files) -> Said:
    for where, values in all_proxies(files):
        yield where, "the proxy's patience", number(values["PROXY_READ_TIMEOUT"])
        yield where, "requests a second", values["PROXY_RATE"]
        yield where, "requests at once", number(values["PROXY_BURST"])
        yield where, "connections of a client", number(values["PROXY_CONNECTIONS"])
        yield where, "connections of all", number(values["PROXY_ALL_CONNECTIONS"])
        for place in range(4):
            yield where, "the worker", number(values[f"PROXY_WORKER_{place}"])
        if where != "defaults.env":
            yield where, "the proxy of a task", number(values["PROXY_PORT"])
            yield where, "the proxy of a task, with TLS", number(values["PROXY_TLS_PORT"])
            yield where, "the proxy's keep-alive behind a load balancer", number(values["PROXY_KEEPALIVE"])


def container(made: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in task_definition(made)["containerDefinitions"] if each["name"] == name]
    return dict(found)


def of_pod(documents: list[Any], name: str) -> dict[str, Any]:
    (deployment,) = [each for each in documents if each["kind"] == "Deployment"]
    (found,) = [each for each in deployment["spec"]["template"]["spec"]["containers"] if each["name"] == name]
    return {**found, "environment": [each for each in found["env"] if "value" in each]}


def workers(where: str, values: dict[str, str]) -> Said:
    yield where, "a call", number(values["SERVER_MESSAGE_TIMEOUT"])
    yield where, "the worker", number(values["SERVER_PORT"])
    yield where, "metrics", number(values["PROMETHEUS_PORT"])
    yield where, "connections to an API", number(values["HTTP_MAX_CONNECTIONS"])
    yield where, "wait for the document", number(values["SPEC_WAIT_SECONDS"])
    yield where, "the proxy as its worker sees it", values["TRUSTED_PROXIES"]


def ecs_task(files: Files) -> Said:
    proxy, worker = container(files.ecs, "proxy"), container(files.ecs, "worker")
    yield from workers("ECS", environment(worker))
    yield "ECS", "the worker's address where only its own task asks", environment(worker)["SERVER_HOST"]
    yield "ECS", "X-Ray", number(environment(worker)["AWS_XRAY_DAEMON_ADDRESS"])
    yield "ECS", "ECS: lame duck", number(environment(worker)["SHUTDOWN_LAME_DUCK_SECONDS"])
    yield "ECS", "ECS: stop of the proxy", proxy["stopTimeout"]
    yield "ECS", "ECS: stop of the worker", worker["stopTimeout"]
    yield "ECS", "ECS: start of the worker", worker["healthCheck"]["startPeriod"]
    yield "ECS", "ECS: start of the worker, at most", worker["startTimeout"]
    yield "ECS", "the proxy's user", number(proxy["user"])
    yield "ECS", "files of nginx", proxy["ulimits"][0]["softLimit"]
    yield "ECS", "files of nginx", proxy["ulimits"][0]["hardLimit"]
    yield "ECS", "the worker's user", number(worker["user"])
    yield "ECS", "the proxy of a task", proxy["portMappings"][0]["containerPort"]
    probe = re.findall(r":(\d+)(/\w+)", str(proxy["healthCheck"]["command"]))[0]
    yield "ECS", "the proxy of a task", number(probe[0])
    yield "ECS", "alive", probe[1]
    probe = re.findall(r"127\.0\.0\.1/(\d+).* (/\w+) HTTP", str(worker["healthCheck"]["command"]))[0]
    yield "ECS", "the worker", number(probe[0])
    yield "ECS", "ready", probe[1]
    yield "ECS", "version", worker["image"].rpartition(":")[2]
    yield "ECS", "version", proxy["image"].rpartition(":")[2]


def ecs_around(files: Files) -> Said:
    made = files.ecs
    attributes = {
        each["Key"]: each["Value"]
        for name, field in (("LoadBalancer", "LoadBalancerAttributes"), ("TargetGroup", "TargetGroupAttributes"))
        for each in made[name]["Properties"][field]
    }
    yield "ECS", "idle time of the load balancer", number(attributes["idle_timeout.timeout_seconds"])
    yield "ECS", "ECS: deregistration", number(attributes["deregistration_delay.timeout_seconds"])
    yield "ECS", "ready", made["TargetGroup"]["Properties"]["HealthCheckPath"]
    yield "ECS", "the proxy of a task", made["TargetGroup"]["Properties"]["Port"]
    yield "ECS", "HTTPS", made["Listener"]["Properties"]["Port"]
    yield "ECS", "TLS of clients", made["Listener"]["Properties"]["SslPolicy"]
    yield "ECS", "ECS: start of the service", made["Service"]["Properties"]["HealthCheckGracePeriodSeconds"]
    yield "ECS", "the proxy of a task", made["Service"]["Properties"]["LoadBalancers"][0]["ContainerPort"]
    front, task = made["LoadBalancerSecurityGroup"]["Properties"], made["TaskSecurityGroup"]["Properties"]
    inner = [front["SecurityGroupEgress"][0], task["SecurityGroupIngress"][0]]
    inner += [made[name]["Properties"] for name in ("TasksFromTasks", "TasksToTasks")]
    outer = front["SecurityGroupIngress"] + task["SecurityGroupEgress"]
    for rules, fact in ((inner, "the proxy of a task"), (outer, "HTTPS")):
        for rule in rules:
            yield "ECS", fact, rule["FromPort"]
            yield "ECS", fact, rule["ToPort"]
    for policy in of_type(made, "AWS::ApplicationAutoScaling::ScalingPolicy").values():
        tracking = policy["TargetTrackingScalingPolicyConfiguration"]
        yield "ECS", "scaling in", tracking["ScaleInCooldown"]
        yield "ECS", "scaling out", tracking["ScaleOutCooldown"]
        names = {"cpu": "CPU to scale at", "calls": "calls in flight to scale at", "sessions": "sessions to scale at"}
        yield "ECS", names[policy["PolicyName"]], tracking["TargetValue"]
    (target,) = of_type(made, "AWS::ApplicationAutoScaling::ScalableTarget").values()
    yield "ECS", "tasks at most", int(target["MaxCapacity"])
    encrypted = Resolver(read(TEMPLATE), {**parameters(), **VARIANTS["TLS to the tasks"]}).resources()
    yield "ECS", "the proxy of a task, with TLS", encrypted["TargetGroup"]["Properties"]["Port"]
    shared = Resolver(read(TEMPLATE), {**parameters(), **VARIANTS["a store with a login"]}).resources()
    yield "ECS", "tasks at most", number(environment(container(shared, "worker"))["SHARED_STATE_TASKS"])
    yield "ECS", "calls in flight to warn at", made["CallsAlarm"]["Properties"]["Threshold"]
    yield "ECS", "sessions to warn at", made["SessionsAlarm"]["Properties"]["Threshold"]
    titles = re.findall(r"limit (\d+)", made["Dashboard"]["Properties"]["DashboardBody"])
    yield "ECS: dashboard", "connections to an API", number(titles[0])
    yield "ECS: dashboard", "sessions", number(titles[1])
    documented = first(r"^\| sessions \| (\d+) \|", text("docs/deployment.md"))
    yield "docs/deployment.md", "sessions", int(documented)


def agents(files: Files) -> Said:
    agent = environment(container(files.ecs, "cloudwatch-agent"))
    traces = msgspec.json.decode(agent["CW_CONFIG_CONTENT"])["traces"]["traces_collected"]["xray"]
    for address in (traces["bind_address"], traces["tcp_proxy"]["bind_address"]):
        yield "CloudWatch agent", "X-Ray", number(address)
    daemon, prometheus = container(files.guide, "xray-daemon"), container(files.guide, "prometheus")
    for address in (daemon["command"][1], daemon["command"][3]):
        yield "X-Ray daemon", "X-Ray", number(address)
    yield "X-Ray daemon", "X-Ray's daemon", daemon["image"]
    yield "Prometheus agent", "Prometheus", prometheus["image"]
    (command,) = prometheus["command"]
    yield "Prometheus agent", "a Prometheus beside the worker", number(re.findall(r"listen-address=(\S+)", command)[0])
    yield "Prometheus agent", "a remote write that is given up", number(re.findall(r"deadline=(\d+)s", command)[0])
    probe = re.findall(r"127\.0\.0\.1:(\d+)", str(prometheus["healthCheck"]))[0]
    yield "Prometheus agent", "a Prometheus beside the worker", number(probe)
    sidecars = {"X-Ray daemon": daemon, "Prometheus agent": prometheus}
    for name, each in {**sidecars, "CloudWatch agent": container(files.ecs, "cloudwatch-agent")}.items():
        yield name, "ECS: stop of a sidecar", each["stopTimeout"]
    scrapes = {
        "CloudWatch agent": yaml.safe_load(agent["PROMETHEUS_CONFIG_CONTENT"]),
        "Prometheus agent": yaml.safe_load(environment(prometheus)["PROMETHEUS_CONFIG"]),
        "compose: prometheus": files.prometheus,
    }
    for name, configuration in scrapes.items():
        yield name, "metrics", number(configuration["scrape_configs"][0]["static_configs"][0]["targets"][0])
        yield name, "a scrape", number(configuration["global"]["scrape_interval"])
        if "evaluation_interval" in configuration["global"]:
            yield name, "a scrape", number(configuration["global"]["evaluation_interval"])
    (writer,) = scrapes["Prometheus agent"]["remote_write"]
    yield "Prometheus agent", "shards of a remote write", writer["queue_config"]["max_shards"]
    yield "Prometheus agent", "samples of a remote write", writer["queue_config"]["max_samples_per_send"]
    shards = re.findall(r"max_shards: (\d+)", text("deploy/prometheus/prometheus.yml"))
    yield "prometheus.yml", "shards of a remote write", number(shards[0])


def agent_file(files: Files) -> Said:
    where, (writer,) = "agent.yml", files.agent["remote_write"]
    yield where, "a scrape", number(files.agent["global"]["scrape_interval"])
    host, _, port = files.agent["scrape_configs"][0]["static_configs"][0]["targets"][0].partition(":")
    yield where, "the worker's address where only its own task asks", host
    yield where, "metrics", int(port)
    yield where, "shards of a remote write", writer["queue_config"]["max_shards"]
    yield where, "samples of a remote write", writer["queue_config"]["max_samples_per_send"]
    command = files.raw["deploy/prometheus/agent.yml"]
    yield where, "a Prometheus beside the worker", int(first(r"listen-address=127\.0\.0\.1:(\d+)", command))
    yield where, "a remote write that is given up", int(first(r"flush-deadline=(\d+)s", command))


def agentcore(files: Files) -> Said:
    where, page = "AgentCore", text("docs/deploy/agentcore.md")
    said = dict(re.findall(r'^    "(\w+)": "([\w.]+)"', files.runtime, re.MULTILINE))
    yield where, "the worker", number(said["SERVER_PORT"])
    yield where, "the worker's address where the kubelet asks", said["SERVER_HOST"]
    yield where, "wait for the document", number(said["SPEC_WAIT_SECONDS"])
    yield where, "AgentCore: lame duck", number(said["SHUTDOWN_LAME_DUCK_SECONDS"])
    yield where, "AgentCore: idle, minutes", int(first(r"Duration\.minutes\((\d+)\)", files.runtime))
    yield where, "AgentCore: a session, hours", int(first(r"Duration\.hours\((\d+)\)", files.runtime))
    yield where, "a token", int(first(r'"AUTH_TOKEN_TTL": "(\d+)"', files.app))
    where = "docs/deploy/agentcore.md"
    yield where, "the worker", int(first(r"`POST /mcp` on port (\d+)", page))
    yield where, "AgentCore: start", int(first(r"ready within (\d+) s", page))
    yield where, "AgentCore: idle, minutes", int(first(r"(\d+) idle", page))
    yield where, "AgentCore: a session, hours", int(first(r"(\d+) hours in all", page))


def api_gateway(files: Files) -> Said:
    where = "API Gateway"
    *streams, message = (int(found) for found in re.findall(r"TimeoutInMillis: (\d+)", files.gateway))
    for each in streams:
        yield where, "API Gateway: a stream", each / 1000
    yield where, "the proxy's patience", message / 1000
    yield where, "requests a second", first(r"RequestsPerSecond: .*Default: (\d+)", files.gateway) + "r/s"
    yield where, "requests at once", int(first(r"Burst: .*Default: (\d+)", files.gateway))
    yield where, "HTTPS", int(first(r"let them in on (\d+)", files.gateway))
    minutes = int(first(r"may last (\d+) minutes", text("docs/deploy/api-gateway.md")))
    yield "docs/deploy/api-gateway.md", "API Gateway: a stream", minutes * 60


def pods(where: str, documents: list[Any]) -> Said:
    (deployment,) = [each for each in documents if each["kind"] == "Deployment"]
    spec = deployment["spec"]["template"]["spec"]
    proxy, worker = of_pod(documents, "proxy"), of_pod(documents, "worker")
    values = environment(worker)
    yield from workers(where, values)
    yield where, "the worker's address where the kubelet asks", values["SERVER_HOST"]
    yield where, "tasks at most", number(values["SHARED_STATE_TASKS"])
    yield where, "EKS: grace period", spec["terminationGracePeriodSeconds"]
    yield where, "EKS: preStop", proxy["lifecycle"]["preStop"]["sleep"]["seconds"]
    yield where, "EKS: lame duck", number(values["SHUTDOWN_LAME_DUCK_SECONDS"])
    yield where, "the proxy's drain", drain(proxy["args"])
    yield where, "files of nginx", number(proxy["args"][-1])
    yield where, "nginx", proxy["image"]
    yield where, "version", worker["image"].rpartition(":")[2]
    for field in ("runAsUser", "runAsGroup"):
        yield where, "the proxy's user", proxy["securityContext"][field]
        yield where, "the worker's user", worker["securityContext"][field]
    yield where, "the proxy of a task", proxy["ports"][0]["containerPort"]
    yield where, "the proxy of a task", number(values["SESSION_ADDRESS"])
    ports = {each["name"]: each["containerPort"] for each in worker["ports"]}
    yield where, "the worker", ports["worker"]
    yield where, "metrics", ports["metrics"]
    yield where, "metrics", number(values["ALLOWED_HOSTS"])
    start = worker["startupProbe"]
    yield where, "EKS: start of the worker", start["periodSeconds"] * start["failureThreshold"]
    for probe, fact in (
        (proxy["readinessProbe"], "ready"),
        (worker["readinessProbe"], "ready"),
        (start, "ready"),
        (worker["livenessProbe"], "alive"),
    ):
        yield where, fact, probe["httpGet"]["path"]


def around_pods(where: str, documents: list[Any]) -> Said:
    kinds = {each["kind"]: each for each in documents}
    ports = {each["name"]: each["port"] for each in kinds["Service"]["spec"]["ports"]}
    yield where, "the Service", ports["http"]
    yield where, "metrics", ports["metrics"]
    policy = kinds["NetworkPolicy"]["spec"]
    for rule in (*policy["ingress"][:2], policy["egress"][0]):
        yield where, "the proxy of a task", rule["ports"][0]["port"]
    for rule in policy["ingress"][2:]:
        yield where, "metrics", rule["ports"][0]["port"]
    scaler = kinds["HorizontalPodAutoscaler"]["spec"]
    yield where, "tasks at most", scaler["maxReplicas"]
    yield where, "scaling in", scaler["behavior"]["scaleDown"]["stabilizationWindowSeconds"]
    yield where, "CPU to scale at", scaler["metrics"][0]["containerResource"]["target"]["averageUtilization"]
    for metric in scaler["metrics"][1:]:
        yield where, "calls in flight to scale at", number(metric["pods"]["target"]["averageValue"])
    if "Ingress" in kinds:
        notes = kinds["Ingress"]["metadata"]["annotations"]
        balancer = notes["alb.ingress.kubernetes.io/load-balancer-attributes"]
        group = notes["alb.ingress.kubernetes.io/target-group-attributes"]
        yield where, "idle time of the load balancer", number(first(r"idle_timeout\.timeout_seconds=(\d+)", balancer))
        yield where, "ECS: deregistration", number(first(r"deregistration_delay\.timeout_seconds=(\d+)", group))
        yield where, "ready", notes["alb.ingress.kubernetes.io/healthcheck-path"]
        yield where, "HTTPS", number(notes["alb.ingress.kubernetes.io/listen-ports"])
        yield where, "TLS of clients", notes["alb.ingress.kubernetes.io/ssl-policy"]
    if "HTTPRoute" in kinds:
        (rule,) = kinds["HTTPRoute"]["spec"]["rules"]
        yield where, "the Service", rule["backendRefs"][0]["port"]
        yield where, "an answer through a Gateway", rule["timeouts"]["request"]
    if "ServiceMonitor" in kinds:
        (endpoint,) = kinds["ServiceMonitor"]["spec"]["endpoints"]
        yield where, "measures", endpoint["path"]
        yield where, "a scrape", number(endpoint["interval"])


def chart(files: Files) -> Said:
    yield "Chart.yaml", "version", files.chart["appVersion"]
    yield "Chart.yaml", "version", files.chart["version"]
    yield "Chart.yaml", "Kubernetes", files.chart["kubeVersion"]
    yield "values.yaml", "tasks at most", files.values["autoscaling"]["maxReplicas"]
    for fewest in (files.values["autoscaling"]["minReplicas"], files.values["replicas"]):
        yield "values.yaml", "pods at least", fewest
    yield "values.yaml", "HTTPS", files.values["networkPolicy"]["egress"][0]["ports"][0]["port"]
    yield "values.yaml", "version", files.values["image"]["tag"]
    yield "values.yaml", "nginx", files.values["proxyImage"]
    yield "values.yaml", "CPU to scale at", files.values["autoscaling"]["cpuPercent"]
    yield "values.yaml", "an answer through a Gateway", files.values["exposure"]["gateway"]["requestTimeout"]


def differences(files: Files) -> list[str]:
    return [
        f"{where} says {value} for {fact}, the table {BOOK[fact]}"
        for where, fact, value in everything(files)
        if value != BOOK[fact]
    ]
