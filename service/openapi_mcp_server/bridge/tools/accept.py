"""The Accept header of an operation: JSON first, then the other documented types, then ``*/*``."""

from __future__ import annotations

from functools import lru_cache

from openapi_mcp_server.bridge.media.table import is_json
from openapi_mcp_server.bridge.media.types import is_media_type
from openapi_mcp_server.openapi.model import Operation

_MOST_TYPES = 8
"""The most types that are named; ``*/*`` stands for the others."""
_LONGEST_NAME = 255
"""The most characters of a name; RFC 6838 section 4.2 allows 127 for either half."""
_SECOND = ";q=0.9"
_LAST = "*/*;q=0.1"


def header(operation: Operation) -> str:
    """The value of Accept (RFC 9110 section 12.5.1): JSON, the other types of successes, at last ``*/*``.

    A name that is no media type is left out, since it could be anything, even a line end.
    """
    good = [each for each in operation.responses if each.status.startswith("2") or each.status == "default"]
    names = [media.name for response in good for media in response.media]
    return _naming(tuple([name for name in names if len(name) <= _LONGEST_NAME]))


@lru_cache(256)
def _naming(documented: tuple[str, ...]) -> str:
    """The header, with a cache, since most operations of a document have the same types."""
    names = dict.fromkeys(filter(_is_nameable, documented))
    json = [name for name in names if is_json(name)]
    others = [name for name in names if not is_json(name)]
    if not names:
        return f"application/json, {_LAST}"
    named = json + (others if not json else [name + _SECOND for name in others])
    return ", ".join([*named[:_MOST_TYPES], _LAST])


def _is_nameable(name: str) -> bool:
    return is_media_type(name) and not name.startswith("*/*")
