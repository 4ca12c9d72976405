"""Decides for each operation, at load, whether the configured credentials meet the document's requirements.

A document gives alternatives, each of schemes that must all be met (OpenAPI 3.1.1 section 4.8.30). A scheme is met by
the credential that AUTH_SCHEMES has for its name, or by the API's own if that fills the same place: header, query
parameter or cookie.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import assert_never

import msgspec

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.model import Access, KeyPlace
from openapi_mcp_server.grammar import as_variable
from openapi_mcp_server.openapi.model import Operation, Parameter, SecurityChoice, SecurityScheme
from openapi_mcp_server.settings.auth import AuthShape, Identity

OWN = ""
"""The name of the API's own credential (AUTH_TYPE) beside those of AUTH_SCHEMES."""
_REASON_LIMIT = 300
"""The most characters of a reason, since a document may have any number of alternatives."""


def placed(identity: Identity, operations: Iterable[Operation], schemes: Mapping[str, SecurityScheme]) -> Identity:
    """The identity with the places of all keys filled in; see `key_place`. A key for a scheme goes to the scheme's
    place."""
    own = _placed(identity.auth, key_place(identity.auth, operations, schemes))
    return msgspec.structs.replace(
        identity,
        auth=own,
        schemes={
            name: _placed(auth, _declared_for(auth, schemes.get(name))) for name, auth in identity.schemes.items()
        },
    )


def places(identity: Identity) -> dict[str, KeyPlace]:
    """The places of the keys by scheme; the API's own key is under `OWN`."""
    return {name: _configured_place(auth) for name, auth in {OWN: identity.auth, **identity.schemes}.items()}


def key_place(auth: AuthShape, operations: Iterable[Operation], schemes: Mapping[str, SecurityScheme]) -> KeyPlace:
    """The place of an API key: the operator's settings, and for missing ones the document.

    The document counts if its operations refer to exactly one place that agrees with the settings.
    """
    referred = {name for each in operations for choice in each.security for name, _ in choice.schemes}
    known = [scheme for name, scheme in schemes.items() if name in referred]
    found = {place for scheme in known if (place := _declared(scheme)) and _agrees(auth, place)}
    if len(found) == 1:
        return found.pop()
    return _configured_place(auth)


def access(security: Iterable[SecurityChoice], identity: Identity, schemes: Mapping[str, SecurityScheme]) -> Access:
    """The access to an operation with these alternatives; ``identity`` has the places of its keys.

    The first alternative that can be met decides which credentials are sent. If none can be met, or none is required,
    the API's own are sent.
    """
    choices = tuple(security)
    for choice in choices:
        found = [_meeting(identity, name, schemes) for name, _ in choice.schemes]
        named = [each for each in found if each is not None]
        if found and len(named) == len(found):
            return Access(kind="met", credentials=tuple(each for each in dict.fromkeys(named) if each != _CERTIFICATE))
    own = () if identity.auth.kind == "none" else (OWN,)
    if not choices or any(not choice.schemes for choice in choices):
        if not own:
            return _unasked(tuple(schemes.values()))
        return Access(kind="anonymous", credentials=own)
    asked = " or ".join(dict.fromkeys(_asked(choice, schemes) for choice in choices))
    reason = text.line(f"{_configured(identity)}; the document asks for {asked}", _REASON_LIMIT)
    wanted = [schemes[name] for choice in choices for name, _ in choice.schemes if name in schemes]
    advice = _advice(f"{reason[:1].upper()}{reason[1:]}", wanted)
    return Access(kind="unmet", reason=reason, advice=advice, credentials=own)


@lru_cache(maxsize=16)
def _unasked(known: tuple[SecurityScheme, ...]) -> Access:
    """The access of an operation without requirements, at an API without credentials."""
    asked = ", ".join(dict.fromkeys(map(_described, known)))
    said = "No credentials are configured, and the document asks for none here"
    return Access(kind="anonymous", advice=_advice(f"{said}; it knows {asked}" if asked else said, known))


def _advice(said: str, wanted: Iterable[SecurityScheme]) -> str:
    """Advice to the operator on an answer 401: the settings that meet the document's requirements."""
    ways = " or ".join(dict.fromkeys(way for scheme in wanted if (way := _settings(scheme)))) or "AUTH_TYPE"
    return f"{text.line(said, _REASON_LIMIT)}. This server's operator has to set {ways} (auth_… in ADDITIONAL_SPECS)."


