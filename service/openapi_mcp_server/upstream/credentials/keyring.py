"""The credentials of all APIs, made once: tokens outlive a reload of the documents, and a change of other secrets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from openapi_mcp_server.bridge.model import ApiSummary, HttpRequest, KeyPlace, ToolCatalog
from openapi_mcp_server.bridge.security import OWN
from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings.apis import ApiConfig
from openapi_mcp_server.settings.auth import Auth
from openapi_mcp_server.upstream.credentials.login import Login
from openapi_mcp_server.upstream.credentials.placing import Piece
from openapi_mcp_server.upstream.credentials.requests import Credentials, Kit, Pending, equipped
from openapi_mcp_server.upstream.credentials.table import KINDS, Means


class Keyring:
    """``apis`` as they are configured. Raises ConfigError for what cannot be sent at all, whenever it is made."""

    def __init__(self, apis: Iterable[ApiConfig], means: Means) -> None:
        self._apis = {api.name: api for api in apis}
        self._means = means
        self._made: dict[tuple[str, str], tuple[Auth, Piece | Login]] = {}
        self._served: tuple[ApiSummary, ...] = ()
        self._current = Credentials({})

    def credentials(self, tools: ToolCatalog) -> Credentials:
        """For a catalog that is served from now on, whose documents say where keys go."""
        self._served, self._current = tools.apis, Credentials(self._kits(tools.apis))
        return self._current

    def check(self, tools: ToolCatalog) -> None:
        """Whether they can be sent as the documents of this catalog say."""
        self._kits(tools.apis)

    def replace(self, apis: Iterable[ApiConfig]) -> None:
        """The same APIs with other values, from the next call on. Raises ConfigError; then the old ones stay."""
        before, self._apis = self._apis, {api.name: api for api in apis}
        try:
            self._current.replace(self._kits(self._served))
        except ConfigError:
            self._apis = before
            raise

    def _kits(self, served: Iterable[ApiSummary]) -> dict[str, Kit]:
        return {api.name: kit for api in served if (kit := self._kit(api)).credentials}

    def for_document(self, api: str, request: HttpRequest) -> HttpRequest | Pending:
        """A request for the API's own document, at the API's own origin."""
        kit = Kit(origins=frozenset({request.origin}), credentials=self._credentials(api, {}))
        return equipped(request, api, kit, [OWN])

    def _kit(self, api: ApiSummary) -> Kit:
        return Kit(origins=api.origins, credentials=self._credentials(api.name, api.key_places))

    def _credentials(self, api: str, places: Mapping[str, KeyPlace]) -> dict[str, Piece | Login]:
        configured = self._apis.get(api)
        if configured is None:
            return {}
        auths = {OWN: configured.auth, **configured.schemes}
        return {
            name: self._one(api, name, _placed(auth, places.get(name)))
            for name, auth in auths.items()
            if auth.kind != "none"
        }

    def _one(self, api: str, name: str, auth: Auth) -> Piece | Login:
        made = self._made.get((api, name))
        if made is None or made[0] != auth:
            made = self._made[api, name] = (auth, KINDS[auth.kind](api, auth, self._means))
        return made[1]


def _placed(auth: Auth, place: KeyPlace | None) -> Auth:
    if place is None or auth.kind != "api_key":
        return auth
    return msgspec.structs.replace(auth, api_key_name=place.name, api_key_in=place.location)
