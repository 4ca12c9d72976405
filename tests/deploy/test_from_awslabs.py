"""Coming from awslabs.openapi-mcp-server: the page has its flags and variables, and a server starts with each."""

from __future__ import annotations

import re

import pytest

from asked import call, post
from guide import AGENTCORE
from openapi_mcp_server.settings.config import load
from openapi_mcp_server.settings.table import SETTINGS
from processes import CHECKOUT, started
from recording import document, recording, with_document

PAGE = (CHECKOUT / "docs" / "from-awslabs.md").read_text("utf-8")
FLAGS = [
    "--api-name",
    "--api-url",
    "--spec-url",
    "--spec-path",
    "--auth-type",
    "--auth-username",
    "--auth-password",
    "--auth-token",
    "--auth-api-key",
    "--auth-api-key-name",
    "--auth-api-key-in",
    "--auth-cognito-client-id",
    "--auth-cognito-username",
    "--auth-cognito-password",
    "--auth-cognito-user-pool-id",
    "--auth-cognito-region",
    "--auth-cognito-client-secret",
    "--auth-cognito-domain",
    "--auth-cognito-scopes",
    "--include-tags",
    "--exclude-tags",
    "--no-validate-output",
    "--additional-specs",
    "--allow-insecure-http",
    "--allow-private-networks",
    "--allowed-spec-dirs",
    "--log-level",
    "--debug",
]
VARIABLES = [
    "API_NAME",
    "API_BASE_URL",
    "API_SPEC_URL",
    "SERVER_TRANSPORT",
    "ENABLE_PROMETHEUS",
    "ENABLE_OPERATION_PROMPTS",
    "SERVER_NAME",
    "SERVER_DEBUG",
    "SERVER_MESSAGE_TIMEOUT",
    "SERVER_HOST",
    "SERVER_PORT",
    "LOG_LEVEL",
    "AUTH_TYPE",
    "AUTH_API_KEY",
    "AUTH_API_KEY_NAME",
    "AUTH_API_KEY_IN",
    "PROMETHEUS_PORT",
    "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN",
    "UVICORN_GRACEFUL_SHUTDOWN",
    "AUTH_COGNITO_CLIENT_ID",
    "AUTH_COGNITO_USER_POOL_ID",
    "AUTH_COGNITO_REGION",
    "AUTH_COGNITO_USERNAME",
    "AUTH_COGNITO_PASSWORD",
    "AUTH_TOKEN_TTL",
    "AUTH_COGNITO_DOMAIN",
    "OTEL_PYTHON_DISTRO",
    "OTEL_PYTHON_CONFIGURATOR",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    *[
        "API_SPEC_PATH",
        "INCLUDE_TAGS",
        "EXCLUDE_TAGS",
        "VALIDATE_OUTPUT",
        "ADDITIONAL_SPECS",
        "ALLOW_INSECURE_HTTP",
        "ALLOWED_SPEC_DIRS",
        "ALLOW_PRIVATE_NETWORKS",
        "AUTH_USERNAME",
        "AUTH_PASSWORD",
        "AUTH_TOKEN",
        "AUTH_COGNITO_CLIENT_SECRET",
        "AUTH_COGNITO_SCOPES",
        "HTTP_MAX_CONNECTIONS",
        "HTTP_MAX_KEEPALIVE",
        "USE_TENACITY",
        "CACHE_TTL",
        "CACHE_MAXSIZE",
        "USE_CACHETOOLS",
        "METRICS_MAX_HISTORY",
        "MCP_USE_OPENAPI_CORE",
    ],
]
LEFT_OUT = {name: "1" for name in VARIABLES if re.match("USE_|CACHE_|METRICS_|MCP_", name)}
"""What is inside that server, and not here."""
NOT_READ = {"OTEL_PYTHON_DISTRO", "OTEL_PYTHON_CONFIGURATOR", *LEFT_OUT}
"""Another program's."""
LONE = {"--no-validate-output", "--allow-insecure-http", "--allow-private-networks", "--debug"}
GIVEN = {
    "--spec-url": "https://a.example.com/o.json", "--spec-path": "o.json", "--api-url": "https://a.example.com",
    "--auth-type": "none", "--auth-api-key-in": "header", "--additional-specs": "[]", "--log-level": "INFO",
    "--auth-cognito-user-pool-id": "eu-west-1_a",
}  # fmt: skip


@pytest.mark.parametrize("name", [*FLAGS, *VARIABLES])
def test_the_page_has_a_row_for_it(name):
    assert re.search(rf"^\| .*`{re.escape(name)}`", PAGE, re.MULTILINE)


def test_the_page_has_rows_for_nothing_else():
    cells = "\n".join(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE))
    assert set(re.findall(r"`([^`]+)`", cells)) == {*FLAGS, *VARIABLES}


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_is_taken(flag):
    argv = [flag] if flag in LONE else [flag, GIVEN.get(flag, "a")]
    needed = {} if flag in {"--spec-url", "--spec-path"} else {"API_SPEC_PATH": "o.json"}
    assert load(argv, {"API_BASE_URL": "https://a.example.com", **needed}, lambda path: "") is not None


