"""Schemas to choose from by a discriminator: a value is judged by the one that it names, and told so."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from documents import compiles, document, of_schemas, ref, sent, sent_schema
from growth import is_linear
from openapi_mcp_server.bridge.arguments.check import check
from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.openapi.pointers import ROOT
from openapi_mcp_server.openapi.references.resolve import References
from openapi_mcp_server.openapi.schemas.discriminators import Discriminator, Discriminators

TEXT = {"type": "string"}
HOME = "#/components/schemas"


def animal(member: str, kind: Any = TEXT, **more: Any) -> dict[str, Any]:
    return {"type": "object", "required": [member], "properties": {"kind": kind, member: {"type": "integer"}}, **more}


ANIMALS: dict[str, Any] = {"Cat": animal("lives"), "Dog": animal("pack")}
CHOICES = [ref("Cat"), ref("Dog")]


def chosen(keyword: str = "oneOf", choices: Any = CHOICES, **said: Any) -> dict[str, Any]:
    return {keyword: choices, "discriminator": {"propertyName": "kind", **said}}


def accepts(schema: Any, value: Any, dialect: Any = "3.1", **schemas: Any) -> bool:
    description = of_schemas(schema, dialect=dialect, **(ANIMALS | schemas))
    valid: bool = compiles(sent_schema(description), description.request_schemas).is_valid(value)
    return valid


MAPPED = {"cat": "Cat", "dog": "#/components/schemas/Dog"}
BOTH = {"lives": 9, "pack": 1}
NAMES = [
    # mapping, value, is it taken
    ({}, {"kind": "Cat", "lives": 9}, True),
    ({}, {"kind": "Cat", "pack": 1}, False),
    ({}, {"kind": "Dog", "lives": 9}, False),
    ({}, {"kind": "Dog", **BOTH}, True),
    ({}, {"kind": "dog", "lives": 9}, True),  # no name: authors write such values
    ({}, {"kind": "Bird", "lives": 9}, True),
    ({}, {"lives": 9}, True),
    ({}, {"kind": "Cat"}, False),
    (MAPPED, {"kind": "cat", "lives": 9}, True),
    (MAPPED, {"kind": "cat", "pack": 1}, False),
    (MAPPED, {"kind": "dog", "lives": 9}, False),
    (MAPPED, {"kind": "dog", "pack": 1}, True),
    (MAPPED, {"kind": "Dog", "pack": 1}, True),  # the implicit name stays one
    (MAPPED, {"kind": "Dog", "lives": 9}, False),
    (MAPPED, {"kind": "kat", "lives": 9}, False),
    (MAPPED, {"kind": "", "lives": 9}, False),
    (MAPPED, {"lives": 9}, True),
    ({"cat": "Cat"}, {"kind": "cat", "pack": 1}, False),
    ({"cat": "Cat"}, {"kind": "Dog", "lives": 9}, False),
    ({"cat": "Cat"}, {"kind": "kat", "lives": 9}, True),  # not every schema has a name, so that there may be others
    (MAPPED | {"persian": "Persian"}, {"kind": "persian", "lives": 9}, True),  # a schema that is no choice
    (MAPPED | {"persian": "Nowhere"}, {"kind": "persian", "lives": 9}, True),
    ({"cat": "Cat", "tom": "Cat", "dog": "Dog"}, {"kind": "tom", "lives": 9}, True),
    ({"cat": "Cat", "tom": "Cat", "dog": "Dog"}, {"kind": "tom", "pack": 9}, False),
    ({"Dog": "Cat", "Cat": "Dog"}, {"kind": "Dog", "lives": 9}, True),  # the mapping counts before the name
    ({"Dog": "Cat", "Cat": "Dog"}, {"kind": "Dog", "pack": 9}, False),
    ({"cat": "other.yaml#/components/schemas/Cat", "dog": "dogs/Dog.yaml"}, {"kind": "cat", "pack": 9}, False),
    ({"cat": "other.yaml#/components/schemas/Cat", "dog": "dogs/Dog.yaml"}, {"kind": "dog", "lives": 9}, False),
]


def test_the_name_of_the_property_alone_selects_as_well() -> None:
    schema = {"oneOf": CHOICES, "discriminator": "kind"}  # as Swagger 2.0 has it
    assert accepts(schema, {"kind": "Cat", "lives": 9})
    assert not accepts(schema, {"kind": "Cat", "pack": 1})
    assert sent(of_schemas(schema, **ANIMALS))["description"] == "kind selects the schema: Cat, Dog."


@pytest.mark.parametrize("dialect", ["3.0", "3.1", "3.2"])
@pytest.mark.parametrize("keyword", ["oneOf", "anyOf"])
@pytest.mark.parametrize(("mapping", "value", "is_taken"), NAMES)
def test_a_value_is_judged_by_the_schema_that_it_names(
    dialect: str, keyword: str, mapping: Any, value: Any, is_taken: bool
) -> None:
    said = {"mapping": mapping} if mapping else {}
    assert accepts(chosen(keyword, **said), value, dialect, Persian=animal("hair")) is is_taken


@pytest.mark.parametrize("name", ["Page«Cat»", "a cat", "50%"])
def test_a_name_is_the_schemas_own_whatever_characters_it_has(name: str) -> None:
    schema = chosen(choices=[ref(quote(name)), ref("Dog")])
    assert accepts(schema, {"kind": name, "lives": 9}, **{name: animal("lives")})
    assert not accepts(schema, {"kind": name, "pack": 9}, **{name: animal("lives")})
    assert f"kind selects the schema: {name}, Dog." in str(sent(of_schemas(schema, **ANIMALS, **{name: {}})))


def test_a_default_takes_what_names_nothing() -> None:
    schema = chosen(mapping=MAPPED, defaultMapping="Cat")
    assert accepts(schema, {"kind": "kat", "lives": 9}, "3.2")
    assert not accepts(schema, {"kind": "dog", "lives": 9}, "3.2")


NUMBERS: dict[str, Any] = {"type": "integer"}


@pytest.mark.parametrize(
    ("kind", "mapping", "value", "is_taken"),
    [
        (NUMBERS, {"1": "Cat", "2": "Dog"}, {"kind": 1, "lives": 9}, True),
        (NUMBERS, {"1": "Cat", "2": "Dog"}, {"kind": 2, "lives": 9}, False),
        (NUMBERS, {"1": "Cat", "2": "Dog"}, {"kind": 3, "lives": 9}, False),
        (NUMBERS, {"1": "Cat"}, {"kind": 3, "lives": 9}, True),
        ({"type": "boolean"}, {"true": "Cat", "false": "Dog"}, {"kind": True, "lives": 9}, True),
        ({"type": "boolean"}, {"true": "Cat", "false": "Dog"}, {"kind": False, "lives": 9}, False),
        ({"type": ["string", "null"]}, MAPPED, {"kind": None, "lives": 9}, True),
        ({}, MAPPED, {"kind": 5, "lives": 9}, True),
        ({}, MAPPED, {"kind": ["dog"], "lives": 9}, True),
    ],
)
def test_names_are_also_numbers_and_flags_that_they_spell(kind: Any, mapping: Any, value: Any, is_taken: bool) -> None:
    schemas = {"Cat": animal("lives", kind), "Dog": animal("pack", kind)}
    assert accepts(chosen(mapping=mapping), value, **schemas) is is_taken


@pytest.mark.parametrize("mapping", [{}, MAPPED])
def test_what_a_schema_lists_itself_counts_before_its_name(mapping: Any) -> None:
    cat, dog = animal("lives", {"const": "CAT"}), animal("pack", {"allOf": [ref("Kinds")]})
    schemas = {"Cat": cat, "Dog": dog, "Kinds": {"enum": ["DOG", "HOUND"]}}
    schema = chosen(**({"mapping": mapping} if mapping else {}))
    assert accepts(schema, {"kind": "CAT", "lives": 9}, **schemas)
    assert accepts(schema, {"kind": "HOUND", "pack": 9}, **schemas)
    assert not accepts(schema, {"kind": "HOUND", "lives": 9}, **schemas)


def test_one_list_of_all_kinds_in_every_schema_tells_none_apart() -> None:
    schemas = {"Cat": animal("lives", ref("Kinds")), "Dog": animal("pack", ref("Kinds")), "Kinds": {"enum": [*MAPPED]}}
    assert accepts(chosen(mapping=MAPPED), {"kind": "cat", "lives": 9}, **schemas)
    assert not accepts(chosen(mapping=MAPPED), {"kind": "dog", "lives": 9}, **schemas)


def test_a_choice_within_a_choice_may_be_right_for_every_name() -> None:
    schemas = {"Wild": {"anyOf": [ref("Wolf"), ref("Cat")]}, "Wolf": animal("howls", {"enum": ["dog", "wolf"]})}
    schema = chosen(choices=[ref("Dog"), ref("Wild")], mapping={"dog": "Dog"})
    assert accepts(schema, {"kind": "dog", "howls": 1}, **schemas)
    assert accepts(schema, {"kind": "wolf", "howls": 1}, **schemas)


def test_a_base_among_the_choices_stands_for_its_kinds() -> None:
    base = {"type": "object", "properties": {"kind": TEXT}, "discriminator": {"propertyName": "kind"}}
    schemas = {"Base": base, "Wolf": {"allOf": [ref("Base"), animal("howls")]}}
    schema = chosen(choices=[ref("Dog"), ref("Base")], mapping={"dog": "Dog", "base": "Base"})
    assert accepts(schema, {"kind": "Wolf", "howls": 1}, **schemas)
    assert not accepts(schema, {"kind": "Wolf", "howls": "x"}, **schemas)


@pytest.mark.parametrize(
    "choices",
    [
        [{"allOf": [ref("Cat")]}, {"allOf": [ref("Dog")]}],
        [ref("AlsoCat"), ref("AlsoDog")],
        [ref("Cat"), ref("Dog"), {"type": "null"}],
        [ref("Cat"), ref("Dog"), animal("wings", {"const": "bird"})],
        [{**ref("Cat"), "description": "one"}, {**ref("Dog"), "description": "the other"}],
    ],
)
@pytest.mark.parametrize("dialect", ["3.0", "3.1"])
def test_choices_are_known_in_every_spelling(choices: Any, dialect: str) -> None:
    schemas = {"AlsoCat": ref("Cat"), "AlsoDog": ref("Dog")}
    schema = chosen(choices=choices, mapping=MAPPED)
    assert accepts(schema, {"kind": "cat", "lives": 9}, dialect, **schemas)
    assert accepts(schema, {"kind": "dog", "pack": 9}, dialect, **schemas)
    assert not accepts(schema, {"kind": "cat", "pack": 9}, dialect, **schemas)


@pytest.mark.parametrize(
    "said", [{"propertyName": 5}, {}, {"propertyName": ""}, "kind", None, [], {"propertyName": "kind", "mapping": []}]
)
def test_a_discriminator_that_says_nothing_judges_nothing(said: Any) -> None:
    assert accepts({"oneOf": CHOICES, "discriminator": said}, {"kind": "cat", "pack": 1})


def test_many_choices_do_not_make_a_schema_long() -> None:
    many = {f"Kind{number}": animal("a") for number in range(300)}
    schema = chosen(choices=[ref(name) for name in many])
    whole = chosen(choices=[ref(name) for name in many], mapping={name.lower(): name for name in many})
    for each in (schema, whole):
        assert len(sent_schema(of_schemas(each, **many)).json) < 200 * len(many)


def tool(schema: Any, **schemas: Any) -> Any:
    description = of_schemas(schema, **(ANIMALS | schemas))
    catalog = build([ApiSource(name="api", base=base_url("https://api.example.com"), description=description)])
    (made,) = catalog.tools.values()
    return made


@pytest.mark.parametrize(
    ("mapping", "value", "problem"),
    [
        (
            MAPPED,
            {"kind": "cat", "pack": 1},
            '/body/lives: missing, expected integer, since kind is "cat" (one of "cat", "Cat", "dog", "Dog")',
        ),
        (MAPPED, {"kind": "kat", "pack": 1}, '/body/kind: expected one of "cat", "Cat", "dog", "Dog", got "kat"'),
        (
            {},
            {"kind": "Dog", "pack": "x"},
            '/body/pack: expected integer, got "x", since kind is "Dog" (one of "Dog", "Cat")',
        ),
    ],
)
def test_what_is_wrong_is_told_in_one_line_with_the_property_and_its_values(
    mapping: Any, value: Any, problem: str
) -> None:
    made = tool(chosen(**({"mapping": mapping} if mapping else {})))
    with pytest.raises(ArgumentError) as caught:
        check(made, msgspec.Raw(msgspec.json.encode({"body": value})))
    assert str(caught.value).splitlines()[1:] == [f"- {problem}"]


def test_a_list_of_tools_is_as_short_as_without() -> None:
    listed = bytes(tool(chosen(mapping=MAPPED)).entry)
    assert b'"not"' not in listed
    assert "kind selects the schema: cat → Cat, dog → Dog.".encode() in listed


def test_a_partial_mapping_is_told_with_the_other_names() -> None:
    assert "kind selects the schema: cat → Cat, Dog.".encode() in bytes(tool(chosen(mapping={"cat": "Cat"})).entry)


def test_azure_says_by_an_extension_which_value_selects_a_schema() -> None:
    base = {"type": "object", "properties": {"kind": TEXT}, "discriminator": {"propertyName": "kind"}}
    made = {"allOf": [ref("Base"), animal("howls")], "x-ms-discriminator-value": "#Acme.Wolf"}
    schemas = {"Base": base, "Wolf": made}
    assert accepts(ref("Base"), {"kind": "#Acme.Wolf", "howls": 1}, **schemas)
    assert not accepts(ref("Base"), {"kind": "#Acme.Wolf", "howls": "x"}, **schemas)
    assert accepts(ref("Base"), {"kind": "Wolf", "howls": "x"}, **schemas)


def test_names_of_other_schemas_are_not_listed_for_each_of_very_many() -> None:
    schemas = {f"A{number}": animal("lives") for number in range(400)}
    mapping = {f"a{number}": f"A{number}" for number in range(400)}
    schema = chosen(choices=[*map(ref, schemas)], mapping=mapping | {f"x{number}": "X" for number in range(400)})
    assert len(sent_schema(of_schemas(schema, **schemas)).json) < 3 * len(msgspec.json.encode(schema))


@pytest.mark.parametrize("schemas", [10, None])
def test_a_mapping_of_thousands_is_read_in_linear_time(schemas: int | None) -> None:
    def made(names: int) -> tuple[Discriminators, Discriminator, list[str]]:
        named = [f"A{number % (schemas or names)}" for number in range(names)]
        whole = document("3.1", components={"schemas": {name: {"type": "object"} for name in named}})
        mapping = {f"a{number}": name for number, name in enumerate(named)}
        choices = [f"#/components/schemas/{name}" for name in named]
        return Discriminators(References(whole), HOME), Discriminator(property_name="kind", mapping=mapping), choices

    assert is_linear(lambda given: given[0].refused(given[1], given[2], ROOT), made)
