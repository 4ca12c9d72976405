"""A tool's outputSchema: what every documented success looks like, if that can be said within a budget."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from service.bridge.content import essence
from service.bridge.definitions import OBJECT_OR_NULL, Definitions, says_object
from service.bridge.media_types import is_json
from service.bridge.model import OutputContract
from service.bridge.schema_edits import WHOLE, cleaned, reduced
from service.openapi.model import MediaType, Operation, Schema

_ANY_TYPE = frozenset({"*/*", "application/*"})
_HOPELESS = 3
"""A schema this many times over its limit does not get under it by losing examples and prose."""


_OR_UNDOCUMENTED = b'{"type":"object","anyOf":[%b,{"required":["undocumented"]}]}'
_OR_FILTERED = b'{"type":"object","anyOf":[%b,{"required":["filtered"]},{"required":["undocumented"]}]}'
"""Clients refuse structuredContent that does not fit, and its absence (docs/adr/0008, docs/adr/0011)."""


def build(
    operation: Operation, definitions: Definitions, limit: int, *, filterable: bool = False
) -> OutputContract | None:
    """What structuredContent will be; None where that is not documented, not always JSON, or too large.

    MCP wants an object at the root up to 2025-11-25: whatever else is documented goes under ``result``.
    """
    schemas = documented(operation, definitions)
    if not schemas:
        return None
    encoded = [cleaned(bytes(schema.json)) for schema in schemas]
    wrapped = not all(definitions.is_object(schema) for schema in encoded)
    refs = tuple(ref for schema in schemas for ref in schema.refs)
    for detail in WHOLE:
        roots = [reduced(schema, detail) for schema in encoded]
        value = (_OR_FILTERED if filterable else _OR_UNDOCUMENTED) % _value(roots, wrapped=wrapped)
        room = _HOPELESS * limit - len(value)
        members = definitions.reached(refs, room, detail)
        if members is None:
            return None
        whole = value[:-1] + b',"$defs":{' + b",".join(members) + b"}}" if members else value
        if len(whole) <= limit:
            return OutputContract(schema=msgspec.Raw(whole), wrapped=wrapped)
    return None


def is_json_answer(media: MediaType, definitions: Definitions) -> bool:
    """By its name, or, where that is a range for any type, by its schema: objects and lists are JSON.

    Some frameworks name no type at all of what they answer.
    """
    if media.schema is None or media.is_stream or essence(media.name) not in _ANY_TYPE:
        return is_json(media.name)
    return definitions.is_object(media.schema.json) or definitions.is_list(media.schema.json)


def documented(operation: Operation, definitions: Definitions) -> list[Schema]:
    """The schemas of all successes, once each; none if a success may be anything but JSON of a known schema.

    A client refuses an answer without structuredContent from a tool that promises it, so a documented success
    without content (204 beside 200, or any answer to HEAD) promises nothing.
    """
    good = [response for response in operation.responses if response.status.startswith("2")]
    media = [media for response in good for media in response.media]
    if operation.method == "HEAD" or not all(response.media for response in good):
        return []
    if not all(each.schema is not None and is_json_answer(each, definitions) for each in media):
        return []
    return list({bytes(each.schema.json): each.schema for each in media if each.schema is not None}.values())


def _value(roots: Sequence[bytes], *, wrapped: bool) -> bytes:
    value = roots[0] if len(roots) == 1 else b'{"anyOf":[' + b",".join(roots) + b"]}"
    if wrapped:
        return b'{"type":"object","properties":{"result":' + value + b'},"required":["result"]}'
    return _object_root(value)


def _object_root(schema: bytes) -> bytes:
    """The same schema with the type that MCP wants at the root in so many words."""
    nullable = b'{"type":' + OBJECT_OR_NULL
    if schema.startswith(nullable):
        return b'{"type":"object"' + schema.removeprefix(nullable)
    return schema if says_object(schema) else b'{"type":"object",' + schema[1:]
