"""The ECS template: what is rendered from it is current, every variant keeps our rules and AWS's shapes, and the rules
notice what cfn-lint does not."""

from __future__ import annotations

import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

import ecs
import ecs_rules
import msgspec
import pytest
import shapes
from tools import ran, tool

from cloudformation import Resolver, read
from processes import CHECKOUT
from prometheus import promtool
from render_task_definition import parameters, task_definition

Mutation = Callable[[dict[str, dict[str, Any]], dict[str, Any]], object]

every_variant = pytest.mark.parametrize("changed", ecs.VARIANTS.values(), ids=list(ecs.VARIANTS))


def properties(made: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    found: dict[str, Any] = made[name]["Properties"]
    return found


def attribute(made: dict[str, dict[str, Any]], name: str, key: str) -> dict[str, Any]:
    (found,) = [
        each
        for field in ("LoadBalancerAttributes", "TargetGroupAttributes")
        for each in properties(made, name).get(field, [])
        if each["Key"] == key
    ]
    return found


def of(task: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in task["containerDefinitions"] if each["name"] == name]
    return found


def put(place: dict[str, Any], **fields: Any) -> None:
    place.update(fields)


def set_variable(container: dict[str, Any], name: str, value: str) -> None:
    (one,) = [each for each in container["environment"] if each["name"] == name]
    one["value"] = value


@every_variant
def test_a_variant_keeps_every_rule(changed):
    made = ecs.resources(**changed)
    assert ecs_rules.faults(made, ecs.task_definition(made)) == []


MUTATIONS: dict[str, Mutation] = {
    "a stop of more than two minutes": lambda made, task: put(of(task, "worker"), stopTimeout=150),
    "the platform's short stop": lambda made, task: put(of(task, "proxy"), stopTimeout=10),
    "a wait for a container that is not there": lambda made, task: put(
        of(task, "proxy"), dependsOn=[{"containerName": "wroker", "condition": "HEALTHY"}]
    ),
    "a wait for health that nobody checks": lambda made, task: of(task, "worker").pop("healthCheck"),
    "two that wait for each other": lambda made, task: put(
        of(task, "cloudwatch-agent"), dependsOn=[{"containerName": "proxy", "condition": "START"}]
    ),
    "a wait for the end of an essential container": lambda made, task: put(
        of(task, "proxy"), dependsOn=[{"containerName": "worker", "condition": "SUCCESS"}]
    ),
    "a mount of a volume that is not declared": lambda made, task: task["volumes"].pop(),
    "a volume that nobody mounts": lambda made, task: of(task, "proxy")["mountPoints"].pop(),
    "two containers of one name": lambda made, task: put(of(task, "cloudwatch-agent"), name="worker"),
    "an idle time that the load balancer does not have": lambda made, task: put(
        attribute(made, "LoadBalancer", "idle_timeout.timeout_seconds"), Value="4001"
    ),
    "an attribute of the load balancer misspelt": lambda made, task: put(
        attribute(made, "LoadBalancer", "idle_timeout.timeout_seconds"), Key="idle_timeout.seconds"
    ),
    "an attribute of the target group misspelt": lambda made, task: put(
        attribute(made, "TargetGroup", "deregistration_delay.timeout_seconds"), Key="deregistration_delay.timeout"
    ),
    "slow start with an algorithm that has none": lambda made, task: properties(made, "TargetGroup")[
        "TargetGroupAttributes"
    ].append({"Key": "slow_start.duration_seconds", "Value": "60"}),
    "a service that points at a port nobody has": lambda made, task: put(
        properties(made, "Service")["LoadBalancers"][0], ContainerPort=8081
    ),
    "a service that points past the proxy": lambda made, task: put(
        properties(made, "Service")["LoadBalancers"][0], ContainerName="worker"
    ),
    "two that listen on one port": lambda made, task: set_variable(of(task, "worker"), "SERVER_PORT", "8080"),
    "metrics on the worker's own port": lambda made, task: set_variable(of(task, "worker"), "PROMETHEUS_PORT", "8000"),
    "a port that is another one outside": lambda made, task: put(
        of(task, "proxy")["portMappings"][0], hostPort=80
    ),
    "a health check without CMD": lambda made, task: of(task, "proxy")["healthCheck"]["command"].pop(0),
    "a health check at a wrong port": lambda made, task: put(
        of(task, "proxy")["healthCheck"], command=["CMD", "curl", "http://127.0.0.1:8001/livez"]
    ),
    "a health check in an image without a shell": lambda made, task: put(
        of(task, "cloudwatch-agent"), healthCheck={"command": ["CMD-SHELL", "true"]}
    ),
    "a mode of the log misspelt": lambda made, task: put(
        of(task, "proxy")["logConfiguration"]["options"], mode="nonblocking"
    ),
    "an option of the log that there is not": lambda made, task: put(
        of(task, "proxy")["logConfiguration"]["options"], **{"awslogs-groups": "a"}
    ),
    "a log group that there is not": lambda made, task: put(
        of(task, "proxy")["logConfiguration"]["options"], **{"awslogs-group": "/ecs/other"}
    ),
    "privileges that Fargate does not give": lambda made, task: put(of(task, "worker"), privileged=True),
    "a root that can be written": lambda made, task: put(of(task, "worker"), readonlyRootFilesystem=False),
    "a worker that is root": lambda made, task: of(task, "worker").pop("user"),
    "secrets without an execution role": lambda made, task: task.pop("executionRoleArn"),
    "a secret that the execution role may not read": lambda made, task: put(
        of(task, "worker")["secrets"][0], valueFrom="arn:aws:secretsmanager:us-east-1:123456789012:secret:other-a1b2c3"
    ),
    "a secret in the environment": lambda made, task: of(task, "worker")["environment"].append(
        {"name": "AUTH_TOKEN", "value": "sesame"}
    ),
    "a login in an address": lambda made, task: of(task, "worker")["environment"].append(
        {"name": "SHARED_STATE", "value": "valkeys://:sesame@cache.example.com"}
    ),
    "a variable given twice": lambda made, task: of(task, "worker")["environment"].append(
        {"name": "SERVER_HOST", "value": "0.0.0.0"}
    ),
    "a size that Fargate does not have": lambda made, task: put(task, memory="1024"),
    "containers larger than their task": lambda made, task: put(of(task, "worker"), memory=2000),
    "a network mode that Fargate does not have": lambda made, task: put(task, networkMode="bridge"),
    "an agent's configuration that is no JSON": lambda made, task: set_variable(
        of(task, "cloudwatch-agent"), "CW_CONFIG_CONTENT", '{"agent": '
    ),
    "an alarm on a metric that there is not": lambda made, task: put(
        properties(made, "CpuAlarm"), MetricName="CPUUtilisation"
    ),
    "an alarm without one of the metric's dimensions": lambda made, task: properties(made, "CpuAlarm")[
        "Dimensions"
    ].pop(),
    "scaling on a metric that nobody sends": lambda made, task: put(
        properties(made, "ScaleOnCalls")["TargetTrackingScalingPolicyConfiguration"]["CustomizedMetricSpecification"],
        MetricName="openapi_mcp_calls",
    ),
    "tasks that cannot reach each other": lambda made, task: made.pop("TasksFromTasks"),
    "tasks that anybody reaches": lambda made, task: put(
        properties(made, "TaskSecurityGroup")["SecurityGroupIngress"][0], CidrIp="0.0.0.0/0"
    ),
    "a role that may everything": lambda made, task: put(
        properties(made, "MetricsToPrometheus")["PolicyDocument"]["Statement"][0], Action="aps:*"
    ),
    "a role that may write to every workspace": lambda made, task: put(
        properties(made, "MetricsToPrometheus")["PolicyDocument"]["Statement"][0], Resource="*"
    ),
    "a sidecar that may not send": lambda made, task: made.pop("MetricsToPrometheus"),
}  # fmt: skip
"""Mistakes that AWS refuses, or worse, carries out. cfn-lint takes most of them."""


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=list(MUTATIONS))
def test_a_rule_notices_what_breaks_it(mutation):
    made = ecs.resources()
    task = ecs.task_definition(made)
    mutation(made, task)
    assert ecs_rules.faults(made, task) != []