def _settings(scheme: SecurityScheme) -> str:
    """The settings that meet a scheme; empty if there are none."""
    return _WAYS.get(scheme.http_scheme or "" if scheme.kind == "http" else scheme.kind, "")


_WAYS: Mapping[str, str] = {
    "apiKey": "AUTH_TYPE=api_key and AUTH_API_KEY",
    "basic": "AUTH_TYPE=basic, AUTH_USERNAME and AUTH_PASSWORD",
    "digest": "AUTH_TYPE=digest, AUTH_USERNAME and AUTH_PASSWORD",
    "bearer": "AUTH_TYPE=bearer and AUTH_TOKEN",
    "oauth2": "AUTH_TYPE=bearer and AUTH_TOKEN or AUTH_TYPE=oauth2",
    "openIdConnect": "AUTH_TYPE=bearer and AUTH_TOKEN or AUTH_TYPE=oauth2",
    "mutualTLS": "AUTH_CLIENT_CERTIFICATE",
}
"""Settings by the kind of a scheme, or by its name in HTTP."""
_CERTIFICATE = "TLS"
"""Stands for a client's certificate, which is no part of a request."""


def _meeting(identity: Identity, name: str, schemes: Mapping[str, SecurityScheme]) -> str | None:
    """The credential that meets a scheme, by its name in AUTH_SCHEMES or `OWN`; None if there is none."""
    if name in identity.schemes:
        return name
    scheme = schemes.get(name)
    if scheme is not None and scheme.kind == "mutualTLS" and identity.certificate:
        return _CERTIFICATE
    return OWN if scheme is not None and _meets(identity.auth, scheme) else None


def fills(identity: Identity, access: Access, parameter: Parameter) -> bool:
    """Whether the credentials of an operation, a fixed value or a header of the client fill this parameter. Then it is
    no argument for a model."""
    given = identity.forwarded | identity.headers
    if parameter.location == "header" and as_variable(parameter.name) in map(as_variable, given):
        return True
    if parameter.location == "query" and parameter.name in identity.query:
        return True
    names = access.credentials
    return bool(names) and any(_writes(_credential(identity, name), parameter) for name in names)


def _credential(identity: Identity, name: str) -> AuthShape:
    return identity.schemes[name] if name else identity.auth


def _writes(auth: AuthShape, parameter: Parameter) -> bool:
    place = _place(auth)
    if place is None or place.location != parameter.location:
        return False
    if place.location == "header":
        return as_variable(place.name) == as_variable(parameter.name)
    return place.name == parameter.name


def stranger(identity: Identity, schemes: Mapping[str, SecurityScheme]) -> str:
    """The reason why the document does not know a credential's kind or scheme; empty if it does. A document without
    schemes does not restrict credentials."""
    if unknown := [name for name in identity.schemes if name not in schemes]:
        named = ", ".join(map(repr, unknown))
        return text.line(
            f"AUTH_SCHEMES: {named} is no scheme of the document; it has {', '.join(schemes) or 'none'}", _REASON_LIMIT
        )
    if not schemes:
        return ""
    known = ", ".join(dict.fromkeys(_described(scheme) for scheme in schemes.values()))
    for name, auth in identity.schemes.items():
        if auth.kind != "api_key" and not _meets(
            auth, schemes[name]
        ):  # a key's value is whole, whatever the document says
            problem = (
                f"AUTH_SCHEMES.{name} is {auth.kind}; the document has {_described(schemes[name])} under that name"
            )
            return text.line(problem, _REASON_LIMIT)
    if identity.auth.kind == "none" or any(_meets(identity.auth, scheme) for scheme in schemes.values()):
        return ""
    own = _configured(msgspec.structs.replace(identity, schemes={}))
    return text.line(f"{own}, which the document does not know; it knows {known}", _REASON_LIMIT)


def told(identity: Identity, access: Access) -> list[dict[str, str]]:
    """Lists the credentials of an operation for people: kind, place and setting."""
    found = []
    for name in access.credentials:
        auth, place = _credential(identity, name), _place(_credential(identity, name))
        where = "" if place is None else f"{place.location} {place.name}"
        found.append({"kind": auth.kind, "place": where, "setting": auth.setting.removesuffix(".type")})
    found += [_named("certificate", "TLS", "AUTH_CLIENT_CERTIFICATE")] if identity.certificate else []
    found += [_named("fixed", f"header {name}", "EXTRA_HEADERS") for name in sorted(identity.headers)]
    found += [_named("fixed", f"query {name}", "EXTRA_QUERY") for name in sorted(identity.query)]
    found += [_named("forwarded", f"header {name}", "FORWARD_HEADERS") for name in sorted(identity.forwarded)]
    return found


