"""Reads a question for the index: the possible stems of each word, and the action.

"Remove a track from my playlist" is a removal. Tracks are its head, and the playlist belongs to the caller.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from openapi_mcp_server.bridge.search.index import Index
from openapi_mcp_server.bridge.search.phrases import (
    ADJECTIVES,
    ASIDE,
    HINTS,
    MAKING,
    NEGATED,
    OPEN_ONES,
    PHRASES,
    POLITE,
    REMOVALS,
    SHOW_ME,
)
from openapi_mcp_server.bridge.search.spelling import beginning, meant_words
from openapi_mcp_server.bridge.search.vocabulary import (
    ADVERBS,
    ALL,
    DETERMINERS,
    FAINT,
    GENERIC,
    INTENTS,
    MANY,
    OWN,
    PARTICLES,
    PREPOSITIONS,
    QUESTIONS,
    RELATIVE,
    STOP,
    STOP_UNLESS_FIRST,
    SYNONYM,
    SYNONYM_BESIDE,
    SYNONYMS,
    WHETHER,
    Intent,
)
from openapi_mcp_server.bridge.search.words import is_plural, joined, stem, words

QUERY_CHARACTERS = 400
QUERY_WORDS = 24
"""The most words of a query that count; models write three to ten."""

_GENERIC_WORTH, _VERB_POSITIONS = 0.3, 2
_VERB_WORTH = 0.7
"""Weight of a verb at the start, since the method counts, too: "message" says more in "send a message to a channel"."""
_JOINED_WORTH = 0.3
"""Weight of two neighbours as one word, beside their own weights."""
_FAINT_WORTH = 0.3
"""Weight of words like "week" and "details", which seldom tell what is meant."""
_PREFIX, _LONGER, _MISTYPED = 0.55, 0.5, 0.7
"""Weights of words that begin with the query's unknown or known word, and of a corrected word."""
_UNKNOWN_RARITY = 0.6
_UNSAID_INTENT, _LATER_VERB = 0.5, 0.7

_NAME_OF_ONE = re.compile(
    r"""(?<![\w'])'[^']*'(?!\w)|"[^"]*"|`[^`]*`|\u201c[^\u201c\u201d]*\u201d"""
    r"|(?P<path>(?<!\S)(?!v\d)[\w.-]+/[\w.-]+(?!\S))"
    r"|(?<!\S)\S+@\S+"
    r"|\b[a-z]{2,6}_(?=\w*\d)\w{8,}"
    r"|\b[0-9a-f]{8}-[0-9a-f-]{27}\b"
    r"|\#\d+"
)
"""Quoted text and identifiers: ``octocat/hello-world``, an address of mail, ``cus_9s6XKzkN``, ``#42``."""
_READ = frozenset({"read"})
_WHO_AM_I = ["who", "am", "i"]


class Group(NamedTuple):
    """One word of a query: the known stems that it may mean, with weights."""

    stems: dict[str, float]
    weight: float
    rarity: float  # the penalty if it is missing; 0 if it may be missing
    is_head: bool = True  # whether it is the thing that is asked for, and not its owner
    is_plural: bool | None = None  # None if its form shows neither


class Query(NamedTuple):
    groups: Sequence[Group]
    rarity: float  # of all
    intents: Mapping[Intent, float]
    verb: str  # the stem of the action, if it is meaningful; else empty
    is_plural: bool
    is_who: bool  # whether it asks for people
    is_question: bool  # whether it asks for more than yes or no
    is_own: bool  # whether it is about the caller's own things
    is_all: bool  # whether it says so
    is_one: bool  # whether it is about one thing: it names its identifier, or can be answered with yes


