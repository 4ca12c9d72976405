"""Notes on a document that can be used but is not quite right."""

from __future__ import annotations

from openapi_mcp_server.openapi.model import Note, NoteKind

_MESSAGE_CHARACTERS = 400
"""Messages quote the document, in which a name may have megabytes."""


def clipped(message: str) -> str:
    """A message of limited length; its quotations are escaped already."""
    return message if len(message) <= _MESSAGE_CHARACTERS else f"{message[: _MESSAGE_CHARACTERS - 1]}…"


class Notes:
    """The notes of one document, each once, in the order of their making."""

    def __init__(self) -> None:
        self._notes: dict[tuple[str, NoteKind, str], Note] = {}

    def add(self, pointer: str, kind: NoteKind, message: str) -> None:
        message = clipped(message)
        self._notes.setdefault((pointer, kind, message), Note(pointer=pointer, kind=kind, message=message))

    def __len__(self) -> int:
        return len(self._notes)

    def all(self) -> tuple[Note, ...]:
        return tuple(self._notes.values())
