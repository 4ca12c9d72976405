"""JSON Schema 2020-12 by jsonschema-rs: linear-time patterns, nothing fetched, formats not asserted.

The work of several schemas on a large value multiplies (`weight`), so each use has a limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, reduce
from itertools import islice
from operator import getitem
from typing import Any, Protocol

import msgspec

from openapi_mcp_server.bridge.media.by_parts import count
from openapi_mcp_server.bridge.schemas import digits, edits, innermost, weight
from openapi_mcp_server.bridge.schemas.excerpt import LEVELS, Excerpt
from openapi_mcp_server.bridge.schemas.visits import Visits
from openapi_mcp_server.bridge.text import shorten
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.openapi import json_schema

Validator = json_schema.Validator
Kind = json_schema.Kind

VALIDATORS_KEPT = 2_048
"""The number of compiled input schemas that are remembered, since many clients together call many tools. One takes 1.3
kB for each property. With 1,222 tools called in turn, 256 would cost 200 µs a call, and more memory by
fragmentation."""
FORMAT_VALIDATORS_KEPT = 16
"""The number of remembered validators that assert formats, for clients that write ``""`` for absent values, and of
validators for parts of schemas."""
MAX_ERRORS = 500
"""The most errors of one value that are read."""
PATTERN_WORK = 1_000_000_000
"""The most work of patterns (bytes of a value times bytes of its compiled patterns): 30 to 100 ms. A longer value is
not matched with any pattern; the API does that."""
COMPILED_BYTES = 20_000_000
"""The most bytes of all compiled patterns of a schema: compiling takes 1 ms a megabyte. Beyond it, no pattern is
compiled."""
SMALL_BYTES = 16_384
"""Arguments of up to this size are checked without estimating the work."""
VALUE_WORK = 10_000_000
"""The most values times schemas that may apply to each: about 120 ms."""
MULTIPLYING = 100_000
"""If more schemas may apply at one place of a value, those that do are counted. jsonschema-rs follows every path to a
definition again, unless the definition is recursive: with 30 definitions that name the next one twice, 300 bytes took
100 s."""
ERROR_WORK = 4_000
"""The most values times schemas for making errors: about 30 ms."""
VISITS_OF_WORK = 2
"""Visits of schemas for each unit of that work, alternatives of alternatives counted as often as they are met. Not all
make an error: schemas that only lead to others are counted as well."""
ERROR_VISITS = VISITS_OF_WORK * ERROR_WORK
QUICK_WORK = 500
"""The most values times schemas for making errors on the event loop: 4 ms."""
LEAST_SEARCHED = 50
"""The number of values that are always searched for errors, whatever the number of schemas."""
LEAST_OF_CHOICES = 20
"""The number of values that are searched before levels are left out."""
COMPARISONS = 30_000
"""The most pairs of numbers that are compared (`digits`): 30 ms."""

_TOO_MANY_NUMBERS = (
    "The arguments hold too many numbers, or too long ones, to be compared with those of the tool's schema; give fewer,"
    " or fewer digits."
)
_LEVELS_OF_A_PART = 3
"""The most levels of a part that is checked separately."""
_STEP_LENGTH = 60
_PLACE_LENGTH = 1_000
"""The most characters of a place in a message, and of each name in it."""
_OPEN_OR_CLOSED: Sequence[Any] = ({}, {"not": {}}, True, False)


class Failure(Protocol):
    """A value that does not fit, and its place; an error of jsonschema-rs is one."""

    @property
    def instance_path(self) -> Sequence[str | int]:
        """The place of the value."""

    @property
    def schema_path(self) -> Sequence[str | int]:
        """The place of the keyword, with references followed."""

    @property
    def kind(self) -> Kind:
        """The keyword, and its details."""

    @property
    def instance(self) -> Any:  # noqa: ANN401 - any JSON value
        """The value."""


class _Below(msgspec.Struct, frozen=True):
    """An error of a part that was checked separately, with places relative to the whole."""

    instance_path: list[str | int]
    schema_path: list[str | int]
    kind: Kind
    instance: Any


@lru_cache(maxsize=VALIDATORS_KEPT)
def _compiled(schema: bytes) -> Validator:
    return json_schema.compiled(schema.decode())


@lru_cache(maxsize=VALIDATORS_KEPT)
def _pattern_reach(schema: bytes) -> float:
    """The size in bytes up to which a value is matched with the schema's patterns."""
    if b'"pattern' not in schema:
        return float("inf")
    found = weight.of(schema)
    return PATTERN_WORK / max(1, found.patterns) if found.all_patterns <= COMPILED_BYTES else 0.0


