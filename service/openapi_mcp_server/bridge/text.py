"""Text from a document, made fit for a model and for a log line.

Documents are written by strangers: their prose carries markup that costs tokens and, at worst, characters that a
reader does not see but a model does (Unicode tags, bidirectional overrides, variation selectors). Prose loses both.
Values that are sent as they are written keep every character and are told in the spelling of JSON where one of them is
not seen (`openapi_mcp_server.bridge.schemas.unseen`).
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache

from openapi_mcp_server.openapi.model import Operation, Response

TITLE_LIMIT = 100
"""Characters of a tool's title: one line in a list."""
DESCRIPTION_LIMIT = 1_024
"""Characters of a tool's description; several model APIs refuse more."""
ARGUMENT_LIMIT = 512
"""Characters of an argument's description."""
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
"""What no reader sees: Unicode's Cc, Cf, Co and Cs, and Default_Ignorable_Code_Point, less the visible ones of Cf."""

_PLAIN = bytes([*range(0x20, 0x7F), *b"\t\r\n"])
MARKS = 30
"""Marks on one letter that are kept, as many as UAX #15 allows in a stream (section 13): no letter of any language has
more. CPython puts them in order in quadratic time (gh-149079)."""
_MANY_MARKS = re.compile(rf"[^\w\s\x00-\x7f]{{{MARKS + 1},}}")
"""Where there may be more: no mark is a character of words. A row of boxes or dots has this form too."""

_NOISE = re.compile(r"[^ -~\n\r\t]|[<&]|\]\(|\*\*|#|```|---")
"""What every kind of noise holds; most prose has none of it and is not looked at again."""
_MARK = re.compile(r"\*\*|#|```|---")
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
_MARKS = re.compile(r"\*{2,}|^[ \t]*#{1,6}[ \t]+|^[ \t]*```[^\s`]*|^[ \t]*(?:\|[ \t]*)?:?-{3}[-:| \t]*$", re.MULTILINE)
"""Emphasis, headings, code fences, rules and the second row of tables. Every pattern here is linear in its text."""


def line(text: str, limit: int) -> str:
    """Prose as one clean line of at most ``limit`` characters; an ellipsis stands for what was cut."""
    return _line(text[: limit * _INPUT_FACTOR], limit)


@lru_cache(maxsize=256)
def _line(text: str, limit: int) -> str:
    """Operations say the same of what they have in common: three in four lines of Kubernetes' document are repeated."""
    if _NOISE.search(text) is not None:
        text = _without_noise(text)
    return shorten(" ".join(text.split()), limit)


def shorten(text: str, limit: int) -> str:
    """The text cut to at most ``limit`` characters, between words where one ends near."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > limit * 3 // 4 else cut).rstrip() + "…"


def visible(text: str) -> str:
    """Text in NFC without the characters that no reader sees; line ends and markup stay."""
    if not (rare := _rare(text.encode("utf-8", "surrogatepass"))):
        return text
    if INVISIBLE.search(rare) is not None:
        text = INVISIBLE.sub("", text)
    if len(rare) > MARKS:
        text = _MANY_MARKS.sub(_with_few_marks, text)
    return unicodedata.normalize("NFC", text)


def holds_unseen(encoded: bytes) -> bool:
    """Whether a character that no reader sees is in UTF-8."""
    return INVISIBLE.search(_rare(encoded)) is not None


def _rare(encoded: bytes) -> str:
    """The characters of UTF-8 that need a look, which takes ten times as long as finding them."""
    return encoded.translate(None, _PLAIN).decode("utf-8", "surrogatepass")


def spelt(encoded: str) -> str:
    """A JSON text that means the same, where escapes stand for the characters that no reader sees."""
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
        text = _LINK.sub(r"\1", text)
    if _MARK.search(text) is not None:
        text = _MARKS.sub("", text)
    if "&" in text:
        text = html.unescape(text)
    return visible(text)


def title(operation: Operation) -> str:
    """The summary as a title; empty if there is none."""
    return line(operation.summary, TITLE_LIMIT)


def description(operation: Operation) -> str:
    """The text that the model reads to choose the tool: summary, description, then what its schema does not say."""
    facts = _facts(operation)
    room = DESCRIPTION_LIMIT - sum(len(fact) + 2 for fact in facts)
    summary, prose = line(operation.summary, room), line(operation.description, room)
    if prose.casefold().startswith(summary.rstrip(".…").casefold()):
        summary = ""
    elif summary and prose and summary[-1] not in ".!?…:":
        summary += "."
    told = shorten(" ".join(part for part in (summary, prose) if part), room)
    if not told:
        told = shorten(f"{operation.method} {visible(operation.path)}", room)
    if facts and told[-1] not in ".!?…":
        told += "."
    return " ".join((told, *facts))


def _facts(operation: Operation) -> list[str]:
    facts = ["Deprecated."] if operation.deprecated else []
    good = [response for response in operation.responses if response.status.startswith("2")]
    if any(response.status == "202" for response in good) and len(good) > 1:
        facts.append("An answer 202 means accepted, not done.")
    kinds = _kinds(good)
    if kinds and not any("json" in kind for kind in kinds):
        facts.append(f"Answers {shorten(', '.join(kinds), 80)}.")
    return facts


def _kinds(responses: list[Response]) -> list[str]:
    """The media types of answers, once each, as far as they name one type."""
    names = (visible(media.name.partition(";")[0].strip()) for response in responses for media in response.media)
    return list(dict.fromkeys(name for name in names if name and "*" not in name))