def read(index: Index, text: str) -> Query:
    """The words of a query as known stems."""
    said = text[:QUERY_CHARACTERS]
    named = _NAME_OF_ONE.sub(_nameless, said)
    found = _bare(words(named)[:QUERY_WORDS] or words(said)[:QUERY_WORDS])
    meant = meant_words(index, found)
    found = [meant[word][0] if word in meant else word for word in found]
    idioms, rest = _idioms(index, NEGATED.sub(lambda each: _not_done(index, each), " ".join(found)))
    content = [word for position, word in enumerate(rest) if _says_something(word, position)]
    content = content or ([] if idioms else found)
    groups = [
        *idioms,
        *_groups(index, content, _heads(rest), {first: others for first, *others in meant.values()}),
        *_beside_words(index, found, content),
    ]
    return Query(
        groups=groups,
        rarity=sum(group.rarity for group in groups),
        intents=_intents(index, found),
        verb=_verb(rest),
        is_plural=_is_plural(found),
        is_who=found[:1] == ["who"],
        is_question=bool(found) and found[0] in QUESTIONS - WHETHER,
        is_own=not OWN.isdisjoint(found),
        is_one=named != said or not WHETHER.isdisjoint(found[:1]) or found[:3] == _WHO_AM_I,
        is_all=not ALL.isdisjoint(found),
    )


def _nameless(found: re.Match[str]) -> str:
    """The replacement for an identifier, which is empty; "create/update" is no identifier."""
    is_said = found.lastgroup == "path" and any(word in INTENTS or word in STOP for word in words(found[0]))
    return found[0] if is_said else " "


def _bare(found: Sequence[str]) -> Sequence[str]:
    """The query without polite words."""
    said = SHOW_ME.sub("show ", POLITE.sub("", " ".join(found)))
    return (ASIDE.sub("", said) if len(said.split()) > 3 else said).split() or found


def _says_something(word: str, position: int) -> bool:
    return word not in STOP and (word not in STOP_UNLESS_FIRST or position == 0)


def _heads(found: Sequence[str]) -> set[str]:
    """The words that are asked for, before the first preposition: "tracks" in "tracks of an album"."""
    heads: set[str] = set()
    has_noun = False
    for position, word in enumerate(found):
        if word in PREPOSITIONS and has_noun:
            break
        if _says_something(word, position):
            heads.add(word)
            has_noun = has_noun or position > 0 or word not in INTENTS
    return heads


def _groups(
    index: Index, content: Sequence[str], heads: set[str], others: Mapping[str, Sequence[str]]
) -> Iterator[Group]:
    """A group for each meaningful word; ``others`` are the possible corrections of mistyped ones."""
    adjective = content[-1] if content and ADJECTIVES.search(" ".join(content)) else ""
    for position, word in enumerate(content):
        own = stem(word)
        known = _known(index, own)
        if own in GENERIC and position < _VERB_POSITIONS and not word.endswith("s"):
            yield _group(index, known, _GENERIC_WORTH)
            continue
        if word in others:
            known = {each: weight * _MISTYPED for each, weight in known.items()}
            for other in others[word]:
                known = {each: weight * _MISTYPED for each, weight in _known(index, stem(other)).items()} | known
        if undone := _undone(word):
            known = {each: weight * SYNONYM for each, weight in _known(index, stem(undone)).items()} | known
        is_verb = position == 0 and word in INTENTS and len(content) > 1
        worth = _VERB_WORTH if is_verb else _FAINT_WORTH if word in FAINT or word == adjective else 1.0
        plural = None if word.endswith(("ed", "ing")) else is_plural(word)
        yield _group(index, known, worth)._replace(is_head=word in heads, is_plural=plural)


def _beside_words(index: Index, found: Sequence[str], content: Sequence[str]) -> Iterator[Group]:
    """Groups that count if an operation has them, without a penalty if it does not."""
    for word in joined([word for word in content if stem(word) not in GENERIC]):
        if word in index.postings:
            yield _group(index, {word: 1.0}, _JOINED_WORTH)._replace(rarity=0.0)
    text = " ".join(found)
    for pattern, meant, worth in HINTS:
        if pattern.search(text) and (known := {word: 1.0 for word in meant if word in index.postings}):
            yield _group(index, known, worth)._replace(rarity=0.0)


