"""Configuration: a pure function of the command line, the environment and the files they name.

A flag wins over the environment. A variable may name a file instead (``NAME_FILE``, as Docker and ECS mount secrets),
and an empty variable counts as not set. An unusable value is refused under the name by which it was given; it never
falls back to a default.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings.apis import ApiConfig, configured
from openapi_mcp_server.settings.auth import overlooked as overlooked_auth
from openapi_mcp_server.settings.command_line import Command, Given, parse
from openapi_mcp_server.settings.inbound import Inbound, inbound, require_known_apis
from openapi_mcp_server.settings.inbound import overlooked as overlooked_inbound
from openapi_mcp_server.settings.sources import ReadFile, from_environment, misspelt, read
from openapi_mcp_server.settings.store import Store
from openapi_mcp_server.settings.table import SETTINGS
from openapi_mcp_server.settings.tracing import Tracing, overlooked, tracing
from openapi_mcp_server.settings.ways import USUAL, WayOut, shared

Transport = Literal["stdio", "http", "streamable-http", "sse"]
"""``http``: both of the others that are spoken over HTTP."""

_WITH_PAGE = frozenset({"http", "streamable-http"})
_DOCUMENTS = frozenset({"API_SPEC_PATH", "API_SPEC_URL", "ADDITIONAL_SPECS"})
HIGHEST_PORT = 65_535
LEAST_LAME_DUCK_SECONDS = 5.0
"""For a Service to notice that a pod goes. A proxy with a preStop needs more, of which nothing here shows."""
PROXIED_WORKERS = 4
"""The most workers that the configuration of the proxy beside us has places for."""


class AwsVariables(msgspec.Struct, frozen=True):
    """AWS's own variables, as far as they are set. Some are secrets: its repr shows none."""

    values: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return "AwsVariables()"


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was asked for. Durations and sizes carry their unit in the name.

    A field has the value of the setting whose ``config_field`` it is, unless `_config` makes it of several.
    """

    command: Command
    operands: tuple[str, ...]
    options: Mapping[str, str]
    apis: tuple[ApiConfig, ...]
    transport: Transport
    host: str
    port: int
    allowed_hosts: tuple[str, ...]
    allowed_origins: tuple[str, ...]
    public_path_prefix: str
    trusted_proxies: tuple[str, ...]
    inbound: Inbound
    read_only: bool
    allow_operations: tuple[str, ...]
    deny_operations: tuple[str, ...]
    policy: str | None
    rate_limit: float | None
    call_limit: int
    session_limit: int
    api_rate_limit: float | None
    shared_state: Store | None
    shared_state_tasks: int | None  # None: as many as there are workers
    redact: tuple[str, ...]
    audit: Literal["auto", "none", "calls", "arguments"]
    session_key: tuple[str, ...] | None
    session_address: str | None
    ecs_container_metadata_uri_v4: str | None
    web_page: bool
    server_name: str
    log_level: str
    log_format: Literal["json", "text"]
    message_timeout_seconds: float
    http_timeout_seconds: float
    http_max_connections: int
    http_max_keepalive: int
    http_retries: int
    http_breaker: bool
    memory_budget_bytes: int | None  # None: by what the process may have
    shutdown_grace_seconds: float
    shutdown_lame_duck_seconds: float
    allow_insecure_http: bool
    allow_private_networks: bool
    allowed_spec_dirs: tuple[str, ...]
    spec_wait_seconds: float
    cache_dir: str | None
    spec_refresh_seconds: float  # 0: at start only
    include_tags: frozenset[str]
    exclude_tags: frozenset[str]
    strict: bool
    strict_auth: bool
    validate_output: bool
    result_budget_bytes: int
    response_filter: bool
    operation_prompts: bool | None  # None: by how many there are
    tools_page_size: int
    tool_name_length: int
    tool_mode: Literal["auto", "all", "search"]
    tool_schemas: Literal["full", "portable"]
    tool_budget_tokens: int
    prometheus: bool
    prometheus_port: int
    watchdog_seconds: float
    workers: int
    worker: int | None = None  # which of several workers this process is
    tracing: Tracing | None = None
    aws: AwsVariables = AwsVariables()
    way: WayOut = USUAL  # to what is no API's
    warnings: tuple[str, ...]

    @property
    def forwarded(self) -> frozenset[bytes]:
        """The headers of clients that some API wants, or that are exchanged for what it wants, in lower case."""
        names = {each.source.encode("ascii") for api in self.apis for each in api.forwarded}
        exchanged = {b"authorization"} if any(api.auth.exchange != "none" for api in self.apis) else set()
        return frozenset(names | exchanged)


AWS_VARIABLES = (
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_SSM",
    "AWS_ENDPOINT_URL_STS",
)
"""The variables of AWS's SDKs, as those read them; only what logs in at AWS looks at them."""


