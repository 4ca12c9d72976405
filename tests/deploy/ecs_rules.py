"""Rules over a task definition and the template around it that cfn-lint does not have: each yields what is wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

TaskDefinition = dict[str, Any]
Resources = dict[str, dict[str, Any]]

STOP_SECONDS = 120  # the most that Fargate waits
SIZES = {"256": (512, 2048), "512": (1024, 4096), "1024": (2048, 8192), "2048": (4096, 16384), "4096": (8192, 30720)}
"""Fargate's CPU units, each with the least and the most memory (MiB) that goes with it."""
WRITABLE_ROOTS = {"cloudwatch-agent"}
"""It writes its translated configuration beside its program."""
LOG_OPTIONS = {
    "awslogs-group", "awslogs-region", "awslogs-stream-prefix", "awslogs-create-group", "mode", "max-buffer-size",
}  # fmt: skip
WITHOUT_SHELL = ("aws-xray-daemon", "cloudwatch-agent")
"""Images that hold one program: nothing in them can carry out a health check."""
LISTENERS = {
    "proxy": ("PROXY_PORT", "PROXY_TLS_PORT"),
    "worker": ("SERVER_PORT", "PROMETHEUS_PORT"),
}
"""Variables that say on which ports a container listens."""
LOGIN = re.compile(r"^\w+://[^/]*@")
SECRET = re.compile(r"SECRET|PASSWORD|TOKENS?$|_KEY$")


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container.get("environment", [])}


def listening(container: dict[str, Any]) -> list[int]:
    """Its TCP ports, by variables, by options of its command and by the configuration of the agent."""
    values = environment(container)
    ports = [values[name] for name in LISTENERS.get(container["name"], ()) if values.get(name, "").isdigit()]
    ports += re.findall(r"(?:--bind-tcp |listen-address=)[\d.]+:(\d+)", " ".join(container.get("command", [])))
    ports += re.findall(r'"tcp_proxy":{"bind_address":"[\d.]+:(\d+)"', values.get("CW_CONFIG_CONTENT", ""))
    return [int(port) for port in ports]


# ---- the task definition ----


def names_are_unique(task: TaskDefinition) -> Iterator[str]:
    for name, count in Counter(each["name"] for each in task["containerDefinitions"]).items():
        if count > 1:
            yield f"two containers are called {name}"


def stops_fit_the_platform(task: TaskDefinition) -> Iterator[str]:
    for container in task["containerDefinitions"]:
        if not 30 <= container.get("stopTimeout", 30) <= STOP_SECONDS:
            yield f"{container['name']}: stopTimeout is not between 30 and {STOP_SECONDS}"
        if container.get("startTimeout", 1) > STOP_SECONDS:
            yield f"{container['name']}: startTimeout is above {STOP_SECONDS}"


def dependencies_can_be_met(task: TaskDefinition) -> Iterator[str]:
    containers = {each["name"]: each for each in task["containerDefinitions"]}
    for container in task["containerDefinitions"]:
        for dependency in container.get("dependsOn", []):
            other = containers.get(dependency["containerName"])
            if other is None:
                yield f"{container['name']} depends on {dependency['containerName']}, which is not there"
            elif dependency["condition"] == "HEALTHY" and "healthCheck" not in other:
                yield f"{container['name']} waits for the health of {other['name']}, which has no health check"
            elif dependency["condition"] in {"COMPLETE", "SUCCESS"} and other.get("essential", True):
                yield f"{container['name']} waits for the end of {other['name']}, which ends the task"


def dependencies_make_no_circle(task: TaskDefinition) -> Iterator[str]:
    waits = {
        each["name"]: {other["containerName"] for other in each.get("dependsOn", [])}
        for each in task["containerDefinitions"]
    }
    while free := [name for name, others in waits.items() if not others & set(waits)]:
        for name in free:
            del waits[name]
    if waits:
        yield f"these wait for each other: {', '.join(waits)}"


def health_checks_are_commands(task: TaskDefinition) -> Iterator[str]:
    for container in task["containerDefinitions"]:
        check = container.get("healthCheck")
        if check is None:
            continue
        if check["command"][0] not in {"CMD", "CMD-SHELL"} or len(check["command"]) < 2:
            yield f"{container['name']}: a health check begins with CMD or CMD-SHELL"
        if any(image in container["image"] for image in WITHOUT_SHELL):
            yield f"{container['name']}: its image has nothing that could carry out a health check"
        if check.get("timeout", 5) > check.get("interval", 30):
            yield f"{container['name']}: a health check takes longer than its interval"
        asked = {int(port) for port in re.findall(r"127\.0\.0\.1[:/](\d+)", " ".join(check["command"]))}
        if asked - set(listening(container)):
            yield f"{container['name']}: its health check asks at a port on which it does not listen"


