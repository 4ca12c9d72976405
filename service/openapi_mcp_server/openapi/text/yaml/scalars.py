"""The meaning of a YAML scalar's text: the core schema (YAML 1.2.2 section 10.3) for plain text, the escapes of quoted
text (5.7), folded lines (6.5) and block scalars (8.1).

There are deliberate differences from the core schema, because the result is JSON. Digits with a leading zero stay text:
``012`` is a code far more often than the 10 of YAML 1.1 or the 12 of YAML 1.2. Values that JSON has no number for stay
text, too: infinities, not-a-number, exponents beyond a double. The text of a number is kept (``1.10`` stays ``1.10``).
If JSON spells it differently (``0x10``, ``True``), the spelling is kept beside the value for use as a name.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

import msgspec

from openapi_mcp_server.grammar import any_number_of


class Respelt:
    """A null, a boolean or a number that JSON spells, or programs read, differently. As a name it is its ``text``."""

    __slots__ = ("text", "value")

    def __init__(self, value: bool | msgspec.Raw | None, text: str) -> None:  # noqa: FBT001 - what YAML makes of it
        self.value = value
        self.text = text

    def is_of(self, types: list[object]) -> bool:
        """Whether it is a value of one of these types of JSON Schema."""
        if isinstance(self.value, msgspec.Raw):
            return "number" in types or "integer" in types
        return self.value is None or "boolean" in types


Scalar = None | bool | str | msgspec.Raw | Respelt
_MANY_DIGITS = 16
"""Not every program holds integers of so many digits exactly."""

_WORDS = {
    **dict.fromkeys(("~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_OF_JSON = frozenset({"null", "true", "false"})
_WORD_STARTS = frozenset("~nNtTfF")
_NUMBER_STARTS = frozenset("0123456789+-.")
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?P<exponent>[eE][-+]?[0-9]+)?")
_CORE_NUMBER = re.compile(
    r"(?P<sign>[-+]?)(?P<whole>0|[1-9][0-9]*|(?=\.[0-9]))(?P<point>\.(?P<part>[0-9]*))?(?P<exponent>[eE][-+]?[0-9]+)?"
)
_OTHER_BASE = re.compile(r"0(?:o(?P<octal>[0-7]{1,21})|x(?P<hexadecimal>[0-9a-fA-F]{1,16}))")  # within 64 bits

_KINDS_OF_JSON = {
    "int": re.compile(rb"-?[0-9]+"),
    "float": re.compile(rb"-?[0-9].*"),
    "bool": re.compile(rb"true|false"),
    "null": re.compile(rb"null"),
}

_BLANKS = " \t"
# It matches from the first space only. Tried from each of a million spaces, it would take hours.
_FURTHER_BREAKS = any_number_of(r"\n[ \t]*+")
_LINE_BREAKS = re.compile(rf"(?<![ \t])[ \t]*+\n[ \t]*+({_FURTHER_BREAKS})")
_ESCAPES = dict(zip('0abt\tnvfre "/\\N_LP', '\0\a\b\t\t\n\v\f\r\x1b "/\\\x85\xa0\u2028\u2029', strict=True))
_ESCAPE_OR_LINE_BREAK = re.compile(
    r"\\(?:(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))"
    rf"|\n[ \t]*+({_FURTHER_BREAKS})|(.|$))|(?:(?<![ \t])|(?<=\\[ \t]))[ \t]*+\n[ \t]*+({_FURTHER_BREAKS})",
    re.DOTALL,
)
_INDENTED = re.compile(r"\n[^\S\n]")
# A line that begins with text, the line breaks after it, and the first character of another such line.
_FOLDED_BREAKS = re.compile(r"^([^\s][^\n]*)\n(\n*)(?=[^\s])", re.MULTILINE)


def resolve(text: str) -> Scalar:
    """The value of plain text: None, a bool, a number as its JSON text, or the text itself."""
    start = text[:1]
    if start in _WORD_STARTS:
        value = _WORDS.get(text, text)
        return value if isinstance(value, str) or text in _OF_JSON else Respelt(value, text)
    if start in _NUMBER_STARTS and (number := _number(text)) is not None:
        raw = msgspec.Raw(number.encode())
        is_plain = number == text and len(text) < _MANY_DIGITS and text != "-0"
        return raw if is_plain else Respelt(raw, text)
    return text


def enc_hook(value: object) -> msgspec.Raw:
    """The encoder's hook for a `Respelt` that is no name."""
    if isinstance(value, Respelt):
        return value.value if isinstance(value.value, msgspec.Raw) else msgspec.Raw(_encode(value.value))
    raise NotImplementedError(f"no JSON value: {type(value)}")


