"""The settings in the form that the rooms below take: options of compiling, rules for addresses, credentials."""

from __future__ import annotations

from openapi_mcp_server.bridge.model import ToolForm
from openapi_mcp_server.bridge.origins import BaseUrl, base_url
from openapi_mcp_server.documents import policies, source
from openapi_mcp_server.documents.options import ApiOptions, CompileOptions
from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings.apis import ApiConfig
from openapi_mcp_server.settings.config import Config
from openapi_mcp_server.upstream.addresses import AddressRule
from openapi_mcp_server.upstream.credentials.keyring import Keyring


def options(config: Config, rule: AddressRule) -> CompileOptions:
    """All that the settings say about compiling. Raises ConfigError for addresses that are none."""
    return CompileOptions(
        apis=tuple([_api_options(api, rule) for api in config.apis]),
        folders=config.allowed_spec_dirs,
        include_tags=config.include_tags,
        exclude_tags=config.exclude_tags,
        strict=config.strict,
        strict_auth=config.strict_auth,
        rule=policies.rule(config),
        form=tool_form(config),
    )


def tool_form(config: Config) -> ToolForm:
    return ToolForm(
        response_filter=config.response_filter,
        output_schemas=config.validate_output,
        portable=config.tool_schemas == "portable",
        name_length=config.tool_name_length,
        result_bytes=config.result_budget_bytes,
    )


def _api_options(api: ApiConfig, rule: AddressRule) -> ApiOptions:
    base = None if api.base_url is None else _base(api.base_url, api.url_setting, rule)
    allowed = [_base(url, api.allowed_servers_setting, rule) for url in api.allowed_servers]
    return ApiOptions(
        name=api.name,
        location=api.location,
        overlays=api.overlays,
        overrides=api.overrides,
        base=base,
        allowed_origins=frozenset(each.origin for each in allowed),
        identity=api.identity,
    )


def _base(url: str, setting: str, rule: AddressRule) -> BaseUrl:
    try:
        base = base_url(url)
    except ValueError as error:
        raise ConfigError(setting, f"{source.shown(url)!r} {error}") from None
    if problem := rule.url_problem(base.origin.scheme, base.origin.host):
        raise ConfigError(setting, f"{base}: {problem}")
    return base


def address_rule(config: Config) -> AddressRule:
    return AddressRule(allow_private=config.allow_private_networks, allow_insecure=config.allow_insecure_http)


def keyring(config: Config) -> Keyring:
    """Everything that this configuration logs in with."""
    return Keyring(config.apis, address_rule(config), config.aws.values)
