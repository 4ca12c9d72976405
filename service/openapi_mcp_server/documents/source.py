"""The bytes of a document, from a file or an address that the operator named, and from nowhere else."""

from __future__ import annotations

import os
import re
import ssl
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin

import anyio

from openapi_mcp_server.aside import run_in_thread
from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse, request_for
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import Absent, ConfigError, CredentialError, SpecError, UpstreamError
from openapi_mcp_server.settings.sources import path_hint
from openapi_mcp_server.upstream.addresses import AddressRule
from openapi_mcp_server.upstream.credentials.requests import Pending
from openapi_mcp_server.upstream.sockets import Dialler

FILE_BYTES = 64 * 1024 * 1024
"""The most bytes of a file: the largest document known has 47 MB."""
URL_BYTES = 32 * 1024 * 1024
"""The most bytes of an answer, decoded."""
FETCH_SECONDS = 30.0
"""For the whole fetch."""
_TRANSIENT = frozenset({404, 408, 425, 429})
"""Statuses of a server that is just being started, too."""
_OF_ADDRESSES = frozenset({"API_SPEC_URL", "API_SPEC_URL_FILE", "--spec-url"})
_AFTER_PATH = re.compile("[?#]")
_TEXTS = ("{", "[", "openapi:", "swagger:", "overlay:")
"""The first characters of documents, overrides and policies."""
_ACCEPT = (("Accept", "application/json, application/yaml;q=0.9, */*;q=0.8"),)


class Visit(NamedTuple):
    """How an address is asked. ``equip`` adds what the request is to carry."""

    dialler: Dialler
    tls: ssl.SSLContext | None
    equip: Callable[[HttpRequest], HttpRequest | Pending]


async def read(
    location: str,
    *,
    setting: str,
    rule: AddressRule,
    visit: Callable[[HttpRequest], Visit],
    allowed_dirs: Sequence[Path] = (),
    limiter: anyio.CapacityLimiter | None = None,
) -> bytes:
    """The document at a path or an http(s) URL. ``setting`` is what the operator gave it as, for messages.

    ``allowed_dirs``: files outside of these folders are refused; any file if there are none. A thread reads files, of
    which ``limiter`` lets so many be: calls go on, and a disk that hangs can be left behind.
    ``visit`` says how a URL is asked. Raises ConfigError where the location cannot be used, SpecError where it gives no
    document, Absent where it may give one later.
    """
    if "://" not in location and setting in _OF_ADDRESSES:
        raise ConfigError(setting, f"{location!r} must start with http:// or https://; --spec-path takes a file")
    if "://" in location and not _is_text(location):
        request = _request(location, setting, rule)
        return await _fetch(location, request, visit(request))
    take = partial(read_file, Path(location), setting, allowed_dirs)
    return await run_in_thread(take, abandon_on_cancel=True, limiter=limiter)


def shown(location: str) -> str:
    """A location as messages show it: without user information, query and fragment, which may hold secrets."""
    if "://" not in location:
        return location
    scheme, _, rest = location.partition("://")
    authority, slash, path = _AFTER_PATH.split(rest, maxsplit=1)[0].partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"


def _is_text(location: str) -> bool:
    return location.lstrip().startswith(_TEXTS)


def unread(path: Path, error: OSError) -> str:
    """Why a path gave no file. ``error``: the error for the name without links."""
    if _is_text(str(path)):
        return "takes the name of a file, not its text"
    with suppress(OSError):
        if stat.S_ISFIFO(path.stat().st_mode):  # <(command), /dev/stdin: what their links lead to has no name
            return f"{path} is not a regular file"
    return f"cannot read {path}: {error.strerror}{_start(path, error)}"


def _start(path: Path, error: OSError) -> str:
    """The folder in which a relative path was looked for: a client that starts the server chooses it."""
    if path.is_absolute() or not isinstance(error, FileNotFoundError):
        return ""
    if hint := path_hint(str(path)):
        return hint
    with suppress(OSError):  # the folder itself may be gone
        return f"; it was looked for in {Path.cwd()}"
    return ""