def volumes_fit(task: TaskDefinition) -> Iterator[str]:
    declared = {each["name"] for each in task.get("volumes", [])}
    used = {
        mount["sourceVolume"]
        for container in task["containerDefinitions"]
        for mount in container.get("mountPoints", [])
    }
    for name in sorted(declared ^ used):
        yield f"volume {name} is {'not declared' if name in used else 'not used'}"
    for volume in task.get("volumes", []):
        if set(volume) - {"name"}:
            yield f"volume {volume['name']}: only empty folders are meant here"


def ports_are_free(task: TaskDefinition) -> Iterator[str]:
    taken: dict[int, str] = {}
    for container in task["containerDefinitions"]:
        for port in listening(container):
            if port in taken:
                yield f"{container['name']} and {taken[port]} both listen on {port} of one network namespace"
            taken[port] = container["name"]
        for mapping in container.get("portMappings", []):
            if mapping["containerPort"] not in listening(container):
                yield f"{container['name']} does not listen on {mapping['containerPort']}"
            if mapping.get("hostPort", mapping["containerPort"]) != mapping["containerPort"]:
                yield f"{container['name']}: with awsvpc a port is the same outside and inside"


def nothing_is_privileged(task: TaskDefinition) -> Iterator[str]:
    if (task.get("networkMode"), task.get("requiresCompatibilities")) != ("awsvpc", ["FARGATE"]):
        yield "this is a task for Fargate, with awsvpc"
    for container in task["containerDefinitions"]:
        if container.get("privileged") or container.get("linuxParameters", {}).get("capabilities", {}).get("add"):
            yield f"{container['name']}: Fargate gives no privileges"
        if container["name"] not in WRITABLE_ROOTS and container.get("readonlyRootFilesystem") is not True:
            yield f"{container['name']}: its root is not read-only"
        if container.get("essential") and container.get("user", "root").split(":")[0] in {"root", "0"}:
            yield f"{container['name']}: runs as root"


def roles_are_named(task: TaskDefinition) -> Iterator[str]:
    wants = any("secrets" in each or "logConfiguration" in each for each in task["containerDefinitions"])
    if wants and not task.get("executionRoleArn"):
        yield "secrets and logs need an execution role"
    if not task.get("taskRoleArn"):
        yield "traces and metrics need a task role"


def secrets_stay_secret(task: TaskDefinition) -> Iterator[str]:
    for container in task["containerDefinitions"]:
        for name, value in environment(container).items():
            if SECRET.search(name) and value:
                yield f"{container['name']}: {name} stands in the environment"
            if LOGIN.search(value):
                yield f"{container['name']}: {name} holds a login"
        names = [each["name"] for each in container.get("environment", []) + container.get("secrets", [])]
        for name, count in Counter(names).items():
            if count > 1:
                yield f"{container['name']}: {name} is given twice"


def logs_go_somewhere(task: TaskDefinition) -> Iterator[str]:
    for container in task["containerDefinitions"]:
        log = container.get("logConfiguration", {})
        options = log.get("options", {})
        if log.get("logDriver") != "awslogs" or set(options) - LOG_OPTIONS:
            yield f"{container['name']}: its log is not one of awslogs, or has an option that awslogs does not have"
        if options.get("mode") != "non-blocking":
            yield f"{container['name']}: a log that blocks stops the container when CloudWatch does not answer"
        if not {"awslogs-group", "awslogs-region", "awslogs-stream-prefix"} <= set(options):
            yield f"{container['name']}: Fargate needs group, region and prefix of a log"


def sizes_are_fargates(task: TaskDefinition) -> Iterator[str]:
    least, most = SIZES.get(task["cpu"], (0, -1))
    if not least <= int(task["memory"]) <= most:
        yield f"Fargate has no task with {task['cpu']} CPU units and {task['memory']} MiB"
    wanted = sum(each.get("memory", 0) for each in task["containerDefinitions"])
    if wanted > int(task["memory"]):
        yield f"the containers want {wanted} MiB of the task's {task['memory']}"


