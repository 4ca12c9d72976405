"""Cleans text from a document for models and for log lines.

Documents are written by strangers. Their prose has markup, which costs tokens, and may have characters that models see
and people do not (Unicode tags, bidirectional overrides, variation selectors). Both are removed from prose. Values that
are sent as written keep every character; they are shown in JSON's escapes if a character is invisible
(`openapi_mcp_server.bridge.schemas.unseen`).
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache
from operator import itemgetter

from openapi_mcp_server.openapi.model import Operation, Response

TITLE_LIMIT = 100
"""The most characters of a tool's title, which is one line in a list."""
DESCRIPTION_LIMIT = 1_024
"""The most characters of a tool's description; several model APIs refuse more."""
ARGUMENT_LIMIT = 512
"""The most characters of an argument's description."""
_INPUT_FACTOR = 8
"""Prose is cut to this many times its limit before it is cleaned, so that a 5 MB description costs nothing."""

INVISIBLE = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # controls, but for tab, LF and CR
    "\u00ad\u034f\u061c\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # soft hyphen, joiners, fillers
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"  # zero width, bidirectional, BOM
    "\ufe00-\ufe0f"  # variation selectors: they can carry any bytes unseen
    "\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff"  # surrogates, private use, noncharacters
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff\U000f0000-\U0010ffff"  # tags, more selectors, private planes
    "]+"
)
"""Characters that people do not see: Unicode's Cc, Cf, Co and Cs, and Default_Ignorable_Code_Point, without the visible
ones of Cf."""

_PLAIN = bytes([*range(0x20, 0x7F), *b"\t\r\n"])
MARKS = 30
"""The most marks on one letter that are kept, as in UAX #15 for streams (section 13). No letter of any language has
more. CPython orders them in quadratic time (gh-149079)."""
_MANY_MARKS = re.compile(rf"[^\w\s\x00-\x7f]{{{MARKS + 1},}}")
"""Text that may have more marks, since no mark is a character of words. A row of boxes or dots has this form, too."""

_NOISE = re.compile(r"[^ !\"$%'()+,./0-9:;=?@A-Z\[\\\]^_a-z{|}~\n\r\t-]")
"""Every kind of noise has one of these characters, except links and rules. Most prose has none and needs no further
search. Searching a set alone is four times as fast as searching several words."""
_MARK = ("*", "#", ">", "```", "---")
_INLINE_TAG = re.compile(
    r"</?(?:a|abbr|b|big|cite|code|del|em|font|i|ins|kbd|mark|s|samp|small|span|strong|sub|sup|tt|u|var)\b[^<>]*>",
    re.IGNORECASE,
)
_BLOCK_TAG = re.compile(
    r"<!--[^<>]*-->|</?(?:address|article|aside|blockquote|br|center|dd|details|div|dl|dt|figure|h[1-6]|header|hr|"
    r"iframe|img|li|link|ol|p|pre|script|section|style|summary|table|tbody|td|tfoot|th|thead|tr|ul|video)\b[^<>]*>",
    re.IGNORECASE,
)
_LINK = re.compile(r"!?\[([^\[\]]*)\]\((?:[^()\s]|\([^()\s]*\))*(?:\s[^()]*)?\)")
_MARKS = re.compile(
    r"\*{2,}|^[ \t]*>[ \t]*(?:\[![A-Z]{1,20}\][ \t]*)?|^[ \t]*#{1,6}[ \t]+|^[ \t]*```[^\s`]*"
    r"|^[ \t]*(?:\|[ \t]*)?:?-{3}[-:| \t]*$",
    re.MULTILINE,
)
"""Emphasis, quotations and callouts, headings, code fences, rules and the second row of tables. Every pattern here is
linear in its text."""
_EMPHASIS = re.compile(r"(?<![\w*])\*([A-Za-z][^*\n]{0,200})\*(?![\w*])")
_POINTER = re.compile(
    r"(?:For (?:more|additional) (?:information|details)|Learn more|See also)[^.\n\[\]]{0,80}"
    r"\"?\[[^\[\]\n]{0,200}\]\([^()\s]{0,400}\)\"?[^.\n\[\]]{0,40}\.\"?"
)
"""A sentence that only points to further text by a link, which models do not get."""
_POINTING = ("For more ", "For additional ", "Learn more", "See also")
"""The beginnings of such a sentence."""
_OFFERED_TYPES = "supports the following custom media types"
"""The beginning of a list of media types in GitHub's descriptions. A model cannot choose one, since the server sets
Accept."""
_LISTED = ("-", "*", "|")
_STEM = 5
"""Two words with this many equal first characters count as the same."""
_inner = itemgetter(1)  # half the time of a template
_WORDS = re.compile(r"[^\W_]{3,}")
_WORD_IN_NAME = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def line(text: str, limit: int) -> str:
    """Prose as one clean line of at most ``limit`` characters. An ellipsis marks a cut."""
    return _line(text[: limit * _INPUT_FACTOR], limit)


@lru_cache(maxsize=256)
def _line(text: str, limit: int) -> str:
    """The same, with a cache, since operations repeat text: three in four lines of Kubernetes' document are
    repeated."""
    if _NOISE.search(text) is not None or "](" in text or "---" in text:
        text = _without_noise(text)
    return shorten(" ".join(text.split()), limit)


