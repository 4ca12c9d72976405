"""Rewrites a schema of arguments for lists, in keywords that clients accept. Arguments are checked by the original.

Frameworks that turn tools into classes or functions lose a tool, or the whole list, because of legal JSON Schema. Of 30
that were tried, four fail for ``type: [string, null]``, four for recursive schemas, two for a pattern that their own
engine does not support. Model APIs refuse lists without ``items``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.schemas.definitions import Definitions
from openapi_mcp_server.bridge.schemas.edits import bare, decode, encode, rewritten, short_prose, with_words
from openapi_mcp_server.openapi.model import Schema
from openapi_mcp_server.openapi.pointers import DEFS
from openapi_mcp_server.openapi.schemas.merging import top_level

_ANNOTATIONS = frozenset({"title", "description", "default", "deprecated", "examples"})
_BESIDE_REFERENCE = frozenset({"$ref", "description", "default"})
"""Keywords beside a reference that clients keep when they resolve it."""

_FORMATS = frozenset(
    {
        "date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6",
        "uri", "uri-reference", "uri-template", "iri", "iri-reference", "uuid", "json-pointer",
        "relative-json-pointer", "regex", "int32", "int64", "float", "double", "password",
    }
)  # fmt: skip
"""Formats of JSON Schema 2020-12 (validation, section 7.3), and those of OpenAPI's registry that validators know."""
_ENCODINGS = {"byte": "base64", "binary": "base64", "base64": "base64", "base64url": "base64url"}
"""Formats of bytes that are text in arguments."""
_NO_NEWS = frozenset(
    {"", "string", "text", "str", "integer", "int", "number", "boolean", "bool", "object", "array", "file"}
)
"""Common formats that say no more than the type."""
MERGED_BYTES = 2 * 1024 * 1024
"""The most bytes that references with further keywords may add to all schemas of a document, since each is a copy: 300
kB became 150 MB, and 8 MB took 3 s. Of 148 published documents one needs 60 kB, the others a tenth of that."""
_FORMAT_CHARACTERS = 60
_PATTERN_CHARACTERS = 120

_OTHER_FORMAT = re.compile(rb'"format":(?!"(?:' + "|".join(sorted(_FORMATS)).encode() + rb')")')
_LONG_PROSE = re.compile(
    rb'"description":"(?:[^"\\]{%(long)d}|(?=[^"\\]*+\\)(?:[^"\\]|\\.){%(long)d})' % {b"long": text.ARGUMENT_LIMIT + 1}
)
"""Runs without escapes, which most texts are, are counted ten times as fast."""
_BARE_LIST = re.compile(rb'"type":"array"(?!,"items":)')
_DESCRIBED = rb'"description":"(?:[^"\\]|\\.)*"'
_ALONE = re.compile(
    rb"\{(?:" + _DESCRIBED + rb',)?"\$ref":"#/\$defs/[A-Za-z0-9._-]+"(?:,' + _DESCRIBED + rb")?(?:\}|,\"default\":)"
)
"""A reference without keywords beside it that some clients refuse."""

_READ_EVERYWHERE = re.compile(
    r"""(?:
        (?: [^\\\[\](){}*+?|^$]                             # a character that means itself
          | \\(?: [dDsSwWnrtfv^$\\.*+?()\[\]{}|/]
                | x[0-9A-Fa-f]{2} | u[0-9A-Fa-f]{4} )
          | \[ \^? -? (?: (?: [^\\\[\]&~^-]                # a set: characters and ranges of them, classes on their own
                            | \\[nrtfv\\.*+?()\[\]{}|/^$-]
                            | \\x[0-9A-Fa-f]{2} | \\u[0-9A-Fa-f]{4} )
                          (?: - (?: [^\\\[\]&~^-] | \\[nrtfv\\.*+?()\[\]{}|/^$-]
                                  | \\x[0-9A-Fa-f]{2} | \\u[0-9A-Fa-f]{4} ) )?
                        | & (?!&) | ~ (?!~) | \^ | \\[dDsSwW] (?!-[^\]]) )* -? \]
          | \)
        ) (?: (?: [*+?] | \{[0-9]+(?:,[0-9]*)?\} ) \?? )?   # as often as that
      | \((?:\?:)? | \| | \^ | \$ | \\[bB]
    )*""",
    re.VERBOSE,
)
"""Regular expressions with the same meaning in JavaScript (with and without ``u``), Python and Rust: no ``\\p{…}``, no
flags, no needless escapes. Each token has a different beginning, so that time is linear."""