@lru_cache(maxsize=VALIDATORS_KEPT)
def _without_patterns(schema: bytes) -> bytes:
    """An encoded schema that accepts more: without patterns, and without keywords that would then refuse more."""
    return edits.encode(edits.rewritten(edits.decode(edits.reduced(schema, edits.Detail.LOOSE)), edits.unmatched))


def compiled(schema: bytes, size: int = 0) -> Validator:
    """The validator of an encoded schema for a value of ``size`` bytes. Patterns were tested when the document was
    read."""
    return _compiled(schema if size <= _pattern_reach(schema) else _without_patterns(schema))


def require_bounded(values: dict[str, Any], schema: bytes, text: bytes) -> None:
    """Raises ArgumentError for arguments with so many values that the check would take too long."""
    if compares_too_much(values, schema, text):
        raise ArgumentError(_TOO_MANY_NUMBERS)
    if len(text) <= SMALL_BYTES:
        if text.count(b"{") + text.count(b"[") > 1 and multiplies(values, schema):
            problem = "The arguments are nested too deep for the alternatives of the tool's schema to be checked"
            raise ArgumentError(f"{problem}; nest them less.")
        return
    most = VALUE_WORK // weight.of(schema).schemas
    if count(text, b",") >= most and innermost.values_within(values, most) > most:
        raise ArgumentError(f"The arguments hold more than {most:,} values, too many to be checked; give fewer.")


def multiplies(value: object, schema: bytes) -> bool:
    """Whether the check of a value would take too long because of alternatives of alternatives."""
    if weight.of(schema).schemas <= MULTIPLYING:  # as of nearly all
        return False
    return Visits(schema, VALUE_WORK).of(value, LEVELS) >= VALUE_WORK


def compares_too_much(value: object, schema: bytes, text: bytes | None = None) -> bool:
    """Whether too many numbers of a value are compared with too many others, or too long ones with any. ``text``: its
    JSON, which nearly always shows at once that there are none of these."""
    if text is not None and not digits.are_many(text):
        return False
    others = weight.numbers_to_choose_from(schema)
    if (bounds := weight.bounds(schema)) and (text is None or digits.are_long(text)):
        others = others._replace(bounds=bounds)
    if not any(others) or digits.comparisons(value, others, COMPARISONS) <= COMPARISONS:
        return False
    return digits.Comparisons(schema, COMPARISONS).of(value, LEVELS) >= COMPARISONS


def can_explain(schema: bytes, value: object, wrong: int) -> bool:
    """Whether errors may be made for a value with so many wrong parts."""
    return _is_affordable(value, schema, wrong, work=ERROR_WORK, visits=ERROR_VISITS)


def is_quick(value: object, schema: bytes, text: bytes) -> bool:
    """Whether all errors of a value, whose JSON is ``text``, are made in a moment."""
    values = text.count(b",") + text.count(b"[") + text.count(b"{")
    return _is_affordable(value, schema, values, work=QUICK_WORK, visits=QUICK_WORK)


def _is_affordable(value: object, schema: bytes, wrong: int, *, work: int, visits: int) -> bool:
    """Whether the errors of a value with so many wrong parts take no more than this."""
    if wrong * weight.of(schema).errors > work:
        return False
    return not _has_choices(schema) or Visits(schema, visits).of(value, LEVELS) < visits


def _has_choices(schema: bytes) -> bool:
    return b'"anyOf"' in schema or b'"oneOf"' in schema