def load(argv: Sequence[str], environ: Mapping[str, str], read_file: ReadFile) -> Config:
    """``argv`` without the program's name. Raises ConfigError, which names the setting as it was spelt."""
    command, flags, options, operands = parse(argv)
    given = {
        setting.name: read(setting, flags.get(setting.name) or from_environment(setting, environ, read_file), read_file)
        for setting in SETTINGS
    }
    strangers = tuple(misspelt(environ))
    needs_apis = command in {"serve", "inspect", "call", "mock"} and "--server" not in options
    needs_apis = needs_apis or "--document" in options
    try:
        apis = configured(given, command, read_file, environ) if needs_apis else ()
    except ConfigError as error:
        raise ConfigError(error.setting, "; ".join([error.problem, *strangers[:1]])) from None
    _require_own_document(flags, command)
    _require_known_listener(given, command)
    _require_room_for_workers(given, command)
    _require_calls_for_page(given, command)
    _require_session_pair(given)
    _require_callers(apis, given, command)
    config = _config(command, operands, options, given, apis)
    if apis:
        require_known_apis(config.inbound, given["INBOUND_TOKENS"], [api.name for api in apis])
    traced = tracing(given, environ, read_file)
    aws = AwsVariables({name: environ[name] for name in AWS_VARIABLES if environ.get(name)})
    way = shared(given, read_file, environ) if command in {"serve", "demo"} else USUAL
    if command in {"serve", "demo", "mock"}:
        warnings = (*config.warnings, *strangers, *overlooked(given, environ), *_hasty(config, environ))
    else:  # settings for listening mean nothing to a command; a completing shell wants no warnings
        warnings = () if command == "completion" else (*overlooked_auth(given), *strangers)
    return msgspec.structs.replace(config, warnings=warnings, tracing=traced, aws=aws, way=way)


def _require_own_document(flags: Mapping[str, Given], command: Command) -> None:
    """Refuses another document on the command line of the demo: its tools would be missing."""
    named = next((flag for name, flag in flags.items() if name in _DOCUMENTS), None)
    if command == "demo" and named is not None:
        raise ConfigError(named.label, "the demo has a document of its own; leave out the word demo to serve this one")


def _require_known_listener(given: Mapping[str, Given], command: Command) -> None:
    """An address that other machines reach needs somebody to say that everybody may call."""
    serves = command in {"demo", "mock"} or (command == "serve" and given["SERVER_TRANSPORT"].value != "stdio")
    auth = given["INBOUND_AUTH"].value
    is_said = auth == "none" or (auth is not None and command != "mock")  # a mock asks nobody
    if not serves or is_said or is_loopback(given["SERVER_HOST"].value):
        return
    host = given["SERVER_HOST"]
    cure = "set INBOUND_AUTH to token or jwt (or to none, if something in front asks who they are)"
    if command == "mock":
        cure = "set INBOUND_AUTH to none: a mock asks nobody who they are"
    problem = f"{host.value} is reachable from other machines and callers are not asked who they are"
    raise ConfigError(host.label, f"{problem}; listen on 127.0.0.1, or {cure}")


def _require_different_ports(given: Mapping[str, Given], transport: Transport) -> None:
    port = given["PROMETHEUS_PORT"]
    both = given["ENABLE_PROMETHEUS"].value and transport != "stdio"
    first = given["SERVER_PORT"].value
    if both and port.value and port.value in range(first, first + given["WORKERS"].value):
        whose = given["SERVER_PORT"].label if port.value == first else f"worker {port.value - first}'s port"
        raise ConfigError(port.label, f"{port.value} is {whose} already; choose another port")


def _require_room_for_workers(given: Mapping[str, Given], command: Command) -> None:
    """Several workers are for `serve` over HTTP, each on a port of its own that a proxy knows."""
    workers, port = given["WORKERS"], given["SERVER_PORT"]
    if workers.value == 1 or command not in {"serve", "demo"}:
        return
    if command == "demo":
        raise ConfigError(workers.label, "the demo keeps its pets in one process; leave it out, or set it to 1")
    if given["SERVER_TRANSPORT"].value == "stdio":
        raise ConfigError(workers.label, "stdio is one client and one process; leave it out, or serve over HTTP")
    highest = HIGHEST_PORT + 1 - workers.value
    if not 1 <= port.value <= highest:
        problem = f"{port.value} cannot be the first of {workers.value} workers' ports; choose one from 1 to {highest}"
        raise ConfigError(port.label, problem)


def _require_session_pair(given: Mapping[str, Given]) -> None:
    if given["SERVER_TRANSPORT"].value not in {"http", "sse"}:
        return  # `_warnings` says so: the key may be in a secret that other deployments share
    key, address = given["SESSION_KEY"], given["SESSION_ADDRESS"]
    for missing, other in ((key, address), (address, key)):
        if missing.value is None and other.value is not None:
            raise ConfigError(missing.label, f"is missing; {other.label} is of use with it only")
    if address.value and address.value.startswith("ecs:") and not given["ECS_CONTAINER_METADATA_URI_V4"].value:
        raise ConfigError(address.label, "ecs is not where this runs (ECS_CONTAINER_METADATA_URI_V4 is not set)")