def _undone(word: str) -> str:
    """The verb that a word with "un" reverses: to unpin is to delete a pin. "unread" is an exception, which only means
    new."""
    return word[2:] if word.startswith("un") and INTENTS.get(word[2:], _READ) != _READ else ""


def _not_done(index: Index, found: re.Match[str]) -> str:
    """``undone`` for "not done", if the API has such a word."""
    word = f"un{found[1]}"
    return word if stem(word) in index.postings else found[0]


def _idioms(index: Index, text: str) -> tuple[list[Group], list[str]]:
    """The groups for the idioms of a query, and its other words."""
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


def _known(index: Index, word: str) -> dict[str, float]:
    """The stems that a word may mean: itself and others beside it; if it is unknown, synonyms and words that begin with
    it."""
    if word in index.postings:
        return {**_beside(index, word), word: 1.0}
    known = {other: SYNONYM for other in SYNONYMS.get(word, ()) if other in index.postings}
    return known | dict.fromkeys(beginning(index, word), _PREFIX)


def _beside(index: Index, word: str) -> dict[str, float]:
    """Synonyms of a word that the API has itself. None counts more than the word: in GitHub's API "repository" is in
    nearly every path and "registry" in few, which does not make a registry likelier."""
    weights = dict.fromkeys(beginning(index, word), _LONGER)
    weights |= {other: SYNONYM_BESIDE for other in SYNONYMS.get(word, ()) if other in index.postings}
    own, rarity = index.rarity[word], index.rarity
    return {other: weight * min(1.0, own / rarity[other]) for other, weight in weights.items()}


def _intents(index: Index, found: Sequence[str]) -> Mapping[Intent, float]:
    """The intents of an idiom, else those of the first verb."""
    text = " ".join(found)
    if REMOVALS.search(text):
        return {"delete": 1.0}
    if MAKING.search(text):
        return {"create": 1.0, "act": 0.9}
    if ADJECTIVES.search(text):
        return {"update": 1.0, "act": 1.0}
    return {"read": 1.0} if found and found[0] in QUESTIONS else _by_verb(index, found)


def _by_verb(index: Index, found: Sequence[str]) -> Mapping[Intent, float]:
    """The intents of the first verb. An unknown first word before an article is a verb: "star a repository". A word
    before "of" is no verb ("issue of a repository"), nor is a word after a noun, where it is another noun ("latest
    release") or describes the noun ("addresses I can send from")."""
    first, second, third = [*found, "", "", ""][:3]
    if second == "of" or OPEN_ONES.match(" ".join(found)):
        return {"read": _UNSAID_INTENT}
    if first not in INTENTS and _undone(first):
        return {"delete": 1.0, "act": 1.0}
    behind_noun = False
    for position, word in enumerate(found[:4]):
        if behind_noun and word in RELATIVE:
            return {"read": 1.0}
        if (intents := INTENTS.get(word)) and not _is_noun(index, word, found[position + 1 :], behind=behind_noun):
            return dict.fromkeys(intents, 1.0 if position == 0 else _LATER_VERB)
        behind_noun = word not in STOP and word not in ADVERBS and not word.endswith("ly")
    is_phrasal = second in PARTICLES and third in DETERMINERS
    if first not in STOP and not is_plural(first) and (second in DETERMINERS or is_phrasal):
        return {"act": 1.0}
    return {"read": _UNSAID_INTENT}


def _is_noun(index: Index, verb: str, following: Sequence[str], *, behind: bool) -> bool:
    """Whether a possible verb is a thing of the API: after another noun, or as the first part of one, as in "rate
    limits"."""
    if behind and stem(verb) in index.things:
        return True
    return bool(following) and stem(verb + following[0]) in index.things


def _verb(found: Sequence[str]) -> str:
    """The stem of a verb at the start that says more than the method."""
    first = found[0] if found else ""
    return own if first in INTENTS and (own := stem(first)) not in GENERIC else ""


def _is_plural(found: Sequence[str]) -> bool:
    if found[:3] == _WHO_AM_I:
        return False
    return not MANY.isdisjoint(found[:2]) or any(is_plural(word) and word not in STOP for word in found)
