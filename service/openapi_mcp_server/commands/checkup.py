"""A running server looked at as its clients see it, through whatever stands in front of it.

Each check adds what it found; one that finds the way blocked ends the examination, since all others would say the same.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import anyio
import httpx2
import msgspec

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import Tool

MOST_TOOLS = 128
"""That a request to OpenAI's API may have, and with it VS Code's chat and others: beyond that clients cut or refuse."""
MOST_TOKENS = 40_000
"""The default of TOOL_BUDGET_TOKENS."""
BYTES_PER_TOKEN = 4
ANSWER_SECONDS = 10.0
"""For each request; an answer that takes longer is none."""
FIRST_EVENT_SECONDS = 5.0
"""The server sends the first event at once."""
CALL_SECONDS = 60.0
CLOCK_SECONDS = 60.0
"""By which two clocks may differ: tokens (RFC 7519) and AWS's signatures bear a few minutes."""
CERTIFICATE_DAYS = 14
SESSIONS = 4
"""Opened one after the other; each has its messages sent on connections of their own."""
_EXPIRED = 10
"""X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL."""
_HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2024-11-05",
        "capabilities": {},
        "clientInfo": {"name": "openapi-mcp-server doctor", "version": "1"},
    },
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """``cure`` is what to do about it."""

    check: str
    problem: str
    cure: str


class How(msgspec.Struct, frozen=True, kw_only=True):
    """``metrics``: the URL of the metrics port's probe, empty where there is none; ``page``: an Origin that is to be
    allowed, or empty; ``idle_seconds``: for which a silent stream is watched."""

    token: str = ""
    metrics: str = ""
    page: str = ""
    idle_seconds: float = 35.0


class _Blocked(Exception):
    """No further check would find anything else."""


