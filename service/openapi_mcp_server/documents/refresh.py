"""The documents are read again from time to time; what has changed is served to all calls that begin from then on."""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

import anyio
import anyio.lowlevel

from openapi_mcp_server.bridge.model import ToolCatalog
from openapi_mcp_server.errors import ConfigError, SpecError

RELOAD_SECONDS = 300.0
"""For one reload: several documents at 30 s each, and a disk that hangs."""
JITTER = 0.1
"""Part of the period by which each is longer or shorter: workers that started together do not fetch together."""

AT_ONCE = 1_000
"""Tools that are compared without a look at the other tasks: half a millisecond."""

ReloadOutcome = Literal["unchanged", "changed", "failed"]

logger = logging.getLogger(__name__)


class Refresh:
    """Has the documents read again and gives ``serve`` the new catalog, if they have changed and can be used.

    ``read`` is `Documents.read_again`; ``catalog`` is what is served so far. ``outcomes``: how many
    reloads came to each.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[ToolCatalog | None]],
        catalog: ToolCatalog,
        serve: Callable[[ToolCatalog], Awaitable[None]],
    ) -> None:
        self._read = read
        self._catalog = catalog
        self._unserved: ToolCatalog | None = None
        self._serve = serve
        self.outcomes: dict[str, int] = {"unchanged": 0, "changed": 0, "failed": 0}
        self._last: ReloadOutcome | None = None
        self._last_at = self._succeeded_at = anyio.current_time()
        self._problem = ""

    def is_failing(self) -> bool:
        return self._last == "failed"

    def told(self) -> dict[str, Any]:
        """The last reload, for ``/health``. Why it failed is in the log."""
        now = anyio.current_time()
        return {
            "outcome": self._last,
            "seconds_ago": None if self._last is None else round(now - self._last_at, 1),
            "last_good_seconds_ago": round(now - self._succeeded_at, 1),
        }

    async def every(self, seconds: float) -> None:
        """Reads the documents again about every so many seconds, until it is cancelled."""
        while True:
            await anyio.sleep(seconds * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 - nobody gains by guessing
            await self.once()

    async def once(self) -> None:
        try:
            with anyio.fail_after(RELOAD_SECONDS):
                self._unserved = await self._read() or self._unserved
            outcome = await self._replace()
        except (ConfigError, SpecError) as error:
            self._fail(str(error))
        except TimeoutError:
            self._fail(f"they could not be read within {RELOAD_SECONDS:g} s")
        except Exception:  # a bug that a document of tomorrow meets must not end what serves today's
            logger.exception("a bug of this server: the documents could not be read again")
            self._fail("a bug of this server")
        else:
            self._succeed(outcome)

    async def _replace(self) -> ReloadOutcome:
        """Serves what was read. Where that fails, since a secret is not to be had just now, the next reload tries it
        again: the documents are not read a second time unless they change."""
        if (catalog := self._unserved) is None:
            return "unchanged"
        if catalog is not self._catalog:  # else it was told when it could not be served
            logger.info("the documents have changed", extra=await _difference(self._catalog, catalog))
            self._catalog = catalog  # whoever serves the one before is the last to have it, and lets go of it
        await self._serve(catalog)
        self._unserved = None
        return "changed"

    def _succeed(self, outcome: ReloadOutcome) -> None:
        if self._problem:
            logger.info("the documents can be used again")
            self._problem = ""
        self._settle(outcome)
        self._succeeded_at = self._last_at

    def _fail(self, problem: str) -> None:
        """The same problem is said once, however long it lasts; the metrics go on counting."""
        if problem != self._problem:
            logger.error("the documents were not loaded again, the old ones are served on: %s", problem)
            self._problem = problem
        self._settle("failed")

    def _settle(self, outcome: ReloadOutcome) -> None:
        self.outcomes[outcome] += 1
        self._last, self._last_at = outcome, anyio.current_time()


async def _difference(old: ToolCatalog, new: ToolCatalog) -> dict[str, int]:
    """The difference between two catalogs in tools, as models see them. Others are served meanwhile."""
    before, after = old.tools, new.tools
    added = changed = 0
    for index, (name, tool) in enumerate(after.items()):
        if index % AT_ONCE == 0:
            await anyio.lowlevel.checkpoint()
        known = before.get(name)
        added += known is None
        changed += known is not None and known.digest != tool.digest
    return {"added": added, "removed": len(before) - len(after) + added, "changed": changed}


@asynccontextmanager
async def running(refresh: Refresh, seconds: float, until: anyio.Event) -> AsyncIterator[None]:
    """Reloads documents for as long as the context lasts, or until the process is told to stop."""
    async with anyio.create_task_group() as tasks:
        reloads = anyio.CancelScope()

        async def reload() -> None:
            with reloads:
                await refresh.every(seconds)

        async def end() -> None:
            await until.wait()
            reloads.cancel()

        tasks.start_soon(reload)
        tasks.start_soon(end)
        yield
        tasks.cancel_scope.cancel()
