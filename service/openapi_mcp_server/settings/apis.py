"""The configured APIs. The first one has settings of its own. Others are elements of ADDITIONAL_SPECS, whose fields are
the same settings under other names (``element`` in the table).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings import fields
from openapi_mcp_server.settings.auth import Auth, Identity, auth, schemes
from openapi_mcp_server.settings.command_line import Command, Given
from openapi_mcp_server.settings.fields import Forwarded, Pairs
from openapi_mcp_server.settings.sources import ReadFile, from_object, objects
from openapi_mcp_server.settings.table import SETTINGS
from openapi_mcp_server.settings.ways import SHARED, USUAL, WayOut, way_out

_INSTEAD: Mapping[Command, str] = {
    "serve": ", or write demo before the options for the bundled API",
    "call": ", or --server URL",
}
"""The end of the advice to those who name no document."""
_ELEMENT = {setting.element_field: setting for setting in SETTINGS if setting.element_field}


class ApiConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One API. ``location`` is a URL or a path; the two settings name where it and the base URL were given."""

    name: str
    location: str
    location_setting: str
    base_url: str | None
    url_setting: str
    auth: Auth
    schemes: Mapping[str, Auth] = {}
    way: WayOut = USUAL
    overlays: tuple[str, ...] = ()
    overlays_setting: str = "API_OVERLAYS"
    overrides: str = ""  # location of the file
    overrides_setting: str = "TOOL_OVERRIDES"
    allowed_servers: tuple[str, ...] = ()
    allowed_servers_setting: str = "ALLOWED_SERVERS"
    headers: Pairs = ()
    query: Pairs = ()
    forwarded: tuple[Forwarded, ...] = ()
    spec_auth: bool = True
    spec_headers: Pairs = ()

    def __repr__(self) -> str:
        return f"ApiConfig({self.name!r}, auth={self.auth!r})"

    @property
    def has_credentials(self) -> bool:
        """Whether its requests carry anything that is for the API alone."""
        own = (self.schemes, self.headers, self.query, self.forwarded, self.way.certificate)
        return self.auth.kind != "none" or any(own)

    @property
    def identity(self) -> Identity:
        """The part of the credentials that the pure rooms know."""
        return Identity(
            auth=self.auth.shape,
            schemes={name: each.shape for name, each in self.schemes.items()},
            certificate=bool(self.way.certificate),
            headers=fields.names(self.headers),
            query=frozenset(name for name, _ in self.query),
            forwarded=frozenset(each.name.lower() for each in self.forwarded),
        )


NO_CREDENTIALS: Mapping[str, Any] = {
    "auth": Auth(),
    "schemes": {},
    "headers": (),
    "query": (),
    "forwarded": (),
    "spec_auth": False,
}
"""The fields of an API whose requests are to carry nothing; its document is fetched as before."""


def configured(
    given: Mapping[str, Given], command: Command, read_file: ReadFile, environ: Mapping[str, str]
) -> tuple[ApiConfig, ...]:
    """``given``: every setting by name. Raises ConfigError, also where no document is named at all."""
    several, forward = given["ADDITIONAL_SPECS"], given["FORWARD_HEADERS"]
    outside = _Outside(read_file, environ, {name: given[name] for name in SHARED})
    more = tuple(_additional(several, outside)) if several.value else ()
    if not given["API_SPEC_URL"].value and not given["API_SPEC_PATH"].value:
        base = given["API_BASE_URL"]
        if more and base.value:
            problem = "belongs to --spec-url or --spec-path; ADDITIONAL_SPECS has a base_url of its own"
            raise ConfigError(base.label, problem)
        if not more:
            problem = "no document: give --spec-url URL or --spec-path FILE"
            raise ConfigError("API_SPEC_URL", f"{problem}{_INSTEAD.get(command, '')}")
        return _forwarding(_differently_named(more, several.label, first=0), forward)
    return _forwarding(_differently_named((_api(given, outside), *more), several.label, first=1), forward)


class _Outside(NamedTuple):
    """The other sources of an API's values: files, the environment, the settings that APIs share."""

    read_file: ReadFile
    environ: Mapping[str, str]
    shared: Mapping[str, Given]


def _additional(given: Given, outside: _Outside) -> list[ApiConfig]:
    return [
        _element_api(each, f"{given.label}[{index}]", outside)
        for index, each in enumerate(objects(given, list[dict[str, Any]], "array"))
    ]


def _element_api(element: Mapping[str, Any], place: str, outside: _Outside) -> ApiConfig:
    given = from_object(_ELEMENT, element, place, outside.read_file, ", each with _file for a file")
    given |= {name: each for name, each in outside.shared.items() if not given[name].value}
    if not given["API_NAME"].value:
        raise ConfigError(f"{place}.name", "is missing")
    return _api(given, outside, place)


def _api(given: Mapping[str, Given], outside: _Outside, place: str = "") -> ApiConfig:
    """``place``: the element of ADDITIONAL_SPECS that it is, empty for the first API."""
    url, path = given["API_SPEC_URL"], given["API_SPEC_PATH"]
    if place and bool(url.value) == bool(path.value):
        raise ConfigError(place, "give either spec_url or spec_path")
    if url.value and path.value:
        raise ConfigError(path.label, f"give one document: either this or {url.label}")
    name = given["API_NAME"].value or "api"
    return ApiConfig(
        name=name,
        location=url.value or path.value,
        location_setting=place or (url.label if url.value else path.label),
        base_url=given["API_BASE_URL"].value or None,
        url_setting=given["API_BASE_URL"].label,
        auth=auth(given),
        schemes=schemes(given["AUTH_SCHEMES"], outside.read_file),
        way=way_out(given, outside.read_file, outside.environ),
        overlays=given["API_OVERLAYS"].value,
        overlays_setting=given["API_OVERLAYS"].label,
        overrides=given["TOOL_OVERRIDES"].value or "",
        overrides_setting=given["TOOL_OVERRIDES"].label,
        allowed_servers=given["ALLOWED_SERVERS"].value,
        allowed_servers_setting=given["ALLOWED_SERVERS"].label,
        headers=fields.fixed_headers(given["EXTRA_HEADERS"]),
        query=given["EXTRA_QUERY"].value or (),
        forwarded=fields.forwarded(given["FORWARD_HEADERS"], name) if place else (),
        spec_auth=given["SPEC_AUTH"].value == "same-origin",
        spec_headers=fields.fixed_headers(given["SPEC_HEADERS"]),
    )


def _forwarding(apis: tuple[ApiConfig, ...], given: Given) -> tuple[ApiConfig, ...]:
    """The APIs, each with the headers that FORWARD_HEADERS has for it."""
    if not given.value:
        return apis
    fields.require_known_owners(given, [api.name for api in apis])
    return tuple(
        msgspec.structs.replace(
            api, forwarded=(*api.forwarded, *fields.forwarded(given, api.name, others=len(apis) > 1))
        )
        for api in apis
    )


def _differently_named(apis: tuple[ApiConfig, ...], label: str, first: int) -> tuple[ApiConfig, ...]:
    """``first``: how many of them are no element of the setting ``label``."""
    for index, api in enumerate(apis):
        if any(before.name == api.name for before in apis[:index]):
            raise ConfigError(f"{label}[{index - first}]", f"another API is named {api.name!r} already")
    return apis
