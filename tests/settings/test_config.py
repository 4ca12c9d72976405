"""Settings: where they come from, what wins, and how what cannot be used is refused."""

from __future__ import annotations

import pytest

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings.apis import Auth
from openapi_mcp_server.settings.command_line import COMMAND_OPTIONS, FAMILIES, usage
from openapi_mcp_server.settings.config import load
from openapi_mcp_server.settings.table import SETTINGS

SPEC = ["--spec-path", "openapi.yaml"]
HTTP = [*SPEC, "--transport", "http"]
COGNITO = {
    "AUTH_TYPE": "cognito",
    "AUTH_COGNITO_CLIENT_ID": "c",
    "AUTH_COGNITO_USERNAME": "u",
    "AUTH_COGNITO_PASSWORD": "p",
}
FILES = {"/run/secrets/key": "s3cret\n", "/run/url": "https://api.example.com"}


def config(argv=SPEC, environ=None):
    def read(path):
        if path not in FILES:
            raise FileNotFoundError(2, "No such file or directory")
        return FILES[path]

    return load(argv, environ or {}, read)


def refusal(argv=SPEC, environ=None):
    with pytest.raises(ConfigError) as caught:
        config(argv, environ)
    return str(caught.value)


def test_a_flag_wins_over_the_environment():
    assert config([*SPEC, "--port", "9000"], {"SERVER_PORT": "7000"}).port == 9000


@pytest.mark.parametrize("argv", [["--port", "9000"], ["--port=9000"]])
def test_a_value_follows_its_flag_or_an_equals_sign(argv):
    assert config([*SPEC, *argv]).port == 9000


def test_a_variable_set_to_nothing_is_not_set():
    assert config(SPEC, {"SERVER_PORT": "", "AUTH_COGNITO_USERNAME": ""}).port == 8000


@pytest.mark.parametrize("value", ["/a,/b", "/a:/b", "/a, /b,", ":/a:/b"])
def test_folders_of_documents_are_separated_by_commas_or_as_the_reference_has_it(value):
    assert config(SPEC, {"ALLOWED_SPEC_DIRS": value}).allowed_spec_dirs == ("/a", "/b")


def test_a_variable_may_name_a_file_whose_last_line_end_does_not_count():
    given = config(SPEC, {"AUTH_TYPE": "api_key", "AUTH_API_KEY_FILE": "/run/secrets/key"})
    assert given.apis[0].auth.api_key == "s3cret"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_variable_that_was_made_of_a_file_has_no_end_of_line(end):
    environ = {"AUTH_TYPE": "bearer", "AUTH_TOKEN": f"s3cret{end}", "SESSION_KEY": f"{'k' * 32}{end}", "LOG_LEVEL": end}
    given = config(SPEC, environ)
    assert given.apis[0].auth.token == "s3cret"
    assert given.session_key == ("k" * 32,)
    assert given.log_level == config(SPEC).log_level


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--no-validate-output"], False),
        (["--validate-output=false"], False),
        (["--validate-output"], True),
        ([], True),
    ],
)
def test_a_switch_is_turned_on_off_or_left(argv, expected):
    assert config([*SPEC, *argv]).validate_output is expected


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, 60),
        ({"SERVER_MESSAGE_TIMEOUT": "10"}, 15),
        ({"SHUTDOWN_GRACE_SECONDS": "3"}, 3),
        ({"UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN": "5.0"}, 5),
        ({"UVICORN_GRACEFUL_SHUTDOWN": "false", "SHUTDOWN_GRACE_SECONDS": "3"}, 0),
    ],
)
def test_the_grace_of_a_stop_has_the_guides_names_too(environ, seconds):
    assert config(SPEC, environ).shutdown_grace_seconds == seconds


def test_debug_means_the_debug_log_level():
    assert config([*SPEC, "--debug"]).log_level == "DEBUG"


