"""Variables that files of deploy/ use and the settings do not have yet: each row goes when its setting comes."""

from __future__ import annotations

SETTINGS = {
    "INBOUND_TOKENS",
    "INBOUND_JWT_ISSUERS",
    "INBOUND_JWT_AUDIENCE",
    "PUBLIC_PATH_PREFIX",
    "SESSION_KEY",
    "SESSION_ADDRESS",
    "SHARED_STATE",
    "SPEC_WAIT_SECONDS",
}
"""Of the worker."""
PROXY = {"PROXY_KEEPALIVE"}
"""Of proxy/defaults.env."""
VALUES = {"INBOUND_AUTH": "none", "AUTH_TYPE": "none"}
"""Settings of which files use values that are refused now (token, jwt; cognito), with one that is taken."""
