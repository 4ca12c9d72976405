"""Configuration: a pure function of the command line, the environment and the files they name.

A flag wins over the environment; a variable may name a file instead (``NAME_FILE``, as Docker and ECS mount
secrets); a variable that is set to nothing counts as not set. Whatever cannot be used is refused by the name under
which it was given: nothing falls back to a default.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings.command_line import Command, Given, parse
from openapi_mcp_server.settings.table import SETTINGS, Setting
from openapi_mcp_server.settings.tracing import Tracing, overlooked, tracing

ReadFile = Callable[[str], str]
"""A path to the text in it; raises OSError or ValueError."""
Transport = Literal["stdio", "http", "streamable-http", "sse"]
"""``http``: both of the others that are spoken over HTTP."""
AuthKind = Literal["none", "basic", "bearer", "api_key"]
KeyLocation = Literal["header", "query", "cookie"]

HIGHEST_PORT = 65_535
PROXIED_WORKERS = 4
"""That the configuration of the proxy beside us has places for."""
_NEEDED = {
    "basic": ("AUTH_USERNAME", "AUTH_PASSWORD"),
    "bearer": ("AUTH_TOKEN",),
    "api_key": ("AUTH_API_KEY",),
}


class Auth(msgspec.Struct, frozen=True, kw_only=True):
    """Credentials for one API. Its repr tells only the kind.

    The place of a key is None where the operator leaves it to the document.
    """

    kind: AuthKind = "none"
    username: str = ""
    password: str = ""
    token: str = ""
    api_key: str = ""
    api_key_name: str | None = None
    api_key_in: KeyLocation | None = None

    @property
    def key_name(self) -> str:
        return self.api_key_name or "X-API-Key"

    @property
    def key_in(self) -> KeyLocation:
        return self.api_key_in or "header"

    def __repr__(self) -> str:
        return f"Auth(kind={self.kind!r})"


class ApiConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One API. ``location`` is a URL or a path; the two settings name where it and the base URL were given."""

    name: str
    location: str
    location_setting: str
    base_url: str | None
    url_setting: str
    auth: Auth
    overlays: tuple[str, ...] = ()
    overlays_setting: str = "API_OVERLAYS"
    overrides: str = ""  # location of the file
    overrides_setting: str = "TOOL_OVERRIDES"
    allowed_servers: tuple[str, ...] = ()
    allowed_servers_setting: str = "ALLOWED_SERVERS"


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was asked for. Durations and sizes carry their unit in the name."""

    command: Command
    operands: tuple[str, ...]
    options: Mapping[str, str]
    apis: tuple[ApiConfig, ...]
    transport: Transport
    host: str
    port: int
    allowed_hosts: tuple[str, ...]
    allowed_origins: tuple[str, ...]
    server_name: str
    log_level: str
    log_format: Literal["json", "text"]
    message_timeout_seconds: float
    http_timeout_seconds: float
    http_max_connections: int
    http_max_keepalive: int
    http_retries: int
    http_breaker: bool
    shutdown_grace_seconds: float
    shutdown_lame_duck_seconds: float
    allow_insecure_http: bool
    allow_private_networks: bool
    allowed_spec_dirs: tuple[str, ...]
    spec_refresh_seconds: float  # 0: at start only
    include_tags: frozenset[str]
    exclude_tags: frozenset[str]
    strict: bool
    strict_auth: bool
    validate_output: bool
    result_budget_bytes: int
    response_filter: bool
    operation_prompts: bool
    tools_page_size: int
    tool_budget_tokens: int
    prometheus: bool
    prometheus_port: int
    watchdog_seconds: float
    workers: int
    worker: int | None = None  # which of several workers this process is
    tracing: Tracing | None = None
    warnings: tuple[str, ...]


class _ExtraSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One element of ADDITIONAL_SPECS."""

    name: str
    base_url: str | None = None
    spec_url: str | None = None
    spec_path: str | None = None
    overlays: tuple[str, ...] = ()
    tool_overrides: str = ""
    allowed_servers: tuple[str, ...] = ()
    auth_type: AuthKind = "none"
    auth_username: str = ""
    auth_password: str = ""
    auth_token: str = ""
    auth_api_key: str = ""
    auth_api_key_name: str | None = None
    auth_api_key_in: KeyLocation | None = None


def load(argv: Sequence[str], environ: Mapping[str, str], read_file: ReadFile) -> Config:
    """``argv`` without the program's name. Raises ConfigError, which names the setting as it was spelt."""
    command, flags, options, operands = parse(argv)
    given = {setting.name: _given(setting, flags, environ, read_file) for setting in SETTINGS}
    apis = _apis(given, command, options)
    _require_known_listener(given, command)
    _require_room_for_workers(given, command)
    config = _config(command, operands, options, given, apis)
    return msgspec.structs.replace(config, tracing=tracing(given, environ, read_file))


