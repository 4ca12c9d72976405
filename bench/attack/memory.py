"""Memory: what one message becomes, and what many connections hold together (S2, S8)."""

from __future__ import annotations

import base64
from contextlib import suppress
from functools import partial

import msgspec
import trio

from attack import client
from attack.documents import (
    TEXT,
    Operation,
    body,
    copies,
    large,
    numbers,
    operation,
    parameter,
    shared_parameters,
    value,
)
from attack.outcomes import require
from attack.scene import MANY, MANY_MIB, Limits, Scene, Setup, one_call, register, served

MIB = 2**20
SLOW = Limits(seconds=25)
RECEIVE_BYTES = 4_096
"""What the kernel takes for a client that does not read."""
HOLD_SECONDS = 3.0
"""How long many connections stay as they are, so that the neighbour can see what they do to it."""
NGINX_MIB = 200
"""For nginx, of which compose gives it 256 MB."""

# One request.

PARAMETERS = {
    "parameters": "data:image/png" + ";a=1" * 1_000_000 + ",x",
    "semicolons": "data:image/png" + ";" * 4_000_000 + ",x",
    "names": "data:image/png" + ";name=a" * 580_000 + ",x",
    "escapes": "data:image/png," + "%41" * 1_300_000,
}


async def _demo_photo(scene: Scene, photo: str) -> None:
    await scene.call("uploadPetPhoto", {"petId": 1, "photo": photo})


for name, photo in PARAMETERS.items():
    does = f"4 MB of a data: URI: {name}, on the bundled demo"
    register(f"S2/data-uri-{name}", does, _demo_photo, photo, setup=Setup(), limits=SLOW)

ARRAY = {"type": "array", "items": {"type": "integer"}}


def _posting(media_type: str, **keywords: object) -> Operation:
    schema = ARRAY if media_type == "application/x-ndjson" else value(ARRAY)
    return operation("attacked", "/p", "post", requestBody=body(media_type, schema, **keywords))


def _asking(place: str, path: str = "/p", **keywords: object) -> Operation:
    return operation("attacked", path, parameters=[parameter(place, ARRAY, **keywords)])


BUILT: dict[str, Operation] = {
    "multipart": _posting("multipart/form-data"),
    "form": _posting("application/x-www-form-urlencoded"),
    "form-joined": _posting("application/x-www-form-urlencoded", encoding={"v": {"explode": False, "style": "form"}}),
    "lines": _posting("application/x-ndjson"),
    "deep-object": _asking("query", style="deepObject", explode=True),
    "query": _asking("query"),
    "query-joined": _asking("query", explode=False),
    "pipes": _asking("query", style="pipeDelimited", explode=False),
    "header": _asking("header"),
    "cookie": _asking("cookie"),
    "path": _asking("path", "/p/{v}"),
    "label": _asking("path", "/p/{v}", style="label", explode=True),
    "matrix": _asking("path", "/p/{v}", style="matrix", explode=True),
}
TWO_MILLION = numbers(2_000_000)


for name, described in BUILT.items():
    register(
        f"S2/list-{name}",
        f"a list of 2 million numbers: {name}",
        one_call,
        {"body" if name == "lines" else "v": TWO_MILLION},
        setup=served(described),
        limits=SLOW,
    )


def _get(path: str) -> Setup:
    return served(operation("attacked", path))


async def _batch(scene: Scene, arguments: object) -> None:
    await scene.batch("evil_attacked", arguments)


SIXTEEN = {"response_filter": "[" + ",".join("@" * 16) + "]"}
register("S2/batch-pictures", "a batch of 32 calls of a 9 MB picture", _batch, {}, setup=_get("/picture"), limits=SLOW)
register("S2/batch-answers", "a batch of 32 calls of a 10 MB answer", _batch, {}, setup=_get("/answer"), limits=SLOW)
register("S2/gzip", "10 kB of gzip that are 10 MiB of JSON", one_call, {}, setup=_get("/ones"), limits=SLOW)
register("S2/gzip-filter", "the same 16 times", one_call, SIXTEEN, setup=_get("/ones"), limits=SLOW)
register("S2/picture", "a picture of 9 MB", one_call, {}, setup=_get("/picture"))
register("S2/answer", "a JSON answer of 10 MB", one_call, {}, setup=_get("/answer"))


