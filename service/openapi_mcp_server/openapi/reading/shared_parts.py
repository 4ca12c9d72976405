"""Limits on the parts that operations share: a reference, or the path that they have in common, has each part read for
every one of them."""

from __future__ import annotations

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.model import Operation
from openapi_mcp_server.openapi.pointers import ROOT, child
from openapi_mcp_server.openapi.references.resolve import Located

FIELDS_PER_OPERATION = 10
"""The limit for fields of path items, as a multiple of the most operations of a document. Items have one to eight."""
PARTS_PER_OPERATION = 10
"""The limit for parameters, media types, tags, servers and alternatives of security, as a multiple of the most
operations of a document. Operations can share these parts by a reference or by their path, but each part is read for
every operation: 200 kB took 27 s. Kubernetes' 826 operations have 13,519."""
SHARED_PARTS, BYTES_PER_PART = 100_000, 4
"""The limit for the same parts by the document's size: so many in all, or one for so many bytes. 65 kB, a path of 2,500
operations with 700 parameters, took 15 s and made a list of 44 MB. Of 124 published documents none has more than one
part for 72 bytes."""
REPEATED_BYTES, REPEATED_TIMES = 4 << 20, 4
"""The limit for bytes of path items that are read again because several paths refer to them: so many bytes, or so many
times the document. An item is read for each of its paths: 700 kB, half of it one description, took 2.5 GB. An API that
serves its paths below ``/v1`` and ``/v2`` reads each item twice."""
MAX_OPERATIONS = 200_000
"""The most operations of one document, since references let any number of paths share them. The largest known document
has 22,361."""


class SharedParts:
    """The numbers of parts that were read so far. ``fields`` are those of path items; ``parts`` are parameters, media
    types and the like."""

    def __init__(self, size: int, max_operations: int) -> None:
        """``size`` is the document's, in bytes."""
        self.fields = 0
        self.parts = 0
        self._referred: set[str] = set()
        self._most_fields = FIELDS_PER_OPERATION * max_operations
        self._repeatable = max(REPEATED_BYTES, REPEATED_TIMES * size)
        self._most_parts = min(PARTS_PER_OPERATION * max_operations, max(SHARED_PARTS, size // BYTES_PER_PART))

    def require_few_fields(self) -> None:
        """Raises SpecError. Many paths may refer to one item of many fields, which are looked at for each of them."""
        if self.fields > self._most_fields:
            problem = f"more than {self._most_fields:,} fields of path items, references followed"
            raise SpecError(child(ROOT, "paths"), problem)

    def require_few_repeated(self, at: Located, target: Located) -> None:
        """Raises SpecError. A path that is skipped takes nothing of the room, so that smaller items are still read."""
        size = memoryview(target.json).nbytes if target.pointer in self._referred else 0
        if size > self._repeatable:
            problem = f"its path item of {size:,} bytes is also that of other paths: too many bytes are read again"
            raise SpecError(at.pointer, problem)
        self._referred.add(target.pointer)
        self._repeatable -= size

    def require_few_parts(self, pointer: str) -> None:
        """Raises SpecError."""
        if self.parts > self._most_parts:
            many = f"more than {self._most_parts:,} parameters, media types and the like"
            raise SpecError(pointer, f"the operations before it have {many}")


def parts_of(operation: Operation) -> int:
    """The number of parts of an operation, without its parameters."""
    media = sum(len(response.media) + len(response.headers) for response in operation.responses)
    media += len(operation.body.media) if operation.body else 0
    return media + len(operation.tags) + len(operation.security) + len(operation.servers)