def agents_read_their_configuration(task: TaskDefinition) -> Iterator[str]:
    for container in task["containerDefinitions"]:
        content = environment(container).get("CW_CONFIG_CONTENT")
        if content is None:
            continue
        try:
            msgspec.json.decode(content)
        except msgspec.DecodeError as wrong:
            yield f"{container['name']}: CW_CONFIG_CONTENT is no JSON: {wrong}"
        for name in re.findall(r"env:(\w+)", content):
            if name not in environment(container):
                yield f"{container['name']}: reads {name}, which is not set"


TASK_RULES: tuple[Callable[[TaskDefinition], Iterator[str]], ...] = (
    names_are_unique,
    stops_fit_the_platform,
    dependencies_can_be_met,
    dependencies_make_no_circle,
    health_checks_are_commands,
    volumes_fit,
    ports_are_free,
    nothing_is_privileged,
    roles_are_named,
    secrets_stay_secret,
    logs_go_somewhere,
    sizes_are_fargates,
    agents_read_their_configuration,
)


# ---- the template around it: resolved resources, with the rendered task definition ----

LOAD_BALANCER = {  # attribute → the least and the most, or what it may be (elasticloadbalancing-2015-12-01)
    "idle_timeout.timeout_seconds": (1, 4000),
    "client_keep_alive.seconds": (60, 604_800),
    "routing.http.drop_invalid_header_fields.enabled": {"true", "false"},
    "deletion_protection.enabled": {"true", "false"},
    "access_logs.s3.enabled": {"true", "false"},
    "access_logs.s3.bucket": None,
}
TARGET_GROUP = {
    "deregistration_delay.timeout_seconds": (0, 3600),
    "load_balancing.algorithm.type": {"round_robin", "least_outstanding_requests", "weighted_random"},
    "slow_start.duration_seconds": (30, 900),
    "stickiness.enabled": {"true", "false"},
}
ALB = {"LoadBalancer"}
TARGET = {"LoadBalancer", "TargetGroup"}
SERVICE = {"ClusterName", "ServiceName"}
OWN = {"service"}
METRICS = {
    ("AWS/ApplicationELB", "RequestCount"): TARGET,
    ("AWS/ApplicationELB", "HTTPCode_Target_2XX_Count"): TARGET,
    ("AWS/ApplicationELB", "HTTPCode_Target_4XX_Count"): TARGET,
    ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count"): TARGET,
    ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count"): ALB,
    ("AWS/ApplicationELB", "UnHealthyHostCount"): TARGET,
    ("AWS/ApplicationELB", "HealthyHostCount"): TARGET,
    ("AWS/ApplicationELB", "RejectedConnectionCount"): ALB,
    ("AWS/ApplicationELB", "TargetConnectionErrorCount"): TARGET,
    ("AWS/ApplicationELB", "TargetResponseTime"): TARGET,
    ("AWS/ECS", "CPUUtilization"): SERVICE,
    ("AWS/ECS", "MemoryUtilization"): SERVICE,
    ("ECS/ContainerInsights", "DesiredTaskCount"): SERVICE,
    ("ECS/ContainerInsights", "RunningTaskCount"): SERVICE,
}
"""AWS's own metrics, each with the dimensions under which it exists."""


def of_type(resources: Resources, kind: str) -> dict[str, dict[str, Any]]:
    return {name: each["Properties"] for name, each in resources.items() if each["Type"] == kind}


def attributes_exist(resources: Resources, task: TaskDefinition) -> Iterator[str]:
    for kind, field, known in (
        ("LoadBalancer", "LoadBalancerAttributes", LOAD_BALANCER),
        ("TargetGroup", "TargetGroupAttributes", TARGET_GROUP),
    ):
        for name, properties in of_type(resources, f"AWS::ElasticLoadBalancingV2::{kind}").items():
            values = {each["Key"]: each["Value"] for each in properties[field]}
            for key, value in values.items():
                allowed = known.get(key, set())
                if isinstance(allowed, tuple) and not (value.isdigit() and allowed[0] <= int(value) <= allowed[1]):
                    yield f"{name}: {key} is not between {allowed[0]} and {allowed[1]}"
                elif isinstance(allowed, set) and value not in allowed:
                    yield f"{name}: {key} does not exist or cannot be {value}"
            if "slow_start.duration_seconds" in values and values.get("load_balancing.algorithm.type") != "round_robin":
                yield f"{name}: slow start goes with round_robin alone"