def _given(setting: Setting, flags: Mapping[str, Given], environ: Mapping[str, str], read_file: ReadFile) -> Given:
    found = flags.get(setting.name) or _from_environment(setting, environ, read_file)
    if found is None:
        value = None if setting.default is None else setting.read(setting.default)
        return Given(value, setting.name, is_default=True)
    try:
        return Given(setting.read(found.value), found.label)
    except ValueError as error:
        shown = "the value" if setting.secret else repr(found.value[:100])
        raise ConfigError(found.label, f"{shown} {error}") from None


def _from_environment(setting: Setting, environ: Mapping[str, str], read_file: ReadFile) -> Given | None:
    value, path = environ.get(setting.name, ""), environ.get(f"{setting.name}_FILE", "")
    if value and path:
        raise ConfigError(setting.name, f"give either it or {setting.name}_FILE, not both")
    if not path:
        return Given(value, setting.name) if value else None
    try:
        return Given(read_file(path).rstrip("\r\n"), f"{setting.name}_FILE")
    except OSError as error:
        raise ConfigError(f"{setting.name}_FILE", f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{setting.name}_FILE", f"{path} is not UTF-8 text") from None


def _apis(given: Mapping[str, Given], command: Command, options: Mapping[str, str]) -> tuple[ApiConfig, ...]:
    if command in {"demo", "help", "version"} or "--server" in options:
        return ()
    url, path = given["API_SPEC_URL"], given["API_SPEC_PATH"]
    if url.value and path.value:
        raise ConfigError(path.label, f"give one document: either this or {url.label}")
    name = given["API_NAME"].value or "api"
    extra = _additional(given["ADDITIONAL_SPECS"], name if url.value or path.value else None)
    base = given["API_BASE_URL"]
    if not url.value and not path.value:
        if extra and base.value:
            raise ConfigError(
                base.label, "belongs to --spec-url or --spec-path; ADDITIONAL_SPECS has a base_url of its own"
            )
        if extra:
            return extra
        other = "--server URL" if command == "call" else "run demo"
        raise ConfigError("API_SPEC_URL", f"no document: give --spec-url URL or --spec-path FILE, or {other}")
    first = ApiConfig(
        name=name,
        location=url.value or path.value,
        location_setting=url.label if url.value else path.label,
        base_url=base.value or None,
        auth=_auth({name: each.value for name, each in given.items()}, given["AUTH_TYPE"].label),
        url_setting=base.label,
        overlays=given["API_OVERLAYS"].value,
        overlays_setting=given["API_OVERLAYS"].label,
        overrides=given["TOOL_OVERRIDES"].value or "",
        overrides_setting=given["TOOL_OVERRIDES"].label,
        allowed_servers=given["ALLOWED_SERVERS"].value,
        allowed_servers_setting=given["ALLOWED_SERVERS"].label,
    )
    return (first, *extra)


def _auth(values: Mapping[str, Any], label: str) -> Auth:
    """``values`` by the names of the AUTH_ settings; ``label`` is how the type was set."""
    kind = values["AUTH_TYPE"]
    for name in _NEEDED.get(kind, ()):
        if not values[name]:
            raise ConfigError(name, f"is missing; {label} is {kind}")
        if "\n" in values[name] or "\r" in values[name]:
            raise ConfigError(name, "must be one line")
    return Auth(
        kind=kind,
        username=values["AUTH_USERNAME"] or "",
        password=values["AUTH_PASSWORD"] or "",
        token=values["AUTH_TOKEN"] or "",
        api_key=values["AUTH_API_KEY"] or "",
        api_key_name=values["AUTH_API_KEY_NAME"],
        api_key_in=values["AUTH_API_KEY_IN"],
    )


def _additional(given: Given, first_name: str | None) -> tuple[ApiConfig, ...]:
    if not given.value:
        return ()
    try:
        elements = msgspec.json.decode(given.value, type=list[_ExtraSpec])
    except msgspec.ValidationError as error:
        raise ConfigError(given.label, str(error)) from None
    except msgspec.DecodeError:
        raise ConfigError(given.label, "must be a JSON array of objects") from None
    for index, element in enumerate(elements):
        if element.name in {first_name, *(before.name for before in elements[:index])}:
            raise ConfigError(f"{given.label}[{index}]", f"another API is named {element.name!r} already")
    return tuple(_extra_api(element, f"{given.label}[{index}]") for index, element in enumerate(elements))


def _extra_api(element: _ExtraSpec, place: str) -> ApiConfig:
    if bool(element.spec_url) == bool(element.spec_path):
        raise ConfigError(place, "give either spec_url or spec_path")
    values = {name.upper(): value for name, value in msgspec.structs.asdict(element).items()}
    return ApiConfig(
        name=element.name,
        location=element.spec_url or element.spec_path or "",
        location_setting=place,
        base_url=element.base_url,
        auth=_auth(values, f"{place}.auth_type"),
        url_setting=f"{place}.base_url",
        overlays=element.overlays,
        overlays_setting=f"{place}.overlays",
        overrides=element.tool_overrides,
        overrides_setting=f"{place}.tool_overrides",
        allowed_servers=element.allowed_servers,
        allowed_servers_setting=f"{place}.allowed_servers",
    )


def _require_known_listener(given: Mapping[str, Given], command: Command) -> None:
    """An address that other machines reach needs somebody to say that everybody may call."""
    serves = command == "demo" or (command == "serve" and given["SERVER_TRANSPORT"].value != "stdio")
    if not serves or given["INBOUND_AUTH"].value == "none" or is_loopback(given["SERVER_HOST"].value):
        return
    host = given["SERVER_HOST"]
    raise ConfigError(
        host.label,
        f"{host.value} is reachable from other machines and callers are not authenticated; "
        "listen on 127.0.0.1, or set INBOUND_AUTH=none if something in front of the server does that",
    )


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
    return Config(
        command=command,
        operands=operands,
        options=options,
        apis=apis,
        transport=transport,
        host=values["SERVER_HOST"],
        port=values["SERVER_PORT"],
        allowed_hosts=values["ALLOWED_HOSTS"],
        allowed_origins=values["ALLOWED_ORIGINS"],
        server_name=values["SERVER_NAME"],
        log_level="DEBUG" if values["SERVER_DEBUG"] else values["LOG_LEVEL"],
        log_format=values["LOG_FORMAT"],
        message_timeout_seconds=values["SERVER_MESSAGE_TIMEOUT"],
        http_timeout_seconds=values["HTTP_TIMEOUT"],
        http_max_connections=values["HTTP_MAX_CONNECTIONS"],
        http_max_keepalive=values["HTTP_MAX_KEEPALIVE"],
        http_retries=values["HTTP_RETRIES"],
        http_breaker=values["HTTP_BREAKER"],
        shutdown_grace_seconds=_grace_seconds(values),
        shutdown_lame_duck_seconds=values["SHUTDOWN_LAME_DUCK_SECONDS"],
        allow_insecure_http=values["ALLOW_INSECURE_HTTP"],
        allow_private_networks=values["ALLOW_PRIVATE_NETWORKS"],
        allowed_spec_dirs=values["ALLOWED_SPEC_DIRS"],
        spec_refresh_seconds=values["SPEC_REFRESH_SECONDS"],
        include_tags=frozenset(values["INCLUDE_TAGS"]),
        exclude_tags=frozenset(values["EXCLUDE_TAGS"]),
        strict=values["STRICT"],
        strict_auth=values["STRICT_AUTH"],
        validate_output=values["VALIDATE_OUTPUT"],
        result_budget_bytes=values["RESULT_BUDGET_BYTES"],
        response_filter=values["RESPONSE_FILTER"],
        operation_prompts=values["ENABLE_OPERATION_PROMPTS"],
        tools_page_size=values["TOOLS_PAGE_SIZE"],
        tool_budget_tokens=values["TOOL_BUDGET_TOKENS"],
        prometheus=values["ENABLE_PROMETHEUS"],
        prometheus_port=values["PROMETHEUS_PORT"],
        watchdog_seconds=values["WATCHDOG_SECONDS"],
        workers=values["WORKERS"],
        warnings=tuple(_warnings(given, listens=transport != "stdio")),
    )


def _grace_seconds(values: Mapping[str, Any]) -> float:
    if not values["UVICORN_GRACEFUL_SHUTDOWN"]:
        return 0.0
    for name in ("SHUTDOWN_GRACE_SECONDS", "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN"):
        if values[name] is not None:
            return float(values[name])
    return float(values["SERVER_MESSAGE_TIMEOUT"]) + 5.0


def _warnings(given: Mapping[str, Given], *, listens: bool) -> Iterable[str]:
    values = {name: each.value for name, each in given.items()}
    unused = [name for names in _NEEDED.values() for name in names if values[name]]
    if values["AUTH_TYPE"] == "none" and unused:
        yield f"AUTH_TYPE is none: {', '.join(unused)} is not used"
    if values["WORKERS"] > PROXIED_WORKERS:
        yield f"WORKERS: proxy/nginx.conf routes to {PROXIED_WORKERS} workers; the others need lines of their own there"
    if problem := overlooked(given):
        yield problem
    if listens and not is_loopback(values["SERVER_HOST"]):
        yield "INBOUND_AUTH is none: whoever reaches this port can call every tool with this server's credentials"
