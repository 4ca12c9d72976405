"""Secrets that are replaced while the process runs: new ones are used without a restart."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from openapi_mcp_server.aside import run_in_thread
from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.process.sources import Sources
from openapi_mcp_server.settings.config import Config
from openapi_mcp_server.upstream.credentials.keyring import Keyring

LOOK_SECONDS = 0.5
"""Between two looks at the files. One that has changed is read at the next look, when nobody writes it any more: so new
secrets are used within two seconds (Kubernetes, ECS and Vault's agent replace files by a rename)."""
AGAIN_SECONDS = 5.0
"""Between two attempts while a file cannot be used. What was in the way may leave no trace at the file: a permission,
another file that belongs to it, a store of another setting that is not reached, a process without a descriptor."""

Take = Callable[[Config], None]
"""Takes what has changed in the settings that were read again, or raises ConfigError and keeps what it has."""

logger = logging.getLogger(__name__)


class Secrets:
    """The users of secrets in settings: the credentials of APIs, and others that join later."""

    def __init__(self, keys: Keyring) -> None:
        self.keys = keys
        self._takers: list[Take] = [lambda now: keys.replace(now.apis)]

    def join(self, take: Take) -> None:
        self._takers.append(take)

    def replace(self, now: Config) -> None:
        for take in self._takers:
            take(now)


@asynccontextmanager
async def rotating(sources: Sources | None, apply: Take, stores_seconds: float) -> AsyncIterator[None]:
    """Runs `follow` for as long as the context lasts, where anything can change at all."""
    if sources is None or not sources.can_change:
        yield
        return
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, sources, apply, stores_seconds)
        yield
        tasks.cancel_scope.cancel()


async def follow(sources: Sources, apply: Take, stores_seconds: float) -> None:
    """Reads the settings again when one of their files changes and, if a secret is in a store, every ``stores_seconds``
    (0: never). ``apply`` takes the changes, or raises ConfigError. After such an error, or if they cannot be read, the
    old ones stay in use, and the new ones are tried again. The same problem is said once."""
    seen = used = sources.known()
    last = anyio.current_time()
    problem = ""
    while True:
        await anyio.sleep(LOOK_SECONDS)
        before, seen = seen, await run_in_thread(sources.looks, abandon_on_cancel=True)
        waited = anyio.current_time() - last
        is_due = (sources.has_stores and 0 < stores_seconds <= waited) or (problem != "" and waited >= AGAIN_SECONDS)
        if not is_due and (seen == used or seen != before):
            continue
        used, last = seen, anyio.current_time()
        said, problem = problem, await _again(sources, apply)
        if not problem:
            logger.info("settings were read again: credentials are those of now")
        elif problem != said:
            logger.error("settings were not read again, the old ones are used on: %s", problem)


async def _again(sources: Sources, apply: Take) -> str:
    """Returns the problem; empty if there is none."""
    try:
        apply(await run_in_thread(sources.load, may_block=True, abandon_on_cancel=True))
    except ConfigError as error:
        return str(error)
    except Exception:  # what a file of tomorrow has in it must not end what serves with those of today
        logger.exception("a bug of this server: the settings could not be read again")
        return "a bug of this server"
    return ""
