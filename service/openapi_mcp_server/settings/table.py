"""The table of settings: what each is called in the environment and on the command line, and what reads its text."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

import msgspec

from openapi_mcp_server.settings.readers import (
    Choice,
    Reader,
    boolean,
    boolean_or_auto,
    exporters,
    folder_or_none,
    folders,
    integer,
    level,
    listened,
    networks,
    one_of,
    pairs,
    path_prefix,
    rate,
    region,
    result_budget,
    seconds,
    seconds_or_never,
    session_keys,
    signatures,
    spaced,
    switch_or_auto,
    tags,
    task_address,
    text,
    user_pool,
    words,
)
from openapi_mcp_server.settings.store import store


class Setting(msgspec.Struct, frozen=True):
    """One row. ``default`` is text like any other value, None where there is none. A ``secret`` is never shown.

    ``field`` is the name of its value in `config.Config` if it is not the setting's name in lower case. ``element`` is
    the name in an element of ADDITIONAL_SPECS of a setting that each API has for itself; AUTH_… need none.
    """

    name: str
    read: Reader
    default: str | None
    help: str
    flag: str = ""
    secret: bool = False
    field: str = ""
    element: str = ""

    @property
    def is_switch(self) -> bool:
        return self.read in {boolean, switch_or_auto}

    @property
    def default_value(self) -> Any:  # noqa: ANN401 - what its reader makes
        return None if self.default is None else self.read(self.default)

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that it may be, where these are listed."""
        return self.read.choices if isinstance(self.read, Choice) else ()

    @property
    def config_field(self) -> str:
        return self.field or self.name.lower()

    @property
    def element_field(self) -> str:
        """Its name in an element of ADDITIONAL_SPECS; empty for what all APIs have together."""
        return self.element or (self.name.lower() if self.name.startswith("AUTH_") else "")

    @property
    def option(self) -> str:
        """The flag: the name in lower case where the table gives no other."""
        return self.flag or self.usual_option

    @property
    def usual_option(self) -> str:
        return "--" + self.name.lower().replace("_", "-")


DAEMON = "127.0.0.1:2000"
COLLECTOR = "http://localhost:4318"
"""Where traces go where nothing is said: X-Ray's daemon and an OTLP collector by their own documentation."""
COLLECTOR_TIMEOUT_MILLISECONDS = "10000"

_COLLECTOR = {
    "ENDPOINT": f"Address of the collector, {COLLECTOR} if left out; /v1/traces is added",
    "PROTOCOL": "http/protobuf, the only one",
    "HEADERS": "What the collector asks for, such as a key: name=value, separated by commas",
    "TIMEOUT": f"Milliseconds for sending a batch, {COLLECTOR_TIMEOUT_MILLISECONDS} if left out",
    "COMPRESSION": "none, gzip or deflate",
    "CERTIFICATE": "File with the certificates (PEM) that the collector's is checked against",
    "CLIENT_KEY": "File with the key (PEM) for a collector that asks for a certificate",
    "CLIENT_CERTIFICATE": "File with the certificate (PEM) for it",
}
TRACING_SETTINGS: tuple[Setting, ...] = (
    Setting("AWS_XRAY_DAEMON_ADDRESS", text, None, f"{DAEMON} if left out; or tcp:host:port udp:host:port"),
    Setting("OTEL_SERVICE_NAME", text, None, "Name of the service in traces; left out: SERVER_NAME"),
    Setting("OTEL_RESOURCE_ATTRIBUTES", text, None, "More about the service: name=value, separated by commas"),
    Setting("OTEL_PROPAGATORS", text, None, "How traces are continued: tracecontext,xray if left out; or none"),
    Setting(
        "OTEL_TRACES_SAMPLER",
        text,
        None,
        "xray with TRACING=xray, else parentbased_always_on; also always_on, always_off, traceidratio, parentbased_…",
    ),
    Setting("OTEL_TRACES_SAMPLER_ARG", text, None, "For traceidratio: how many traces are sampled, from 0 to 1"),
    Setting("OTEL_TRACES_EXPORTER", text, None, "Not used; TRACING takes its place"),
    Setting("OTEL_SDK_DISABLED", text, None, "true: TRACING does nothing"),
    *(
        Setting(f"OTEL_EXPORTER_OTLP_{name}", text, None, what, secret=name == "HEADERS")
        for name, what in _COLLECTOR.items()
    ),
    *(
        Setting(f"OTEL_EXPORTER_OTLP_TRACES_{name}", text, None, "The same, for traces alone", secret=name == "HEADERS")
        for name in _COLLECTOR
    ),
)
"""Settings of other programs, named as they name them. They are text here: `settings.tracing` reads them, and
only if something is traced."""

