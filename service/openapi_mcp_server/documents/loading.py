"""The configured documents to the catalog of their tools, and what the log says of it."""

from __future__ import annotations

import gc
import hashlib
import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import anyio
import msgspec
from anyio.to_thread import run_sync

from openapi_mcp_server.bridge import catalog, overrides, security
from openapi_mcp_server.bridge.catalog import ApiSource
from openapi_mcp_server.bridge.model import BaseUrl, HttpRequest, Origin, SkippedTool, ToolCatalog, base_url
from openapi_mcp_server.bridge.search.names import is_searched, seen_tokens
from openapi_mcp_server.documents import policies, source
from openapi_mcp_server.documents.other_files import Parts
from openapi_mcp_server.documents.source import Visit
from openapi_mcp_server.errors import Absent, ConfigError, SpecError
from openapi_mcp_server.openapi import operations
from openapi_mcp_server.openapi.model import ApiDescription, Note
from openapi_mcp_server.openapi.text import overlay, places
from openapi_mcp_server.openapi.text.document import Document, parse
from openapi_mcp_server.settings.apis import ApiConfig
from openapi_mcp_server.settings.config import Config
from openapi_mcp_server.upstream.addresses import AddressRule, CheckedDialler
from openapi_mcp_server.upstream.credentials.keyring import Keyring

_LOADING_THRESHOLD = 50_000
"""Objects between two looks of the collector while documents are read: some megabytes, if all of them were garbage."""
_SWITCH_SECONDS = 0.0001
"""After which a thread that waits for the interpreter insists; usual is 5 ms. Compiling lets go of it for microseconds
each 0.3 ms, where it hashes, and a wait begins anew whenever somebody lets go: whoever is more patient than that may
wait for all of it. 280 ms were seen, 10 ms with this; the reload takes no longer."""

WAIT_SECONDS = 1.0
WAIT_LIMIT_SECONDS = 5.0
"""Between two attempts at a document that is not there yet: the first pause and the longest."""

logger = logging.getLogger(__name__)

_FOR_THE_OPERATOR = frozenset({"overlay_unused", "override_unused", "base_url_doubtful"})
"""Notes about settings, not about the document."""


class _Texts(NamedTuple):
    """The texts that were read for one API, before any of them is parsed; none of the document's other files yet."""

    document: bytes
    overlays: tuple[bytes, ...]
    overrides: bytes


class _Parsed(NamedTuple):
    """The result of the texts with this digest, and the other files that were read for it. ``problem``: in words."""

    digest: bytes
    parts: Sequence[Parts]
    tools: ToolCatalog | None
    problem: str = ""


