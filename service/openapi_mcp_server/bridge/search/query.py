"""A question in words, as what an index knows: the stems that each word may mean, and what is to be done.

"Remove a track from my playlist" is a removal; of tracks, which is the head; from something of the caller's own.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from openapi_mcp_server.bridge.search.index import Index, letters
from openapi_mcp_server.bridge.search.vocabulary import (
    ADJECTIVES,
    DETERMINERS,
    GENERIC,
    HINTS,
    INTENTS,
    OWN,
    PLURAL_QUESTIONS,
    POLITE,
    PHRASES,
    PREPOSITIONS,
    QUESTIONS,
    SHOW_ME,
    REMOVALS,
    STOP,
    STOP_UNLESS_FIRST,
    SYNONYM,
    SYNONYM_BESIDE,
    SYNONYMS,
    Intent,
)
from openapi_mcp_server.bridge.search.words import is_plural, joined, stem, words

QUERY_CHARACTERS = 400
QUERY_WORDS = 24
"""Of a longer query the first count: what a model writes has three to ten."""

_GENERIC_SYNONYMS = True
_GENERIC_WORTH, _VERB_POSITIONS = 0.3, 2
_VERB_WORTH = 0.7
"""Of a verb at the start, which the method answers too: in "send a message to a channel" the message says most."""
_PREFIX, _LONGER, _MISTYPED = 0.55, 0.5, 0.6
"""Worth of a word that begins with the query's, and of one that is spelt about like it."""
_PREFIX_LETTERS, _PREFIX_MORE, _PREFIXES = 4, 7, 12
_MISTYPED_LETTERS = 4
_MISTYPED_WORDS = 6
_ALIKE, _ALIKE_WORDS, _OTHER_LETTERS = 0.75, 2, 4
_UNKNOWN_RARITY = 0.6
_UNSAID_INTENT = 0.5
_LATER_VERB = 0.7
_ACRONYM = 0.5
_MODIFIER = 1.0
_TIME = 0.3
_NO_GENERIC = True
_SHORTER = 0.5
_VALUE = re.compile(
    r"""(?<![\w'])'[^']*'(?!\w)|"[^"]*"|`[^`]*`|\u201c[^\u201d]*\u201d|(?<!\S)[\w.-]+/[\w./-]+|\S+@\S+|\b[a-z]+_\w*\d\w*|\#\d+"""
)
"""What a question quotes, and names of one thing: ``octocat/hello-world``, an address of mail, ``cus_9s6X``, ``#42``."""


TIMES = frozenset("today yesterday tomorrow tonight week month year day hour minute weeks months years days hours minutes last past monday".split())
_W = [0.3, 0.3, 0.3, 0.5, 0.5, 0.3]


class _Hints:
    def __iter__(self):
        for n, (p, m) in enumerate(HINTS):
            yield p, m, _W[n]


_HINTS = _Hints()


class Group(NamedTuple):
    """One word of a query: the known stems that it may mean, and the weight of each."""

    stems: dict[str, float]
    weight: float
    rarity: float  # what is missing where it is not there; 0 for neighbours as one word
    is_head: bool = True  # whether it is asked for, and not what that belongs to
    is_plural: bool | None = None  # None where its form tells neither
    is_verb: bool = False


class Query(NamedTuple):
    groups: Sequence[Group]
    rarity: float  # of all
    intents: dict[Intent, float]
    is_plural: bool
    is_own: bool  # whether it is about what the caller has
    is_one: bool  # whether it names one thing by its identifier


def read(index: Index, text: str) -> Query:
    """A query's words as stems that the index knows."""
    said = text[:QUERY_CHARACTERS]
    bare = _VALUE.sub(" ", said)
    found = words(bare)[:QUERY_WORDS] or words(said)[:QUERY_WORDS]
    found = SHOW_ME.sub("show ", POLITE.sub("", " ".join(found))).split() or found
    idioms, rest = _idioms(index, " ".join(found))
    heads, main = _heads(rest)
    content = [word for position, word in enumerate(rest) if _says_something(word, position)]
    content = content or ([] if idioms else found)
    unknown = _MISTYPED_WORDS
    groups = [*idioms]
    for position, word in enumerate(content):
        own = stem(word)
        if own in GENERIC and position < _VERB_POSITIONS:
            groups.append(_group(index, _generic(index, own), _GENERIC_WORTH)._replace(is_verb=position == 0))
            continue
        undone = _undone(word)
        known = _known(index, own, may_be_mistyped=unknown > 0 and word not in INTENTS)
        if undone and (base := stem(undone)) in index.postings:
            known = {base: SYNONYM} | known
        is_verb = position == 0 and word in INTENTS and len(content) > 1
        worth = _VERB_WORTH if is_verb else _MODIFIER if word in heads and word != main and main and found[0] not in QUESTIONS else 1.0
        if word in TIMES:
            worth *= _TIME
        group = _group(index, known, worth)
        groups.append(group._replace(is_head=word in heads, is_plural=_form(word), is_verb=is_verb))
        unknown -= own not in index.postings
    plain = [word for word in content if stem(word) not in GENERIC] if _NO_GENERIC else content
    compounds = [word for word in joined(plain) if word in index.postings]
    groups += [_group(index, {word: 1.0}, 1.0)._replace(rarity=0.0) for word in compounds]
    if _ACRONYM:
        for at in range(len(found) - 2):
            for size in (3, 4):
                if (initials := "".join([word[0] for word in found[at : at + size]])) in index.postings and len(initials) == size:
                    groups.append(_group(index, {initials: 1.0}, _ACRONYM)._replace(rarity=0.0))
    for pattern, meant, worth in _HINTS:
        if worth and pattern.search(" ".join(found)) and (known := {word: 1.0 for word in meant if word in index.postings}):
            groups.append(_group(index, known, worth)._replace(rarity=0.0))
    return Query(
        groups,
        sum(group.rarity for group in groups),
        _intents(found),
        _is_plural(found),
        not OWN.isdisjoint(found),
        bare != said,
    )


