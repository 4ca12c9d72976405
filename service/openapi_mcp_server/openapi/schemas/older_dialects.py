"""Keywords with another meaning in Swagger 2.0, OpenAPI 3.0 and for their authors than in JSON Schema 2020-12.

Each function edits one converted schema object whose other keywords are valid already. The keywords are accepted in
every dialect: authors write them in 3.1, too, where they have no other meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import unquote

import msgspec

from openapi_mcp_server.openapi.pointers import unescaped
from openapi_mcp_server.openapi.schemas import habits
from openapi_mcp_server.openapi.schemas.discriminators import Discriminator
from openapi_mcp_server.openapi.schemas.keywords import are_texts, as_flag, as_list, as_text, fits, is_number
from openapi_mcp_server.openapi.text import numbers

_MAPPED_KINDS = 20
"""The most entries of a discriminator's mapping that are listed."""
_KIND_CHARACTERS = 300
"""A kind of up to this length is a name and shown whole."""
_ANNOTATIONS = ("title", "description", "default", "deprecated", "examples", "xml")
_APPLICATORS = frozenset({"$ref", "allOf", "anyOf", "oneOf", "not", "if", "const"})
_CHOICES = frozenset({"$ref", "allOf", "anyOf", "oneOf"})
_SAYING_VALUES = frozenset({"enum", "const", "$ref", "allOf", "anyOf", "oneOf"})
_CHOICES_OF_KINDS = frozenset({"anyOf", "oneOf"})
_PROSE = ("x-enum-descriptions", "x-enumDescriptions", "x-ms-enum")
DESCRIBING = (*_PROSE, "x-enumNames", "x-enum-varnames")
"""Extensions with the meaning of an enumeration's values, by NSwag, openapi-generator, Redocly and Azure."""
EXTENSIBLE = "x-extensible-enum"
"""Zalando's stand-in for ``enum`` (RESTful API Guidelines, rule 112): values of a list that will grow."""
_MEANING_CHARACTERS = 100
_KNOWN_VALUES = 50
"""Values of an open enumeration that are told."""
INT_OR_STRING = "int-or-string"
Spelt = Callable[[str], Any]
"""Gets a keyword's value in the current schema, with numbers that remember their spelling in the document."""
_BOUNDS = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


def be_file(schema: dict[str, Any]) -> None:
    """Turns an object with ``format: file`` into a file, as AutoRest and Azure write one. ``binary`` is the same, since
    bytes are no JSON object. ``type: file`` of 2.0 is a string already.
    """
    types = as_list(schema.get("type"))
    is_file = schema["format"] == "file" or (schema["format"] == "binary" and "object" in types)
    if is_file and "properties" not in schema and not {"object", "string"}.isdisjoint(types):
        schema |= {"type": ["string", "null"] if "null" in types else "string", "format": "binary"}


def be_either(schema: dict[str, Any]) -> None:
    """Allows numbers for ``type: string`` with ``format: int-or-string`` (Kubernetes, in Swagger 2.0). The number 80 is
    a port; the text "80" would be the name of one."""
    if schema["format"] == INT_OR_STRING and schema.get("type") == "string":
        schema["type"] = ["integer", "string"]
        del schema["format"]


def separate_bounds(schema: dict[str, Any]) -> None:
    """Makes ``minimum`` exclusive for ``exclusiveMinimum: true`` (Wright-00 validation, section 5.3)."""
    for exclusive, bound in _BOUNDS.items():
        if isinstance(is_exclusive := schema.get(exclusive), bool):
            del schema[exclusive]
            if is_exclusive and bound in schema:
                schema[exclusive] = schema.pop(bound)


def fit_value(keyword: str, schema: dict[str, Any], spelt: Spelt) -> str:
    """Repairs ``type: string`` with ``const: 1.10`` or ``default: 1.10``: in YAML a version without quotes is a number.
    Returns the repair in words; empty if there was none."""
    value = schema[keyword]
    if not isinstance(value, int | float) or "string" not in _types(schema) or fits(value, _types(schema)):
        return ""
    schema[keyword] = as_text(spelt(keyword))
    return f"{keyword} became a string, which the type wants"


