"""Variables that files of deploy/ use and the settings do not have yet: each row goes when its setting comes."""

from __future__ import annotations

SETTINGS = {
    "SHARED_STATE",
}
"""The worker's."""
