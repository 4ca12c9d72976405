"""Where the requests of an API go. The operator decides: the document may only move within the origin of the base URL,
and to other servers that are allowed by name.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from urllib.parse import urljoin

import msgspec

from openapi_mcp_server.bridge.model import BaseUrl, Origin, base_url
from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.model import ApiDescription, Operation

ANYWHERE = base_url("https://api.invalid")
"""Stands for an API whose place is not known; there is no such host (RFC 6761 section 6.4)."""
_HOW = "set API_BASE_URL (--api-url), or base_url in ADDITIONAL_SPECS"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where an API is. ``documented``: the document's own servers, as far as they can be used. ``unknown``: why the
    base is only a stand-in, good for looking and not for calling.
    """

    base: BaseUrl
    documented: tuple[BaseUrl, ...]
    unknown: SpecError | None = None


def _base(configured: BaseUrl | None, description: ApiDescription, location: str) -> BaseUrl:
    """The configured base, else the only absolute URL among the document's servers; SpecError if there is none.

    A relative one would be at the host of the document (Server Object). That is told and not taken: who keeps a
    document need not be who may see the credentials.
    """
    if configured is not None:
        return configured
    servers = description.servers
    absolute = list(dict.fromkeys(url for url in servers if "://" in url))
    if not absolute:
        raise SpecError(
            "#/servers", f"no absolute URL says where the API is{_reason(description)}; {_how(servers, location)}"
        )
    if len(absolute) > 1:
        named = ", ".join(map(_shown, absolute[:3]))
        raise SpecError("#/servers", f"{len(absolute)} URLs to choose from ({named}); {_HOW}")
    try:
        return base_url(absolute[0])
    except ValueError as error:
        raise SpecError("#/servers", f"{_shown(absolute[0])} {error}; {_HOW}") from error


def _reason(description: ApiDescription) -> str:
    """What the notes on the document say of a server that it names and that cannot be used."""
    dropped = [note for note in description.notes if note.kind == "server_dropped"]
    return f" ({dropped[0].pointer}: {dropped[0].message})" if dropped else ""


def _how(servers: Sequence[str], location: str) -> str:
    perhaps = f", perhaps to {_shown(_joined(location, servers[0]))}" if location and servers else ""
    return f"{_HOW}{perhaps}"


def place(configured: BaseUrl | None, description: ApiDescription, location: str) -> Place:
    """Where the API of a document is; ``location`` is the document's own URL, empty for a file."""
    servers = description.servers
    documented = tuple(base for url in servers if "://" in url and (base := _usable(url)) is not None)
    try:
        return Place(base=_base(configured, description, location), documented=documented)
    except SpecError as error:
        return Place(base=next(iter(documented), ANYWHERE), documented=documented, unknown=error)


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
        server = _usable(_joined(f"{base}/", url))
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


def _joined(location: str, url: str) -> str:
    try:
        return urljoin(location, url)
    except ValueError:
        return ""


def _shown(url: str) -> str:
    """Without user information, which may be a secret."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"


def _usable(url: str) -> BaseUrl | None:
    try:
        return base_url(url)
    except ValueError:
        return None
