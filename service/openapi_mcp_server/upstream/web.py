"""Requests that are no calls (documents, tokens, keys, secrets): httpx over the checked dialler, under our limits.

Imported when first needed: a server whose documents are files never loads httpx.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any

import anyio
import httpcore2
import httpx2

from openapi_mcp_server import __version__
from openapi_mcp_server.aside import run_in_thread
from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.errors import BadResponse, Timeout, TooLarge, Unreachable, UpstreamError
from openapi_mcp_server.upstream import http11
from openapi_mcp_server.upstream.reader import inflater
from openapi_mcp_server.upstream.redirects import REDIRECT_LIMIT, redirected
from openapi_mcp_server.upstream.sockets import (
    ConnectError,
    ConnectTimeout,
    Dialler,
    NetworkError,
    Stream,
    cause,
    reason,
)

USER_AGENT = f"openapi-mcp-server/{__version__}"


async def fetch(
    request: HttpRequest, dialler: Dialler, *, seconds: float, most_bytes: int, tls: ssl.SSLContext | None = None
) -> HttpResponse:
    """The decoded answer, whatever its status. It keeps no cookie, reads no variable of the environment, and follows a
    redirect only if a GET or HEAD stays at its own origin.

    ``tls``: the system's trust where it is None. Raises Unreachable, Timeout, TooLarge, BadResponse, and Refused by the
    address rule.
    """
    place, within = request.origin, f"{seconds:g} s"
    try:
        with anyio.fail_after(seconds):
            if tls is None and request.origin.scheme == "https":
                tls = await run_in_thread(ssl.create_default_context)  # 20 ms and more, for which no call should wait
            return await _followed(request, _Transport(dialler, tls), most_bytes)
    except TimeoutError:
        raise Timeout(f"no whole answer from {place} within {within}", outcome_unknown=True, transient=True) from None
    except httpx2.InvalidURL as error:  # too long for httpx, or numbers that are no address
        raise Unreachable(f"{place} cannot be asked: {error}", outcome_unknown=False) from None
    except _Full:
        raise TooLarge(f"the answer of {place} exceeds {most_bytes / 2**20:g} MiB", outcome_unknown=True) from None
    except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
        raise _unreachable(error, f"no connection to {place}") from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
        problem = f"{place} sent no valid HTTP answer: {reason(error) if str(error) else 'it closed the connection'}"
        raise BadResponse(problem, outcome_unknown=True, transient=True) from error


class _Full(Exception):
    """The answer is longer than it may be."""


async def _followed(request: HttpRequest, transport: _Transport, most_bytes: int) -> HttpResponse:
    async with httpx2.AsyncClient(transport=transport, trust_env=False, timeout=None) as client:
        answer = await _exchange(request, client, most_bytes)
        for _ in range(REDIRECT_LIMIT):
            target = redirected(request, answer.status, answer.header("location"))
            if target is None:
                break
            request, answer = target, await _exchange(target, client, most_bytes)
        return answer


async def _exchange(request: HttpRequest, client: httpx2.AsyncClient, most_bytes: int) -> HttpResponse:
    asked = client.build_request(
        request.method,
        f"{request.origin}{request.target}",
        headers=[("User-Agent", USER_AGENT), ("Accept-Encoding", "gzip"), *request.headers],
        content=request.body,
    )
    answer = await client.send(asked, stream=True)
    try:
        body = await _body(answer, most_bytes)
    finally:
        await answer.aclose()
    headers = tuple((name.decode("ascii").lower(), value.decode("latin-1")) for name, value in answer.headers.raw)
    return HttpResponse(status=answer.status_code, reason=answer.reason_phrase, headers=headers, body=body)


async def _body(answer: httpx2.Response, most_bytes: int) -> bytes:
    unpacking = inflater(answer.headers.get("content-encoding", ""))
    body = bytearray()
    async with aclosing(answer.aiter_raw()) as pieces:
        async for piece in pieces:
            for decoded in (piece,) if unpacking is None else unpacking.unpacked(piece):
                body += decoded
                if len(body) > most_bytes:
                    raise _Full
    if unpacking is not None:
        unpacking.finish()
    return bytes(body)


def _unreachable(error: Exception, problem: str) -> UpstreamError:
    if isinstance(error, httpcore2.ConnectTimeout):
        return Timeout(f"{problem} in time", outcome_unknown=False, transient=True)
    ours = error.args[0]  # httpcore takes the cause away from what it lets through, and leaves its arguments
    is_transient = not isinstance(cause(ours), ssl.SSLCertVerificationError)
    return Unreachable(f"{problem}: {reason(ours)}", outcome_unknown=False, transient=is_transient)


class _Transport(httpx2.AsyncBaseTransport):
    """A transport over our dialler. httpx's own reads the trust store from the environment and dials by itself."""

    def __init__(self, dialler: Dialler, tls: ssl.SSLContext | None) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls, max_connections=1, network_backend=_Network(dialler)
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        answer = await self._pool.handle_async_request(
            httpcore2.Request(
                request.method, url, headers=request.headers.raw, content=request.stream, extensions=request.extensions
            )
        )
        return httpx2.Response(
            answer.status, headers=answer.headers, stream=_Answered(answer), extensions=answer.extensions
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Answered(httpx2.AsyncByteStream):
    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        async with aclosing(self._answer.aiter_stream()) as pieces:
            async for piece in pieces:
                yield piece

    async def aclose(self) -> None:
        await self._answer.aclose()


class _Network(httpcore2.AsyncNetworkBackend):
    """Our dialler with httpcore2's network interface."""

    def __init__(self, dialler: Dialler) -> None:
        self._dialler = dialler

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the interface's; there is one deadline around it all
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore2.AsyncNetworkStream:
        try:
            return _NetworkStream(await self._dialler.connect(host, port))
        except ConnectTimeout as error:
            raise httpcore2.ConnectTimeout(str(error)) from error
        except ConnectError as error:
            raise httpcore2.ConnectError(error) from error


class _NetworkStream(httpcore2.AsyncNetworkStream):
    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109
        try:
            return await self._stream.read(max_bytes)
        except NetworkError as error:
            raise httpcore2.ReadError(reason(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109
        try:
            await self._stream.write(buffer)
        except NetworkError as error:
            raise httpcore2.WriteError(reason(error)) from error

    async def aclose(self) -> None:
        await self._stream.close()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        try:
            return _NetworkStream(await self._stream.start_tls(ssl_context, server_hostname or ""))
        except BaseException as error:  # httpcore leaves a connection open that could not be secured
            await http11.close(self._stream)
            if isinstance(error, ConnectError):
                raise httpcore2.ConnectError(error) from error
            raise

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - the interface's
        return not self._stream.is_quiet() if info == "is_readable" else None
