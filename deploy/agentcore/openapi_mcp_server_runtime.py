"""A construct that runs this server on Amazon Bedrock AgentCore Runtime; docs/deploy/agentcore.md tells the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_bedrockagentcore as agentcore
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

CHECKOUT = Path(__file__).resolve().parents[2]
"""The folder of the Dockerfile; where this repository is a submodule of yours, the submodule."""


class OpenApiMcpServer(Construct):
    """The server behind the platform's own check of JWTs from a Cognito user pool.

    ``settings`` are variables of docs/configuration.md. ``secrets`` are such variables too, each with a secret and the
    key in its JSON, or an empty key for the whole value: the template has the secret's ARN, the server reads the value.
    """

    def __init__(  # noqa: PLR0913 - each is a thing of its own, by name
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Mapping[str, str],
        user_pool: cognito.IUserPool,
        user_pool_clients: Sequence[cognito.IUserPoolClient],
        secrets: Mapping[str, tuple[secretsmanager.ISecret, str]] | None = None,
        request_headers: Sequence[str] = (),
        network: agentcore.RuntimeNetworkConfiguration | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        secrets = secrets or {}
        self.runtime = agentcore.Runtime(
            self,
            "Runtime",
            description="An OpenAPI document as MCP tools",
            agent_runtime_artifact=agentcore.AgentRuntimeArtifact.from_asset(
                str(CHECKOUT), platform=ecr_assets.Platform.LINUX_ARM64
            ),
            protocol_configuration=agentcore.ProtocolType.MCP,
            network_configuration=network or agentcore.RuntimeNetworkConfiguration.using_public_network(),
            authorizer_configuration=agentcore.RuntimeAuthorizerConfiguration.using_cognito(
                user_pool, list(user_pool_clients)
            ),
            request_header_configuration=_passed_on(request_headers),
            lifecycle_configuration=agentcore.LifecycleConfiguration(
                idle_runtime_session_timeout=Duration.minutes(15), max_lifetime=Duration.hours(8)
            ),
            tracing_enabled=True,
            environment_variables={**PLATFORM, **settings, **_references(secrets)},
        )
        self._let_read(secrets)
        self._acknowledge()

    def _let_read(self, secrets: Mapping[str, tuple[secretsmanager.ISecret, str]]) -> None:
        arns = list(dict.fromkeys(secret.secret_arn for secret, _ in secrets.values()))
        if arns:
            self.runtime.role.add_to_principal_policy(
                iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=arns)
            )

    def _acknowledge(self) -> None:
        role = self.runtime.node.find_child("ExecutionRole")
        Validations.of(role).acknowledge(
            *(
                Acknowledgment(id=f"AwsSolutions::AwsSolutions-IAM5[{finding}]", reason=reason)
                for finding, reason in ACKNOWLEDGED.items()
            )
        )


PLATFORM = {
    # The platform calls POST /mcp on 0.0.0.0:8000 of a container without sessions of its own.
    "SERVER_TRANSPORT": "streamable-http",
    "SERVER_HOST": "0.0.0.0",  # noqa: S104
    "SERVER_PORT": "8000",
    # It has checked the caller, and takes the Authorization header away unless request_headers has it.
    "INBOUND_AUTH": "none",
    # Which Host it sends is its own affair; no browser reaches the container.
    "ALLOWED_HOSTS": "*",
    "SPEC_WAIT_SECONDS": "60",  # the platform waits for 120
    "SHUTDOWN_LAME_DUCK_SECONDS": "0",  # nobody asks for readiness before a stop
}
_HERE = "<AWS::Region>:<AWS::AccountId>"
_IDENTITIES = f"bedrock-agentcore:{_HERE}:workload-identity-directory/default/workload-identity/*"
ACKNOWLEDGED = {
    f"Resource::arn:<AWS::Partition>:logs:{_HERE}:log-group:/aws/bedrock-agentcore/runtimes/*": (
        "The platform makes the runtime's log group; its name ends with an id that is known only afterwards."
    ),
    f"Resource::arn:<AWS::Partition>:logs:{_HERE}:log-group:/aws/bedrock-agentcore/runtimes/*:log-stream:*": (
        "Likewise for the streams in it, one for each session."
    ),
    f"Resource::arn:<AWS::Partition>:logs:{_HERE}:log-group:*": (
        "logs:DescribeLogGroups lists groups and takes no narrower resource."
    ),
    "Resource::*": (
        "ecr:GetAuthorizationToken and X-Ray's writers take no resource; cloudwatch:PutMetricData is bound to the "
        "namespace bedrock-agentcore by a condition."
    ),
    f"Resource::arn:<AWS::Partition>:{_IDENTITIES}": (
        "The platform makes the runtime's workload identity; its name ends with an id that is known only afterwards."
    ),
}
"""Findings of AwsSolutions-IAM5 about the role that CDK makes for every runtime, each with its reason."""


def _references(secrets: Mapping[str, tuple[secretsmanager.ISecret, str]]) -> dict[str, str]:
    return {
        name: f"secretsmanager:{secret.secret_arn}" + (f":{key}" if key else "")
        for name, (secret, key) in secrets.items()
    }


def _passed_on(headers: Sequence[str]) -> agentcore.RequestHeaderConfiguration | None:
    return agentcore.RequestHeaderConfiguration(allowlisted_headers=list(headers)) if headers else None
