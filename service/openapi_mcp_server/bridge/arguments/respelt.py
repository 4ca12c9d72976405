"""Converts arguments from their listed form (`bridge.schemas.portable`) to that of their own schema.

The list records the places where it has text instead of another type, and only these are converted.
"""

from __future__ import annotations

from typing import Any

from openapi_mcp_server.bridge.media import exact_json
from openapi_mcp_server.bridge.model import Spelling, Texts


def respelt(values: dict[str, Any], spelling: Spelling) -> dict[str, Any]:
    """The arguments by their own names, which are also accepted, with the values of their texts."""
    read: dict[str, Any] = _read(values, spelling.texts)
    if spelling.names.keys().isdisjoint(read):
        return read
    own = {name: spelling.names.get(name, name) for name in read}
    return {(name if own[name] in read else own[name]): value for name, value in read.items()}


def _read(value: Any, texts: Texts) -> Any:  # noqa: ANN401 - any JSON value
    match texts:
        case str() if isinstance(value, str):
            return _said(value, of_values=texts == "values")
        case dict() if isinstance(value, dict):
            return {name: _read(part, texts.get(name)) for name, part in value.items()}
        case [each] if isinstance(value, list):
            return [_read(part, each) for part in value]
    return value


def _said(given: str, *, of_values: bool) -> Any:  # noqa: ANN401 - any JSON value
    """The value of a text, if it has the expected kind; otherwise the text."""
    if given.lstrip().startswith(("{", "[")) == of_values:
        return given
    try:
        value = exact_json.decode(given.encode())
    except ValueError:  # also for half of a surrogate pair, which cannot be encoded
        return given
    is_exact = not of_values or exact_json.encode(value).decode() == given
    return given if isinstance(value, str) or not is_exact else value
