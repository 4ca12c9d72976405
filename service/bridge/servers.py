"""Where the requests of an API go. The operator decides: the document may only move within the origin of the base URL,
and to other servers that are allowed by name.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from urllib.parse import urljoin

from service.bridge.model import BaseUrl, Origin, base_url
from service.errors import SpecError
from service.openapi.model import Note, Operation

ANYWHERE = base_url("https://api.invalid")
"""Stands for an API whose place is not known; there is no such host (RFC 6761 section 6.4)."""
_HOW = "set API_BASE_URL (--api-url), or base_url in ADDITIONAL_SPECS"


def api_base(configured: BaseUrl | None, servers: Sequence[str], notes: Sequence[Note] = ()) -> BaseUrl:
    """The configured base, else the only absolute URL among the document's servers; SpecError if there is none.

    ``notes`` on the document may say why there is none.
    """
    if configured is not None:
        return configured
    absolute = list(dict.fromkeys(url for url in servers if "://" in url))
    if not absolute:
        dropped = [f" ({note.pointer}: {note.message})" for note in notes if note.kind == "server_dropped"]
        raise SpecError("#/servers", f"no absolute URL says where the API is{''.join(dropped[:1])}; {_HOW}")
    if len(absolute) > 1:
        raise SpecError("#/servers", f"{len(absolute)} URLs to choose from ({', '.join(absolute[:3])}); {_HOW}")
    try:
        return base_url(absolute[0])
    except ValueError as error:
        raise SpecError("#/servers", f"{absolute[0]} {error}; {_HOW}") from error


def base_to_show(
    configured: BaseUrl | None, servers: Sequence[str], notes: Sequence[Note] = ()
) -> tuple[BaseUrl, SpecError | None]:
    """The same where nothing will be sent: a stand-in, and why, if the base is not known."""
    try:
        return api_base(configured, servers, notes), None
    except SpecError as error:
        return next(iter(documented(servers)), ANYWHERE), error


def documented(servers: Sequence[str]) -> tuple[BaseUrl, ...]:
    """The document's own servers, as far as they are absolute URLs that can be used."""
    return tuple(base for url in servers if "://" in url and (base := _usable(url)) is not None)


def operation_base(
    operation: Operation, base: BaseUrl, own: Sequence[BaseUrl], allowed: Collection[Origin] = ()
) -> BaseUrl:
    """The base for one operation, which may have servers of its own; SpecError if all of them are elsewhere.

    A relative URL is resolved against the base URL, which stands for the place of the document (OpenAPI 3.1
    section 4.8.5). One at the origin of the document's ``own`` servers moves with them to the base's origin.
    """
    if not operation.servers:
        return base
    for url in operation.servers:
        server = _usable(urljoin(f"{base}/", url))
        if server is None:
            continue
        if server.origin == base.origin or server.origin in allowed:
            return server
        for root in own:
            if root.origin == server.origin and (path := _moved(server.path, root.path, base.path)) is not None:
                return BaseUrl(base.origin, path)
    elsewhere = ", ".join(list(dict.fromkeys(operation.servers))[:3])
    problem = f"is served at {elsewhere}, not at {base.origin}"
    raise SpecError(operation.pointer, f"{problem}; ALLOWED_SERVERS (--allowed-servers) can allow that")


def _moved(path: str, root: str, base: str) -> str | None:
    """Where a server's path is once ``base`` stands in for ``root``; None if that cannot be told."""
    if path == root or path.startswith(f"{root}/"):
        return base + path.removeprefix(root)
    return base.removesuffix(root) + path if base.endswith(root) else None


def _usable(url: str) -> BaseUrl | None:
    try:
        return base_url(url)
    except ValueError:
        return None
