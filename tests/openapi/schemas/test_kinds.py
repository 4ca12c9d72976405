"""A base with a discriminator stands for all that is made of it: their members are told and checked."""

from __future__ import annotations

from typing import Any

import pytest

from documents import compiles, described, named, of_schemas, sent, sent_schema, skips
from openapi_mcp_server.openapi.schemas.kinds import MAX_KINDS, MAX_PAIRS

DIALECTS = ["2.0", "3.0", "3.1", "3.2"]


def home(dialect: str) -> str:
    return "#/definitions" if dialect == "2.0" else "#/components/schemas"


def animal(dialect: str, mapping: dict[str, str] | None = None) -> dict[str, Any]:
    discriminator: Any = {"propertyName": "kind", **({"mapping": mapping} if mapping else {})}
    return {
        "type": "object",
        "properties": {"kind": {"type": "string"}},
        "required": ["kind"],
        "discriminator": "kind" if dialect == "2.0" else discriminator,
    }


def made_of(dialect: str, base: str, **properties: Any) -> dict[str, Any]:
    return {"allOf": [{"$ref": f"{home(dialect)}/{base}"}, {"type": "object", "properties": properties}]}


def family(dialect: Any, mapping: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "Animal": animal(dialect, mapping),
        "Cat": made_of(dialect, "Animal", lives={"type": "integer"}),
        "Dog": made_of(dialect, "Animal", pack={"type": "integer"}),
        **more,
    }


def validator(schema: Any, dialect: Any, **schemas: Any) -> Any:
    description = of_schemas(schema, dialect=dialect, **schemas)
    return compiles(sent_schema(description), description.request_schemas)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("wrap", "around"),
    [
        (lambda ref: ref, lambda value: value),
        (lambda ref: {"type": "object", "properties": {"v": ref}}, lambda value: {"v": value}),
        (lambda ref: {"type": "array", "items": ref}, lambda value: [value]),
        (lambda ref: {"type": "object", "additionalProperties": ref}, lambda value: {"k": value}),
    ],
    ids=["whole", "property", "item", "map"],
)
def test_members_of_a_kind_are_checked_by_its_implicit_name(dialect: Any, wrap: Any, around: Any) -> None:
    checks = validator(wrap({"$ref": f"{home(dialect)}/Animal"}), dialect, **family(dialect))
    assert checks.is_valid(around({"kind": "Cat", "lives": 9}))
    assert not checks.is_valid(around({"kind": "Cat", "lives": "nine"}))
    assert not checks.is_valid(around({"kind": "Dog", "pack": "x"}))
    assert checks.is_valid(around({"kind": "Dog", "lives": "nine"}))
    assert checks.is_valid(around({"kind": "Bird", "wings": 2}))
    assert not checks.is_valid(around({"lives": 9}))


@pytest.mark.parametrize("name", ["Page«Cat»", "a cat", "cats/Cat", "50%~"])
def test_an_implicit_name_is_the_schemas_own_whatever_characters_it_has(name: str) -> None:
    cat = made_of("2.0", "Animal", lives={"type": "integer"})
    checks = validator({"$ref": "#/definitions/Animal"}, "2.0", Animal=animal("2.0"), **{name: cat})
    assert checks.is_valid({"kind": name, "lives": 9})
    assert not checks.is_valid({"kind": name, "lives": "nine"})


@pytest.mark.parametrize("dialect", DIALECTS[1:])
@pytest.mark.parametrize("cat", ["Cat", "#/components/schemas/Cat"])
def test_a_mapping_gives_other_names(dialect: Any, cat: str) -> None:
    schemas = family(dialect, {"a cat": cat, "another": cat, "nobody": "#/components/schemas/Nobody"})
    checks = validator({"$ref": "#/components/schemas/Animal"}, dialect, **schemas)
    assert not checks.is_valid({"kind": "a cat", "lives": "nine"})
    assert not checks.is_valid({"kind": "another", "lives": "nine"})
    assert checks.is_valid({"kind": "Cat", "lives": "nine"})
    assert not checks.is_valid({"kind": "Dog", "pack": "x"})


@pytest.mark.parametrize("dialect", DIALECTS[1:])
@pytest.mark.parametrize("mapping", [None, [], {"a cat": "Cat", "none": None}, {"a cat": "Cat", "many": ["Dog"]}])
def test_an_entry_of_a_mapping_that_names_nothing_costs_itself_alone(dialect: Any, mapping: Any) -> None:
    base = animal(dialect) | {"discriminator": {"propertyName": "kind", "mapping": mapping}}
    checks = validator({"$ref": "#/components/schemas/Animal"}, dialect, **family(dialect, Animal=base))
    name = "a cat" if mapping else "Cat"
    assert checks.is_valid({"kind": name, "lives": 9})
    assert not checks.is_valid({"kind": name, "lives": "nine"})