def fit_examples(schema: dict[str, Any], spelt: Spelt) -> str:
    """Repairs examples in the same way, without a note."""
    if _types(schema) in (["string"], ["string", "null"]) and any(map(is_number, schema["examples"])):
        spelled = _examples(spelt)[: len(schema["examples"])]
        schema["examples"] = [as_text(each) if is_number(each) else each for each in spelled]
    return ""


def _examples(spelt: Spelt) -> list[Any]:
    try:
        return list(spelt("examples"))
    except KeyError:
        return [spelt("example")]


def _types(schema: Mapping[str, Any]) -> list[Any]:
    return as_list(schema.get("type", []))


def fit_enumeration(schema: dict[str, Any], spelt: Spelt) -> str:
    """Repairs ``type: string`` with ``enum: [1, 2]``, which no value fits. Returns the repair in words; empty if none.

    If the type is text, values become text as they were ``spelt``. Values for the items of a list, written beside it,
    move to the items. Others that do not fit are left out.
    """
    declared = schema.get("type", [])
    types = _types(schema)
    values = schema["enum"]
    if "string" in types and are_texts(values):
        return ""
    fitting = [value for value in values if fits(value, types)]
    # 3.0.3 requires null beside the type for nullable; without nullable it does no harm.
    if fitting and all(value is None or fits(value, types) for value in values):
        return ""
    if "string" in types:
        texts = [_plain(value) if fits(value, types) else as_text(value) for value in spelt("enum")]
        schema["enum"] = list({(isinstance(text, str), as_text(text)): text for text in texts}.values())
        return "values that are no strings became strings, which the type wants"
    if fitting:
        schema["enum"] = fitting
        return f"values that are not of type {as_text(declared)} were left out"
    del schema["enum"]
    items = schema.get("items", {})
    if types == ["array"] and isinstance(items, dict) and not _SAYING_VALUES & items.keys():
        schema["items"] = items = {**items, "enum": values}
        return fit_enumeration(items, spelt) or "the values were taken for those of its items"
    return f"no value is of type {as_text(declared)}; the enumeration was left out"


def _plain(value: object) -> object:
    """The value with ordinary numbers, without their spelling."""
    return value if isinstance(value, str) else msgspec.json.decode(numbers.encode(value))


FITTED: Mapping[str, Callable[[dict[str, Any], Spelt], str]] = {
    "enum": fit_enumeration,
    "const": partial(fit_value, "const"),
    "default": partial(fit_value, "default"),
    "examples": fit_examples,
}
"""Keywords whose values must have the type beside them, each with its repair."""


def nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that also allows null.

    Formally (3.0.3, Schema Object) null needs a ``type`` beside ``nullable``, and a place in ``enum``. Authors mean
    that null may replace the target of a ``$ref`` or any of the values.
    """
    if not _APPLICATORS.isdisjoint(schema):
        outside = {key: schema.pop(key) for key in _ANNOTATIONS if key in schema}
        return {"anyOf": [schema, {"type": "null"}], **outside}
    if "type" in schema:
        declared = as_list(schema["type"])
        schema["type"] = [*declared, *(() if "null" in declared else ("null",))]
    if "enum" in schema and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    return schema


def tell_kinds(said: Discriminator, declared: Mapping[str, Any], schema: dict[str, Any]) -> None:
    """Describes which value of which property selects which choice, since 2020-12 has no keyword for it."""
    if _CHOICES_OF_KINDS.isdisjoint(declared):
        return  # see `openapi_mcp_server.openapi.schemas.kinds`
    mapped = {kind: _last(target) for kind, target in said.mapping.items()}
    kinds = [f"{kind} → {target}" for kind, target in mapped.items()]
    known = {*mapped, *mapped.values()}
    kinds += [name for name in _own_names(declared) if name not in known]
    if not kinds:
        return
    shown = ", ".join(kind[:_KIND_CHARACTERS] for kind in kinds[:_MAPPED_KINDS])
    told = f"{said.property_name} selects the schema: {shown}{', …' if len(kinds) > _MAPPED_KINDS else ''}."
    habits.tell(schema, told)


def tell_values(declared: Mapping[str, Any], schema: dict[str, Any]) -> None:
    """Describes the meaning of an enumeration's values from extensions: their names, if they are numbers, and their
    descriptions."""
    values, prose = declared.get("enum"), schema.get("description", "")
    if not isinstance(values, list) or "enum" not in schema:
        return
    numbered = all(map(is_number, values))
    named = (_texts(declared[key], values) for key in DESCRIBING if key in declared and (numbered or key in _PROSE))
    pairs = zip(values, next(filter(any, named), []), strict=False)
    told = [(as_text(value), each) for value, each in pairs if each][: _MAPPED_KINDS + 1]
    if all(each in prose for _, each in told):
        return
    said = ", ".join(f"{value}: {each[:_MEANING_CHARACTERS]}" for value, each in told[:_MAPPED_KINDS])
    schema["description"] = f"{prose} {said}{', …' if len(told) > _MAPPED_KINDS else ''}.".lstrip()


def open_values(declared: Mapping[str, Any], schema: dict[str, Any]) -> bool:
    """Say in words which values are known where others are taken as well. True if an ``enum`` became one of these.

    AutoRest's ``x-ms-enum`` has ``modelAsString``: "When set to true the enum will be modeled as a string. No
    validation will happen." An ``enum`` beside Zalando's extension means what it says.
    """
    azure = declared.get("x-ms-enum")
    is_open = "enum" in schema and isinstance(azure, Mapping) and as_flag(azure.get("modelAsString")) is True
    values = schema.pop("enum") if is_open else declared.get(EXTENSIBLE)
    if "enum" not in schema and isinstance(values, list):
        if are_texts(values):
            schema.setdefault("type", "string")
        known = [as_text(value) for value in values[: _KNOWN_VALUES + 1] if isinstance(value, str | int | float)]
        if not all(each in schema.get("description", "") for each in known):
            more = ", …" if len(known) > _KNOWN_VALUES else ""
            habits.tell(schema, f"Known values: {', '.join(known[:_KNOWN_VALUES])}{more}.")
    return is_open


def _texts(said: object, values: Sequence[object]) -> list[str]:
    """A text for each of the values, empty if there is none; an empty list if the extension has another form."""
    if isinstance(said, Mapping) and isinstance(each := said.get("values"), list):  # Azure's
        known = [one for one in each if isinstance(one, Mapping)]
        said = {as_text(one.get("value")): one.get("description") or one.get("name") for one in known}
    if isinstance(said, Mapping):
        said = [said.get(as_text(value)) for value in values]
    if not isinstance(said, list) or len(said) != len(values):
        return []
    return [" ".join(each.split()) if isinstance(each, str) else "" for each in said]


def open_to_kinds(schema: dict[str, Any]) -> None:
    """Opens a schema with a discriminator and no choices, so that members of its kinds are allowed explicitly. Such a
    schema stands for all that extend it with ``allOf`` (Discriminator Object).
    """
    if _CHOICES.isdisjoint(schema) and schema.get("type", "object") == "object":
        schema.setdefault("additionalProperties", {})


def _own_names(declared: Mapping[str, Any]) -> list[str]:
    """The names of the alternatives' schemas, which are the values by default (Discriminator Object)."""
    choices = declared.get("oneOf", declared.get("anyOf"))
    if not isinstance(choices, list):
        return []
    references = [choice.get("$ref") for choice in choices if isinstance(choice, Mapping)]
    return [_last(reference) for reference in references if isinstance(reference, str)]


def _last(reference: str) -> str:
    return unescaped(unquote(reference.rpartition("/")[2]))