COGNITO = "--auth-type cognito --auth-cognito-region us-east-1 --auth-cognito-client-id c "
STARTS: dict[str, tuple[str, dict[str, str]]] = {
    "a document in a file": ("--api-name pets --spec-path {spec} --allowed-spec-dirs {folder}:/other", {}),
    "basic": ("--auth-type basic --auth-username ann --auth-password s3cret", {}),
    "bearer": ("--auth-type bearer --auth-token s3cret --no-validate-output --additional-specs []", {}),
    "a key": ("--auth-type api_key --auth-api-key k --auth-api-key-name X-K --auth-api-key-in header", {}),
    "a user of a pool": (
        COGNITO + "--auth-cognito-username ann --auth-cognito-password s3cret "
        "--auth-cognito-user-pool-id us-east-1_pool --debug",
        {},
    ),
    "a client of a pool": (
        COGNITO + "--auth-cognito-client-secret s3cret --auth-cognito-domain ours --auth-cognito-scopes a,b "
        "--include-tags pets --exclude-tags old --log-level INFO",
        {},
    ),
    "the guide's container": (
        "",
        {
            "API_NAME": "myapi", "SERVER_TRANSPORT": "sse", "ENABLE_PROMETHEUS": "true", "PROMETHEUS_PORT": "0",
            "ENABLE_OPERATION_PROMPTS": "true", "SERVER_NAME": "My API Server", "SERVER_DEBUG": "true",
            "SERVER_MESSAGE_TIMEOUT": "60", "SERVER_HOST": "127.0.0.1", "LOG_LEVEL": "INFO", "AUTH_TYPE": "api_key",
            "AUTH_API_KEY": "k", "AUTH_API_KEY_NAME": "X-K", "AUTH_API_KEY_IN": "header",
            "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN": "5.0", "UVICORN_GRACEFUL_SHUTDOWN": "true",
        },
    ),
    "the guide's AgentCore": ("", AGENTCORE),
    "the README's variables": (
        "",
        {
            "API_NAME": "your-api-name", "LOG_LEVEL": "INFO", "ENABLE_PROMETHEUS": "false",
            "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN": "5.0", "UVICORN_GRACEFUL_SHUTDOWN": "true",
            "AUTH_TYPE": "basic", "AUTH_USERNAME": "ann", "AUTH_PASSWORD": "s3cret", "AUTH_TOKEN": "PLACEHOLDER",
            "INCLUDE_TAGS": "pets", "EXCLUDE_TAGS": "admin,internal", "VALIDATE_OUTPUT": "true",
            "ADDITIONAL_SPECS": "[]", "ALLOW_INSECURE_HTTP": "false", "ALLOWED_SPEC_DIRS": "/app/specs:/data/api",
            "AUTH_COGNITO_CLIENT_SECRET": "PLACEHOLDER", "AUTH_COGNITO_SCOPES": "a,b",
            "HTTP_MAX_CONNECTIONS": "100", "HTTP_MAX_KEEPALIVE": "20", **LEFT_OUT,
        },
    ),
}  # fmt: skip
"""Flags and variables that go together, until each has been in one."""
SENT = {
    "basic": ("authorization", "Basic YW5uOnMzY3JldA=="),
    "bearer": ("authorization", "Bearer s3cret"),
    "a key": ("x-k", "k"),
    "the guide's container": ("x-k", "k"),
}


def test_each_flag_and_variable_starts_a_server():
    flags = {word for argv, _ in STARTS.values() for word in argv.split() if word.startswith("--")}
    used = flags | {name for _, values in STARTS.values() for name in values}
    always = {"--api-url", "--spec-url", "--allow-insecure-http", "--allow-private-networks"}
    assert {*FLAGS, *VARIABLES} - used - always == {
        "API_BASE_URL",
        "API_SPEC_URL",
        "API_SPEC_PATH",
        "ALLOW_PRIVATE_NETWORKS",
        "SERVER_PORT",
    }


@pytest.mark.parametrize("name", STARTS)
def test_a_server_starts_with_them_and_the_api_gets_what_they_say(name, tmp_path):
    given, values = STARTS[name]
    with recording(with_document(document())) as api:
        (tmp_path / "openapi.json").write_bytes(document())
        argv = given.format(spec=tmp_path / "openapi.json", folder=tmp_path).split()
        where = ["--api-url", api.url, "--allow-insecure-http", "--allow-private-networks"]
        if "--spec-path" not in argv:
            where += ["--spec-url", f"{api.url}/openapi.json"]
        here = {"SERVER_TRANSPORT": "http", "SERVER_PORT": "0", "SPEC_AUTH": "never", **values}
        if not argv:
            here |= {"API_BASE_URL": api.url, "API_SPEC_URL": f"{api.url}/openapi.json"}
            here |= {"ALLOW_PRIVATE_NETWORKS": "true"}
            where = []
        nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        with started(*where, *argv, **here, **nowhere) as server:
            assert server.url
            if name in SENT and here["SERVER_TRANSPORT"] == "http":
                assert post(server.url, call("getPets"))[0] == 200
                header, value = SENT[name]
                assert api.of("/pets")[0].headers[header] == value


def test_every_variable_is_a_setting_or_said_not_to_be():
    assert set(VARIABLES) - {setting.name for setting in SETTINGS} == NOT_READ
