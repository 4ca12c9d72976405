"""HTTP+SSE, where it is served: buffering, the path of messages, several tasks, silence."""

from __future__ import annotations

import math
from contextlib import suppress
from urllib.parse import urljoin, urlsplit

import anyio
import httpx2

from openapi_mcp_server.commands.checkup.checkup import HELLO, Checkup, on_one_line

FIRST_EVENT_SECONDS = 5.0
"""The server sends the first event at once."""
SESSIONS = 4
"""Opened one after the other; each has its messages sent on connections of their own."""


async def stream(here: Checkup) -> None:
    """HTTP+SSE, where it is served: buffering, the path of messages, several tasks, silence."""
    url = here.url if here.url.endswith("/sse") else f"{here.root}/sse"
    here.checked.append("sse")
    try:
        for number in range(SESSIONS):
            if not await _session(here, url, is_last=number == SESSIONS - 1):
                return
    except httpx2.HTTPError as error:
        cure = "raise the idle timeouts of what is in front (the server breaks its silence after 15 s)"
        here.found("sse", f"the stream breaks: {on_one_line(error)}", cure)


async def _session(here: Checkup, url: str, *, is_last: bool) -> bool:
    """Checks one session; false where no further session would say more."""
    with anyio.move_on_after(FIRST_EVENT_SECONDS) as patience:
        async with here.http.stream("GET", url, headers={"accept": "text/event-stream"}, timeout=None) as response:
            if response.status_code != 200:
                return False  # not served, or refused as the message by hand was
            events = _Events(response)
            path = await events.next("endpoint")
            patience.deadline = math.inf
            return await _conversation(here, url, path, events, is_last=is_last)
    cure = "turn buffering and compression of /sse off in what is in front (nginx: proxy_buffering off)"
    here.found("sse", f"no event within {FIRST_EVENT_SECONDS:g} s: something keeps the stream back", cure)
    return False


async def _conversation(here: Checkup, url: str, path: str, events: _Events, *, is_last: bool) -> bool:
    if not path:
        here.found("sse", "the stream ends before its first event", "look into the proxy's and the server's log")
        return False
    if not _is_below_prefix(here, path):
        return False
    for _ in range(2):
        if not await _posted(here, urljoin(url, path)):
            return False
    with anyio.move_on_after(FIRST_EVENT_SECONDS) as waiting:
        await events.next("message")
    if waiting.cancelled_caught:
        here.found("sse", "an answer does not arrive on the stream", "turn buffering off in what is in front")
        return False
    if is_last:
        await _watch(here, events)
    return True


def _is_below_prefix(here: Checkup, path: str) -> bool:
    there = urlsplit(path).path
    if there.startswith(f"{here.prefix}/"):
        return True
    cure = f"set PUBLIC_PATH_PREFIX={here.prefix} for the server"
    here.found("sse", f"the stream names {there} for messages, which is not below {here.prefix}", cure)
    return False


async def _posted(here: Checkup, url: str) -> bool:
    """Posts a message on a connection of its own, as a load balancer may send it to another task."""
    async with here.connections() as other:
        response = await other.post(url, json=HELLO)
    if response.status_code in {200, 202}:
        return True
    if response.status_code in {404, 410}:
        cure = "set the same SESSION_KEY for every task, and SESSION_ADDRESS for each; or have one task only"
        here.found("sse", "a message to an open session finds no session: it came to another task", cure)
    else:
        told = " ".join(response.text[:200].split())
        here.found("sse", f"a message is answered with {response.status_code}: {told}", "look into the proxy's log")
    return False


async def _watch(here: Checkup, events: _Events) -> None:
    """Checks whether a stream on which nothing happens stays open."""
    here.checked.append("idle")
    began = anyio.current_time()
    with anyio.move_on_after(here.how.idle_seconds) as watching:
        with suppress(httpx2.HTTPError):
            await events.next("nothing")
    if not watching.cancelled_caught:
        problem = f"a stream on which nothing happens is cut after {anyio.current_time() - began:.0f} s"
        cure = "raise the idle timeouts of what is in front (nginx: proxy_read_timeout) above 15 s, better 75 s"
        here.found("idle", problem, cure)


class _Events:
    """Server-sent events of a response, by type."""

    def __init__(self, response: httpx2.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self, wanted: str) -> str:
        """The data of the next event of this type; empty at the end of the stream."""
        kind, data = "message", ""
        async for line in self._lines:
            name, _, value = line.partition(":")
            if name == "event":
                kind = value.strip()
            elif name == "data":
                data += value.strip()
            elif not line:
                if kind == wanted:
                    return data
                kind, data = "message", ""
        return ""
