"""Edits schemas for tools: removes invisible characters, and details if there is no room."""

from __future__ import annotations

import decimal
import enum
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any

import msgspec

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.schemas import unseen
from openapi_mcp_server.openapi.schemas.choices import admit_several

SHORT_PROSE = 120
"""The most characters of a description in a schema that is over its budget."""
LEFT_OUT = "Schema left out for its size; see the API's documentation."
"""The description of a schema that was replaced by an open value."""
NEEDED = "Required if a body is sent."
"""The end of the description of an argument that an optional body requires."""
_SMALL = 160
"""A subschema of up to so many bytes is never left out."""
_SMALL_ENUM = 2_000
"""An enumeration of up to so many bytes is kept as long as possible, since an argument means little without it."""

_ONE = frozenset(
    {
        "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames",
        "unevaluatedItems", "unevaluatedProperties", "contentSchema",
    }
)  # fmt: skip
_NAMED = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})
_RESTRICTING = frozenset({"enum", "const", "minLength", "pattern", "allOf", "anyOf", "oneOf", "not", "$ref", "if"})
"""Keywords by which a schema may refuse empty text or null where its type does not."""
_LISTED = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
"""Keywords of JSON Schema 2020-12 with subschemas (core section 10); everything else is data and stays as it is."""

_HOLDERS = _ONE | _NAMED | _LISTED
STRICT = frozenset(
    {"not", "if", "then", "else", "contains", "minContains", "maxContains", "unevaluatedItems", "unevaluatedProperties"}
)

JsonSchema = dict[str, Any] | bool
"""A decoded schema."""
Edit = Callable[[dict[str, Any]], dict[str, Any]]

decode = msgspec.json.Decoder(float_hook=decimal.Decimal).decode
encode = msgspec.json.Encoder(decimal_format="number").encode
"""Encodes JSON; numbers keep all their digits."""


class Detail(enum.IntEnum):
    """Levels of detail of a schema; each level drops more than the one before."""

    FULL = 0
    NO_EXAMPLES = 1
    SHORT = 2  # descriptions cut
    LOOSE = 3  # and without keywords that refuse more when a part of the schema is left out


WHOLE = (Detail.FULL, Detail.NO_EXAMPLES, Detail.SHORT)
"""The levels that keep all checks."""


def cleaned(schema: bytes) -> bytes:
    """An encoded schema without ``xml``, which only the writer of the body needs, and without invisible characters
    (`unseen`); the same bytes if it has neither.

    JSON may spell such characters as escapes, so a backslash-u is examined further.
    """
    if b'"xml":{' in schema:
        schema = encode(rewritten(decode(schema), _without_xml))
    if schema.isascii() and b"\\u" not in schema:
        return schema
    encoded = encode(decode(schema)) if b"\\u" in schema else schema
    if b"\\u00" not in encoded and not text.holds_unseen(encoded):
        return schema
    return encode(rewritten(decode(schema), lambda part: unseen.shown(part, _ONE | _LISTED, _NAMED)))


def reduced(schema: bytes, detail: Detail) -> bytes:
    """An encoded schema at a level of detail."""
    if detail is Detail.FULL or (detail is Detail.NO_EXAMPLES and b'"example' not in schema):
        return schema
    return encode(rewritten(decode(schema), _EDITS[detail]))


def rewritten(schema: JsonSchema, edit: Edit) -> JsonSchema:
    """A decoded schema with ``edit`` applied to every subschema, outermost first."""
    if not isinstance(schema, dict):
        return schema
    result = {}
    for key, value in edit(schema).items():
        result[key] = _below(key, value, lambda part: rewritten(part, edit))
    return result


def shallow(schema: JsonSchema, depth: int) -> JsonSchema:
    """A decoded schema whose subschemas deeper than ``depth`` are open values, unless they are small."""
    if not isinstance(schema, dict) or len(encode(schema)) <= _SMALL:
        return schema
    if depth == 0:
        return opened(schema)
    return {key: _below(key, value, lambda part: shallow(part, depth - 1)) for key, value in schema.items()}


def opened(schema: JsonSchema) -> dict[str, Any]:
    """The rest of a schema that is left out: the result of `bare`, with a note."""
    prose = schema.get("description") if isinstance(schema, dict) else None
    said = f"{text.line(prose, SHORT_PROSE)} ({LEFT_OUT})" if isinstance(prose, str) else LEFT_OUT
    return bare(schema) | {"description": said}


def short_prose(said: str, limit: int) -> str:
    """A description cut to a limit; the note that an argument is needed stays."""
    if not said.endswith(NEEDED):
        return text.line(said, limit) if limit else ""
    room = limit - len(NEEDED) - 1
    before = text.line(said.removesuffix(NEEDED), room) if room > len(NEEDED) else ""
    return f"{before} {NEEDED}".lstrip()


def with_words(schema: dict[str, Any], words: str) -> dict[str, Any]:
    """A schema with these words at the end of its description."""
    prose = schema.get("description")
    return schema | {"description": f"{prose} {words}" if prose else words}


def or_empty(schema: bytes) -> bytes:
    """An encoded schema that also accepts empty text."""
    decoded = decode(schema)
    return schema if _admits(decoded, "string") else encode({"anyOf": [decoded, {"const": ""}]})


