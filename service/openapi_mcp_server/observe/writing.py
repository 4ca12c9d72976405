"""Writes all of something to a descriptor that other processes share, as they do standard output and standard error.

Any of them may set its mode for all to ``O_NONBLOCK``: programs of Node do, and start others with their own streams. A
full pipe then takes nothing, or a part, where it would let the writer wait.
"""

from __future__ import annotations

import errno
import io
import os
import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Errors of a file that takes no more, perhaps in the middle of a line."""


def write_whole(descriptor: int, data: ReadableBuffer) -> None:
    """Waits for room where there is none. Raises OSError."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:
            room = select.poll()
            room.register(descriptor, select.POLLOUT)
            room.poll()


class WholeOutput(io.FileIO):
    """A file whose `write` does the same. With Python's own, what did not fit is dropped without an error."""

    def write(self, data: ReadableBuffer, /) -> int:
        write_whole(self.fileno(), data)
        return memoryview(data).nbytes


def whole(text: io.TextIOWrapper) -> io.TextIOWrapper:
    """The same stream of text for a descriptor that does not wait by itself."""
    file = io.BufferedWriter(WholeOutput(text.fileno(), "w", closefd=False))
    return io.TextIOWrapper(file, text.encoding, text.errors, line_buffering=text.line_buffering, write_through=False)