_API: tuple[Setting, ...] = (
    Setting(
        "API_NAME",
        text,
        None,
        "Name of the API, api if left out; names of tools begin with it where there are several APIs",
        element="name",
    ),
    Setting(
        "API_BASE_URL",
        text,
        None,
        "Where the API is; may be left out where the document names one",
        "--api-url",
        element="base_url",
    ),
    Setting(
        "ALLOWED_SERVERS",
        words,
        "",
        "Other servers of the document that calls and credentials may go to: URLs, separated by commas",
        element="allowed_servers",
    ),
    Setting("API_SPEC_URL", text, None, "Address of the OpenAPI document", "--spec-url", element="spec_url"),
    Setting("API_SPEC_PATH", text, None, "File with the OpenAPI document", "--spec-path", element="spec_path"),
    Setting(
        "API_OVERLAYS",
        words,
        "",
        "Overlays that change the document first: files, separated by commas",
        "--overlays",
        element="overlays",
    ),
    Setting(
        "TOOL_OVERRIDES",
        text,
        None,
        "File that says how operations are presented, or hides them (docs/tools.md)",
        element="tool_overrides",
    ),
    Setting(
        "ADDITIONAL_SPECS",
        text,
        None,
        "More APIs: a JSON array of name, base_url, spec_url or spec_path, and what each has of its own: overlays, "
        "tool_overrides, allowed_servers, auth_…, extra_…, forward_headers, spec_…, http_…",
    ),
    Setting("INCLUDE_TAGS", tags, "", "Only operations with one of these tags, separated by commas"),
    Setting("EXCLUDE_TAGS", tags, "", "No operation with one of these tags; wins over INCLUDE_TAGS"),
    Setting("STRICT", boolean, "false", "Refuse to start where an operation of a document cannot be served"),
)

