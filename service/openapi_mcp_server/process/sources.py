"""The sources that the settings were read from: files and secrets that are replaced while the process runs."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from openapi_mcp_server.settings.config import Config, load
from openapi_mcp_server.settings.sources import STORES
from openapi_mcp_server.settings.table import SETTINGS

Look = tuple[int, int, int] | None
"""Change time, size and number of a file; None where there is none."""


class Sources:
    """Reads the settings, at the start and again. ``has_stores``: some secret is kept by AWS."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        self._argv = argv
        self._environ = environ
        self._looks: dict[str, Look] = {}
        self._were_there: set[str] = set()
        self.has_stores = False

    def load(self) -> Config:
        """Raises ConfigError. A file that had something in it and is empty now is being written: it is refused."""
        return load(self._argv, self._environ, self._read)

    def spelt(self, setting: str) -> str:
        """The setting as it was given: its flag, where that is on the command line."""
        words = {word.partition("=")[0] for word in self._argv}
        return next((each.option for each in SETTINGS if each.name == setting and each.option in words), setting)

    @property
    def can_change(self) -> bool:
        return bool(self._looks) or self.has_stores

    def looks(self) -> dict[str, Look]:
        return {path: _look(path) for path in self._looks}

    def known(self) -> dict[str, Look]:
        """The looks of the files as they were when they were read."""
        return dict(self._looks)

    def _read(self, place: str) -> str:
        if place.startswith(STORES):
            from openapi_mcp_server.upstream.credentials.aws import stores  # noqa: PLC0415 - for those who keep some there

            self.has_stores = True
            return stores.read(place, self._environ)
        self._looks[place] = _look(place)
        text = Path(place).read_text("utf-8")
        if not text.strip() and place in self._were_there:
            raise OSError(errno.ENODATA, "it is empty now")
        if text.strip():
            self._were_there.add(place)
        return text


def _look(path: str) -> Look:
    try:
        status = os.stat(path)  # noqa: PTH116 - of a name as it was given
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