def test_the_guides_environment_is_understood():
    given = config(
        [],
        {
            "SERVER_NAME": "My API Server",
            "SERVER_DEBUG": "true",
            "SERVER_MESSAGE_TIMEOUT": "60",
            "SERVER_HOST": "0.0.0.0",
            "SERVER_PORT": "8000",
            "SERVER_TRANSPORT": "sse",
            "LOG_LEVEL": "INFO",
            "API_NAME": "myapi",
            "API_BASE_URL": "https://api.example.com",
            "API_SPEC_URL": "https://api.example.com/openapi.json",
            "AUTH_TYPE": "api_key",
            "AUTH_API_KEY": "YOUR_API_KEY",
            "AUTH_API_KEY_NAME": "X-API-Key",
            "AUTH_API_KEY_IN": "header",
            "ENABLE_PROMETHEUS": "false",
            "PROMETHEUS_PORT": "9090",
            "ENABLE_OPERATION_PROMPTS": "true",
            "INBOUND_AUTH": "none",  # the image sets it
        },
    )
    assert (given.server_name, given.transport, given.host) == ("My API Server", "sse", "0.0.0.0")
    assert (given.apis[0].name, given.apis[0].location) == ("myapi", "https://api.example.com/openapi.json")
    assert [warning.partition(":")[0] for warning in given.warnings] == ["INBOUND_AUTH is none"]


@pytest.mark.parametrize(
    ("environ", "warning"),
    [
        ({"SERVER_TRANSPORT": "http", "WORKERS": "5"}, "WORKERS: proxy/nginx.conf routes to 4 workers"),
        ({"AUTH_TOKEN": "s3cret"}, "AUTH_TYPE is none: AUTH_TOKEN is not used"),
        (
            {"AUTH_USERNAME": "ann", "AUTH_PASSWORD": "s3cret"},
            "AUTH_TYPE is none: AUTH_USERNAME, AUTH_PASSWORD are not used",
        ),
        ({"AUTH_AWS_REGION": "eu-west-1"}, "AUTH_TYPE is none: AUTH_AWS_REGION is not used"),
        (
            {"AUTH_TYPE": "bearer", "AUTH_TOKEN": "s3cret", "AUTH_API_KEY": "k", "AUTH_API_KEY_IN": "query"},
            "AUTH_TYPE is bearer: AUTH_API_KEY, AUTH_API_KEY_IN are not used",
        ),
        (
            {"AUTH_TYPE": "api_key", "AUTH_API_KEY": "k", "AUTH_API_KEY_IN": "query", "AUTH_TOKEN_TTL": "60"},
            "AUTH_TYPE is api_key: AUTH_TOKEN_TTL is not used",
        ),
        (
            {"SERVER_TRANSPORT": "http", "SERVER_HOST": "0.0.0.0", "INBOUND_AUTH": "none"},
            "INBOUND_AUTH is none: whoever reaches this port",
        ),
    ],
)
def test_what_is_served_although_it_is_not_all_that_was_asked_is_warned_of(environ, warning):
    (given,) = config(SPEC, environ).warnings
    assert given.startswith(warning)


@pytest.mark.parametrize(
    ("argv", "environ"),
    [
        pytest.param(["--transport", "http", "--port", "9090"], {}, id="no metrics"),
        pytest.param(["--port", "9090"], {"ENABLE_PROMETHEUS": "true"}, id="stdio"),
        pytest.param(
            ["--transport", "http", "--port", "0"],
            {"ENABLE_PROMETHEUS": "true", "PROMETHEUS_PORT": "0"},
            id="free ones",
        ),
    ],
)
def test_ports_may_be_the_same_where_only_one_is_taken(argv, environ):
    assert config([*SPEC, *argv], environ).prometheus == ("ENABLE_PROMETHEUS" in environ)


REFERENCE_FLAGS = (
    "--api-name --api-url --spec-url --spec-path --auth-type --auth-username --auth-password --auth-token "
    "--auth-api-key --auth-api-key-name --auth-api-key-in --auth-cognito-client-id --auth-cognito-username "
    "--auth-cognito-password --auth-cognito-user-pool-id --auth-cognito-region --auth-cognito-client-secret "
    "--auth-cognito-domain --auth-cognito-scopes --include-tags --exclude-tags --additional-specs "
    "--allow-insecure-http --allow-private-networks --allowed-spec-dirs --log-level --debug --transport --host --port"
)


@pytest.mark.parametrize("flag", REFERENCE_FLAGS.split())
def test_every_flag_of_the_reference_exists(flag):
    assert flag in {setting.option for setting in SETTINGS}


def test_several_documents_are_configured_by_one_setting():
    extra = '[{"name":"b","spec_url":"https://b/x.json","auth_type":"bearer","auth_token":"t"}]'
    given = config([*SPEC, "--api-name", "a"], {"ADDITIONAL_SPECS": extra})
    assert [(api.name, api.auth.kind) for api in given.apis] == [("a", "none"), ("b", "bearer")]


