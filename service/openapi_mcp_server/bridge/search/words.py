"""Turns text and identifiers into stems for the search: ``listRepoIssues`` and "issues of a repo" share two.

Queries and operations use the same rules, so an odd stem (``promise`` → ``promiz``) does no harm.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from openapi_mcp_server.bridge.text import visible

STEMS_KEPT = 65_536
"""The number of words whose stems are remembered. The documents of all large APIs together have about 30,000."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")
"""A word within an identifier: ``parseURLOfHTML5`` → parse, URL, Of, HTML, 5."""
_PART = re.compile(r"[^\W_]+")
"""The pieces of an identifier that punctuation separates."""
_COMPOUND = range(2, 4)
"""The numbers of words in a compound that also counts as one word: ``CronJob`` is also ``cronjob``."""
_POSSESSIVE = re.compile(r"['\u2019]s\b")

_IRREGULAR = {
    "catalogue": "catalog", "centre": "center", "cheque": "check", "colour": "color", "colours": "color",
    "dialogue": "dialog", "grey": "gray", "licence": "license", "licences": "license", "metre": "meter",
    "programme": "program", "favourite": "favorite", "favourites": "favorite", "behaviour": "behavior",
    "people": "person", "persons": "person", "children": "child", "indices": "index", "indexes": "index",
    "matrices": "matrix", "vertices": "vertex", "criteria": "criterion", "aliases": "alias", "apis": "api",
    "ids": "id", "ips": "ip", "vms": "vm", "prs": "pr", "dms": "dm",
    "bought": "buy", "built": "build", "got": "get", "made": "make", "paid": "pay", "ran": "run", "read": "read",
    "said": "say", "sent": "send", "sold": "sell", "spent": "spend", "wrote": "write", "written": "write",
    "used": "use", "using": "use",
    "analysis": "analyze", "analyses": "analyze", "analyse": "analyze", "analysed": "analyze",
    "authorize": "authorize", "authorise": "authorize", "authorization": "authorize", "authorisation": "authorize",
    "authorized": "authorize", "authorised": "authorize", "categorize": "category", "discovery": "discover",
    "expiry": "expire", "playback": "play", "publication": "publish", "recovery": "recover",
    "registration": "register", "registrations": "register", "submission": "submit", "submissions": "submit",
    "subscription": "subscribe", "subscriptions": "subscribe", "summarize": "summary", "suspension": "suspend",
    "customer": "customer", "customers": "customer", "conversation": "conversation", "conversations": "conversation",
    "media": "media", "data": "data", "news": "news", "series": "series", "species": "species", "status": "status",
    "statuses": "status",
}  # fmt: skip
"""British spellings, irregular plurals, pasts and nouns, and words that the endings below would merge."""
_VOWELS = "aeiouy"
_SYLLABLE_END = re.compile(rf"[{_VOWELS}][^{_VOWELS}]")
_PLURALS = (("sses", "ss"), ("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("zes", "z"))
_KEEP_S = ("ss", "us", "is")
_ENDINGS = (
    ("ification", "ifi"), ("ization", ""), ("isation", ""), ("ation", ""), ("ator", ""), ("iveness", "ive"),
    ("fulness", "ful"), ("ability", "able"), ("ibility", "ible"), ("ement", ""), ("ment", ""), ("ance", ""),
    ("ence", ""), ("able", ""), ("ible", ""), ("ness", ""), ("our", "or"), ("ise", ""), ("ive", ""), ("ion", ""),
    ("ate", ""), ("at", ""), ("ize", ""), ("al", ""), ("er", ""), ("or", ""), ("ly", ""), ("ic", ""),
)  # fmt: skip
"""Endings of derived words, each dropped only if two syllables remain (as in Porter, 1980, step 4)."""


def words(text: str) -> list[str]:
    """The words of a text in lower case, with identifiers split."""
    return [word.lower() for word in _WORD.findall(_POSSESSIVE.sub("", visible(text)))]


def stems(text: str) -> list[str]:
    return [stem(word) for word in words(text)]


def of_identifier(name: str) -> Iterator[str]:
    """The stems of an identifier, and of its compounds as one word."""
    for part in _PART.findall(visible(name)):
        own = [word.lower() for word in _WORD.findall(part)]
        yield from map(stem, own)
        if len(own) in _COMPOUND:
            yield stem("".join(own))


def of_segment(name: str) -> Iterator[str]:
    """The stems of a path's segment, and of its words joined, so that ``log_out`` is found as logout."""
    yield from of_identifier(name)
    parts = _PART.findall(visible(name))
    if len(parts) in _COMPOUND:
        yield stem("".join(parts).lower())


def joined(found: Sequence[str]) -> Iterator[str]:
    """Neighbours as one word: "config map" is also searched as ``configmap``."""
    for count in _COMPOUND:
        for start in range(len(found) - count + 1):
            yield stem("".join(found[start : start + count]))


@lru_cache(maxsize=STEMS_KEPT)
def stem(word: str) -> str:
    """The stem of a word, which related words share; ``word`` is in lower case."""
    if (known := _IRREGULAR.get(word)) is not None:
        return known if known == word else stem(known)
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    word = _singular(word)
    if len(word) < 4:  # as it is above: "keys" and "key" are one
        return word
    word = _without_past(word)
    for ending, instead in _ENDINGS:
        if word.endswith(ending):
            word = _without(word, ending, instead)
            break
    return _bare(word)


def is_plural(word: str) -> bool:
    """Whether a word is a plural, by its ending."""
    known = _IRREGULAR.get(word)
    return (known or _singular(word)) != word and word.endswith(("s", "people", "children")) if len(word) > 3 else False


def _without(word: str, ending: str, instead: str) -> str:
    """A word without its ending; short words keep most of it: "location" has the stem of "locate", "station" its
    own."""
    rest = word[: -len(ending)]
    if _syllables(rest) >= (1 if ending == "ification" else 2):
        return rest + instead
    return rest + "at" if ending == "ation" and len(rest) > 2 else word


def _singular(word: str) -> str:
    for plural, singular in _PLURALS:
        if word.endswith(plural):
            return word[: -len(plural)] + singular
    return word[:-1] if word.endswith("s") and not word.endswith(_KEEP_S) else word


def _without_past(word: str) -> str:
    for ending in ("ing", "ed"):
        rest = word.removesuffix(ending)
        if rest != word and len(rest) > 1 and any(letter in _VOWELS for letter in rest) and not rest.endswith("e"):
            is_doubled = len(rest) > 3 and rest[-1] == rest[-2] and rest[-1] not in "lsz"
            return rest[:-1] if is_doubled else rest
    return word


def _bare(word: str) -> str:
    """A stem in one spelling: without a last ``e``, with ``ll`` as ``l`` and ``y`` as ``i``."""
    if len(word) > 3 and word.endswith("e"):
        word = word[:-1]
    if word.endswith("ll") and _syllables(word) >= 2:
        word = word[:-1]
    return word[:-1] + "i" if len(word) > 2 and word.endswith("y") else word


def _syllables(word: str) -> int:
    return len(_SYLLABLE_END.findall(word))
