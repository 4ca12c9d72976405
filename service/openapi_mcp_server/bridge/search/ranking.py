"""Ranks the operations that a query may mean, the likeliest first.

Words of a path that are not in the query count against an operation: "list repositories" is not
``/repos/{owner}/{repo}/issues``. A verb indicates the method, a noun's form whether one or many are read. A synonym
counts less than the word itself, and several synonyms count once. Changing any weight by a third moves less than one
question in a hundred.
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
"""The number of operations with the best sums of words that are ranked in detail."""

_COVERAGE = 0.35
"""The share of a score that depends on the found part of the query."""
_INTENT, _NOT_ASKED_TO_READ = 0.65, 0.7
_UNEXPLAINED, _TAIL = 0.45, 0.2
_OWN, _ITS_PLACE = 0.2, 0.15
_COLLECTION, _PART, _ITEM, _IDENTIFIED = 0.3, 0.12, 0.1, 0.3
_DEPRECATED, _HEAD = 0.55, 0.5
_LEAST = 0.25
"""The least score of a hit, relative to the best one."""
_TWIN = 0.8
_ASKED_OF = 0.75
"""The factor for a change as the answer to a question, which is rare."""
_PEOPLE = 0.4
_MADE, _AT_THE_TOP = 0.25, 0.15
"""Bonuses for the collection of a verb (to refund is a POST to ``/refunds``), and for one that is not below others."""
_CHECKED = 0.3
"""The bonus for a POST that answers a question: "is this address valid" is one to ``/validations``."""
_CROWDED, _SIDE_BY_SIDE = 0.8, 2
"""The factor for each further hit of one noun, and the number of hits without it."""
_SAID = 0.6
"""From this weight within its group on, a word explains a whole segment; a weaker synonym explains it in part."""
_CHECKS = frozenset(
    map(
        stem,
        """
        analyze calculate calculation check compare compile count diff estimate eval evaluate evaluation inspect lint
        ping preview query search simulate test tests valid validate validation verification verify
        """.split(),  # noqa: SIM905 - read as words
    )
)
"""Last segments of methods for changes that change nothing: they return a state."""
_READING = frozenset({"GET", "QUERY"})
_OWNER = frozenset(map(stem, ("me", "user", "self", "current", "authenticated")))
"""Segments that the word "my" explains: ``/me/playlists``."""


class Hit(NamedTuple):
    operation: Indexed
    score: float
    also: tuple[Indexed, ...] = ()  # other versions of it


def search(index: Index, text: str, is_wanted: Callable[[Indexed], bool]) -> list[Hit]:
    """The wanted operations that a query may mean, the likeliest first; versions of an operation are one hit."""
    query = read(index, text)
    scores, matched = _summed(index, query)
    wanted = [number for number in scores if is_wanted(index.operations[number])]
    best = wanted if len(wanted) <= RANKED else nlargest(RANKED, wanted, key=scores.__getitem__)
    ranked = [(_score(index, query, number, scores[number], matched[number]), number) for number in best]
    ranked.sort(key=lambda each: (-each[0], -index.operations[each[1]].version, index.operations[each[1]].path))
    least = _LEAST * ranked[0][0] if ranked else 0.0
    return _spread(list(_folded([Hit(index.operations[number], score) for score, number in ranked if score >= least])))


def _spread(hits: Sequence[Hit]) -> list[Hit]:
    """Moves further hits of one noun down a little, so that five places have more than one guess."""
    met: Counter[tuple[frozenset[str], bool]] = Counter()
    scores = []
    for hit in hits:
        noun = (hit.operation.last, hit.operation.is_item)
        met[noun] += 1
        scores.append(hit.score * _CROWDED ** max(0, met[noun] - _SIDE_BY_SIDE))
    return [hits[at] for at in sorted(range(len(hits)), key=lambda at: -scores[at])]


def _summed(index: Index, query: Query) -> tuple[dict[int, float], dict[int, int]]:
    """Two tables by operation: the sum of its words' weights, and its groups as bits."""
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
    """The factor for the method, and for one or many, by what is asked for."""
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
    """The factor for reading many if many are asked for, by the noun at the end of the path, or else by any noun."""
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
    """The factor, at least 1, for words of the path that are not in the query."""
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
    """Joins versions of one operation into one hit: the newest stable one of those with similar scores. A skipped
    operation is a hit of its own."""
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
