"""Compiled catalogs in CACHE_DIR, from which another start, worker or reload takes them.

A file is data and nothing in it is run, but it says what tools there are and where their requests go, as the documents
do. So a file counts only if nobody but this user or root can have written it. Names and links that others made in the
folder then do no harm.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from openapi_mcp_server.bridge.compiled import kept
from openapi_mcp_server.bridge.model import ToolCatalog
from openapi_mcp_server.documents.options import SeenFiles

KEPT_FILES = 16
"""Catalogs that a folder holds; one more replaces the oldest."""
_SUFFIX, _UNFINISHED = ".catalog", ".unfinished"
_OWN = re.compile(rf"[0-9a-f]{{64}}(\.\w+{_UNFINISHED}|{_SUFFIX})")
"""The names of our files. Others in the folder are somebody else's."""
_LINE_BYTES = 8 * 1024 * 1024
"""The most bytes of the first line: it names every other file of a document, of which there may be 5,000."""

logger = logging.getLogger(__name__)


class FoundCatalog(NamedTuple):
    tools: ToolCatalog
    seen: tuple[SeenFiles, ...]


class _Head(msgspec.Struct, frozen=True):
    """The first line. ``digest`` is of all that follows, of which the first ``about`` bytes say what the rest is."""

    key: str
    digest: str
    about: int
    seen: tuple[SeenFiles, ...]


_head = msgspec.json.Decoder(_Head).decode


class Cache:
    """The catalogs in one folder. A failure here never stops a start: there is one line in the log, and the documents
    are read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, key: str) -> FoundCatalog | None:
        path = self._path(key)
        try:
            with _opened(path) as file:
                return _read(file, key)
        except FileNotFoundError:
            return None
        except OSError as error:
            problem = error.strerror or str(error)
        except (ValueError, msgspec.MsgspecError) as error:
            problem = str(error)
        logger.warning("a catalog in CACHE_DIR is not used", extra={"file": str(path), "problem": problem})
        return None

    def keep(self, key: str, catalog: ToolCatalog, seen: Sequence[SeenFiles]) -> None:
        """Writes a catalog, and gives the file its name when it is whole. A reader in the meantime gets the old one or
        this one."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(key, kept.encode(catalog), seen)
            self._make_room()
        except OSError as error:
            fields = {"folder": str(self._folder), "problem": error.strerror or str(error)}
            logger.warning("the catalog is not kept in CACHE_DIR", extra=fields)
        except (ValueError, TypeError):  # half of a character, say
            logger.warning("the catalog is not kept in CACHE_DIR", extra={"problem": "it holds what no JSON can"})

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"

    def _write(self, key: str, what: kept.Kept, seen: Sequence[SeenFiles]) -> None:
        import tempfile  # noqa: PLC0415 - 5 ms, for the first start

        whole = hashlib.sha256(what.about)
        for piece in what.pieces:
            whole.update(piece)
        head = _Head(key=key, digest=whole.hexdigest(), about=len(what.about), seen=tuple(seen))
        descriptor, name = tempfile.mkstemp(_UNFINISHED, f"{head.key}.", self._folder)  # for its user alone
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
                file.writelines([msgspec.json.encode(head), b"\n", what.about, *what.pieces])
            Path(name).replace(self._path(key))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _make_room(self) -> None:
        """Removes those that were written longest ago, and the remains of writers that were killed."""
        own = [path for path in self._folder.iterdir() if _OWN.fullmatch(path.name)]
        known = []
        for path in own:
            with suppress(FileNotFoundError):  # another process does the same
                known.append((path.stat(follow_symlinks=False).st_mtime, path))
        for _, path in sorted(known, reverse=True)[KEPT_FILES:]:
            path.unlink(missing_ok=True)


def _opened(path: Path) -> BinaryIO:
    """Opens a file without blocking: opening a FIFO would wait for a writer."""
    return open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")  # noqa: PTH123


def _read(file: BinaryIO, key: str) -> FoundCatalog:
    """Raises ValueError with what is wrong with the file."""
    if problem := _distrust(os.fstat(file.fileno())):
        raise ValueError(problem)
    head = _head(file.readline(_LINE_BYTES))
    if head.key != key:
        raise ValueError("it is another catalog, under this one's name")
    about, content = file.read(max(head.about, 0)), file.read()
    whole = hashlib.sha256(about)
    whole.update(content)
    if whole.hexdigest() != head.digest:
        raise ValueError("it is damaged")
    return FoundCatalog(kept.decode(about, memoryview(content)), head.seen)


def _distrust(status: os.stat_result) -> str:
    """Why a file does not count; empty if it does."""
    if not stat.S_ISREG(status.st_mode):
        return "it is not a regular file"
    if status.st_uid not in {0, os.geteuid()}:
        return "it belongs to another user"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others may write to it"
    return ""