class Documents:
    """The configured documents, read as often as is asked for. Whatever is read again obeys the same rules.

    Raises ConfigError for settings that name no address.
    """

    def __init__(self, config: Config, keys: Keyring | None = None) -> None:
        self._config = config
        self._keys = keys or keyring(config)
        self._rule = address_rule(config)
        self._permitted = policies.rule(config)
        self._folders = [Path(folder) for folder in config.allowed_spec_dirs]
        self._places = [_place(api, self._rule) for api in config.apis]
        self._origins: dict[str, Origin] = {}
        self._last = _Parsed(b"", (), None)
        self._one = anyio.CapacityLimiter(1)

    async def read(self, *, only_to_show: bool = False, wait_seconds: float = 0) -> ToolCatalog:
        """Reads the documents for the first time; what is not there yet is asked for again for ``wait_seconds``. Raises
        ConfigError or SpecError, which name the document."""
        texts = await self._texts_in_time(wait_seconds)
        digest, parts = _digest(texts), list[Parts]()
        tools = self._tools(texts, parts, only_to_show=only_to_show)
        self._last = _Parsed(digest, parts, None)
        self._origins = {api.name: api.base.origin for api in tools.apis}
        return tools

    async def described(self) -> list[tuple[Document, ApiDescription]]:
        """Each document as it was read, and its operations with all that is said of answers. Raises as `read` does."""
        found = []
        for api, texts in zip(self._config.apis, await self._texts(), strict=True):
            document, _ = self._document(api, texts, [])
            with _named(api.location, texts.document):
                found.append((document, operations.describe(document, exact_answers=True)))
        return found

    async def read_again(self) -> ToolCatalog | None:
        """None if every byte is what it was; it is parsed in a thread if not. Raises as `read` does, for what could not
        be used before and is the same still, too.

        After a cancel the thread finishes what it does, for nobody; the next one waits for it.
        """
        texts = await self._texts()
        parsed = await run_sync(self._parsed_if_new, texts, abandon_on_cancel=True, limiter=self._one)
        self._last = parsed._replace(tools=None)  # nobody but the gateway keeps a catalog
        if parsed.problem:
            raise SpecError("", parsed.problem)
        return parsed.tools

    async def _texts_in_time(self, seconds: float) -> list[_Texts]:
        until = anyio.current_time() + seconds
        pause = WAIT_SECONDS
        while True:
            try:
                return await self._texts()
            except Absent as error:
                if anyio.current_time() + pause > until:
                    raise
                fields = {"problem": str(error), "next_try_seconds": pause}
            logger.warning("a document is not there yet", extra=fields)
            await anyio.sleep(pause)
            pause = min(WAIT_LIMIT_SECONDS, 2 * pause)

    async def _texts(self) -> list[_Texts]:
        return [await self._texts_of(api) for api in self._config.apis]

    async def _texts_of(self, api: ApiConfig) -> _Texts:
        return _Texts(
            document=await self._text(api, api.location, api.location_setting),
            overlays=tuple([await self._text(api, location, api.overlays_setting) for location in api.overlays]),
            overrides=await self._text(api, api.overrides, api.overrides_setting) if api.overrides else b"",
        )

    async def _text(self, api: ApiConfig, location: str, setting: str) -> bytes:
        return await source.read(
            location,
            setting=setting,
            rule=self._rule,
            allowed_dirs=self._folders,
            visit=partial(self._visit, api),
            limiter=self._one,
        )

    def _visit(self, api: ApiConfig, request: HttpRequest) -> Visit:
        """The visit as the API's operator has it, whose credentials go to the API's own origin alone."""
        base = self._places[self._config.apis.index(api)].base
        is_the_apis = base is not None and base.origin == request.origin
        is_own = api.location.startswith(("http:", "https:")) and source.origin(api.location) == request.origin
        equip = partial(self._keys.for_document, api.name, is_own=is_own, is_the_apis=is_the_apis)
        way = self._keys.way(api.name)
        if way is None:
            return Visit(CheckedDialler(self._rule), None, equip)
        return Visit(way.dialler, way.tls if is_the_apis and api.spec_auth else way.anonymous_tls, equip)

    def _parsed_if_new(self, texts: list[_Texts]) -> _Parsed:
        digest, parts = _digest(texts), list[Parts]()
        if digest == self._last.digest and not any(each.have_changed() for each in self._last.parts):
            return self._last
        try:
            with _giving_way():
                tools = self._tools(texts, parts)
            self._require_usable(tools)
            parsed = _Parsed(digest, parts, tools)
        except (ConfigError, SpecError) as error:
            parsed = _Parsed(digest, parts, None, str(error))
        return parsed

    def _tools(self, texts: list[_Texts], parts: list[Parts], *, only_to_show: bool = False) -> ToolCatalog:
        """``texts`` are used up; ``parts`` become those of each document."""
        exact = only_to_show or self._config.strict
        shown = {api.name: each.document for api, each in zip(self._config.apis, texts, strict=True)} if exact else {}
        with _collecting_less():
            sources = [
                self._source(api, place, texts.pop(0), parts)
                for api, place in zip(self._config.apis, self._places, strict=True)
            ]
            tools = catalog.build(
                sources,
                response_filter=self._config.response_filter,
                output_schemas=self._config.validate_output,
                portable=self._config.tool_schemas == "portable",
                name_length=self._config.tool_name_length,
                result_bytes=self._config.result_budget_bytes,
                only_to_show=only_to_show,
            )
        if exact and tools.skipped:
            tools = msgspec.structs.replace(tools, skipped=_placed(tools.skipped, shown))
        if self._config.strict and not only_to_show:
            _require_whole(tools)
        return tools

    def _source(self, api: ApiConfig, place: _Place, texts: _Texts, parts: list[Parts]) -> ApiSource:
        config = self._config
        document, notes = self._document(api, texts, parts)
        with _named(api.location, texts.document):
            description = operations.describe(document)
        with _named(api.overrides, texts.overrides):
            told = overrides.read(texts.overrides) if api.overrides else {}
        return ApiSource(
            name=api.name,
            base=place.base,
            location=api.location if "://" in api.location else "",
            allowed_origins=place.allowed_origins,
            description=msgspec.structs.replace(description, notes=(*notes, *description.notes)),
            include_tags=config.include_tags,
            exclude_tags=config.exclude_tags,
            prefix=len(config.apis) > 1,
            identity=api.identity,
            strict_auth=config.strict_auth,
            overrides=told,
            rule=self._permitted,
        )

    def _document(self, api: ApiConfig, texts: _Texts, parts: list[Parts]) -> tuple[Document, list[Note]]:
        """The document of an API with its overlays and its other files."""
        with _named(api.location, texts.document):
            document = parse(texts.document)
        document, notes = _overlaid(document, api, texts.overlays)
        parts.append(Parts(api.location, self._folders))
        with _named(api.location, texts.document):  # after the overlays: they see the root document as it was written
            return parts[-1].bundled(document), notes

    def _require_usable(self, tools: ToolCatalog) -> None:
        """Refuses what the first call would stumble over, and what nobody would see: a document that takes an API's
        credentials to where the operator has not sent them."""
        self._keys.check(tools)
        for api, read in zip(self._config.apis, tools.apis, strict=True):
            known, now = self._origins[api.name], read.base.origin
            if api.has_credentials and now != known:
                place = source.shown(api.location)
                problem = f"its API was at {known} and is at {now} now, where its credentials are not sent"
                raise SpecError(place, f"{problem}; start again, or set {api.url_setting}")