def read_file(
    path: Path, setting: str, allowed_dirs: Sequence[Path], limit: int = FILE_BYTES, allowed: str = "ALLOWED_SPEC_DIRS"
) -> bytes:
    """A regular file of at most ``limit`` bytes; raises ConfigError. See `read`.

    ``allowed``: what ``allowed_dirs`` are, in words.
    """
    try:
        real = path.resolve(strict=True)
        if allowed_dirs and not any(real.is_relative_to(folder.resolve()) for folder in allowed_dirs):
            raise ConfigError(setting, f"{path} is outside of {allowed}")
        descriptor = _opened(real)
    except OSError as error:
        raise ConfigError(setting, unread(path, error)) from None
    except (ValueError, RuntimeError):  # a null byte; links that lead to themselves
        raise ConfigError(setting, f"{str(path)!r} is not a path that can be read") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):  # asked before Python opens it: a folder would be an error of its own
        os.close(descriptor)
        raise ConfigError(setting, f"{path} is not a regular file")
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
        if status.st_size > limit:
            problem = f"{path} has {status.st_size / 2**20:.0f} MiB; a document may have {limit / 2**20:.0f}"
            raise ConfigError(setting, problem)
        data = file.read(status.st_size + 1)
    if len(data) != status.st_size:  # files of /proc say 0, too
        raise ConfigError(setting, f"{path} changes while it is read")
    return data


def _opened(path: Path) -> int:
    """A descriptor of a path without links, folder by folder from the root: one that has become a link since the path
    was looked at is not followed. Raises OSError."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    through = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
    folder = os.open(path.anchor, through)
    try:
        for part in path.parts[1:-1]:
            inner = os.open(part, through, dir_fd=folder)
            os.close(folder)
            folder = inner
        # Non-blocking, or opening a FIFO would wait for a writer; what was opened is looked at, not what has its name.
        return os.open(path.name or ".", flags | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)


async def _fetch(url: str, request: HttpRequest, visit: Visit) -> bytes:
    from openapi_mcp_server.upstream import web  # noqa: PLC0415 - httpx, for those whose documents have an address

    async def send(one: HttpRequest, seconds: float) -> HttpResponse:
        return await web.fetch(one, visit.dialler, seconds=seconds, most_bytes=URL_BYTES, tls=visit.tls)

    try:
        equipped = visit.equip(request)
        if isinstance(equipped, HttpRequest):
            response = await send(equipped, FETCH_SECONDS)
        else:
            response = await equipped.exchange(send, FETCH_SECONDS)
    except (UpstreamError, CredentialError) as error:
        raise (Absent if error.transient else SpecError)(shown(url), str(error)) from error
    if response.status != 200:
        kind = Absent if response.status >= 500 or response.status in _TRANSIENT else SpecError
        raise kind(shown(url), f"the server answered {response.status}{_told(url, response)}")
    return response.body


def _told(url: str, response: HttpResponse) -> str:
    """The advice to the operator: log in, or give the address that the answer points to."""
    if response.status in {401, 403}:
        return "; SPEC_HEADERS can log in there, and the API's credentials do at the origin of API_BASE_URL"
    place = response.header("location")
    try:
        return f" and points to {shown(urljoin(url, place))!r}; give that address" if place else ""
    except ValueError:  # not a URL at all
        return ""


def origin(url: str) -> Origin | None:
    """The origin of a URL which can be asked."""
    try:
        return request_for(url).origin
    except ValueError:
        return None


def _request(url: str, setting: str, rule: AddressRule) -> HttpRequest:
    try:
        request = request_for(url, headers=_ACCEPT)
    except ValueError as error:
        hint = "; write a path without file://" if url.startswith("file:") else ""
        raise ConfigError(setting, f"{shown(url)}: {error}{hint}") from None
    if problem := rule.url_problem(request.origin.scheme, request.origin.host):
        raise ConfigError(setting, f"{shown(url)}: {problem}")
    return request
