"""Variables that files of deploy/ use and the settings do not have yet: each row goes when its setting comes."""

from __future__ import annotations

SETTINGS = {
    "INBOUND_TOKENS",
    "INBOUND_JWT_ISSUERS",
    "INBOUND_JWT_AUDIENCE",
    "SHARED_STATE",
    "SPEC_WAIT_SECONDS",
}
"""The worker's."""
PROXY = {"PROXY_KEEPALIVE"}
"""The proxy's, for proxy/defaults.env."""
VALUES = {"INBOUND_AUTH": "none", "AUTH_TYPE": "none"}
"""Settings of which files use values that are refused now (token, jwt; cognito), with one that is taken."""
