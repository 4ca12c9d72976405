"""Credentials as they were configured: one for an API (AUTH_…), and more by the document's security schemes.

Values stay in `Auth`, which only ``upstream.credentials`` opens. The pure rooms see an `Identity`: kinds and places.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings.command_line import Given
from openapi_mcp_server.settings.sources import ReadFile, file_hint, from_object, objects
from openapi_mcp_server.settings.table import SETTINGS

AuthKind = Literal["none", "basic", "bearer", "api_key", "digest", "oauth2", "cognito", "aws_sigv4"]
KeyLocation = Literal["header", "query", "cookie"]

NEEDED: Mapping[str, tuple[str, ...]] = {
    "basic": ("AUTH_USERNAME", "AUTH_PASSWORD"),
    "digest": ("AUTH_USERNAME", "AUTH_PASSWORD"),
    "bearer": ("AUTH_TOKEN",),
    "api_key": ("AUTH_API_KEY",),
    "oauth2": ("AUTH_OAUTH2_TOKEN_URL", "AUTH_OAUTH2_CLIENT_ID"),
    "cognito": ("AUTH_COGNITO_CLIENT_ID",),
}
"""The settings that each kind of credentials cannot do without, whatever else is set."""
USED: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "basic": ("AUTH_USERNAME", "AUTH_PASSWORD"),
    "digest": ("AUTH_USERNAME", "AUTH_PASSWORD"),
    "bearer": ("AUTH_TOKEN",),
    "api_key": ("AUTH_API_KEY", "AUTH_API_KEY_"),
    "oauth2": ("AUTH_OAUTH2_", "AUTH_TOKEN_TTL"),
    "cognito": ("AUTH_COGNITO_", "AUTH_TOKEN_TTL"),
    "aws_sigv4": ("AUTH_AWS_",),
}
"""The settings that mean something to each kind; what ends with an underscore is the beginning of several names."""
_NEEDED_BY_CLIENT_AUTH: Mapping[str, tuple[str, ...]] = {
    "basic": ("AUTH_OAUTH2_CLIENT_SECRET",),
    "post": ("AUTH_OAUTH2_CLIENT_SECRET",),
    "private_key_jwt": ("AUTH_OAUTH2_PRIVATE_KEY",),
    "tls": (),  # the certificate is the API's
}
_NEEDED_BY_FLOW: Mapping[str, tuple[str, ...]] = {
    "user_password": ("AUTH_COGNITO_USERNAME", "AUTH_COGNITO_PASSWORD"),
    "admin_user_password": ("AUTH_COGNITO_USERNAME", "AUTH_COGNITO_PASSWORD", "AUTH_COGNITO_USER_POOL_ID"),
    "client_credentials": ("AUTH_COGNITO_DOMAIN", "AUTH_COGNITO_CLIENT_SECRET"),
}
_PLACEHOLDER = re.compile(r"\$\{.*\}|<[A-Za-z][\w .-]*>")
"""A value that a client or a person was to replace: ``${TOKEN}``, ``<your token>``. A token cannot have such brackets
(RFC 6750 section 2.1), and a password in them is not of letters, digits and spaces alone."""
_OF_SEVERAL_LINES = frozenset({"AUTH_OAUTH2_PRIVATE_KEY", "AUTH_OAUTH2_SCOPES", "AUTH_COGNITO_SCOPES"})
_OF_ALL_SCHEMES = frozenset({"AUTH_SCHEMES", "AUTH_CLIENT_CERTIFICATE", "AUTH_CLIENT_KEY"})
_OF_A_SCHEME = {
    name: msgspec.structs.replace(setting, element=name)
    for setting in SETTINGS
    if setting.name.startswith("AUTH_") and setting.name not in _OF_ALL_SCHEMES
    for name in (setting.name.removeprefix("AUTH_").lower(),)
}


class AuthShape(msgspec.Struct, frozen=True, kw_only=True):
    """Kind and place of a credential, without its value. ``setting``: where it was given.

    The place of a key is None where the operator leaves it to the document.
    """

    kind: AuthKind = "none"
    api_key_name: str | None = None
    api_key_in: KeyLocation | None = None
    setting: str = "AUTH_TYPE"

    @property
    def key_name(self) -> str:
        return self.api_key_name or "X-API-Key"

    @property
    def key_in(self) -> KeyLocation:
        return self.api_key_in or "header"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """The kinds and places of the credentials that an API gets, never their values.

    ``schemes``: by the document's security schemes. ``headers`` (in lower case) and ``query`` are the names of fixed
    values, ``forwarded`` (in lower case) those of headers that clients send themselves. ``certificate``: whether TLS
    shows one of ours.
    """

    auth: AuthShape = AuthShape()
    schemes: Mapping[str, AuthShape] = {}
    certificate: bool = False
    headers: frozenset[str] = frozenset()
    query: frozenset[str] = frozenset()
    forwarded: frozenset[str] = frozenset()


class Auth(msgspec.Struct, frozen=True, kw_only=True):
    """One credential. Its fields are the settings AUTH_… in lower case; its repr tells only the kind."""

    kind: AuthKind = "none"
    setting: str = "AUTH_TYPE"
    username: str = ""
    password: str = ""
    token: str = ""
    api_key: str = ""
    api_key_name: str | None = None
    api_key_in: KeyLocation | None = None
    token_ttl: int = 3600
    oauth2_token_url: str = ""
    oauth2_client_id: str = ""
    oauth2_client_secret: str = ""
    oauth2_scopes: str = ""
    oauth2_audience: str = ""
    oauth2_resource: str = ""
    oauth2_client_auth: str = "basic"
    oauth2_private_key: str = ""
    oauth2_key_id: str = ""
    oauth2_parameters: tuple[tuple[str, str], ...] = ()
    exchange: Literal["none", "rfc8693", "on_behalf_of"] = "none"
    cognito_client_id: str = ""
    cognito_client_secret: str = ""
    cognito_username: str = ""
    cognito_password: str = ""
    cognito_user_pool_id: str = ""
    cognito_region: str = ""
    cognito_domain: str = ""
    cognito_scopes: str = ""
    cognito_flow: str = "auto"
    cognito_token: str = ""
    aws_service: str = ""
    aws_region: str = ""

    @property
    def key_name(self) -> str:
        return self.shape.key_name

    @property
    def key_in(self) -> KeyLocation:
        return self.shape.key_in

    @property
    def shape(self) -> AuthShape:
        return AuthShape(
            kind=self.kind, api_key_name=self.api_key_name, api_key_in=self.api_key_in, setting=self.setting
        )

    @property
    def flow(self) -> str:
        """The flow of cognito: a user's password where there is a user."""
        if self.cognito_flow != "auto":
            return self.cognito_flow
        return "user_password" if self.cognito_username else "client_credentials"

    def secrets(self) -> tuple[str, ...]:
        """All secret values, for those who remove them from the texts of libraries and APIs."""
        texts = [getattr(self, name) for name in _SECRET_FIELDS if name != "oauth2_parameters"]
        return tuple(filter(None, [*texts, *(value for _, value in self.oauth2_parameters)]))

    def __repr__(self) -> str:
        return f"Auth(kind={self.kind!r})"


