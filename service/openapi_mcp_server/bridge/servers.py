"""Where the requests of an API go. The operator decides: the document may only move within the origin of the base URL,
and to other servers that are allowed by name.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from urllib.parse import urljoin

import msgspec

from openapi_mcp_server.bridge.origins import BaseUrl, Origin, base_url
from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.model import ApiDescription, Operation

ANYWHERE = base_url("https://api.invalid")
"""The base URL of an API with an unknown address; this host never exists (RFC 6761 section 6.4)."""
_HOW = "set API_BASE_URL (--api-url), or base_url in ADDITIONAL_SPECS"


class ApiPlace(msgspec.Struct, frozen=True, kw_only=True):
    """The address of an API. ``documented`` are the document's own usable servers. ``unknown`` says why the base is
    only a placeholder, for showing and not for calling. ``doubt`` says why the base may be wrong.
    """

    base: BaseUrl
    documented: tuple[BaseUrl, ...]
    unknown: SpecError | None = None
    doubt: str = ""


def place(configured: BaseUrl | None, description: ApiDescription, location: str) -> ApiPlace:
    """The address of a document's API; ``location`` is the document's own URL, empty for a file."""
    servers = _resolved(description, location, configured.origin.scheme if configured else "https")
    documented = tuple(base for url in servers if "://" in url and (base := _usable(url)) is not None)
    if configured is not None:
        return ApiPlace(base=configured, documented=documented, doubt=_doubt(configured, servers, documented))
    try:
        return ApiPlace(base=_only(servers, description), documented=documented)
    except SpecError as error:
        return ApiPlace(base=next(iter(documented), ANYWHERE), documented=documented, unknown=error)


def _resolved(description: ApiDescription, location: str, scheme: str) -> list[str]:
    """The document's servers, relative ones resolved against its own URL; without any, ``/`` is meant (OpenAPI 3.0.4
    and 3.1.1, Server Object, ``url``; OpenAPI Object, ``servers``; Swagger 2.0, ``host``). For a file they stay as they
    are, except that a host without a scheme gets ``scheme``.
    """
    if not location:
        return [f"{scheme}:{url}" if url.startswith("//") else url for url in description.servers]
    all_dropped = any(note.kind == "server_dropped" for note in description.notes)
    servers = description.servers or (() if all_dropped else ("/",))
    return [_joined(_without_user(location), url) for url in servers]


def _only(servers: Sequence[str], description: ApiDescription) -> BaseUrl:
    """The only absolute URL; raises SpecError if there is none, or more than one."""
    absolute = list(dict.fromkeys(url for url in servers if "://" in url))
    if not absolute:
        raise SpecError("#/servers", f"no absolute URL says where the API is{_reason(description)}; {_HOW}")
    if len(absolute) > 1:
        named = ", ".join(map(_without_user, absolute[:3]))
        raise SpecError("#/servers", f"{len(absolute)} URLs to choose from ({named}); {_HOW}")
    try:
        return base_url(absolute[0])
    except ValueError as error:
        raise SpecError("#/servers", f"{_without_user(absolute[0])} {error}; {_HOW}") from error


def _reason(description: ApiDescription) -> str:
    """The reason why one of the document's servers cannot be used, from the notes on the document."""
    dropped = [note for note in description.notes if note.kind == "server_dropped"]
    return f" ({dropped[0].pointer}: {dropped[0].message})" if dropped else ""


def _doubt(configured: BaseUrl, servers: Sequence[str], documented: Sequence[BaseUrl]) -> str:
    """A doubt about the base URL: it has no path although every server of the document has one (then most calls get
    404), or it ends like the address of a document."""
    if configured.path.endswith((".json", ".yaml", ".yml")):
        problem = f"API_BASE_URL (or base_url) is {configured}, which looks like a document"
        return f"{problem}: leave out the file if calls get a 404"
    paths = [base.path for base in documented] + [url for url in servers if url.startswith("/")]
    paths = [path.rstrip("/") for path in paths]
    if configured.path or not paths or not all(paths):
        return ""
    problem = f"API_BASE_URL (or base_url) is {configured} and the document's server is {servers[0]}"
    return f"{problem}: if calls are answered with 404, set it to {configured}{paths[0]}"


def operation_base(operation: Operation, base: BaseUrl, own: Sequence[BaseUrl], allowed: Collection[Origin]) -> BaseUrl:
    """The base for one operation, which may have servers of its own; raises SpecError if none of them is allowed.

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
    """A server's path after ``base`` replaces ``root``; None if it is unknown."""
    if path == root or path.startswith(f"{root}/"):
        return base + path.removeprefix(root)
    return base.removesuffix(root) + path if base.endswith(root) else None


def _joined(location: str, url: str) -> str:
    try:
        return urljoin(location, url)
    except ValueError:
        return ""


def _without_user(url: str) -> str:
    """A URL without its user information, which may be a secret."""
    scheme, found, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}" if found else url


def _usable(url: str) -> BaseUrl | None:
    try:
        return base_url(url)
    except ValueError:
        return None
