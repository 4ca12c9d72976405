"""Handles invisible characters in a schema's text: they are shown in a visible form, or left out.

They are removed from prose. A value that is sent as written (``enum``, ``const``, ``default``, a pattern, the name of a
property) would change its meaning without them. So it moves from its keyword to the description, in JSON's escapes:
``"a\\u202eb"``. People then see what models read, and a model that writes it so sends the same characters. The server
no longer checks such a value, but the API does. Other text (``examples``, ``format`` and so on) is left out.
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
"""The most characters of the words for one keyword."""
_CONTROL = re.compile(r"(?<!\\)(?:\\\\)*\\u00")
"""A control character in JSON's escapes, without an escaped backslash before it."""
_encode = msgspec.json.Encoder(decimal_format="number").encode


def hides(value: Any) -> bool:  # noqa: ANN401 - what JSON has
    """Whether a value has an invisible character anywhere. Tabs and line ends do not count."""
    encoded = _encode(value).decode()
    return _CONTROL.search(encoded) is not None or text.INVISIBLE.search(encoded) is not None


def shown(schema: dict[str, Any], inner: frozenset[str], named: frozenset[str]) -> dict[str, Any]:
    """One level of a decoded schema without invisible characters. ``inner`` are the keywords with schemas or lists of
    them, ``named`` those with schemas by name."""
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
"""Keywords about properties without a name here, which some properties have now lost."""


def _of_names(key: str, value: dict[str, Any]) -> Iterator[str]:
    hidden = [name for name in value if hides(name)]
    if hidden and key == "properties":
        yield f"Takes {_spelt(hidden)} too."


def _spelt(values: Iterable[Any]) -> str:
    return text.shorten(", ".join(text.spelt(_encode(value).decode()) for value in values), _SHOWN)
