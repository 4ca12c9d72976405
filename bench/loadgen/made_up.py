"""Calls made up from the schemas of a server's tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from loadgen.plan import NONCE, NONCE_INTEGER, Template
from openapi_mcp_server.bridge.schemas.edits import decode, encode
from openapi_mcp_server.mock import synthesis
from openapi_mcp_server.mock.levels import NoValueError

TRIED_ARGUMENTS = 6
"""Of one tool, in which a number is tried that must come back."""
_SAMPLE = 899_000_000_000_001
"""As long as the numbers of calls."""
_KINDS: dict[type, tuple[str | int, str]] = {str: (str(_SAMPLE), NONCE), int: (_SAMPLE, NONCE_INTEGER)}


class Tool(msgspec.Struct):
    """An entry of ``tools/list``."""

    name: str
    input_schema: msgspec.Raw = msgspec.field(default=msgspec.Raw(b"{}"), name="inputSchema")
    annotations: dict[str, Any] | None = None

    @property
    def is_safe(self) -> bool:
        return (self.annotations or {}).get("readOnlyHint") is True


def plain(tool: Tool, *, whole: bool) -> Template:
    """A call with all arguments, or with those that are required. Raises NoValueError."""
    return _template(tool, _arguments(tool, whole=whole))


def numbered(tool: Tool) -> Iterator[Template]:
    """Calls with the required arguments and the number in one argument after another. Raises NoValueError."""
    required, whole = _arguments(tool, whole=False), _arguments(tool, whole=True)
    try:
        fits = synthesis.validator(bytes(tool.input_schema)).is_valid
    except ValueError:
        raise NoValueError("its schema is invalid") from None
    places = [(name, *_KINDS[type(value)]) for name, value in (required | whole).items() if type(value) in _KINDS]
    for name, sample, mark in places[:TRIED_ARGUMENTS]:
        if fits({**required, name: sample}):
            yield _template(tool, {**required, name: mark}, is_checked=True)


def _arguments(tool: Tool, *, whole: bool) -> dict[str, Any]:
    try:
        schema = decode(bytes(tool.input_schema))
        made = synthesis.arguments(schema, whole=whole)
        return _fitting(schema, schema.get("$defs", {}), made)
    except (NoValueError, synthesis.EndlessError) as error:
        raise NoValueError(f"no arguments could be made up: {error}") from None
    except Exception as error:  # noqa: BLE001 - a stranger's schema may be broken in any way
        raise NoValueError(f"its schema cannot be used ({type(error).__name__})") from None


def _fitting(schema: dict[str, Any], definitions: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    """Arguments by what the schema says of them together (allOf, dependentRequired), where those that were made break
    it; these where there are no others, or the schema is invalid: a server need not be as strict as its schema."""
    with suppress(NoValueError, ValueError):
        if not synthesis.fits(schema, definitions, made):
            found = synthesis.value(schema, definitions)
            return found if isinstance(found, dict) else made
    return made


def _template(tool: Tool, arguments: Mapping[str, Any], *, is_checked: bool = False) -> Template:
    return Template(tool=tool.name, arguments=msgspec.Raw(encode(arguments)), is_checked=is_checked)
