"""Notes on a document that can be used but is not quite right."""

from __future__ import annotations

from collections.abc import Iterable

from openapi_mcp_server.openapi.model import Note, NoteKind
from openapi_mcp_server.openapi.pointers import ROOT

MAX_NOTES = 100_000
"""The most notes on one document. An overlay whose one action adds unknown fields made 2,250,000 in 900 MB. None of 124
published documents has more than 727."""
LEFT_OUT = Note(
    pointer=ROOT, kind="notes_left_out", message=f"there are more than {MAX_NOTES:,} notes; these are the first"
)
_MESSAGE_CHARACTERS = 400
"""Messages quote the document, in which a name may have megabytes."""


def clipped(message: str) -> str:
    """A message of limited length; its quotations are escaped already."""
    return message if len(message) <= _MESSAGE_CHARACTERS else f"{message[: _MESSAGE_CHARACTERS - 1]}…"


class Notes:
    """The notes of one document, each once, in the order of their making. Only `MAX_NOTES` are kept, and then
    `LEFT_OUT`."""

    def __init__(self) -> None:
        self._notes: dict[Note, None] = {}

    def add(self, pointer: str, kind: NoteKind, message: str) -> None:
        self.take((Note(pointer=pointer, kind=kind, message=clipped(message)),))

    def take(self, notes: Iterable[Note]) -> None:
        """Adds notes that were made elsewhere."""
        for note in notes:
            if len(self._notes) < MAX_NOTES:
                self._notes.setdefault(note)
            elif note not in self._notes:
                self._notes[LEFT_OUT] = None

    @property
    def is_full(self) -> bool:
        """Whether there were more notes than are kept."""
        return len(self._notes) > MAX_NOTES

    def __len__(self) -> int:
        return len(self._notes)

    def all(self) -> tuple[Note, ...]:
        return tuple(self._notes)
