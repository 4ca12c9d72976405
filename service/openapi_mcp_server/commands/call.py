"""``call``: one tool call from a shell, on a running server or straight from a document."""

from __future__ import annotations

import base64
import errno
import logging
import mimetypes
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

import anyio
import msgspec

from openapi_mcp_server.bridge.bodies.body_shape import FILE
from openapi_mcp_server.bridge.media import exact_json
from openapi_mcp_server.bridge.model import ToolCatalog
from openapi_mcp_server.commands import servers
from openapi_mcp_server.commands.wire import overheard
from openapi_mcp_server.documents.configured import keyring
from openapi_mcp_server.documents.loading import read_catalog
from openapi_mcp_server.errors import ConfigError, Unreachable
from openapi_mcp_server.gateway.serving import Send
from openapi_mcp_server.mcp.inbound import Call
from openapi_mcp_server.mcp.methods import LEGACY
from openapi_mcp_server.observe.record import CallRecord
from openapi_mcp_server.openapi.text.numbers import UNREADABLE, decode_doubles
from openapi_mcp_server.process.building import Outgoing, opened
from openapi_mcp_server.settings.config import Config
from openapi_mcp_server.upstream.sockets import reason

if TYPE_CHECKING:
    from mcp import Client


_OF_FILES = (b'"contentEncoding"', b'"binary"', FILE.encode("ascii"))
"""The words of an input schema about an argument that takes bytes: by JSON Schema, by OpenAPI 3.0, and our own
words."""
_INVALID_PARAMS = -32602
"""The JSON-RPC error code for an unknown tool."""
_SECONDS, _ANSWER_SECONDS = 30.0, 300.0
"""The time to connect and to send, and for an answer: the official client's own."""


def run(config: Config) -> int:
    """Prints the result's text; a picture or a file goes to ``--output``. 1 if the tool reports an error."""
    if not config.operands:
        raise ConfigError("call", "which tool? call TOOL name=value …; inspect lists them")
    tool, *pairs = config.operands
    arguments = parse_arguments(pairs)
    url = config.options.get("--server")
    if url is not None and "--verbose" in config.options:
        raise ConfigError("--verbose", "only a server itself sees what it sends; name the document with --spec-path")
    ask = _ask_document if url is None else _ask_server
    result = anyio.run(ask, config, tool, arguments, backend="trio")
    for content in result["content"]:
        _show(content, config.options.get("--output"))
    return 1 if result.get("isError") else 0


def parse_arguments(pairs: Sequence[str]) -> dict[str, Any]:
    """``name=text``, ``name:=json`` and ``name=@file``; what is given several times is a list.

    The server reads "5" as 5 where the tool wants a number, and base64 where it wants a file.
    """
    arguments: dict[str, list[Any]] = {}
    for pair in pairs:
        name, found, value = pair.partition("=")
        if not found or not name.rstrip(":"):
            raise ConfigError(pair, "write arguments as name=value, name:=JSON or name=@FILE")
        try:
            pair.encode()
        except UnicodeEncodeError:
            raise ConfigError(name.removesuffix(":"), "is not UTF-8 text") from None
        arguments.setdefault(name.removesuffix(":"), []).append(_value(name, value))
    return {name: values if len(values) > 1 else values[0] for name, values in arguments.items()}


def _value(name: str, text: str) -> Any:  # noqa: ANN401 - what JSON has
    if text.startswith("@") and not name.endswith(":"):
        return _FromFile(name, Path(text[1:]))
    if not name.endswith(":"):
        return text
    try:
        return exact_json.decode(text.encode())
    except ValueError as error:
        raise ConfigError(name[:-1], f"the value after := is not JSON: {error}") from None


class _FromFile(NamedTuple):
    """An argument whose value is in a file. Whether it is text or a file itself depends on the tool."""

    argument: str
    path: Path

    def value(self, schema: Mapping[str, Any]) -> str:
        """The argument's value: text, or the file as a data: URI where ``schema``, the tool's inputSchema, takes
        bytes."""
        try:
            data = self.path.read_bytes()
        except OSError as error:
            hint = f"{self.argument}:='\"@…\"' gives text that begins with @"
            raise ConfigError(self.argument, f"cannot read {self.path}: {error.strerror}; {hint}") from None
        told = msgspec.json.encode(schema.get("properties", {}).get(self.argument))
        if not any(mark in told for mark in _OF_FILES):
            with suppress(UnicodeDecodeError):
                return data.decode()
        media_type = mimetypes.guess_type(self.path.name)[0] or "application/octet-stream"
        return f"data:{media_type};name={quote(self.path.name)};base64,{base64.b64encode(data).decode()}"


