"""Reads the other files of a document in several files, only from the folders that the operator allows.

A document chooses which of these files are read. It cannot choose one outside its folder (or ALLOWED_SPEC_DIRS, if they
are set), or any address. A refused file costs only the operations that need it, and is logged.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

from openapi_mcp_server.documents import source
from openapi_mcp_server.documents.options import SeenFiles
from openapi_mcp_server.errors import ConfigError, SpecError
from openapi_mcp_server.openapi.references import bundle
from openapi_mcp_server.openapi.text.document import Document, DocumentLimits, read

MAX_FILES = 5_000
"""Files that one document may name, there or not."""
PARTS_BYTES = 32 * 1024 * 1024
"""The most bytes of all of them together, as text and once more as JSON: half of what a document in one file may
have."""

_TOO_MANY = f"more than {MAX_FILES} files"
_OWN = "the document's folder, and ALLOWED_SPEC_DIRS names no others"

logger = logging.getLogger(__name__)


class Parts:
    """The files beside the document at ``location``; for one that came from an address there are none. ``seen``: those
    that another process has read."""

    def __init__(self, location: str, allowed_dirs: Sequence[Path] = (), seen: SeenFiles | None = None) -> None:
        self._location = location
        self._folder = _folder(location) if seen is None else Path(seen.folder)
        self._folders, self._allowed = (allowed_dirs, "ALLOWED_SPEC_DIRS") if allowed_dirs else ([self._folder], _OWN)
        self._seen: dict[str, str] = {} if seen is None else dict(seen.digests)
        self._asked = 0
        self._text_room = PARTS_BYTES
        self._json_room = PARTS_BYTES

    def bundled(self, document: Document) -> Document:
        """One document with all the files that it refers to; as it is if only what lies in folders could be meant."""
        if "://" in self._location or not bundle.is_needed(document):
            return document
        return bundle.bundle(document, str(self._folder / Path(self._location).name), self.read)

    @property
    def seen(self) -> SeenFiles:
        """The files that were read so far, by which another process finds whether it has changed."""
        return SeenFiles(str(self._folder), self._seen)

    def have_changed(self) -> bool:
        """Whether any file that was read, or could not be, is different by now. Nothing of it is parsed."""
        if self._seen and _folder(self._location) != self._folder:  # a link that leads elsewhere now
            return True
        room = PARTS_BYTES
        for path, seen in self._seen.items():
            try:
                data = source.read_file(Path(path), "$ref", self._folders, room, self._allowed)
            except ConfigError as error:
                now = _digest(str(error).encode())
            else:
                now = _digest(data)
                room -= len(data)
            if now != seen:
                return True
        return False

    def read(self, path: str) -> bytes:
        """See `openapi_mcp_server.openapi.references.bundle.Read`."""
        self._asked += 1
        if self._asked > MAX_FILES:
            if self._asked == MAX_FILES + 1:
                logger.warning("the document refers to %s; no further ones are read", _TOO_MANY)
            raise SpecError("", f"the document refers to {_TOO_MANY}")
        try:
            return self._read(path)
        except SpecError as error:
            logger.warning("a file that the document refers to is not used: %s", error)
            raise

    def _read(self, path: str) -> bytes:
        if not path.isprintable():  # a line break would begin a line of the log that is not ours
            raise SpecError("", f"{path!r} is not a path that can be read")
        try:
            data = source.read_file(Path(path), "$ref", self._folders, self._text_room, self._allowed)
        except ConfigError as error:
            self._seen[path] = _digest(str(error).encode())
            raise SpecError("", error.problem) from error
        self._seen[path] = _digest(data)
        self._text_room -= len(data)
        try:
            json = read(data, limits=DocumentLimits(expanded_bytes=self._json_room))
        except SpecError as error:
            raise SpecError(f"{path}, {error.pointer}".removesuffix(", "), error.problem) from error
        self._json_room -= len(json)
        return json


def _folder(location: str) -> Path:
    return Path() if "://" in location else Path(location).parent.resolve()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