_CREDENTIALS: tuple[Setting, ...] = (
    Setting(
        "AUTH_TYPE",
        one_of("none", "basic", "bearer", "api_key", "digest", "oauth2", "cognito", "aws_sigv4"),
        "none",
        "How to log in: none, basic, bearer, api_key, digest, oauth2, cognito or aws_sigv4 (docs/credentials.md)",
    ),
    Setting("AUTH_USERNAME", text, None, "User name, for basic and digest"),
    Setting("AUTH_PASSWORD", text, None, "Password, for basic and digest", secret=True),
    Setting("AUTH_TOKEN", text, None, "Token, for bearer", secret=True),
    Setting("AUTH_API_KEY", text, None, "Key, for api_key", secret=True),
    Setting(
        "AUTH_API_KEY_NAME",
        text,
        None,
        "Name of the key; left out: as the document says, or X-API-Key",
    ),
    Setting(
        "AUTH_API_KEY_IN",
        one_of("header", "query", "cookie"),
        None,
        "Where the key goes: header, query or cookie; left out: as the document says, or header",
    ),
    Setting(
        "AUTH_TOKEN_TTL",
        integer(1, 86_400),
        "3600",
        "Seconds that a token of oauth2 or cognito is used at most; its own end comes first",
    ),
    Setting("AUTH_OAUTH2_TOKEN_URL", text, None, "Token endpoint, for oauth2 (client credentials)"),
    Setting("AUTH_OAUTH2_CLIENT_ID", text, None, "Client id, for oauth2"),
    Setting("AUTH_OAUTH2_CLIENT_SECRET", text, None, "Client secret, for oauth2", secret=True),
    Setting("AUTH_OAUTH2_SCOPES", text, None, "Scopes to ask for, separated by spaces"),
    Setting("AUTH_OAUTH2_AUDIENCE", text, None, "Audience to ask for, where the token endpoint wants one"),
    Setting("AUTH_OAUTH2_RESOURCE", text, None, "Resource to ask for (RFC 8707)"),
    Setting(
        "AUTH_OAUTH2_CLIENT_AUTH",
        one_of("basic", "post", "private_key_jwt", "tls"),
        "basic",
        "How the client proves itself: basic, post, private_key_jwt, or tls with AUTH_CLIENT_CERTIFICATE",
    ),
    Setting("AUTH_OAUTH2_PRIVATE_KEY", text, None, "Key (PEM) for private_key_jwt", secret=True),
    Setting("AUTH_OAUTH2_KEY_ID", text, None, "Id of that key (kid), where the token endpoint wants one"),
    Setting(
        "AUTH_OAUTH2_PARAMETERS",
        pairs,
        None,
        "More fields of the token request, or others in place of its own: a JSON object",
        secret=True,
    ),
    Setting(
        "TOKEN_EXCHANGE",
        one_of("none", "rfc8693", "on_behalf_of"),
        "none",
        "For oauth2 and INBOUND_AUTH=jwt: exchange each caller's token for one of the API: rfc8693, on_behalf_of, none",
        element="token_exchange",
    ),
    Setting("AUTH_COGNITO_CLIENT_ID", text, None, "Id of the app client, for cognito"),
    Setting("AUTH_COGNITO_CLIENT_SECRET", text, None, "Secret of the app client, if it has one", secret=True),
    Setting("AUTH_COGNITO_USERNAME", text, None, "User; left out: client credentials at the domain"),
    Setting("AUTH_COGNITO_PASSWORD", text, None, "The user's password", secret=True),
    Setting("AUTH_COGNITO_USER_POOL_ID", user_pool, None, "User pool; it names the region and allows the admin flow"),
    Setting("AUTH_COGNITO_REGION", region, None, "Region; left out: that of the pool, or AWS_REGION"),
    Setting("AUTH_COGNITO_DOMAIN", text, None, "Domain of the pool, its prefix or in full"),
    Setting("AUTH_COGNITO_SCOPES", text, None, "Scopes to ask for at the domain, separated by spaces or commas"),
    Setting(
        "AUTH_COGNITO_FLOW",
        one_of("auto", "user_password", "admin_user_password", "client_credentials"),
        "auto",
        "auto: by what else is set; the admin flow where the app client does not allow the other one",
    ),
    Setting(
        "AUTH_COGNITO_TOKEN",
        one_of("id", "access"),
        None,
        "Which token is sent; left out: id of a user, access of client credentials",
    ),
    Setting(
        "AUTH_AWS_SERVICE", text, None, "Service that is signed for; left out: lambda for its URLs, else execute-api"
    ),
    Setting("AUTH_AWS_REGION", text, None, "Region of that service; left out: that of the host's name, or AWS_REGION"),
    Setting(
        "AUTH_CLIENT_CERTIFICATE", text, None, "Certificate (PEM, or its file) that TLS shows the API", secret=True
    ),
    Setting(
        "AUTH_CLIENT_KEY",
        text,
        None,
        "Key of that certificate (PEM, or its file); left out: in the same file",
        secret=True,
    ),
    Setting(
        "HTTP_CA_BUNDLE",
        text,
        None,
        "Certificates (PEM, or their file) that are trusted beside the system's",
        element="http_ca_bundle",
    ),
    Setting(
        "HTTP_PROXY_URL",
        text,
        None,
        "Proxy to APIs, token endpoints, issuers, AWS's stores: http://user:password@host:port, environment, or none",
        secret=True,
        element="http_proxy_url",
    ),
    Setting(
        "HTTP_NO_PROXY",
        words,
        "",
        "Hosts, .suffixes and networks that are reached without the proxy, separated by commas",
        element="http_no_proxy",
    ),
    Setting(
        "AUTH_SCHEMES",
        text,
        None,
        "Several credentials: a JSON object from the document's security schemes to type, token, api_key, …",
        secret=True,
        element="auth_schemes",
    ),
    Setting(
        "EXTRA_HEADERS",
        pairs,
        None,
        "Headers of every request to the API that its document does not have: a JSON object",
        secret=True,
        element="extra_headers",
    ),
    Setting(
        "EXTRA_QUERY",
        pairs,
        None,
        "Query parameters of every request to the API that its document does not have: a JSON object",
        secret=True,
        element="extra_query",
    ),
    Setting(
        "FORWARD_HEADERS",
        words,
        "",
        "Headers that clients send and an API gets: Name, Name=Client-Name, api:Name, separated by commas",
        element="forward_headers",
    ),
    Setting(
        "SPEC_AUTH",
        one_of("same-origin", "never"),
        "same-origin",
        "Whether a document at the origin of API_BASE_URL is fetched with the API's credentials: same-origin or never",
        element="spec_auth",
    ),
    Setting(
        "SPEC_HEADERS",
        pairs,
        None,
        "Headers that the document is fetched with, at its own origin: a JSON object",
        secret=True,
        element="spec_headers",
    ),
    Setting("STRICT_AUTH", boolean, "false", "Skip operations that the configured credentials do not meet"),
)

