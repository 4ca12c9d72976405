"""The credentials of all APIs, made once: tokens outlive a reload of the documents, and a change of other secrets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from urllib.parse import quote

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.model import ApiSummary, KeyPlace, ToolCatalog
from openapi_mcp_server.bridge.security import OWN
from openapi_mcp_server.errors import ConfigError, CredentialError
from openapi_mcp_server.settings.apis import ApiConfig
from openapi_mcp_server.settings.auth import Auth
from openapi_mcp_server.settings.ways import USUAL, WayOut
from openapi_mcp_server.upstream.addresses import AddressRule, CheckedDialler
from openapi_mcp_server.upstream.credentials.login import Ahead, Web
from openapi_mcp_server.upstream.credentials.placing import secrets_of
from openapi_mcp_server.upstream.credentials.requests import (
    NONE_FIXED,
    Credentials,
    FixedValues,
    Kit,
    Pending,
    equipped,
    with_fixed,
)
from openapi_mcp_server.upstream.credentials.table import KINDS, Credential, Means
from openapi_mcp_server.upstream.turns import TaskTurns
from openapi_mcp_server.upstream.ways import Way
from openapi_mcp_server.upstream.ways import way as make_way


class Keyring:
    """``apis`` as they are configured; ``environ``: AWS's own variables. Raises ConfigError for what cannot be sent at
    all, whenever it is made. ``turns``: when to ask for tokens."""

    def __init__(self, apis: Iterable[ApiConfig], rule: AddressRule, environ: Mapping[str, str]) -> None:
        self._apis = {api.name: api for api in apis}
        self._rule = rule
        self._environ = environ
        self._made: dict[tuple[str, str], tuple[Auth, WayOut, Credential]] = {}
        self._ways: dict[str, tuple[WayOut, Way]] = {}
        self._served: tuple[ApiSummary, ...] = ()
        self._current = Credentials({})
        self.turns = TaskTurns()

    def credentials(self, catalog: ToolCatalog) -> Credentials:
        """The credentials for a catalog that is served from now on, whose documents say where keys go."""
        self._served, self._current = catalog.apis, Credentials(self._kits(catalog.apis))
        return self._current

    def check(self, catalog: ToolCatalog) -> None:
        """Raises ConfigError where credentials cannot be sent as the documents of this catalog say."""
        self._kits(catalog.apis)

    def replace(self, apis: Iterable[ApiConfig]) -> None:
        """The same APIs with other values, from the next call on. Raises ConfigError; then the old ones stay."""
        before, after = self._apis, {api.name: api for api in apis}
        if before.keys() != after.keys():
            raise ConfigError("ADDITIONAL_SPECS", "names other APIs than at the start; start again")
        self._apis = after
        try:
            self._current.replace(self._kits(self._served))
        except ConfigError:
            self._apis = before
            raise

    async def ask_ahead(self) -> None:
        """Fetches the tokens and keys of all APIs, so that the first call need not wait and a failing endpoint is in
        the log before anybody calls. Tokens of a caller are fetched when the caller calls."""
        for _, _, login in list(self._made.values()):
            if isinstance(login, Ahead):
                with suppress(CredentialError):  # it has said so itself
                    await login.ahead()

    def way(self, api: str) -> Way | None:
        """The way to an API; None where it is the usual one."""
        configured = self._apis.get(api)
        if configured is None or configured.way == USUAL:
            return None
        made = self._ways.get(api)
        if made is None or made[0] != configured.way:
            made = self._ways[api] = (configured.way, make_way(configured.way, self._rule))
        return made[1]

    def for_document(self, api: str, request: HttpRequest, *, is_own: bool, is_the_apis: bool) -> HttpRequest | Pending:
        """A request for a document. ``is_own``: at the origin of the document that the operator named, which gets
        SPEC_HEADERS; ``is_the_apis``: at the API's own origin, which gets its credentials."""
        configured = self._apis[api]
        headers = configured.spec_headers if is_own else ()
        if not is_the_apis or not configured.spec_auth:
            return with_fixed(request, FixedValues(headers=headers), request.query)
        fixed = _fixed(configured)
        fixed = FixedValues(headers=(*headers, *fixed.headers), query=fixed.query)
        kit = Kit(origins=frozenset({request.origin}), credentials=self._credentials(configured, {}))
        names = [OWN] if configured.auth.exchange == "none" else []
        return equipped(with_fixed(request, fixed, request.query), api, kit, names)

    def _kits(self, served: Iterable[ApiSummary]) -> dict[str, Kit]:
        return {api.name: kit for api in served if not (kit := self._kit(api)).is_empty}

    def _kit(self, api: ApiSummary) -> Kit:
        configured = self._apis.get(api.name)
        if configured is None:
            return Kit(origins=api.origins, credentials={})
        has_fixed = configured.headers or configured.query
        return Kit(
            origins=api.origins,
            credentials=self._credentials(configured, api.key_places),
            fixed=_fixed(configured) if has_fixed else NONE_FIXED,
            forwarded=configured.forwarded,
            way="" if self.way(api.name) is None else api.name,
        )

    def _credentials(self, api: ApiConfig, places: Mapping[str, KeyPlace]) -> dict[str, Credential]:
        auths = {OWN: api.auth, **api.schemes}
        return {
            name: self._one(api, name, _placed(auth, places.get(name)))
            for name, auth in auths.items()
            if auth.kind != "none"
        }

    def _one(self, api: ApiConfig, name: str, auth: Auth) -> Credential:
        made = self._made.get((api.name, name))
        if made is None or made[:2] != (auth, api.way):
            means = Means(web=self._web(api.name, auth), environ=self._environ, turns=self.turns)
            one = KINDS[auth.kind](api.name, auth, means)
            made = self._made[api.name, name] = (auth, api.way, one)
        return made[2]

    def _web(self, api: str, auth: Auth) -> Web:
        """The way to a token endpoint; it is shown the API's certificate where that is how it knows the client."""
        own = self.way(api)
        if own is None:
            return Web(dialler=CheckedDialler(self._rule), rule=self._rule)
        is_known_by_it = auth.kind == "oauth2" and auth.oauth2_client_auth == "tls"
        return Web(dialler=own.dialler, rule=self._rule, tls=own.tls if is_known_by_it else own.anonymous_tls)


def _fixed(api: ApiConfig) -> FixedValues:
    pieces = tuple((name, f"{quote(name, safe='')}={quote(value, safe='')}") for name, value in api.query)
    secrets = tuple(secret for each in (*api.headers, *api.query) for secret in secrets_of(*each))
    return FixedValues(headers=api.headers, query=pieces, secrets=secrets)


def _placed(auth: Auth, place: KeyPlace | None) -> Auth:
    if place is None or auth.kind != "api_key":
        return auth
    return msgspec.structs.replace(auth, api_key_name=place.name, api_key_in=place.location)
