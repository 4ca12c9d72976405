"""An answer while it arrives: its head, and its decoded body up to the limit."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

import h11
import trio

from openapi_mcp_server.aside import run_in_thread
from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.bridge.media.table import is_stream
from openapi_mcp_server.errors import BadResponse
from openapi_mcp_server.memory import SMALL_BYTES, Hold
from openapi_mcp_server.upstream.ordinary import Head

_STEP = 64 * 1024
"""Decoded bytes made at a time: 1 kB of gzip holds 1 MB, so a received piece is never inflated whole."""
_JOINED_BESIDE = 1024 * 1024
"""From this size on, `bytes.join` releases the interpreter's lock. 10 MB take 4 ms, most of it for new memory."""
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_BARE_DEFLATE = -zlib.MAX_WBITS
_GROWTH = (48 * 1024, 256 * 1024, 1024 * 1024)
"""The steps of room for an answer without a length. After them there is room for the largest answer."""
_OF_BASE64 = 4 / 3
"""The growth of a picture as base64 text, which is the largest growth of an answer that is cut to a budget."""
MEMBERS_LIMIT = 1_000
"""The most gzip members of one answer. Writers of blocks make one for each 64 kB. An empty one costs 5 µs."""
_PACKED_EXTRA = 64 * 1024
"""Bytes that gzip may add to data that it cannot compress. Longer data decodes to too much, or to nothing."""
MOST_CODINGS = 2
"""The most codings of one answer: a server may compress the compressed data of its application. More hide a bomb."""
BETWEEN_BYTES = 10 * 1024 * 1024 + _PACKED_EXTRA
"""The most bytes that are still compressed after the outer coding: 64 kB could become 64 MB."""


class AnswerReader:
    """Takes the body in pieces as transferred. ``is_full``: it exceeds the limit, and the rest is lost. If its declared
    length exceeds the limit, it is full from the first piece on, unless its beginning is useful. ``room``: the counted
    bytes; beyond them it waits for more.

    ``cut`` says in words why the body will not be whole. Raises BadResponse for an encoding that was not asked for.
    """

    def __init__(self, head: h11.Response | Head, limit: int) -> None:
        self.status = head.status_code
        self.cut: str | None = None
        self.is_full = False
        self._reason = head.reason
        self._headers = _told(head)
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
        self._inflater = self._made_inflater() if "content-encoding" in fields else None
        self._packed = 0

    def _made_inflater(self) -> Inflater | None:
        return inflater(", ".join(self.values("content-encoding")), f"the API's answer {self.status}")

    def values(self, name: str) -> list[str]:
        return [value for key, value in self._headers if key == name]

    async def response(self, joining: trio.CapacityLimiter) -> HttpResponse:
        """The answer as far as it has arrived. A large one is joined in a thread. Call it once. ``joining`` limits the
        answers that are joined at a time, since each takes twice its size meanwhile."""
        is_large = self._size >= _JOINED_BESIDE
        return HttpResponse(
            status=self.status,
            reason=self._reason.decode("latin-1"),
            headers=self._headers,
            body=await run_in_thread(self._joined, limiter=joining) if is_large else b"".join(self._pieces),
            cut=self.cut,
        )

    def _joined(self) -> bytes:
        """Frees the pieces one after the other: freeing 10 MB at once is one call of 1 ms."""
        body = b"".join(self._pieces)
        while self._pieces:
            self._pieces.pop()
        return body

    def add(self, piece: bytes) -> Iterable[None]:
        """Yields when `make_room` must be called next. Raises BadResponse for data that is not compressed although its
        header says so."""
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
        """Makes room for the answer's declared length, or step by step if there is none. Raises NoRoom."""
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


def whole_response(head: Head, body: bytes) -> HttpResponse:
    """The whole answer, without any coding."""
    return HttpResponse(status=head.status_code, reason=head.reason.decode("latin-1"), headers=_told(head), body=body)


def _told(head: h11.Response | Head) -> tuple[tuple[str, str], ...]:
    """The headers without cookies, which are kept for no other call and are useless to a model."""
    fields = [(name.decode("ascii"), value.decode("latin-1")) for name, value in head.headers if name != b"set-cookie"]
    return tuple(fields)


