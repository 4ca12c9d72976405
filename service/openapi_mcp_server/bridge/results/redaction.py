"""REDACT: values that leave neither in an answer's text nor in its structure, nor in a log.

A name hides the values of every key that is so called, in any case; a JSON path hides what it leads to. What cannot be
looked into and speaks of one of the names is withheld whole: better nothing than what was to be hidden.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from openapi_mcp_server.bridge.media.large_json import is_large
from openapi_mcp_server.bridge.model import HttpResponse
from openapi_mcp_server.openapi.text.numbers import decode, encode

REDACTED = "openapi-mcp-server/redacted"
"""Key in ``_meta``: how many values of an answer were hidden."""
HIDDEN = "[redacted]"
_PATH = re.compile(r"\$(?:\.\.?[^.\[\]$]+|\[\*\]|\[\d+\]|\['[^']+'\])+")
_STEP = re.compile(r"(\.\.?)([^.\[\]$]+)|\[(?:(\*)|(\d+)|'([^']+)')\]")
_NAME = re.compile(r"[^$.\[\]\s][^.\[\]]*")
_DATA = re.compile(rb"data: ?")


class Step(NamedTuple):
    """One of a path: to the members of this name (``*``: all), at any depth where it is ``deep``."""

    name: str
    deep: bool = False


Path = tuple[Step, ...]
Places = tuple[tuple[Path, int], ...]
"""Paths, and how many of their steps led here."""


class Redaction(msgspec.Struct, frozen=True):
    """``names`` in lower case; ``words``: what a text that speaks of a hidden value has in it. ``always``: that
    cannot be told, and every answer is looked into."""

    names: frozenset[str]
    paths: tuple[Path, ...]
    words: tuple[bytes, ...]
    always: bool = False

    def applied(self, answer: HttpResponse) -> tuple[HttpResponse, int]:
        """The answer without what is hidden, and how many values that were."""
        headers = tuple(header for header in answer.headers if header[0] not in self.names)
        body, count = self.text(answer.body)
        count += len(answer.headers) - len(headers)
        return (msgspec.structs.replace(answer, body=body, headers=headers), count) if count else (answer, 0)

    def text(self, body: bytes) -> tuple[bytes, int]:
        """JSON as a whole, else line by line (NDJSON, server-sent events); a line that is none and has one of the words
        is hidden."""
        if not self._speaks(body):
            return body, 0
        whole = self._json(body)
        if whole is not None:
            return whole
        lines, count = [], 0
        for line in body.split(b"\n"):
            kept, hidden = self._line(line)
            lines.append(kept)
            count += hidden
        return b"\n".join(lines), count

    def value(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """A value of JSON without what is hidden."""
        return self._walk(value, self._start(), [0])

    def _speaks(self, text: bytes) -> bool:
        """Keys may be spelt with escapes, and text may have two bytes a character."""
        lower = text.lower().replace(b"\0", b"")
        return self.always or b"\\u" in lower or any(word in lower for word in self.words)

    def _json(self, text: bytes) -> tuple[bytes, int] | None:
        """None for what cannot be read as JSON."""
        if is_large(text):
            return encode(f"{HIDDEN} (the answer is too large to be looked into)"), 1
        count = [0]
        try:
            value = self._walk(decode(text), self._start(), count)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None
        return (encode(value), count[0]) if count[0] else (text, 0)

    def _line(self, line: bytes) -> tuple[bytes, int]:
        if not self._speaks(line):
            return line, 0
        field = _DATA.match(line)
        prefix, rest = (line[: field.end()], line[field.end() :]) if field else (b"", line)
        read = self._json(rest) if rest.strip()[:1] in (b"{", b"[") else None
        if read is not None:
            return prefix + read[0], read[1]
        is_spoken_of = any(word in line.lower().replace(b"\0", b"") for word in self.words)
        return (prefix + HIDDEN.encode(), 1) if is_spoken_of else (line, 0)

    def _start(self) -> Places:
        return tuple((path, 0) for path in self.paths)

    def _walk(self, value: Any, places: Places, count: list[int]) -> Any:  # noqa: ANN401
        if isinstance(value, dict):
            return {name: self._member(name, each, places, count) for name, each in value.items()}
        if isinstance(value, list):
            return [self._item(index, each, places, count) for index, each in enumerate(value)]
        return value

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
    """None if nothing is to be hidden. Raises ValueError for what is neither a name nor a JSON path."""
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
    always = not all(word and word.isascii() for word in words)
    return Redaction(frozenset(names), tuple(paths), tuple(word.encode() for word in sorted(words) if word), always)


def _path(text: str) -> Path:
    if not _PATH.fullmatch(text):
        raise ValueError(f"{text!r} is no JSON path of .name, ..name, ['name'], [*] and [0]")
    return tuple(
        Step(name or star or index or quoted, dots == "..") for dots, name, star, index, quoted in _STEP.findall(text)
    )


def _last_name(path: Path) -> str:
    """The name that a text about the hidden value has in it."""
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
    """A text stays a text, so that it fits its schema; null fits every other."""
    if value is None:
        return None
    count[0] += 1
    return HIDDEN if isinstance(value, str) else None
