"""Input schemas in the few keywords of every model API: type, description, enum, properties, required, items.

Each API refuses another part of JSON Schema (references, alternatives, ``const``, numbers in ``enum``, lists without
``items``, objects without ``properties``), so the rest is written in words. Arguments are checked by the whole schema.
This one only has less detail, and text in place of other values is read as JSON.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.media import exact_json
from openapi_mcp_server.bridge.model import NAME_LENGTH, Spelling, TextOf, Texts
from openapi_mcp_server.bridge.schemas.edits import JsonSchema, decode, encode, short_prose
from openapi_mcp_server.bridge.schemas.limits import limits, value_shown
from openapi_mcp_server.bridge.schemas.listed import Inner, Level, listing, says_needed
from openapi_mcp_server.openapi.model import Schema
from openapi_mcp_server.openapi.schemas.merging import top_level

MAX_LEVELS = 10
"""The most objects within each other (OpenAI, "Structured model outputs", limits of schemas)."""
MAX_VALUES, MAX_VALUES_BYTES = 40, 2_000
"""The most values of an enumeration, and their most bytes; a longer one is written in words, as far as it fits."""
_CHOICES = 100
"""The most alternatives that are merged into one schema, including nested ones."""
_VALUES_SHOWN = 300
_MEMBERS_SHOWN = 120
_NOT_A_NAME = re.compile(r"[^a-zA-Z0-9_]")
_ANY = "Any JSON value; objects and lists as JSON text."
_AS_TEXT = {"object": "A JSON object as text.", "array": "A JSON list as text."}
_KINDS = {
    "object": "an object", "array": "a list", "string": "text", "number": "a number", "integer": "a number",
    "boolean": "true or false",
}  # fmt: skip
"""Words for types. If alternatives have several types, the first of these is listed, since it says the most."""
_NO_NEWS = frozenset({"int32", "int64", "float", "double"})
_MARK = "_"
"""The internal keyword for the meaning of a text in an unfinished schema."""
_ONLY_REFERENCE = frozenset({"$ref"})


class Portable(NamedTuple):
    """A schema, and the rules for reading arguments that are written by it."""

    schema: bytes
    spelling: Spelling
    is_shortened: bool = False


class _Plain(msgspec.Struct, frozen=True):
    """One level of a schema in portable keywords. ``words`` follow its description."""

    type: str
    prose: str
    words: tuple[str, ...]
    values: tuple[str, ...] = ()
    properties: dict[str, JsonSchema] = {}
    required: tuple[str, ...] = ()
    items: JsonSchema | None = None
    text_of: TextOf | None = None  # the kind of value that its text stands for, if it is no text

    @property
    def is_leaf(self) -> bool:
        return not self.properties and self.items is None


def portable_schema(schema: bytes, where: str, limit: int) -> Portable:
    """The schema of a tool's arguments; ``where`` as in `listing`."""
    root = decode(schema)
    if not root["properties"]:
        return Portable(encode({"type": "object", "properties": {}}), Spelling())
    reader = _Reader(root.get("$defs", {}))
    names = _legal(root["properties"])
    properties = {names[name]: part for name, part in root["properties"].items()}
    required = [names[name] for name in root.get("required", ())]
    told = listing({"type": "object", "properties": properties, "required": required}, reader, where, limit)
    marked = decode(told.schema)
    texts = _texts(marked)
    return Portable(
        encode(marked),
        Spelling(names={told: name for name, told in names.items() if told != name}, texts=texts),
        told.is_shortened,
    )


def _texts(told: dict[str, Any]) -> Texts:
    """The places where text stands for other values; their marks are removed."""
    mark: TextOf | None = told.pop(_MARK, None)
    if mark is not None:
        return mark
    if "items" in told:
        inner = _texts(told["items"])
        return [inner] if inner else None
    found = {name: _texts(part) for name, part in told.get("properties", {}).items()}
    return {name: texts for name, texts in found.items() if texts} or None


def _legal(names: Collection[str]) -> dict[str, str]:
    """Names by their legal spelling: letters, digits and underscores, no digit first."""
    legal: dict[str, str] = {}
    taken: set[str] = set()
    counts: Counter[str] = Counter()
    for name in names:
        told = base = re.sub(r"^(?=[0-9])", "_", _NOT_A_NAME.sub("_", name))[:NAME_LENGTH]
        while told in taken or (told != name and told in names):
            counts[base] += 1
            told = f"{base[: NAME_LENGTH - 4]}_{counts[base] + 1}"
        legal[name] = told
        taken.add(told)
    return legal