def test_the_rendered_task_definition_is_current():
    rendered = msgspec.json.decode((ecs.FOLDER / "task-definition.json").read_bytes())
    assert rendered == task_definition()


@every_variant
def test_ecs_takes_the_task_definition(changed):
    assert shapes.faults("ecs", "RegisterTaskDefinition", ecs.task_definition(ecs.resources(**changed))) == []


OPERATIONS = {
    "AWS::CloudWatch::Alarm": ("cloudwatch", "PutMetricAlarm", {}),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ("elbv2", "CreateLoadBalancer", {"LoadBalancerAttributes": None}),
    "AWS::ElasticLoadBalancingV2::TargetGroup": ("elbv2", "CreateTargetGroup", {"TargetGroupAttributes": None}),
    "AWS::ElasticLoadBalancingV2::Listener": ("elbv2", "CreateListener", {}),
    "AWS::ApplicationAutoScaling::ScalableTarget": ("application-autoscaling", "RegisterScalableTarget", {}),
    "AWS::CloudWatch::Dashboard": ("cloudwatch", "PutDashboard", {}),
    "AWS::SecretsManager::Secret": ("secretsmanager", "CreateSecret", {"GenerateSecretString": None}),
    "AWS::Logs::LogGroup": ("logs", "CreateLogGroup", {"RetentionInDays": None}),
}
"""Resources with the operation that makes them, and the fields that CloudFormation passes to another one."""
NUMBERS = {"MinCapacity", "MaxCapacity", "Threshold"}
"""Parameters of CloudFormation arrive as text; it turns them into what the API wants."""


