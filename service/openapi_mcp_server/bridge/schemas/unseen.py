"""Text of a schema in characters that no reader sees: told in a form that everybody sees, or not at all.

Prose loses such characters. A value that is sent as it is written (``enum``, ``const``, ``default``, a pattern, the
name of a property) cannot lose them and mean the same. It leaves its keyword and is told in the description in the
spelling of JSON, ``"a\\u202eb"``: people see what models read, and a model that writes it so sends the very characters.
What is then no longer checked here, the API checks. What only describes (``examples``, ``format`` and the rest) is left
out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from openapi_mcp_server.bridge import text

_PROSE = frozenset({"description", "title", "$comment"})
_SAID = {"enum": "One of", "const": "Always", "default": "By default", "pattern": "Pattern"}
_SHOWN = 200
"""Characters of what is told in words for one keyword."""
_CONTROL = re.compile(r"(?<!\\)(?:\\\\)*\\u00")
"""How JSON spells one, where the backslash is none of the text's own."""
_encode = msgspec.json.Encoder(decimal_format="number").encode


def hides(value: Any) -> bool:  # noqa: ANN401 - what JSON has
    """Whether there is an invisible character anywhere in a value. Tabs and the ends of lines are none."""
    encoded = _encode(value).decode()
    return _CONTROL.search(encoded) is not None or text.INVISIBLE.search(encoded) is not None


def shown(schema: dict[str, Any], inner: frozenset[str], named: frozenset[str]) -> dict[str, Any]:
    """One level of a decoded schema. ``inner`` are the keywords whose values are schemas or lists of them, ``named``
    those that have schemas by names."""
    result: dict[str, Any] = {}
    words: list[str] = []
    for key, value in schema.items():
        if key in _PROSE and isinstance(value, str):
            result[key] = text.visible(value)
        elif key in named and isinstance(value, dict):
            result[key] = {name: part for name, part in value.items() if not hides(name)}
            words += _of_names(key, value)
        elif key in inner or not hides({key: value}):
            result[key] = value
        elif key == "required" and isinstance(value, list):
            result[key] = [name for name in value if not hides(name)]
        elif key in _SAID:
            words.append(f"{_SAID[key]} {_spelt(value if key == 'enum' and isinstance(value, list) else [value])}.")
    if any(len(result.get(key, ())) != len(schema[key]) for key in named & schema.keys() if key != "$defs"):
        result = {key: value for key, value in result.items() if key not in _OF_OTHERS}
    return result | {"description": " ".join(filter(None, [result.get("description"), *words]))} if words else result


_OF_OTHERS = frozenset({"additionalProperties", "unevaluatedProperties"})
"""Say something of properties that are not named, which some now are not."""


def _of_names(key: str, value: dict[str, Any]) -> Iterator[str]:
    hidden = [name for name in value if hides(name)]
    if hidden and key == "properties":
        yield f"Takes {_spelt(hidden)} too."


def _spelt(values: Iterable[Any]) -> str:
    return text.shorten(", ".join(text.spelt(_encode(value).decode()) for value in values), _SHOWN)