async def _lists_in_a_batch(scene: Scene) -> None:
    lists = [client.message("tools/list", request_id=number) for number in range(32)]
    await scene.send(lists, version=client.WITH_BATCHES)


_LARGE = Setup(document=partial(large, 1_100, 4_000), start_seconds=30)
register("S2/batch-lists", "a batch of 32 tools/list of 4.4 MB", _lists_in_a_batch, setup=_LARGE, limits=SLOW)


async def _file(scene: Scene) -> None:
    await scene.call("uploadPetPhoto", {"petId": 1, "photo": base64.b64encode(bytes(3 * MIB)).decode()})


register("S2/file", "an honest file of 3 MiB", _file, setup=Setup())

# Many connections.


async def _never_read(scene: Scene, count: int, sent: bytes) -> None:
    """So many clients that ask and do not read; the kernel has taken what it takes by the end."""

    async def one() -> None:
        with suppress(OSError, trio.BrokenResourceError):  # refused, which is one way to hold
            stream = await client.connect(scene.port, receive_buffer=RECEIVE_BYTES)
            streams.append(stream)
            await stream.send_all(sent)

    streams: list[trio.SocketStream] = []
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(one)
    await trio.sleep(HOLD_SECONDS)
    for stream in streams:
        await stream.aclose()


LIST = client.post(client.message("tools/list"))
CALL = client.post(client.call("evil_attacked", {}))
register("S2/lists-unread", "200 tools/list of 4.4 MB, never read", _never_read, 200, LIST, setup=_LARGE, limits=MANY)
register(
    "S2/pictures-unread", "60 pictures of 9 MB, never read", _never_read, 60, CALL, setup=_get("/picture"), limits=MANY
)
register(
    "S2/answers-unread", "200 answers of 10 MB, never read", _never_read, 200, CALL, setup=_get("/answer"), limits=MANY
)
register(
    "S2/lists-unread-nginx",
    "200 tools/list of 4.4 MB through nginx, never read",
    _never_read,
    200,
    LIST,
    setup=msgspec.structs.replace(_LARGE, proxied=True),
    limits=MANY,
)


async def _slow_bodies(scene: Scene, count: int) -> None:
    """Bodies of 4 MiB that stop one byte early."""

    async def one() -> None:
        with suppress(OSError, trio.BrokenResourceError):
            stream = await client.connect(scene.port)
            streams.append(stream)
            await stream.send_all(sent)

    sent = client.post(bytes(4 * MIB))[:-1]
    streams: list[trio.SocketStream] = []
    with trio.move_on_after(HOLD_SECONDS * 3):
        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(one)
    await trio.sleep(HOLD_SECONDS)
    for stream in streams:
        await trio.aclose_forcefully(stream)