_FIELDS = {
    f"AUTH_{name.upper()}": name for name in Auth.__struct_fields__ if name not in {"kind", "setting", "exchange"}
}
_SECRET_FIELDS = tuple(_FIELDS[setting.name] for setting in SETTINGS if setting.secret and setting.name in _FIELDS)


def auth(given: Mapping[str, Given]) -> Auth:
    """The credential that these settings describe. Raises ConfigError under the name that was used."""
    kind = given["AUTH_TYPE"]
    values = {field: given[name].value for name, field in _FIELDS.items() if given[name].value is not None}
    exchange = given.get("TOKEN_EXCHANGE")
    if exchange is not None and exchange.value != "none":
        if kind.value != "oauth2":
            raise ConfigError(exchange.label, f"is of use with oauth2 only; {kind.label} is {kind.value}")
        values["exchange"] = exchange.value
    made = Auth(kind=kind.value, setting=kind.label, **values)
    for name in _needed(made):
        value = given[name].value
        if not value:
            problem = "is missing" if given[name].is_default or value is None else "is empty"
            raise ConfigError(given[name].label, f"{problem}; {kind.label} is {kind.value}")
    for name in _FIELDS:
        value = given[name].value
        if isinstance(value, str) and _is_used(name, made.kind) and (problem := _slip(name, value, given[name].label)):
            raise ConfigError(given[name].label, problem)
    return made


def _is_used(name: str, kind: AuthKind) -> bool:
    return any(name.startswith(used) if used.endswith("_") else name == used for used in USED[kind])


def _slip(name: str, value: str, label: str) -> str:
    """A slip that would be sent as it is, and what to do about it; empty if there is none."""
    if _PLACEHOLDER.fullmatch(value):
        return f"is a placeholder that nothing has filled in; give the value{file_hint(label)}"
    if name not in _OF_SEVERAL_LINES and ("\n" in value or "\r" in value):
        return "must be one line"
    if name == "AUTH_TOKEN" and value.lower().startswith("bearer "):
        return "begins with the word Bearer, which is sent anyway; give the token alone"
    if name in {"AUTH_TOKEN", "AUTH_API_KEY"} and value and value[0] == value[-1] and value[0] in "\"'":
        return "is in quotes, which would be sent too; leave them out"
    return ""


def overlooked(given: Mapping[str, Given]) -> Iterable[str]:
    """A sentence for what is set and means nothing with this AUTH_TYPE."""
    kind = given["AUTH_TYPE"]
    unused = [given[name].label for name in _FIELDS if not given[name].is_default and not _is_used(name, kind.value)]
    if unused:
        yield f"{kind.label} is {kind.value}: {', '.join(unused)} {'is' if len(unused) == 1 else 'are'} not used"


def _needed(made: Auth) -> tuple[str, ...]:
    own = NEEDED.get(made.kind, ())
    if made.kind == "oauth2":
        return (*own, *_NEEDED_BY_CLIENT_AUTH[made.oauth2_client_auth])
    return (*own, *_NEEDED_BY_FLOW[made.flow]) if made.kind == "cognito" else own


def schemes(given: Given, read_file: ReadFile) -> dict[str, Auth]:
    """The credentials of AUTH_SCHEMES by the name of their scheme."""
    if not given.value:
        return {}
    return {
        name: _scheme(fields, f"{given.label}.{name}", read_file)
        for name, fields in objects(given, dict[str, dict[str, Any]], "object").items()
    }


def _scheme(fields: Mapping[str, Any], place: str, read_file: ReadFile) -> Auth:
    given = from_object(_OF_A_SCHEME, fields, place, read_file)
    if given["AUTH_TYPE"].value == "none":
        raise ConfigError(f"{place}.type", "is missing: basic, bearer, api_key, digest, oauth2, cognito or aws_sigv4")
    return auth(given)