class Checkup:
    """One examination of the server at ``url``, its MCP endpoint."""

    def __init__(self, url: str, how: How) -> None:
        self.findings: list[Finding] = []
        self.checked: list[str] = []
        self._url = url
        self._how = how
        self._prefix = urlsplit(url).path.rstrip("/").removesuffix("/mcp").removesuffix("/sse")
        self._root = urljoin(url, self._prefix or "/").rstrip("/")
        headers = {"authorization": f"Bearer {how.token}"} if how.token else {}
        self._http = httpx2.AsyncClient(
            headers=headers, verify=ssl.create_default_context(), timeout=ANSWER_SECONDS, trust_env=False
        )

    async def run(self) -> list[Finding]:
        """Everything that was found."""
        async with self._http:
            with suppress(_Blocked):
                await self._metrics()
                await self._reach()
                await self._ask()
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._stream)
                    await self._page()
                    await self._clients()
        return self.findings

    def _found(self, check: str, problem: str, cure: str) -> None:
        self.findings.append(Finding(check=check, problem=problem, cure=cure))

    async def _reach(self) -> None:
        """Names, TCP, TLS, the clock, and whether the server is ready."""
        self.checked.append("reach")
        try:
            response = await self._http.get(f"{self._root}/readyz")
        except httpx2.HTTPError as error:
            self._found(*_unreachable(self._root, error))
            raise _Blocked from None
        self._clock(_time(response))
        self._certificate(response)
        if response.status_code in {502, 504}:
            problem = f"what is in front of the server answers {response.status_code}"
            self._found("reach", problem, "start the server, or correct the address that the proxy has of it")
            raise _Blocked
        if response.status_code == 503:
            cure = "wait until it is; its log says what it waits for, or that it stops"
            self._found("reach", "the server is not ready (503)", cure)

    def _clock(self, date: str) -> None:
        with suppress(ValueError, TypeError):
            self.checked.append("clock")
            seconds = (datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds()
            if abs(seconds) > CLOCK_SECONDS:
                problem = (
                    f"the server's clock is {abs(seconds):.0f} s {'behind' if seconds > 0 else 'ahead of'} this one"
                )
                self._found(
                    "clock", problem, "synchronize both (NTP): tokens and signed requests are refused otherwise"
                )

    def _certificate(self, response: httpx2.Response) -> None:
        stream = response.extensions.get("network_stream")
        tls = stream.get_extra_info("ssl_object") if stream is not None else None
        if tls is None:
            return
        self.checked.append("tls")
        ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(tls.getpeercert()["notAfter"]), UTC)
        if (days := (ends - datetime.now(UTC)).days) < CERTIFICATE_DAYS:
            self._found("tls", f"the certificate ends in {days} days", "renew it")

    async def _ask(self) -> None:
        """One message by hand, for what a client would wrap in an error of its own."""
        self.checked.append("auth")
        headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2024-11-05"}
        url = urljoin(self._root + "/", "mcp") if self._url.endswith("/sse") else self._url
        try:
            response = await self._http.post(url, json=_HELLO, headers=headers)
        except httpx2.HTTPError as error:
            self._found("mcp", f"no answer to a message: {_told(error)}", "look into the server's log")
            raise _Blocked from None
        if response.status_code != 200:
            self._found(*self._refusal(response))
            raise _Blocked
        if b"jsonrpc" not in response.content:
            self._found("mcp", f"something else answers at {url}", "give the URL of the MCP endpoint; ours is at /mcp")
            raise _Blocked

    def _refusal(self, response: httpx2.Response) -> tuple[str, str, str]:
        host = urlsplit(self._url).netloc.rpartition("@")[2]
        match response.status_code:
            case 421:
                cure = f"add the host to ALLOWED_HOSTS, or have the proxy pass Host on unchanged ({host} was asked for)"
                return "hosts", "the server does not answer under the name that reaches it (421)", cure
            case 401 | 403 if challenge := response.headers.get("www-authenticate", ""):
                problem = f"the token is refused ({response.status_code}): {challenge[:300]}"
                if not self._how.token:
                    return "auth", f"the server asks who calls: {challenge[:300]}", "give --token-file FILE"
                return "auth", problem, "get a token whose audience, issuer and scopes are those of INBOUND_JWT_…"
            case 404 | 405:
                cure = "give the URL of the MCP endpoint (ours is at /mcp), with the path that a proxy puts before it"
                return "mcp", f"there is no MCP endpoint at {urlsplit(self._url).path or '/'}", cure
            case status:
                told = " ".join(response.text[:200].split())
                return (
                    "mcp",
                    f"a message is answered with {status}: {told}",
                    "look into the server's and the proxy's log",
                )

    async def _page(self) -> None:
        """Whether a browser would let that page ask."""
        if not self._how.page:
            return
        self.checked.append("cors")
        asked = {"origin": self._how.page, "access-control-request-method": "POST"}
        response = await self._http.options(self._url, headers=asked)
        if response.headers.get("access-control-allow-origin") not in {"*", self._how.page}:
            cure = f"add {self._how.page} to ALLOWED_ORIGINS; nothing in front may take the headers away"
            self._found("cors", f"pages of {self._how.page} may not ask (preflight {response.status_code})", cure)

    async def _metrics(self) -> None:
        if not self._how.metrics:
            return
        self.checked.append("metrics")
        try:
            (await self._http.get(self._how.metrics)).raise_for_status()
        except httpx2.HTTPError as error:
            cure = "set ENABLE_PROMETHEUS=true for the server, and open PROMETHEUS_PORT"
            self._found("metrics", f"{self._how.metrics} gives no answer: {_told(error)}", cure)

    async def _clients(self) -> None:
        """The official client, with the newest revision that both speak and with the handshake of older ones."""
        tools: list[Tool] = []
        for mode in ("auto", "legacy"):
            self.checked.append(f"client, {mode}")
            tools = await self._with_client(mode, self._listed, tools)
        self._judge_list(tools)
        await self._with_client("auto", self._call_one_of_each, tools)

    async def _with_client(
        self, mode: str, use: Callable[[Client, list[Tool]], Awaitable[list[Tool]]], tools: list[Tool]
    ) -> list[Tool]:
        from mcp import Client, MCPError  # noqa: PLC0415 - takes a second to import
        from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

        if self._url.endswith("/sse"):
            return tools
        try:
            async with Client(streamable_http_client(self._url, http_client=self._http), mode=mode) as client:
                with anyio.fail_after(CALL_SECONDS):
                    return await use(client, tools)
        except (MCPError, ExceptionGroup, httpx2.HTTPError, OSError) as error:
            cure = "look into the server's log; a proxy must pass MCP-Protocol-Version, Mcp-Session-Id and Accept on"
            self._found("client", f"the official client ({mode}) fails: {_told(error)}", cure)
            return tools

    @staticmethod
    async def _listed(client: Client, tools: list[Tool]) -> list[Tool]:
        del tools
        found, cursor = [], None
        while True:
            page = await client.list_tools(cursor=cursor)
            found += page.tools
            if not (cursor := page.next_cursor):
                return found

    def _judge_list(self, tools: list[Tool]) -> None:
        self.checked.append("list")
        cure = "choose operations with INCLUDE_TAGS or EXCLUDE_TAGS, or set TOOL_MODE=search"
        size = sum(len(tool.model_dump_json(by_alias=True, exclude_none=True)) for tool in tools) // BYTES_PER_TOKEN
        if len(tools) > MOST_TOOLS:
            self._found("list", f"{len(tools)} tools: several clients and model APIs take {MOST_TOOLS} at most", cure)
        elif size > MOST_TOKENS:
            self._found("list", f"the list of tools costs a model about {size} tokens", cure)

    async def _call_one_of_each(self, client: Client, tools: list[Tool]) -> list[Tool]:
        """The first tool of each API that only reads and needs no argument."""
        for api, tool in (await self._safe(tools)).items():
            self.checked.append(f"call of {tool.name}")
            result = await client.call_tool(tool.name, {})
            text = next((each.text for each in result.content if each.type == "text"), "")
            if result.is_error and (found := _failure(api or "the API", tool.name, text)):
                self._found(*found)
        return tools

    async def _safe(self, tools: list[Tool]) -> Mapping[str, Tool]:
        """One tool to call of each API, by the API's name, which the tools of several begin with."""
        names = [""]
        with suppress(httpx2.HTTPError, msgspec.DecodeError, KeyError, TypeError):
            health = msgspec.json.decode((await self._http.get(f"{self._root}/health")).content)
            names = [api["name"] for api in health["apis"]] if len(health["apis"]) > 1 else names
        found: dict[str, Tool] = {}
        for tool in tools:
            api = next((name for name in names if tool.name.startswith(name)), "")
            only_reads = tool.annotations is not None and tool.annotations.read_only_hint
            if only_reads and not tool.input_schema.get("required"):
                found.setdefault(api, tool)
        return found

    async def _stream(self) -> None:
        """HTTP+SSE, where it is served: buffering, the path of messages, several tasks, silence."""
        url = self._url if self._url.endswith("/sse") else f"{self._root}/sse"
        self.checked.append("sse")
        try:
            for number in range(SESSIONS):
                if not await self._session(url, is_last=number == SESSIONS - 1):
                    return
        except httpx2.HTTPError as error:
            cure = "raise the idle timeouts of what is in front (the server breaks its silence after 15 s)"
            self._found("sse", f"the stream breaks: {_told(error)}", cure)

    async def _session(self, url: str, *, is_last: bool) -> bool:
        """False where no further session would say more."""
        with anyio.move_on_after(FIRST_EVENT_SECONDS) as patience:
            async with self._http.stream("GET", url, headers={"accept": "text/event-stream"}, timeout=None) as response:
                if response.status_code != 200:
                    return False  # not served, or refused as the message by hand was
                events = _Events(response)
                path = await events.next("endpoint")
                patience.deadline = math.inf
                return await self._conversation(url, path, events, is_last=is_last)
        cure = "turn buffering and compression of /sse off in what is in front (nginx: proxy_buffering off)"
        self._found("sse", f"no event within {FIRST_EVENT_SECONDS:g} s: something keeps the stream back", cure)
        return False

    async def _conversation(self, url: str, path: str, events: _Events, *, is_last: bool) -> bool:
        if not path:
            self._found("sse", "the stream ends before its first event", "look into the proxy's and the server's log")
            return False
        if not self._is_below_prefix(path):
            return False
        for _ in range(2):
            if not await self._posted(urljoin(url, path)):
                return False
        with anyio.move_on_after(FIRST_EVENT_SECONDS) as waiting:
            await events.next("message")
        if waiting.cancelled_caught:
            self._found("sse", "an answer does not arrive on the stream", "turn buffering off in what is in front")
            return False
        if is_last:
            await self._watch(events)
        return True

    def _is_below_prefix(self, path: str) -> bool:
        there = urlsplit(path).path
        if there.startswith(f"{self._prefix}/"):
            return True
        cure = f"set PUBLIC_PATH_PREFIX={self._prefix} for the server"
        self._found("sse", f"the stream names {there} for messages, which is not below {self._prefix}", cure)
        return False

    async def _posted(self, url: str) -> bool:
        """Posts a message on a connection of its own, as a load balancer may send it to another task."""
        async with httpx2.AsyncClient(
            headers=self._http.headers, verify=ssl.create_default_context(), timeout=ANSWER_SECONDS, trust_env=False
        ) as other:
            response = await other.post(url, json=_HELLO)
        if response.status_code in {200, 202}:
            return True
        if response.status_code in {404, 410}:
            cure = "set the same SESSION_KEY for every task, and SESSION_ADDRESS for each; or have one task only"
            self._found("sse", "a message to an open session finds no session: it came to another task", cure)
        else:
            told = " ".join(response.text[:200].split())
            self._found(
                "sse", f"a message is answered with {response.status_code}: {told}", "look into the proxy's log"
            )
        return False

    async def _watch(self, events: _Events) -> None:
        """Whether a stream on which nothing happens stays."""
        self.checked.append("idle")
        began = anyio.current_time()
        is_over = False
        with anyio.move_on_after(self._how.idle_seconds):
            try:
                await events.next("nothing")
            except httpx2.HTTPError:
                is_over = True
            is_over = True
        if is_over:
            problem = f"a stream on which nothing happens is cut after {anyio.current_time() - began:.0f} s"
            cure = "raise the idle timeouts of what is in front (nginx: proxy_read_timeout) above 15 s, better 75 s"
            self._found("idle", problem, cure)


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


