"""Converts a schema for listing and checking arguments: all its assertions, in the words of 2020-12.

Words of older dialects and common mistakes are translated (see `older_dialects`). Others are left out and noted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import msgspec

from openapi_mcp_server.grammar import is_xml_name
from openapi_mcp_server.openapi.model import NoteKind
from openapi_mcp_server.openapi.schemas import discriminators, habits, older_dialects
from openapi_mcp_server.openapi.schemas.choices import admit_several, may_overlap
from openapi_mcp_server.openapi.schemas.conversion import (
    NEGATING,
    NOT_EXACT,
    TYPES,
    Conversion,
    JsonSchema,
    kind_of,
    needs_settling,
)
from openapi_mcp_server.openapi.schemas.keywords import (
    PLAIN,
    TAKING_FLAGS,
    as_flag,
    as_text,
    is_count,
    is_list_of_names,
    is_map_of_lists_of_names,
    is_shallow,
    is_text,
)
from openapi_mcp_server.openapi.text import numbers

_EXAMPLE_BYTES = 200
_EXAMPLES = 3
_LOOSENING = frozenset({"keyword_dropped", "pattern_dropped", "schema_repaired"})
_STAYING = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"})
"""Keywords whose schemas see the same value again (2020-12 core, section 10.2)."""
_CLOSING = frozenset({"additionalProperties", "unevaluatedProperties", "items", "unevaluatedItems"})
_NOTHING: JsonSchema = {"not": {}}
_DESCRIBING = frozenset({*older_dialects.DESCRIBING, older_dialects.EXTENSIBLE})
_XML_FIELDS = frozenset({"name", "namespace", "prefix", "attribute", "wrapped", "nodeType"})
_XML_NAMES = frozenset({"name", "prefix"})
_XML_FLAGS = frozenset({"attribute", "wrapped"})
_NO_NAMES: frozenset[str] = frozenset()
_ALONE = frozenset(
    {
        "type", "title", "description", "pattern", "minimum", "maximum", "minLength", "maxLength", "deprecated",
        "readOnly", "writeOnly",
    }
)  # fmt: skip
"""Keywords whose meaning does not depend on others. Most schemas have only these."""
_OF_TYPE = _ALONE | {
    "items", "minItems", "maxItems", "uniqueItems", "properties", "additionalProperties", "required", "minProperties",
    "maxProperties",
}  # fmt: skip
"""Keywords whose meaning depends at most on a type beside them."""

Convert = Callable[[Any, JsonSchema, str, Any], None]
"""Arguments: the conversion, the schema that it makes, the keyword and its value."""
_WANTED: Mapping[type, str] = {dict: "an object", list: "an array"}


class RequestConversion(Conversion):
    """The conversion of one schema to its strict form."""

    _exact: Any = None  # the whole schema as the document spells it, once that is needed
    _hidden = _NO_NAMES  # properties that the current schema, or one that it is combined with, hides

    def _converted(self, schema: dict[str, Any]) -> JsonSchema:
        strict: JsonSchema = {}
        outer = self._hidden
        own = self._setting.visibility.hidden_names(schema, self._base)
        self._hidden = own | outer if outer and self._stays else own
        if reference := self._reference(schema):
            strict["$ref"] = reference
        for keyword, value in schema.items():
            if (plain := PLAIN.get(keyword)) is not None:
                if plain[0](value):
                    strict[keyword] = value
                elif plain[0] is is_text and isinstance(value, int | float):
                    strict[keyword] = as_text(self._spelt(keyword))
                elif plain[0] in TAKING_FLAGS and (flag := as_flag(value)) is not None:
                    strict[keyword] = flag
                else:
                    self._note_wrong(keyword, plain[1], value)
            elif (converted := self._CONVERTED.get(keyword)) is not None:
                wanted, convert = converted
                if isinstance(value, wanted):
                    convert(self, strict, keyword, value)
                else:
                    self._note_wrong(keyword, _WANTED[wanted], value)
        if "$ref" in strict and (other := self._other_reference(schema)):
            strict["allOf"] = [*strict.get("allOf", ()), {"$ref": other}]
        self._hidden = outer
        return strict if schema.keys() <= (_OF_TYPE if "type" in strict else _ALONE) else self._finished(schema, strict)

    def _finished(self, schema: dict[str, Any], strict: JsonSchema) -> JsonSchema:
        """Finishes a converted schema with edits that need the whole schema object."""
        if "format" in strict:
            older_dialects.be_file(strict)
            older_dialects.be_either(strict)
        for keyword, fit in older_dialects.FITTED.items():
            if keyword in strict and (repair := fit(strict, self._spelt)):
                self._note("schema_repaired", repair, keyword)
        if not _DESCRIBING.isdisjoint(schema):
            older_dialects.tell_values(schema, strict)
            self.loosened += older_dialects.open_values(schema, strict)
        older_dialects.separate_bounds(strict)
        if "discriminator" in schema:
            self._discriminate(schema, strict)
        if "oneOf" in strict and (self._loses_properties(schema["oneOf"]) or may_overlap(strict["oneOf"])):
            admit_several(strict)
            self.loosened += 1
        strict = self._plainly(strict)
        self.is_unsettled = self.is_unsettled or needs_settling(strict)
        if as_flag(schema.get("nullable")) or as_flag(schema.get("x-nullable")):
            strict = older_dialects.nullable(strict)
        if "default" in strict:
            habits.tell_prose(strict)
        if "default" in strict and habits.refuses_default(strict):
            habits.tell_default(strict)
        return strict

    def _note(self, kind: NoteKind, message: str, *path: str | int) -> None:
        self.loosened += kind in _LOOSENING
        super()._note(kind, message, *path)

    def _spelt(self, *path: str) -> Any:  # noqa: ANN401 - any JSON value
        """A value below the current schema, with numbers as the document spells them: 1.10 is not 1.1."""
        if self._exact is None:
            self._exact = numbers.decode(self._at.json)
        value = self._exact
        for step in (*self._path, *path):
            value = value[step]
        return value

    def _discriminate(self, schema: dict[str, Any], strict: JsonSchema) -> None:
        declared = schema["discriminator"]
        if isinstance(declared, dict) and discriminators.has_numbers(declared):
            declared = self._spelt("discriminator")
        said = discriminators.read(declared)
        self._note_discriminator(declared, said)
        if said is not None:
            discriminators.tell_apart(said, schema, strict, partial(self._setting.names.refused, base=self._base))
            older_dialects.tell_kinds(said, schema, strict)
        older_dialects.open_to_kinds(strict)

    def _note_discriminator(self, declared: object, said: discriminators.Discriminator | None) -> None:
        """Notes faults of a discriminator (Discriminator Object of 3.x; in 2.0 it is only the property's name)."""
        if isinstance(declared, str):
            if self._setting.dialect != "2.0":
                message = "discriminator is a text, as in Swagger 2.0; it was taken for the name of the property"
                self._note("schema_repaired", message, "discriminator")
        elif not isinstance(declared, dict):
            expected = "a string" if self._setting.dialect == "2.0" else "an object"
            self._note_wrong("discriminator", expected, declared)
        elif said is None:
            self._note("keyword_dropped", "a discriminator needs propertyName", "discriminator")

    def _plainly(self, strict: JsonSchema) -> JsonSchema:
        """The schema with implied types, and without needless combinations."""
        habits.tell_rest(strict)
        plain = habits.tell_type(habits.flat(strict))
        habits.tell_types_of_choices(plain)
        return plain

    def _loses_properties(self, choices: list[object]) -> bool:
        """Whether one of several choices hides properties, which may have distinguished it from the others."""
        return any(self._setting.visibility.hidden_names(choice, self._base) for choice in choices)

    def _type(self, strict: JsonSchema, keyword: str, value: object) -> None:
        if isinstance(value, str) and value in TYPES:
            strict[keyword] = value
            return
        if value == "file":  # 2.0
            strict |= {"type": "string", "format": "binary"}
            return
        # Unquoted in YAML, the type null is the value null.
        names = ["null" if each is None else each for each in value] if isinstance(value, list) else [value]
        known = list(dict.fromkeys(name for name in names if isinstance(name, str) and name in TYPES))
        if len(known) < len(set(map(as_text, names))) and value is not None:
            self._note("keyword_dropped", f"{as_text(value)} is not a type of JSON Schema", keyword)
        if known:
            strict[keyword] = known if len(known) > 1 else known[0]

    def _flag(self, _strict: JsonSchema, keyword: str, value: object) -> None:
        """Notes a flag that is none. What a flag asserts is seen where its schema is finished or hidden."""
        if as_flag(value) is None:
            self._note_wrong(keyword, "a boolean", value)

    def _enum(self, strict: JsonSchema, keyword: str, value: object) -> None:
        if isinstance(value, list) and value and is_shallow(value):
            strict[keyword] = habits.unique(value)
        else:
            self._note_wrong(keyword, "an array of one value or more", value)

    def _pattern(self, strict: JsonSchema, keyword: str, value: object) -> None:
        if isinstance(value, int | float):
            value = as_text(self._spelt(keyword))
        if not isinstance(value, str):
            self._note_wrong(keyword, "a string", value)
        elif (pattern := self._setting.patterns.linear(value)) is not None:
            strict[keyword] = pattern
        else:
            self._note("pattern_dropped", f"not checked: {value[:_EXAMPLE_BYTES]!r}", keyword)

    def _required(self, strict: JsonSchema, keyword: str, value: object) -> None:
        value = self._names(value, keyword)
        if not is_list_of_names(value):
            self._note_wrong(keyword, "an array of names", value)
            return
        names = [name for name in dict.fromkeys(value) if name not in self._hidden]
        self.loosened += len(names) < len(set(value))
        if names:
            strict[keyword] = names

    def _least_members(self, strict: JsonSchema, keyword: str, value: object) -> None:
        """Lowers ``minProperties``, since it counts read-only members that a request cannot have."""
        if not is_count(value):
            self._note_wrong(keyword, "a whole number", value)
            return
        self.loosened += bool(self._hidden)
        if not self._hidden or value > len(self._hidden):
            strict[keyword] = value - len(self._hidden) if self._hidden else value

    def _dependent_required(self, strict: JsonSchema, keyword: str, value: Mapping[str, object]) -> None:
        named = {name: self._names(each, keyword, name) for name, each in value.items()}
        if not is_map_of_lists_of_names(named):
            self._note_wrong(keyword, "an object of arrays of names", named)
            return
        strict[keyword] = {name: [each for each in names if each not in self._hidden] for name, names in named.items()}
        self.loosened += strict[keyword] != named

    def _dependencies(self, strict: JsonSchema, keyword: str, value: dict[str, object]) -> None:
        """Converts a keyword of drafts before 2019-09 to its two successors: one for lists of names, one for
        schemas."""
        self._note("schema_repaired", "dependencies became dependentRequired and dependentSchemas", keyword)
        lists = {name: each for name, each in value.items() if isinstance(each, list)}
        required: JsonSchema = {}
        if lists:
            self._dependent_required(required, keyword, lists)
        schemas = {
            name: self._below(each, keyword, name, stays=True) or {}
            for name, each in value.items()
            if name not in lists
        }
        found = {"dependentRequired": required.get(keyword), "dependentSchemas": schemas}
        strict |= {name: each for name, each in found.items() if each}

    def _names(self, value: object, *path: str) -> object:
        """A list of names of properties as texts. Unquoted in YAML, ``404`` and ``1.10`` are numbers, but as keys they
        are texts."""
        if (
            not isinstance(value, list)
            or is_list_of_names(value)
            or any(isinstance(each, dict | list) for each in value)
        ):
            return value
        self._note("schema_repaired", "names that are no strings became strings", *path)
        return [as_text(each) for each in self._spelt(*path)]

    def _properties(self, strict: JsonSchema, keyword: str, value: dict[str, object]) -> None:
        hides, base = self._setting.visibility.hides, self._base
        members = {
            name: self._below(each, keyword, name) or {} for name, each in value.items() if not hides(each, base)
        }
        for name, member in members.items():
            if "title" in member:
                habits.drop_repeated_title(member, name)
        strict[keyword] = members
        self.loosened += len(strict[keyword]) < len(value)

    def _map(self, strict: JsonSchema, keyword: str, value: dict[str, object]) -> None:
        stays = keyword in _STAYING
        strict[keyword] = {name: self._below(each, keyword, name, stays=stays) or {} for name, each in value.items()}

    def _pattern_properties(self, strict: JsonSchema, keyword: str, value: dict[str, object]) -> None:
        self._map(strict, keyword, value)
        schemas, strict[keyword] = strict[keyword], {}
        for pattern, schema in schemas.items():
            linear = self._setting.patterns.linear(pattern)
            if linear is None:
                # Any name may match it, so no rule about the other names can be kept.
                self._note("pattern_dropped", "no property name is checked", keyword, pattern)
                linear, schema = "", {}  # noqa: PLW2901 - matches every name, says nothing
            strict[keyword][linear] = schema

    def _one(self, strict: JsonSchema, keyword: str, value: object) -> None:
        before = self.loosened
        converted = self._below(value, keyword, stays=keyword in _STAYING)
        if converted is None:
            return
        if keyword in NEGATING and self.loosened > before:
            self._note("keyword_dropped", NOT_EXACT, keyword)
            return
        # A plain false stays, since the catalog and clients look for it.
        strict[keyword] = False if value is False or (keyword in _CLOSING and converted == _NOTHING) else converted

    def _list(self, strict: JsonSchema, keyword: str, value: list[object]) -> None:
        if schemas := self._each(keyword, value):
            strict[keyword] = schemas

    def _each(self, keyword: str, value: list[object]) -> list[JsonSchema]:
        stays = keyword in _STAYING
        converted = [self._below(each, keyword, index, stays=stays) for index, each in enumerate(value)]
        return [each for each in converted if each is not None]

    def _items(self, strict: JsonSchema, keyword: str, value: object) -> None:
        if not isinstance(value, list):
            self._one(strict, keyword, value)
            return
        # The form of drafts before 2020-12 (release notes, "Changes to items and additionalItems").
        self._note("schema_repaired", "an array of schemas became prefixItems", keyword)
        if schemas := self._each(keyword, value):
            strict["prefixItems"] = schemas

    def _additional_items(self, strict: JsonSchema, keyword: str, value: object) -> None:
        """Converts ``additionalItems``, which describes the items after such an array and means nothing elsewhere."""
        rest = self._below(value, keyword) if isinstance(self._spelt().get("items"), list) else None
        if rest is not None:
            strict["items"] = False if rest == _NOTHING else rest

    def _example(self, strict: JsonSchema, _keyword: str, value: object) -> None:
        if value is not None and "examples" not in strict and _is_small(value):
            strict["examples"] = [value]

    def _examples(self, strict: JsonSchema, keyword: str, value: list[object]) -> None:
        if small := [each for each in value if _is_small(each)][:_EXAMPLES]:
            strict[keyword] = small

    def _xml(self, strict: JsonSchema, keyword: str, value: object) -> None:
        """Keeps ``xml``, which 2020-12 does not have: how XML bodies are written. Only documents with such bodies need
        it."""
        if not self._setting.keeps_xml:
            return
        if not isinstance(value, dict):
            self._note_wrong(keyword, "an object", value)
            return
        kept = {field: each for field, each in value.items() if field in _XML_FIELDS and kind_of(each) != "object"}
        for field in _XML_FLAGS & kept.keys():
            if (flag := as_flag(given := kept.pop(field))) is not None:
                kept[field] = flag
            elif given is not None:
                self._note("keyword_dropped", f"expected a boolean, got {kind_of(given)}", keyword, field)
        for field in _XML_NAMES & kept.keys():
            if not isinstance(name := kept[field], str) or not is_xml_name(name):
                del kept[field]
                if name:  # null and "" are none
                    self._note("keyword_dropped", f"{as_text(name)} is no XML name", keyword, field)
        strict[keyword] = kept

    _CONVERTED: ClassVar[Mapping[str, tuple[type, Convert]]] = {
        "type": (object, _type),
        **dict.fromkeys(("nullable", "x-nullable", "readOnly", "writeOnly"), (object, _flag)),
        "enum": (object, _enum),
        "pattern": (object, _pattern),
        "required": (object, _required),
        "minProperties": (object, _least_members),
        "properties": (dict, _properties),
        "patternProperties": (dict, _pattern_properties),
        "dependentRequired": (dict, _dependent_required),
        "dependentSchemas": (dict, _map),
        "dependencies": (dict, _dependencies),
        "items": (object, _items),
        "prefixItems": (list, _list),
        "allOf": (list, _list),
        "anyOf": (list, _list),
        "oneOf": (list, _list),
        "additionalProperties": (object, _one),
        "propertyNames": (object, _one),
        "additionalItems": (object, _additional_items),
        "contains": (object, _one),
        "not": (object, _one),
        "if": (object, _one),
        "then": (object, _one),
        "else": (object, _one),
        "unevaluatedItems": (object, _one),
        "unevaluatedProperties": (object, _one),
        "contentSchema": (object, _one),
        "example": (object, _example),
        "examples": (list, _examples),
        "xml": (object, _xml),
    }
    """Keyword → (the type of its value, its conversion). A keyword neither here nor in `PLAIN` asserts nothing and is
    left out."""


def _is_small(example: object) -> bool:
    return is_shallow(example) and len(msgspec.json.encode(example)) <= _EXAMPLE_BYTES