def test_each_document_has_servers_of_its_own_that_are_allowed():
    extra = '[{"name":"b","spec_url":"https://b/x.json","allowed_servers":["https://files.b"]},{"name":"c","spec_path":"c"}]'
    given = config([*SPEC, "--allowed-servers", "https://u.a, https://v.a"], {"ADDITIONAL_SPECS": extra})
    assert [api.allowed_servers for api in given.apis] == [("https://u.a", "https://v.a"), ("https://files.b",), ()]
    assert given.apis[1].allowed_servers_setting == "ADDITIONAL_SPECS[0].allowed_servers"


def test_secrets_are_in_no_representation():
    auth = Auth(kind="basic", username="u", password="s3cret", token="s3cret", api_key="s3cret")
    given = config(SPEC, {"AUTH_TYPE": "bearer", "AUTH_TOKEN": "s3cret"})
    assert "s3cret" not in repr(auth) + repr(given)


@pytest.mark.parametrize(
    ("argv", "environ", "message"),
    [
        (
            ["--port", "8001"],
            {},
            "API_SPEC_URL: no document: give --spec-url URL or --spec-path FILE, or write demo before the options for",
        ),
        (
            ["--spec-path", "a", "--spec-url", "https://b"],
            {},
            "--spec-path: give one document: either this or --spec-url",
        ),
        (
            ["--http-breaker", "false"],
            {},
            "--http-breaker: write --http-breaker=false; a switch takes no word after it",
        ),
        (["--prot", "1"], {}, "--prot: no such option; did you mean --port? --help lists all"),
        (["serv"], {}, "serv: no such command; did you mean serve? --help lists all"),
        (["--openapi-spec", "a"], {}, "--openapi-spec: no such option; here it is --spec-url"),
        (["--header", "A: b"], {}, "--header: no such option; here it is --extra-headers"),
        (
            ["acme.openapi-mcp-server@latest"],
            {},
            "this is the name of a program; take it out of the arguments",
        ),
        ([*SPEC, "openapi-mcp-server"], {}, "the command serve takes options only"),
        ([*SPEC, "@acme/openapi-mcp-server@1.2"], {}, "1.2: this is the name of a program; take it out"),
        (["serve", "stray"], {}, "stray: the command serve takes options only"),
        (["--port"], {}, "--port: a value must follow"),
        ([*SPEC, "--port", "abc"], {}, "--port: 'abc' must be a whole number from 0 to 65535"),
        ([*SPEC, "--result-budget-bytes", "999"], {}, "--result-budget-bytes: '999' must be 0, or at least 1000"),
        (
            [*SPEC, "--transport", "http", "--port", "9090"],
            {"ENABLE_PROMETHEUS": "true"},
            "PROMETHEUS_PORT: 9090 is --port already; choose another port",
        ),
        (
            ["demo"],
            {"ENABLE_PROMETHEUS": "true", "PROMETHEUS_PORT": "8000"},
            "PROMETHEUS_PORT: 8000 is SERVER_PORT already; choose another port",
        ),
        (SPEC, {"SERVER_PORT": "70000"}, "SERVER_PORT: '70000' must be a whole number from 0 to 65535"),
        (SPEC, {"SERVER_DEBUG": "maybe"}, "SERVER_DEBUG: 'maybe' must be true or false"),
        (SPEC, {"SERVER_MESSAGE_TIMEOUT": "nan"}, "'nan' must be a number of seconds from 0.1 to 3600"),
        (SPEC, {"LOG_LEVEL": "loud"}, "LOG_LEVEL: 'loud' must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ([*SPEC, "--transport", "udp"], {}, "--transport: 'udp' must be one of stdio, http, streamable-http, sse"),
        (SPEC, {"TRACING": "zipkin"}, "TRACING: 'zipkin' must be none, xray, otlp or xray,otlp"),
        (SPEC, {"AUTH_TYPE": "cognito"}, "AUTH_COGNITO_CLIENT_ID: is missing; AUTH_TYPE is cognito"),
        (SPEC, {"SPEC_REFRESH_SECONDS": "0.5"}, "SPEC_REFRESH_SECONDS: '0.5' must be 0, or at least 1"),
        (SPEC, {"SPEC_REFRESH_SECONDS": "1e3"}, "SPEC_REFRESH_SECONDS: '1e3' must be a number of seconds from 0 to"),
        (SPEC, {"AUTH_TYPE": "bearer"}, "AUTH_TOKEN: is missing; AUTH_TYPE is bearer"),
        ([*SPEC, "--auth-type", "basic"], {"AUTH_USERNAME": "u"}, "AUTH_PASSWORD: is missing; --auth-type is basic"),
        (SPEC, {"AUTH_TYPE": "bearer", "AUTH_TOKEN": "a\nb"}, "AUTH_TOKEN: must be one line"),
        (SPEC, {"AUTH_TYPE": "bearer", "AUTH_TOKEN": '"t"'}, "AUTH_TOKEN: is in quotes, which would be sent too"),
        (SPEC, {"AUTH_TYPE": "api_key", "AUTH_API_KEY": "'t'"}, "AUTH_API_KEY: is in quotes, which would be sent too"),
        (
            SPEC,
            {"AUTH_TYPE": "bearer", "AUTH_TOKEN": "${input:token}"},
            "AUTH_TOKEN: is a placeholder that nothing has filled in; give the value; AUTH_TOKEN_FILE takes",
        ),
        (
            SPEC,
            {"AUTH_SCHEMES": '{"b":{"type":"bearer","token":"${TOKEN}"}}'},
            "that nothing has filled in; give the value; AUTH_SCHEMES.b.token_file takes the name",
        ),
        (
            SPEC,
            {"AUTH_TYPE": "basic", "AUTH_USERNAME": "u", "AUTH_PASSWORD": "${PASSWORD}"},
            "AUTH_PASSWORD: is a placeholder that nothing has filled in",
        ),
        (
            SPEC,
            {"AUTH_TYPE": "bearer", "AUTH_TOKEN": "<your token>"},
            "AUTH_TOKEN: is a placeholder that nothing has filled in; give the value; AUTH_TOKEN_FILE takes",
        ),
        ([*SPEC, "--auth-type", "api_key"], {"AUTH_API_KEY": "<API_KEY>"}, "AUTH_API_KEY: is a placeholder"),
        (SPEC, {**COGNITO, "AUTH_COGNITO_CLIENT_SECRET": "${SECRET}"}, "AUTH_COGNITO_CLIENT_SECRET: is a placeholder"),
        (SPEC, {**COGNITO, "AUTH_COGNITO_CLIENT_SECRET": "a\nb"}, "AUTH_COGNITO_CLIENT_SECRET: must be one line"),
        (
            SPEC,
            {**COGNITO, "AUTH_COGNITO_USER_POOL_ID": "aBcD12345"},
            "AUTH_COGNITO_USER_POOL_ID: 'aBcD12345' must be the id of a user pool with its region, such as eu-west-1_",
        ),
        (SPEC, {**COGNITO, "AUTH_COGNITO_USER_POOL_ID": "_aBcD12345"}, "must be the id of a user pool with its region"),
        (SPEC, {**COGNITO, "AUTH_COGNITO_REGION": "eu west"}, "AUTH_COGNITO_REGION: 'eu west' must be a region such"),
        (SPEC, {"HTTP_PROXY_URL": "off"}, "HTTP_PROXY_URL: must be http://host:port, https://host:port, environment"),
        (SPEC, {"AUTH_TOKEN": "t", "AUTH_TOKEN_FILE": "/x"}, "AUTH_TOKEN: give either it or AUTH_TOKEN_FILE, not both"),
        (SPEC, {"AUTH_TOKEN_FILE": "/nowhere"}, "AUTH_TOKEN_FILE: cannot read /nowhere: No such file or directory"),
        (SPEC, {"AUTH_TOKEN_FILE": "~/t"}, "cannot read ~/t: No such file or directory; ~ is not replaced here"),
        (SPEC, {"ADDITIONAL_SPECS": "{}"}, "ADDITIONAL_SPECS: must be a JSON array of objects"),
        (SPEC, {"ADDITIONAL_SPECS": "[1]"}, "ADDITIONAL_SPECS: must be a JSON array of objects"),
        (SPEC, {"ADDITIONAL_SPECS": "apis.json"}, "ADDITIONAL_SPECS_FILE takes the name of a file with it"),
        (
            SPEC,
            {"ADDITIONAL_SPECS": "[{"},
            "ADDITIONAL_SPECS: is not JSON: Input data was truncated (line 1, column 3)",
        ),
        (
            SPEC,
            {"ADDITIONAL_SPECS": '[\n  {"name": "é", "spec_path": "x",}\n]'},
            "ADDITIONAL_SPECS: is not JSON: trailing comma in object (line 2, column 34)",
        ),
        (SPEC, {"ADDITIONAL_SPECS": '[{"name":["a"]}]'}, "ADDITIONAL_SPECS[0].name: must be text, not a list"),
        (
            SPEC,
            {"ADDITIONAL_SPECS": '[{"name":"a","spec_path":"x"},{"nmae":"b"}]'},
            "ADDITIONAL_SPECS[1]: has no field",
        ),
        (SPEC, {"ADDITIONAL_SPECS": '[{"nmae":"b"}]'}, "[0]: has no field 'nmae'; did you mean name?"),
        (SPEC, {"ADDITIONAL_SPECS": '[{"url":"b"}]'}, "[0]: has no field 'url'; there are name, base_url, "),
        (
            SPEC,
            {"ADDITIONAL_SPECS": '[{"name":"a","spec_path":"x","auth_type":"magic"}]'},
            "ADDITIONAL_SPECS[0].auth_type: 'magic' must be one of none, basic, bearer, api_key",
        ),
        (
            SPEC,
            {"ADDITIONAL_SPECS": '[{"name":"a","spec_path":"x","auth_token":"a","auth_token_file":"b"}]'},
            "ADDITIONAL_SPECS[0].auth_token: give either it or auth_token_file, not both",
        ),
        (
            SPEC,
            {"ADDITIONAL_SPECS": '[{"name":"a","spec_path":"x","auth_token_file":"/nowhere"}]'},
            "ADDITIONAL_SPECS[0].auth_token_file: cannot read /nowhere: ",
        ),
        (SPEC, {"ADDITIONAL_SPECS": '[{"name":"a"}]'}, "ADDITIONAL_SPECS[0]: give either spec_url or spec_path"),
        (
            SPEC,
            {"ADDITIONAL_SPECS": '[{"name":"a","spec_path":"x","auth_type":"basic"}]'},
            "ADDITIONAL_SPECS[0].auth_username: is missing; ADDITIONAL_SPECS[0].auth_type is basic",
        ),
        (
            [],
            {"API_BASE_URL": "https://x", "ADDITIONAL_SPECS": '[{"name":"a","spec_path":"x"}]'},
            "API_BASE_URL: belongs to --spec-url or --spec-path",
        ),
        (
            [*SPEC, "--transport", "http", "--host", "0.0.0.0"],
            {},
            "--host: 0.0.0.0 is reachable from other machines",
        ),
        ([*SPEC, "--workers", "0"], {}, "--workers: '0' must be a whole number from 1 to 64"),
        ([*SPEC, "--workers", "2"], {}, "--workers: stdio is one client and one process"),
        (["demo"], {"WORKERS": "2"}, "WORKERS: the demo keeps its pets in one process"),
        ([*HTTP, "--workers", "2", "--port", "0"], {}, "--port: 0 cannot be the first of 2 workers' ports"),
        (
            [*HTTP, "--port", "65533"],
            {"WORKERS": "4"},
            "65533 cannot be the first of 4 workers' ports; choose one from 1",
        ),
        (
            [*HTTP, "--workers", "4", "--port", "9087", "--enable-prometheus"],
            {},
            "PROMETHEUS_PORT: 9090 is worker 3's port already; choose another port",
        ),
        (["inspect", *SPEC, "--server", "x"], {}, "--server: belongs to call"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(argv, environ, message):
    assert message in refusal(argv, environ)


def test_a_number_in_a_fixed_header_is_sent_as_it_is_written():
    given = config(SPEC, {"EXTRA_HEADERS": '{"X-Version": 1.10, "X-Id": 12345678901234567890}'})
    assert given.apis[0].headers == (("X-Version", "1.10"), ("X-Id", "12345678901234567890"))


def test_the_last_worker_may_have_the_last_port():
    assert config([*HTTP, "--port", "65532"], {"WORKERS": "4"}).workers == 4


def test_other_commands_do_not_mind_workers():
    assert config(["inspect", *SPEC], {"WORKERS": "2"}).command == "inspect"


def test_a_refused_secret_is_not_shown():
    assert "s3cret" not in refusal(SPEC, {"AUTH_TYPE": "bearer", "AUTH_TOKEN": "s3cret\nx"})


def test_help_names_every_setting_or_its_family_and_every_variable_that_is_called_otherwise():
    text = usage()
    single = [setting for setting in SETTINGS if not setting.name.startswith(tuple(FAMILIES))]
    assert [setting.option for setting in single if f"\n  {setting.option}" not in text] == []
    assert [each.name for each in single if each.option != each.usual_option and each.name not in text] == []
    assert "\n  --auth-cognito-…" in text
    assert "\n  --auth-oauth2-…" in text


def test_help_names_every_option_of_one_command():
    assert [option for option in COMMAND_OPTIONS if f"\n  {option} " not in usage()] == []


@pytest.mark.parametrize("command", ["demo", "inspect", "call", "doctor", "diff", "mock", "completion"])
def test_help_of_a_command_tells_its_options_and_no_other_commands(command):
    text = usage(command=command)
    own = {option for option, (commands, _, _) in COMMAND_OPTIONS.items() if command in commands.split()}
    assert {option for option in COMMAND_OPTIONS if f"\n  {option} " in text} == own
    assert text.startswith(f"usage: openapi-mcp-server {command}")
    assert len(text.splitlines()) < len(usage().splitlines()) / 3
    assert config([command, "--help"]).operands == (command,)


@pytest.mark.parametrize("columns", [20, 80, 120, 400])
def test_help_fits_the_terminal_within_reason(columns):
    assert max(map(len, usage(columns).splitlines())) <= max(80, min(columns, 120))


ANY_TEXT = {
    "API_NAME", "API_BASE_URL", "ALLOWED_SERVERS", "API_SPEC_PATH", "API_OVERLAYS", "TOOL_OVERRIDES",
    "INCLUDE_TAGS", "EXCLUDE_TAGS", "AUTH_USERNAME", "AUTH_PASSWORD", "AUTH_TOKEN", "AUTH_API_KEY", "AUTH_API_KEY_NAME",
    "INBOUND_JWT_AUDIENCE", "INBOUND_JWT_CLIENT_IDS", "INBOUND_JWT_REQUIRED_SCOPES", "ALLOW_OPERATIONS",
    "DENY_OPERATIONS", "POLICY", "REDACT", "ALLOWED_SPEC_DIRS", "ALLOWED_HOSTS", "ALLOWED_ORIGINS", "SERVER_NAME",
    "ECS_CONTAINER_METADATA_URI_V4", "OTEL_SERVICE_NAME", "OTEL_TRACES_EXPORTER", "HTTP_NO_PROXY",
    "AUTH_CLIENT_KEY", "CACHE_DIR",
    *(each.name for each in SETTINGS if each.name.startswith(("AUTH_COGNITO_", "AUTH_OAUTH2_", "AUTH_AWS_"))),
}  # fmt: skip
"""What is judged later, by what is done with it, or not at all."""


@pytest.mark.parametrize(
    "setting", [each for each in SETTINGS if each.name not in ANY_TEXT], ids=lambda each: each.name
)
def test_nonsense_is_refused_by_the_name_of_its_setting(setting):
    environ = {"TRACING": "xray,otlp", "OTEL_TRACES_SAMPLER": "traceidratio", "SERVER_TRANSPORT": "http"}
    message = refusal(SPEC, {**environ, setting.name: "no such thing!"})
    assert message.startswith(f"{setting.name}: ") or (setting.name, "API_SPEC_URL" in message) == (
        "API_SPEC_URL",
        True,
    )


@pytest.mark.parametrize(
    ("environ", "kept"),
    [
        ({}, 100),
        ({"HTTP_MAX_CONNECTIONS": "300"}, 300),
        ({"HTTP_MAX_CONNECTIONS": "300", "HTTP_MAX_KEEPALIVE": "0"}, 0),
    ],
)
def test_as_many_idle_connections_are_kept_as_there_may_be_unless_it_is_said(environ, kept):
    assert config(SPEC, environ).http_max_keepalive == kept


@pytest.mark.parametrize(
    ("environ", "warned"),
    [
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "SHUTDOWN_LAME_DUCK_SECONDS": "3"}, True),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, True),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "SHUTDOWN_LAME_DUCK_SECONDS": "17"}, False),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "SERVER_TRANSPORT": "stdio"}, False),
        ({"SHUTDOWN_LAME_DUCK_SECONDS": "3"}, False),
    ],
)
def test_a_pod_that_would_stop_before_others_leave_it_alone_is_warned(environ, warned):
    told = load([], {"API_SPEC_PATH": "a", "SERVER_TRANSPORT": "http", **environ}, lambda path: "").warnings
    assert [text.partition(" is ")[0] for text in told if "LAME_DUCK" in text] == [
        "SHUTDOWN_LAME_DUCK_SECONDS"
    ] * warned