def _undone(word: str) -> str:
    """The verb that a word with "un" takes back: to unpin is to delete a pin."""
    return word[2:] if word.startswith("un") and word[2:] in INTENTS else ""


def _form(word: str) -> bool | None:
    """Whether a word is of many, as far as its form tells: a participle tells nothing."""
    return None if word.endswith(("ed", "ing")) else is_plural(word)


def _says_something(word: str, position: int) -> bool:
    return word not in STOP and (word not in STOP_UNLESS_FIRST or position == 0)


def _heads(found: Sequence[str]) -> tuple[set[str], str]:
    """The words that are asked for: those before the first preposition, "tracks" in "tracks of an album"."""
    heads: set[str] = set()
    main = ""
    for position, word in enumerate(found):
        if word in PREPOSITIONS and main:
            break
        if _says_something(word, position):
            heads.add(word)
            if position > 0 or word not in INTENTS:
                main = word
    return heads, main


def _generic(index: Index, word: str) -> dict[str, float]:
    if not _GENERIC_SYNONYMS:
        return {word: 1.0} if word in index.postings else {}
    return _known(index, word, may_be_mistyped=False)


def _idioms(index: Index, text: str) -> tuple[list[Group], list[str]]:
    """The groups of words that are meant by the idioms of a query, and its other words."""
    groups = []
    for pattern, meant in PHRASES:
        if pattern.search(text) and (known := {word: 1.0 for word in meant if word in index.postings}):
            groups.append(_group(index, known, 1.0))
            text = pattern.sub(_gap, text)
    return groups, text.split()


def _gap(found: re.Match[str]) -> str:
    return " ".join(["", *filter(None, found.groups()), ""])


def _group(index: Index, known: dict[str, float], weight: float) -> Group:
    rarity = max((index.rarity[word] * each for word, each in known.items()), default=_UNKNOWN_RARITY)
    return Group(known, weight, weight * rarity)


def _known(index: Index, word: str, *, may_be_mistyped: bool) -> dict[str, float]:
    """The stems that a word may mean: itself, its synonyms; if it is unknown, what begins or is spelt like it."""
    if word in index.postings:
        return {**_beside(index, word), word: 1.0}
    known = {other: SYNONYM for other in SYNONYMS.get(word, ()) if other in index.postings}
    known |= dict.fromkeys(_beginning(index, word), _PREFIX)
    if _SHORTER and not known:
        known |= {word[:size]: _SHORTER for size in range(len(word) - 1, max(4, len(word) - 4), -1) if word[:size] in index.postings}
    if not known and may_be_mistyped and len(word) >= _MISTYPED_LETTERS and word not in SYNONYMS:
        for other in _spelt_like(index, word):
            meant = _known(index, other, may_be_mistyped=False)
            known |= {each: max(known.get(each, 0.0), weight * _MISTYPED) for each, weight in meant.items()}
    return known


def _beside(index: Index, word: str) -> dict[str, float]:
    """Others for a word that the API has itself. None says more than it does: in GitHub's API "repository" is in nearly
    every path and "registry" in few, which does not make a registry likelier."""
    weights = dict.fromkeys(_beginning(index, word), _LONGER)
    weights |= {other: SYNONYM_BESIDE for other in SYNONYMS.get(word, ()) if other in index.postings}
    own, rarity = index.rarity[word], index.rarity
    return {other: weight * min(1.0, own / rarity[other]) for other, weight in weights.items()}


def _beginning(index: Index, word: str) -> Iterator[str]:
    if len(word) < _PREFIX_LETTERS:
        return
    start = bisect_left(index.vocabulary, word)
    for other in index.vocabulary[start : start + _PREFIXES]:
        if other.startswith(word) and len(other) <= len(word) + _PREFIX_MORE and other in index.postings:
            yield other


def _spelt_like(index: Index, word: str) -> list[str]:
    """The nearest known stems. A mistake changes few letters, which rules most words out at once."""
    own, size = letters(word), len(word)
    near = [
        other
        for other, held in zip(index.vocabulary, index.letters, strict=True)
        if (own ^ held).bit_count() <= _OTHER_LETTERS and -2 <= len(other) - size <= 2
    ]
    return difflib.get_close_matches(word, near, _ALIKE_WORDS, _ALIKE)


def _intents(found: Sequence[str]) -> dict[Intent, float]:
    """The intents of the first verb. An unknown first word before an article is a verb: "star a repository"."""
    if REMOVALS.search(" ".join(found)):
        return {"delete": 1.0}
    if ADJECTIVES.search(" ".join(found)):
        return {"update": 1.0}
    if found and found[0] in QUESTIONS:
        return {"read": 1.0}
    for position, word in enumerate(found[:4]):
        if position == 0 and word not in INTENTS and _undone(word):
            return {"delete": 1.0, "act": 1.0}
        if intents := INTENTS.get(word):
            return dict.fromkeys(intents, 1.0 if position == 0 else _LATER_VERB)
    first_two = next(iter(pairwise(found)), ("", ""))
    if first_two[0] not in STOP and first_two[1] in DETERMINERS:
        return {"act": 1.0}
    return {"read": _UNSAID_INTENT}


def _is_plural(found: Sequence[str]) -> bool:
    if any(word in PLURAL_QUESTIONS for word in found[:2]):
        return True
    return any(is_plural(word) and word not in STOP for word in found)
