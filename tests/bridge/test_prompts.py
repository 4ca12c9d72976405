"""Prompts: one per tool, and a message that asks for the call."""

from __future__ import annotations

import msgspec
import pytest

from descriptions import operation, parameter, tool
from openapi_mcp_server.bridge import prompts
from openapi_mcp_server.bridge.model import NAME_LENGTH
from openapi_mcp_server.bridge.names import prompt_names
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
    assert msgspec.to_builtins(prompts.entry("use_get_pet", pets())) == {
        "name": "use_get_pet",
        "title": "Get a pet",
        "description": "Get a pet",
        "arguments": ({"name": "id", "required": True}, {"name": "fields"}),
    }


def test_the_message_asks_for_the_call_with_the_arguments():
    assert asked('{"id":"7"}') == (
        "Call the tool `get_pet` with these arguments, each as the JSON type that its schema asks for:\n"
        '{\n  "id": "7"\n}'
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        pytest.param(None, "missing required arguments: id", id="none"),
        pytest.param("{}", "missing required arguments: id", id="empty"),
        pytest.param('{"fields":"name"}', "missing required arguments: id", id="another"),
        pytest.param('{"id":7}', "object of strings", id="number"),
        pytest.param("[]", "object of strings", id="array"),
        pytest.param('{"id":"\\ud800"}', "object of strings", id="half a surrogate pair"),
        pytest.param('{"name":"x"}', "unknown argument 'name'; get_pet has: id, fields", id="unknown"),
    ],
)
def test_a_prompt_needs_the_arguments_that_are_required_and_has_no_others(arguments, problem):
    with pytest.raises(ArgumentError, match=problem):
        asked(arguments)


@pytest.mark.parametrize("others", [(), ("use_get_pet",), ("use_get_pet", "use_use_get_pet"), ("g" * 64,)])
def test_no_prompt_is_named_like_a_tool_or_like_another_prompt(others):
    tools = ["get_pet", *others]
    names = prompt_names(tools)
    assert names[0].startswith("use_get_pet")
    assert len({*names, *tools}) == 2 * len(tools)
    assert all(len(name) <= NAME_LENGTH for name in names)