_TOOLS: tuple[Setting, ...] = (
    Setting("TOOLS_PAGE_SIZE", integer(0, 10_000), "0", "Tools on a page of tools/list; 0: all on one"),
    Setting(
        "TOOL_NAME_LENGTH",
        integer(24, 64),
        "64",
        "Characters of a tool's name at most; 48 for clients that put a prefix before it",
    ),
    Setting(
        "TOOL_MODE",
        one_of("auto", "all", "search"),
        "auto",
        "all: every tool is listed; search: four tools find, describe and call them; auto: by TOOL_BUDGET_TOKENS",
    ),
    Setting(
        "TOOL_SCHEMAS",
        one_of("full", "portable"),
        "full",
        "portable: schemas in the few words that every model API takes, for clients that pass them on as they are",
    ),
    Setting(
        "TOOL_BUDGET_TOKENS",
        integer(0, 100_000_000),
        "25000",
        "Tokens that a list of tools may cost a model; beyond it TOOL_MODE=auto offers search, all only warns",
    ),
    Setting(
        "VALIDATE_OUTPUT",
        boolean,
        "true",
        "Publish output schemas and check answers by them; false: answers are unchecked text",
    ),
    Setting(
        "RESULT_BUDGET_BYTES",
        result_budget,
        "40000",
        "Longer answers are shortened, first details, then rows; a token is about 4 bytes; 0: never",
    ),
    Setting(
        "RESPONSE_FILTER", boolean, "true", "Offer an argument by which a model selects parts of an answer (JMESPath)"
    ),
    Setting(
        "ENABLE_OPERATION_PROMPTS",
        switch_or_auto,
        "auto",
        "Offer a prompt for each operation; auto: up to 20, beyond that three about the whole API; false: none",
        field="operation_prompts",
    ),
)

_REACH: tuple[Setting, ...] = (
    Setting("ALLOW_INSECURE_HTTP", boolean, "false", "Allow http:// beyond this machine, for the document and the API"),
    Setting("ALLOW_PRIVATE_NETWORKS", boolean, "false", "Allow private and loopback addresses"),
    Setting(
        "ALLOWED_SPEC_DIRS",
        folders,
        "",
        "Documents and files they refer to may be read from these folders only, separated by commas or colons",
    ),
)

_LISTENING: tuple[Setting, ...] = (
    Setting(
        "SERVER_TRANSPORT",
        one_of("stdio", "http", "streamable-http", "sse"),
        "stdio",
        "stdio; http: Streamable HTTP at /mcp and HTTP+SSE at /sse; streamable-http or sse: one of these. "
        "scripts/run and the image set http",
        "--transport",
    ),
    Setting("SERVER_HOST", listened, "127.0.0.1", "Address to listen on", "--host", field="host"),
    Setting("SERVER_PORT", integer(0, 65_535), "8000", "Port to listen on; 0 takes a free one", "--port", field="port"),
    Setting(
        "ALLOWED_HOSTS",
        words,
        "",
        "Host headers that are accepted beside localhost: host, host:port, host:* or *; left out: none on a loopback "
        "address, else all",
    ),
    Setting(
        "ALLOWED_ORIGINS",
        words,
        "",
        "Web pages that may call, beside those of localhost: https://host, https://host:port",
    ),
    Setting(
        "PUBLIC_PATH_PREFIX",
        path_prefix,
        "",
        "Path below which a proxy serves this server, such as /team1: HTTP+SSE clients are sent there",
    ),
    Setting(
        "SESSION_KEY",
        session_keys,
        None,
        "Secret that all tasks share for HTTP+SSE: 32 bytes or more; while it is changed, two with a comma between",
        secret=True,
    ),
    Setting("SESSION_ADDRESS", task_address, None, "host:port where the other tasks reach this one's proxy; or ecs"),
    Setting("ECS_CONTAINER_METADATA_URI_V4", text, None, "Set by ECS: where SESSION_ADDRESS=ecs learns the address"),
    Setting(
        "WEB_PAGE",
        boolean_or_auto,
        "auto",
        "The page at / for people: true, false, or auto: where only this machine reaches the server",
    ),
)