def _named(kind: str, place: str, setting: str) -> dict[str, str]:
    return {"kind": kind, "place": place, "setting": setting}


def _placed(auth: AuthShape, place: KeyPlace) -> AuthShape:
    return msgspec.structs.replace(auth, api_key_name=place.name, api_key_in=place.location)


def _declared_for(auth: AuthShape, scheme: SecurityScheme | None) -> KeyPlace:
    declared = None if scheme is None else _declared(scheme)
    if declared is not None and _agrees(auth, declared):
        return declared
    return _configured_place(auth)


def _declared(scheme: SecurityScheme) -> KeyPlace | None:
    if scheme.parameter is None or scheme.location is None:
        return None
    return KeyPlace(name=scheme.parameter, location=scheme.location)


def _configured_place(auth: AuthShape) -> KeyPlace:
    return KeyPlace(name=auth.key_name, location=auth.key_in)


def _agrees(auth: AuthShape, place: KeyPlace) -> bool:
    return (auth.api_key_in in {None, place.location}) and (
        auth.api_key_name is None or _same(place, KeyPlace(name=auth.api_key_name, location=place.location))
    )


def _same(one: KeyPlace, other: KeyPlace) -> bool:
    """Whether two places are equal. Header names ignore case (RFC 9110 section 5.1), other names do not."""
    if one.location == other.location == "header":
        return one.name.lower() == other.name.lower()
    return one == other


_AUTHORIZATION = KeyPlace(name="Authorization", location="header")


_TOKENS = frozenset({"bearer", "oauth2", "cognito"})
"""Kinds that send a bearer token."""


def _meets(auth: AuthShape, scheme: SecurityScheme) -> bool:
    match scheme.kind:
        case "apiKey":
            # Many documents declare bearer tokens as a key in the header Authorization.
            place, declared = _place(auth), _declared(scheme)
            return place is not None and declared is not None and _same(place, declared)
        case "http" if auth.kind != "api_key":
            return scheme.http_scheme == ("bearer" if auth.kind in _TOKENS else auth.kind)
        case "http" | "oauth2" | "openIdConnect":
            return auth.kind in _TOKENS or (auth.kind == "api_key" and _writes_authorization(auth, scheme))
        case "mutualTLS":
            return False
        case unknown:
            assert_never(unknown)


def _writes_authorization(auth: AuthShape, scheme: SecurityScheme) -> bool:
    """Whether the operator's key in Authorization, a whole value, can meet a scheme. It cannot meet digest, whose value
    differs for each request."""
    return scheme.http_scheme != "digest" and _same(_configured_place(auth), _AUTHORIZATION)


def _place(auth: AuthShape) -> KeyPlace | None:
    match auth.kind:
        case "none":
            return None
        case "basic" | "bearer" | "digest" | "oauth2" | "cognito" | "aws_sigv4":
            return _AUTHORIZATION
        case "api_key":
            return _configured_place(auth)
        case unknown:
            assert_never(unknown)


def _configured(identity: Identity) -> str:
    auth = identity.auth
    others = f", AUTH_SCHEMES has {', '.join(identity.schemes)}" if identity.schemes else ""
    if auth.kind == "none":
        return others.removeprefix(", ") or "no credentials are configured"
    where = f" ({auth.key_in} {auth.key_name})" if auth.kind == "api_key" else ""
    return f"AUTH_TYPE is {auth.kind}{where}{others}"


def _asked(choice: SecurityChoice, schemes: Mapping[str, SecurityScheme]) -> str:
    return " and ".join(
        _described(schemes[name]) if name in schemes else f"{name} (not declared)" for name, _ in choice.schemes
    )


def _described(scheme: SecurityScheme) -> str:
    if scheme.kind == "apiKey":
        return f"apiKey ({scheme.location} {scheme.parameter})"
    return f"{scheme.kind} {scheme.http_scheme}" if scheme.kind == "http" else scheme.kind
