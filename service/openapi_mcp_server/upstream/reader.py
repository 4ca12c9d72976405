"""An answer while it arrives: its head, and its body decoded, never more of it than the limit."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

import h11

from openapi_mcp_server.bridge.media.table import is_stream
from openapi_mcp_server.bridge.model import HttpResponse
from openapi_mcp_server.errors import BadResponse
from openapi_mcp_server.memory import SMALL_BYTES, Hold
from openapi_mcp_server.upstream.ordinary import Head

_STEP = 64 * 1024
"""Decoded bytes made at a time: 1 kB of gzip holds 1 MB, so a received piece is never inflated whole."""
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_GROWTH = (48 * 1024, 256 * 1024, 1024 * 1024)
"""Sizes for which room is made where an answer does not say how long it is; after that for the largest one."""
_OF_BASE64 = 4 / 3
"""Bytes that a picture takes as text, which is what becomes of an answer at most where it is cut to a budget."""
MEMBERS_LIMIT = 1_000
"""Gzip members of one answer: those who compress in blocks make one of 64 kB each. An empty one costs 5 µs."""
_PACKED_EXTRA = 64 * 1024
"""Bytes that gzip may add to what it cannot make smaller. What is longer still decodes to too much, or to nothing."""


class AnswerReader:
    """Takes the body in pieces as transferred. ``is_full``: it exceeds the limit, and the rest is lost. What is longer
    by its own word is so from its first piece on, unless its beginning is of use. ``room``: bytes that are counted for;
    beyond them, it waits for more.

    ``cut`` says in words why the body will not be whole. Raises BadResponse for an encoding that was not asked for.
    """

    def __init__(self, head: h11.Response | Head, limit: int) -> None:
        self.status = head.status_code
        self.cut: str | None = None
        self.is_full = False
        self._reason = head.reason
        self._headers = tuple(
            [
                (name.decode("ascii"), value.decode("latin-1"))
                for name, value in head.headers
                if name != b"set-cookie"  # kept for no other call, and of no use to a model
            ]
        )
        self._limit = limit
        fields = dict(self._headers)
        self.is_stream = "content-type" in fields and any(map(is_stream, self.values("content-type")))
        declared = int(fields.get("content-length", "0"))  # h11 has checked it
        self._will_be_full = declared > limit and not self.is_stream
        self._declared = min(declared, limit)
        self.room = SMALL_BYTES
        self._counted = 0
        self._size = 0
        self._pieces: list[bytes] = []
        self._inflater: Inflater | None = None
        if "content-encoding" in fields and is_packed(", ".join(self.values("content-encoding"))):
            self._inflater = Inflater()
        self._packed = 0

    def values(self, name: str) -> list[str]:
        return [value for key, value in self._headers if key == name]

    def response(self) -> HttpResponse:
        """The answer as far as it has arrived."""
        return HttpResponse(
            status=self.status,
            reason=self._reason.decode("latin-1"),
            headers=self._headers,
            body=b"".join(self._pieces),
            cut=self.cut,
        )

    def add(self, piece: bytes) -> Iterable[None]:
        """Says each time when it goes on only after `make_room`. Raises BadResponse for what is not packed although
        it says so."""
        if self._inflater is not None:
            return self._unpack(piece, self._inflater)
        self._keep(piece)
        return () if self._size <= self.room else (None,)

    def finish(self) -> None:
        """Raises BadResponse if the end of the packed data is missing."""
        if self._inflater is not None:
            self._inflater.finish()

    def _keep(self, decoded: bytes) -> None:
        room = self._limit - self._size
        self.is_full = self._will_be_full or len(decoded) > room
        self._size += min(len(decoded), room)
        self._pieces.append(decoded[:room] if self.is_full else decoded)

    async def make_room(self, hold: Hold) -> None:
        """Makes room for as much as there will be, if the answer says it; else step by step. Raises NoRoom."""
        least = self._size if self._inflater is not None else max(self._size, self._declared)
        steps = () if hold.is_part else _GROWTH  # of a batch, so that two that wait for each other are none
        self.room = least if least == self._declared else next((step for step in steps if step >= least), self._limit)
        counted = int(self.room * _OF_BASE64)
        await hold.grow(counted - self._counted)
        self._counted = counted

    def _unpack(self, packed: bytes, inflater: Inflater) -> Iterator[None]:
        """Stops at the limit, not at the end of the piece."""
        self._packed += len(packed)
        if self._packed > self._limit + _PACKED_EXTRA:
            self.is_full = True
            return
        for decoded in inflater.unpacked(packed):
            self._keep(decoded)
            if self._size > self.room:
                yield
            if self.is_full:
                return


class Inflater:
    """Undoes gzip and zlib piece by piece. Members may follow one another (RFC 1952 section 2.2)."""

    def __init__(self) -> None:
        self._member: zlib._Decompress | None = None
        self._members = 0

    def unpacked(self, packed: bytes) -> Iterator[bytes]:
        """The content of a packed piece, in steps of 64 kB. Raises BadResponse for what is not packed."""
        while packed or self._member is not None:
            if self._member is None:
                packed = packed.lstrip(b"\0") if self._members else packed  # padding, which gzip(1) passes over
                if not packed:
                    return
                self._member = self._next_member()
            try:
                decoded = self._member.decompress(packed, _STEP)
            except zlib.error as error:
                problem = f"the packed data of the answer is broken: {error}"
                raise BadResponse(problem, outcome_unknown=True) from error
            yield decoded
            if self._member.eof:
                packed, self._member = self._member.unused_data, None
            else:
                packed = self._member.unconsumed_tail
                if not packed and len(decoded) < _STEP:
                    return

    def _next_member(self) -> zlib._Decompress:
        self._members += 1
        if self._members > MEMBERS_LIMIT:
            raise BadResponse(
                f"the packed data of the answer has more than {MEMBERS_LIMIT} members", outcome_unknown=True
            )
        return zlib.decompressobj(_GZIP_OR_ZLIB)

    def finish(self) -> None:
        """Raises BadResponse if the end of the packed data is missing."""
        if self._member is not None:
            raise BadResponse("the packed data of the answer ends too early", outcome_unknown=True)


def is_packed(content_encoding: str) -> bool:
    """Only gzip is asked for; deflate is the same in the frame of zlib (RFC 9110 section 8.4.1.2). What is encoded
    twice or otherwise is a way to hide a bomb."""
    match content_encoding.strip().lower():
        case "" | "identity":
            return False
        case "gzip" | "x-gzip" | "deflate":
            return True
        case other:
            problem = f"the answer's content encoding {other[:40]!r} was not asked for"
            raise BadResponse(problem, outcome_unknown=True)
