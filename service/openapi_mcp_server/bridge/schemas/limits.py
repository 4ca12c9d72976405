"""The limits of a schema in words: its bounds, its pattern, its default."""

from __future__ import annotations

from typing import Any

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.media import exact_json

_LIMITS = {
    "minimum": "≥ {}", "maximum": "≤ {}", "exclusiveMinimum": "> {}", "exclusiveMaximum": "< {}",
    "multipleOf": "a multiple of {}", "minLength": "at least {} characters", "minItems": "at least {}",
    "maxItems": "at most {}", "pattern": "matches {}", "default": "default {}",
}  # fmt: skip
_NO_NEWS_FROM = 1_000
"""A maximum of so many characters says nothing that a model would do otherwise."""
_VALUE_SHOWN = 60


def limits(schema: Any) -> str:  # noqa: ANN401 - a decoded schema
    """The limits of a schema that its type does not say; empty where there are none."""
    if not isinstance(schema, dict):
        return ""
    told = [form.format(value_shown(schema[key])) for key, form in _LIMITS.items() if key in schema]
    if isinstance(most := schema.get("maxLength"), int) and most < _NO_NEWS_FROM:
        told.append(f"at most {most} characters")
    return ", ".join(told)


def value_shown(value: object) -> str:
    """A value as JSON spells it, its beginning."""
    return text.visible(
        text.shorten(exact_json.encode(value)[: 8 * _VALUE_SHOWN].decode(errors="ignore"), _VALUE_SHOWN)
    )