class _Reader:
    """See `openapi_mcp_server.bridge.schemas.listed.Reader`."""

    levels = MAX_LEVELS

    def __init__(self, definitions: Mapping[str, JsonSchema]) -> None:
        self._definitions = {name: Schema(msgspec.Raw(encode(part))) for name, part in definitions.items()}
        self._named: dict[str, _Plain] = {}
        self._known: dict[int, tuple[JsonSchema, _Plain]] = {}  # with the schema, so that its id stays its own

    def level(self, schema: JsonSchema, prose: int) -> Level:
        plain = self.plain(schema)
        level = Level({"type": plain.type, **_described(plain, prose, plain.words), **_marked(plain.text_of)}, [])
        if plain.values:
            level.keywords["enum"] = [*plain.values]
        if plain.properties or plain.type == "object":
            holder = level.keywords["properties"] = dict.fromkeys(plain.properties)
            needed = dict.fromkeys(name for name in plain.required if name in plain.properties)
            for name, part in plain.properties.items():
                is_needed = name in needed or says_needed(part)
                level.parts.append(self._inner(holder, name, part, is_needed=is_needed, is_deeper=True))
            if needed:
                level.keywords["required"] = [*needed]
        if plain.items is not None:
            level.parts.append(self._inner(level.keywords, "items", plain.items, is_needed=True, is_deeper=False))
        return level

    def opened(self, schema: JsonSchema, prose: int, *, is_argument: bool) -> dict[str, Any]:  # noqa: ARG002 - a reader's
        plain = self.plain(schema)
        if plain.is_leaf:
            return {"type": plain.type, **_described(plain, prose, ()), **_marked(plain.text_of)}
        members = f"It needs {text.shorten(', '.join(plain.required), _MEMBERS_SHOWN)}." if plain.required else ""
        return {"type": "string", **_described(plain, prose, (_AS_TEXT[plain.type], members)), **_marked("json")}

    def members(self, schema: JsonSchema) -> int:
        return len(self.plain(schema).properties)

    def _inner(self, holder: Any, key: Any, schema: JsonSchema, *, is_needed: bool, is_deeper: bool) -> Inner:  # noqa: ANN401 - see `Inner`
        plain = self.plain(schema)
        says_more = not plain.is_leaf or bool(plain.words or plain.values)
        return Inner(holder, key, schema, is_needed, is_deeper, plain.is_leaf, says_more)

    def plain(self, schema: JsonSchema) -> _Plain:
        if isinstance(schema, bool):
            return _Plain("string", "", (_ANY,), text_of="json")
        if schema.keys() == _ONLY_REFERENCE:
            name = schema["$ref"]
            if name not in self._named:
                self._named[name] = _plain(self._united(schema))
            return self._named[name]
        known = self._known.get(id(schema))
        if known is None:
            known = self._known[id(schema)] = schema, _plain(self._united(schema))
        return known[1]

    def _united(self, schema: JsonSchema) -> dict[str, Any]:
        self._choices = _CHOICES
        return self._one(schema)

    def _one(self, schema: JsonSchema) -> dict[str, Any]:
        """A schema as one object without alternatives."""
        if isinstance(schema, bool):
            return {}
        own = dict(schema)
        if "$ref" in own or "allOf" in own:
            own = top_level(Schema(msgspec.Raw(encode(own))), self._definitions)
        own.pop("allOf", None)
        branches = [*own.pop("anyOf", ()), *own.pop("oneOf", ())][: self._choices]
        self._choices -= len(branches)
        return _chosen(own, [self._one(branch) for branch in branches]) if branches else own


def _chosen(own: dict[str, Any], branches: list[dict[str, Any]]) -> dict[str, Any]:
    """One schema for ``own`` (the keywords beside the alternatives) and the alternatives."""
    if _type(own) == "object":
        return own | _of_objects([each for each in branches if _type(each) in {"object", ""}], own)
    kinds: dict[str, list[dict[str, Any]]] = {}
    for branch in branches:
        if (kind := _type(branch) or _type(own)) not in {"null", ""}:
            kinds.setdefault(kind, []).append(branch)
    if not kinds:
        return own
    kind = next(each for each in _KINDS if each in kinds)
    if kind in {"object", "array"}:
        told = _of_objects(kinds[kind], {}) if kind == "object" else _of_lists(kinds[kind])
    else:
        kind, told = _of_scalars(kinds)
        kinds = {kind: []}
    others = dict.fromkeys(_KINDS[each] for each in kinds if each != kind)
    prose = own.get("description") or next((each["description"] for each in kinds[kind] if "description" in each), "")
    prose = f"{prose} Or {', or '.join(others)}.".lstrip() if others else prose
    return own | told | {"type": kind} | ({"description": prose} if prose else {})


def _of_objects(branches: Sequence[dict[str, Any]], own: Mapping[str, Any]) -> dict[str, Any]:
    """An object with the members of all alternatives. Only members that each of them requires are required."""
    members: dict[str, dict[bytes, JsonSchema]] = {}
    for each in (own, *branches):
        for name, part in each.get("properties", {}).items():
            members.setdefault(name, {})[encode(part)] = part
    needed = [set(each.get("required", ())) for each in branches] or [set()]
    required = [*own.get("required", ()), *sorted(set.intersection(*needed) - set(own.get("required", ())))]
    properties = {name: _either([*parts.values()]) for name, parts in members.items()}
    return {"properties": properties, "required": [name for name in required if name in properties]}


