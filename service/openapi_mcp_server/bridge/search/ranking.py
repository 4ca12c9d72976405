"""Which operations a query means, the likeliest first.

What stands in a path and is not in the query counts against an operation: "list repositories" is not
``/repos/{owner}/{repo}/issues``. A verb tells the method, a noun's form whether one or many are read; a word of the
same meaning counts less than the word itself, and several of them count once. The weights stand where changing any of
them by a third moves less than one question in a hundred.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from heapq import nlargest
from typing import NamedTuple

from openapi_mcp_server.bridge.search.index import Index, Indexed
from openapi_mcp_server.bridge.search.query import Group, Query, read
from openapi_mcp_server.bridge.search.vocabulary import BY_METHOD
from openapi_mcp_server.bridge.search.words import stem

RANKED = 300
"""Operations that are looked at more closely, those with the best sum of words."""

_COVERAGE = 0.35
"""Share of a score that goes with how much of the query was found."""
_INTENT, _NOT_ASKED_TO_READ = 0.65, 0.7
_UNEXPLAINED, _TAIL = 0.45, 0.2
_OWN, _ITS_PLACE = 0.2, 0.15
_COLLECTION, _PART, _ITEM, _IDENTIFIED = 0.3, 0.12, 0.1, 0.3
_DEPRECATED, _HEAD = 0.55, 0.5
_LEAST = 0.25
"""The part of the best score that a hit must have: what is below is not told as found."""
_TWIN = 0.8
_ASKED_OF = 0.75
"""A question is seldom answered by a change."""
_PEOPLE = 0.4
_MADE, _AT_THE_TOP = 0.25, 0.15
"""For the collection that a verb fills: to refund is a POST to ``/refunds``, rather there than below other things."""
_CHECKED = 0.3
"""For a POST that answers: "is this address valid" is one to ``/validations``."""
_CROWDED, _SIDE_BY_SIDE = 0.8, 2
"""For each further hit of one noun, after so many."""
_SAID = 0.6
"""Weight of a word within its group from which on it explains a segment whole; a synonym of less does so in part."""
_CHECKS = frozenset(
    map(
        stem,
        """
        analyze calculate calculation check compare compile count diff estimate eval evaluate evaluation inspect lint
        ping preview query search simulate test tests valid validate validation verification verify
        """.split(),  # noqa: SIM905 - read as words
    )
)
"""Last segments of changes that change nothing: they tell whether or how something is."""
_READING = frozenset({"GET", "QUERY"})
_OWNER = frozenset(map(stem, ("me", "user", "self", "current", "authenticated")))
"""Segments that "my" explains: ``/me/playlists``."""


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
    return _spread(list(_folded([Hit(index.operations[number], score) for score, number in ranked if score >= least])))


def _spread(hits: Sequence[Hit]) -> list[Hit]:
    """Further hits of one noun give way a little to others, as five places are for more than one guess."""
    met: Counter[tuple[frozenset[str], bool]] = Counter()
    scores = []
    for hit in hits:
        noun = (hit.operation.last, hit.operation.is_item)
        met[noun] += 1
        scores.append(hit.score * _CROWDED ** max(0, met[noun] - _SIDE_BY_SIDE))
    return [hits[at] for at in sorted(range(len(hits)), key=lambda at: -scores[at])]


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
    covered = min(1.0, sum(group.rarity for group in has) / query.rarity) if query.rarity else 0.0
    last = [group for group in has if not operation.last.isdisjoint(group.stems)] if operation.last else []
    score = words_worth * (1 - _COVERAGE + _COVERAGE * covered)
    score *= _fit(operation, query, last)
    score /= _unexplained(index, operation, query, has, last)
    if operation.is_deprecated:
        score *= _DEPRECATED
    return score * (_HEAD if operation.method in {"HEAD", "OPTIONS"} else 1.0)


def _fit(operation: Indexed, query: Query, last: Sequence[Group]) -> float:
    """How well the method, and whether it is of one or of many, fit what is asked for."""
    sure = max(query.intents.values())
    fit = max(BY_METHOD[intent].get(operation.does, 0.0) for intent in query.intents)
    factor = 1 + _INTENT * (fit - 0.5) * min(1.0, sure + 0.3)
    if query.is_own and operation.is_own:
        factor *= 1 + _OWN
    if query.is_who and operation.is_people:
        factor *= 1 + _PEOPLE
    if operation.does in _READING:
        if "read" not in query.intents:
            return factor * _NOT_ASKED_TO_READ
        return factor * _amount(operation, query, last)
    if operation.does == "POST":
        if not operation.is_item and operation.last == {query.verb}:
            factor *= 1 + _MADE + (_AT_THE_TOP if operation.last.issuperset(operation.literals) else 0)
        if "read" in query.intents and not operation.last.isdisjoint(_CHECKS):
            return 1 + _INTENT * _CHECKED
    if query.is_question:
        factor *= _ASKED_OF
    return factor * (1 + _ITS_PLACE if _is_in_place(operation, query) else 1.0)


def _amount(operation: Indexed, query: Query, last: Sequence[Group]) -> float:
    """The factor for reading many where many are asked for: by the noun that the path ends with, else by any."""
    forms = {group.is_plural for group in last} - {None}
    is_plural = True in forms if forms else query.is_plural
    if is_plural:
        return 1 - _ITEM if operation.is_item else 1 + (_COLLECTION if operation.is_many else _PART)
    return 1 + _IDENTIFIED if query.is_one and operation.is_item else 1.0


def _is_in_place(operation: Indexed, query: Query) -> bool:
    """Whether it creates in a collection, or changes or deletes an item of one."""
    if operation.does == "POST":
        return ("update" if operation.is_item else "create") in query.intents
    return operation.method == "DELETE" and "delete" in query.intents and operation.is_item is not query.is_all


def _unexplained(index: Index, operation: Indexed, query: Query, has: Sequence[Group], last: Sequence[Group]) -> float:
    """The factor for what stands in the path and in no word of the query, at least 1."""
    said: dict[str, float] = dict.fromkeys(_OWNER, 1.0) if query.is_own else {}
    for group in has:
        for word, weight in group.stems.items():
            if said.get(word, 0.0) < weight:
                said[word] = weight
    rarity = index.rarity
    rest = sum([rarity[word] * max(0.0, 1 - said.get(word, 0.0) / _SAID) for word in operation.literals])
    factor = 1 + _UNEXPLAINED * rest
    if last and not any(group.is_head for group in last):
        factor *= 1 + _TAIL
    return factor


def _folded(hits: Sequence[Hit]) -> Iterator[Hit]:
    """Joins versions of one operation into one hit: the newest stable one among those that fit about as well. An
    operation that is no tool is a hit of its own."""
    twins: dict[str, list[Hit]] = {}
    for hit in hits:
        if hit.operation.twin and hit.operation.name:
            twins.setdefault(hit.operation.twin, []).append(hit)
    for hit in hits:
        several = twins.get(hit.operation.twin, [hit]) if hit.operation.name else [hit]
        if several[0] is not hit:
            continue
        near = [each for each in several if each.score >= _TWIN * hit.score]
        newest = max(near, key=lambda each: each.operation.version)
        also = tuple(each.operation for each in several if each is not newest)
        yield Hit(newest.operation, hit.score, also)
