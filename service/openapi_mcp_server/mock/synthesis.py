"""Values made from JSON Schemas (2020-12): always the same one for the same schema, small, and of the plainest kind.

What is made satisfies the keywords that documents use. It need not satisfy every schema there is: the caller validates,
and what could not be made is counted as that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import chain, islice, product
from typing import Any

from openapi_mcp_server.bridge.schemas.edits import encode
from openapi_mcp_server.mock import levels, patterns
from openapi_mcp_server.mock.levels import NoValueError, Schema
from openapi_mcp_server.openapi.json_schema import Validator, compiled
from openapi_mcp_server.openapi.pointers import DEFS
from openapi_mcp_server.openapi.schemas.keywords import SELECTING

ENOUGH = 2_000
"""Values in one call after which nothing optional is added."""
MOST = 20_000
"""Values that are tried for one call before it is given up."""
_BYTES_OF_A_STEP = 100
"""Bytes of a schema that a value is judged by: to compile these takes about as long as to make a value."""
_CHOICES = 64
_ROUNDS = 2
"""How often a definition may be entered again below itself."""

_FILE = "data: URI"
"""The words by which a tool says that an argument becomes bytes."""
_DATA_URI = "data:image/png;name=picture.png;base64,iVBORw0KGgo="
_TEXT = "text"
"""Four letters: base64 too."""
_BY_FORMAT = {
    "date": "2024-02-29",
    "date-time": "2024-02-29T12:30:00Z",
    "time": "12:30:00Z",
    "duration": "PT5M",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
    "email": "someone@example.com",
    "uri": "https://example.com/a",
    "url": "https://example.com/a",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}
_TRIED = frozenset({"not", "if", "then", "else", "dependentSchemas", "unevaluatedProperties", "propertyNames"})
"""Keywords that are not followed; a value beside one is tried."""


class EndlessError(Exception):
    """The search was given up."""


def arguments(schema: Mapping[str, Any], *, whole: bool) -> dict[str, Any]:
    """Arguments for a tool's input schema: all of them, or those that are required.

    Raises NoValueError and EndlessError.
    """
    return _Search(schema.get("$defs", {}), whole=whole).arguments(schema)


def value(schema: Schema, definitions: Mapping[str, Schema], *, seed: int = 0) -> Any:  # noqa: ANN401 - any JSON value
    """A value for a schema, with everything that is optional where that can be had; another one for another seed.

    Raises NoValueError.
    """
    reason = ""
    for variant in dict.fromkeys((seed, 0)):  # not every schema has as many values
        for whole in (True, False):
            try:
                made = _Search(definitions, whole=whole, variant=variant).value(schema)
            except (NoValueError, EndlessError, RecursionError) as error:
                reason = reason or str(error)
                continue
            if fits(schema, definitions, made):
                return made
    raise NoValueError(reason or "nothing that was tried fits")


def fits(schema: Schema, definitions: Mapping[str, Schema], candidate: object) -> bool:
    """Whether the schema admits a value."""
    return validator(_with_definitions(schema, definitions)).is_valid(candidate)


def _with_definitions(schema: Schema, definitions: Mapping[str, Schema]) -> bytes:
    encoded = encode(schema)
    if b'"$ref"' not in encoded:
        return encoded
    return b'{"allOf":[' + encoded + b'],"$defs":' + encode(definitions) + b"}"


class _Search:
    def __init__(self, definitions: Mapping[str, Schema], *, whole: bool, variant: int = 0) -> None:
        self._definitions = definitions
        self._whole = whole
        self._entered: Counter[str] = Counter()
        self._steps = 0
        self._lean = False  # only what is needed: within a definition that refers to itself
        self._is_file = False
        self._variant = variant  # moves where values must differ

    def arguments(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        made = {}
        for name, part in schema.get("properties", {}).items():
            if name not in schema.get("required", ()) and not self._whole:
                continue
            self._is_file = isinstance(part, dict) and _FILE in part.get("description", "")
            try:
                made[name] = self.value(part)
            except NoValueError as error:
                if name in schema.get("required", ()):
                    raise NoValueError(f"{name}: {error}") from error
        return made

    def value(self, schema: Schema) -> Any:  # noqa: ANN401 - any JSON value
        """A value for a schema. Raises NoValueError."""
        self._take(1)
        level, choices, names = self._flattened(schema)
        if any(self._entered[name] > _ROUNDS for name in names):
            raise NoValueError("it never ends")
        was_lean = self._lean
        self._lean = was_lean or self._steps > ENOUGH or any(self._entered[name] for name in names)
        self._entered.update(names)
        try:
            return self._first(schema, level, choices)
        finally:
            self._entered.subtract(names)
            self._lean = was_lean

    def _first(self, schema: Schema, level: dict[str, Any], choices: list[list[Schema]]) -> Any:  # noqa: ANN401 - any JSON value
        """The first value that there is for any combination of choices."""
        if not choices:
            return self._checked(schema, self._candidates(schema, level), always=not _TRIED.isdisjoint(level))
        reasons = []
        outer = self._whole
        for whole, picked in product((outer, not outer), islice(product(*choices), _CHOICES)):
            self._whole = whole  # more, or less, may be what only one branch of oneOf admits
            try:
                return self._checked(schema, iter((self.value({"allOf": [level, *picked]}),)), always=True)
            except NoValueError as error:
                reasons.append(str(error))
            finally:
                self._whole = outer
        raise NoValueError(reasons[0] if reasons else "there is nothing to choose")

    def _checked(self, schema: Schema, candidates: Iterator[Any], *, always: bool) -> Any:  # noqa: ANN401 - any JSON value
        for candidate in candidates:
            if not always or self._fits(schema, candidate):
                return candidate
        raise NoValueError("nothing that was tried fits")

    def _fits(self, schema: Schema, candidate: object) -> bool:
        whole = _with_definitions(schema, self._definitions)
        self._take(1 + len(whole) // _BYTES_OF_A_STEP)
        return validator(whole).is_valid(candidate)

    def _take(self, steps: int) -> None:
        self._steps += steps
        if self._steps > MOST:
            raise EndlessError(f"more than {MOST:,} values were tried")

    def _flattened(self, schema: Schema) -> tuple[dict[str, Any], list[list[Schema]], set[str]]:
        """A schema and all that it must also be as one level; the choices that are left; the definitions entered."""
        level: dict[str, Any] = {}
        choices = []
        names: set[str] = set()
        waiting = [schema]
        while waiting:
            part = waiting.pop(0)
            if part is True:
                continue
            if part is False:
                raise NoValueError("nothing is allowed")
            if (name := part.get("$ref", "").removeprefix(DEFS)) and name not in names:
                names.add(name)
                waiting.append(self._definitions[name])
            waiting += part.get("allOf", ())
            told = [levels.told_apart(part[key]) for key in ("oneOf", "anyOf") if key in part]
            choices += [sorted(each, key=_is_a_last_resort) for each in told]
            levels.merge(level, part)
        return level, choices, names

    def _candidates(self, schema: Schema, level: dict[str, Any]) -> Iterator[Any]:
        if SELECTING in level and self._fits(schema, level[SELECTING]):
            yield level[SELECTING]
        if "const" in level:
            yield level["const"]
        elif "enum" in level:
            listed = sorted(level["enum"], key=lambda each: each in (None, ""))
            yield from listed[self._variant % max(len(listed), 1) :] + listed
        else:
            if "default" in level and not isinstance(level["default"], dict | list) and not self._variant:
                default = level["default"]
                if default not in (None, "") and self._fits(schema, default):
                    yield default
            yield from self._by_type(level)

    def _by_type(self, level: dict[str, Any]) -> Iterator[Any]:
        reasons = []
        for kind in levels.types(level):
            try:
                match kind:
                    case "object":
                        yield self._object(level)
                    case "array":
                        yield self._array(level)
                    case "string":
                        yield self._string(level)
                    case "integer" | "number":
                        yield self._number(level, kind)
                    case "boolean":
                        yield self._variant % 2 == 0
                    case _:
                        yield None
            except NoValueError as error:
                reasons.append(str(error))
        if reasons:
            raise NoValueError(reasons[0])

    def _object(self, level: dict[str, Any]) -> dict[str, Any]:
        properties = level.get("properties", {})
        wanted = list(level.get("required", ()))
        if self._whole and not self._lean:
            wanted += [name for name in properties if name not in wanted]
        made: dict[str, Any] = {}
        self._fill(made, wanted[: level.get("maxProperties")], level)
        least = max(level.get("minProperties", 0), 0 if self._lean else 1)  # an empty object proves little
        self._fill(made, [*properties, *_invented(level)], level, least)
        needed = [name for key, names in level.get("dependentRequired", {}).items() if key in made for name in names]
        self._fill(made, needed, level | {"required": needed})
        if len(made) < level.get("minProperties", 0):
            raise NoValueError("too few properties can be given")
        return made

    def _fill(self, made: dict[str, Any], names: Sequence[str], level: dict[str, Any], least: int = 10**9) -> None:
        for name in names:
            if name in made or len(made) >= least:
                continue
            try:
                made[name] = self.value(levels.property_of(level, name))
            except NoValueError:
                if name in level.get("required", ()):
                    raise

    def _array(self, level: dict[str, Any]) -> list[Any]:
        least, most = level.get("minItems", 0), level.get("maxItems", 10**9)
        if "contains" in level:
            least = max(least, level.get("minContains", 1))
        places = level.get("prefixItems", ())
        made: list[Any] = []
        outer = self._variant
        try:
            while len(made) < min(max(least, len(places), 0 if self._lean else 1), most):
                if level.get("uniqueItems") or "contains" in level:
                    self._variant = outer + len(made)
                item = places[len(made)] if len(made) < len(places) else level.get("items", True)
                made.append(self.value({"allOf": [item, level.get("contains", True)]} if "contains" in level else item))
        except NoValueError:
            if len(made) < least:
                raise
        finally:
            self._variant = outer
        return made

    def _string(self, level: dict[str, Any]) -> str:
        least, most = level.get("minLength", 0), level.get("maxLength", 10**9)
        if "patterns" in level:
            return self._matching(level)
        text = _DATA_URI if self._is_file else _BY_FORMAT.get(level.get("format", ""), _TEXT)
        if self._variant and not self._is_file:
            text = f"{_TEXT}{self._variant:04}"
        if len(text) > most:
            text = _TEXT[:most]
        return (
            text
            if len(text) >= least
            else (text + _TEXT * (least // 4 + 1))[: max(least, min(least + -least % 4, most))]
        )

    def _matching(self, level: dict[str, Any]) -> str:
        told = {key: level[key] for key in ("minLength", "maxLength") if key in level}
        wanted = encode(told | {"allOf": [{"pattern": each} for each in level["patterns"]]})
        usual = (_BY_FORMAT.get(level.get("format", ""), _TEXT), _DATA_URI)
        matching = validator(wanted)
        for pattern in level["patterns"]:
            found = (text for text in _different(chain(usual, patterns.texts(pattern))) if matching.is_valid(text))
            if (text := next(islice(found, self._variant, None), None)) is not None:
                return text
        raise NoValueError(f"no text found for the pattern {' and '.join(level['patterns'])}")

    def _number(self, level: dict[str, Any], kind: str) -> int | Decimal:
        bounds = [level[key] for key in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum") if key in level]
        step = level.get("multipleOf", 1)
        near = [bound + distance for bound in bounds for distance in (0, 1, -1, Decimal("0.5"), Decimal("0.001"))]
        with suppress(ArithmeticError):  # a step of 0, or one that is too fine for 28 digits
            near += [bound // step * step + distance for bound in bounds for distance in (0, step, -step)]
        if len(bounds) > 1:
            near.append(sum(bounds) / Decimal(len(bounds)))
        for value in (
            1 + self._variant,
            *(each + self._variant * step for each in near),
            step * (1 + self._variant),
            0,
        ):
            exact = int(value) if value == int(value) else value
            if (kind == "number" or isinstance(exact, int)) and _is_within(exact, level):
                return exact
        raise NoValueError("no number found between the bounds")


def validator(schema: bytes) -> Validator:
    """The validator of a schema: patterns run in linear time, nothing is fetched."""
    return compiled(schema.decode())


def _different(texts: Iterable[str]) -> Iterator[str]:
    seen = set()
    for text in texts:
        if text not in seen:
            seen.add(text)
            yield text


def _invented(level: dict[str, Any]) -> list[str]:
    named = [text for pattern in level.get("patternProperties", {}) for text in islice(patterns.texts(pattern), 3)]
    return [*named, *(f"key{number}" for number in range(1, level.get("minProperties", 1) + 1))]


def _is_within(value: int | Decimal, level: dict[str, Any]) -> bool:
    return bool(
        level.get("minimum", value) <= value <= level.get("maximum", value)
        and level.get("exclusiveMinimum", value - 1) < value < level.get("exclusiveMaximum", value + 1)
        and _is_multiple(value, level.get("multipleOf", value or 1))
    )


def _is_multiple(value: int | Decimal, step: int | Decimal) -> bool:
    try:
        return value % step == 0
    except ArithmeticError:  # as above: every value is one, as far as can be told
        return True


def _is_a_last_resort(schema: Schema) -> bool:
    """Null, and XML as text: both keep the writers of everything else from being tried."""
    return isinstance(schema, dict) and (schema.get("type") == "null" or schema.get("description") == "XML")
