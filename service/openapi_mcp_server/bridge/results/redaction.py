"""REDACT: values that appear neither in an answer's text nor in its structure, nor in a log.

A name hides the values of every key with this name, in any case. A JSON path hides its target. Text that cannot be
parsed and contains one of the names is withheld as a whole, so that no hidden value can appear.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.bridge.media.by_parts import PART_BYTES, decode_by_parts, part_starts
from openapi_mcp_server.bridge.media.large_json import is_large
from openapi_mcp_server.openapi.text.numbers import encode
from openapi_mcp_server.pausing import make_way

REDACTED = "openapi-mcp-server/redacted"
"""Key in ``_meta`` for the number of hidden values in an answer."""
HIDDEN = "[redacted]"
_PATH = re.compile(r"\$(?:\.\.?[^.\[\]$]+|\[\*\]|\[\d+\]|\['[^']+'\])+")
_STEP = re.compile(r"(\.\.?)([^.\[\]$]+)|\[(?:(\*)|(\d+)|'([^']+)')\]")
_NAME = re.compile(r"[^$.\[\]\s][^.\[\]]*")
_OPENING = frozenset({"{", "[", '"'})
_ESCAPING = (b"%", b"&#", b"\\")
_ESCAPE = re.compile(
    rb"(?:%|\\x|\\u00)([0-9a-fA-F]{2})|&#[xX]0{0,7}([1-9a-fA-F][0-9a-fA-F]?);|&#0{0,7}([1-9][0-9]{0,2});"
)
"""An escaped character in a form, in YAML, or in XML and HTML."""
_LONGEST_ESCAPE = 24
"""Bytes of one: ``&#0000000112;`` with a NUL after each."""
_BETWEEN_PARAMETERS = re.compile(r"[&?;,<>\s]")


class Step(NamedTuple):
    """One step of a path, to the members of this name (``*``: all), at any depth if it is ``deep``."""

    name: str
    deep: bool = False


Path = tuple[Step, ...]
Places = tuple[tuple[Path, int], ...]
"""Paths with the number of their steps so far."""


