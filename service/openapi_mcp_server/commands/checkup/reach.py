"""Whether the server is reached, lives, and answers a message: the network, TLS, the clock, who may ask."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

import httpx2
import msgspec

from openapi_mcp_server.commands.checkup.checkup import ANSWER_SECONDS, HELLO, Blocked, Checkup, Finding, on_one_line
from openapi_mcp_server.openapi.text.numbers import UNREADABLE

CLOCK_SECONDS = 60.0
"""Seconds by which two clocks may differ: tokens (RFC 7519) and AWS's signatures bear a few minutes."""
CERTIFICATE_DAYS = 14
_EXPIRED = 10
"""X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL."""


async def reach(here: Checkup) -> None:
    """Checks names, TCP, TLS, the clock, and whether the server is ready."""
    here.checked.append("reach")
    try:
        response = await here.http.get(f"{here.root}/readyz")
    except httpx2.HTTPError as error:
        here.findings.append(_unreachable(here.root, error))
        raise Blocked from None
    _clock(here, _time(response))
    _certificate(here, response)
    if response.status_code in {502, 504}:
        problem = f"what is in front of the server answers {response.status_code}"
        here.found("reach", problem, "start the server, or correct the address that the proxy has of it")
        raise Blocked
    if response.status_code == 503:
        cure = "wait until it is; its log says what it waits for, or that it stops"
        here.found("reach", "the server is not ready (503)", cure)


def _clock(here: Checkup, date: str) -> None:
    here.checked.append("clock")
    with suppress(ValueError, TypeError):
        seconds = (datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds()
        if abs(seconds) > CLOCK_SECONDS:
            problem = f"the server's clock is {abs(seconds):.0f} s {'behind' if seconds > 0 else 'ahead of'} this one"
            cure = "synchronize both (NTP): tokens and signed requests are refused otherwise"
            here.found("clock", problem, cure)


def _certificate(here: Checkup, response: httpx2.Response) -> None:
    stream = response.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    if tls is None:
        return
    here.checked.append("tls")
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(tls.getpeercert()["notAfter"]), UTC)
    if (days := (ends - datetime.now(UTC)).days) < CERTIFICATE_DAYS:
        here.found("tls", f"the certificate ends in {days} days", "renew it")


async def ask(here: Checkup) -> None:
    """One message by hand, for what a client would wrap in an error of its own."""
    here.checked.append("auth")
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2024-11-05"}
    url = urljoin(here.root + "/", "mcp") if here.url.endswith("/sse") else here.url
    try:
        response = await here.http.post(url, json=HELLO, headers=headers)
    except httpx2.HTTPError as error:
        here.found("mcp", f"no answer to a message: {on_one_line(error)}", "look into the server's log")
        raise Blocked from None
    if response.status_code != 200:
        here.findings.append(_refusal(here, response))
        raise Blocked
    if b"jsonrpc" not in response.content:
        here.found("mcp", f"something else answers at {url}", "give the URL of the MCP endpoint; ours is at /mcp")
        raise Blocked


def _refusal(here: Checkup, response: httpx2.Response) -> Finding:
    host = urlsplit(here.url).netloc.rpartition("@")[2]
    match response.status_code:
        case 421:
            cure = f"add the host to ALLOWED_HOSTS, or have the proxy pass Host on unchanged ({host} was asked for)"
            return Finding("hosts", "the server does not answer under the name that reaches it (421)", cure)
        case 401 | 403 if challenge := response.headers.get("www-authenticate", ""):
            problem = f"the token is refused ({response.status_code}): {challenge[:300]}"
            if not here.how.token:
                return Finding("auth", f"the server asks who calls: {challenge[:300]}", "give --token-file FILE")
            cure = "get a token whose audience, issuer and scopes are those of INBOUND_JWT_…, or one of INBOUND_TOKENS"
            return Finding("auth", problem, cure)
        case 404 | 405:
            cure = "give the URL of the MCP endpoint (ours is at /mcp), with the path that a proxy puts before it"
            return Finding("mcp", f"there is no MCP endpoint at {urlsplit(here.url).path or '/'}", cure)
        case status:
            told = " ".join(response.text[:200].split())
            cure = "look into the server's and the proxy's log"
            return Finding("mcp", f"a message is answered with {status}: {told}", cure)


def _time(response: httpx2.Response) -> str:
    """The time by the server's own clock: what is in front may write a Date of its own, so ours tells the time in its
    answer."""
    with suppress(*UNREADABLE, AttributeError):
        if told := msgspec.json.decode(response.content).get("time"):
            return str(told)
    return str(response.headers.get("date", ""))


def _unreachable(root: str, error: httpx2.HTTPError) -> Finding:
    for each in _causes(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            if each.verify_code == _EXPIRED:
                return Finding("tls", f"the certificate of {root} has expired", "renew it")
            cure = "correct it; for a CA of your own, name its file in SSL_CERT_FILE"
            return Finding("tls", f"the certificate of {root} is not accepted: {each.verify_message}", cure)
        if isinstance(each, ssl.SSLError):
            cure = "give http:// where there is none, or correct the port"
            return Finding("tls", f"no TLS at {root}: {each.reason}", cure)
    if isinstance(error, httpx2.TimeoutException):
        cure = "open the way to it (firewall, security group), or correct the address"
        return Finding("reach", f"{root} does not answer within {ANSWER_SECONDS:g} s", cure)
    cure = "start the server, or correct the address"
    return Finding("reach", f"{root} cannot be reached: {on_one_line(error)}", cure)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    queue = [error]
    while queue:
        each = queue.pop()
        if each not in seen:
            seen.append(each)
            yield each
            queue += [cause for cause in (each.__cause__, each.__context__) if cause is not None]