class Telling:
    """The schemas of one document; ``schemas`` are the definitions that they refer to."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas
        self._left = MERGED_BYTES

    @property
    def is_full(self) -> bool:
        """Whether references have added all that they may."""
        return self._left < 0

    def told(self, schema: bytes) -> bytes:
        """An encoded schema in its listed form."""
        return encode(rewritten(decode(schema), self._part)) if _is_worth_a_look(schema) else schema

    def _part(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Converts one level of a schema without its parts."""
        if "$ref" in schema and "not" in schema:  # the base among its kinds, see `openapi.schemas.kinds`
            schema = {key: value for key, value in schema.items() if key != "not"}
        if isinstance(prose := schema.get("description"), str):
            schema = schema | {"description": short_prose(prose, text.ARGUMENT_LIMIT)}
        if "$ref" in schema and not schema.keys() <= _BESIDE_REFERENCE:
            schema = self._merged(schema)
        schema = _without_null_as_a_type(schema)
        if schema.get("type") == "array" and "items" not in schema:
            schema = {**schema, "items": {}}
        if "format" in schema:
            schema = _with_known_format(schema)
        if "pattern" in schema and not reads_everywhere(schema["pattern"]):
            rest = {key: value for key, value in schema.items() if key != "pattern"}
            schema = with_words(rest, f"Pattern: {text.shorten(text.visible(schema['pattern']), _PATTERN_CHARACTERS)}")
        if "patternProperties" in schema:
            schema = _with_known_patterns(schema)
        return schema

    def _merged(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A reference merged with its target. A recursive target is merged only once."""
        if self.is_full:
            return _plain_reference(schema)
        merged = top_level(Schema(msgspec.Raw(encode(schema))), self._schemas)
        self._left -= len(encode(merged))
        return cast("dict[str, Any]", rewritten(merged, _plain_reference))


def _is_worth_a_look(schema: bytes) -> bool:
    """Whether the listed form of a schema may differ; most schemas stay as they are."""
    return (
        b'"type":[' in schema
        or b"null" in schema
        or b'"pattern' in schema
        or _holds_markup(schema)
        or (len(schema) > text.ARGUMENT_LIMIT and _LONG_PROSE.search(schema) is not None)
        or (b'"format"' in schema and _OTHER_FORMAT.search(schema) is not None)
        or (b'"array"' in schema and _BARE_LIST.search(schema) is not None)
        or (b'"$ref":' in schema and schema.count(b'"$ref":') > len(_ALONE.findall(schema)))
    )


def _holds_markup(schema: bytes) -> bool:
    """Whether there are characters of mark-up in descriptions, as JSON spells them."""
    return b"<" in schema or b"&" in schema or b"\\n" in schema or b"](" in schema or b"**" in schema


def _plain_reference(schema: dict[str, Any]) -> dict[str, Any]:
    """A reference without keywords that clients refuse beside one; arguments are still checked by these."""
    return {key: value for key, value in schema.items() if key in _BESIDE_REFERENCE} if "$ref" in schema else schema


def reads_everywhere(pattern: str) -> bool:
    """Whether a regular expression means the same in the engines of clients as in ours."""
    return _READ_EVERYWHERE.fullmatch(pattern) is not None


def _without_null_as_a_type(schema: dict[str, Any]) -> dict[str, Any]:
    """Turns ``type: [string, null]``, and null in an enumeration, into alternatives."""
    declared = schema.get("type")
    types = declared if isinstance(declared, list) else []
    values = schema.get("enum", ())
    if declared in ("null", ["null"]) or (not types and None not in values):
        return schema
    inner = {key: value for key, value in schema.items() if key not in _ANNOTATIONS and (key != "type" or not types)}
    listed = [value for value in values if value is not None]
    if listed:
        inner["enum"] = listed
    elif values:
        return {key: value for key, value in schema.items() if key != "enum"} | {"type": "null"}
    branches = [{"type": name, **inner} for name in types if name != "null"] if types else [inner]
    takes_null = "null" in types if declared else None in values
    if takes_null and (None in values or inner.keys().isdisjoint(("enum", "const"))):
        branches.append({"type": "null"})
    annotations = {key: value for key, value in schema.items() if key in _ANNOTATIONS}
    return {**(branches[0] if len(branches) == 1 else {"anyOf": branches}), **annotations}


def _with_known_format(schema: dict[str, Any]) -> dict[str, Any]:
    form = schema["format"]
    if form in _FORMATS:
        return schema
    rest = {key: value for key, value in schema.items() if key != "format"}
    if form in _ENCODINGS:
        return {"contentEncoding": _ENCODINGS[form]} | rest
    if form.lower() in _NO_NEWS:
        return rest
    return with_words(rest, f"Format: {text.line(form, _FORMAT_CHARACTERS)}.")


def _with_known_patterns(schema: dict[str, Any]) -> dict[str, Any]:
    """Leaves out patterns that not all engines read. After one for names of properties, rules for other names are left
    out, too."""
    known = {each: part for each, part in schema["patternProperties"].items() if reads_everywhere(each)}
    if len(known) == len(schema["patternProperties"]):
        return schema
    rest = {key: value for key, value in schema.items() if key not in {"patternProperties", "additionalProperties"}}
    return rest | ({"patternProperties": known} if known else {})


def ended(
    members: Mapping[str, bytes], roots: Sequence[str], definitions: Definitions, room: int
) -> dict[str, bytes] | None:
    """Encoded definitions without cycles: a reference that would close a cycle becomes an open object with a note.
    ``roots`` are the names that the arguments refer to. None if they take more than ``room`` bytes."""
    back: dict[str, set[str]] = {}
    done: set[str] = set()
    for root in roots:
        if root in members and root not in done:
            _walk(root, members, definitions, back, done)
    again = {DEFS + name: _again(name, members[name]) for name in frozenset[str]().union(*back.values())}
    ending = {}
    room += 1  # no comma stands after the last
    for name, member in members.items():
        ending[name] = _cut(member, back[name], again) if name in back else member
        room -= len(ending[name]) + 1
        if room < 0:
            return None
    return ending


def _walk(
    root: str, members: Mapping[str, bytes], definitions: Definitions, back: dict[str, set[str]], done: set[str]
) -> None:
    """Walks depth first; a reference to a definition that is not finished closes a cycle."""
    way = {root: iter(definitions.refs_of(members[root]))}
    while way:
        name = next(reversed(way))
        following = next(way[name], None)
        if following is None:
            way.popitem()
            done.add(name)
        elif following in way:
            back.setdefault(name, set()).add(following)
        elif following not in done and following in members:
            way[following] = iter(definitions.refs_of(members[following]))


def _cut(member: bytes, names: set[str], again: Mapping[str, dict[str, Any]]) -> bytes:
    """A definition with an open value in place of each reference to one of ``names``; ``again`` has these values by
    reference."""
    decoded = decode(b"{" + member + b"}")
    [(name, schema)] = decoded.items()
    ends = {DEFS + each: again[DEFS + each] for each in names}
    cut = rewritten(schema, lambda part: ends.get(part.get("$ref", ""), part))
    return encode(name) + b":" + encode(cut)


def _again(name: str, member: bytes) -> dict[str, Any]:
    """An open value in place of a definition within itself."""
    [schema] = decode(b"{" + member + b"}").values()
    return bare(schema) | {"description": f"Another {name}, made like the one that it is in."}
