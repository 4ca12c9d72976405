"""Which operations a query means, the likeliest first.

What stands in a path and is not in the query counts against an operation: "list repositories" is not
``/repos/{owner}/{repo}/issues``. A verb tells the method; a word of the same meaning counts less than the word itself,
and several of them count once.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from heapq import nlargest
from itertools import pairwise
from typing import NamedTuple

from openapi_mcp_server.bridge.search.index import Index, Indexed, letters
from openapi_mcp_server.bridge.search.vocabulary import (
    BY_METHOD,
    DETERMINERS,
    GENERIC,
    INTENTS,
    PHRASES,
    PLURAL_QUESTIONS,
    STOP,
    SYNONYM,
    SYNONYM_BESIDE,
    SYNONYMS,
    Intent,
)
from openapi_mcp_server.bridge.search.words import joined, stem, words

QUERY_CHARACTERS = 400
QUERY_WORDS = 24
"""Of a longer query the first count: what a model writes has three to ten."""
RANKED = 300
"""Operations that are looked at more closely, those with the best sum of words."""

_GENERIC_WORTH, _VERB_POSITIONS = 0.3, 2
_VERB_WORTH = 0.7
"""Of a verb at the start, which the method answers too: in "send a message to a channel" the message says most."""
_PREFIX, _LONGER, _MISTYPED = 0.55, 0.5, 0.6
"""Worth of a word that begins with the query's, and of one that is spelt about like it."""
_PREFIX_LETTERS, _PREFIX_MORE, _PREFIXES = 4, 7, 12
_MISTYPED_LETTERS = 4
_MISTYPED_WORDS = 6
_ALIKE, _ALIKE_WORDS, _OTHER_LETTERS = 0.75, 2, 4
_COVERAGE = 0.45
_UNKNOWN_RARITY = 0.6
_INTENT = 0.65
_UNEXPLAINED, _UNEXPLAINED_LAST = 0.4, 0.25
_DEPRECATED, _HEAD = 0.55, 0.5
_COLLECTION, _ITEM = 0.15, 0.02
_UNSAID_INTENT = 0.3
_LEAST = 0.25
"""Of the best score: what is below is not told as found."""
_TWIN = 0.8
_OWN = frozenset({"me", "user", "self", "current", "authent"})
"""Segments that "my" explains: ``/me/playlists``."""


_REMOVAL = re.compile(r"\bget(?:ting)? rid of\b")


class Group(NamedTuple):
    """One word of a query: the known stems that it may mean, and the weight of each."""

    stems: dict[str, float]
    weight: float
    rarity: float  # what is missing where it is not there; 0 for neighbours as one word


class Query(NamedTuple):
    groups: Sequence[Group]
    rarity: float  # of all
    intents: dict[Intent, float]
    is_plural: bool
    explained: frozenset[str]


class Hit(NamedTuple):
    operation: Indexed
    score: float
    also: tuple[Indexed, ...] = ()  # other versions of it


def search(index: Index, text: str, is_wanted: Callable[[Indexed], bool]) -> list[Hit]:
    """The operations among those wanted that a query in words means, the likeliest first, versions of one as one."""
    query = read(index, text)
    scores, matched = _summed(index, query)
    wanted = [number for number in scores if is_wanted(index.operations[number])]
    best = wanted if len(wanted) <= RANKED else nlargest(RANKED, wanted, key=scores.__getitem__)
    ranked = [(_score(index, query, number, scores[number], matched[number]), number) for number in best]
    ranked.sort(key=lambda each: (-each[0], -index.operations[each[1]].version, index.operations[each[1]].path))
    least = _LEAST * ranked[0][0] if ranked else 0.0
    return list(_folded([Hit(index.operations[number], score) for score, number in ranked if score >= least]))


def read(index: Index, text: str) -> Query:
    """A query's words as stems that the index knows."""
    found = words(text[:QUERY_CHARACTERS])[:QUERY_WORDS]
    idioms, rest = _idioms(index, " ".join(found))
    content = [word for word in rest if word not in STOP] or ([] if idioms else found)
    unknown = _MISTYPED_WORDS
    groups = [*idioms]
    for position, word in enumerate(content):
        own = stem(word)
        if own in GENERIC and position < _VERB_POSITIONS:
            groups.append(_group(index, {own: 1.0} if own in index.postings else {}, _GENERIC_WORTH))
            continue
        known = _known(index, own, may_be_mistyped=unknown > 0 and word not in INTENTS)
        is_verb = position == 0 and word in INTENTS and len(content) > 1
        groups.append(_group(index, known, _VERB_WORTH if is_verb else 1.0))
        unknown -= own not in index.postings
    compounds = [word for word in joined(content) if word in index.postings]
    groups += [_group(index, {word: 1.0}, 1.0)._replace(rarity=0.0) for word in compounds]
    explained = _OWN if {"my", "me", "i"} & {*found} else frozenset()
    return Query(groups, sum(group.rarity for group in groups), _intents(found), _is_plural(found), explained)


