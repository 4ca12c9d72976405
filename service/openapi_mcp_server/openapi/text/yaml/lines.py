"""A YAML document as a sequence of lines, split into parts by one regular expression.

Parsing in Python is fast if it makes few calls. ``findall`` over a window of lines takes 0.3 µs a line with all its
parts. A match per line takes twice as long, and a loop over characters hundreds of times. Most lines occur more than
once in a document, and are parsed once.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from itertools import accumulate

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.text.source import place

# Groups: indentation, the dashes of sequences that begin here, a key on one line without its colon, the rest. Plain
# text: YAML 1.2.2 rules 126 to 133. A key that needs more than this is recognised elsewhere.
_LINE = re.compile(
    rb"""
    ([ ]*+)
    ((?>(?:-(?:[ \t]++|(?=\n)))*))
    (?:
      ( [^\s\-?:,\[\]{}#&*!|>'"%@`][^\n:#]*+(?>(?::(?=[^\s])[^\n:#]*+)*)
      | "[^"\\\n]*+" | '[^'\n]*+'
      ) :(?=[\s])[ \t]*+
    )?
    ([^\n]*+)\n
    """,
    re.VERBOSE,
)
_HASH, _TAB = b"#\t"
_WINDOW_BYTES = 1 << 16
_KNOWN_LINES = 20_000
_LONG_LINE = 256
"""Lines are not remembered if their average length in bytes is greater: few long lines are equal."""
_DOCUMENT_MARKS = frozenset({b"---", b"..."})
_LINE_END = re.compile(rb"[ \t]*(?:#[^\n]*)?\n")

_Parts = tuple[bytes, bytes, bytes, bytes]


class Lines:
    """The lines of ``text``, and the unread rest of the current one.

    ``column`` is the column of its first part: a dash, the key, or else ``rest``. It is -1 at the end of the document.
    Blank lines and comments are skipped. ``text`` ends with a line break, and all line breaks are ``\\n``.
    """

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.column = -1
        self.dashes = self.key = self.rest = b""
        self._lines: list[_Parts] = []
        self._known: dict[bytes, _Parts] = {}
        self.starts: list[int] = [0]
        self.index = -1
        self.advance()

    @property
    def start(self) -> int:
        """The offset of the line; the length of the text after the last one."""
        return self.starts[self.index]

    @property
    def offset(self) -> int:
        """The offset of ``rest``."""
        return self.starts[self.index + 1] - 1 - len(self.rest) if self.column >= 0 else self.start

    def advance(self) -> None:
        """Goes on to the next line that is neither blank nor a comment, or to the end of the document."""
        while True:
            self.index += 1
            try:
                indent, self.dashes, self.key, rest = self._lines[self.index]
            except IndexError:
                if self._load(self.starts[-1]):
                    continue
                self._end()
                return
            self.rest = rest
            if self.key or self.dashes or (rest and self._has_content(indent, rest)):
                self.column = len(indent)
                return
            if rest[:3] in _DOCUMENT_MARKS:
                self._end()
                return

    def _has_content(self, indent: bytes, rest: bytes) -> bool:
        if rest[0] == _TAB:
            rest = rest.lstrip(b" \t")
        if not rest or rest[0] == _HASH:
            return False
        return bool(indent) or rest[:3] not in _DOCUMENT_MARKS or rest[3:4] not in {b"", b" ", b"\t"}

    def _load(self, start: int) -> bool:
        """Splits the lines of the window from ``start`` on; returns False at the end of the text."""
        if start == len(self.text):
            return False
        end = self.text.find(b"\n", start + _WINDOW_BYTES) + 1 or len(self.text)
        lines = self.text[start:end].splitlines(keepends=True)
        is_short = end - start < _LONG_LINE * len(lines)
        self._lines = self._taken_apart(lines) if is_short else _LINE.findall(self.text, start, end)
        self.starts = list(accumulate(map(len, lines), initial=start))
        self.index = -1
        return True

    def _taken_apart(self, lines: list[bytes]) -> list[_Parts]:
        """The parts of lines. Equal lines are parsed once: one in five of Stripe's differs from all before it."""
        known = self._known
        if len(known) > _KNOWN_LINES:
            known.clear()
        fresh = set(lines).difference(known)
        known.update(zip(fresh, _LINE.findall(b"".join(fresh)), strict=True))
        return list(map(known.__getitem__, lines))

    def _end(self) -> None:
        self.column = -1
        self.dashes = self.key = self.rest = b""

    def go_to(self, start: int) -> None:
        """Goes on to the first line with content at or after the line that begins at ``start``."""
        if start >= self.starts[-1]:
            self._lines, self.starts, self.index = [], [start], -1
        else:
            self.index = bisect_left(self.starts, start) - 1
        self.advance()

    def go_past(self, offset: int) -> None:
        """Goes on to the line after the one with ``offset``. Only a comment may follow on the same line."""
        end = _LINE_END.match(self.text, offset)
        if end is None:
            raise self.error(offset, "text after the end of the value")
        self.go_to(end.end())

    def take_dash(self) -> None:
        """Goes on after the first dash of the line."""
        dashes = self.dashes
        further = dashes.find(b"-", 1) if len(dashes) > 2 else -1
        if further < 0:
            self.column += len(dashes)
            self.dashes = b""
        else:
            self.column += further
            self.dashes = dashes[further:]

    def take(self, width: int) -> None:
        """Goes on after ``width`` bytes of ``rest``; the text after them may begin with a dash or a key again."""
        offset = self.offset + width
        found = _LINE.match(self.text, offset)
        if found:
            indent, self.dashes, self.key, self.rest = found.groups(b"")
            self.column = offset - self.start + len(indent)

    def error(self, offset: int, problem: str) -> SpecError:
        return SpecError(place(self.text, offset), problem)