_CALLERS: tuple[Setting, ...] = (
    Setting(
        "TRUSTED_PROXIES",
        networks,
        "",
        "Networks whose X-Forwarded-For, -Proto, -Port, -Prefix and Forwarded are believed, such as 10.0.0.0/8",
    ),
    Setting(
        "INBOUND_AUTH",
        one_of("none", "token", "jwt"),
        None,
        "Who may call: token, jwt or none; left out: none, on a loopback address only",
    ),
    Setting(
        "INBOUND_TOKENS",
        text,
        None,
        "For token: a JSON array of name, token or sha256 or scrypt; apis, tags, scopes, read_only, rate",
        secret=True,
    ),
    Setting("INBOUND_JWT_ISSUERS", words, "", "For jwt: who may have signed a token, separated by commas"),
    Setting("INBOUND_JWT_AUDIENCE", words, "", "For jwt: one of these must be in the token's aud"),
    Setting("INBOUND_JWT_CLIENT_IDS", words, "", "For jwt: one of these must be the token's client"),
    Setting(
        "INBOUND_JWT_ALGORITHMS",
        signatures,
        "RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,ES512,EdDSA,Ed25519",
        "For jwt: how a token may be signed",
    ),
    Setting(
        "INBOUND_JWT_REQUIRED_SCOPES", spaced, "", "For jwt: scopes that every token must have, separated by spaces"
    ),
    Setting("READ_ONLY", boolean, "false", "Serve operations of safe methods only (GET, HEAD, OPTIONS, QUERY)"),
    Setting(
        "ALLOW_OPERATIONS",
        words,
        "",
        "Serve these only: operationId, METHOD, /path/*, METHOD /path/*, tag:NAME, api:NAME, separated by commas",
    ),
    Setting("DENY_OPERATIONS", words, "", "Never serve these, written in the same way; wins over ALLOW_OPERATIONS"),
    Setting("POLICY", text, None, "File that says who may call what, by principal (caller), scope and group"),
    Setting("RATE_LIMIT", rate, None, "Tool calls a second of one caller; as many may come at once"),
    Setting("CALL_LIMIT", integer(1, 10_000), "100", "Calls of one caller at once, running or waiting"),
    Setting("SESSION_LIMIT", integer(1, 2000), "500", "Sessions of one caller at once, and as many subscriptions"),
    Setting("API_RATE_LIMIT", rate, None, "Requests a second to one API; calls wait for their turn"),
    Setting(
        "SHARED_STATE",
        store,
        None,
        "valkey://host:port of a store in which RATE_LIMIT and API_RATE_LIMIT hold over all tasks; valkeys:// with TLS",
        secret=True,
    ),
    Setting(
        "SHARED_STATE_TASKS",
        integer(1, 10_000),
        None,
        "How many processes share those limits while the store was never reached; left out: WORKERS, at least 2",
    ),
    Setting("REDACT", words, "", "Names of keys, or JSON paths, whose values are removed from answers and logs"),
    Setting(
        "AUDIT",
        one_of("auto", "none", "calls", "arguments"),
        "auto",
        "A line for each tool call on the logger openapi_mcp_server.audit; auto: where callers say who they are",
    ),
)

_LOG: tuple[Setting, ...] = (
    Setting("SERVER_NAME", text, "openapi-mcp-server", "Name that clients are told"),
    Setting("SERVER_DEBUG", boolean, "false", "The same as LOG_LEVEL=DEBUG", "--debug"),
    Setting("LOG_LEVEL", level, "INFO", "DEBUG, INFO, WARNING, ERROR or CRITICAL"),
    Setting("LOG_FORMAT", one_of("json", "text"), "json", "json, or text for people"),
)

