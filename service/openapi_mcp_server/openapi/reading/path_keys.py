"""The keys of ``paths`` as people write them, and the parameters that they need."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Literal

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.grammar import ROUTE_VARIABLE, VARIABLE
from openapi_mcp_server.openapi.model import SPANNING, Parameter
from openapi_mcp_server.openapi.notes import Notes
from openapi_mcp_server.openapi.reading.parameters import ANY_TEXT

# A question mark or a hash within braces belongs to the variable. It is possessive, since a key may be megabytes of
# braces.
_KEY = re.compile(
    r"(?P<path>(?>(?:\{[^{}]*+\}|[^?#])*))(?:\?(?P<query>(?>(?:\{[^{}]*+\}|[^#])*)))?(?:#(?P<fragment>.*))?", re.DOTALL
)
_OPTIONAL_QUERY = re.compile(r"\{[?&]([^{}]*)\}")
"""Optional query parameters of a URI template (RFC 6570 sections 3.2.8 and 3.2.9): ``/pets{?page,size}``,
``/pets?sort=name{&page}``."""
_TWICE = re.compile(r"\{(\{[^{}]*\})\}")
"""A variable in Postman's notation."""
_ANY_SEGMENTS = frozenset({":path", ":.*", ":.+", "=**"})
_SEGMENT = re.compile(r"(?<=/)(?::(?P<colon>\w+)|<(?:\w+:)?(?P<angle>\w+)>)(?=/|$)")
"""A variable in the notation of Express and Flask."""


class PathKey(msgspec.Struct, frozen=True, gc=False):
    """The parts of a key. ``query`` has only its fixed pieces, ``bound`` has (wire name, variable) of the others.
    ``written`` is the whole key, ``offered`` has the names of optional query parameters."""

    path: str
    query: str
    bound: tuple[tuple[str, str], ...]
    written: str
    offered: tuple[str, ...] = ()

    @property
    def variables(self) -> tuple[str, ...]:
        """The names in braces in the path, once each, in order, without the mark of `spanning`."""
        return _variables(self.path)

    @property
    def spanning(self) -> frozenset[str]:
        """Variables that may be several segments: ``{+name}`` (RFC 6570 section 3.2.3), ``{name+}`` (AWS)."""
        return _spanning_variables(self.path)


@lru_cache(16)
def _variables(path: str) -> tuple[str, ...]:
    """The variables of a path. The result is cached, since each operation of the path and each parameter needs it."""
    return tuple(dict.fromkeys(found.strip(SPANNING) for found in VARIABLE.findall(path)))


@lru_cache(16)
def _spanning_variables(path: str) -> frozenset[str]:
    return frozenset(found.strip(SPANNING) for found in VARIABLE.findall(path) if found != found.strip(SPANNING))


def parsed(key: str, pointer: str, notes: Notes) -> PathKey:
    """A key of ``paths``; every repair is noted."""
    written = key
    if "{{" in key:
        notes.add(pointer, "path_repaired", "has variables in two pairs of braces; one was taken")
        key = _TWICE.sub(r"\1", key)
    found = _KEY.fullmatch(key)
    path, query, fragment = (found["path"], found["query"], found["fragment"]) if found else (key, None, None)
    if not path.startswith("/"):
        notes.add(pointer, "path_repaired", "does not begin with a slash; one was put before it")
        path = f"/{path}"
    offered = [*_OPTIONAL_QUERY.findall(path), *_OPTIONAL_QUERY.findall(query or "")]
    path, pieces = _OPTIONAL_QUERY.sub("", path), _OPTIONAL_QUERY.sub("", query or "").split("&")
    offered += [found[1] for piece in pieces if (found := VARIABLE.fullmatch(piece))]
    pieces = [piece for piece in pieces if piece and not VARIABLE.fullmatch(piece)]
    if query is not None and (pieces or not offered):
        notes.add(pointer, "path_repaired", f"carries a query, which is sent with every call: {'&'.join(pieces)!r}")
    if fragment is not None:
        notes.add(pointer, "path_repaired", f"carries a fragment, which only tells operations apart: {fragment!r}")
    names = [name.strip().rstrip("*") for listed in offered for name in listed.split(",")]
    if names:
        notes.add(pointer, "path_repaired", f"names query parameters, which are no part of the path: {names!r}")
    variables = [(piece, VARIABLE.fullmatch(piece.partition("=")[2])) for piece in pieces]
    return PathKey(
        path=path,
        query="&".join(piece for piece, variable in variables if variable is None),
        bound=tuple((piece.partition("=")[0], variable[1]) for piece, variable in variables if variable is not None),
        written=written,
        offered=tuple(filter(None, names)),
    )


