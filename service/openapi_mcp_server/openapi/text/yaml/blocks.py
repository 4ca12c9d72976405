"""YAML laid out by indentation (YAML 1.2.2 chapter 8): the structure of nearly every OpenAPI document.

Each method reads the node at the current position, and leaves `Lines` at the first line after it. All parts of the node
must be indented deeper than the column ``parent``, which is -1 at the root.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from openapi_mcp_server.grammar import any_number_of
from openapi_mcp_server.openapi.text.source import DocumentLimits, duplicate_key
from openapi_mcp_server.openapi.text.yaml.anchors import Anchors, Value
from openapi_mcp_server.openapi.text.yaml.flow import MERGE_TAG, NO_PROPERTIES, SCALAR_TAGS, Flow
from openapi_mcp_server.openapi.text.yaml.lines import Lines
from openapi_mcp_server.openapi.text.yaml.marks import Marks
from openapi_mcp_server.openapi.text.yaml.scalars import Scalar, block_scalar, folded, resolve

_TAB_INDENTS = "a tab cannot indent; use spaces"
_REPEATED_BYTES = 24  # types, formats, names and statuses; hardly a description
_HASH = ord("#")
_QUOTES = frozenset({b"'", b'"'})
# Plain text does not begin with these (YAML 1.2.2 rule 126), except `-`, `?` and `:` before anything but a space.
_INDICATORS = frozenset(b"-?:,[]{}#&*!|>'\"%@`")
_PLAIN_START = re.compile(rb"[^\s\-?:,\[\]{}#&*!|>'\"%@`]|[-?:][^\s]")
_COMMENT = re.compile(rb"[ \t\n]#")
_INNER_KEY = re.compile(rb":(?=\s|$)")
_ONLY_COMMENTS = re.compile(any_number_of(r"[ \t]*(?:#[^\n]*)?(?:\n|$)").encode())
_UNUSUAL_KEY = re.compile(
    rb"""
    (?P<properties>(?>(?:[&!][^\s]*[ \t]+)*))
    (?: (?P<quoted> "[^"\\\n]*+(?>(?:\\[^\n][^"\\\n]*+)*)" | '[^'\n]*+(?>(?:''[^'\n]*+)*)' )
      | (?P<alias> \*[^\s]+ )
      | (?P<plain> (?:[^\s\-?:,\[\]{}#&*!|>'"%@`]|[\-?:](?=[^\s])) [^\n:#]*+
          (?>(?:(?::(?=[^\s])|(?<=[^\s])\#)[^\n:#]*+)*) )
    )?
    [ \t]*:(?=[ \t]|$)[ \t]*
    """,
    re.VERBOSE,
)
_EXPLICIT_KEY = re.compile(
    rb"""
    \?[ \t]+
    (?: "(?P<double>[^"\\\n]*)" | '(?P<single>[^'\n]*)' | (?P<plain>[^\s\[{&*!|>"'#][^\n:#]*+(?>(?::[^\s][^\n:#]*+)*)) )
    [ \t]*+(?:(?<=[ \t])\#[^\n]*)?$
    """,
    re.VERBOSE,
)
_BLOCK_HEADER = re.compile(rb"([|>][+-]?(?P<indent>[1-9]?)[+-]?)[ \t]*(?:(?<=[ \t])#[^\n]*)?")
_BLANK_LINES = re.compile(any_number_of(r"[ \t]*\n").encode())
_FIRST_TEXT = re.compile(_BLANK_LINES.pattern + b"( *)")


class Blocks:
    """One reading of one document."""

    def __init__(self, text: bytes, limits: DocumentLimits, marks: Marks | None = None) -> None:
        self._text = text
        self._marks = marks
        self._lines = Lines(text)
        self._anchors = Anchors(text, limits)
        self._flow = Flow(text, self._anchors, marks)
        # Values of keys and short plain texts: there are few, and each is repeated often.
        self._names: dict[bytes, str] = {}
        self._scalars: dict[bytes, Scalar] = {}

    @property
    def end(self) -> int:
        """The offset after the document, once it has been read."""
        return self._lines.start

    def document(self) -> Value:
        """The value of the whole document; raises SpecError with the place of an error in the YAML."""
        value = self._node(-1, 1) if self._lines.column >= 0 else None
        if self._lines.column >= 0:
            raise self._lines.error(self._lines.start, "this line fits no level of indentation above it")
        return value

    def _node(self, parent: int, depth: int) -> Value:
        """A node that begins a line, or follows a dash."""
        lines = self._lines
        if lines.dashes:
            return self._sequence(depth)
        if lines.key:  # as most do
            return self._mapping(depth)
        if lines.rest[:1] == b"\t":
            raise lines.error(lines.offset, _TAB_INDENTS)
        return self._mapping(depth) if self._begins_mapping() else self._inline(parent, depth, parent + 1)

    def _begins_mapping(self) -> bool:
        rest = self._lines.rest
        if self._lines.key or (b":" in rest and _UNUSUAL_KEY.match(rest)):
            return True
        return self._at_mark(b"?")

    def _sequence(self, depth: int) -> list[Value]:
        lines, scalars, marks = self._lines, self._scalars, self._marks
        column = lines.column
        self._anchors.enter(depth, lines.start)
        depth += 1
        result: list[Value] = []
        while lines.column == column and lines.dashes:
            lines.take_dash()
            is_known = lines.rest in scalars and not lines.key and not lines.dashes
            if marks is not None:
                marks.add(result, len(result), lines.start + lines.column)
            result.append(self._plain_value(column) if is_known else self._item(column, depth, column + 1))
        return result

    def _item(self, parent: int, depth: int, dashes_from: int) -> Value:
        """A value after a dash, which may be a block although it begins on the dash's line."""
        lines = self._lines
        if lines.key and not lines.dashes:
            return self._mapping(depth)
        if lines.dashes or self._begins_mapping():
            return self._node(parent, depth)
        return self._inline(parent, depth, dashes_from)

    def _mapping(self, depth: int) -> dict[str, Value]:
        lines, names, scalars, inline, marks = self._lines, self._names, self._scalars, self._inline, self._marks
        column, start = lines.column, lines.start
        self._anchors.enter(depth, start)
        depth += 1
        result: dict[str, Value] = {}
        merged = False
        while lines.column == column and not lines.dashes:
            key = names.get(lines.key)
            is_known = key is not None and lines.rest in scalars
            read: Callable[[int, int, int], Value] = inline
            if key is None:
                merged = merged or lines.key == b"<<" or lines.rest.startswith(MERGE_TAG)
                key, read = self._new_key(column)
            if key in result:
                raise lines.error(lines.start + column, duplicate_key(key))
            if marks is not None:
                marks.add(result, key, lines.start + column)
            result[key] = self._plain_value(column) if is_known else read(column, depth, column)
        return self._flow.merged(result, start) if merged else result

    def _new_key(self, column: int) -> tuple[str, Callable[[int, int, int], Value]]:
        """The key of the current line, which is not in ``_names`` yet (``<<`` never is), and the reader of its
        value."""
        lines = self._lines
        if not lines.key and self._at_mark(b"?"):
            return self._explicit_key(column), self._item
        if not lines.key:
            return self._unusual_key(), self._inline
        text = lines.key.rstrip()
        name = (text[1:-1] if text[0] in b"\"'" else text).decode()
        if name != "<<":
            self._names[lines.key] = name
        return name, self._inline

    def _at_mark(self, mark: bytes) -> bool:
        """Whether `?` or `:` with a space comes next, before a key or a value with a line of its own."""
        rest = self._lines.rest
        return rest[:1] == mark and rest[1:2] in b" \t"

    def _unusual_key(self) -> str:
        """A key with an anchor, with escapes, with spaces before its colon and so on."""
        lines = self._lines
        found = _UNUSUAL_KEY.match(lines.rest)
        if found is None:
            raise lines.error(lines.offset, _TAB_INDENTS if lines.rest[:1] == b"\t" else "expected `key: value`")
        if found["alias"]:
            raise lines.error(lines.offset, "an alias cannot be a key; write the key out")
        properties, start = NO_PROPERTIES, lines.offset
        if found["properties"]:
            properties, start = self._flow.properties(start)
        key = self._flow.quoted(start)[0] if found["quoted"] else (found["plain"] or b"").rstrip().decode()
        if properties.anchor:
            self._anchors.close(self._anchors.open(properties.anchor, 0, start), key, 0, start + len(key))
        lines.rest = lines.rest[found.end() :]
        return key

    def _explicit_key(self, column: int) -> str:
        """Reads ``? key``, which some writers use for long keys, with its value after a colon on the next line."""
        lines = self._lines
        found = _EXPLICIT_KEY.match(lines.rest)
        if found is None:
            raise lines.error(lines.offset, "a key after `?` must be plain or quoted text on the same line")
        lines.advance()
        if lines.column != column or lines.key or not self._at_mark(b":"):
            raise lines.error(lines.start, "expected the `:` of the key after `?`")
        lines.take(1)
        return (found["double"] or found["single"] or found["plain"] or b"").rstrip().decode()

    def _inline(self, parent: int, depth: int, dashes_from: int) -> Value:
        """A value that begins with ``rest``, after a key or a dash, or on the next lines if ``rest`` is empty.

        A sequence on the next lines belongs to the value from the column ``dashes_from`` on. In a mapping it may be as
        far left as its key (YAML 1.2.2 section 8.2.2).
        """
        lines = self._lines
        rest = lines.rest
        if not rest or rest[0] == _HASH:
            lines.advance()
            if lines.dashes:
                return self._sequence(depth) if lines.column >= dashes_from else None
            return self._node(parent, depth) if lines.column > parent else None
        if rest in self._scalars or rest[0] not in _INDICATORS or _PLAIN_START.match(rest):
            return self._plain_value(parent)
        start = rest[:1]
        if start in {b"|", b">"}:
            return self._block_scalar(parent)
        if start in {b"&", b"!"}:
            return self._with_properties(parent, depth, dashes_from)
        return self._delimited(depth)

    def _delimited(self, depth: int) -> Value:
        """A value with a marked end: quoted text, brackets, an alias."""
        lines = self._lines
        rest, start = lines.rest, lines.rest[:1]
        if start in _QUOTES and rest.find(start, 1) == len(rest) - 1 and b"\\" not in rest:  # the usual case
            lines.advance()
            return rest[1:-1].decode()
        if start not in {b'"', b"'", b"[", b"{", b"*"}:
            raise lines.error(lines.offset, f"plain text cannot begin with `{start.decode()}`; quote it")
        value, end = self._flow.value(lines.offset, depth)
        lines.go_past(end)
        return value

    def _with_properties(self, parent: int, depth: int, dashes_from: int) -> Value:
        lines, start = self._lines, self._lines.offset
        properties, offset = self._flow.properties(start)
        lines.rest = lines.rest[offset - start :]
        opening = self._anchors.open(properties.anchor, depth, offset) if properties.anchor else None
        if properties.tag in SCALAR_TAGS:
            value: Value = self._flow.scalar(properties.tag, self._text_of(parent), start)
        else:
            value = self._inline(parent, depth, dashes_from)
            self._flow.check_tag(properties.tag, value, start)
        if opening:
            self._anchors.close(opening, value, depth, lines.start)
        return value

    def _text_of(self, parent: int) -> str:
        """The text of a scalar on the current line, as needed for a scalar with a tag."""
        lines = self._lines
        start = lines.rest[:1]
        if start in {b"", b"#"}:
            lines.advance()
            return ""
        if start in {b"|", b">"}:
            return self._block_scalar(parent)
        offset = lines.offset
        if start not in {b'"', b"'"}:
            if not _PLAIN_START.match(lines.rest):
                raise lines.error(offset, f"a scalar cannot begin with `{start.decode()}`; quote it")
            lines.advance()
            return self._plain(offset, parent)
        text, end = self._flow.quoted(offset)
        lines.go_past(end)
        return text

    def _plain_value(self, parent: int) -> Value:
        lines, scalars = self._lines, self._scalars
        rest, starts, index = lines.rest, lines.starts, lines.index
        lines.advance()
        if lines.column > parent:
            return resolve(self._plain(starts[index + 1] - 1 - len(rest), parent))
        if rest in scalars:
            return scalars[rest]
        value = resolve(self._without_comment(rest, starts[index + 1] - 1 - len(rest)).decode())
        if len(rest) <= _REPEATED_BYTES:
            scalars[rest] = value
        return value

    def _plain(self, start: int, parent: int) -> str:
        """Plain text from ``start`` on. Every line that is indented deeper than ``parent`` belongs to it."""
        lines = self._lines
        while lines.column > parent:
            lines.advance()
        return folded(self._without_comment(self._text[start : lines.start], start).decode())

    def _without_comment(self, text: bytes, start: int) -> bytes:
        """The plain text that begins at ``start``."""
        if b"#" in text and (comment := _COMMENT.search(text)):
            if not _ONLY_COMMENTS.fullmatch(text, comment.start()):
                raise self._lines.error(start + comment.start() + 1, "a comment ends plain text, but more is below it")
            text = text[: comment.start()]
        if b":" in text and (key := _INNER_KEY.search(text)):
            raise self._lines.error(start + key.start(), "a colon and a space within plain text; quote the text")
        return text.rstrip()

    def _block_scalar(self, parent: int) -> str:
        lines = self._lines
        header = _BLOCK_HEADER.fullmatch(lines.rest)
        if header is None:
            raise lines.error(lines.offset, "a block scalar begins with `|` or `>`, then only `+`, `-` or a digit")
        start = lines.starts[lines.index + 1]
        if header["indent"]:
            indent = max(parent, 0) + int(header["indent"])
        else:
            first = _FIRST_TEXT.match(self._text, start)
            indent = len(first[1]) if first else 0
        inner = _block_lines(indent) if indent > parent else _BLANK_LINES
        found = inner.match(self._text, start)
        end = found.end() if found else start
        lines.go_to(end)
        text = self._text[start:end].decode()
        return block_scalar(text if indent > parent else "\n" * text.count("\n"), indent, header[1].decode())


@lru_cache(maxsize=64)  # compiled once for each indentation in use
def _block_lines(indent: int) -> re.Pattern[bytes]:
    return re.compile(any_number_of(rf"(?: {{{indent}}}[^\n]*|[ \t]*)\n").encode())
