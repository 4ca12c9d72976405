"""Notes on a document that can be used but is not quite right."""

from __future__ import annotations

from openapi_mcp_server.openapi.model import Note, NoteKind
from openapi_mcp_server.openapi.pointers import ROOT

MAX_NOTES = 100_000
"""The most notes on one document. A document of 100 kB, whose operations share a body with a fault in each of 800 media
types, made 600,000 in 350 MB. Known documents have at most 819."""
LEFT_OUT = Note(
    pointer=ROOT, kind="notes_left_out", message=f"there are more than {MAX_NOTES:,} notes; these are the first"
)
_MESSAGE_CHARACTERS = 400
"""Messages quote the document, in which a name may have megabytes."""


def clipped(message: str) -> str:
    """A message of limited length; its quotations are escaped already."""
    return message if len(message) <= _MESSAGE_CHARACTERS else f"{message[: _MESSAGE_CHARACTERS - 1]}…"


class Notes:
    """The notes of one document, each once, in the order of their making, as many as are kept."""

    def __init__(self) -> None:
        self._notes: dict[tuple[str, NoteKind, str], Note] = {}

    def add(self, pointer: str, kind: NoteKind, message: str) -> None:
        message = clipped(message)
        key = pointer, kind, message
        if len(self._notes) < MAX_NOTES:
            self._notes.setdefault(key, Note(pointer=pointer, kind=kind, message=message))
        elif key not in self._notes:
            self._notes[LEFT_OUT.pointer, LEFT_OUT.kind, LEFT_OUT.message] = LEFT_OUT

    @property
    def is_full(self) -> bool:
        """Whether there were more notes than are kept."""
        return len(self._notes) > MAX_NOTES

    def __len__(self) -> int:
        return len(self._notes)

    def all(self) -> tuple[Note, ...]:
        return tuple(self._notes.values())
