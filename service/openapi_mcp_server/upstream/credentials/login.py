"""Credentials that are fetched or made for each request, and the requests to their own servers."""

from __future__ import annotations

import ssl
from codecs import BOM_UTF8
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, runtime_checkable

import msgspec

from openapi_mcp_server.aside import is_heavy, run_in_thread
from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse, request_for
from openapi_mcp_server.bridge.results.echoes import concealed
from openapi_mcp_server.errors import ConfigError, CredentialError, UpstreamError
from openapi_mcp_server.observe.trace import Carrier
from openapi_mcp_server.openapi.text.numbers import UNREADABLE, decode_doubles
from openapi_mcp_server.upstream.sockets import Dialler

ASK_SECONDS = 10.0
"""The time for one request to a token endpoint or to AWS. Calls wait for it, and have 60 s themselves."""
ANSWER_BYTES = 1024 * 1024
"""The most bytes of such an answer: tokens and secrets have some kilobytes, Secrets Manager takes 64."""
_WORDS = 200
"""Characters of a server's own words that are told."""
_SEARCHED = 20 * _WORDS
"""Characters of them that are read: to look at each of a megabyte takes 100 ms."""

Made = TypeVar("Made")


class Login(Protocol):
    """A credential of one API. ``is_last``: it signs the request, so nothing may change it afterwards."""

    is_last: bool

    async def applied(self, request: HttpRequest) -> tuple[HttpRequest, object]:
        """The request with the credential, and the token or keys that were used. Raises CredentialError."""
        ...

    async def renewed(self, used: object, answer: HttpResponse) -> bool:
        """Whether another attempt may succeed after this answer to a request with ``used``."""
        ...


@runtime_checkable
class Ahead(Protocol):
    """A login that can be made ready before the first call."""

    async def ahead(self) -> None:
        """Raises CredentialError if it cannot; the log says why then."""
        ...


PerCaller = Callable[[Carrier], Login]
"""A credential that differs for each caller: it depends on the data that came with the call."""


async def made_of_body(request: HttpRequest, make: Callable[[], Made]) -> Made:
    """Computes a value from a request's whole body, in a thread if the body is large: a hash of 16 MB takes 15 to 60
    ms, without the interpreter's lock."""
    if not is_heavy(len(request.body or b"")):
        return make()
    return await run_in_thread(make, abandon_on_cancel=True)


class UrlRule(Protocol):
    """The rule for what may be asked; see `addresses.AddressRule`."""

    def url_problem(self, scheme: str, host: str) -> str | None: ...


class Web(msgspec.Struct, frozen=True, kw_only=True):
    """The way to token endpoints and AWS. It imports httpx at its first use."""

    dialler: Dialler
    rule: UrlRule
    tls: ssl.SSLContext | None = None
    seconds: float = ASK_SECONDS

    async def ask(self, request: HttpRequest) -> HttpResponse:
        """The answer, whatever its status. Raises CredentialError if there is none."""
        from openapi_mcp_server.upstream import web  # noqa: PLC0415 - httpx, for those who log in somewhere

        try:
            return await web.fetch(request, self.dialler, seconds=self.seconds, most_bytes=ANSWER_BYTES, tls=self.tls)
        except UpstreamError as error:
            raise CredentialError(str(error), transient=True) from error

    def request(
        self, method: str, url: str, headers: tuple[tuple[str, str], ...], body: bytes | None, setting: str
    ) -> HttpRequest:
        """The request for a URL of the operator's. Raises ConfigError for one that cannot be asked."""
        try:
            request = request_for(url, method=method, headers=headers, body=body)
        except ValueError as error:
            raise ConfigError(setting, f"the address {error}") from None
        if problem := self.rule.url_problem(request.origin.scheme, request.origin.host):
            raise ConfigError(setting, f"{request.origin}: {problem}")
        return request


def json_object(answer: HttpResponse) -> dict[str, Any]:
    """The members of an answer that is a JSON object; empty for any other."""
    try:
        said = decode_doubles(answer.body.removeprefix(BOM_UTF8))
    except UNREADABLE:
        return {}
    return said if isinstance(said, dict) else {}


def words(text: str, secrets: tuple[str, ...]) -> str:
    """A server's own words on a failure: short, on one line, and without secrets that they may repeat."""
    hidden = [secret for secret in secrets if secret]
    text = concealed(text[:_SEARCHED].encode("utf-8", "replace"), hidden, "…".encode()).decode("utf-8", "replace")
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:_WORDS]
