"""What an API and its name server can do to the others (S4, S5, M7, M8, M13, N5, N9)."""

from __future__ import annotations

from typing import Any

import trio

from attack import client
from attack.api import BYTE_BY_BYTE, ENDLESS
from attack.arguments import spoken
from attack.documents import operation
from attack.outcomes import GotThrough, require
from attack.scene import Limits, Scene, Setup, register, served

WATCH_SECONDS = 4.0
"""How long calls that do not end are looked at."""
CRUMB_SECONDS = 12.0
"""The same for answers in crumbs, unless they take `BUSY_SECONDS` before; their calls have 30 s."""
BUSY_SECONDS = 3.0
"""Of CPU, after which an answer without an end should have been given up. A fifth of it is the neighbour's."""
DESCRIPTORS = 64


def _get(path: str, **keywords: Any) -> Setup:  # noqa: ANN401 - those of `Setup`
    return served(operation("attacked", path), **keywords)


async def _watched(scene: Scene, calls: int) -> None:
    """So many calls at once, as long as the watch lasts."""

    async def one() -> None:
        await scene.call("evil_attacked", {})

    with trio.move_on_after(WATCH_SECONDS):
        async with trio.open_nursery() as nursery:
            for _ in range(calls):
                nursery.start_soon(one)


async def _endless(scene: Scene, calls: int) -> None:
    """However busy the machine is: until the server has used so much CPU, or has ended all calls."""
    before, going, spent = scene.server.cpu_seconds(), calls, 0.0

    async def one() -> None:
        nonlocal going
        await scene.call("evil_attacked", {})
        going -= 1

    async with trio.open_nursery() as nursery:
        for _ in range(calls):
            nursery.start_soon(one)
        with trio.move_on_after(CRUMB_SECONDS):
            while going and spent < BUSY_SECONDS:
                await trio.sleep(0.1)
                spent = scene.server.cpu_seconds() - before
        nursery.cancel_scope.cancel()
    require(spent < BUSY_SECONDS, f"{going} of {calls} calls go on after {spent:.1f} s of CPU")


CRUMBS = Limits(seconds=25)
for path in ENDLESS:
    name = path.strip("/").replace("/", "-")
    register(f"S4/{name}", f"an answer without an end: {path}", _endless, 1, setup=_get(path), limits=CRUMBS)
for path in BYTE_BY_BYTE:
    name = path.strip("/").replace("/", "-")
    register(f"S4/{name}", "an answer of which every byte is a TCP segment", _watched, 1, setup=_get(path))
for path in ("/crumbs/1", "/segments/sized"):
    name = path.strip("/").replace("/", "-")
    limits = Limits(held_ms=300)
    register(f"S4/{name}-ten", f"ten answers at once: {path}", _watched, 10, setup=_get(path), limits=limits)

# S5: a name that does not resolve.

DEAD = "https://dead.slow.test"
SLOW = {"ATTACK_SLOW_NAMES": "20"}


def _dead(**keywords: object) -> Setup:
    """The neighbour's API takes a connection for each call, and has a name."""
    new = {"base_url": DEAD, "quiet_path": "/pet-once", "quiet_host": "localhost", "faults": SLOW}
    return _get("/pet", **(new | keywords))


