"""The Helm chart: what is rendered from it is current, fits Kubernetes' schemas and restricted Pod Security, and values
that make no sense are refused."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import agreement
import httpx2
import msgspec
import pytest
import yaml
from ecs_rules import environment
from jsonschema_rs import Draft202012Validator
from tools import ran, tool

from openapi_mcp_server.server.posts import Refusal
from openapi_mcp_server.server.visitors import allowed
from openapi_mcp_server.settings.config import load
from openapi_mcp_server.settings.readers import task_address
from openapi_mcp_server.settings.table import SETTINGS
from processes import started
from render_manifests import CHART, CONFIGURATION, COPIES, ROOT, SETS, helm, rendered, stale

VALUES = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml"))
KUBERNETES = "1.34"
KEEP_CONNECTIONS = ROOT / "proxy" / "keep-connections.sh"
TOKENS = '[{"name": "agents", "token": "0123456789abcdef"}]'


def program() -> str:
    found = helm()
    if found is None:
        pytest.skip("helm is not installed; scripts/deploy-test brings it")
    return found


def test_what_is_rendered_comes_from_this_chart():
    assert stale() == []


@pytest.mark.parametrize(("copy", "original"), COPIES.items(), ids=lambda path: path.name)
def test_a_file_that_the_chart_has_of_another_folder_is_that_file(copy, original):
    assert copy.read_text("utf-8") == original.read_text("utf-8")


@pytest.mark.parametrize("name", SETS)
def test_a_rendered_set_has_the_proxys_configuration(name):
    (configuration,) = [each for each in documents(name) if each["kind"] == "ConfigMap"]
    held = configuration["data"]["default.conf.template"]
    assert held.rstrip("\n") == CONFIGURATION.read_text("utf-8").rstrip("\n")


@pytest.mark.parametrize("name", SETS)
def test_a_pods_proxy_answers_what_is_on_its_way_when_it_is_stopped(name):
    """Without the script, every one of 40 busy connections was cut at the stop of nginx 1.30; with it, none."""
    configuration = of_kind(documents(name), "ConfigMap")
    proxy = agreement.of_pod(documents(name), "proxy")
    (mount,) = [
        each for each in proxy["volumeMounts"] if each["mountPath"] == "/docker-entrypoint.d/keep-connections.sh"
    ]
    assert configuration["data"][mount["subPath"]].rstrip("\n") == KEEP_CONNECTIONS.read_text("utf-8").rstrip("\n")
    pod = of_kind(documents(name), "Deployment")["spec"]["template"]["spec"]
    (volume,) = [each["configMap"] for each in pod["volumes"] if each["name"] == mount["name"]]
    assert volume == {"name": configuration["metadata"]["name"], "defaultMode": 0o555}  # the image runs what may be run
    assert "command" not in proxy  # which would take the place of the image's entry point


@pytest.mark.parametrize("name", SETS)
def test_a_rendered_set_rolls_with_the_proxys_configuration(name):
    (pods,) = [each["spec"]["template"] for each in documents(name) if each["kind"] == "Deployment"]
    held = hashlib.sha256(CONFIGURATION.read_bytes() + KEEP_CONNECTIONS.read_bytes()).hexdigest()
    assert pods["metadata"]["annotations"]["checksum/proxy"] == held, "run scripts/render_manifests.py"


def documents(name: str) -> list[Any]:
    return agreement.documents(f"deploy/kubernetes/{name}/all.yaml")


@pytest.mark.parametrize("name", SETS)
def test_helm_renders_what_is_checked_in(name):
    again = list(yaml.safe_load_all(rendered(program(), name)))
    assert again == documents(name)


@pytest.mark.parametrize("name", VALUES)
def test_helm_lint_finds_nothing(name):
    values = CHART / "ci" / f"{name}-values.yaml"
    done = subprocess.run(
        [program(), "lint", "--strict", CHART, "-f", values], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


REFUSED: dict[str, Callable[[dict[str, Any]], object]] = {
    "no image": lambda values: values["image"].update(repository=""),
    "no host": lambda values: values.update(host=""),
    "a host with a scheme": lambda values: values.update(host="https://mcp.example.com"),
    "no document": lambda values: values["api"].update(specUrl=""),
    "a document by path": lambda values: values["api"].update(specUrl="/openapi.yaml"),
    "a way of asking clients that there is not": lambda values: values.update(inboundAuth="basic"),
    "a way in that there is not": lambda values: values["exposure"].update(kind="istio"),
    "a network that is none": lambda values: values.update(trustedCidr="everywhere"),
    "a setting in small letters": lambda values: values["settings"].update(log_level="DEBUG"),
    "a number as a setting": lambda values: values["settings"].update(HTTP_TIMEOUT=30),
    "no replica": lambda values: values.update(replicas=0),
    "a value that there is not": lambda values: values.update(replicaCount=3),
    "a role that is none": lambda values: values["serviceAccount"].update(roleArn="openapi-mcp-server"),
    "calls in flight above the limit": lambda values: values["autoscaling"].update(callsInFlight=100),
    "a login among the values": lambda values: values.update(sharedState="valkeys://:sesame@cache:6379"),
    "a document by address and by path": lambda values: values["api"].update(specPath="/etc/openapi-mcp-server/a.yaml"),
    "a digest that is none": lambda values: values["image"].update(digest="sha256:latest"),
    "a secret's name that is no variable": lambda values: values.update(secretFiles=["session-key"]),
    "a file outside its folder": lambda values: values.update(files={"../passwd": ""}),
    "a store of another kind": lambda values: values.update(sharedState="memcached://cache:11211"),
    "a time without a unit": lambda values: values["exposure"]["gateway"].update(requestTimeout="60"),
    "an address with a port that is none": lambda values: values["api"].update(baseUrl="https://orders.shop:http"),
    "an address with a login": lambda values: values["api"].update(specUrl="https://a:b@orders.shop/openapi.json"),
}

CHECKED: dict[str, tuple[dict[str, Any], str]] = {
    "the tag latest": ({"image": {"tag": "latest"}}, "image.tag: .* give a version"),
    "more pods at least than at most": (
        {"autoscaling": {"minReplicas": 20}},
        "autoscaling.minReplicas: 20 is above maxReplicas, 10",
    ),
    "a route that hangs nowhere": (
        {"exposure": {"kind": "gateway"}},
        "exposure.gateway.parentRefs: .* name the Gateway",
    ),
    "a monitor that nothing lets in": (
        {"serviceMonitor": {"enabled": True}},
        "networkPolicy.metricsFrom: .* name who may",
    ),
    "a setting that the chart fixes": ({"settings": {"SERVER_PORT": "1"}}, "settings.SERVER_PORT: .* leave it out"),
    "a secret among the settings": (
        {"settings": {"AUTH_TOKEN": "sesame"}},
        "settings.AUTH_TOKEN: is a secret; .* ssm:",
    ),
    "a key among the settings": (
        {"settings": {"AUTH_CLIENT_KEY": "-----BEGIN PRIVATE KEY-----"}},
        "settings.AUTH_CLIENT_KEY: .* into the Secret",
    ),
    "a login at a proxy": (
        {"settings": {"HTTP_PROXY_URL": "http://a:b@c:3128"}},
        "settings.HTTP_PROXY_URL: has a login",
    ),
    "files without the sessions' key": (
        {"secretFiles": ["INBOUND_TOKENS"]},
        "secretFiles: SESSION_KEY .* transport",
    ),
    "no Secret and no key for the sessions": (
        {"secretName": "", "inboundAuth": "none"},
        "secretName: SESSION_KEY .* transport",
    ),
    "files of no Secret": ({"secretName": "", "secretFiles": ["SESSION_KEY"]}, "secretFiles: secretName is empty"),
    "a secret among the settings, without a Secret": (
        {"secretName": "", "transport": "streamable-http", "inboundAuth": "none", "settings": {"AUTH_TOKEN": "sesame"}},
        "a key of the Secret of secretName",
    ),
    "a volume in place of the chart's": (
        {"extraVolumes": [{"name": "secrets", "emptyDir": {}}]},
        "extraVolumes: secrets .* another name",
    ),
    "a folder of the node": (
        {"extraVolumes": [{"name": "a", "hostPath": {"path": "/"}}]},
        "extraVolumes: a is of the kind hostPath, .* use one of configMap",
    ),
    "a role for an account that is not the chart's": (
        {"serviceAccount": {"name": "a", "roleArn": "arn:aws:iam::123456789012:role/a"}},
        "serviceAccount.roleArn: .* leave it out",
    ),
    "a store that nothing lets pods reach": (
        {"sharedState": "valkeys://cache.example"},
        "networkPolicy.egress: opens no port 6379, which sharedState needs; add",
    ),
    "an API that nothing lets pods reach": (
        {"api": {"baseUrl": "http://orders.shop:8080"}},
        "networkPolicy.egress: opens no port 8080, which api.baseUrl needs; add",
    ),
    "a document that nothing lets pods reach": (
        {"api": {"specUrl": "http://orders.shop/openapi.json"}},
        "networkPolicy.egress: opens no port 80, which api.specUrl needs; add",
    ),
    "a collector that nothing lets pods reach": (
        {"settings": {"TRACING": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.obs:4318"}},
        "networkPolicy.egress: opens no port 4318, which settings.OTEL_EXPORTER_OTLP_ENDPOINT needs; add",
    ),
    "a proxy that nothing lets pods reach": (
        {"settings": {"HTTP_PROXY_URL": "http://out.example:3128"}},
        "networkPolicy.egress: opens no port 3128, which settings.HTTP_PROXY_URL needs; add",
    ),
    "nothing that pods may reach": ({"networkPolicy": {"egress": []}}, "networkPolicy.egress: opens no port 443"),
    "a network with too long a prefix": ({"trustedCidr": "10.0.0.0/33"}, "trustedCidr: 10.0.0.0/33 .* 32 at most"),
    "another name of a setting that the chart fixes": (
        {"settings": {"UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN": "300"}},
        "settings.UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN: .* leave it out",
    ),
    "a fixed setting by file": ({"settings": {"SERVER_PORT_FILE": "/a"}}, "settings.SERVER_PORT_FILE: .* leave it out"),
    "a secret in two places": (
        {"secretFiles": ["SESSION_KEY", "INBOUND_TOKENS"], "settings": {"INBOUND_TOKENS_FILE": "/a"}},
        "settings.INBOUND_TOKENS: is among secretFiles, too",
    ),
    "files without the clients' tokens": (
        {"secretFiles": ["SESSION_KEY"]},
        "secretFiles: INBOUND_TOKENS is missing, which inboundAuth token needs",
    ),
    "nobody who signs tokens": (
        {"secretFiles": ["SESSION_KEY"], "inboundAuth": "jwt"},
        "secretFiles: INBOUND_JWT_ISSUERS is missing, .* add it to settings",
    ),
    "a document that is not among the files": (
        {"api": {"specUrl": "", "specPath": "/etc/openapi-mcp-server/a.yaml"}},
        "api.specPath: files has no a.yaml; add it",
    ),
    "an overlay that is not among the files": (
        {
            "files": {"a.yaml": "{}"},
            "settings": {"API_OVERLAYS": "/etc/openapi-mcp-server/a.yaml,/etc/openapi-mcp-server/b.yaml"},
        },
        "settings.API_OVERLAYS: files has no b.yaml; add it",
    ),
    "a volume that is not there": (
        {"extraVolumeMounts": [{"name": "cache", "mountPath": "/var/cache/a"}]},
        "extraVolumeMounts: extraVolumes has no cache; add it",
    ),
    "a volume in the place of the files": (
        {
            "files": {"a.yaml": "{}"},
            "extraVolumes": [{"name": "a", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "a", "mountPath": "/etc/openapi-mcp-server"}],
        },
        "extraVolumeMounts: /etc/openapi-mcp-server/ is the folder of files",
    ),
    "a label by which pods are found": (
        {"podLabels": {"app.kubernetes.io/name": "a"}},
        "podLabels: app.kubernetes.io/name is how the Service finds its pods",
    ),
    "an issuer that nothing lets pods reach": (
        {
            "inboundAuth": "jwt",
            "settings": {"INBOUND_JWT_ISSUERS": "https://a.example, https://idp.auth:8443/realms/a"},
        },
        "networkPolicy.egress: opens no port 8443, which settings.INBOUND_JWT_ISSUERS needs; add",
    ),
    "a token endpoint that nothing lets pods reach": (
        {"settings": {"AUTH_TYPE": "oauth2", "AUTH_OAUTH2_TOKEN_URL": "https://idp.auth:8443/token"}},
        "networkPolicy.egress: opens no port 8443, which settings.AUTH_OAUTH2_TOKEN_URL needs; add",
    ),
    "a collector of traces alone that nothing lets pods reach": (
        {"settings": {"TRACING": "otlp", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector.obs:4318/v1/traces"}},
        "networkPolicy.egress: opens no port 4318, which settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT needs; add",
    ),
    "an address that is none": (
        {"settings": {"HTTP_PROXY_URL": "http://out.example:http"}},
        "networkPolicy.egress: opens no port 80, which settings.HTTP_PROXY_URL needs; add",
    ),
    "scaling by a share of nothing": (
        {"resources": {"worker": {"requests": {"cpu": None}}}},
        "resources.worker.requests.cpu: is missing, .* autoscaling.enabled: false",
    ),
    "a volume of a kind that is forbidden": (
        {"extraVolumes": [{"name": "a", "nfs": {"server": "files.example", "path": "/"}}]},
        "extraVolumes: a is of the kind nfs, .* use one of configMap",
    ),
    "a volume in the place of the secrets": (
        {
            "secretFiles": ["SESSION_KEY", "INBOUND_TOKENS"],
            "extraVolumes": [{"name": "a", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "a", "mountPath": "/run/secrets/openapi-mcp-server/"}],
        },
        "extraVolumeMounts: /run/secrets/openapi-mcp-server/ is the folder of secretFiles",
    ),
    "IPv6 pods behind an IPv4 network": ({"ipv6": True}, "trustedCidr: 10.0.0.0/16 is no IPv6 network"),
}
"""Values that the schema takes: helm says in plain words what is wrong."""


def templated(changed: dict[str, Any], folder: Path, release: str = "a") -> subprocess.CompletedProcess[str]:
    """What helm makes of these values over those of the set ``base``."""
    (folder / "values.yaml").write_text(yaml.safe_dump(changed), "utf-8")
    argv = [
        program(),
        "template",
        release,
        CHART,
        "-f",
        CHART / "ci" / "base-values.yaml",
        "-f",
        folder / "values.yaml",
    ]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("changed", "words"), CHECKED.values(), ids=list(CHECKED))
def test_helm_says_what_is_wrong_and_what_to_do(changed, words, tmp_path):
    assert schema().is_valid(merged(values("base"), changed))
    done = templated(changed, tmp_path)
    assert done.returncode == 1
    assert re.search(words, done.stderr), done.stderr
    assert "sesame" not in done.stderr


@pytest.mark.parametrize("release", ["1mcp", "my.mcp"])
def test_a_release_whose_name_a_service_may_not_have_is_refused(release, tmp_path):
    done = templated({}, tmp_path, release)
    assert done.returncode == 1
    assert f"{release}: is no name of a Service" in done.stderr


EVERYTHING: dict[str, Any] = {
    "files": {"a": "b"},
    "dashboard": {"enabled": True},
    "serviceMonitor": {"enabled": True},
    "prometheusRule": {"enabled": True},
    "networkPolicy": {"metricsFrom": [{"namespaceSelector": {}}]},
}
LONGEST = "m" * 53


@pytest.mark.parametrize("release", ["null", "on", LONGEST])
@pytest.mark.parametrize("kind", ["alb", "gateway"])
def test_names_are_text_and_labels_of_dns_whatever_the_releases_name(release, kind, tmp_path):
    """YAML reads some words as values of other types."""
    exposure = {"kind": kind, "gateway": {"parentRefs": [{"name": "a"}]}}
    done = templated({**EVERYTHING, "exposure": exposure, "tls": {"secretName": "a"}}, tmp_path, release)
    assert done.returncode == 0, done.stderr
    found = list(yaml.safe_load_all(done.stdout))
    assert {each["metadata"]["labels"]["app.kubernetes.io/instance"] for each in found} == {release}
    names = [each["metadata"]["name"] for each in found]
    assert [name for name in names if not re.fullmatch(rf"{release}(-proxy|-files|-dashboard)?", name)] == []
    assert max(map(len, names)) <= 63
    service = of_kind(found, "Service")
    assert (
        service["spec"]["selector"].items()
        <= of_kind(found, "Deployment")["spec"]["template"]["metadata"]["labels"].items()
    )


DIGITS = "0123"
TEXTS: tuple[dict[str, Any], ...] = (
    {
        "image": {"repository": DIGITS, "tag": DIGITS},
        "proxyImage": f"{DIGITS}:{DIGITS}",
        "host": DIGITS,
        "secretName": DIGITS,
        "tls": {"secretName": DIGITS, "caConfigMap": DIGITS},
        "priorityClassName": DIGITS,
        "serviceAccount": {"name": DIGITS},
        "settings": {"SERVER_NAME": DIGITS},
        "files": {DIGITS: DIGITS},
        "podLabels": {DIGITS: DIGITS},
        "nodeSelector": {DIGITS: DIGITS},
        "exposure": {"kind": "gateway", "gateway": {"parentRefs": [{"name": DIGITS}]}},
    },
    {"exposure": {"kind": "nginx", "nginx": {"ingressClassName": DIGITS, "tlsSecretName": DIGITS}}, "host": DIGITS},
    {"exposure": {"kind": "alb", "alb": {"ingressClassName": DIGITS, "annotations": {"a": DIGITS}}}, "host": DIGITS},
)


@pytest.mark.parametrize("changed", TEXTS, ids=["gateway", "nginx", "alb"])
def test_text_that_looks_like_a_number_stays_text(changed, tmp_path):
    done = templated(changed, tmp_path)
    assert done.returncode == 0, done.stderr
    read = list(leaves(list(yaml.safe_load_all(done.stdout))))
    assert [each for each in read if each in {int(DIGITS), int(DIGITS, 8)}] == []
    assert DIGITS in read


def leaves(node: Any) -> Iterator[Any]:
    if isinstance(node, dict | list):
        for each in node.items() if isinstance(node, dict) else node:
            yield from leaves(list(each) if isinstance(each, tuple) else each)
    else:
        yield node


EGRESS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "the port": ([{"ports": [{"port": 8080, "protocol": "TCP"}]}], {}),
    "every port": ([{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}], {}),
    "every port of a protocol": ([{"ports": [{"protocol": "TCP"}]}], {}),
    "a range": ([{"ports": [{"port": 8000, "endPort": 9000, "protocol": "TCP"}]}], {}),
    "a name": ([{"ports": [{"port": "http", "protocol": "TCP"}]}], {}),
    "a proxy": ([{"ports": [{"port": 3128, "protocol": "TCP"}]}], {"settings": {"HTTP_PROXY_URL": "http://out:3128"}}),
}


@pytest.mark.parametrize(("egress", "changed"), EGRESS.values(), ids=list(EGRESS))
def test_pods_may_reach_an_api_by(egress, changed, tmp_path):
    api = {"baseUrl": "http://orders.shop:8080", "specUrl": "http://orders.shop:8080/openapi.json"}
    done = templated({"api": api, "networkPolicy": {"egress": egress}, **changed}, tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_secret_may_be_named_where_it_may_not_be_told(tmp_path):
    for value in ("secretsmanager:arn:aws:secretsmanager:us-east-1:123456789012:secret:a-b1:token", "ssm:/a"):
        assert templated({"settings": {"AUTH_TOKEN": value}}, tmp_path).returncode == 0


IN_A_STORE = {"SESSION_KEY": "ssm:/key", "INBOUND_TOKENS": "ssm:/tokens", "AUTH_TOKEN": "ssm:/token"}


@pytest.mark.parametrize(
    "changed",
    [
        {"transport": "streamable-http", "inboundAuth": "none"},
        {"settings": IN_A_STORE},
        {"settings": {f"{name}_FILE": f"/mnt/{name}" for name in IN_A_STORE}},
    ],
    ids=["none is needed", "in a store", "in a volume"],
)
def test_without_a_secret_pods_wait_for_none(changed, tmp_path):
    done = templated({"secretName": "", **changed}, tmp_path)
    container = agreement.of_pod(list(yaml.safe_load_all(done.stdout)), "worker")
    assert "envFrom" not in container


def test_the_key_of_sessions_may_be_in_a_store_beside_other_secrets_in_files(tmp_path):
    changed = {
        "secretFiles": ["AUTH_TOKEN", "INBOUND_TOKENS"],
        "settings": {"SESSION_KEY": IN_A_STORE["SESSION_KEY"]},
    }
    assert templated(changed, tmp_path).returncode == 0


def test_every_secret_setting_is_checked_or_may_be_a_file():
    """The others hold JSON or a path, and most of these no secret."""
    text = (CHART / "templates" / "_checks.tpl").read_text("utf-8")
    (names,) = re.findall(r'define "secret" -}}\n(.*)\n', text)
    may_stand = {"AUTH_OAUTH2_PARAMETERS", "AUTH_CLIENT_CERTIFICATE", "AUTH_CLIENT_KEY", "HTTP_PROXY_URL"}
    may_stand |= {"EXTRA_HEADERS", "EXTRA_QUERY"}
    assert set(names.split()) | may_stand == {each.name for each in SETTINGS if each.secret}


def test_settings_that_the_chart_makes_are_those_that_it_refuses():
    found = list(yaml.safe_load_all(rendered(program(), "base")))
    made = {each["name"] for each in agreement.of_pod(found, "worker")["env"]}
    text = (CHART / "templates" / "_checks.tpl").read_text("utf-8")
    (names,) = re.findall(r'define "fixed" -}}\n(.*)\n', text)
    assert made - set(names.split()) - {"POD_IP"} == set(values("base")["settings"])


def merged(into: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """As helm does: null takes a value away."""
    for name, value in values.items():
        is_map = isinstance(value, dict) and isinstance(into.get(name), dict)
        into[name] = merged(into[name], value) if is_map else value
    return {name: value for name, value in into.items() if value is not None}


def values(name: str) -> dict[str, Any]:
    """As helm merges them."""
    own = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    return merged(own, yaml.safe_load((CHART / "ci" / f"{name}-values.yaml").read_text("utf-8")))


def schema() -> Draft202012Validator:
    return Draft202012Validator(msgspec.json.decode((CHART / "values.schema.json").read_bytes()))


@pytest.mark.parametrize("name", VALUES)
def test_the_schema_takes_the_values_of_each_set(name):
    assert [error.message for error in schema().iter_errors(values(name))] == []


@pytest.mark.parametrize("change", REFUSED.values(), ids=list(REFUSED))
def test_the_schema_refuses_what_cannot_be_deployed(change):
    changed = values("base")
    change(changed)
    assert not schema().is_valid(changed)


def places(values: dict[str, Any], *above: str) -> Iterator[tuple[str, ...]]:
    for name, value in values.items():
        yield (*above, name)
        if isinstance(value, dict):
            yield from places(value, *above, name)


@pytest.mark.parametrize(
    "place", list(places(yaml.safe_load((CHART / "values.yaml").read_text("utf-8")))), ids=".".join
)
def test_a_value_that_is_taken_away_is_named_or_not_needed(place, tmp_path):
    changed = values("base")
    holder = reduce(getitem, place[:-1], changed)
    del holder[place[-1]]
    refused = [error.message for error in schema().iter_errors(changed)]
    if refused:
        assert any(place[-1] in message or "specUrl" in place for message in refused)
        return
    done = templated(reduce(lambda inner, name: {name: inner}, reversed(place), None), tmp_path)
    assert re.search(r"nil pointer|wrong type|<nil>|YAML parse", done.stdout + done.stderr) is None
    assert done.returncode == 0 or place[-1] in done.stderr


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"settings": {"HTTP_TIMEOUT": 30}}, "at '/settings/HTTP_TIMEOUT': got number"),
        ({"settings": {"log_level": "DEBUG"}}, "at '/settings': additional properties 'log_level'"),
        ({"files": {"../a": ""}}, "at '/files': additional properties '../a'"),
        ({"fullnameOverride": "a"}, "at '': additional properties 'fullnameOverride'"),
    ],
)
def test_helm_refuses_what_the_schema_refuses_and_names_its_place(changed, words, tmp_path):
    done = templated(changed, tmp_path)
    assert done.returncode == 1
    assert words in done.stderr


def of_kind(found: list[Any], kind: str) -> Any:
    (one,) = [each for each in found if each["kind"] == kind]
    return one


def test_with_a_certificate_everybody_outside_comes_over_tls_and_so_does_the_kubelet():
    found = list(yaml.safe_load_all(rendered(program(), "tls")))
    proxy = agreement.of_pod(found, "proxy")
    ports = {each["name"]: each["containerPort"] for each in proxy["ports"]}
    (mount,) = [each for each in proxy["volumeMounts"] if each["name"] == "tls"]
    assert f"default {mount['mountPath']};" in CONFIGURATION.read_text("utf-8")
    asked = proxy["readinessProbe"]["httpGet"]  # a certificate that does not fit its key keeps a pod from clients
    assert (asked["port"], asked["scheme"]) == ("https", "HTTPS")
    (policy,) = of_kind(found, "NetworkPolicy")["spec"]["ingress"]
    assert [each["port"] for each in policy["ports"]] == [ports["https"]]
    door, *_ = of_kind(found, "Service")["spec"]["ports"]
    assert (door["targetPort"], door["appProtocol"]) == ("https", "https")
    (backend,) = of_kind(found, "HTTPRoute")["spec"]["rules"][0]["backendRefs"]
    assert backend["port"] == door["port"]
    assert (
        of_kind(found, "BackendTLSPolicy")["spec"]["targetRefs"][0]["name"]
        == of_kind(found, "Service")["metadata"]["name"]
    )


@pytest.mark.parametrize(("kind", "prefix"), [("alb", "alb.ingress"), ("nginx", "nginx.ingress")])
def test_a_controller_is_told_that_pods_speak_tls(kind, prefix, tmp_path):
    done = templated({"exposure": {"kind": kind}, "tls": {"secretName": "a"}}, tmp_path)
    ingress = of_kind(list(yaml.safe_load_all(done.stdout)), "Ingress")
    assert ingress["metadata"]["annotations"][f"{prefix}.kubernetes.io/backend-protocol"] == "HTTPS"
    (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"]["port"] == {"name": "https"}


def test_pods_with_ipv6_listen_there_and_without_sessions_do_not_talk_to_each_other():
    found = list(yaml.safe_load_all(rendered(program(), "tls")))
    proxy, container = (
        {each["name"]: each.get("value") for each in agreement.of_pod(found, name)["env"]}
        for name in ("proxy", "worker")
    )
    assert (proxy["PROXY_PORT"], proxy["PROXY_TLS_PORT"]) == ("[::]:8080", "[::]:8443")
    assert (container["SERVER_HOST"], container["SERVER_TRANSPORT"]) == ("::", "streamable-http")
    assert "SESSION_ADDRESS" not in container
    config = load([], {**container, "INBOUND_TOKENS": TOKENS}, lambda path: "")
    assert (config.host, config.session_address) == ("::", None)


@pytest.mark.parametrize(("name", "pod"), [("base", "10.1.2.3"), ("tls", "2001:db8::1")])
def test_prometheus_may_ask_a_pod_by_its_address(name, pod):
    """The operator, and a collector that finds pods, put the address of the pod into Host."""
    found = list(yaml.safe_load_all(rendered(program(), name)))
    container = agreement.of_pod(found, "worker")
    given = {name: value.replace("$(POD_IP)", pod) for name, value in environment(container).items()}
    config = load(
        [], {**given, "INBOUND_TOKENS": TOKENS, "SESSION_KEY": "k" * 32, "AUTH_TYPE": "none"}, lambda path: ""
    )
    (port,) = [each["containerPort"] for each in container["ports"] if each["name"] == "metrics"]
    address = f"[{pod}]" if ":" in pod else pod
    allowed(config).check({b"host": f"{address}:{port}".encode()})
    with pytest.raises(Refusal):
        allowed(config).check({b"host": b"rebound.example:9090"})


def test_agents_in_the_cluster_may_use_the_services_names():
    found = list(yaml.safe_load_all(rendered(program(), "files")))
    service = of_kind(found, "Service")["metadata"]["name"]
    proxy, container = (
        {each["name"]: each.get("value") for each in agreement.of_pod(found, name)["env"]}
        for name in ("proxy", "worker")
    )
    names = proxy["PROXY_SERVER_NAMES"].split()
    assert container["ALLOWED_HOSTS"].split(",")[:-1] == names
    assert {service, f"{service}.mcp.svc.cluster.local", values("files")["host"]} <= set(names)
    front, _ = (rule["from"] for rule in of_kind(found, "NetworkPolicy")["spec"]["ingress"][:2])
    assert values("files")["networkPolicy"]["clientsFrom"][0] in front
    assert of_kind(found, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "of-the-platform-team"
    assert "ServiceAccount" not in {each["kind"] for each in found}


def test_a_session_in_a_pod_with_ipv6_has_an_address_in_brackets(tmp_path):
    done = templated({"ipv6": True, "trustedCidr": "fd00::/8"}, tmp_path)
    container = environment(agreement.of_pod(list(yaml.safe_load_all(done.stdout)), "worker"))
    assert task_address(container["SESSION_ADDRESS"].replace("$(POD_IP)", "fd00::1")) == "[fd00::1]:8080"


def worker() -> tuple[dict[str, Any], dict[str, Any]]:
    """The worker of the set whose settings are files, and its pod."""
    found = list(yaml.safe_load_all(rendered(program(), "files")))
    (pod,) = [each["spec"]["template"]["spec"] for each in found if each["kind"] == "Deployment"]
    return next(each for each in pod["containers"] if each["name"] == "worker"), pod


def test_files_and_secrets_are_where_the_settings_say():
    container, pod = worker()
    places = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert places.keys() <= {each["name"] for each in pod["volumes"]}
    settings = {each["name"]: each.get("value", "") for each in container["env"]}
    given = values("files")
    for name in ("API_SPEC_PATH", "POLICY"):
        folder, _, file = settings[name].rpartition("/")
        assert (folder, file in given["files"]) == (places["files"], True)
    for name in given["secretFiles"]:
        assert settings[f"{name}_FILE"] == f"{places['secrets']}/{name}"
    assert "envFrom" not in container
    assert container["image"].endswith("@" + given["image"]["digest"])


def test_the_prometheus_operator_gets_the_alerts_and_grafana_the_dashboard():
    found = list(yaml.safe_load_all(rendered(program(), "files")))
    rules = of_kind(found, "PrometheusRule")
    assert rules["spec"] == yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text("utf-8"))
    assert values("files")["prometheusRule"]["labels"].items() <= rules["metadata"]["labels"].items()
    (board,) = [each for each in found if each["metadata"].get("labels", {}).get("grafana_dashboard")]
    (text,) = board["data"].values()
    whole = ROOT / "deploy" / "grafana" / "dashboards" / "openapi-mcp-server.json"
    assert msgspec.json.decode(text) == msgspec.json.decode(whole.read_bytes())


def test_a_new_text_of_a_file_rolls_the_pods(tmp_path):
    def annotations(text: str) -> dict[str, str]:
        changed = values("files")
        changed["files"]["policy.yaml"] = text
        (tmp_path / "values.yaml").write_text(yaml.safe_dump(changed), "utf-8")
        argv = [program(), "template", "a", CHART, "-f", tmp_path / "values.yaml"]
        found = yaml.safe_load_all(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)
        (pods,) = [each["spec"]["template"] for each in found if each["kind"] == "Deployment"]
        return pods["metadata"]["annotations"]

    assert annotations("principals: {}")["checksum/files"] != annotations("default: {}")["checksum/files"]


@pytest.mark.parametrize("number", [0, 1])
def test_the_values_of_the_guide_are_taken(number, tmp_path):
    block = blocks_of_the_guide()[number]
    assert [error.message for error in schema().iter_errors(merged(values("base"), block))] == []
    assert templated(block, tmp_path).returncode == 0


def test_the_guides_pods_reach_an_api_of_the_cluster(tmp_path):
    block = blocks_of_the_guide()[1]
    found = list(yaml.safe_load_all(templated(block, tmp_path).stdout))
    given = {**environment(agreement.of_pod(found, "worker")), "SESSION_ADDRESS": "10.0.0.1:8080"}
    config = load([], {**given, "INBOUND_TOKENS": TOKENS, "SESSION_KEY": "k" * 32}, lambda path: "")
    assert (config.allow_private_networks, config.allow_insecure_http) == (True, True)
    ports = {each["port"] for rule in of_kind(found, "NetworkPolicy")["spec"]["egress"] for each in rule["ports"]}
    assert httpx2.URL(block["api"]["baseUrl"]).port in ports


def test_the_rules_of_the_guide_are_rules(tmp_path):
    page = (ROOT / "docs" / "deploy" / "eks.md").read_text("utf-8")
    rules = [yaml.safe_load(rule) for rule in re.findall(r"`(\{to: .*?\})`", page)]
    assert {frozenset(rule) for rule in rules} == {frozenset({"to", "ports"})}
    done = templated({"networkPolicy": {"egress": [{"ports": [{"port": 443, "protocol": "TCP"}]}, *rules]}}, tmp_path)
    (tmp_path / "all.yaml").write_text(done.stdout, "utf-8")
    checked = ran(tool("kubernetes-validate"), "--strict", "-k", KUBERNETES, str(tmp_path / "all.yaml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def blocks_of_the_guide() -> list[Any]:
    page = (ROOT / "docs" / "deploy" / "eks.md").read_text("utf-8")
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]


def test_the_certificate_of_the_guide_is_for_the_name_that_a_gateway_checks(tmp_path):
    certificate = blocks_of_the_guide()[3]
    gateway = {"kind": "gateway", "gateway": {"parentRefs": [{"name": "a"}]}}
    done = templated({"exposure": gateway, "tls": {"secretName": certificate["spec"]["secretName"]}}, tmp_path)
    found = list(yaml.safe_load_all(done.stdout))
    assert [of_kind(found, "BackendTLSPolicy")["spec"]["validation"]["hostname"]] == certificate["spec"]["dnsNames"]
    (volume,) = [
        each for each in of_kind(found, "Deployment")["spec"]["template"]["spec"]["volumes"] if each["name"] == "tls"
    ]
    assert volume["secret"]["secretName"] == certificate["spec"]["secretName"]


def test_the_target_group_of_the_guide_is_for_the_service_as_an_ingress_has_it():
    """What the controller takes: docs/guide/gateway/targetgroupconfig.md of its repository."""
    guide = blocks_of_the_guide()[2]
    service, ingress = of_kind(documents("gateway"), "Service"), of_kind(documents("alb"), "Ingress")
    assert guide["spec"]["targetReference"] == {"name": service["metadata"]["name"]}
    made = guide["spec"]["defaultConfiguration"]
    asked = {
        name.removeprefix("alb.ingress.kubernetes.io/"): value
        for name, value in ingress["metadata"]["annotations"].items()
    }
    attributes = [f"{each['key']}={each['value']}" for each in made["targetGroupAttributes"]]
    assert ",".join(attributes) == asked["target-group-attributes"]
    assert made["targetType"] == asked["target-type"]
    assert made["healthCheckConfig"] == {
        "healthCheckPath": asked["healthcheck-path"],
        "healthCheckInterval": int(asked["healthcheck-interval-seconds"]),
        "healthCheckTimeout": int(asked["healthcheck-timeout-seconds"]),
    }


def test_a_controller_that_refuses_the_field_gets_no_time_of_an_answer(tmp_path):
    gateway = {"parentRefs": [{"name": "a"}], "requestTimeout": ""}
    done = templated({"exposure": {"kind": "gateway", "gateway": gateway}}, tmp_path)
    (rule,) = of_kind(list(yaml.safe_load_all(done.stdout)), "HTTPRoute")["spec"]["rules"]
    assert "timeouts" not in rule


def test_the_files_of_the_example_are_a_document_and_a_policy(tmp_path):
    for name, text in values("files")["files"].items():
        (tmp_path / name).write_text(text, "utf-8")
    named = ["--spec-path", f"{tmp_path}/openapi.yaml", "--policy", f"{tmp_path}/policy.yaml"]
    with started(
        "serve",
        *named,
        "--api-url",
        "https://api.example.com",
        "--transport",
        "http",
        "--port",
        "0",
        INBOUND_AUTH="token",
        INBOUND_TOKENS='[{"name": "reader", "token": "reader-0123456789abcdef"}]',
    ) as server:
        listed = httpx2.post(
            server.url,
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
            headers={
                "authorization": "Bearer reader-0123456789abcdef",
                "accept": "application/json, text/event-stream",
            },
        ).json()
    assert [each["name"] for each in listed["result"]["tools"]] == ["listPets"]


@pytest.mark.parametrize("name", ["files", "tls"])
def test_kubernetes_takes_the_other_sets(name, tmp_path):
    (tmp_path / "all.yaml").write_text(rendered(program(), name), "utf-8")
    done = ran(tool("kubernetes-validate"), "--strict", "-k", KUBERNETES, str(tmp_path / "all.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_kubernetes_would_take_it():
    """HTTPRoute and ServiceMonitor, which its schemas do not have, are warned about and not judged."""
    files = [f"deploy/kubernetes/{name}/all.yaml" for name in SETS]
    done = ran(tool("kubernetes-validate"), "--strict", "-k", KUBERNETES, *files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count(" passed for resource ") >= 7 * len(SETS)


@pytest.mark.parametrize("name", SETS)
def test_it_keeps_restricted_pod_security(name):
    (deployment,) = [each for each in documents(name) if each["kind"] == "Deployment"]
    spec = deployment["spec"]["template"]["spec"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert spec["automountServiceAccountToken"] is False
    assert {kind for volume in spec["volumes"] for kind in volume} <= {"name", "configMap", "emptyDir"}
    for container in spec["containers"]:
        context = container["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] > 0
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert "memory" in container["resources"]["limits"]
        assert not any("hostPort" in port for port in container["ports"])


@pytest.mark.parametrize("name", SETS)
def test_everything_that_selects_pods_selects_these(name):
    kinds = {each["kind"]: each for each in documents(name)}
    labels = kinds["Deployment"]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        kinds["Deployment"]["spec"]["selector"]["matchLabels"],
        kinds["Service"]["spec"]["selector"],
        kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        kinds["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        kinds["NetworkPolicy"]["spec"]["ingress"][1]["from"][0]["podSelector"]["matchLabels"],
    ]
    for selector in selectors:
        assert selector
        assert selector.items() <= labels.items()


@pytest.mark.parametrize("name", [name for name in SETS if name != "base"])
def test_the_way_in_leads_to_the_service(name):
    kinds = {each["kind"]: each for each in documents(name)}
    service = kinds["Service"]
    if "Ingress" in kinds:
        (path,) = kinds["Ingress"]["spec"]["rules"][0]["http"]["paths"]
        backend = path["backend"]["service"]
        assert backend["port"]["name"] in {each["name"] for each in service["spec"]["ports"]}
    else:
        (backend,) = kinds["HTTPRoute"]["spec"]["rules"][0]["backendRefs"]
        assert backend["port"] in {each["port"] for each in service["spec"]["ports"]}
    assert backend["name"] == service["metadata"]["name"]


def test_the_guides_ingress_is_a_variant():
    guide = {
        "nginx.ingress.kubernetes.io/proxy-read-timeout": "3600",
        "nginx.ingress.kubernetes.io/proxy-send-timeout": "3600",
        "nginx.ingress.kubernetes.io/proxy-buffering": "off",
    }
    found = list(yaml.safe_load_all(rendered(program(), "nginx")))
    (ingress,) = [each for each in found if each["kind"] == "Ingress"]
    assert guide.items() <= ingress["metadata"]["annotations"].items()


@pytest.mark.parametrize("kind", ["alb", "nginx"])
def test_an_ingress_has_the_annotations_of_a_platform_beside_its_own(kind, tmp_path):
    own = {"cert-manager.io/cluster-issuer": "bank"}
    made = {}
    for given in ({}, own):
        done = templated({"exposure": {"kind": kind, kind: {"annotations": given}}}, tmp_path)
        made[len(given)] = of_kind(list(yaml.safe_load_all(done.stdout)), "Ingress")["metadata"]["annotations"]
    assert made[1] == {**made[0], **own}


class Strict(yaml.SafeLoader):
    """Refuses a key that stands twice in one map, as kustomize does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"twice: {keys}"
        return super().construct_mapping(node, deep)


