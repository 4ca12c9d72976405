"""The credentials of every configured API on their way to requests, each to that API's own origins and nowhere else.

They are sent with every call of their API, even to operations that allow anonymous access. An API gives a known caller
more (its own data, higher limits), and the operator has configured them for use.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from operator import attrgetter

import anyio
import msgspec

from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import CredentialError, UpstreamError
from openapi_mcp_server.grammar import as_variable, is_obsolete_field_value
from openapi_mcp_server.observe.trace import NO_CARRIER, Carrier
from openapi_mcp_server.settings.fields import Forwarded
from openapi_mcp_server.upstream.credentials.login import Login, PerCaller
from openapi_mcp_server.upstream.credentials.placing import (
    Piece,
    names_in,
    put,
    secrets_of,
    with_header,
    with_secrets,
)
from openapi_mcp_server.upstream.retries import LEAST_SECONDS

SendOne = Callable[[HttpRequest, float], Awaitable[HttpResponse]]
"""Sends a request within so many seconds; raises an `UpstreamError`."""


class FixedValues(msgspec.Struct, frozen=True, kw_only=True):
    """Values of the operator's own that every request gets whose document has none of that name. ``query``: pieces, by
    name. ``secrets``: those that are hidden if an API repeats them."""

    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"FixedValues({', '.join(name for name, _ in (*self.headers, *self.query))})"


NONE_FIXED = FixedValues()


class Kit(msgspec.Struct, frozen=True, kw_only=True):
    """All that one API gets. ``credentials``: by the scheme's name, the API's own by the empty one. ``way``: its own,
    by its name; see `HttpRequest`."""

    origins: frozenset[Origin]
    credentials: Mapping[str, Piece | Login | PerCaller]
    fixed: FixedValues = NONE_FIXED
    forwarded: tuple[Forwarded, ...] = ()
    way: str = ""

    def __repr__(self) -> str:
        return f"Kit(for {_named(self.origins)})"

    @property
    def is_empty(self) -> bool:
        return not (self.credentials or self.forwarded or self.way) and self.fixed == NONE_FIXED


class Credentials:
    """Adds what was configured for an API to the requests for it. ``kits`` are by the API's name; one without has
    nothing."""

    def __init__(self, kits: Mapping[str, Kit]) -> None:
        self._kits = kits

    def replace(self, kits: Mapping[str, Kit]) -> None:
        """Uses these kits from the next request on."""
        self._kits = kits

    def authorize(self, request: HttpRequest, tool: Tool, beside: Carrier = NO_CARRIER) -> HttpRequest | Pending:
        """The request with its credentials, which win over an argument of the same name; `Pending` where they have to
        be waited for. ``beside``: what came with the call. Raises CredentialError where the request goes to another
        origin than one of the API's own, or a client does not send what is forwarded.
        """
        kit = self._kits.get(tool.api)
        if kit is None:
            return request
        if kit.forwarded:
            request = _with_forwarded(request, tool.api, kit, beside)
        if kit.fixed is not NONE_FIXED:
            _require_own(request, tool.api, kit)
            request = with_fixed(request, kit.fixed, tool.fixed_query)
        return equipped(request, tool.api, kit, tool.access.credentials, beside)


def equipped(
    request: HttpRequest, api: str, kit: Kit, names: Sequence[str], beside: Carrier = NO_CARRIER
) -> HttpRequest | Pending:
    """The request with the credentials of these names; see `Credentials.authorize`."""
    if kit.way:
        request = msgspec.structs.replace(request, way=kit.way)
    logins: list[Login] = []
    for name in names:
        credential = kit.credentials.get(name)
        if credential is None:
            continue
        _require_own(request, api, kit)
        if isinstance(credential, Piece):
            request = put(request, credential)
        else:
            logins.append(credential(beside) if callable(credential) else credential)
    return Pending(request, sorted(logins, key=attrgetter("is_last"))) if logins else request


def _require_own(request: HttpRequest, api: str, kit: Kit) -> None:
    if request.origin not in kit.origins:
        whose = f"the credentials of {api} belong to {_named(kit.origins)}"
        raise CredentialError(f"{whose} and are not sent to {request.origin}")


def with_fixed(request: HttpRequest, fixed: FixedValues, own_query: str) -> HttpRequest:
    """They replace arguments, but nothing of the document itself, such as ``own_query``."""
    headers, query = {as_variable(name) for name, _ in request.headers}, request.query
    if fixed.query:
        own = _names_in(own_query.split("&"))
        won = [piece for _, piece in fixed.query if own.isdisjoint(names_in(piece))]
        names = _names_in(won)
        left = [piece for piece in query.split("&") if piece and names.isdisjoint(names_in(piece))]
        query = "&".join((*left, *won))
    more = tuple(each for each in fixed.headers if as_variable(each[0]) not in headers)
    request = with_secrets(request, *fixed.secrets)
    return msgspec.structs.replace(request, headers=(*request.headers, *more), query=query)


def _names_in(pieces: Iterable[str]) -> frozenset[str]:
    return frozenset[str]().union(*map(names_in, pieces))


def _with_forwarded(request: HttpRequest, api: str, kit: Kit, beside: Carrier) -> HttpRequest:
    """The request with the caller's own headers, which replace arguments."""
    _require_own(request, api, kit)
    for each in kit.forwarded:
        value = beside.forwarded.get(each.source)
        if value is None:
            problem = f"{api} wants to know who calls: send the header {each.source} with each request to this server"
            raise CredentialError(problem, client=True)
        if not is_obsolete_field_value(value):
            raise CredentialError(
                f"the header {each.source} has a value that cannot be passed on to {api}", client=True
            )
        secrets = secrets_of(each.name, value) or secrets_of(each.source, value)
        request = with_secrets(with_header(request, each.name, value), *secrets)
    return request


