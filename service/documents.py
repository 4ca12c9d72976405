"""The configured documents to the catalog of their tools, and what the log says of it."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from service.bridge import catalog, overrides, security
from service.bridge.catalog import ApiSource
from service.bridge.model import BaseUrl, ToolCatalog, base_url
from service.config import ApiConfig, Auth, Config
from service.edge import spec_parts, spec_source
from service.edge.addresses import AddressRule
from service.edge.credentials import Credentials
from service.errors import ConfigError, SpecError
from service.openapi import operations, overlay
from service.openapi.document import Document, parse
from service.openapi.model import Note

BYTES_PER_TOKEN = 4
"""A rule of thumb for English and JSON; only used to tell sizes apart."""

_LOADING_THRESHOLD = 50_000
"""Objects between two looks of the collector while documents are read: some megabytes, if all of them were garbage."""

logger = logging.getLogger(__name__)


async def read_catalog(config: Config, *, only_to_show: bool = False) -> ToolCatalog:
    """The tools of every configured document. Raises ConfigError or SpecError, which name the document.

    ``only_to_show``: nothing will be called, so that it need not be known where the APIs are.
    """
    rule = address_rule(config)
    with _collecting_less():
        sources = [await _read_source(config, api, rule) for api in config.apis]
        return catalog.build(sources, response_filter=config.response_filter, only_to_show=only_to_show)


@contextmanager
def _collecting_less() -> Iterator[None]:
    """What a catalog is made of stays: the collector finds nothing there, and looking takes a tenth of the start."""
    usual = gc.get_threshold()
    gc.set_threshold(_LOADING_THRESHOLD)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


async def _read_source(config: Config, api: ApiConfig, rule: AddressRule) -> ApiSource:
    base = None if api.base_url is None else _base(api.base_url, api.url_setting, rule)
    allowed = [_base(url, api.allowed_servers_setting, rule) for url in api.allowed_servers]
    folders = [Path(folder) for folder in config.allowed_spec_dirs]
    data = await spec_source.read(api.location, setting=api.location_setting, rule=rule, allowed_dirs=folders)
    with _named(api.location):
        document = parse(data)
    document, notes = await _overlaid(document, api, rule, folders)
    with _named(api.location):  # after the overlays: they see the root document as it was written
        description = operations.describe(spec_parts.bundled(document, api.location, folders))
    description = msgspec.structs.replace(description, notes=(*notes, *description.notes))
    return ApiSource(
        name=api.name,
        base=base,
        location=api.location if "://" in api.location else "",
        allowed_origins=frozenset(each.origin for each in allowed),
        description=description,
        include_tags=config.include_tags,
        exclude_tags=config.exclude_tags,
        prefix=len(config.apis) > 1,
        auth=api.auth,
        strict_auth=config.strict_auth,
        overrides=await _overrides(api, rule, folders),
    )


async def _overrides(api: ApiConfig, rule: AddressRule, folders: Sequence[Path]) -> overrides.Entries:
    if not api.overrides:
        return {}
    data = await spec_source.read(api.overrides, setting=api.overrides_setting, rule=rule, allowed_dirs=folders)
    with _named(api.overrides):
        return overrides.read(data)


async def _overlaid(
    document: Document, api: ApiConfig, rule: AddressRule, folders: Sequence[Path]
) -> tuple[Document, list[Note]]:
    notes: list[Note] = []
    for location in api.overlays:
        data = await spec_source.read(location, setting=api.overlays_setting, rule=rule, allowed_dirs=folders)
        with _named(location):
            changed = overlay.apply(document, data, name=spec_source.shown(location))
        document = changed.document
        notes += changed.notes
    return document, notes


@contextmanager
def _named(location: str) -> Iterator[None]:
    """Errors in a document say which it is."""
    try:
        yield
    except SpecError as error:
        place = f"{spec_source.shown(location)}, {error.pointer}".removesuffix(", ")
        raise SpecError(place, error.problem) from error


def _base(url: str, setting: str, rule: AddressRule) -> BaseUrl:
    try:
        base = base_url(url)
    except ValueError as error:
        raise ConfigError(setting, f"{spec_source.shown(url)!r} {error}") from None
    if problem := rule.url_problem(base.origin.scheme, base.origin.host):
        raise ConfigError(setting, f"{base}: {problem}")
    return base


def address_rule(config: Config) -> AddressRule:
    return AddressRule(allow_private=config.allow_private_networks, allow_insecure=config.allow_insecure_http)


def credentials(config: Config, tools: ToolCatalog) -> Credentials:
    """Raises ConfigError for what cannot be sent."""
    return Credentials(_auths(config, tools), {api.name: api.origins for api in tools.apis})


def _auths(config: Config, tools: ToolCatalog) -> dict[str, Auth]:
    """The credentials by API, a key's place filled in."""
    places = {api.name: api.key_place for api in tools.apis}
    return {api.name: security.placed(api.auth, places[api.name]) for api in config.apis}


def report(config: Config, tools: ToolCatalog) -> None:
    """What became of the documents, a line each, and what a model will pay for the list."""
    for api in tools.apis:
        skipped = sum(each.api == api.name for each in tools.skipped)
        fields = {
            "api": api.name,
            "base": str(api.base),
            "tools": api.tools,
            "filtered": api.filtered,
            "skipped": skipped,
        }
        logger.info("loaded", extra={**fields, "notes": len(api.notes)})
        for note in api.notes:
            level = logging.WARNING if note.kind in {"overlay_unused", "override_unused"} else logging.DEBUG
            logger.log(level, note.message, extra={"api": api.name, "pointer": note.pointer, "kind": note.kind})
    _report_security(config, tools)
    for each in tools.skipped:
        fields = {"api": each.api, "pointer": each.operation.pointer, "reason": each.operation.reason}
        logger.warning("operation skipped", extra=fields)
    tokens = sum(len(bytes(tool.entry)) for tool in tools.tools.values()) // BYTES_PER_TOKEN
    if tokens > config.tool_budget_tokens:
        problem = "the tool list is large for a model; choose operations with INCLUDE_TAGS or EXCLUDE_TAGS"
        logger.warning(problem, extra={"tokens": tokens, "budget": config.tool_budget_tokens})


def _report_security(config: Config, tools: ToolCatalog) -> None:
    auths = _auths(config, tools)
    for api in tools.apis:
        if problem := security.stranger(auths.get(api.name, Auth()), api.security_schemes):
            logger.warning(problem, extra={"api": api.name})
        if api.unmet:
            problem = "operations ask for other credentials than are configured; they are tried; inspect lists them"
            logger.warning(problem, extra={"api": api.name, "unmet_security": api.unmet, "tools": api.tools})