def _idioms(index: Index, text: str) -> tuple[list[Group], list[str]]:
    """The groups of words that are meant by the idioms of a query, and its other words."""
    groups = []
    for pattern, meant in PHRASES:
        if pattern.search(text) and (known := {word: 1.0 for word in meant if word in index.postings}):
            groups.append(_group(index, known, 1.0))
            text = pattern.sub(" ", text)
    return groups, text.split()


def _group(index: Index, known: dict[str, float], weight: float) -> Group:
    rarity = max((index.rarity[word] * each for word, each in known.items()), default=_UNKNOWN_RARITY)
    return Group(known, weight, weight * rarity)


def _known(index: Index, word: str, *, may_be_mistyped: bool) -> dict[str, float]:
    """The stems that a word may mean: itself, its synonyms; if it is unknown, what begins or is spelt like it."""
    if word in index.postings:
        return {**_beside(index, word), word: 1.0}
    known = {other: SYNONYM for other in SYNONYMS.get(word, ()) if other in index.postings}
    known |= dict.fromkeys(_beginning(index, word), _PREFIX)
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
    if _REMOVAL.search(" ".join(found)):
        return {"delete": 1.0}
    for position, word in enumerate(found[:4]):
        if intents := INTENTS.get(word):
            return dict.fromkeys(intents, 1.0 if position == 0 else 0.7)
    first_two = next(iter(pairwise(found)), ("", ""))
    if first_two[0] not in STOP and first_two[1] in DETERMINERS:
        return {"act": 1.0}
    return {"read": _UNSAID_INTENT}


def _is_plural(found: Sequence[str]) -> bool:
    if any(word in PLURAL_QUESTIONS for word in found[:2]):
        return True
    return any(word.endswith("s") and not word.endswith("ss") and len(word) > 3 and word not in STOP for word in found)


def _summed(index: Index, query: Query) -> tuple[dict[int, float], dict[int, int]]:
    """Two tables by operation: the sum of what its words are worth, and which groups it has, a bit each."""
    scores: dict[int, float] = {}
    matched: dict[int, int] = {}
    for position, group in enumerate(query.groups):
        best: dict[int, float] = {}
        for word, weight in group.stems.items():
            weight *= group.weight  # noqa: PLW2901 - the stem's within the group
            for number, worth in zip(*index.postings[word], strict=True):
                if best.get(number, 0.0) < (value := worth * weight):
                    best[number] = value
        bit = 1 << position
        for number, value in best.items():
            scores[number] = scores.get(number, 0.0) + value
            matched[number] = matched.get(number, 0) | bit
    return scores, matched


def _score(index: Index, query: Query, number: int, words_worth: float, matched: int) -> float:
    operation = index.operations[number]
    has = [group for position, group in enumerate(query.groups) if matched >> position & 1]
    covered = min(1.0, sum([group.rarity for group in has]) / query.rarity) if query.rarity else 0.0
    score = words_worth * (1 - _COVERAGE + _COVERAGE * covered)
    score *= _fit(operation, query)
    score /= _unexplained(index, operation, query, has)
    if operation.is_deprecated:
        score *= _DEPRECATED
    return score * (_HEAD if operation.method in {"HEAD", "OPTIONS"} else 1.0)


def _fit(operation: Indexed, query: Query) -> float:
    """How well the method, and whether it is of one or of many, fit what is asked for."""
    sure = max(query.intents.values())
    fit = max(BY_METHOD[intent].get(operation.method, 0.0) for intent in query.intents)
    factor = 1 + _INTENT * (fit - 0.5) * min(1.0, sure + 0.3)
    if operation.method == "GET":
        if query.is_plural:
            return factor * (1 + (-_ITEM if operation.is_item else _COLLECTION))
        return factor * (1 + (_ITEM if operation.is_item else 0.0))
    if operation.method == "POST" and ("update" if operation.is_item else "create") in query.intents:
        return factor * (1 + _COLLECTION)
    if operation.method == "DELETE" and "delete" in query.intents and operation.is_item:
        return factor * (1 + _COLLECTION)
    return factor


def _unexplained(index: Index, operation: Indexed, query: Query, has: Sequence[Group]) -> float:
    """The factor for what stands in the path and in no word of the query, at least 1."""
    said = {word for group in has for word in group.stems} | query.explained
    rarity = index.rarity
    factor = 1 + _UNEXPLAINED * sum(rarity[word] for word in operation.literals if word not in said)
    if operation.last and said.isdisjoint(operation.last):
        factor *= 1 + _UNEXPLAINED_LAST * max(rarity[word] for word in operation.last)
    return factor


def _folded(hits: Sequence[Hit]) -> Iterator[Hit]:
    """Versions of one operation as one hit, the newest that is stable among those that fit about as well."""
    twins: dict[str, list[Hit]] = {}
    for hit in hits:
        if hit.operation.twin:
            twins.setdefault(hit.operation.twin, []).append(hit)
    for hit in hits:
        several = twins.get(hit.operation.twin, [hit])
        if several[0] is not hit:
            continue
        near = [each for each in several if each.score >= _TWIN * hit.score and bool(each.operation.name)] or [hit]
        newest = max(near, key=lambda each: each.operation.version)
        also = tuple(each.operation for each in several if each is not newest)
        yield Hit(newest.operation, hit.score, also)
