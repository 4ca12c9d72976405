"""The addresses of an API in its document: Server Objects of 3.x; ``host``, ``basePath`` and ``schemes`` of 2.0."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.grammar import VARIABLE
from openapi_mcp_server.openapi.notes import Notes
from openapi_mcp_server.openapi.pointers import child
from openapi_mcp_server.openapi.reading.dialect import Source
from openapi_mcp_server.openapi.reading.objects import (
    ServerObject,
    ServerVariable,
    read,
    read_text,
    read_texts,
    reader,
    written,
)
from openapi_mcp_server.openapi.references.resolve import Located

_server = reader(ServerObject)
_variable = reader(ServerVariable)
_DOUBLED = re.compile(r"(?<=[^:/])/{2,}")
"""A doubled slash, from a variable that begins with a slash after another one (``/{basePath}`` with ``/prod``, as API
Gateway exports it), or that is empty."""
URL_CHARACTERS = 8_000
"""The same limit as for a path. A URL may repeat a variable: 200 kB became a gigabyte."""
_SCHEMES = ("https", "http")
"""Schemes that can be asked; of several, the first counts."""


def urls(
    declared: Sequence[msgspec.Raw] | None, pointer: str, notes: Notes, problems: list[SpecError] | None = None
) -> tuple[str, ...]:
    """The usable URLs of the ``servers`` list at ``pointer``, variables replaced by their defaults. Faults of the
    others are noted, and added to ``problems``.
    """
    found = []
    for index, value in enumerate(declared or ()):
        try:
            found.append(_url(Located(child(pointer, index), value)))
        except SpecError as error:
            notes.add(error.pointer, "server_dropped", error.problem)
            if problems is not None:
                problems.append(error.kept())
    return tuple(found)


def own(declared: Sequence[msgspec.Raw] | None, pointer: str, notes: Notes) -> tuple[str, ...]:
    """The URLs of a path or an operation; empty if it has none. Raises SpecError if none of them is usable."""
    problems: list[SpecError] = []
    found = urls(declared, pointer, notes, problems)
    if declared and not found:
        raise SpecError(pointer, f"none of these servers can be used ({problems[0]})")
    return found


def _url(at: Located) -> str:
    declared = read(_server, at)
    defaults = {
        name: _default(at.member(value, "variables", name)) for name, value in (declared.variables or {}).items()
    }
    if declared.url is None:
        raise SpecError(at.pointer, "the server has no url")
    url = written(declared.url) or "/"  # a relative reference like any other, and people mean the root by it
    missing = [name for name in VARIABLE.findall(url) if defaults.get(name) is None]
    if missing:
        raise SpecError(at.pointer, f"variable {missing[0]!r} of the server's url has no default")
    length = len(url) + sum(len(defaults[name] or "") for name in VARIABLE.findall(url))
    if length > URL_CHARACTERS:
        raise SpecError(at.pointer, f"the server's url has {length:,} characters; {URL_CHARACTERS:,} are read")
    filled = VARIABLE.sub(lambda variable: defaults[variable[1]] or "", url)
    return filled if filled == url else _DOUBLED.sub("/", filled)


def _default(at: Located) -> str | None:
    default = read(_variable, at).default
    return None if default is None else written(default)


class BaseAddress(msgspec.Struct, frozen=True):
    """The address of a Swagger 2.0 document. ``path`` has its leading slash, or is empty."""

    host: str
    path: str
    schemes: Sequence[str]

    def urls(self) -> tuple[str, ...]:
        """One URL, with https if offered; only the path if there is no host."""
        if not self.host:
            return (self.path,) if self.path else ()
        if not self.schemes:
            return (f"//{self.host}{self.path}",)
        return tuple(f"{scheme}://{self.host}{self.path}" for scheme in _SCHEMES if scheme in self.schemes)[:1]

    def of_operation(self, schemes: Sequence[str], at: Located) -> tuple[str, ...]:
        """The URL of an operation with ``schemes`` of its own; empty if it has none."""
        own = _in_lower_case(schemes)
        if own and not set(_SCHEMES).intersection(own):
            raise SpecError(child(at.pointer, "schemes"), "is served neither over https nor over http")
        return BaseAddress(self.host, self.path, own).urls() if own and self.host else ()


def base_address(source: Source) -> BaseAddress:
    """The address in ``host``, ``basePath`` and ``schemes``. It is empty if one of them cannot be read, since the rest
    would be another address."""
    host = source.spared(read_text, source.at("host"), "server_dropped")
    path = source.spared(read_text, source.at("basePath"), "server_dropped")
    schemes = source.spared(read_texts, source.at("schemes"), "server_dropped")
    if host is None or path is None or schemes is None:
        return BaseAddress("", "", [])
    if "/" in host:  # some write a whole URL
        message = (
            f"{host!r} is no host (and port); it was taken with basePath for the address, and schemes for its scheme"
        )
        source.notes.add(source.at("host").pointer, "server_repaired", message)
        host = host.rpartition("://")[2].rstrip("/")
    return BaseAddress(host, f"/{path.strip('/')}".rstrip("/"), _in_lower_case(schemes))


def _in_lower_case(schemes: Sequence[str]) -> list[str]:
    """The schemes in lower case: their case does not count (RFC 3986 section 3.1)."""
    return [scheme.lower() for scheme in schemes]