class Pending:
    """A request whose credentials must be fetched, or made from the whole request."""

    def __init__(self, request: HttpRequest, logins: Sequence[Login]) -> None:
        self._request = request
        self._logins = logins

    @property
    def body(self) -> bytes | None:
        return self._request.body

    async def exchange(self, send: SendOne, seconds: float) -> HttpResponse:
        """The answer; after one that refuses the credentials, that to one more attempt with fresh ones. Whatever its
        method, since a 401 says that it was not carried out. Raises CredentialError, and what ``send`` raises.
        """
        until = anyio.current_time() + seconds
        answer, used = await self._attempt(send, until)
        if not await self._renewed(used, answer, until):
            return answer
        earlier = answer.retries + 1
        try:
            again, used = await self._attempt(send, until)
        except UpstreamError as error:
            error.retries += earlier
            raise
        if again.status not in _REFUSALS:
            await self._renewed(used, again, until)  # which tells the logins that it was accepted
        return msgspec.structs.replace(again, retries=again.retries + earlier)

    async def _renewed(self, used: list[object], answer: HttpResponse, until: float) -> bool:
        with anyio.move_on_after(max(0.0, until - anyio.current_time() - LEAST_SECONDS)):
            return any([await login.renewed(each, answer) for login, each in zip(self._logins, used, strict=True)])
        return False

    async def _attempt(self, send: SendOne, until: float) -> tuple[HttpResponse, list[object]]:
        request, used = self._request, list[object]()
        try:
            with anyio.fail_after(max(0.0, until - anyio.current_time())):
                for login in self._logins:
                    request, each = await login.applied(request)
                    used.append(each)
        except TimeoutError:
            raise CredentialError(
                "the credentials were not there within the time of the call", transient=True
            ) from None
        return await send(request, max(0.0, until - anyio.current_time())), used


_REFUSALS = frozenset({401, 403})


def _named(origins: frozenset[Origin]) -> str:
    return " and ".join(sorted(map(str, origins)))
