"""Deploys the server for one API: `cdk deploy -c apiUrl=… -c userPoolId=… -c clientId=…`, in this folder."""

from __future__ import annotations

import sys

from aws_cdk import App, CfnOutput, Fn, Stack, Validations
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_secretsmanager as secretsmanager
from cdk_nag import AwsSolutionsChecks
from constructs import Construct
from openapi_mcp_server_runtime import OpenApiMcpServer

LOGIN = ["apiClientId", "cognitoDomain", "apiClientSecretArn"]
"""Values of the context by which the server logs in at the API: all of them, or none."""


class OpenApiMcpServerStack(Stack):
    """Values come from the context (cdk.json, or -c NAME=VALUE), which is in no template as a secret: it has none."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.server = OpenApiMcpServer(
            self,
            "Server",
            settings={
                "API_NAME": self._given("apiName"),
                "API_BASE_URL": self._given("apiUrl"),
                "API_SPEC_URL": self._given("specUrl"),
                "LOG_LEVEL": "INFO",
                **self._login(),
            },
            secrets=self._secrets(),
            user_pool=cognito.UserPool.from_user_pool_id(self, "UserPool", self._given("userPoolId")),
            user_pool_clients=[
                cognito.UserPoolClient.from_user_pool_client_id(self, "Client", self._given("clientId"))
            ],
        )
        self._tell()

    def _tell(self) -> None:
        runtime = self.server.runtime
        escaped = Fn.join("%2F", Fn.split("/", Fn.join("%3A", Fn.split(":", runtime.agent_runtime_arn))))
        issuer = f"https://cognito-idp.{self.region}.amazonaws.com/{self._given('userPoolId')}"
        CfnOutput(self, "RuntimeArn", value=runtime.agent_runtime_arn)
        CfnOutput(self, "RuntimeName", value=runtime.agent_runtime_name)
        CfnOutput(
            self,
            "McpUrl",
            value=f"https://bedrock-agentcore.{self.region}.amazonaws.com/runtimes/{escaped}/invocations?qualifier=DEFAULT",
            description="The address that clients are given",
        )
        CfnOutput(self, "JwtDiscoveryUrl", value=f"{issuer}/.well-known/openid-configuration")

    def _given(self, name: str) -> str:
        return str(self.node.get_context(name))

    def _login(self) -> dict[str, str]:
        """How the server itself logs in at the API: as a client of the same pool, at the pool's domain."""
        missing = [name for name in LOGIN if not self._given(name)]
        if missing == LOGIN:
            return {"AUTH_TYPE": "none"}
        if missing:
            sys.exit(f"{', '.join(missing)}: missing; a login at the API needs all of {', '.join(LOGIN)}")
        return {
            "AUTH_TYPE": "cognito",
            "AUTH_COGNITO_CLIENT_ID": self._given("apiClientId"),
            "AUTH_COGNITO_USER_POOL_ID": self._given("userPoolId"),
            "AUTH_COGNITO_DOMAIN": self._given("cognitoDomain"),
            "AUTH_COGNITO_REGION": self.region,
            "AUTH_TOKEN_TTL": "3600",
        }

    def _secrets(self) -> dict[str, tuple[secretsmanager.ISecret, str]]:
        arn = self._given("apiClientSecretArn")
        if not arn:
            return {}
        secret = secretsmanager.Secret.from_secret_complete_arn(self, "ApiClientSecret", arn)
        return {"AUTH_COGNITO_CLIENT_SECRET": (secret, "client_secret")}


app = App()
OpenApiMcpServerStack(app, "OpenApiMcpServer")
Validations.of(app).add_plugins(AwsSolutionsChecks(app))
app.synth()