def named(key: PathKey, parameters: Sequence[Parameter], pointer: str, notes: Notes) -> PathKey:
    """The key with the names of its parameters as variables, if it has them in a framework's notation (``{id:[0-9]+}``,
    ``{id?}``, ``{*rest}``, ``:id``, ``<int:id>``), with the operator of a URI template (``{;id}``, ``{.id*}``) or in
    another case. The style is always the parameter's. Undeclared variables stay as they are."""
    declared = {each.name.strip(SPANNING) for each in parameters if each.location == "path"}
    missing = {_folded(name): name for name in sorted(declared.difference(key.variables))}
    if not missing:
        return key
    path = ROUTE_VARIABLE.sub(lambda found: _variable(found, missing, declared), key.path)
    path = _SEGMENT.sub(lambda found: _segment(found, missing), path)
    if path == key.path:
        return key
    notes.add(pointer, "path_repaired", f"was read as {path!r}, by the names of its parameters")
    return msgspec.structs.replace(key, path=path)


def _folded(name: str) -> str:
    """A name without case and separators, so that ``petId`` and ``pet_id`` are equal."""
    return name.lower().replace("_", "").replace("-", "")


def _variable(found: re.Match[str], missing: Mapping[str, str], declared: Container[str]) -> str:
    mark, rest = found["name"].strip(), found["rest"] or ""
    name = missing.get(_folded(mark.strip("*?.+;")))
    if name is None or found[0][1:-1].strip(SPANNING) in declared:
        return found[0]
    is_template = mark.startswith((";", ".")) and not mark.startswith("...")
    is_spanning = not is_template and (
        {"*", "+"} & {*mark} or "..." in mark or rest in _ANY_SEGMENTS or (rest[:1] == "=" and "/" in rest)
    )
    return f"{{{name}{SPANNING if is_spanning else ''}}}"


def _segment(found: re.Match[str], missing: Mapping[str, str]) -> str:
    name = missing.get(_folded(found["colon"] or found["angle"]))
    return found[0] if name is None else f"{{{name}}}"


def fitted(parameters: Iterable[Parameter], key: PathKey, pointer: str, notes: Notes) -> tuple[Parameter, ...]:
    """The parameters of an operation, adapted to its path's key; raises SpecError. ``pointer`` is the operation's."""
    variables = frozenset(key.variables)
    if "" in variables:
        raise SpecError(pointer, f"the path {key.path!r} has a variable without a name")
    fixed = {piece.partition("=")[0] for piece in key.query.split("&")}
    wire_names = {variable: name for name, variable in key.bound}
    kept: list[Parameter] = []
    for declared in parameters:
        parameter = _spanning(declared, key) if SPANNING in key.path else declared
        if parameter.location in {"path", "query"} and parameter.name in wire_names and parameter.name not in variables:
            kept.append(_in_query(parameter, wire_names[parameter.name]))
        elif parameter.location == "path" and parameter.name not in variables:
            notes.add(
                parameter.pointer, "parameter_dropped", f"{parameter.name!r} is no variable of the path {key.path!r}"
            )
        elif parameter.location == "query" and parameter.name in fixed:
            notes.add(parameter.pointer, "parameter_dropped", f"the key of the path gives {parameter.name!r} its value")
        else:
            kept.append(parameter)
    return (*kept, *_undeclared(kept, key, pointer, notes))


def _spanning(parameter: Parameter, key: PathKey) -> Parameter:
    """A path parameter with the mark of its variable; some have the mark in their own name, too."""
    name = parameter.name.strip(SPANNING)
    if parameter.location != "path" or name not in key.spanning:
        return parameter
    return msgspec.structs.replace(parameter, name=name, spans_segments=True)


def _in_query(parameter: Parameter, name: str) -> Parameter:
    """A parameter whose variable stands in the query of the key."""
    if parameter.location == "query":
        return msgspec.structs.replace(parameter, name=name)
    return msgspec.structs.replace(parameter, name=name, location="query", style="form", explode=True)


def _undeclared(declared: list[Parameter], key: PathKey, pointer: str, notes: Notes) -> list[Parameter]:
    """A required string for every variable that has no parameter."""
    known = {(parameter.location, parameter.name) for parameter in declared}
    missing = [_text(pointer, name, "path") for name in key.variables if ("path", name) not in known]
    missing += [_text(pointer, name, "query") for name, _ in key.bound if ("query", name) not in known]
    optional = [_text(pointer, name, "query") for name in key.offered if ("query", name) not in known]
    missing += [msgspec.structs.replace(parameter, required=False) for parameter in optional]
    for parameter in missing:
        notes.add(pointer, "variable_undeclared", f"{parameter.name!r} has no parameter; any text was taken")
    return [_spanning(parameter, key) for parameter in missing]


def _text(pointer: str, name: str, location: Literal["path", "query"]) -> Parameter:
    return Parameter(
        pointer=pointer,
        name=name,
        location=location,
        required=True,
        schema=ANY_TEXT,
        style="simple" if location == "path" else "form",
        explode=location == "query",
    )
