"""The ECS template and the task definition, as they come out for given parameters."""

from __future__ import annotations

from typing import Any

from cloudformation import Resolver, read
from render_task_definition import FOLDER, as_the_api_spells_it, parameters

TEMPLATE = FOLDER / "template.yaml"
VARIANTS: dict[str, dict[str, str]] = {
    "one sidecar": {},
    "the guide's sidecars": {"Observability": "xray-and-prometheus"},
    "x86": {"Architecture": "X86_64", "TaskSize": "small"},
    "no workspace": {"PrometheusWorkspaceId": "", "AlarmTopicArn": ""},
    "jwt": {"InboundAuth": "jwt", "InboundJwtIssuers": "https://a", "InboundJwtAudience": "b"},
    "Cognito's tokens": {
        "InboundAuth": "jwt",
        "InboundJwtIssuers": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE00",
        "InboundJwtClientIds": "exampleclientid00000000000",
    },
    "basic": {"AuthType": "basic", "TaskSize": "large"},
    "key": {
        "AuthType": "api_key",
        "SharedState": "valkey://cache.example.com:6379/0",
        "RateLimit": "10",
        "ApiRateLimit": "0.5",
    },
    "a store with a login": {
        "SharedStateSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:cache-a1b2c3"
    },
    "TLS to the tasks": {"ProxyTlsSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:proxy-tls-a1b2c3"},
    "cognito": {"AuthType": "cognito", "AccessLogsBucket": "logs"},
    "an API of the VPC": {"AllowPrivateNetworks": "true"},
    "open": {"AuthType": "none", "ApiSecretArn": "", "InboundAuth": "none", "InboundTokensSecretArn": ""},
}
"""Parameters that change what is made."""


def resources(**changed: str) -> dict[str, dict[str, Any]]:
    return Resolver(read(TEMPLATE), {**parameters(), **changed}).resources()


def task_definition(made: dict[str, dict[str, Any]]) -> dict[str, Any]:
    rendered: dict[str, Any] = as_the_api_spells_it(made["TaskDefinition"]["Properties"])
    return rendered


def container(task: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in task["containerDefinitions"] if each["name"] == name]
    return dict(found)
