"""A model's arguments, checked against its tool's input schema before anything is sent."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from openapi_mcp_server.bridge.arguments import coercion, problems, whole_numbers
from openapi_mcp_server.bridge.media import exact_json
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.schemas import validation
from openapi_mcp_server.errors import ArgumentError


class CheckedArguments(msgspec.Struct, frozen=True):
    """Arguments by name that satisfy the schema; ``coerced`` names those that were JSON text.

    Numbers are exact; where only integers fit, they are spelt as such.
    """

    values: dict[str, Any]
    coerced: tuple[str, ...] = ()


def check(tool: Tool, raw: msgspec.Raw | None) -> CheckedArguments:
    """The arguments of a call; raises ArgumentError with up to five problems, each with a pointer."""
    values = _object(raw)
    text, schema = bytes(raw or b""), tool.input.schema
    validation.require_bounded(values, schema, text)
    if validation.compiled(schema, len(text)).is_valid(values):
        return CheckedArguments(whole_numbers.spelt(values, text, schema))
    find = partial(validation.errors, schema=schema, size=len(text))
    errors = find(values)
    mended = coercion.coerced(values, errors, find)
    if mended is None:
        raise ArgumentError(problems.told(tool, errors))
    return CheckedArguments(whole_numbers.spelt(mended.values, text, schema), mended.names)


def _object(raw: msgspec.Raw | None) -> dict[str, Any]:
    if raw is None:
        return {}
    try:
        values = exact_json.decode(bytes(raw))
    except ValueError as error:
        raise ArgumentError(f"The arguments cannot be read: {error}.") from error
    if not isinstance(values, dict):
        raise ArgumentError("The arguments must be one JSON object of names and values.")
    return values
