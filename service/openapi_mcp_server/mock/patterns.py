"""Texts that a regular expression may match, short ones first; each is for the caller to try.

Python's own parser reads the expression, so what ECMA-262 spells otherwise is respelt before.
"""

from __future__ import annotations

import re
import string
import warnings
from collections.abc import Callable, Iterator
from re import _constants as op  # type: ignore[attr-defined]  # the parser of `re` itself, which is private
from re import _parser  # type: ignore[attr-defined]  # the same
from typing import Any

_REPEATS = (1, 0, *range(2, 65), 128, 256)
"""How often more than needed what may be repeated is: one of these makes nearly every length that is asked for."""
_FAVOURED = string.ascii_lowercase + string.digits + string.ascii_uppercase + "-_./:@ "
_RESPELT = (
    (re.compile(r"\\[pP]\{(?:N|Nd|Number|Digit)[^}]*\}"), "0"),
    (re.compile(r"\\[pP]\{(?:L[ut]|Lu|Uppercase)[^}]*\}"), "A"),
    (re.compile(r"\\[pP]\{[^}]*\}|\\[pP][A-Z]"), "a"),
    (re.compile(r"\(\?<(?![=!])"), "(?P<"),
    (re.compile(r"\(\?[a-z]+\)"), ""),  # flags, which Python wants at the start only
    (re.compile(r"\\u\{([0-9a-fA-F]{1,4})\}"), lambda found: f"\\u{int(found[1], 16):04x}"),
    (re.compile(r"\\z"), r"\\Z"),
)
_CATEGORIES: dict[object, Callable[[str], bool]] = {
    op.CATEGORY_DIGIT: str.isdigit,
    op.CATEGORY_SPACE: str.isspace,
    op.CATEGORY_WORD: lambda letter: letter.isalnum() or letter == "_",
    op.CATEGORY_NOT_DIGIT: lambda letter: not letter.isdigit(),
    op.CATEGORY_NOT_SPACE: lambda letter: not letter.isspace(),
    op.CATEGORY_NOT_WORD: lambda letter: not (letter.isalnum() or letter == "_"),
}


def texts(pattern: str) -> Iterator[str]:
    """Texts that a regular expression may match; none if it cannot be read."""
    for spelling, python in _RESPELT:
        pattern = spelling.sub(python, pattern)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sets that Python may read otherwise one day
            tree = _parser.parse(pattern)
    except (re.error, OverflowError):
        return
    for branch in range(4):
        for more in _REPEATS:
            yield "".join(_text(node, more, branch) for node in tree)


def _text(node: tuple[Any, Any], more: int, branch: int) -> str:
    kind, value = node
    if kind is op.LITERAL:
        return chr(value)
    if kind in {op.ANY, op.NOT_LITERAL, op.IN}:
        return _letter(kind, value)
    if kind in {op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT}:
        least, most, inner = value
        times: int = min(least + more, int(most))
        return "".join(_text(each, more, branch) for each in inner) * times
    if kind is op.SUBPATTERN:
        return "".join(_text(each, more, branch) for each in value[-1])
    if kind is op.BRANCH:
        ways = value[1]
        return "".join(_text(each, more, branch) for each in ways[branch % len(ways)])
    return ""  # anchors and assertions take no room; whether they hold is for the caller to see


def _letter(kind: Any, value: Any) -> str:  # noqa: ANN401 - private types of the parser
    if kind is op.ANY:
        return "a"
    if kind is op.NOT_LITERAL:
        return "a" if chr(value) != "a" else "b"
    is_negated = value[0][0] is op.NEGATE
    members = value[1:] if is_negated else value
    named = [chr(each if member is op.LITERAL else each[0]) for member, each in members if member is not op.CATEGORY]
    for letter in (_FAVOURED + string.punctuation) if is_negated else [*_FAVOURED, *named]:
        if _is_in(letter, members) != is_negated:
            return letter
    return ""


def _is_in(letter: str, members: list[tuple[Any, Any]]) -> bool:
    for kind, value in members:
        if kind is op.LITERAL and ord(letter) == value:
            return True
        if kind is op.RANGE and value[0] <= ord(letter) <= value[1]:
            return True
        if kind is op.CATEGORY and _CATEGORIES[value](letter):
            return True
    return False