def made_by(kind: str, made: dict[str, Any]) -> dict[str, Any]:
    left_out = OPERATIONS[kind][2]
    given = {name: value for name, value in made.items() if name not in left_out}
    given |= {name: int(value) for name, value in given.items() if name in NUMBERS}
    named = {"CreateLoadBalancer": "Name", "CreateTargetGroup": "Name", "PutMetricAlarm": "AlarmName"}
    names = {**named, "CreateSecret": "Name"}
    operation = OPERATIONS[kind][1]
    given |= {names[operation]: "a"} if operation in names else {}
    return {"logGroupName": given["LogGroupName"]} if kind == "AWS::Logs::LogGroup" else given


@pytest.mark.parametrize("changed", [{}, ecs.VARIANTS["the guide's sidecars"]], ids=["default", "guide"])
def test_the_apis_take_what_cloudformation_would_make(changed):
    for name, resource in ecs.resources(**changed).items():
        if resource["Type"] in OPERATIONS:
            service, operation, _ = OPERATIONS[resource["Type"]]
            assert shapes.faults(service, operation, made_by(resource["Type"], resource["Properties"])) == [], name


@pytest.mark.parametrize("changed", [{}, ecs.VARIANTS["the guide's sidecars"]], ids=["default", "guide"])
def test_scaling_takes_the_policies(changed):
    for policy in ecs_rules.of_type(ecs.resources(**changed), "AWS::ApplicationAutoScaling::ScalingPolicy").values():
        given = {name: value for name, value in policy.items() if name != "ScalingTargetId"}
        place = {
            "ServiceNamespace": "ecs",
            "ResourceId": "service/a/b",
            "ScalableDimension": "ecs:service:DesiredCount",
        }
        assert shapes.faults("application-autoscaling", "PutScalingPolicy", {**given, **place}) == []


def test_ecs_takes_the_service():
    service = ecs.as_the_api_spells_it(properties(ecs.resources(), "Service"))
    renamed = {name.replace("eCS", "ECS"): value for name, value in service.items()}
    assert shapes.faults("ecs", "CreateService", {"serviceName": "a", **renamed}) == []


def test_an_update_of_the_stack_leaves_as_many_tasks_as_scaling_has_made():
    """CloudFormation sends the service's DesiredCount with each update of it, whatever there are by then."""
    assert "DesiredCount" not in properties(ecs.resources(), "Service")
    assert properties(ecs.resources(MinTasks="3"), "ScalableTarget")["MinCapacity"] == "3"


