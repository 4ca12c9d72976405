"""Do the configured credentials meet what the document asks for? Decided at load, for each operation.

A document gives alternatives, each of schemes that must all be met (OpenAPI 3.1.1 section 4.8.30). There is one
credential for each API, so what is compared is the place it fills: the header, query parameter or cookie.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import assert_never

import msgspec

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.model import ANONYMOUS, Access, KeyPlace
from openapi_mcp_server.openapi.model import Operation, Parameter, SecurityChoice, SecurityScheme
from openapi_mcp_server.settings.apis import Auth

MET = Access(kind="met")
_REASON_LIMIT = 300
"""Characters of a reason; a document may name any number of alternatives."""


def key_place(auth: Auth, operations: Iterable[Operation], schemes: Mapping[str, SecurityScheme]) -> KeyPlace:
    """Where an API key goes: where the operator says; what that leaves open, as the document has it.

    The document counts where the operations refer to exactly one place that agrees with the operator's words.
    """
    referred = {name for each in operations for choice in each.security for name, _ in choice.schemes}
    known = [scheme for name, scheme in schemes.items() if name in referred]
    places = {place for scheme in known if (place := _declared(scheme)) and _agrees(auth, place)}
    if len(places) == 1:
        return places.pop()
    return KeyPlace(name=auth.key_name, location=auth.key_in)


def placed(auth: Auth, place: KeyPlace) -> Auth:
    """The credentials with their key's place filled in."""
    return msgspec.structs.replace(auth, api_key_name=place.name, api_key_in=place.location)


def access(security: Iterable[SecurityChoice], auth: Auth, schemes: Mapping[str, SecurityScheme]) -> Access:
    """What calling an operation with these alternatives comes to; ``auth`` with its key's place."""
    choices = tuple(security)
    for choice in choices:
        found = [schemes.get(name) for name, _ in choice.schemes]
        if found and all(scheme is not None and _meets(auth, scheme) for scheme in found):
            return MET
    if not choices or any(not choice.schemes for choice in choices):
        return ANONYMOUS if auth.kind != "none" else _unasked(tuple(schemes.values()))
    asked = " or ".join(dict.fromkeys(_asked(choice, schemes) for choice in choices))
    reason = text.line(f"{_configured(auth)}; the document asks for {asked}", _REASON_LIMIT)
    wanted = [schemes[name] for choice in choices for name, _ in choice.schemes if name in schemes]
    return Access(kind="unmet", reason=reason, advice=_advice(f"{reason[:1].upper()}{reason[1:]}", wanted))


@lru_cache(maxsize=16)
def _unasked(known: tuple[SecurityScheme, ...]) -> Access:
    """An operation that asks for nothing, at an API for which nothing is configured."""
    asked = ", ".join(dict.fromkeys(map(_described, known)))
    said = "No credentials are configured, and the document asks for none here"
    return Access(kind="anonymous", advice=_advice(f"{said}; it knows {asked}" if asked else said, known))


def _advice(said: str, wanted: Iterable[SecurityScheme]) -> str:
    """What an operator who reads the answer 401 can do: the settings, by what the document asks for."""
    ways = " or ".join(dict.fromkeys(way for scheme in wanted if (way := _settings(scheme)))) or "AUTH_TYPE"
    return f"{text.line(said, _REASON_LIMIT)}. Its operator has to set {ways} (auth_… in ADDITIONAL_SPECS)."


def _settings(scheme: SecurityScheme) -> str:
    """The settings that meet a scheme; empty where this version has none."""
    match scheme.kind:
        case "apiKey":
            return "AUTH_TYPE=api_key and AUTH_API_KEY"
        case "http" if scheme.http_scheme == "basic":
            return "AUTH_TYPE=basic, AUTH_USERNAME and AUTH_PASSWORD"
        case "http" if scheme.http_scheme != "bearer":
            return ""
        case "http" | "oauth2" | "openIdConnect":
            return "AUTH_TYPE=bearer and AUTH_TOKEN"
        case _:
            return ""


def fills(auth: Auth, parameter: Parameter) -> bool:
    """Whether these credentials write this parameter, which is then nothing to ask a model for."""
    place = _place(auth)
    if place is None or place.location != parameter.location:
        return False
    return _same(place, KeyPlace(name=parameter.name, location=place.location))


def stranger(auth: Auth, schemes: Mapping[str, SecurityScheme]) -> str:
    """Why these credentials are of a kind that the document does not know; empty where it does, or names no scheme."""
    if auth.kind == "none" or not schemes or any(_meets(auth, scheme) for scheme in schemes.values()):
        return ""
    known = ", ".join(dict.fromkeys(_described(scheme) for scheme in schemes.values()))
    return text.line(f"{_configured(auth)}, which the document does not know; it knows {known}", _REASON_LIMIT)


def _declared(scheme: SecurityScheme) -> KeyPlace | None:
    if scheme.parameter is None or scheme.location is None:
        return None
    return KeyPlace(name=scheme.parameter, location=scheme.location)


def _agrees(auth: Auth, place: KeyPlace) -> bool:
    return (auth.api_key_in in {None, place.location}) and (
        auth.api_key_name is None or _same(place, KeyPlace(name=auth.api_key_name, location=place.location))
    )


def _same(one: KeyPlace, other: KeyPlace) -> bool:
    """Names of headers are the same in any case (RFC 9110 section 5.1), others only as they are."""
    if one.location == other.location == "header":
        return one.name.lower() == other.name.lower()
    return one == other


_AUTHORIZATION = KeyPlace(name="Authorization", location="header")


def _meets(auth: Auth, scheme: SecurityScheme) -> bool:
    match scheme.kind:
        case "apiKey":
            # Many documents declare bearer tokens as a key in the header Authorization.
            place, declared = _place(auth), _declared(scheme)
            return place is not None and declared is not None and _same(place, declared)
        case "http" if auth.kind != "api_key":
            return auth.kind == scheme.http_scheme
        case "http" | "oauth2" | "openIdConnect":
            return auth.kind == "bearer" or (auth.kind == "api_key" and _writes_authorization(auth, scheme))
        case "mutualTLS":
            return False
        case unknown:
            assert_never(unknown)


def _writes_authorization(auth: Auth, scheme: SecurityScheme) -> bool:
    """A key in Authorization is a value that the operator wrote whole; a digest is another for each request."""
    return scheme.http_scheme != "digest" and _same(KeyPlace(name=auth.key_name, location=auth.key_in), _AUTHORIZATION)


def _place(auth: Auth) -> KeyPlace | None:
    match auth.kind:
        case "none":
            return None
        case "basic" | "bearer":
            return _AUTHORIZATION
        case "api_key":
            return KeyPlace(name=auth.key_name, location=auth.key_in)
        case unknown:
            assert_never(unknown)


def _configured(auth: Auth) -> str:
    if auth.kind == "none":
        return "no credentials are configured"
    where = f" ({auth.key_in} {auth.key_name})" if auth.kind == "api_key" else ""
    return f"AUTH_TYPE is {auth.kind}{where}"


def _asked(choice: SecurityChoice, schemes: Mapping[str, SecurityScheme]) -> str:
    return " and ".join(
        _described(schemes[name]) if name in schemes else f"{name} (not declared)" for name, _ in choice.schemes
    )


def _described(scheme: SecurityScheme) -> str:
    if scheme.kind == "apiKey":
        return f"apiKey ({scheme.location} {scheme.parameter})"
    return f"{scheme.kind} {scheme.http_scheme}" if scheme.kind == "http" else scheme.kind