def the_service_reaches_its_container(resources: Resources, task: TaskDefinition) -> Iterator[str]:
    containers = {each["name"]: each for each in task["containerDefinitions"]}
    groups = of_type(resources, "AWS::ElasticLoadBalancingV2::TargetGroup")
    for name, service in of_type(resources, "AWS::ECS::Service").items():
        for balancer in service["LoadBalancers"]:
            container = containers.get(balancer["ContainerName"], {})
            ports = {each["containerPort"] for each in container.get("portMappings", [])}
            if balancer["ContainerPort"] not in ports:
                yield f"{name}: {balancer['ContainerName']} has no port {balancer['ContainerPort']}"
            if {group["Port"] for group in groups.values()} != {balancer["ContainerPort"]}:
                yield f"{name}: the target group has another port"
    for name, group in groups.items():
        if group.get("TargetType") != "ip":
            yield f"{name}: Fargate's targets are addresses"
        if group["HealthCheckTimeoutSeconds"] >= group["HealthCheckIntervalSeconds"]:
            yield f"{name}: a health check takes as long as its interval"


def ports_are_open(resources: Resources, task: TaskDefinition) -> Iterator[str]:
    """From the load balancer to the proxy, and from each task to the others' proxies, both ways in and out."""
    (proxy,) = [each for each in task["containerDefinitions"] if each["name"] == "proxy"]
    port = proxy["portMappings"][0]["containerPort"]
    for kind, peer in (("Ingress", "SourceSecurityGroupId"), ("Egress", "DestinationSecurityGroupId")):
        rules = of_type(resources, f"AWS::EC2::SecurityGroup{kind}").values()
        selfs = [rule for rule in rules if rule.get(peer) == rule["GroupId"]]
        if not any(rule["FromPort"] == rule["ToPort"] == port for rule in selfs):
            yield f"tasks cannot reach each other on {port} ({kind})"
    groups = of_type(resources, "AWS::EC2::SecurityGroup")
    (target,) = {each["Port"] for each in of_type(resources, "AWS::ElasticLoadBalancingV2::TargetGroup").values()}
    for rule in groups["TaskSecurityGroup"]["SecurityGroupIngress"]:
        if "CidrIp" in rule or (rule["FromPort"], rule["ToPort"]) != (target, target):
            yield "tasks are reached by the load balancer on the proxy's port alone"
    for rule in groups["LoadBalancerSecurityGroup"]["SecurityGroupEgress"]:
        if (rule["FromPort"], rule["ToPort"]) != (target, target):
            yield "the load balancer does not reach the tasks' port"
    for name, group in groups.items():
        if not group.get("SecurityGroupEgress"):
            yield f"{name}: a group that names no egress may go everywhere"
        if group.get("SecurityGroupEgress", [{}])[0].get("IpProtocol") == "-1":
            yield f"{name}: may go everywhere"


def the_execution_role_reads_the_secrets(resources: Resources, task: TaskDefinition) -> Iterator[str]:
    allowed = [
        resource
        for statement in statements(resources, "ExecutionRole")
        if "secretsmanager:GetSecretValue" in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    ]
    for container in task["containerDefinitions"]:
        for secret in container.get("secrets", []):
            if ":".join(secret["valueFrom"].split(":")[:7]) not in allowed:
                yield f"the execution role may not read {secret['name']}"


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(resources: Resources, role: str) -> Iterator[dict[str, Any]]:
    for policy in resources[role]["Properties"].get("Policies", []):
        yield from policy["PolicyDocument"]["Statement"]
    for policy in of_type(resources, "AWS::IAM::RolePolicy").values():
        if policy["RoleName"] == f"openapi-mcp-server-{role}":
            yield from policy["PolicyDocument"]["Statement"]


def roles_may_little(resources: Resources, task: TaskDefinition) -> Iterator[str]:
    everywhere = {"ecr:GetAuthorizationToken", "xray:PutTraceSegments", "xray:PutTelemetryRecords"}
    everywhere |= {"xray:GetSamplingRules", "xray:GetSamplingTargets"}
    for role in of_type(resources, "AWS::IAM::Role"):
        for statement in statements(resources, role):
            actions = set(as_list(statement["Action"]))
            if any("*" in action for action in actions):
                yield f"{role}: an action with *"
            if "*" in as_list(statement["Resource"]) and actions - everywhere:
                yield f"{role}: {', '.join(sorted(actions - everywhere))} on everything"


def what_sidecars_send_is_allowed(resources: Resources, task: TaskDefinition) -> Iterator[str]:
    actions = {action for statement in statements(resources, "TaskRole") for action in as_list(statement["Action"])}
    everything = str(task)
    for needed, sign in (
        ("xray:PutTraceSegments", "2000"),
        ("xray:GetSamplingRules", "2000"),
        ("aps:RemoteWrite", "workspace"),
        ("logs:PutLogEvents", "emf_processor"),
    ):
        if sign in everything and needed not in actions:
            yield f"the task role lacks {needed}"