class Redaction(msgspec.Struct, frozen=True):
    """The values to hide. ``names`` are in lower case; every text about a hidden value has one of ``words``.
    ``always``: the bytes cannot show that, so every answer is searched. ``nameless``: a path has no name at all."""

    names: frozenset[str]
    paths: tuple[Path, ...]
    words: tuple[bytes, ...]
    always: bool = False
    nameless: bool = False

    def applied(self, answer: HttpResponse) -> tuple[HttpResponse, int]:
        """The answer without hidden values, and their number."""
        headers = tuple(header for header in answer.headers if not self._hides(*header))
        is_stream = (answer.header("content-type") or "").lower().startswith("text/event-stream")
        body, count = self._events(answer.body) if is_stream else self.text(answer.body)
        count += len(answer.headers) - len(headers)
        changed = count or body is not answer.body
        return (msgspec.structs.replace(answer, body=body, headers=headers), count) if changed else (answer, 0)

    def _hides(self, name: str, value: str) -> bool:
        """Whether a header has a hidden name, or an address or a cookie with a parameter of that name."""
        pairs = (each.partition("=") for each in _BETWEEN_PARAMETERS.split(value))
        return name in self.names or any(
            unquote(key).casefold().encode() in self.words for key, equals, _ in pairs if equals
        )

    def text(self, body: bytes) -> tuple[bytes, int]:
        """Redacts JSON as a whole, or line by line if every line is an object or an array (NDJSON). Any other text with
        a hidden name is withheld, since a name may be in one line and its value in another."""
        if not self._speaks(body):
            return body, 0
        return self._json(body) or self._lines(body) or ((HIDDEN.encode(), 1) if self._names(body) else (body, 0))

    def _events(self, body: bytes) -> tuple[bytes, int]:
        """Redacts server-sent events one by one. Data that is not JSON is withheld if it has a hidden name."""
        return self._halved(body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")) if self._speaks(body) else (body, 0)

    def _halved(self, text: bytes) -> tuple[bytes, int]:
        """Redacts events that may have a hidden name. A half without any is not split: there may be a million
        events."""
        make_way()
        middle = text.find(b"\n\n", len(text) // 2)
        middle = middle if middle >= 0 else text.rfind(b"\n\n")
        if middle < 0:
            return self._event(text)
        halves = (text[:middle], text[middle + 2 :])
        (before, hidden), (after, more) = [self._halved(half) if self._speaks(half) else (half, 0) for half in halves]
        return b"%b\n\n%b" % (before, after), hidden + more

    def _event(self, block: bytes) -> tuple[bytes, int]:
        every = block.split(b"\n")
        fields = [field for field in every if not field.startswith(b"data")]
        data = b"\n".join(field[5:].removeprefix(b" ") for field in every if field.startswith(b"data:"))
        kept, count = self.text(data)
        left = [field for field in fields if not self._names(field)]
        if kept is data and left == fields:
            return block, 0
        if any(self._is_kind(field) for field in fields):
            kept = HIDDEN.encode()
        return b"\n".join((*left, b"data: " + kept.replace(b"\n", b"\ndata: "))), count + len(fields) - len(left)

    def _is_kind(self, field: bytes) -> bool:
        """Whether a field gives the event a type that is a hidden name; then its data is hidden."""
        name, _, kind = field.partition(b":")
        return name == b"event" and kind.strip().lower() in self.words

    def _lines(self, body: bytes) -> tuple[bytes, int] | None:
        """Redacts NDJSON; None for other text. If the last line was cut off, it is dropped."""
        lines, count = [], 0
        every = body.strip().split(b"\n")
        for number, line in enumerate(every, 1):
            record = line.lstrip(b"\x1e").strip()  # RFC 7464
            read = self._json(record) if record[:1] in (b"{", b"[") else None
            if read is None and number == len(every) > 1:
                read = (HIDDEN.encode(), 1) if self._names(line) else (line, 0)
            if read is None:
                return None
            lines.append(read[0])
            count += read[1]
        return b"\n".join(lines), count

    def value(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """A JSON value without hidden values."""
        return self._walk(value, self._start(), [0])

    def _speaks(self, text: bytes) -> bool:
        """Whether a text may have a hidden name. Keys may have escapes, and a text may have two bytes for each
        character."""
        return self.always or any(map(self._speaks_in, self._parts(text)))

    def _speaks_in(self, part: bytes) -> bool:
        lower = part.lower().replace(b"\0", b"")
        return b"\\u" in lower or any(word in lower for word in self.words) or self._spells(lower)

    def _parts(self, text: bytes) -> Iterable[bytes]:
        """A large text in parts, each with as much of the next one as a name takes that is spelt with escapes. To look
        through 10 MB in one call takes 300 ms."""
        if len(text) <= PART_BYTES:
            return (text,)
        more = PART_BYTES + _LONGEST_ESCAPE * max(map(len, self.words), default=0)
        return (text[start : start + more] for start in part_starts(text))

    def _spells(self, text: bytes) -> bool:
        if not any(escape in text for escape in _ESCAPING):
            return False
        plain = _ESCAPE.sub(_unescaped, text).lower()
        return any(word in plain for word in self.words)

    def _names(self, text: bytes) -> bool:
        """Whether text that is no JSON has a hidden name, or may be the target of a path without names."""
        if any(map(self._names_in, self._parts(text))):
            return True
        return self.nameless and text.lstrip(b"\0 \t\r\n\v\f")[:1] in (b"{", b"[")

    def _names_in(self, part: bytes) -> bool:
        plain = part.replace(b"\0", b"")
        lower = plain.lower() + plain.decode(errors="replace").casefold().encode()
        return any(word in lower for word in self.words) or self._spells(plain)

    def _json(self, text: bytes) -> tuple[bytes, int] | None:
        """Redacts JSON; None if it cannot be read. It is encoded again even if nothing is hidden, since only the last
        of two members with one name was checked."""
        if is_large(text):
            return encode(f"{HIDDEN} (the answer is too large to be searched)"), 1
        count = [0]
        try:
            value = self._walk(decode_by_parts(text.removeprefix(BOM_UTF8)), self._start(), count)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None
        return encode(value), count[0]

    def _start(self) -> Places:
        return tuple((path, 0) for path in self.paths)

    def _walk(self, value: Any, places: Places, count: list[int]) -> Any:  # noqa: ANN401
        if isinstance(value, dict):
            return {name: self._member(name, each, places, count) for name, each in value.items()}
        if isinstance(value, list):
            return [self._item(index, each, places, count) for index, each in enumerate(value)]
        return self._inner(value, count) if isinstance(value, str) else value

    def _inner(self, value: str, count: list[int]) -> str:
        """Redacts a text that is JSON itself, as in logs and queues."""
        if value.lstrip()[:1] not in _OPENING or not self._speaks(encoded := value.encode()):
            return value
        kept, hidden = self._json(encoded) or ((HIDDEN.encode(), 1) if self._names(encoded) else (encoded, 0))
        count[0] += hidden
        return kept.decode() if hidden else value

    def _member(self, name: str, value: Any, places: Places, count: list[int]) -> Any:  # noqa: ANN401
        if name.casefold() in self.names:
            return _hidden(value, count)
        return self._reached(value, _next(places, name), count)

    def _item(self, index: int, value: Any, places: Places, count: list[int]) -> Any:  # noqa: ANN401
        return self._reached(value, _next(places, str(index)), count) if places else self._walk(value, places, count)

    def _reached(self, value: Any, places: Places, count: list[int]) -> Any:  # noqa: ANN401
        if any(done == len(path) for path, done in places):
            return _hidden(value, count)
        return self._walk(value, places, count)


def of(texts: Iterable[str]) -> Redaction | None:
    """The redaction for names and paths; None if there are none. Raises ValueError for an invalid one."""
    names, paths = set(), []
    for text in texts:
        if text.startswith("$"):
            paths.append(_path(text))
        elif _NAME.fullmatch(text):
            names.add(text.casefold())
        else:
            raise ValueError(f"{text!r} is neither the name of a key nor a JSON path such as $.user.email or $..token")
    if not names and not paths:
        return None
    words = {*names, *(_last_name(path) for path in paths)}
    return Redaction(
        names=frozenset(names),
        paths=tuple(paths),
        words=tuple(word.encode() for word in sorted(words) if word),
        always=not all(word and word.isascii() for word in words),
        nameless="" in words,
    )


def _unescaped(escape: re.Match[bytes]) -> bytes:
    code = int(escape[3]) if escape[3] else int(escape[1] or escape[2], 16)
    return bytes([code]) if code < 256 else b" "


def _path(text: str) -> Path:
    if not _PATH.fullmatch(text):
        raise ValueError(f"{text!r} is no JSON path of .name, ..name, ['name'], [*] and [0]")
    return tuple(
        Step(name or star or index or quoted, dots == "..") for dots, name, star, index, quoted in _STEP.findall(text)
    )


def _last_name(path: Path) -> str:
    """The name of the hidden member at the end of a path. A text about the member has this name."""
    names = [step.name for step in path if step.name != "*" and not step.name.isdigit()]
    return names[-1].casefold() if names else ""


def _next(places: Places, name: str) -> Places:
    found = []
    for path, done in places:
        step = path[done]
        if step.name in {"*", name}:
            found.append((path, done + 1))
        if step.deep:
            found.append((path, done))
    return tuple(dict.fromkeys(found))


def _hidden(value: Any, count: list[int]) -> str | None:  # noqa: ANN401 - any JSON value
    """The replacement of a hidden value: a text for a text, so that it fits the schema, and null for any other
    value."""
    if value is None:
        return None
    count[0] += 1
    return HIDDEN if isinstance(value, str) else None
