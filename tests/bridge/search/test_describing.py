"""An operation told to a model: arguments, types and the answer."""

from __future__ import annotations

from typing import Any

import pytest

from descriptions import JSON, answer, body, media, operation, parameter, schemas, tool
from openapi_mcp_server.bridge.model import Access, Tool
from openapi_mcp_server.bridge.search.describing import argument_lines, described
from openapi_mcp_server.errors import ArgumentError

OWNER = {"type": "object", "properties": {"name": {"type": "string"}, "home": {"$ref": "#/$defs/Home"}}}
HOME = {"type": "object", "properties": {"city": {"type": "string"}, "owner": {"$ref": "#/$defs/Owner"}}}
DEFINITIONS = schemas(Owner=OWNER, Home=HOME)


def create_pet(**definitions: Any) -> Tool:
    owned = {"type": "object", "properties": {"owner": {"$ref": "#/$defs/Owner"}, "age": {"type": "integer"}}}
    owned["required"] = ["age"]
    return tool(
        operation("POST", operation_id="createPet", summary="Create a pet", body=body(media(JSON, owned))),
        request_schemas=definitions or DEFINITIONS,
    )


def test_the_head_says_name_method_path_and_prose() -> None:
    assert described(create_pet()).splitlines()[:2] == ["createPet: POST /pets", "Create a pet"]


def test_a_type_that_is_no_object_is_told_with_its_limits_and_its_description() -> None:
    """Only there it is said which name selects which alternative; an object says such things in its members."""
    kinds = {"anyOf": [{"$ref": "#/$defs/Home"}, {"$ref": "#/$defs/Mark"}], "description": "kind selects the schema."}
    mark = {"type": "string", "pattern": "^m", "description": "A mark."}
    home = HOME | {"description": "Where it lives."}
    told = described(create_pet(**schemas(Owner=kinds, Home=home, Mark=mark)))
    assert "Owner = Home | Mark — kind selects the schema." in told
    assert 'Mark = string (matches "^m") — A mark.' in told
    assert "Where it lives" not in told


def test_an_operation_without_arguments_says_so() -> None:
    assert "It takes no arguments." in described(tool(operation(operation_id="listPets")))


def test_needed_arguments_come_first_and_types_follow_each_told_once() -> None:
    told = described(create_pet())
    assert told.index("  age") < told.index("  owner")
    assert told.count("Owner = ") == told.count("Home = ") == 1
    assert told.index("Owner = ") < told.index("Home = ")


def with_many_arguments(count: int, prose: str) -> str:
    many = tuple(parameter(f"p{number}", description=prose) for number in range(count))
    return described(tool(operation(operation_id="listPets", parameters=many)))


def test_arguments_beyond_the_limit_are_named() -> None:
    told = with_many_arguments(100, "A word of prose. " * 14)
    assert "p99: ask with type=NAME." in told
    assert " more: ask" not in told
    assert len(told) < 13_000


def test_of_very_many_left_arguments_sixty_are_named_and_the_others_counted() -> None:
    told = with_many_arguments(150, "A word of prose. " * 8)
    left = told[told.index("And p") :].splitlines()[0]
    assert left.count(", ") == 59
    assert left.endswith(" more: ask with type=NAME.")


def test_types_beyond_the_limit_are_named() -> None:
    wide = {"type": "object", "properties": {f"member{number}": {"type": "string"} for number in range(200)}}
    one = {"type": "object", "properties": {f"to{number}": {"$ref": f"#/$defs/T{number}"} for number in range(6)}}
    told = described(create_pet(**schemas(Owner=one, **{f"T{number}": wide for number in range(6)})))
    assert "Owner = " in told
    assert "Further types, ask with type=NAME: " in told
    assert told.rstrip().splitlines()[-1].endswith("T5")


@pytest.mark.parametrize(("name", "first"), [("owner", "owner?: Owner"), ("Home", "Home = "), ("age", "age: int")])
def test_one_argument_or_type_is_told_alone_with_what_it_refers_to(name: str, first: str) -> None:
    told = described(create_pet(), name)
    assert told.startswith(first)
    assert "createPet" not in told


@pytest.mark.parametrize(("name", "named"), [("Ownr", "Owner"), ("zzz", "age, owner")])
def test_an_unknown_type_is_answered_with_those_that_are_there(name: str, named: str) -> None:
    with pytest.raises(ArgumentError, match=f"no argument or type '{name}'; there are .*{named}"):
        described(create_pet(), name)


def test_a_long_unknown_name_is_shown_shortened() -> None:
    with pytest.raises(ArgumentError) as caught:
        described(create_pet(), "x" * 10_000)
    assert len(str(caught.value)) < 300


def test_the_answer_and_the_filter_are_told_where_there_are_any() -> None:
    pets = {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "integer"}, "name": {}}}}
    listed = operation(operation_id="listPets", responses=(answer("200", media(JSON, pets)),))
    told = described(tool(listed, response_filter=True))
    assert "Answers [{id, name}]" in told
    assert "response_filter" in told.splitlines()[-1]
    assert "It takes no arguments." in told  # the filter is none of the operation's
    assert "Answers" not in described(tool(operation(operation_id="listPets")))


def test_missing_credentials_are_told() -> None:
    closed = create_pet().__replace__(access=Access(kind="unmet", reason="PETS_TOKEN is not set"))
    assert described(closed).splitlines()[-1] == "Credentials: PETS_TOKEN is not set"


def test_the_lines_of_wrong_arguments_have_their_types_and_leave_out_what_it_does_not_have() -> None:
    told = argument_lines(create_pet(), ["owner", "nothing"]).splitlines()
    assert told[0] == "owner?: Owner"
    assert any(line.startswith("Home = ") for line in told)
    assert argument_lines(create_pet(), ["nothing"]) == ""