_encode = msgspec.json.Encoder().encode


def _number(text: str) -> str | None:
    """The JSON number in ``text``; None if it is no number."""
    if found := _JSON_NUMBER.fullmatch(text):
        return text if found["exponent"] is None or math.isfinite(float(text)) else None
    if found := _OTHER_BASE.fullmatch(text):
        return str(int(found["octal"], 8) if found["octal"] else int(found["hexadecimal"], 16))
    if found := _CORE_NUMBER.fullmatch(text):
        part = "." + (found["part"] or "0") if found["point"] else ""
        sign = "-" if found["sign"] == "-" else ""
        return _number(f"{sign}{found['whole'] or '0'}{part}{found['exponent'] or ''}")
    return None


def resolve_as(tag: str, text: str) -> Scalar:
    """The value of a scalar with the core schema's ``tag`` (``str``, ``int``, …); raises ValueError if it has none."""
    if tag == "str":
        return text
    value = resolve(text) if text else None
    if isinstance(value, Respelt):
        value = value.value
    if not _KINDS_OF_JSON[tag].fullmatch(_encode(value)):
        raise ValueError(f"{text!r} is not a !!{tag}")
    return value


def folded(text: str) -> str:
    """Joins the lines of a text: one line break becomes a space, each further one a line break (section 6.5)."""
    if "\n" not in text:
        return text
    first, *between, last = text.split("\n")
    pieces = [first.rstrip(_BLANKS), *[each.strip(_BLANKS) for each in between], last.lstrip(_BLANKS)]
    return " ".join(pieces) if all(pieces) else _LINE_BREAKS.sub(lambda found: _joint(found[1]), text)


def _joint(further_breaks: str) -> str:
    return "\n" * further_breaks.count("\n") or " "


def double_quoted(text: str) -> str:
    """The text between double quotes; raises ValueError for an escape that YAML does not have."""
    if "\\" not in text:
        return folded(text)
    value = _ESCAPE_OR_LINE_BREAK.sub(_unescaped, text)
    try:
        value.encode()
    except UnicodeEncodeError:
        # JSON's notation of characters beyond 16 bits. YAML has \U for them, but every JSON text must be YAML (section
        # 1.2).
        return value.encode("utf-16", "surrogatepass").decode("utf-16")
    return value


def _unescaped(found: re.Match[str]) -> str:
    for code in found.group(1, 2, 3):
        if code:
            return _character(int(code, 16))
    after_escape, name, line_breaks = found.group(4, 5, 6)
    if after_escape is not None:
        return "\n" * after_escape.count("\n")
    if line_breaks is not None:
        return _joint(line_breaks)
    if name not in _ESCAPES:
        raise ValueError(f"\\{name} is no escape of YAML")
    return _ESCAPES[name]


def _character(code: int) -> str:
    if code > 0x10FFFF:
        raise ValueError(f"\\U{code:08X} is no character")
    return chr(code)


def single_quoted(text: str) -> str:
    """The text between single quotes."""
    return folded(text.replace("''", "'"))


def block_scalar(lines: str, indent: int, header: str) -> str:
    """``lines`` after the header ``|`` or ``>`` (with its chomping, as in ``>-``), each with its line break."""
    text = _outdented(lines, indent)
    said = text.rstrip("\n")
    body = _refolded(said) if header[0] == ">" else said
    if "-" in header:
        return body
    return body + text[len(said) :] if "+" in header else body + "\n" * bool(body)


def _outdented(lines: str, indent: int) -> str:
    """The lines without their indentation; blank lines may have less of it."""
    if " \n" in lines or "\t" in lines:
        return _indentation(indent).sub("", lines)
    margin = " " * indent
    return lines.removeprefix(margin).replace(f"\n{margin}", "\n")


def _refolded(text: str) -> str:
    """The lines of a folded scalar; those that are indented further stay as they are."""
    if text[:1].isspace() or "\n\n\n" in text or _INDENTED.search(text):
        return _FOLDED_BREAKS.sub(lambda found: found[1] + ("\n" * len(found[2]) or " "), text)
    if "\n\n" not in text:
        return text.replace("\n", " ")
    return "\n".join([each.replace("\n", " ") for each in text.split("\n\n")])


@lru_cache(maxsize=64)  # compiled once for each indentation in use
def _indentation(indent: int) -> re.Pattern[str]:
    return re.compile(rf"^ {{1,{indent}}}" if indent else r"(?!)", re.MULTILINE)