@pytest.mark.parametrize("part", [True, None, {}])
def test_a_part_that_is_no_reference_does_not_end_the_kinship(part: Any) -> None:
    cat = made_of("3.1", "Animal", lives={"type": "integer"})
    cat["allOf"].append(part)
    checks = validator({"$ref": "#/components/schemas/Animal"}, "3.1", **family("3.1", Cat=cat))
    assert not checks.is_valid({"kind": "Cat", "lives": "nine"})


def test_kinds_of_kinds_count() -> None:
    schemas = family("3.1", Persian=made_of("3.1", "Cat", hair={"type": "integer"}))
    checks = validator({"$ref": "#/components/schemas/Animal"}, "3.1", **schemas)
    assert checks.is_valid({"kind": "Persian", "lives": 9, "hair": 5})
    assert not checks.is_valid({"kind": "Persian", "lives": "nine"})
    assert not checks.is_valid({"kind": "Persian", "hair": "long"})


def test_a_member_may_be_of_any_kind_again() -> None:
    friend = {"$ref": "#/components/schemas/Animal"}
    schemas = family("3.1", Dog=made_of("3.1", "Animal", friend=friend))
    checks = validator({"$ref": "#/components/schemas/Animal"}, "3.1", **schemas)
    assert not checks.is_valid({"kind": "Dog", "friend": {"kind": "Cat", "lives": "nine"}})
    assert checks.is_valid({"kind": "Dog", "friend": {"kind": "Dog", "friend": {"kind": "Cat", "lives": 9}}})


def test_where_the_base_is_only_a_part_no_kinds_are_told() -> None:
    description = of_schemas({"$ref": "#/components/schemas/Cat"}, **family("3.1"))
    definitions = named(description.request_schemas)
    assert set(definitions) == {"Animal", "Cat"}
    assert "description" not in definitions["Animal"]


def test_a_base_that_nothing_is_made_of_stands_for_itself() -> None:
    description = of_schemas({"$ref": "#/components/schemas/Animal"}, Animal=animal("3.1"))
    assert sent(description) == {"$ref": "#/$defs/Animal"}


def test_of_too_many_kinds_the_values_are_told_whole() -> None:
    many = {
        f"Kind.of.a.very.long.name.{'x' * 60}.{number:02}": made_of("3.1", "Animal") for number in range(MAX_KINDS + 1)
    }
    description = of_schemas({"$ref": "#/components/schemas/Animal"}, Animal=animal("3.1"), **many)
    definitions = named(description.request_schemas)
    (name,) = definitions.keys() - {"Animal"}
    told = definitions[name]["description"]
    assert told.startswith("kind selects what else is in it: Kind.of")
    assert all(kind in told for kind in list(many)[:MAX_KINDS])
    assert told.endswith(", …")


def test_a_kind_that_cannot_be_used_costs_itself_alone() -> None:
    broken = made_of("3.1", "Animal", x={"$ref": "#/components/schemas/Nobody"})
    description = of_schemas({"$ref": "#/components/schemas/Animal"}, **family("3.1", Broken=broken))
    assert skips(description) == []
    checks = compiles(sent_schema(description), description.request_schemas)
    assert not checks.is_valid({"kind": "Cat", "lives": "nine"})
    assert checks.is_valid({"kind": "Broken", "x": 1})


def test_names_of_definitions_do_not_meet() -> None:
    schemas = family("3.1", **{"Animal.any": {"type": "string"}})
    both = {
        "properties": {"a": {"$ref": "#/components/schemas/Animal"}, "b": {"$ref": "#/components/schemas/Animal.any"}}
    }
    properties = sent(of_schemas(both, **schemas))["properties"]
    assert properties["a"] != properties["b"]


def test_a_parameter_may_be_of_any_kind() -> None:
    declared = {
        "name": "v",
        "in": "query",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Animal"}}},
    }
    description = described({"/x": {"get": {"parameters": [declared]}}}, components={"schemas": family("3.1")})
    checks = compiles(description.operations[0].parameters[0].schema, description.request_schemas)
    assert not checks.is_valid({"kind": "Cat", "lives": "nine"})


def test_bases_that_are_all_made_of_each_other_are_bounded() -> None:
    """Of 500, each of which is made of the one before, 125,000 pairs would be kept."""
    bases = {f"A{number}": animal("3.1") | made_of("3.1", f"A{number - 1}") for number in range(1, 500)}
    following = {"properties": {name: {"$ref": f"#/components/schemas/{name}"} for name in bases}}
    description = of_schemas(following, A0=animal("3.1"), **bases)
    [(_, reason)] = skips(description)
    assert reason == f"more than {MAX_PAIRS:,} schemas are made of bases with a discriminator"
