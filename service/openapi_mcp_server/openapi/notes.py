"""Notes on a document that can be used but is not quite right: one table of kinds, one list of notes."""

from __future__ import annotations

from collections.abc import Mapping

from openapi_mcp_server.openapi.model import Note, NoteKind

KINDS: Mapping[NoteKind, str] = {
    "path_repaired": "a path key without its leading slash, or with a query or fragment, or a method in capitals, was "
    "taken for what it means",
    "variable_undeclared": "a variable of the path has no parameter; it became a required string",
    "parameter_dropped": "a parameter that cannot be sent or must not be set was left out",
    "parameter_repeated": "a parameter is declared twice in one place; the last one counts",
    "parameter_repaired": "a parameter lacks something or contradicts itself; the default was taken",
    "body_repaired": "a request body is none, or its type cannot carry its schema; what is sent is in the message",
    "body_dropped": "a request body or media type that describes nothing was left out",
    "keyword_dropped": "a schema keyword has a value that it cannot have and was left out",
    "pattern_dropped": "a regular expression cannot run in linear time and is not checked",
    "schema_repaired": "a schema contradicts itself or uses another dialect; it was taken for what it means",
    "reference_static": "a dynamic reference was resolved to the one target that the document itself has",
    "response_dropped": "a response cannot be read; calls are not affected",
    "output_dropped": "the schema of an answer cannot be used; the tool declares no output for it",
    "input_shortened": "the input schema of a tool is over its limit; what it says in less is in the message",
    "security_dropped": "a security scheme is missing or of an unknown kind",
    "server_dropped": "a server entry cannot be used",
    "server_repaired": "the host of a document of Swagger 2.0 is more than a host; it was taken for what it means",
    "name_repeated": "an operationId stands at several operations; the names of their tools end in a hash of each",
    "base_url_unknown": "the document does not say where the API is; serving it needs API_BASE_URL",
    "base_url_doubtful": "API_BASE_URL is an origin alone, and the servers of the document have a path",
    "info_dropped": "what the document says about itself cannot be read",
    "field_unknown": "a field is none of its object in this version of the specification, and nothing was done with it",
    "extension_ignored": "x-mcp or a key of it is none of what this service reads",
    "overlay_unused": "the target of an overlay's action selects nothing in the document",
    "override_unused": "an entry of TOOL_OVERRIDES selects no operation",
}
"""Every kind of note, and what it means."""


_MESSAGE_CHARACTERS = 400
"""Messages quote the document, whose names may have megabytes."""


def one_line(message: str) -> str:
    """A message of bounded length; what it quotes is escaped already."""
    return message if len(message) <= _MESSAGE_CHARACTERS else f"{message[: _MESSAGE_CHARACTERS - 1]}…"


class Notes:
    """The notes of one document, each once, in the order of their making."""

    def __init__(self) -> None:
        self._notes: dict[tuple[str, NoteKind, str], Note] = {}

    def add(self, pointer: str, kind: NoteKind, message: str) -> None:
        message = one_line(message)
        self._notes.setdefault((pointer, kind, message), Note(pointer=pointer, kind=kind, message=message))

    def __len__(self) -> int:
        return len(self._notes)

    def all(self) -> tuple[Note, ...]:
        return tuple(self._notes.values())
