"""What the deployment guide that this server follows tells its readers to set."""

from __future__ import annotations

AGENTCORE = {
    "API_NAME": "your-api-name", "SERVER_TRANSPORT": "streamable-http", "LOG_LEVEL": "INFO", "AUTH_TYPE": "cognito",
    "AUTH_COGNITO_CLIENT_ID": "client", "AUTH_COGNITO_USER_POOL_ID": "us-east-1_pool",
    "AUTH_COGNITO_REGION": "us-east-1", "AUTH_COGNITO_USERNAME": "ann", "AUTH_COGNITO_PASSWORD": "s3cret",
    "AUTH_TOKEN_TTL": "3600", "AUTH_COGNITO_DOMAIN": "ours", "ENABLE_PROMETHEUS": "false",
    "ENABLE_OPERATION_PROMPTS": "true", "OTEL_PYTHON_DISTRO": "aws_distro",
    "OTEL_PYTHON_CONFIGURATOR": "aws_configurator", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
}  # fmt: skip
"""The guide's environment of its AgentCore stack."""
