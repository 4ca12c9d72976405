"""What is said of a document that breaks a rule: the line that ends the start, or else what is left out and noted."""

from __future__ import annotations

from pathlib import Path

import anyio

from openapi_mcp_server.documents.loading import Documents
from openapi_mcp_server.errors import ServiceError
from openapi_mcp_server.openapi.text.places import Places
from openapi_mcp_server.settings.config import Config, load

_REST = {
    "info": "info: {title: T, version: '1'}",
    "servers": "servers: [{url: 'https://api.example.com'}]",
    "host": "host: api.example.com",
    "schemes": "schemes: [https]",
}
_OF = {True: ("info", "host", "schemes"), False: ("info", "servers")}


def completed(text: str, dialect: str) -> str:
    """With what every document needs, at its end: so the lines that a case shows are the document's."""
    version = "swagger" if dialect == "2.0" else "openapi"
    lines = text.splitlines()
    if text.startswith("- "):
        return text
    if not any(line.startswith(("openapi", "swagger")) for line in lines):
        lines.append(f"{version}: '{dialect}'")
    lines += [_REST[key] for key in _OF[dialect == "2.0"] if not any(each.startswith(f"{key}:") for each in lines)]
    return "\n".join(lines) + "\n"


def told(text: str, dialect: str, folder: Path) -> list[str]:
    """Each with its place, as people see it."""
    file = folder / "document.yaml"
    data = completed(text, dialect).encode()
    file.write_bytes(data)
    try:
        lines: list[str] = anyio.run(_told, load(["inspect", "--spec-path", str(file)], {}, str), data, backend="trio")
    except ServiceError as error:
        lines = [f"refused: {error}".replace(f"{file}, ", "").replace(f"{file}: ", "")]
    return [line.replace(f"{folder}/", "") for line in lines]


async def _told(config: Config, data: bytes) -> list[str]:
    tools = await Documents(config).read(only_to_show=True)
    known = Places(data)
    skipped = [
        f"skipped: {each.operation.place}, {each.operation.pointer}: {each.operation.reason}" for each in tools.skipped
    ]
    notes = [(note, known.of(note.pointer)) for api in tools.apis for note in api.notes]
    return skipped + [
        f"{note.kind}: {found.at if found else 'no line'}, {note.pointer}: {note.message}" for note, found in notes
    ]
