"""Server Objects of OpenAPI 3.x as URLs."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.notes import Notes
from openapi_mcp_server.openapi.pointers import child
from openapi_mcp_server.openapi.reading.objects import ServerObject, ServerVariable, read, reader, written
from openapi_mcp_server.openapi.references.resolve import Located

_server = reader(ServerObject)
_variable = reader(ServerVariable)
_TEMPLATE = re.compile(r"\{([^{}]*)\}")
_DOUBLED = re.compile(r"(?<=[^:/])/{2,}")
"""A doubled slash, from a variable that begins with a slash after another one (``/{basePath}`` with ``/prod``, as API
Gateway exports it), or that is empty."""
URL_CHARACTERS = 8_000
"""The same limit as for a path. A URL may repeat a variable: 200 kB became a gigabyte."""


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
    missing = [name for name in _TEMPLATE.findall(url) if defaults.get(name) is None]
    if missing:
        raise SpecError(at.pointer, f"variable {missing[0]!r} of the server's url has no default")
    length = len(url) + sum(len(defaults[name] or "") for name in _TEMPLATE.findall(url))
    if length > URL_CHARACTERS:
        raise SpecError(at.pointer, f"the server's url has {length:,} characters; {URL_CHARACTERS:,} are read")
    filled = _TEMPLATE.sub(lambda variable: defaults[variable[1]] or "", url)
    return filled if filled == url else _DOUBLED.sub("/", filled)


def _default(at: Located) -> str | None:
    default = read(_variable, at).default
    return None if default is None else written(default)
