"""What the deployment guide that this server follows tells its readers to set means here what it says there."""

from __future__ import annotations

import pytest

from guide import AGENTCORE
from openapi_mcp_server.settings.auth import Auth
from openapi_mcp_server.settings.config import load

IMAGE = {
    "SERVER_TRANSPORT": "http",
    "SERVER_HOST": "0.0.0.0",
    "SERVER_PORT": "8000",
    "INBOUND_AUTH": "none",
    "SHUTDOWN_LAME_DUCK_SECONDS": "3",
    "API_BASE_URL": "https://api.example.com",
    "API_SPEC_URL": "https://api.example.com/openapi.json",
}
"""The Dockerfile's variables, and the two without which there is nothing to serve."""


def config(**environ):
    return load([], {**IMAGE, **environ}, lambda path: path)


@pytest.mark.parametrize(
    ("name", "value", "field", "meaning"),
    [
        ("SERVER_NAME", "My API Server", "server_name", "My API Server"),
        ("SERVER_DEBUG", "true", "log_level", "DEBUG"),
        ("SERVER_MESSAGE_TIMEOUT", "60", "message_timeout_seconds", 60),
        ("SERVER_HOST", "0.0.0.0", "host", "0.0.0.0"),
        ("SERVER_PORT", "8000", "port", 8000),
        ("SERVER_TRANSPORT", "sse", "transport", "sse"),
        ("SERVER_TRANSPORT", "streamable-http", "transport", "streamable-http"),
        ("SERVER_TRANSPORT", "stdio", "transport", "stdio"),
        ("LOG_LEVEL", "INFO", "log_level", "INFO"),
        ("ENABLE_PROMETHEUS", "false", "prometheus", False),
        ("ENABLE_PROMETHEUS", "true", "prometheus", True),
        ("PROMETHEUS_PORT", "9090", "prometheus_port", 9090),
        ("ENABLE_OPERATION_PROMPTS", "true", "operation_prompts", True),
        ("UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN", "5.0", "shutdown_grace_seconds", 5),
        ("UVICORN_GRACEFUL_SHUTDOWN", "true", "shutdown_grace_seconds", 60),
        ("UVICORN_GRACEFUL_SHUTDOWN", "false", "shutdown_grace_seconds", 0),
    ],
)
def test_a_variable_of_the_guide_sets_what_it_names(name, value, field, meaning):
    assert getattr(config(**{name: value}), field) == meaning


@pytest.mark.parametrize(
    ("name", "value", "field", "meaning"),
    [
        ("API_NAME", "myapi", "name", "myapi"),
        ("API_BASE_URL", "https://petstore3.swagger.io/api/v3", "base_url", "https://petstore3.swagger.io/api/v3"),
        (
            "API_SPEC_URL",
            "https://petstore3.swagger.io/openapi.json",
            "location",
            "https://petstore3.swagger.io/openapi.json",
        ),
    ],
)
def test_a_variable_of_the_guide_says_which_api(name, value, field, meaning):
    assert getattr(config(**{name: value}).apis[0], field) == meaning


def test_the_key_of_the_guide_goes_where_it_says():
    auth = {"AUTH_TYPE": "api_key", "AUTH_API_KEY": "k", "AUTH_API_KEY_NAME": "X-API-Key", "AUTH_API_KEY_IN": "header"}
    assert config(**auth).apis[0].auth == Auth(
        kind="api_key", api_key="k", api_key_name="X-API-Key", api_key_in="header"
    )


def test_all_of_the_guides_variables_together_are_warned_about_only_for_the_open_port():
    variables = {
        "SERVER_NAME": "My API Server", "SERVER_DEBUG": "true", "SERVER_MESSAGE_TIMEOUT": "60",
        "SERVER_TRANSPORT": "sse", "LOG_LEVEL": "INFO", "API_NAME": "myapi", "AUTH_TYPE": "api_key",
        "AUTH_API_KEY": "YOUR_API_KEY", "AUTH_API_KEY_NAME": "X-API-Key", "AUTH_API_KEY_IN": "header",
        "ENABLE_PROMETHEUS": "false", "PROMETHEUS_PORT": "9090", "ENABLE_OPERATION_PROMPTS": "true",
        "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN": "5.0", "UVICORN_GRACEFUL_SHUTDOWN": "true",
    }  # fmt: skip
    assert [text.partition(":")[0] for text in config(**variables).warnings] == ["INBOUND_AUTH is none"]


def test_the_environment_of_the_guides_agentcore_stack_logs_a_user_in():
    auth = config(**AGENTCORE).apis[0].auth
    assert (auth.kind, auth.flow, auth.cognito_region, auth.token_ttl) == (
        "cognito",
        "user_password",
        "us-east-1",
        3600,
    )
