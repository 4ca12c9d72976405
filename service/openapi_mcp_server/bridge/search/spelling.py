"""Corrects words of a query that an API does not have."""

from __future__ import annotations

import difflib
import string
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from openapi_mcp_server.bridge.search.index import Index, letters
from openapi_mcp_server.bridge.search.vocabulary import GENERIC, INTENTS, QUESTIONS, SPELT_RIGHT, STOP, SYNONYMS
from openapi_mcp_server.bridge.search.words import stem

_PREFIX_LETTERS, _PREFIX_MORE, _PREFIXES = 4, 7, 12
_MISTYPED_LETTERS = 4
_MISTYPED_WORDS = 6
_WHOLE_LETTERS = 6
"""A word with so many letters is more likely mistyped than the beginning of another one."""
_ALIKE, _ALIKE_WORDS = 0.8, 2
_FORMS = {"ing": ("", "e"), "ed": ("", "e"), "s": ("",)}
"""Endings, each with its replacements in the word."""
_LETTERS = string.ascii_lowercase
_LONGEST = 24
"""The most letters of a word that is corrected."""
_OTHER_LETTERS = (2, 4)
"""The most letters by which one mistake, or two, can change the set of a word's letters."""


def meant_words(index: Index, found: Sequence[str]) -> dict[str, list[str]]:
    """The unknown words with their probable corrections, the likeliest first."""
    unknown = [word for word in dict.fromkeys(found) if not _is_known(index, word, is_verb=word == found[0])]
    unknown = unknown[:_MISTYPED_WORDS]
    return {word: near for word in unknown if (near := _spelt_like(index, word, is_verb=word == found[0]))}


def _is_known(index: Index, word: str, *, is_verb: bool) -> bool:
    if word in INTENTS or word in STOP or word in SPELT_RIGHT or not word.isalpha():
        return True
    own = stem(word)
    if own in index.postings or own in SYNONYMS:
        return True
    return any(True for _ in beginning(index, own)) and not _is_rather_mistyped(index, word, is_verb=is_verb)


def _is_rather_mistyped(index: Index, word: str, *, is_verb: bool) -> bool:
    """Whether a word, although a known word begins with it, is more likely mistyped."""
    if is_verb and any(other in INTENTS for other in _one_mistake(word)):
        return True
    near = _one_mistake(word) if len(word) >= _WHOLE_LETTERS else ()
    return any(stem(other) in index.postings for other in near if _is_spelt(index, other))


def beginning(index: Index, word: str) -> Iterator[str]:
    if len(word) < _PREFIX_LETTERS:
        return
    start = bisect_left(index.vocabulary, word)
    for other in index.vocabulary[start : start + _PREFIXES]:
        if other.startswith(word) and len(other) <= len(word) + _PREFIX_MORE and other in index.postings:
            yield other


def _spelt_like(index: Index, word: str, *, is_verb: bool) -> list[str]:
    """The nearest words: those at a distance of one mistake, or else the most similar ones."""
    near = [other for other in _one_mistake(word) if _is_spelt(index, other) or other in QUESTIONS]
    if len(word) < _MISTYPED_LETTERS:  # many are near to so short a word
        near = [other for other in near if (_opens(other) if is_verb else len(other) > len(word))]
    elif not near:
        near = _alike(index, word)
    return sorted(near, key=lambda other: _unlikely(index, other, word, is_verb=is_verb))[:_ALIKE_WORDS]


def _opens(word: str) -> bool:
    """Whether queries begin with this word: a verb, or a word such as "which"."""
    return word in INTENTS or word in QUESTIONS


def _is_spelt(index: Index, word: str) -> bool:
    """Whether it is a known word, or a usual form of one."""
    known = index.spellings
    if word in known:
        return True
    for ending, bases in _FORMS.items():
        if word.endswith(ending):
            return any(f"{word[: -len(ending)]}{base}" in known for base in bases)
    return False


def _one_mistake(word: str) -> Iterator[str]:
    """The words with one letter more, one less, one replaced or two swapped (as in Norvig's spelling corrector),
    without repetitions."""
    if len(word) > _LONGEST:
        return
    splits = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    yield from dict.fromkeys(
        [
            *(f"{left}{letter}{right}" for left, right in splits for letter in _LETTERS),
            *(f"{left}{right[1]}{right[0]}{right[2:]}" for left, right in splits if len(right) > 1),
            *(
                f"{left}{letter}{right[1:]}"
                for left, right in splits
                if right
                for letter in _LETTERS
                if letter != right[0]
            ),
            *(f"{left}{right[1:]}" for left, right in splits if right),
        ]
    )


def _unlikely(index: Index, other: str, word: str, *, is_verb: bool) -> tuple[bool, ...]:
    """The reasons against a spelling, the heaviest first, as a key to sort by."""
    own = stem(other)
    is_other = is_verb and not _opens(other)
    is_unlike = other[0] != word[0] or other[-1] != word[-1]
    return is_other, other in STOP, own not in index.postings, own in GENERIC, is_unlike


def _alike(index: Index, word: str) -> list[str]:
    """The known words that are most similar to a word. A mistake changes few letters, which excludes most words at
    once."""
    own, size = letters(word), len(word)
    for allowed in _OTHER_LETTERS:
        near = [
            other
            for other, held in index.spellings.items()
            if (own ^ held).bit_count() <= allowed and -2 <= len(other) - size <= 2
        ]
        if found := difflib.get_close_matches(word, near, 2 * _ALIKE_WORDS, _ALIKE):
            return found
    return []
