"""Security schemes, and the alternatives that an operation requires."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Literal, cast

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.model import SecurityChoice, SecurityScheme
from openapi_mcp_server.openapi.notes import Notes
from openapi_mcp_server.openapi.pointers import ROOT, child, tokens
from openapi_mcp_server.openapi.reading.dialect import Source
from openapi_mcp_server.openapi.reading.objects import (
    NOTHING,
    Raws,
    SecuritySchemeObject,
    Texts,
    as_known,
    read,
    read_map,
    reader,
    written,
)
from openapi_mcp_server.openapi.references.resolve import Located, References

_scheme = reader(SecuritySchemeObject)
_requirement = reader(dict[str, msgspec.Raw])
_scopes: msgspec.json.Decoder[Texts] = msgspec.json.Decoder(Texts)

_KINDS = frozenset({"apiKey", "http", "oauth2", "openIdConnect", "mutualTLS"})
_HOME = ("components", "securitySchemes")
_LOCATIONS = frozenset({"header", "query", "cookie"})


def schemes(at: Located, source: Source) -> dict[str, SecurityScheme]:
    """The usable schemes of the map at ``at``, by name.

    A scheme that cannot be read counts as one that cannot be met, so that only operations that need it are affected.
    """
    found = {}
    for name, value in (source.spared(read_map, at, "security_dropped") or {}).items():
        scheme = source.spared(partial(_resolved, source, name), at.member(value, name), "security_dropped")
        if scheme is not None:
            found[name] = scheme
    return found


def _resolved(source: Source, name: str, at: Located) -> SecurityScheme:
    target = source.references.resolve(at).target
    return _read(name, read(_scheme, target), target)


def _read(name: str, declared: SecuritySchemeObject, at: Located) -> SecurityScheme:
    kind, parameter = as_known(written(declared.type), _KINDS), written(declared.name)
    location = as_known(written(declared.location), _LOCATIONS)
    http_scheme = written(declared.scheme).lower()
    if kind.lower() == "basic":  # 2.0
        kind, http_scheme = "http", "basic"
    if kind not in _KINDS:
        raise SpecError(at.pointer, f"a security scheme of an unknown type: {kind!r}")
    if kind == "http" and not http_scheme:
        raise SpecError(at.pointer, "a security scheme of type http without its scheme")
    if kind == "apiKey" and (not parameter or location not in _LOCATIONS):
        raise SpecError(at.pointer, "an API key needs its name, and 'in' as header, query or cookie")
    is_key = kind == "apiKey"
    return SecurityScheme(
        name=name,
        kind=cast("Literal['apiKey', 'http', 'oauth2', 'openIdConnect', 'mutualTLS']", kind),
        location=cast("Literal['header', 'query', 'cookie']", location) if is_key else None,
        parameter=parameter if is_key else None,
        http_scheme=http_scheme if kind == "http" else None,
    )


def choices(
    declared: Raws, pointer: str, known: Mapping[str, SecurityScheme], notes: Notes, references: References | None
) -> tuple[SecurityChoice, ...]:
    """The alternatives of a ``security`` list at ``pointer``, any of which is enough. ``references`` are given in a
    dialect where a scheme may be named by its URI.

    An alternative that cannot be read is left out. If no other is left, SpecError is raised with its place, since its
    requirements are unknown.
    """
    found, faults = [], []
    for index, value in enumerate(declared or ()):
        place = Located(child(pointer, index), value)
        try:
            choice = _choice(place)
        except SpecError as error:
            faults.append(error.kept())
            continue
        meant = [(_meant(name, known, references), name, scopes) for name, scopes in choice.schemes]
        found.append(SecurityChoice(tuple((each, scopes) for each, _, scopes in meant)))
        for each, name, _ in meant:
            if each not in known:
                notes.add(child(place.pointer, name), "security_dropped", "names no scheme that can be met")
    if faults and not found:
        raise faults[0].kept()
    for unread in faults:
        notes.add(unread.pointer, "security_dropped", unread.problem)
    return tuple(found)


def _choice(at: Located) -> SecurityChoice:
    members = read(_requirement, at).items()  # not null: that would ask for nothing
    return SecurityChoice(tuple((name, _read_scopes(scopes, at, name)) for name, scopes in members))


def _meant(name: str, known: Mapping[str, SecurityScheme], references: References | None) -> str:
    """The component that a requirement names, by its name or by its URI (3.2, Security Requirement Object)."""
    if references is None or name in known:
        return name
    try:
        at = tokens(references.find(name, Located(ROOT, NOTHING)).pointer)
    except SpecError:
        return name
    return at[-1] if at[:-1] == _HOME else name


def _read_scopes(value: msgspec.Raw, at: Located, name: str) -> tuple[str, ...]:
    return tuple(written(scope) for scope in read(_scopes, at.member(value, name)) or ())