def metrics_of(alarm: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "MetricName" in alarm:
        yield alarm
    yield from (each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each)


def used_metrics(resources: Resources) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """(who uses it, namespace, name, dimensions)"""
    for name, alarm in of_type(resources, "AWS::CloudWatch::Alarm").items():
        for metric in metrics_of(alarm):
            dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
            yield name, metric["Namespace"], metric["MetricName"], dimensions
    for name, policy in of_type(resources, "AWS::ApplicationAutoScaling::ScalingPolicy").items():
        tracking = policy["TargetTrackingScalingPolicyConfiguration"]
        metric = tracking.get("CustomizedMetricSpecification")
        if metric is not None:
            dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
            yield name, metric["Namespace"], metric["MetricName"], dimensions
    for name, dashboard in of_type(resources, "AWS::CloudWatch::Dashboard").items():
        for widget in msgspec.json.decode(dashboard["DashboardBody"])["widgets"]:
            for line in widget["properties"].get("metrics", []):
                if isinstance(line[0], str):
                    words = [word for word in line if isinstance(word, str)]
                    yield name, words[0], words[1], dict(zip(words[2::2], words[3::2], strict=True))


def selected_by_the_agent(task: TaskDefinition) -> list[str]:
    """Regular expressions of the names that become metrics of CloudWatch by the service alone."""
    contents = "".join(environment(each).get("CW_CONFIG_CONTENT", "") for each in task["containerDefinitions"])
    return re.findall(r'"dimensions":\[\["service"\]\],\s*"metric_selectors":\["([^"]+)"\]', contents)


def metrics_exist(resources: Resources, task: TaskDefinition) -> Iterator[str]:
    selectors = selected_by_the_agent(task)
    for user, namespace, name, dimensions in used_metrics(resources):
        if namespace == "OpenApiMcp":
            if user != "Dashboard" and not any(re.search(each, name) for each in selectors):
                yield f"{user}: no agent sends {name}"
            if dimensions != {"service": "openapi-mcp-server"}:
                yield f"{user}: {name} has the dimension service"
        elif METRICS.get((namespace, name)) != set(dimensions):
            yield f"{user}: there is no {namespace} {name} of {', '.join(dimensions)}"


def alarms_are_complete(resources: Resources, task: TaskDefinition) -> Iterator[str]:
    for name, alarm in of_type(resources, "AWS::CloudWatch::Alarm").items():
        if "TreatMissingData" not in alarm or not alarm.get("AlarmDescription"):
            yield f"{name}: says what missing data means, and what it is about"
        if alarm.get("DatapointsToAlarm", 0) > alarm["EvaluationPeriods"]:
            yield f"{name}: wants more data points than it looks at"
        returned = [each for each in alarm.get("Metrics", []) if each.get("ReturnData", True)]
        if "Metrics" in alarm and len(returned) != 1:
            yield f"{name}: exactly one of its metrics is compared"


def log_groups_are_there(resources: Resources, task: TaskDefinition) -> Iterator[str]:
    groups = {each["LogGroupName"] for each in of_type(resources, "AWS::Logs::LogGroup").values()}
    named = {each["logConfiguration"]["options"].get("awslogs-group") for each in task["containerDefinitions"]}
    named |= set(
        re.findall(r'"log_group_name":"([^"]+)"', "".join(str(environment(c)) for c in task["containerDefinitions"]))
    )
    named |= set(re.findall(r"SOURCE '([^']+)'", str(of_type(resources, "AWS::CloudWatch::Dashboard"))))
    for name in sorted(str(each) for each in named - groups):
        yield f"log group {name} is not there"


TEMPLATE_RULES: tuple[Callable[[Resources, TaskDefinition], Iterator[str]], ...] = (
    attributes_exist,
    the_service_reaches_its_container,
    ports_are_open,
    the_execution_role_reads_the_secrets,
    roles_may_little,
    what_sidecars_send_is_allowed,
    metrics_exist,
    alarms_are_complete,
    log_groups_are_there,
)


def faults(resources: Resources, task: TaskDefinition) -> list[str]:
    return [fault for rule in TASK_RULES for fault in rule(task)] + [
        fault for around in TEMPLATE_RULES for fault in around(resources, task)
    ]