def test_a_wrong_name_type_or_value_is_noticed_by_the_shapes():
    task = task_definition()
    assert shapes.faults("ecs", "RegisterTaskDefinition", {**task, "networkMode": "vpc"}) != []
    assert shapes.faults("ecs", "RegisterTaskDefinition", {**task, "cpus": "1024"}) != []
    assert shapes.faults("ecs", "RegisterTaskDefinition", {**task, "cpu": 1024}) != []


def test_there_are_the_twelve_alarms_and_the_runbook_has_an_entry_for_each():
    alarms = ecs_rules.of_type(ecs.resources(), "AWS::CloudWatch::Alarm")
    assert len(alarms) == 12
    runbook = (CHECKOUT / "docs" / "deploy" / "runbook.md").read_text("utf-8")
    assert [name for name in alarms if f"## {name}\n" not in runbook] == []
    assert set(re.findall(r"^## (\w+Alarm)$", runbook, re.MULTILINE)) == set(alarms)


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"InboundTokensSecretArn": ""}, "InboundAuth token needs InboundTokensSecretArn"),
        ({"ApiSecretArn": ""}, "AuthType needs ApiSecretArn"),
        (
            {"SharedState": "valkey://a", "SharedStateSecretArn": "arn:aws:secretsmanager:eu-west-1:1:secret:a"},
            "give either SharedState or SharedStateSecretArn",
        ),
        ({"InboundAuth": "jwt", "InboundJwtAudience": "a"}, "InboundAuth jwt needs InboundJwtIssuers"),
        (
            {"InboundAuth": "jwt", "InboundJwtIssuers": "https://a"},
            "InboundAuth jwt needs InboundJwtAudience or InboundJwtClientIds",
        ),
        (
            {"Observability": "xray-and-prometheus", "PrometheusWorkspaceId": ""},
            "xray-and-prometheus needs PrometheusWorkspaceId",
        ),
    ],
)  # fmt: skip
def test_parameters_that_do_not_fit_are_refused_before_anything_is_made(changed, wrong):
    assert Resolver(read(ecs.TEMPLATE), {**parameters(), **changed}).broken_rules() == [wrong]


@every_variant
def test_no_rule_of_the_template_is_against_a_variant(changed):
    assert Resolver(read(ecs.TEMPLATE), {**parameters(), **changed}).broken_rules() == []


def test_the_console_shows_every_parameter_in_a_group():
    template = ecs.read(ecs.TEMPLATE)
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]
    assert sorted(shown) == sorted(template["Parameters"])


@pytest.mark.parametrize("template", ["ecs", "api-gateway"])
def test_a_template_goes_to_cloudformation_in_a_request_with_room_for_some_lines_more(template):
    """A larger one has to be put into a bucket first, which the documented commands do not do."""
    assert (CHECKOUT / "deploy" / template / "template.yaml").stat().st_size <= 51_200 - 500


def test_cfn_lint_finds_nothing():
    done = ran(tool("cfn-lint"), "--", *sorted(CHECKOUT.glob("deploy/*/template.yaml")))
    assert (done.returncode, done.stdout) == (0, "")


def test_promtool_takes_what_the_sidecars_scrape_by(tmp_path):
    agent = ecs.container(task_definition(), "cloudwatch-agent")
    guide = ecs.container(task_definition(**ecs.VARIANTS["the guide's sidecars"]), "prometheus")
    for name, given, mode in (
        ("PROMETHEUS_CONFIG_CONTENT", agent, []),
        ("PROMETHEUS_CONFIG", guide, ["--agent"]),
    ):
        file = tmp_path / "prometheus.yml"
        file.write_text(ecs_rules.environment(given)[name], "utf-8")
        code, said = promtool("check", "config", *mode, file)
        assert code == 0, said


def answering(status: str) -> Iterator[int]:
    """A port at which one request is answered so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as request:
                while request.readline().strip():
                    pass
                connection.sendall(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode())

        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(("status", "healthy"), [("200 OK", True), ("503 Service Unavailable", False)])
def test_the_workers_health_check_asks_as_the_images_own(status, healthy):
    (_, *command) = ecs.container(task_definition(), "worker")["healthCheck"]["command"]
    for port in answering(status):
        asked = [word.replace("/8000", f"/{port}") for word in command]
        assert (subprocess.run(asked, check=False).returncode == 0) is healthy
