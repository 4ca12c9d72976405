"""Prompts: one per tool, and a message that asks for the call."""

from __future__ import annotations

import msgspec
import pytest

from descriptions import operation, parameter, tool
from openapi_mcp_server.bridge import prompts
from openapi_mcp_server.errors import ArgumentError


def pets():
    return tool(
        operation(
            path="/pets/{id}",
            operation_id="get_pet",
            summary="Get a pet",
            parameters=(parameter("id", "path"), parameter("fields")),
        )
    )


def asked(arguments: str | None) -> str:
    raw = None if arguments is None else msgspec.Raw(arguments.encode())
    [message] = prompts.messages(pets(), raw).messages
    assert message.role == "user"
    return message.content.text


def test_a_prompt_names_the_tool_and_its_arguments():
    assert msgspec.to_builtins(prompts.entry(pets())) == {
        "name": "get_pet",
        "title": "Get a pet",
        "description": "Get a pet",
        "arguments": ({"name": "id", "required": True}, {"name": "fields"}),
    }


def test_the_message_asks_for_the_call_with_the_arguments():
    assert asked('{"id":"7"}') == (
        "Call the tool `get_pet` with these arguments, each as the JSON type that its schema asks for:\n"
        '{\n  "id": "7"\n}'
    )


@pytest.mark.parametrize("arguments", [None, "{}", '{"fields":"name"}'], ids=["none", "empty", "another"])
def test_the_message_says_what_is_still_needed(arguments):
    assert asked(arguments).endswith("\nStill needed: id. Ask for what you cannot tell.")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        pytest.param('{"id":7}', "object of strings", id="number"),
        pytest.param("[]", "object of strings", id="array"),
        pytest.param('{"id":"\\ud800"}', "object of strings", id="half a surrogate pair"),
        pytest.param('{"name":"x"}', "unknown argument 'name'; get_pet has: id, fields", id="unknown"),
    ],
)
def test_arguments_that_a_prompt_does_not_have_are_refused(arguments, problem):
    with pytest.raises(ArgumentError, match=problem):
        asked(arguments)