def _require_callers(apis: Iterable[ApiConfig], given: Mapping[str, Given], command: Command) -> None:
    """A token can be exchanged where clients come with one that this server has verified."""
    asks = given["INBOUND_AUTH"].value == "jwt" and given["SERVER_TRANSPORT"].value != "stdio"
    if command == "serve" and not asks and any(api.auth.exchange != "none" for api in apis):
        raise ConfigError("TOKEN_EXCHANGE", "needs clients that log in: INBOUND_AUTH=jwt, over HTTP")


def _require_calls_for_page(given: Mapping[str, Given], command: Command) -> None:
    page, transport = given["WEB_PAGE"], given["SERVER_TRANSPORT"]
    serves_page = command == "serve" or (command == "demo" and not transport.is_default)
    if serves_page and page.value and transport.value not in _WITH_PAGE:
        problem = f"the page calls tools at /mcp, which {transport.label} {transport.value} does not serve; choose http"
        raise ConfigError(page.label, problem)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _config(
    command: Command,
    operands: tuple[str, ...],
    options: Mapping[str, str],
    given: Mapping[str, Given],
    apis: tuple[ApiConfig, ...],
) -> Config:
    values = {name: each.value for name, each in given.items()}
    serves_demo = command == "demo" and given["SERVER_TRANSPORT"].is_default
    transport: Transport = "http" if serves_demo else values["SERVER_TRANSPORT"]
    _require_different_ports(given, transport)
    from_table = {setting.config_field: values[setting.name] for setting in SETTINGS}
    of_several: dict[str, Any] = {
        "command": command,
        "operands": operands,
        "options": options,
        "apis": apis,
        "transport": transport,
        "log_level": "DEBUG" if values["SERVER_DEBUG"] else values["LOG_LEVEL"],
        "shutdown_grace_seconds": _grace_seconds(values),
        "http_max_keepalive": _keepalive(values),
        "web_page": _has_page(values, transport),
        "tracing": None,
        "inbound": inbound(given) if command in {"serve", "demo"} else Inbound(),
        "warnings": tuple(_warnings(given, listens=transport != "stdio")),
    }
    fields = from_table | of_several
    return Config(**{name: fields[name] for name in Config.__struct_fields__ if name in fields})


def _keepalive(values: Mapping[str, Any]) -> int:
    """The number of idle connections that are kept: as many as there may be, where nobody says otherwise; with fewer,
    those beyond are dialled anew for every call, which over TLS costs a third more CPU and two more round trips."""
    kept: int | None = values["HTTP_MAX_KEEPALIVE"]
    return int(values["HTTP_MAX_CONNECTIONS"]) if kept is None else kept


def _has_page(values: Mapping[str, Any], transport: Transport) -> bool:
    asked: bool | None = values["WEB_PAGE"]
    return transport in _WITH_PAGE and (is_loopback(values["SERVER_HOST"]) if asked is None else asked)


def _grace_seconds(values: Mapping[str, Any]) -> float:
    if not values["UVICORN_GRACEFUL_SHUTDOWN"]:
        return 0.0
    for name in ("SHUTDOWN_GRACE_SECONDS", "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN"):
        if values[name] is not None:
            return float(values[name])
    return float(values["SERVER_MESSAGE_TIMEOUT"]) + 5.0


def _hasty(config: Config, environ: Mapping[str, str]) -> Iterable[str]:
    """A pod is told to stop at the moment at which the others are told to leave it alone, and they take their time."""
    serves = config.command in {"serve", "demo"} and config.transport != "stdio"
    if serves and "KUBERNETES_SERVICE_HOST" in environ and config.shutdown_lame_duck_seconds < LEAST_LAME_DUCK_SECONDS:
        yield (
            f"SHUTDOWN_LAME_DUCK_SECONDS is {config.shutdown_lame_duck_seconds:g} and this is Kubernetes: calls are "
            "lost at a stop; set it to 2 s more than the preStop of the proxy in the pod, or to 10 without one"
        )


def _warnings(given: Mapping[str, Given], *, listens: bool) -> Iterable[str]:
    values = {name: each.value for name, each in given.items()}
    yield from overlooked_auth(given)
    if values["WORKERS"] > PROXIED_WORKERS:
        yield f"WORKERS: proxy/nginx.conf routes to {PROXIED_WORKERS} workers; the others need lines of their own there"
    if values["SERVER_TRANSPORT"] not in {"http", "sse"} and (values["SESSION_KEY"] or values["SESSION_ADDRESS"]):
        yield f"SERVER_TRANSPORT is {values['SERVER_TRANSPORT']}: SESSION_KEY, SESSION_ADDRESS are for HTTP+SSE"
    yield from overlooked_inbound(given)
    asks = values["INBOUND_AUTH"] in {"token", "jwt"}
    if not listens and asks:
        yield "INBOUND_AUTH is not used over stdio: whoever started this process may call"
    if not listens and values["FORWARD_HEADERS"]:
        yield "FORWARD_HEADERS: there are no headers over stdio, so that calls that need one are refused"
    if listens and not asks and not is_loopback(values["SERVER_HOST"]):
        yield "INBOUND_AUTH is none: whoever reaches this port can call every tool with this server's credentials"
