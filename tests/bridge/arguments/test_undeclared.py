"""Arguments under names that the tool's list does not have."""

from __future__ import annotations

import msgspec
import pytest

from descriptions import JSON, body, media, operation, parameter, tool
from openapi_mcp_server.bridge.arguments.check import check
from openapi_mcp_server.errors import ArgumentError

ANY_TEXT = {"type": "string"}
MADE = tool(
    operation(
        "PUT",
        "/pets/{pet id}",
        parameters=(
            parameter("pet id", "path"),
            parameter("filter[x]"),
            parameter("$top", "query", {"type": "integer"}),
            parameter("größe"),
            parameter("id"),
            parameter("id", "header"),
            parameter("a b"),
            parameter("a+b"),
        ),
        body=body(media(JSON, {"type": "object", "properties": {"@type": ANY_TEXT, "config": ANY_TEXT}})),
    )
)


@pytest.mark.parametrize(
    ("called", "argument"),
    [("filter[x]", "filter_x"), ("@type", "type"), ("config", "config__body"), ("größe", "groe")],
)
def test_what_the_document_calls_an_argument_is_taken_for_it(called: str, argument: str) -> None:
    found = check(MADE, msgspec.Raw(msgspec.json.encode({"pet_id": "1", called: "1"})))
    assert (found.values, found.coerced, found.others) == ({"pet_id": "1", argument: "1"}, (argument,), {})


def test_a_required_one_and_one_of_another_type_may_be_called_so_too() -> None:
    found = check(MADE, msgspec.Raw(b'{"pet id":"1","$top":"5"}'))
    assert (found.values, found.coerced) == ({"pet_id": "1", "top": 5}, ("pet_id", "top"))


@pytest.mark.parametrize("values", [{"id": "1"}, {"filter[x]": "1", "filter_x": "2"}])
def test_a_name_of_several_and_one_beside_its_argument_are_asked_about(values: dict[str, object]) -> None:
    with pytest.raises(ArgumentError):
        check(MADE, msgspec.Raw(msgspec.json.encode({"pet_id": "1", **values})))