def shorten(text: str, limit: int) -> str:
    """The text cut to at most ``limit`` characters, between two words if possible."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > limit * 3 // 4 else cut).rstrip() + "…"


def visible(text: str) -> str:
    """The text in NFC without invisible characters; line ends and markup stay."""
    if not (rare := _rare(text.encode("utf-8", "surrogatepass"))):
        return text
    if INVISIBLE.search(rare) is not None:
        text = INVISIBLE.sub("", text)
    if len(rare) > MARKS:
        text = _MANY_MARKS.sub(_with_few_marks, text)
    return unicodedata.normalize("NFC", text)


def caseless(text: str) -> str:
    """Text for a comparison without regard to case. A model has seen it as `visible` makes it."""
    return visible(text.casefold())


def holds_unseen(encoded: bytes) -> bool:
    """Whether a text in UTF-8 has an invisible character."""
    return INVISIBLE.search(_rare(encoded)) is not None


def _rare(encoded: bytes) -> str:
    """The characters of a text in UTF-8 that may be invisible. The exact test takes ten times as long as finding
    them."""
    return encoded.translate(None, _PLAIN).decode("utf-8", "surrogatepass")


def spelt(encoded: str) -> str:
    """The same JSON text with escapes for invisible characters."""
    return INVISIBLE.sub(_escapes, encoded)


def _escapes(found: re.Match[str]) -> str:
    digits = found[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{digits[at : at + 4]}" for at in range(0, len(digits), 4))


def _with_few_marks(found: re.Match[str]) -> str:
    kept = []
    marks = 0
    for character in found[0]:
        marks = marks + 1 if unicodedata.category(character).startswith("M") else 0
        if marks <= MARKS:
            kept.append(character)
    return "".join(kept)


def _without_noise(text: str) -> str:
    if "<" in text:
        text = _BLOCK_TAG.sub(" ", _INLINE_TAG.sub("", text))
    if "](" in text:
        text = _LINK.sub(_inner, text)
    if any(mark in text for mark in _MARK):
        text = _MARKS.sub("", text)
        text = _EMPHASIS.sub(_inner, text) if "*" in text else text
    if "&" in text:
        text = html.unescape(text)
    return visible(text)


def title(operation: Operation) -> str:
    """The summary as a title; empty if there is none."""
    return line(operation.summary, TITLE_LIMIT)


def description(operation: Operation) -> str:
    """The text by which a model chooses the tool: summary, description, then facts that its schema does not have."""
    facts = _facts(operation)
    room = DESCRIPTION_LIMIT - sum(len(fact) + 2 for fact in facts)
    summary, prose = line(operation.summary, room), line(_worth_reading(operation.description), room)
    if prose.casefold().startswith(summary.rstrip(".…").casefold()) or _says(prose.partition(". ")[0], summary):
        summary = ""
    told = shorten(" ".join(part for part in (sentence(summary) if prose else summary, prose) if part), room)
    if not told:
        told = shorten(f"{_words(operation.operation_id or '')}{place(operation)}", room)
    return " ".join((sentence(told) if facts else told, *facts))


def place(operation: Operation) -> str:
    """Method and path (``GET /pets``), which distinguish operations with the same description."""
    return f"{operation.method} {visible(operation.path)}"


def sentence(text: str) -> str:
    """The text with a full stop, if it does not end with a punctuation mark."""
    return text if not text or text[-1] in ".!?…:" else f"{text}."


def _worth_reading(prose: str) -> str:
    """Prose without sentences that only link to another page."""
    if "](" not in prose:
        return prose
    before, found, after = prose[: DESCRIPTION_LIMIT * _INPUT_FACTOR].partition(_OFFERED_TYPES)
    if found:
        _, *others = after.split("\n\n")
        kept = [each for each in others if not each.lstrip().startswith(_LISTED)]
        begun = before.rpartition(".")[0]
        prose = "\n\n".join([f"{begun}." if begun else "", *kept])
    return _POINTER.sub("", prose) if any(each in prose for each in _POINTING) else prose


def _says(sentence: str, summary: str) -> bool:
    """Whether all words of a summary are in a sentence, compared by their beginnings."""
    words = _stems(summary)
    if len(words) < 2:
        return False
    folded = sentence.casefold()
    return all(word in folded for word in words) and words <= _stems(sentence)  # the first alone takes a third


def _stems(prose: str) -> set[str]:
    """The beginnings of words, short enough to be equal for "list" and "lists"."""
    return {word.rstrip("s")[:_STEM] for word in _WORDS.findall(prose.casefold())}


def _words(name: str) -> str:
    """The words of an identifier as a sentence; empty if it is one word."""
    words = [word if word.isupper() else word.lower() for word in _WORD_IN_NAME.findall(name[:TITLE_LIMIT])]
    told = " ".join(words)
    return f"{told[:1].upper()}{told[1:]}. " if len(words) > 1 else ""


def _facts(operation: Operation) -> list[str]:
    facts = ["Deprecated."] if operation.deprecated else []
    good = operation.successes
    if any(response.status == "202" for response in good) and len(good) > 1:
        facts.append("An answer 202 means accepted, not done.")
    kinds = _kinds(good)
    if kinds and not any("json" in kind for kind in kinds):
        facts.append(f"Answers {shorten(', '.join(kinds), 80)}.")
    return facts


def _kinds(responses: list[Response]) -> list[str]:
    """The media types of answers without repetitions and ranges."""
    names = (visible(media.name.partition(";")[0].strip()) for response in responses for media in response.media)
    return list(dict.fromkeys(name for name in names if name and "*" not in name))