async def _slow_bodies_through_nginx(scene: Scene) -> None:
    nginx = scene.nginx
    assert nginx is not None
    before = peak = nginx.memory_mib()

    async def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, nginx.memory_mib())
            await trio.sleep(0.1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await _slow_bodies(scene, 250)
        nursery.cancel_scope.cancel()
    require(peak - before < NGINX_MIB, f"nginx grows by {peak - before:.0f} MiB, {NGINX_MIB} are allowed")


register(
    "S2/slow-bodies", "256 bodies of 4 MiB that stop one byte early", _slow_bodies, 256, setup=_get("/pet"), limits=MANY
)
register(
    "S2/slow-bodies-nginx",
    "250 of them through nginx, one address",
    _slow_bodies_through_nginx,
    setup=msgspec.structs.replace(_get("/pet"), proxied=True),
    limits=MANY,
)


async def _at_once(scene: Scene, count: int) -> None:
    async def one() -> None:
        with suppress(OSError):  # refused, which is one way to hold
            await client.ask(scene.port, CALL)

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(one)


register(
    "S2/answers-at-once", "100 ordinary calls of a 10 MB answer", _at_once, 100, setup=_get("/answer"), limits=MANY
)
register("S2/gzip-at-once", "50 ordinary calls of 10 MiB in gzip", _at_once, 50, setup=_get("/ones"), limits=MANY)


async def _deaf_session(scene: Scene, count: int) -> None:
    session = await client.Session.open(scene.port)
    for number in range(count):
        await session.post(client.call("evil_attacked", {}, number))
    await trio.sleep(HOLD_SECONDS)
    await trio.aclose_forcefully(session.stream)


for name, proxied in {"sse-unread": False, "sse-unread-nginx": True}.items():
    register(
        f"S2/{name}",
        f"one session of HTTP+SSE that never reads, 32 pictures of 9 MB{' through nginx' if proxied else ''}",
        _deaf_session,
        32,
        setup=msgspec.structs.replace(_get("/picture"), proxied=proxied),
        limits=Limits(peak_mib=200, held_ms=300, seconds=30),
    )


async def _posts_of_a_session(scene: Scene, argument: str) -> None:
    session = await client.Session.open(scene.port)
    for number in range(40):
        await session.post(client.call("evil_attacked", {argument: "x" * (4 * MIB - 500)}, number))
    await trio.aclose_forcefully(session.stream)


for name, (does, argument) in {
    "sse-waiting": ("to a slow API", "body"),
    "sse-refused": ("with an argument that there is not", "v"),
}.items():
    register(
        f"S2/{name}",
        f"one session that posts 40 calls of 4 MiB {does}",
        _posts_of_a_session,
        argument,
        setup=served(operation("attacked", "/slow", "post", requestBody=body("text/plain", TEXT))),
        limits=Limits(peak_mib=200, held_ms=300, seconds=30),
    )


async def _everything(scene: Scene) -> None:
    """All of it at once; what is refused is refused."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_never_read, scene, 200, CALL)
        nursery.start_soon(_slow_bodies, scene, 256)
        nursery.start_soon(_at_once, scene, 100)
        for _ in range(4):
            nursery.start_soon(_deaf_session, scene, 16)


_EVERYTHING = "200 clients that do not read, 256 slow bodies, 100 answers of 10 MB and 4 deaf sessions at once"
for name, proxied in {"everything": False, "everything-nginx": True}.items():
    setup = msgspec.structs.replace(_get("/answer"), proxied=proxied)
    register(f"S2/{name}", _EVERYTHING, _everything, setup=setup, limits=MANY)

# Documents.


async def _nothing(_: Scene) -> None:
    """The start was the attack."""


DOCUMENTS = {
    "copies": ("20,000 operations that refer to 60 definitions, 3.7 MB", partial(copies, 20_000, 60)),
    "parameters": ("12,000 operations that share 40 parameters, 20 MB", partial(shared_parameters, 12_000, 40)),
}
BIG_DOCUMENT = Limits(peak_mib=MANY_MIB, held_ms=1_000)
for name, (does, made) in DOCUMENTS.items():
    setup = Setup(document=made, starts=True, start_seconds=60)
    register(f"S8/{name}", does, _nothing, setup=setup, limits=BIG_DOCUMENT)


async def _reload(scene: Scene) -> None:
    scene.reload(copies(20_000, 60))
    await trio.sleep(15)


register(
    "S8/reload",
    "a served document becomes the one of 3.7 MB",
    _reload,
    setup=served(operation("other", "/o"), settings={"SPEC_REFRESH_SECONDS": "1"}),
    limits=Limits(peak_mib=MANY_MIB, held_ms=1_000, seconds=25),
)
