"""The means of every check: the server, how it is asked, and what was found."""

from __future__ import annotations

import ssl
from urllib.parse import urljoin, urlsplit

import httpx2
import msgspec

ANSWER_SECONDS = 10.0
"""For each request; an answer that takes longer is none."""
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2024-11-05",
        "capabilities": {},
        "clientInfo": {"name": "openapi-mcp-server doctor", "version": "1"},
    },
}


class Finding(msgspec.Struct, frozen=True):
    """A fault that a check found; ``cure`` is what to do about it."""

    check: str
    problem: str
    cure: str


class How(msgspec.Struct, frozen=True, kw_only=True):
    """How the server is asked. ``metrics``: the URL of the metrics port's probe, empty where there is none; ``page``:
    an Origin that is to be allowed, or empty; ``idle_seconds``: for which a silent stream is watched."""

    token: str = ""
    metrics: str = ""
    page: str = ""
    idle_seconds: float = 35.0


class Blocked(Exception):
    """Raised by the check after which no other would find anything else."""


class Checkup:
    """One examination of the server at ``url``, its MCP endpoint.

    ``findings`` and ``checked``, the names of the checks, grow as it goes on. ``root`` is the URL of the server without
    the endpoint's path, ``prefix`` the path in it that a proxy puts before ours.
    """

    def __init__(self, url: str, how: How) -> None:
        self.findings: list[Finding] = []
        self.checked: list[str] = []
        self.url = url
        self.how = how
        self.prefix = urlsplit(url).path.rstrip("/").removesuffix("/mcp").removesuffix("/sse")
        self.root = urljoin(url, self.prefix or "/").rstrip("/")
        self.http = self.connections()

    def connections(self) -> httpx2.AsyncClient:
        """Connections to the server that nothing else uses, with the token."""
        headers = {"authorization": f"Bearer {self.how.token}"} if self.how.token else {}
        tls = ssl.create_default_context()
        return httpx2.AsyncClient(headers=headers, verify=tls, timeout=ANSWER_SECONDS, trust_env=False)

    def found(self, check: str, problem: str, cure: str) -> None:
        self.findings.append(Finding(check, problem, cure))


def on_one_line(error: BaseException) -> str:
    """The error's text, or that of the first error of a group; at most 300 characters."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return " ".join(str(error).split())[:300] or type(error).__name__