async def _scraped(scene: Scene) -> None:
    """Prometheus asks for gzip and gives up after 10 s."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watched, scene, 80)
        await trio.sleep(1)
        with trio.move_on_after(5) as scope:
            await client.ask(scene.metrics_port, client.get("/metrics", headers=("Accept-Encoding: gzip",)))
        nursery.cancel_scope.cancel()
    require(not scope.cancelled_caught, "metrics were not answered within 5 s")


async def _deaf_stdio(scene: Scene) -> None:
    calls = [client.call("evil_attacked", {}, number) for number in range(80)]
    ping = client.message("ping", request_id=999)
    with trio.move_on_after(5) as scope:
        await trio.to_thread.run_sync(spoken, scene, [*calls, ping], b'"id":999', abandon_on_cancel=True)
    scene.server.end()  # else the thread would wait for ever
    require(not scope.cancelled_caught, "a ping over stdio was not answered within 5 s")


register("S5/new-connections", "80 calls to an API whose name server is down", _watched, 80, setup=_dead())
register("S5/few", "10 of them", _watched, 10, setup=_dead())
register(
    "S5/metrics",
    "the same beside a scrape of metrics",
    _scraped,
    setup=_dead(settings={"ENABLE_PROMETHEUS": "true", "PROMETHEUS_PORT": "0"}),
)
register("S5/stdio", "the same over stdio, where a ping is asked", _deaf_stdio, setup=_dead(stdio=True))

# M7, M6: descriptors.


async def _flood(port: int, count: int) -> list[trio.SocketStream]:
    streams = []
    with trio.move_on_after(2):
        for _ in range(count):
            streams.append(await client.connect(port))  # noqa: PERF401 - what is there at the deadline counts
    return streams


async def _no_descriptors(scene: Scene) -> None:
    """A connection of our own stays; all other descriptors are taken, and then given back."""
    call = client.post(client.call("evil_attacked", {}))
    async with await client.connect(scene.port) as stream:
        require(not (await client.exchange(stream, call)).is_error, "a call failed before the attack")
        streams = await _flood(scene.port, DESCRIPTORS)
        for _ in range(25):
            await client.exchange(stream, call)
        for taken in streams:
            await trio.aclose_forcefully(taken)
        await trio.sleep(1)
        answer = await client.exchange(stream, call)
    require(not answer.is_error, f"calls are refused when there are descriptors again: {answer.text[:120]}")


async def _logged(scene: Scene) -> None:
    before = scene.server.log.stat().st_size
    streams = await _flood(scene.port, DESCRIPTORS * 2)
    await trio.sleep(5)
    for taken in streams:
        await trio.aclose_forcefully(taken)
    lines = scene.server.log.read_bytes()[before:].splitlines()
    said = b"\n".join(line for line in lines if b'"message":"call"' not in line)  # which the well-behaved client makes
    require(b"Traceback" not in said, f"{said.count(b'Traceback')} tracebacks, {len(said)} bytes of log in 5 s")
    require(len(said) < 10_000, f"{len(said)} bytes of log in 5 s")


register(
    "M7",
    "no descriptor is left for calls, and then there are again",
    _no_descriptors,
    setup=_get("/pet-once", descriptors=DESCRIPTORS),
    limits=Limits(seconds=25),
)
register("M6", "more connections than descriptors", _logged, setup=_get("/pet", descriptors=DESCRIPTORS))

# M8: one client and all others. Which client it is shows by its address alone.


async def _slow_calls(scene: Scene) -> None:
    await _watched(scene, 300)


async def _slow_calls_of_one(scene: Scene) -> None:
    """A call of another client to the same API."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watched, scene, 300)
        await trio.sleep(1)
        with trio.move_on_after(2) as scope:
            await client.ask(scene.port, client.post(client.call("evil_other", {})), client.OTHER_ADDRESS)
        nursery.cancel_scope.cancel()
    require(not scope.cancelled_caught, "another client's call to the same API was not answered within 2 s")


async def _idle_sessions(scene: Scene) -> None:
    sessions = []
    try:
        for _ in range(2_000):
            sessions.append(await client.Session.open(scene.port))  # noqa: PERF401 - what is there when it is refused counts
    except EOFError:
        pass  # a limit for each client
    try:
        sessions.append(await client.Session.open(scene.port, client.OTHER_ADDRESS))
    except EOFError as refused:
        raise GotThrough(f"another client gets no session: {refused}") from None
    finally:
        for session in sessions:
            await trio.aclose_forcefully(session.stream)


register(
    "M8/other-api",
    "300 slow calls of one client, beside another API",
    _slow_calls,
    setup=_get("/slow"),
    limits=Limits(held_ms=500),
)
register(
    "M8/same-api",
    "300 slow calls of one client, beside another client of the same API",
    _slow_calls_of_one,
    setup=served(operation("attacked", "/slow"), operation("other", "/pet")),
    limits=Limits(held_ms=500),
)
register(
    "M8/sessions",
    "2,000 idle sessions of one client",
    _idle_sessions,
    setup=Setup(),
    limits=Limits(peak_mib=128, held_ms=300, seconds=40),
)

# M13, N5, N9: what an answer says of itself.

MOST_SAID = 5_000
"""Characters that the head of an answer may add to a result."""


async def _head(scene: Scene) -> None:
    answer = await scene.call("evil_attacked", {})
    require(answer.size < MOST_SAID, f"the result has {answer.size} bytes")
    require(b"\\u001b" not in answer.body, "control characters of the reason phrase reach the model")


async def _must_fail(scene: Scene) -> None:
    answer = await scene.call("evil_attacked", {})
    require(answer.is_error, f"it is taken for an answer: {answer.text[:60]!r}")


async def _no_reprs(scene: Scene) -> None:
    text = (await scene.call("evil_attacked", {})).text
    require("bytearray" not in text and "b'" not in text, f"a message shows Python: {text[:120]!r}")


register("M13/reason", "an error with a reason phrase of 60 kB", _head, setup=_get("/reason"))
register("M13/header-lines", "48 kB of Link and RateLimit lines", _head, setup=_get("/header-lines"))
register(
    "N5/two-lengths", "an answer with Content-Length and Transfer-Encoding", _must_fail, setup=_get("/two-lengths")
)
register("N5/http-2", "an answer with a status line of HTTP/2.0", _must_fail, setup=_get("/http-2"))
register("N9", "an illegal header line", _no_reprs, setup=_get("/illegal-header"))
