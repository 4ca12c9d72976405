"""The kinds of credentials: one row each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from openapi_mcp_server.settings.auth import Auth, AuthKind
from openapi_mcp_server.upstream.credentials import api_key, basic, bearer
from openapi_mcp_server.upstream.credentials.login import Login, PerCaller, Web
from openapi_mcp_server.upstream.credentials.placing import Piece
from openapi_mcp_server.upstream.turns import TaskTurns


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """The means that a kind of credential may use. ``environ``: AWS's own variables."""

    web: Web
    environ: Mapping[str, str] = {}
    turns: TaskTurns = TaskTurns()  # of no task: everybody asks when it wants to

    def __repr__(self) -> str:
        return "Means()"


Credential = Piece | Login | PerCaller
Make = Callable[[str, Auth, Means], Credential]
"""Makes a credential of an API's name and its settings. Raises ConfigError for what cannot be used at all."""


def _digest(api: str, auth: Auth, means: Means) -> Login:  # noqa: ARG001 - the table's
    from openapi_mcp_server.upstream.credentials.digest import DigestLogin  # noqa: PLC0415 - for those who log in so

    return DigestLogin(auth)


def _oauth2(api: str, auth: Auth, means: Means) -> Login | PerCaller:
    from openapi_mcp_server.upstream.credentials import oauth2  # noqa: PLC0415

    return oauth2.login(api, auth, means.web, means.turns)


def _cognito(api: str, auth: Auth, means: Means) -> Login:
    from openapi_mcp_server.upstream.credentials.aws import cognito, keys  # noqa: PLC0415

    chain = keys.KeyChain(means.environ, means.web)
    return cognito.login(api, auth, means.web, chain, means.environ, means.turns)


def _aws_sigv4(api: str, auth: Auth, means: Means) -> Login:
    from openapi_mcp_server.upstream.credentials.aws import keys, signing  # noqa: PLC0415

    keys.require_keys(means.environ, auth.setting)
    return signing.SigningLogin(api, auth, keys.KeyChain(means.environ, means.web), means.environ)


KINDS: Mapping[AuthKind, Make] = {
    "basic": lambda api, auth, _: basic.piece(api, auth),
    "bearer": lambda api, auth, _: bearer.piece(api, auth),
    "api_key": lambda api, auth, _: api_key.piece(api, auth),
    "digest": _digest,
    "oauth2": _oauth2,
    "cognito": _cognito,
    "aws_sigv4": _aws_sigv4,
}
"""``none`` has no row."""
