"""Regular expressions that a linear-time engine can run, so that no pattern can stall a call.

jsonschema-rs translates ECMA 262 syntax (``\\d``, ``\\p{L}``, ``\\/``) for Rust's ``regex``, which has no look-around
and no back-references. Patterns with these are not checked. A few spellings of other languages are translated to
ECMA's.
"""

from __future__ import annotations

import re

from openapi_mcp_server.openapi.json_schema import is_pattern

COMPILED_BYTES = 250_000
"""The most bytes of one compiled pattern: time is linear in the text *and* in this. With the library's 10 MB,
``a{100000}`` takes 40 s of CPU for a text of 200 kB; all usable patterns of 124 published documents fit into
200,000."""

_ECMA = {r"\A": "^", r"\z": "$", r"\Z": "$", "[^]": r"[\s\S]", r"[\b]": r"[\x08]"}
_TOKEN = re.compile(r"\[\^\]|\[\\b\]|\\.", re.DOTALL)
_POSIX = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "ascii": r"\x00-\x7f",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-\/:-@\[-`{-~",
    "space": r"\s",
    "upper": "A-Z",
    "word": r"\w",
    "xdigit": "0-9A-Fa-f",
}
"""Classes within a class (POSIX 9.3.5), which ECMA reads as the letters of their names."""
_IN_CLASS = re.compile(r"\\.|\[:([a-z]{4,6}):\]|\[|\]", re.DOTALL)
_INTERSECTION = "&&["
"""Java's intersection of two classes; in ECMA the same characters mean something else."""
_INLINE_FLAGS = "ims"
_FLAGS = frozenset(_INLINE_FLAGS + "dDguvy")
"""Flags of literals; only the first three change what a pattern matches here."""


class Patterns:
    """The patterns of one document. Each is tried once, which takes 11 µs; some documents repeat one 1,000 times."""

    def __init__(self) -> None:
        self._known: dict[str, str | None] = {}

    def linear(self, pattern: str) -> str | None:
        """The pattern in a form that the engine can run; None if there is none."""
        if pattern not in self._known:
            ecma = _ecma(pattern)
            is_usable = _INTERSECTION not in ecma and is_pattern(ecma, pattern_bytes=COMPILED_BYTES)
            self._known[pattern] = ecma if is_usable else None
        return self._known[pattern]


def _ecma(pattern: str) -> str:
    plain = _without_slashes(pattern)
    if "[:" in plain:
        plain = _without_posix(plain)
    return _TOKEN.sub(lambda token: _ECMA.get(token[0], token[0]), plain)


def _without_posix(pattern: str) -> str:
    """Turns ``[[:digit:]_]`` into ``[0-9_]``; a lone ``[:digit:]`` is a class of these letters."""
    pieces, end, is_within = [], 0, False
    for found in _IN_CLASS.finditer(pattern):
        if found[1] is None:
            is_within = {"[": True, "]": False}.get(found[0], is_within)
        elif is_within:
            pieces += [pattern[end : found.start()], _POSIX.get(found[1], found[0])]
            end = found.end()
    return "".join([*pieces, pattern[end:]])


def _without_slashes(pattern: str) -> str:
    """The expression in a whole literal of JavaScript or PHP (``/^[a-z]+$/i``). As written, the literal matches
    nothing, since no text has a slash before its beginning or after its end."""
    body, slash, flags = pattern[1:].rpartition("/")
    is_anchored = body.startswith("^") or (body.endswith("$") and not body.endswith(r"\$"))
    if not (pattern.startswith("/") and slash and is_anchored and _FLAGS.issuperset(flags)):
        return pattern
    inline = "".join(flag for flag in _INLINE_FLAGS if flag in flags)
    return f"(?{inline}){body}" if inline else body
