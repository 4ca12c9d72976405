"""The checks in their order.

Each adds what it found; one that finds the way blocked ends the examination, since all others would say the same.
"""

from __future__ import annotations

from contextlib import suppress

import anyio
import httpx2

from openapi_mcp_server.commands.checkup.checkup import Blocked, Checkup, Finding, How, on_one_line
from openapi_mcp_server.commands.checkup.client import official_client
from openapi_mcp_server.commands.checkup.reach import ask, reach
from openapi_mcp_server.commands.checkup.stream import stream


async def examined(url: str, how: How) -> tuple[list[Finding], list[str]]:
    """Examines the server; returns what was found, and what was looked at."""
    here = Checkup(url, how)
    async with here.http:
        with suppress(Blocked):
            await _metrics(here)
            await reach(here)
            await ask(here)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(stream, here)
                await _page(here)
                await official_client(here)
    return here.findings, here.checked


async def _page(here: Checkup) -> None:
    """Checks whether a browser would let that page ask."""
    if not here.how.page:
        return
    here.checked.append("cors")
    asked = {"origin": here.how.page, "access-control-request-method": "POST"}
    cure = f"add {here.how.page} to ALLOWED_ORIGINS; nothing in front may take the headers away"
    try:
        response = await here.http.options(here.url, headers=asked)
    except httpx2.HTTPError as error:
        here.found("cors", f"no answer to the preflight of {here.how.page}: {on_one_line(error)}", cure)
        return
    if response.headers.get("access-control-allow-origin") not in {"*", here.how.page}:
        here.found("cors", f"pages of {here.how.page} may not ask (preflight {response.status_code})", cure)


async def _metrics(here: Checkup) -> None:
    if not here.how.metrics:
        return
    here.checked.append("metrics")
    try:
        (await here.http.get(here.how.metrics)).raise_for_status()
    except httpx2.HTTPError as error:
        cure = "set ENABLE_PROMETHEUS=true for the server, and open PROMETHEUS_PORT"
        here.found("metrics", f"{here.how.metrics} gives no answer: {on_one_line(error)}", cure)