def _require_whole(tools: ToolCatalog) -> None:
    for skipped in tools.skipped[:1]:
        several = f" ({len(tools.skipped)} operations in all; inspect lists them)" if len(tools.skipped) > 1 else ""
        problem = f"cannot be served: {skipped.operation.reason}{several}; without STRICT it is left out"
        place = ", ".join(filter(None, (skipped.api, skipped.operation.place, skipped.operation.pointer)))
        raise SpecError(place, problem)


async def read_catalog(config: Config, *, only_to_show: bool = False) -> ToolCatalog:
    """The tools of every configured document, read once. Raises ConfigError or SpecError, which name the document.

    ``only_to_show``: nothing will be called, so that it need not be known where the APIs are.
    """
    return await Documents(config).read(only_to_show=only_to_show)


def _digest(texts: Iterable[_Texts]) -> bytes:
    whole = hashlib.sha256()
    for api in texts:
        for text in (api.document, *api.overlays, api.overrides):
            whole.update(b"%d:" % len(text))  # how many there are is in the settings, which stay
            whole.update(text)
    return whole.digest()


@contextmanager
def _giving_way() -> Iterator[None]:
    """Another thread that wants the interpreter gets it sooner. A call wants it many times, and waits each time."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


@contextmanager
def _collecting_less() -> Iterator[None]:
    """Has the collector look less often: what a catalog is made of stays, so it finds nothing there, and looking takes
    a tenth of the start."""
    usual = gc.get_threshold()
    gc.set_threshold(_LOADING_THRESHOLD)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


class _Place(NamedTuple):
    """Where an API is according to the settings."""

    base: BaseUrl | None
    allowed_origins: frozenset[Origin]


def _place(api: ApiConfig, rule: AddressRule) -> _Place:
    base = None if api.base_url is None else _base(api.base_url, api.url_setting, rule)
    allowed = [_base(url, api.allowed_servers_setting, rule) for url in api.allowed_servers]
    return _Place(base, frozenset(each.origin for each in allowed))


def _overlaid(document: Document, api: ApiConfig, texts: Iterable[bytes]) -> tuple[Document, list[Note]]:
    notes: list[Note] = []
    for location, text in zip(api.overlays, texts, strict=True):
        with _named(location, text):
            changed = overlay.apply(document, text, name=source.shown(location))
        document = changed.document
        notes += changed.notes
    return document, notes


@contextmanager
def _named(location: str, text: bytes) -> Iterator[None]:
    """Errors in a document say which it is, and show the line."""
    try:
        yield
    except SpecError as error:
        found = places.of_error(text, error.pointer)
        parts = [source.shown(location), *([found.at] if found and found.at != error.pointer else []), error.pointer]
        shown = f" (here: {found.line})" if found and found.line else ""
        raise SpecError(", ".join(filter(None, parts)), error.problem + shown) from error


def _placed(skipped: Iterable[SkippedTool], texts: Mapping[str, bytes]) -> tuple[SkippedTool, ...]:
    """Skipped operations with the lines of their faults, which cost a second look at the documents ``texts``."""
    known = {api: places.Places(text) for api, text in texts.items()}
    placed = []
    for each in skipped:
        found = known[each.api].of(each.operation.pointer)
        operation = msgspec.structs.replace(each.operation, place=found.at) if found else each.operation
        placed.append(msgspec.structs.replace(each, operation=operation))
    return tuple(placed)


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


def report(config: Config, tools: ToolCatalog) -> None:
    """Logs what became of the documents, a line each, and what a model will pay for the list."""
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
        if not api.tools:
            logger.warning(
                "no operation became a tool: see INCLUDE_TAGS, EXCLUDE_TAGS, inspect", extra={"api": api.name}
            )
        for note in api.notes:
            level = logging.WARNING if note.kind in _FOR_THE_OPERATOR else logging.DEBUG
            logger.log(level, note.message, extra={"api": api.name, "pointer": note.pointer, "kind": note.kind})
    _report_security(tools)
    for each in tools.skipped:
        fields = {"api": each.api, "pointer": each.operation.pointer, "reason": each.operation.reason}
        logger.warning("operation skipped", extra=fields)
    _report_size(config, seen_tokens(tools.tools.values()))


def _report_size(config: Config, tokens: int) -> None:
    """Logs what a model pays for the list, where it is long."""
    fields = {"tokens": tokens, "budget": config.tool_budget_tokens}
    if is_searched(config.tool_mode, tokens, config.tool_budget_tokens):
        logger.info("operations are searched instead of listed", extra=fields)
    elif tokens > config.tool_budget_tokens:
        problem = "the tool list is large for a model; leave TOOL_MODE at auto, or choose operations with INCLUDE_TAGS"
        logger.warning(problem, extra=fields)


def _report_security(tools: ToolCatalog) -> None:
    for api in tools.apis:
        if problem := security.stranger(api.identity, api.security_schemes):
            logger.warning(problem, extra={"api": api.name})
        if api.unmet:
            problem = "operations ask for other credentials than are configured; they are tried; inspect lists them"
            logger.warning(problem, extra={"api": api.name, "unmet_security": api.unmet, "tools": api.tools})