class Inflater:
    """Undoes one coding piece by piece. Members of gzip may follow one another (RFC 1952 section 2.2).

    ``name``: that of the answer in errors. ``outer`` undoes the coding that was applied after this one.
    ``may_be_bare``: without the frame of zlib, as some servers send deflate (RFC 9110 section 8.4.1.2).
    """

    def __init__(self, name: str, outer: Inflater | None = None, *, may_be_bare: bool = False) -> None:
        self._outer = outer
        self._name = name
        self._may_be_bare = may_be_bare
        self._between = 0
        self._member: zlib._Decompress | None = None
        self._members = 0

    def unpacked(self, packed: bytes) -> Iterator[bytes]:
        """The content of a compressed piece, in steps of 64 kB. Raises BadResponse for data that is not compressed."""
        if self._outer is None:
            yield from self._inflated(packed)
            return
        for piece in self._outer.unpacked(packed):
            self._between += len(piece)
            if self._between > BETWEEN_BYTES:
                raise _broken(self._name, f"is packed twice, and more than {BETWEEN_BYTES:,} bytes the second time")
            yield from self._inflated(piece)

    def _inflated(self, packed: bytes) -> Iterator[bytes]:
        while packed or self._member is not None:
            if self._member is None:
                packed = packed.lstrip(b"\0") if self._members else packed  # padding, which gzip(1) passes over
                if not packed:
                    return
                self._member = self._next_member(packed[0])
            try:
                decoded = self._member.decompress(packed, _STEP)
            except zlib.error as error:
                raise _broken(self._name, f"is broken: {error}") from error
            yield decoded
            if self._member.eof:
                packed, self._member = self._member.unused_data, None
            else:
                packed = self._member.unconsumed_tail
                if not packed and len(decoded) < _STEP:
                    return

    def _next_member(self, first: int) -> zlib._Decompress:
        self._members += 1
        if self._members > MEMBERS_LIMIT:
            raise _broken(self._name, f"has more than {MEMBERS_LIMIT} members")
        is_bare = self._may_be_bare and not _is_framed(first)
        return zlib.decompressobj(_BARE_DEFLATE if is_bare else _GZIP_OR_ZLIB)

    def finish(self) -> None:
        """Raises BadResponse if the end of the packed data is missing."""
        if self._outer is not None:
            self._outer.finish()
        if self._member is not None:
            raise _broken(self._name, "ends too early")


def _is_framed(first: int) -> bool:
    """Whether packed data begins as gzip (RFC 1952 section 2.3.1) or zlib (RFC 1950 section 2.2) begins. Nobody's bare
    deflate does: gzip's first byte would be a reserved kind of block, zlib's would have bits in its padding."""
    return first == 0x1F or (first & 0x0F == zlib.DEFLATED and first >> 4 <= zlib.MAX_WBITS - 8)


def _broken(name: str, problem: str) -> BadResponse:
    return BadResponse(f"the packed data of {name} {problem}", outcome_unknown=True)


def inflater(content_encoding: str, name: str = "the answer") -> Inflater | None:
    """The inflater for a body with these codings, in the order in which they were applied (RFC 9110 section 8.4). None
    for a body without codings. ``name``: that of the answer in errors.

    Only gzip is asked for; some send deflate all the same. Raises BadResponse for any other.
    """
    if not content_encoding:
        return None
    words = [word for each in content_encoding.split(",") if (word := each.strip().lower())]
    codings = [word for word in words if word not in _NO_CODINGS]
    made: Inflater | None = None
    for coding in reversed(codings):
        if coding not in _CODINGS:
            said = f" {coding!r}" if coding in _OTHER_CODINGS else ""  # an unknown word may be a credential
            problem = f"the content encoding{said} of {name} was not asked for; only gzip and deflate are read"
            raise BadResponse(problem, outcome_unknown=True)
        made = Inflater(name, made, may_be_bare=coding == "deflate")
    if len(codings) > MOST_CODINGS:
        raise _broken(name, f"is packed {len(codings)} times, one over the other; at most {MOST_CODINGS} are undone")
    return made


_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})
_OTHER_CODINGS = frozenset({"aes128gcm", "br", "bzip2", "compress", "dcb", "dcz", "exi", "pack200-gzip", "zstd"})
"""Names of the registry of RFC 9110 section 16.6.1 that are not read, and bzip2, which some programs send."""
_NO_CODINGS = frozenset({"identity", "utf-8", "utf8", "none"})
"""The last three are not in RFC 9110. Programs send them and mean the charset, or nothing."""