def affordable(whole: Any, schema: bytes, work: int = ERROR_WORK) -> Excerpt:  # noqa: ANN401 - any JSON value
    """The part of a value that is searched for errors."""
    values, most = max(LEAST_SEARCHED, work // weight.of(schema).errors), VISITS_OF_WORK * work
    if not _has_choices(schema):
        return Excerpt(whole, values)
    visits = Visits(schema, most)
    for begun in (Excerpt(whole, values), Excerpt(whole, LEAST_OF_CHOICES)):
        if visits.of(begun.value, LEVELS) < most:
            return begun
    least, beyond = 0, LEVELS  # the levels that can be afforded lie between
    while beyond - least > 1:
        middle = (least + beyond) // 2
        least, beyond = (middle, beyond) if visits.of(begun.value, middle) < most else (least, middle)
    return Excerpt(whole, LEAST_OF_CHOICES, least)


@lru_cache(maxsize=FORMAT_VALIDATORS_KEPT)
def _compiled_with_formats(schema: bytes) -> Validator:
    return json_schema.compiled(schema.decode(), formats=True)


def errors(values: dict[str, Any], schema: bytes, size: int) -> list[Failure]:
    """The first errors of a value that took ``size`` bytes; empty if it fits.

    Raises ArgumentError if it does not fit and its beginning does not show the reason.
    """
    if compares_too_much(values, schema):  # numbers that were read in texts are among them
        raise ArgumentError(_TOO_MANY_NUMBERS)
    validator = compiled(schema, size)
    if validator.is_valid(values):
        return []
    begun = affordable(values, schema)
    certain = filter(begun.is_certain, islice(validator.iter_errors(begun.value), MAX_ERRORS))
    found = [own for error in certain for own in _own(error, schema)]
    return found or _of_innermost(values, schema)


def _of_innermost(values: dict[str, Any], schema: bytes) -> list[Failure]:
    """The errors of the innermost wrong part of a value. Raises ArgumentError if it does not show the reason."""
    wrong = innermost.innermost(values, schema)
    found: list[Failure] = []
    if wrong.place and len(wrong.parts) == 1:
        [part] = wrong.parts
        validator = innermost.compiled(schema, part.path)
        found = list(_below(wrong.value, wrong.place, part.path, validator))
    if not found:
        where = f" at {_told(wrong.place)}" if wrong.place else ""
        problem = f"The arguments do not fit the tool's schema{where}"
        raise ArgumentError(f"{problem}, and are too long to say why, or nested too deep; give fewer.")
    return found


def place_of_wrong(value: Any, schema: bytes, work: int = innermost.WORK) -> str:  # noqa: ANN401 - any JSON value
    """The place where a value does not fit, for any error."""
    return _told(innermost.innermost(value, schema, work).place)


def _told(place: Iterable[str | int]) -> str:
    return shorten("".join(f"/{shorten(str(step), _STEP_LENGTH)}" for step in place), _PLACE_LENGTH)


def format_errors(values: dict[str, Any], schema: bytes, size: int) -> Iterable[Failure]:
    """The first errors with asserted formats, in the part of the arguments that is searched for errors."""
    begun = affordable(values, schema)
    validator = _compiled_with_formats(schema if size <= _pattern_reach(schema) else _without_patterns(schema))
    return islice(validator.iter_errors(begun.value), MAX_ERRORS)


def _own(error: Failure, schema: bytes) -> Iterator[Failure]:
    """An error, or the errors of the values in it. For ``unevaluatedProperties: {…}`` jsonschema-rs only names the
    properties that do not fit."""
    match error.kind:
        case Kind.UnevaluatedProperties(unexpected=names):
            validator = _of_the_rest(schema, tuple(error.schema_path))
            if validator is not None:
                for name in names:
                    place = (*error.instance_path, name)
                    yield from _below(error.instance[name], place, error.schema_path, validator)
                return
    yield error


@lru_cache(maxsize=FORMAT_VALIDATORS_KEPT)
def _of_the_rest(schema: bytes, path: tuple[str | int, ...]) -> Validator | None:
    """The validator of a part of a schema; None if the part is a boolean."""
    rest = reduce(getitem, path, msgspec.json.decode(schema))
    return None if rest in _OPEN_OR_CLOSED else innermost.compiled(schema, path)


def _below(
    value: Any,  # noqa: ANN401 - any JSON value
    place: Sequence[str | int],
    schema_path: Sequence[str | int],
    validator: Validator,
) -> Iterator[Failure]:
    """The errors of a part of a value, with places relative to the whole. ``schema_path`` is the place of the part's
    schema, which was compiled as the only member of ``allOf``."""
    begun = Excerpt(value, LEAST_SEARCHED, _LEVELS_OF_A_PART)
    for inner in filter(begun.is_certain, islice(validator.iter_errors(begun.value), MAX_ERRORS)):
        path = list(inner.schema_path)
        yield _Below(
            instance_path=[*place, *inner.instance_path],
            schema_path=[*schema_path, *path[2:]] if path[:1] == ["allOf"] else path,
            kind=inner.kind,
            instance=inner.instance,
        )
