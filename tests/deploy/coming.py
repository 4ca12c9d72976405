"""Variables that files of deploy/ use and the settings do not have yet: each row goes when its setting comes."""

from __future__ import annotations

SETTINGS = {
    "SPEC_WAIT_SECONDS",
}
"""The worker's."""
VALUES = {"AUTH_TYPE": "none"}
"""Settings of which files use values that are refused now (cognito), with one that is taken."""
