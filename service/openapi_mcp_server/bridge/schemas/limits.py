"""Writes the limits of a schema in words: its bounds, its pattern, its default."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.media import exact_json

_LIMITS = {
    "minimum": "≥ {}", "maximum": "≤ {}", "exclusiveMinimum": "> {}", "exclusiveMaximum": "< {}",
    "multipleOf": "a multiple of {}", "minItems": "at least {}",
    "maxItems": "at most {}", "pattern": "matches {}", "default": "default {}",
}  # fmt: skip
_NO_NEWS_FROM = 1_000
"""A maximum of so many characters is not told, since it does not change what a model writes."""
_VALUE_SHOWN = 60


def limits(schema: Any) -> str:  # noqa: ANN401 - a decoded schema
    """The limits of a schema beside its type; empty if there are none."""
    if not isinstance(schema, dict):
        return ""
    told = [form.format(value_shown(schema[key])) for key, form in _LIMITS.items() if key in schema]
    return ", ".join([*told, *_lengths(schema.get("minLength", 0), schema.get("maxLength", _NO_NEWS_FROM))])


def _lengths(least: float, most: float) -> Iterator[str]:
    """Limits of length: ``1 to 50 characters``."""
    if most < _NO_NEWS_FROM:
        yield (
            f"{value_shown(least)} to {value_shown(most)} characters"
            if least
            else f"at most {value_shown(most)} characters"
        )
    elif least:
        yield "not empty" if least == 1 else f"at least {value_shown(least)} characters"


def value_shown(value: object) -> str:
    """The beginning of a value as JSON."""
    return text.visible(
        text.shorten(exact_json.encode(value)[: 8 * _VALUE_SHOWN].decode(errors="ignore"), _VALUE_SHOWN)
    )