def _time(response: httpx2.Response) -> str:
    """By the server's own clock: what is in front may write a Date of its own, so ours tells the time in its answer."""
    with suppress(msgspec.DecodeError, AttributeError):
        if told := msgspec.json.decode(response.content).get("time"):
            return str(told)
    return str(response.headers.get("date", ""))


def _unreachable(root: str, error: httpx2.HTTPError) -> tuple[str, str, str]:
    for each in _causes(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            if each.verify_code == _EXPIRED:
                return "tls", f"the certificate of {root} has expired", "renew it"
            cure = "correct it; for a CA of your own, name its file in SSL_CERT_FILE"
            return "tls", f"the certificate of {root} is not accepted: {each.verify_message}", cure
        if isinstance(each, ssl.SSLError):
            return "tls", f"no TLS at {root}: {each.reason}", "give http:// where there is none, or correct the port"
    if isinstance(error, httpx2.TimeoutException):
        cure = "open the way to it (firewall, security group), or correct the address"
        return "reach", f"{root} does not answer within {ANSWER_SECONDS:g} s", cure
    return "reach", f"{root} cannot be reached: {_told(error)}", "start the server, or correct the address"


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    queue = [error]
    while queue:
        each = queue.pop()
        if each not in seen:
            seen.append(each)
            yield each
            queue += [cause for cause in (each.__cause__, each.__context__) if cause is not None]


def _told(error: BaseException) -> str:
    """The first of a group, on one line."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return " ".join(str(error).split())[:300] or type(error).__name__


def _failure(api: str, tool: str, text: str) -> tuple[str, str, str] | None:
    """The finding on the API in an error result; None where it may well be the call's own fault."""
    first = text.partition("\n")[0][:300]
    said = first.removeprefix("The API answered ")
    if said == first:
        cure = "start the API, or correct API_BASE_URL"
        return "api", f"{tool}: {api} gives no answer: {first}", cure
    if said[:3] in {"401", "403", "407"}:
        cure = "correct the AUTH_ settings; inspect says which credentials the document asks for"
        return "api", f"{tool}: {api} does not accept the credentials ({said})", cure
    if said.startswith("5"):
        return "api", f"{tool}: {api} fails ({said})", "look into the API's log"
    return None


async def examined(url: str, how: How) -> tuple[list[Finding], list[str]]:
    """(what was found, what was looked at)."""
    checkup = Checkup(url, how)
    return await checkup.run(), checkup.checked
