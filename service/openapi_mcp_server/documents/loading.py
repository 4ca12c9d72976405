"""Loads the configured documents, from their bytes to the catalog of their tools."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import anyio

from openapi_mcp_server import __version__
from openapi_mcp_server.aside import run_in_thread
from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.model import ToolCatalog
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.documents import configured, options, source
from openapi_mcp_server.documents.options import Texts
from openapi_mcp_server.documents.source import Visit
from openapi_mcp_server.errors import Absent, ConfigError, SpecError
from openapi_mcp_server.settings.apis import ApiConfig
from openapi_mcp_server.settings.config import Config
from openapi_mcp_server.upstream.addresses import CheckedDialler
from openapi_mcp_server.upstream.credentials.keyring import Keyring

if TYPE_CHECKING:
    from openapi_mcp_server.documents.cache import Cache
    from openapi_mcp_server.documents.other_files import Parts
    from openapi_mcp_server.openapi.model import ApiDescription
    from openapi_mcp_server.openapi.text.document import Document

CACHE_SECONDS = 10.0
"""For a folder that hangs: the document is read instead."""
WAIT_SECONDS = 1.0
WAIT_LIMIT_SECONDS = 5.0
"""Between two attempts at a document that is not there yet: the first pause and the longest."""

logger = logging.getLogger(__name__)
T = TypeVar("T")


class _Parsed(NamedTuple):
    """The result of the texts with this digest, and the other files that were read for it. ``problem``: in words."""

    digest: bytes
    parts: Sequence[Parts]
    tools: ToolCatalog | None
    problem: str = ""


class _Kept(NamedTuple):
    """A catalog from CACHE_DIR, and the other files of its documents."""

    tools: ToolCatalog
    parts: list[Parts]


class Documents:
    """The configured documents, read as often as is asked for. Whatever is read again obeys the same rules.

    Raises ConfigError for settings that name no address.
    """

    def __init__(self, config: Config, keys: Keyring | None = None) -> None:
        self._config = config
        self._keys = keys or configured.keyring(config)
        self._rule = configured.address_rule(config)
        self._folders = [Path(folder) for folder in config.allowed_spec_dirs]
        self._options = configured.options(config, self._rule)
        self._cache = _cache(config)
        self._is_compared = self._cache is not None or config.spec_refresh_seconds > 0  # with what was read before
        self._origins: dict[str, Origin] = {}
        self._last = _Parsed(b"", (), None)
        self._one = anyio.CapacityLimiter(1)

    async def read(self, *, only_to_show: bool = False, wait_seconds: float = 0) -> ToolCatalog:
        """Reads the documents for the first time; what is not there yet is asked for again for ``wait_seconds``. Raises
        ConfigError or SpecError, which name the document."""
        texts = await self._texts_in_time(wait_seconds)
        digest = options.digest(texts) if self._is_compared else b""
        if only_to_show:
            tools = self._compiled(texts, [], only_to_show=True)
        else:
            tools = await self._first(texts, digest)
        self._origins = {api.name: api.base.origin for api in tools.apis}
        return tools

    async def _first(self, texts: list[Texts], digest: bytes) -> ToolCatalog:
        parts: list[Parts] = []
        kept = await _in_time(lambda: self._kept(digest)) if self._cache else None
        if kept is None:
            tools = self._compiled(texts, parts)
            if self._cache:
                await _in_time(lambda: self._keep(digest, tools, parts))
        else:
            tools, parts = kept
        self._last = _Parsed(digest, parts, None)
        return tools

    def _tools(self, texts: list[Texts], digest: bytes, parts: list[Parts]) -> ToolCatalog:
        """The tools of a reload, like `_first`. It runs in a thread, without a loop, within the reload's own
        deadline."""
        if (kept := self._kept(digest)) is not None:
            parts += kept.parts
            return kept.tools
        tools = self._compiled(texts, parts)
        self._keep(digest, tools, parts)
        return tools

    def _kept(self, digest: bytes) -> _Kept | None:
        """The kept catalog. None if another file of one of the documents has changed."""
        found = self._cache.find(self._key(digest)) if self._cache else None
        if found is None or not any(each.digests for each in found.seen):
            return found and _Kept(found.tools, [])
        from openapi_mcp_server.documents.other_files import Parts  # noqa: PLC0415 - with all that reads documents

        locations = [api.location for api in self._options.apis]
        parts = [Parts(one, self._folders, seen) for one, seen in zip(locations, found.seen, strict=True)]
        return None if any(each.have_changed() for each in parts) else _Kept(found.tools, parts)

    def _keep(self, digest: bytes, tools: ToolCatalog, parts: Sequence[Parts]) -> None:
        if self._cache:
            self._cache.keep(self._key(digest), tools, [each.seen for each in parts])

    def _key(self, digest: bytes) -> str:
        return options.catalog_key(self._options, digest, _program())

    def _compiled(self, texts: list[Texts], parts: list[Parts], *, only_to_show: bool = False) -> ToolCatalog:
        """``texts`` are used up; ``parts`` become those of each document."""
        from openapi_mcp_server.documents import compiling  # noqa: PLC0415 - with all that reads documents

        return compiling.compiled(self._options, texts, parts, only_to_show=only_to_show)

    async def described(self) -> list[tuple[Document, ApiDescription]]:
        """Each document as it was read, and its operations with all that is said of answers. Raises as `read` does."""
        from openapi_mcp_server.documents import compiling  # noqa: PLC0415 - with all that reads documents

        return compiling.described(self._options, await self._texts())

    async def read_again(self) -> ToolCatalog | None:
        """The tools of the documents as they are now, compiled in a thread; None if no byte has changed. Raises as
        `read` does, also for an unchanged document that could not be used before. Needs settings with which documents
        are read again.

        After a cancel the thread finishes its work without a use for it, and the next thread waits for it.
        """
        texts = await self._texts()
        parsed = await run_in_thread(partial(self._parsed_if_new, texts), abandon_on_cancel=True, limiter=self._one)
        self._last = parsed._replace(tools=None)  # nobody but the gateway keeps a catalog
        if parsed.problem:
            raise SpecError("", parsed.problem)
        return parsed.tools

    async def _texts_in_time(self, seconds: float) -> list[Texts]:
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

    async def _texts(self) -> list[Texts]:
        return [await self._texts_of(api) for api in self._config.apis]

    async def _texts_of(self, api: ApiConfig) -> Texts:
        return Texts(
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
        base = self._options.apis[self._config.apis.index(api)].base
        is_the_apis = base is not None and base.origin == request.origin
        is_own = api.location.startswith(("http:", "https:")) and source.origin(api.location) == request.origin
        equip = partial(self._keys.for_document, api.name, is_own=is_own, is_the_apis=is_the_apis)
        way = self._keys.way(api.name)
        if way is None:
            return Visit(CheckedDialler(self._rule), None, equip)
        return Visit(way.dialler, way.tls if is_the_apis and api.spec_auth else way.anonymous_tls, equip)

    def _parsed_if_new(self, texts: list[Texts]) -> _Parsed:
        digest = options.digest(texts)
        parts: list[Parts] = []
        if digest == self._last.digest and not any(each.have_changed() for each in self._last.parts):
            return self._last
        try:
            tools = self._tools(texts, digest, parts)
            self._require_usable(tools)
            parsed = _Parsed(digest, parts, tools)
        except (ConfigError, SpecError) as error:
            parsed = _Parsed(digest, parts, None, str(error))
        return parsed

    def _require_usable(self, tools: ToolCatalog) -> None:
        """Refuses tools that would fail at the first call. Also refuses a document that moves its API away from the
        origin to which the operator sends credentials, since nobody would notice."""
        self._keys.check(tools)
        for api, read in zip(self._config.apis, tools.apis, strict=True):
            known, now = self._origins[api.name], read.base.origin
            if api.has_credentials and now != known:
                place = source.shown(api.location)
                problem = f"its API was at {known} and is at {now} now, where its credentials are not sent"
                raise SpecError(place, f"{problem}; start again, or set {api.url_setting}")


async def read_catalog(config: Config, *, only_to_show: bool = False) -> ToolCatalog:
    """The tools of every configured document, read once. Raises ConfigError or SpecError, which name the document.

    ``only_to_show``: nothing will be called, so the addresses of the APIs need not be known.
    """
    return await Documents(config).read(only_to_show=only_to_show)


@lru_cache(maxsize=1)
def _program() -> str:
    """The program that compiles, and its Python, which knows which characters there are. In a checkout the version
    stays while the code changes: its files count there, by their sizes and times."""
    program = f"{__version__} {sys.version_info.major}.{sys.version_info.minor}"
    package = Path(__file__).parents[1]
    if not (package.parents[1] / "pyproject.toml").exists():
        return program
    return repr([program, *sorted(_written(os.fspath(package)))])


def _written(folder: str) -> Iterator[tuple[str, int, int]]:
    """The files below a folder, without what Python makes of them."""
    for entry in os.scandir(folder):
        if entry.is_file():
            status = entry.stat()
            yield entry.path, status.st_size, status.st_mtime_ns
        elif entry.is_dir() and entry.name != "__pycache__":  # an editor's lock is a link to nowhere
            yield from _written(entry.path)


def _cache(config: Config) -> Cache | None:
    if config.cache_dir is None:
        return None
    from openapi_mcp_server.documents.cache import Cache  # noqa: PLC0415 - for those who have one

    return Cache(Path(config.cache_dir))


async def _in_time(work: Callable[[], T]) -> T | None:
    """The result of a thread that works with CACHE_DIR; None if that takes longer than `CACHE_SECONDS`."""
    with anyio.move_on_after(CACHE_SECONDS):
        return await run_in_thread(work, abandon_on_cancel=True)
    logger.warning("CACHE_DIR did not answer within %g s", CACHE_SECONDS)
    return None
