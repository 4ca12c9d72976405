"""The configured APIs: the first has settings of its own, more are elements of ADDITIONAL_SPECS, which have the same
settings under the names that the table gives them there.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings.command_line import Command, Given
from openapi_mcp_server.settings.sources import ReadFile, from_element
from openapi_mcp_server.settings.table import SETTINGS

AuthKind = Literal["none", "basic", "bearer", "api_key"]
KeyLocation = Literal["header", "query", "cookie"]

NEEDED: Mapping[str, tuple[str, ...]] = {
    "basic": ("AUTH_USERNAME", "AUTH_PASSWORD"),
    "bearer": ("AUTH_TOKEN",),
    "api_key": ("AUTH_API_KEY",),
}
"""What each kind of credentials cannot do without."""
_ELEMENT = {setting.element_field: setting for setting in SETTINGS if setting.element_field}
_OFFERED = [name for name in _ELEMENT if "cognito" not in name and name != "auth_token_ttl"]
_BYTE = re.compile(r" \(byte ([0-9]+)\)$")


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


def configured(given: Mapping[str, Given], command: Command, read_file: ReadFile) -> tuple[ApiConfig, ...]:
    """``given``: every setting by name. Raises ConfigError, also where no document is named at all."""
    several = given["ADDITIONAL_SPECS"]
    more = tuple(_additional(several, read_file)) if several.value else ()
    if not given["API_SPEC_URL"].value and not given["API_SPEC_PATH"].value:
        base = given["API_BASE_URL"]
        if more and base.value:
            problem = "belongs to --spec-url or --spec-path; ADDITIONAL_SPECS has a base_url of its own"
            raise ConfigError(base.label, problem)
        if not more:
            other = "--server URL" if command == "call" else "run demo"
            raise ConfigError("API_SPEC_URL", f"no document: give --spec-url URL or --spec-path FILE, or {other}")
        return _differently_named(more, several.label, first=0)
    return _differently_named((_api(given), *more), several.label, first=1)


def _additional(given: Given, read_file: ReadFile) -> list[ApiConfig]:
    return [_element_api(fields, f"{given.label}[{index}]", read_file) for index, fields in enumerate(_elements(given))]


def _elements(given: Given) -> list[dict[str, Any]]:
    try:
        return msgspec.json.decode(given.value, type=list[dict[str, Any]])
    except msgspec.ValidationError:
        raise ConfigError(given.label, "must be a JSON array of objects") from None
    except msgspec.DecodeError as error:
        if not given.value.lstrip().startswith(("[", "{")):
            problem = "must be a JSON array of objects; ADDITIONAL_SPECS_FILE takes the name of a file with it"
            raise ConfigError(given.label, problem) from None
        raise ConfigError(given.label, f"is not JSON: {_with_place(str(error), given.value)}") from None


def _with_place(problem: str, text: str) -> str:
    """msgspec counts bytes; people count lines and columns."""
    found = _BYTE.search(problem)
    offset = int(found[1]) if found else len(text.encode())
    before = text.encode()[:offset].decode(errors="ignore")
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    said = _BYTE.sub("", problem).removeprefix("JSON is malformed: ")
    return f"{said} (line {line}, column {column})"


def _element_api(fields: Mapping[str, Any], place: str, read_file: ReadFile) -> ApiConfig:
    known = [*_ELEMENT, *(f"{name}_file" for name in _ELEMENT)]
    for name in fields:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            problem = f"has no field {name[:64]!r}; {hint}there are {', '.join(_OFFERED)}, each with _file for a file"
            raise ConfigError(place, problem)
    given = {setting.name: from_element(setting, fields, place, read_file) for setting in _ELEMENT.values()}
    if not given["API_NAME"].value:
        raise ConfigError(f"{place}.name", "is missing")
    return _api(given, place)


def _api(given: Mapping[str, Given], place: str = "") -> ApiConfig:
    """``place``: the element of ADDITIONAL_SPECS that it is, empty for the first API."""
    url, path = given["API_SPEC_URL"], given["API_SPEC_PATH"]
    if place and bool(url.value) == bool(path.value):
        raise ConfigError(place, "give either spec_url or spec_path")
    if url.value and path.value:
        raise ConfigError(path.label, f"give one document: either this or {url.label}")
    return ApiConfig(
        name=given["API_NAME"].value or "api",
        location=url.value or path.value,
        location_setting=place or (url.label if url.value else path.label),
        base_url=given["API_BASE_URL"].value or None,
        url_setting=given["API_BASE_URL"].label,
        auth=_auth(given),
        overlays=given["API_OVERLAYS"].value,
        overlays_setting=given["API_OVERLAYS"].label,
        overrides=given["TOOL_OVERRIDES"].value or "",
        overrides_setting=given["TOOL_OVERRIDES"].label,
        allowed_servers=given["ALLOWED_SERVERS"].value,
        allowed_servers_setting=given["ALLOWED_SERVERS"].label,
    )


def _auth(given: Mapping[str, Given]) -> Auth:
    kind = given["AUTH_TYPE"]
    values = {name: each.value for name, each in given.items()}
    for name in NEEDED.get(kind.value, ()):
        if not values[name]:
            problem = "is missing" if given[name].is_default or values[name] is None else "is empty"
            raise ConfigError(given[name].label, f"{problem}; {kind.label} is {kind.value}")
        if "\n" in values[name] or "\r" in values[name]:
            raise ConfigError(given[name].label, "must be one line")
        if name == "AUTH_TOKEN" and values[name].lower().startswith("bearer "):
            problem = "begins with the word Bearer, which is sent anyway; give the token alone"
            raise ConfigError(given[name].label, problem)
    return Auth(
        kind=kind.value,
        username=values["AUTH_USERNAME"] or "",
        password=values["AUTH_PASSWORD"] or "",
        token=values["AUTH_TOKEN"] or "",
        api_key=values["AUTH_API_KEY"] or "",
        api_key_name=values["AUTH_API_KEY_NAME"],
        api_key_in=values["AUTH_API_KEY_IN"],
    )


def _differently_named(apis: tuple[ApiConfig, ...], label: str, first: int) -> tuple[ApiConfig, ...]:
    """``first``: how many of them are no element of the setting ``label``."""
    for index, api in enumerate(apis):
        if any(before.name == api.name for before in apis[:index]):
            raise ConfigError(f"{label}[{index - first}]", f"another API is named {api.name!r} already")
    return apis
