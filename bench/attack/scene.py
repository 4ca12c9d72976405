"""The words that an attack is written with: the server that it wants, the limits it must keep, what it can do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from attack import client, documents, proxy
from attack.outcomes import GotThrough, Skipped
from attack.program import Program, Server

MANY_MIB = 700
"""Above base, for many connections together: within that budget, with what the budget does not count."""
MANY_HELD_MS = 1_000.0
"""Of CPU while one small question waits, where many connections are served at once."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """For a single request, batch or answer, unless an attack has others. ``cpu_seconds``: of a command."""

    held_ms: float = 100.0
    peak_mib: float = 64.0
    cpu_seconds: float = 2.0
    seconds: float = 15.0


SINGLE = Limits()
MANY = Limits(held_ms=MANY_HELD_MS, peak_mib=MANY_MIB, seconds=30.0)


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """The server that is attacked. ``document`` None: the bundled demo. ``base_url`` None: the scripted API.

    ``faults`` are the variables of `hooks.sitecustomize`; ``descriptors`` the most that the server may have.
    ``starts``: the start is the attack. ``beside``: with a neighbour, who needs one server that goes on.
    ``quiet_path`` is where the neighbour's tool is at its own API.
    """

    document: Callable[[], bytes] | None = None
    settings: Mapping[str, str] = {}
    faults: Mapping[str, str] = {}
    descriptors: int = 0
    base_url: str | None = None
    quiet_path: str = "/pet"
    quiet_host: str = "127.0.0.1"
    stdio: bool = False
    proxied: bool = False
    starts: bool = False
    workers: int = 1
    beside: bool = True
    start_seconds: float = 15.0


def served(*operations: documents.Operation, **keywords: Any) -> Setup:  # noqa: ANN401 - those of `Setup`
    """A server of a document with these operations."""
    return Setup(document=partial(documents.document, *operations), **keywords)


class Scene:
    """What an attack has to do with."""

    def __init__(self, program: Program, folder: Path, api_port: int) -> None:
        self.program = program
        self.folder = folder
        self.api_port = api_port
        self.document = folder / "attack.json"
        self.cpu_seconds: float | None = None
        self.server: Server  # where the attack has one
        self.nginx: proxy.Nginx | None = None

    @property
    def port(self) -> int:
        """Where clients connect."""
        return self.server.port if self.nginx is None else self.nginx.port

    @property
    def metrics_port(self) -> int:
        said = self.server.log.read_text(errors="replace")
        return int(said.partition("serving metrics at http://127.0.0.1:")[2].partition("/")[0])

    async def call(self, tool: str, arguments: object, **how: Any) -> client.Answer:  # noqa: ANN401 - those of `post`
        return await client.ask(self.port, client.post(client.call(tool, arguments), **how))

    async def send(self, body: object, **how: Any) -> client.Answer:  # noqa: ANN401 - those of `post`
        return await client.ask(self.port, client.post(body, **how))

    async def batch(self, tool: str, arguments: object, count: int = 32) -> client.Answer:
        calls = [client.call(tool, arguments, number) for number in range(count)]
        return await self.send(calls, version=client.WITH_BATCHES)

    def run(self, *argv: str, settings: Mapping[str, str], seconds: float = 20, addresses: int = 0) -> str:
        """The program to its end; its CPU is the attack's. Returns what it says on standard error."""
        ended = self.program.run(*argv, seconds=seconds, addresses=addresses, settings=settings)
        self.cpu_seconds = max(ended.cpu_seconds, self.cpu_seconds or 0.0)
        self.code, self.out, self.err = ended.code, ended.out, ended.err
        if ended.code is None:
            raise GotThrough(f"the command does not end within {seconds:g} s")
        return ended.err

    def inspect(self, document: Path, *, addresses: int = 0, **settings: str) -> str:
        """`inspect` of a document, as JSON. Returns what it says on standard error."""
        where = ("--spec-path", str(document), "--api-url", "https://api.example.com")
        return self.run("inspect", "--json", *where, settings=settings, addresses=addresses)

    def reload(self, document: bytes) -> None:
        """The document of the attack's API changes; SPEC_REFRESH_SECONDS says when that is noticed."""
        new = self.folder / "new.json"
        new.write_bytes(document)
        new.replace(self.document)


async def one_call(scene: Scene, arguments: object) -> None:
    """What most attacks are. Raises Skipped where the tool has other arguments: that would prove nothing."""
    text = (await scene.call("evil_attacked", arguments)).text
    if "unknown; there are" in text:
        raise Skipped(f"it misses its aim: {text[:200]}")


class Attack(msgspec.Struct, frozen=True, kw_only=True):
    """``setup`` None: there is no server, only commands and files."""

    name: str
    does: str
    run: Callable[[Scene], Awaitable[None]]
    setup: Setup | None = None
    limits: Limits = SINGLE


ATTACKS: dict[str, Attack] = {}


def register(
    name: str,
    does: str,
    run: Callable[..., Awaitable[None]],
    *arguments: object,
    setup: Setup | None = None,
    limits: Limits = SINGLE,
) -> None:
    """``run`` is called with the scene and then with the arguments that make it one of several siblings."""

    async def bound(scene: Scene) -> None:
        await run(scene, *arguments)

    assert name not in ATTACKS, name
    ATTACKS[name] = Attack(name=name, does=does, run=bound, setup=setup, limits=limits)
