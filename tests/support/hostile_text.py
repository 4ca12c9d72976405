"""Texts that cost a regular expression most, made from its parse tree: every repetition pumped with what it repeats.

``\\d+x`` is slow where digits follow digits and no x comes; ``(a*b*)*c`` where one text can be divided in many ways. So
each text is a beginning that leads to a repetition, some words that fit it again and again, and an end that fits
nothing.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from itertools import islice, product
from typing import Any, NamedTuple

from re import _compiler, _constants, _parser  # type: ignore[attr-defined]  # isort: skip # there is no public parser

WORDS = 6
"""Of one part of a pattern."""
_EVERYWHERE = "aZ0_ \t\n.-\"'\\;:,é\0"
_ENDS = ("", "\0", "!")
_REPEATS = {_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT}
_CHARACTERS = {_constants.LITERAL, _constants.NOT_LITERAL, _constants.ANY, _constants.IN}
_LOOKING = {_constants.ASSERT, _constants.ASSERT_NOT}

Item = tuple[Any, Any]


class Pumped(NamedTuple):
    """``beginning`` + ``word`` many times + ``end``."""

    beginning: str
    word: str
    end: str

    def text(self, length: int) -> str:
        return self.beginning + self.word * (length // len(self.word) + 1) + self.end


def hostile(pattern: re.Pattern[str] | re.Pattern[bytes]) -> Iterator[Pumped]:
    """Each once; of a pattern for bytes the texts are latin-1."""
    source = pattern.pattern
    text = source.decode("latin-1") if isinstance(source, bytes) else source
    yield from dict.fromkeys(_Grown(text, pattern.flags & ~re.UNICODE).texts())


class _Grown:
    def __init__(self, source: str, flags: int) -> None:
        self._flags = flags
        self._tree = _parser.parse(source, flags)
        self._alphabet = list(dict.fromkeys([*_literals(self._tree), *_EVERYWHERE]))
        self._random = random.Random(0)

    def texts(self) -> Iterator[Pumped]:
        pumps = list(self._pumps(self._tree, [""]))
        words = [*self._alphabet, *map("".join, product(self._alphabet[:24], repeat=2))]
        pumps += [("", word) for word in words]
        pumps += [(beginning, word) for beginning in {begun for begun, _ in pumps} for word in self._alphabet]
        for (beginning, word), end in product(dict.fromkeys(pumps), _ENDS):
            yield Pumped(beginning, word, end)

    def _pumps(self, items: Any, before: list[str]) -> Iterator[tuple[str, str]]:
        """Of every repetition in ``items``: a beginning that leads to it, and what it repeats."""
        for item in items:
            for inner in _inside(item):
                yield from self._pumps(inner, before)
            if item[0] in _REPEATS:
                words = [word for word in self._words_of(item[1][2]) if word]
                several = ["".join(self._random.choices(words, k=3)) for _ in words]
                yield from product(before[:2], words + several)
            before = [f"{begun}{word}" for begun, word in zip(_cycled(before), self._words(item), strict=False)]

    def _words_of(self, items: Any) -> list[str]:
        """Some of what a sequence matches."""
        choices = [self._words(item) for item in items]
        turns = ["".join(words[turn % len(words)] for words in choices) for turn in range(WORDS)]
        mixed = ["".join(map(self._random.choice, choices)) for _ in range(WORDS)]
        return list(dict.fromkeys(turns + mixed))

    def _words(self, item: Item) -> list[str]:
        kind, value = item
        if kind in _CHARACTERS:
            return self._fitting(item)
        if kind in _REPEATS:
            least, most, inner = value
            counts = dict.fromkeys(count for count in (least, max(least, 1), least + 2) if count <= int(most))
            return [word * count for word in self._words_of(inner) for count in counts][: 2 * WORDS] or [""]
        if kind is _constants.BRANCH:
            return list(
                islice(dict.fromkeys(word for branch in value[1] for word in self._words_of(branch)), 3 * WORDS)
            )
        if kind in {_constants.SUBPATTERN, _constants.ATOMIC_GROUP}:
            return self._words_of(_inside(item)[0])
        return [""]

    def _fitting(self, item: Item) -> list[str]:
        one = _compiler.compile(_parser.SubPattern(self._tree.state, [item]), self._flags)
        fitting = [letter for letter in self._alphabet if one.fullmatch(letter)]
        return fitting[: 2 * WORDS] or [next((chr(code) for code in range(0x11000) if one.fullmatch(chr(code))), "")]


def _inside(item: Item) -> list[Any]:
    """The parts of a part."""
    kind, value = item
    if kind in _REPEATS:
        return [value[2]]
    if kind is _constants.BRANCH:
        return list(value[1])
    if kind is _constants.SUBPATTERN:
        return [value[-1]]
    if kind is _constants.ATOMIC_GROUP:
        return [value]
    return [value[1]] if kind in _LOOKING else []


def _literals(items: Any) -> Iterator[str]:
    """The characters that a pattern names, and the ends of its ranges."""
    for item in items:
        kind, value = item
        if kind in {_constants.LITERAL, _constants.NOT_LITERAL}:
            yield chr(value)
        elif kind is _constants.RANGE:
            yield from map(chr, value)
        elif kind is _constants.IN:
            yield from _literals(value)
        for inner in _inside(item):
            yield from _literals(inner)


def _cycled(words: list[str]) -> Iterator[str]:
    while True:
        yield from words
