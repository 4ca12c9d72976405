"""The offsets of a YAML document's entries, for a second reading that looks for the place of an error."""

from __future__ import annotations

from collections.abc import Sequence

from openapi_mcp_server.openapi.text.yaml.anchors import Value


class Marks:
    """The entries of every container by key or number. A container shared by aliases has one place, where it is
    written. Entries that ``<<`` adds to a mapping have no place there."""

    def __init__(self) -> None:
        # The containers are kept alive, since a new one could get the ``id`` of one that is gone.
        self._entries: dict[int, tuple[Value, dict[str, int]]] = {}
        self.root: Value = None

    def add(self, container: Value, key: str | int, offset: int) -> None:
        self._entries.setdefault(id(container), (container, {}))[1][str(key)] = offset

    def find(self, path: Sequence[str]) -> int | None:
        """The offset of an entry's key, or of an element; the start of the text for the root."""
        value, offset = self.root, 0
        for token in path:
            entries = self._entries.get(id(value))
            if entries is None or token not in entries[1]:
                return None
            offset = entries[1][token]
            value = value[int(token)] if isinstance(value, list) else value[token] if isinstance(value, dict) else None
        return offset