def _read(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with the contents of their files."""

    def read(value: Any) -> Any:  # noqa: ANN401 - what JSON has
        if isinstance(value, _FromFile):
            return value.value(schema)
        return [read(each) for each in value] if isinstance(value, list) else value

    return {name: read(value) for name, value in arguments.items()}


async def _ask_document(config: Config, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Calls the tool through the same gateway that a server would use."""
    catalog = await read_catalog(config)
    schema = msgspec.json.decode(catalog.tools[tool].input.schema) if tool in catalog.tools else {}
    raw = msgspec.Raw(exact_json.encode(_read(arguments, schema)))
    call = Call(id=1, method="tools/call", version=LEGACY[-1], size=len(bytes(raw)), name=tool, arguments=raw)
    outgoing = Outgoing(keyring(config), overhear=_overhear(config, catalog, tool, arguments))
    async with opened(config, catalog, _ignore, outgoing=outgoing) as gateway:
        with _without_warnings():
            answer = msgspec.json.decode(b"".join(await gateway.answer(call, "stdio")))
    if "error" in answer:
        said = answer["error"]["message"]
        raise ConfigError(tool, f"{said}{'' if said.endswith('?') else ';'} inspect lists the tools")
    result: dict[str, Any] = answer["result"]
    return result


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Does not write the warnings of a call, such as that there is no token: the result says the same and why."""
    upstream = logging.getLogger("openapi_mcp_server.upstream")
    usual = upstream.level
    upstream.setLevel(logging.ERROR)
    try:
        yield
    finally:
        upstream.setLevel(usual)


def _overhear(
    config: Config, catalog: ToolCatalog, tool: str, arguments: Mapping[str, Any]
) -> Callable[[Send], Send] | None:
    """A function that tells of requests and answers, if that is asked for; in search mode the operation is an
    argument."""
    named = catalog.tools.get(tool) or catalog.tools.get(str(arguments.get("name")))
    if "--verbose" not in config.options or named is None:
        return None
    return partial(overheard, tool=named, tell=lambda said: sys.stderr.write(f"{said}\n"))


async def _ask_server(config: Config, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Calls the tool with the official client, which is the judge of our wire."""
    try:
        from mcp import Client, MCPError  # noqa: PLC0415 - takes a second to import
    except ModuleNotFoundError:
        raise servers.without_client("--server") from None
    url = servers.address(config)
    servers.quieten_client()
    try:
        with anyio.fail_after(_ANSWER_SECONDS):  # the client waits for ever for an answer to another id
            async with _as_caller(url, servers.token(config)) as server, Client(server) as client:
                schema = await _schema(client, tool) if "@" in " ".join(config.operands) else {}
                result = await client.call_tool(tool, _in_doubles(_read(arguments, schema)))
    except TimeoutError:
        raise Unreachable(f"{url}: no answer within {_ANSWER_SECONDS:g} s", outcome_unknown=True) from None
    except MCPError as error:
        raise ConfigError(tool, f"the server at {url} says: {error}") from None
    except ExceptionGroup as group:  # the client raises the errors of its tasks in a group
        if own := group.subgroup(ConfigError):
            raise _only(own) from None
        first = _first(group)
        if isinstance(first, MCPError) and first.code == _INVALID_PARAMS:
            raise ConfigError(tool, f"the server at {url} says: {first}") from None
        said = reason(first, trust="SSL_CERT_FILE")  # a variable of the client's own
        raise Unreachable(f"{url}: {said}{_hint(url, said)}", outcome_unknown=False) from None
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


def _in_doubles(arguments: Mapping[str, Any]) -> Any:  # noqa: ANN401 - what JSON has
    """The arguments with numbers as the official client sends them. It would send a Decimal as text."""
    try:
        return decode_doubles(exact_json.encode(arguments))
    except UNREADABLE as error:
        problem = f"the client sends numbers as doubles: {error}; a document (--spec-path) takes any number"
        raise ConfigError("call", problem) from None


def _only(error: BaseException) -> BaseException:
    """The first error in a group of groups."""
    return _only(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


@asynccontextmanager
async def _as_caller(url: str, token: str) -> AsyncIterator[Any]:
    """The server as the official client takes it: its URL, or a transport that sends the token."""
    if not token:
        yield url
        return
    import httpx2  # noqa: PLC0415 - the client has it imported
    from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415 - takes a second to import

    patience = httpx2.Timeout(_SECONDS, read=_ANSWER_SECONDS)
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=patience) as http:
        yield streamable_http_client(url, http_client=http)


async def _schema(client: Client, tool: str) -> Mapping[str, Any]:
    """The input schema of the tool; empty if the server does not list it."""
    return next((each.input_schema for each in await servers.listed(client) if each.name == tool), {})


def _hint(url: str, said: str) -> str:
    if "Authorization: Bearer" in said:
        return "; --token-file FILE does"
    if said == os.strerror(errno.ECONNREFUSED):
        return "; does the server run?"
    if not urlsplit(url).path.endswith(("/mcp", "/sse")):
        return "; our servers' endpoint is at /mcp"
    return "" if ";" in said else "; doctor --server says more"


def _first(error: BaseException) -> BaseException:
    """The client's HTTP library hides the cause of what it raises, and leaves it as the context."""
    earlier = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__ or error.__context__
    return error if earlier is None else _first(earlier)


def _ignore(record: CallRecord) -> None:
    """Drops the record: the result is all that the caller of one call wants to see."""


def _show(content: Mapping[str, Any], output: str | None) -> None:
    match content["type"]:
        case "text":
            sys.stdout.write(content["text"] + "\n")
        case "image" | "audio":
            _keep(content["data"], content["mimeType"], output)
        case "resource":
            resource = content["resource"]
            if "text" in resource:
                sys.stdout.write(resource["text"] + "\n")
            else:
                _keep(resource["blob"], resource["mimeType"], output)
        case other:
            sys.stdout.write(f"({other})\n")


def _keep(data: str, media_type: str, output: str | None) -> None:
    decoded = base64.b64decode(data)
    if output is None:
        sys.stdout.write(f"({len(decoded)} bytes of {media_type}; --output FILE keeps them)\n")
        return
    try:
        Path(output).write_bytes(decoded)
    except OSError as error:
        raise ConfigError("--output", f"cannot write {output}: {error.strerror}") from None
    sys.stdout.write(f"({len(decoded)} bytes of {media_type} in {output})\n")