_LIMITS: tuple[Setting, ...] = (
    Setting(
        "SERVER_MESSAGE_TIMEOUT",
        seconds(0.1, 3600),
        "55",
        "Seconds that one tool call may take, repeated requests included",
        field="message_timeout_seconds",
    ),
    Setting(
        "HTTP_TIMEOUT",
        seconds(0.1, 3600),
        "30",
        "Seconds for one request to the API; repeats have to fit into SERVER_MESSAGE_TIMEOUT as well",
        field="http_timeout_seconds",
    ),
    Setting(
        "HTTP_MAX_CONNECTIONS",
        integer(1, 10_000),
        "100",
        "Connections to one API at once; one client has nine in ten at most",
    ),
    Setting(
        "HTTP_MAX_KEEPALIVE",
        integer(0, 10_000),
        None,
        "Idle connections to APIs that are kept; left out: HTTP_MAX_CONNECTIONS",
    ),
    Setting(
        "HTTP_RETRIES", integer(0, 5), "2", "How often a failed request is repeated where that does no harm; 0: never"
    ),
    Setting("HTTP_BREAKER", boolean, "true", "Send an API nothing for 10 s when half of the last 20 requests failed"),
    Setting(
        "MEMORY_BUDGET_BYTES",
        integer(64 * 2**20, 9_999_999_999),
        None,
        "Bytes that may be kept for clients; left out: half of the container's memory, else a quarter "
        "of the machine's, divided by WORKERS",
    ),
    Setting(
        "SHUTDOWN_GRACE_SECONDS",
        seconds(0, 3600),
        None,
        "Seconds that a stop waits for running calls; left out: SERVER_MESSAGE_TIMEOUT + 5",
    ),
    Setting(
        "SHUTDOWN_LAME_DUCK_SECONDS",
        seconds(0, 300),
        "0",
        "Seconds before a stop in which it serves on but says that it is not ready",
    ),
    Setting("UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN", seconds(0, 3600), None, "Another name of SHUTDOWN_GRACE_SECONDS"),
    Setting("UVICORN_GRACEFUL_SHUTDOWN", boolean, "true", "false: SHUTDOWN_GRACE_SECONDS=0"),
    Setting(
        "WATCHDOG_SECONDS",
        seconds_or_never(3600),
        "30",
        "A process that hangs for so many seconds writes where, and ends with exit code 14; 0: never",
    ),
)

_PRODUCTION: tuple[Setting, ...] = (
    Setting(
        "ENABLE_PROMETHEUS",
        boolean,
        "false",
        "Metrics for Prometheus, at /metrics on PROMETHEUS_PORT",
        field="prometheus",
    ),
    Setting("PROMETHEUS_PORT", integer(0, 65_535), "9090", "Port for metrics, on SERVER_HOST; 0 takes a free one"),
    Setting("WORKERS", integer(1, 64), "1", "Worker processes behind a proxy, on SERVER_PORT and the ports after it"),
    Setting(
        "SPEC_REFRESH_SECONDS",
        seconds_or_never(604_800),
        "0",
        "The documents are read again after so many seconds; 0: at start only",
    ),
    Setting(
        "CACHE_DIR",
        folder_or_none,
        None,
        "Folder in which compiled documents are kept, so that the next start or worker need not read them",
    ),
    Setting(
        "SPEC_WAIT_SECONDS",
        seconds(0, 3600),
        "0",
        "Seconds that a start waits for a document that cannot be fetched yet; not ready meanwhile",
    ),
)

_TRACES: tuple[Setting, ...] = (
    Setting("TRACING", exporters, "none", "Where traces go: xray, otlp, both separated by a comma, or none"),
    *TRACING_SETTINGS,
)

TOPICS: Mapping[str, tuple[Setting, ...]] = {
    "The API and its document": _API,
    "Credentials for the API": _CREDENTIALS,
    "Tools and their answers": _TOOLS,
    "What may be reached and read": _REACH,
    "Where the server listens": _LISTENING,
    "Who may call, and how much": _CALLERS,
    "The server's name and log": _LOG,
    "Time limits, connections, stopping": _LIMITS,
    "In production": _PRODUCTION,
    "Traces": _TRACES,
}
"""The table in parts, with their titles."""
SETTINGS: tuple[Setting, ...] = tuple(chain.from_iterable(TOPICS.values()))


def default(name: str) -> Any:  # noqa: ANN401 - what the setting's reader makes
    """The value of a setting that nobody has set."""
    return next(each for each in SETTINGS if each.name == name).default_value
