"""Redirects: followed at the API's own origin, and an answer like any other elsewhere."""

from __future__ import annotations

import pytest

from loopback import NEXT, Reply, client, get, loopback, send, sized

pytestmark = pytest.mark.anyio


def moved(to: bytes, status: bytes = b"302 Found") -> bytes:
    return sized(b"", b"Location: %b\r\n" % to, status)


@pytest.mark.parametrize(
    ("location", "line"),
    [
        (b"/b?q=1", b"GET /b?q=1 "),
        (b"c", b"GET /pets/c "),
        (b"?page=2", b"GET /pets/a?page=2 "),
        (b"../../../x", b"GET /x "),
        (b"http://127.0.0.1:%d", b"GET / "),
        (b"HTTP://127.0.0.1:%d/y#part", b"GET /y "),
        ("/é ü".encode(), b"GET /%C3%A9%20%C3%BC "),
    ],
)
@pytest.mark.parametrize("status", [b"301 A", b"302 B", b"303 C", b"307 D", b"308 E"])
async def test_a_redirect_at_the_same_origin_is_followed(location: bytes, line: bytes, status: bytes) -> None:
    script: list[Reply] = []
    async with loopback(script) as api, client() as one:
        to = location % api.origin.port if b"%d" in location else location
        script += [(moved(to, status),), (NEXT,)]
        assert (await send(one, get(api.origin, "/pets/a"))).body == b"next"
        assert api.requests[1].startswith(line)


@pytest.mark.parametrize(
    "location",
    [
        b"http://127.0.0.1:1/",
        b"https://127.0.0.1:%d/",
        b"//127.0.0.2:%d/",
        b"http://user:secret@127.0.0.1:%d/",
        b"http://127.0.0.1.evil.example:%d/",
        b"http://localhost:%d/",
        b"file:///etc/passwd",
        b"http://[",
        b"http://127.0.0.1:99999/",
        b"",
    ],
)
async def test_any_other_redirect_is_the_answer(location: bytes) -> None:
    script: list[Reply] = []
    async with loopback(script) as api, client() as one:
        to = location % api.origin.port if b"%d" in location else location
        script += [(moved(to),), (NEXT,)]
        assert (await send(one, get(api.origin))).status == 302
        assert len(api.requests) == 1


async def test_a_redirect_of_what_changes_something_is_the_answer() -> None:
    async with loopback([(moved(b"/b"),), (NEXT,)]) as api, client() as one:
        assert (await send(one, get(api.origin, method="POST", body=b"x"))).status == 302
        assert len(api.requests) == 1


async def test_the_fourth_redirect_is_the_answer() -> None:
    async with loopback([(moved(b"/%d" % n),) for n in range(5)]) as api, client() as one:
        assert (await send(one, get(api.origin))).header("location") == "/3"
        assert len(api.requests) == 4