IDLE = "alb.ingress.kubernetes.io/load-balancer-attributes"
BODY = "nginx.ingress.kubernetes.io/proxy-body-size"
VERSION = "app.kubernetes.io/version"
METRICS_FROM = {"networkPolicy": {"metricsFrom": [{"namespaceSelector": {}}]}}
REPLACED: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "an annotation of the ALB": (
        "Ingress",
        "annotations",
        IDLE,
        {"exposure": {"kind": "alb", "alb": {"annotations": {IDLE: "own"}}}},
    ),
    "an annotation of ingress-nginx": (
        "Ingress",
        "annotations",
        BODY,
        {"exposure": {"kind": "nginx", "nginx": {"annotations": {BODY: "own"}}}},
    ),
    "a label of the monitor": (
        "ServiceMonitor",
        "labels",
        VERSION,
        {"serviceMonitor": {"enabled": True, "labels": {VERSION: "own"}}, **METRICS_FROM},
    ),
    "a label of the alerts": (
        "PrometheusRule",
        "labels",
        VERSION,
        {"prometheusRule": {"enabled": True, "labels": {VERSION: "own"}}},
    ),
}


@pytest.mark.parametrize(("kind", "field", "name", "changed"), REPLACED.values(), ids=list(REPLACED))
def test_what_a_platform_writes_takes_the_place_of_the_charts_own(kind, field, name, changed, tmp_path):
    found = list(yaml.load_all(templated(changed, tmp_path).stdout, Strict))
    assert of_kind(found, kind)["metadata"][field][name] == "own"
    before = list(yaml.safe_load_all(templated(without_own(changed), tmp_path).stdout))
    assert of_kind(before, kind)["metadata"][field].keys() == of_kind(found, kind)["metadata"][field].keys()


def without_own(changed: Any) -> Any:
    """The same values without the entry that a platform has written."""
    if not isinstance(changed, dict):
        return changed
    return {name: without_own(value) for name, value in changed.items() if value != "own"}


@pytest.mark.parametrize("name", SETS)
def test_a_set_can_be_built_upon_with_kustomize(name):
    done = ran(tool("kubectl"), "kustomize", f"deploy/kubernetes/{name}")
    assert list(yaml.safe_load_all(done.stdout)) != [None], done.stderr