def _of_lists(branches: Sequence[dict[str, Any]]) -> dict[str, Any]:
    items = {encode(part): part for each in branches for part in (each.get("items", {}), *each.get("prefixItems", ()))}
    return {"items": _either([*items.values()])}


def _either(parts: Sequence[JsonSchema]) -> JsonSchema:
    return parts[0] if len(parts) == 1 else {"anyOf": [*parts]}


def _of_scalars(kinds: Mapping[str, Sequence[dict[str, Any]]]) -> tuple[str, dict[str, Any]]:
    """One type for alternatives of several scalar types, with the values if every alternative lists its own."""
    branches = [each for own in kinds.values() for each in own]
    kind = next(iter(kinds)) if len(kinds) == 1 else "number" if kinds.keys() == {"integer", "number"} else "string"
    listed = [_listed(each) for each in branches]
    if all(listed):
        return kind, {"enum": [value for values in listed for value in values]}
    return kind, (branches[0] if len(branches) == 1 else {})


def _listed(schema: Mapping[str, Any]) -> list[Any]:
    """The values that a schema lists; empty if it lists none."""
    return [schema["const"]] if "const" in schema else schema.get("enum", [])


def _type(schema: Mapping[str, Any]) -> str:
    """The single type of a schema, if it has one."""
    declared = schema.get("type", "")
    if isinstance(declared, list):
        return next((each for each in _KINDS if each in declared), "")
    if declared or not (values := _listed(schema)):
        return declared or ("object" if "properties" in schema else "array" if "items" in schema else "")
    return "string" if not all(isinstance(value, bool) for value in values) else "boolean"


def _plain(schema: dict[str, Any]) -> _Plain:
    kind = _type(schema)
    said = schema.get("description")
    prose = said if isinstance(said, str) else ""
    match kind:
        case "object" if schema.get("properties"):
            required = tuple(schema.get("required", ()))
            return _Plain(kind, prose, (), properties=schema["properties"], required=required)
        case "object":
            return _Plain("string", prose, (_AS_TEXT[kind], *_of_values(schema)), text_of="json")
        case "array":
            return _Plain(kind, prose, tuple(_bounds(schema)), items=_of_lists([schema])["items"])
        case "" | "null":
            return _Plain("string", prose, (_ANY,), text_of="json")
    return _scalar(schema, kind, prose)


def _of_values(schema: Mapping[str, Any]) -> Iterator[str]:
    """The schema of an object's members with free names, in words."""
    others = schema.get("additionalProperties")
    if isinstance(others, dict) and (kind := _type(others)) in _KINDS:
        yield f"Each value is {_KINDS[kind]}."


def _scalar(schema: dict[str, Any], kind: str, prose: str) -> _Plain:
    words = [*_bounds(schema)]
    if isinstance(form := schema.get("format"), str) and form not in _NO_NEWS:
        words.append(f"Format: {form}.")
    if isinstance(encoding := schema.get("contentEncoding"), str):
        words.append(f"Text in {encoding}.")
    values = [value for value in _listed(schema) if value is not None]
    if not values:
        return _Plain(kind, prose, tuple(words))
    texts = tuple(dict.fromkeys(_spelt(value) for value in values))
    told = tuple(each for each in texts if each)
    if kind == "boolean" or len(told) > MAX_VALUES or len(encode(told)) > MAX_VALUES_BYTES or not told:
        words.append(f"One of {text.shorten(', '.join(map(value_shown, values)), _VALUES_SHOWN)}.")
        return _Plain(kind, prose, tuple(words))
    if len(told) < len(texts):
        words.append("Or empty text.")
    spelt = {value for value in values if isinstance(value, str)}
    meant = {_spelt(value) for value in values if not isinstance(value, str)} - spelt
    text_of: TextOf | None = "values" if meant else None
    return _Plain("string", prose, tuple(words), values=told, text_of=text_of)


def _bounds(schema: Mapping[str, Any]) -> Iterator[str]:
    if told := limits(schema):
        yield f"({told})"


def _spelt(value: object) -> str:
    """Spells a value as the text that is read as this value again."""
    return value if isinstance(value, str) else exact_json.encode(value).decode()


def _marked(text_of: TextOf | None) -> dict[str, str]:
    return {_MARK: text_of} if text_of else {}


def _described(plain: _Plain, prose: int, words: Iterable[str]) -> dict[str, str]:
    said = short_prose(plain.prose, prose)
    told = " ".join(filter(None, (said, *words)))
    return {"description": told} if told else {}