def or_null(schema: JsonSchema) -> JsonSchema:
    """A schema that also accepts null."""
    if _admits(schema, "null"):
        return schema
    if isinstance(schema, dict) and isinstance(schema.get("type"), str) and _RESTRICTING.isdisjoint(schema):
        return schema | {"type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def removable(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a merge patch: at any depth of objects, null removes a member, whatever the member's schema is; a
    list is replaced as a whole (RFC 7396 section 2)."""
    needed = frozenset(schema.get("required", ()))
    return {key: _removable_below(key, value, needed) for key, value in schema.items()}


def _removable_below(key: str, value: Any, needed: frozenset[str]) -> Any:  # noqa: ANN401 - any JSON value
    match key:
        case "properties":
            return {
                name: removable(part) if name in needed else or_null(removable(part)) for name, part in value.items()
            }
        case "patternProperties":
            return {pattern: or_null(removable(part)) for pattern, part in value.items()}
        case "additionalProperties" | "unevaluatedProperties" if isinstance(value, dict):
            return or_null(removable(value))
        case "allOf" | "anyOf" | "oneOf":
            return [removable(part) for part in value]
    return value


def removable_parts(schema: bytes) -> bytes:
    """The same as `removable`, for encoded schemas."""
    return encode(removable(decode(schema)))


def _admits(schema: JsonSchema, json_type: str) -> bool:
    """Whether the outermost level certainly admits every value of a type."""
    if isinstance(schema, bool) or not schema:
        return schema is not False
    return json_type in schema.get("type", ()) and _RESTRICTING.isdisjoint(schema)


def bare(schema: JsonSchema) -> dict[str, Any]:
    """A schema's type and the values it lists, if they are few."""
    if isinstance(schema, bool):
        return {}
    kept: dict[str, Any] = {key: schema[key] for key in ("type", "enum") if key in schema}
    if "enum" in kept and len(encode(kept)) > _SMALL_ENUM:
        del kept["enum"]
    return kept


def bare_argument(schema: JsonSchema) -> dict[str, Any]:
    """The same for an argument, and for the value of one that may be null."""
    match schema:
        case {"anyOf": [{} as value, {"type": "null"} as null]} if told := bare(value):
            return {"anyOf": [told, null]}
    return bare(schema)


def holds_schemas(schema: Mapping[str, Any]) -> bool:
    """Whether a level contains schemas."""
    if _HOLDERS.isdisjoint(schema):
        return False
    for key, value in schema.items():  # noqa: SIM110 - `any` takes longer, 100,000 times for 11,400 tools
        if key in _HOLDERS and isinstance(value, (dict, list)) and value:
            return True
    return False


def parts_within(keywords: dict[str, Any]) -> Iterator[tuple[str, Any, Any, Any]]:
    """The schemas within one level: keyword, holder, key, schema. The holders become copies, in which parts can be
    replaced."""
    for keyword, value in [*keywords.items()]:
        if keyword in _ONE and isinstance(value, dict):
            yield keyword, keywords, keyword, value
        elif keyword in _NAMED and isinstance(value, dict):
            named = keywords[keyword] = dict.fromkeys(value)
            yield from ((keyword, named, name, part) for name, part in value.items())
        elif keyword in _LISTED and isinstance(value, list):
            listed = keywords[keyword] = [None] * len(value)
            yield from ((keyword, listed, index, part) for index, part in enumerate(value))


def _below(key: str, value: object, change: Callable[[Any], object]) -> object:
    """A keyword's value with ``change`` applied to every schema in it."""
    if key in _ONE:
        return change(value)
    if key in _NAMED and isinstance(value, dict):
        return {name: change(part) for name, part in value.items()}
    if key in _LISTED and isinstance(value, list):
        return [change(part) for part in value]
    return value


def _without_examples(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in {"example", "examples"}}


def _without_xml(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "xml"}


def _with_short_prose(schema: dict[str, Any]) -> dict[str, Any]:
    lean = _without_examples(schema)
    for key in ("title", "description"):
        if isinstance(prose := lean.get(key), str):
            lean[key] = text.line(prose, SHORT_PROSE)
    return lean


def _loosened(schema: dict[str, Any]) -> dict[str, Any]:
    return unrestricted(_with_short_prose(schema))


def unrestricted(schema: dict[str, Any], left_out: Container[str] = STRICT) -> dict[str, Any]:
    """A schema without keywords that refuse more when a subschema admits more: an open value fits every branch of
    ``oneOf``."""
    loose = {key: value for key, value in schema.items() if key not in left_out}
    if "oneOf" in loose:
        admit_several(loose)
    return loose


def unmatched(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without patterns of properties, and without rules for properties that match none of them."""
    others = {"pattern", "patternProperties"} | ({"additionalProperties"} if "patternProperties" in schema else set())
    return {key: value for key, value in schema.items() if key not in others}


_EDITS: dict[Detail, Edit] = {
    Detail.NO_EXAMPLES: _without_examples,
    Detail.SHORT: _with_short_prose,
    Detail.LOOSE: _loosened,
}
