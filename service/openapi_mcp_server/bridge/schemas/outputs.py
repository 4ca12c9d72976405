"""A tool's outputSchema: the form of every documented success, if it fits into a budget."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

import msgspec

from openapi_mcp_server.bridge.media.table import is_json, is_xml
from openapi_mcp_server.bridge.model import OutputContract
from openapi_mcp_server.bridge.schemas.definitions import OBJECT_OR_NULL, Definitions, says_object
from openapi_mcp_server.bridge.schemas.edits import Detail, cleaned, encode, reduced
from openapi_mcp_server.grammar import essence
from openapi_mcp_server.openapi.model import MediaType, Operation, Response, Schema

_ANY_TYPE = frozenset({"*/*", "application/*"})
_WITHOUT_CONTENT = frozenset({"204", "205"})
_HOPELESS = 3
"""A schema this many times over its limit would still be too long without examples and prose."""


_UNDOCUMENTED, _FILTERED = "undocumented", "filtered"
"""Alternative forms of an answer, since clients refuse structuredContent that is absent or does not fit (docs/adr/0008,
docs/adr/0011)."""
_SHARED_BYTES = 1_000
"""The most bytes of schemas that are remembered for other operations; most are only a reference."""
NOTE = "_note"
"""The member for the notes about an answer of any kind."""
_UNWRAP = "x-fastmcp-wrap-result"
"""The keyword that tells FastMCP's client to return the value under ``result``. Other clients ignore it."""
_SAYING_NOTHING = frozenset({b"{}", b"true", b'{"type":"object"}', b'{"type":["object","null"]}'})
"""Output schemas that are left out, since the promise of any object is of no use (91 of 4,618 tools)."""
_DETAILS = (Detail.FULL, Detail.SHORT)
"""The levels of detail for answers. The level between them drops examples, which schemas of answers do not have."""
_PROSE = frozenset({"title", "description"})
_PLAIN = _PROSE | {"type", "properties", "required", "additionalProperties"}
"""Keywords of an object that has only properties."""
_keywords = msgspec.json.Decoder(dict[str, msgspec.Raw] | bool).decode
_names = msgspec.json.Decoder(list[str]).decode


class Outputs:
    """The contracts of structuredContent of one document. Operations with equal answers share one."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._known: dict[tuple[object, ...], OutputContract | None] = {}

    def build(self, schemas: Sequence[Schema], limit: int, *, filterable: bool = False) -> OutputContract | None:
        """The contract of an operation with these answers; None if it would be too large."""
        if sum(len(schema.json) for schema in schemas) > _SHARED_BYTES:
            return _built(schemas, self._definitions, limit, filterable=filterable)
        key = limit, filterable, *(bytes(schema.json) for schema in schemas)
        if key not in self._known:
            self._known[key] = _built(schemas, self._definitions, limit, filterable=filterable)
        return self._known[key]


def _built(
    schemas: Sequence[Schema], definitions: Definitions, limit: int, *, filterable: bool
) -> OutputContract | None:
    """Builds a contract. Up to 2025-11-25 MCP requires an object at the root, so other values go under ``result``."""
    encoded = [cleaned(bytes(schema.json)) for schema in schemas]
    wrapped = not all(definitions.is_object(schema) for schema in encoded)
    refs = tuple(ref for schema in schemas for ref in schema.refs)
    others = (_FILTERED, _UNDOCUMENTED) if filterable else (_UNDOCUMENTED,)
    is_one_object = len(encoded) == 1 and not wrapped
    name = definitions.named(encoded[0]) if is_one_object else None
    for detail in _DETAILS:
        roots = [reduced(schema, detail) for schema in encoded]
        value, leads_to = _value(roots, wrapped=wrapped, others=others), refs
        plain = _plain(definitions.body(name, detail) if name else roots[0], others) if is_one_object else None
        if plain is not None and name is not None:  # told at the root instead of among the definitions
            leads_to = definitions.refs(name)
        members = definitions.reached(leads_to, _HOPELESS * limit - len(value), detail)
        if members is None:
            return None
        if plain is not None and (name is None or name not in members):
            value = plain
        whole = value[:-1] + b',"$defs":{' + b",".join(members.values()) + b"}}" if members else value
        if len(whole) <= limit:
            return OutputContract(schema=msgspec.Raw(whole), wrapped=wrapped)
    return None


def is_json_answer(media: MediaType, definitions: Definitions) -> bool:
    """Whether an answer is JSON by its type, or for a range of all types by its schema: objects and lists are JSON.

    Some frameworks document their answers without any type.
    """
    if media.schema is None or media.is_stream or essence(media.name) not in _ANY_TYPE:
        return is_json(media.name)
    return definitions.is_object(media.schema.json) or definitions.is_list(media.schema.json)


def documented(operation: Operation, definitions: Definitions) -> list[Schema]:
    """The schemas of all successes without repetitions; empty if any success may be something else than JSON of a known
    schema.

    A client refuses an answer without structuredContent from a tool that promises it, so a documented success without
    content (204 beside 200, or any answer to HEAD) leads to no promise, and neither does one that may be any object.
    """
    good = operation.successes
    media = [media for response in good for media in _asked_for(response, definitions)]
    if operation.method == "HEAD" or not all(map(content_of, good)):
        return []
    if not all(each.schema is not None and is_json_answer(each, definitions) for each in media):
        return []
    schemas = {bytes(each.schema.json): each.schema for each in media if each.schema is not None}
    return [] if schemas.keys() <= _SAYING_NOTHING else list(schemas.values())


def _asked_for(response: Response, definitions: Definitions) -> list[MediaType]:
    """The media types of an answer without XML and text that repeat the schema of JSON. Accept asks for JSON first.

    Swashbuckle's documents list ``text/plain`` beside JSON for every answer, and many list XML. If such an answer still
    comes, it is undocumented (docs/adr/0011). Other types are kept, because APIs sometimes answer with them:
    Kubernetes' watches are streams.
    """
    media = content_of(response)
    in_json = {bytes(each.schema.json) for each in media if each.schema is not None and is_json(each.name)}
    return [each for each in media if not _is_beside(each.name) or not _is_said(each.schema, in_json, definitions)]


def _is_beside(name: str) -> bool:
    return is_xml(name) or essence(name) == "text/plain"


def _is_said(schema: Schema | None, known: Container[bytes], definitions: Definitions) -> bool:
    """Whether a schema is among the known ones, and describes an object or a list. A text has another form in each
    media type."""
    if schema is None or (json := bytes(schema.json)) not in known:
        return False
    return definitions.is_object(json) or definitions.is_list(json)


def content_of(response: Response) -> Sequence[MediaType]:
    """The media types of an answer. 204 and 205 have no content, whatever the document says (RFC 9110 sections 15.3.5
    and 15.3.6): SendGrid's document has JSON for 42 of them.
    """
    return () if response.status in _WITHOUT_CONTENT else response.media


def _plain(root: bytes, others: Sequence[str]) -> bytes | None:
    """A documented object with its properties at the root, where clients look for them; None if it has more than
    properties."""
    keywords = _keywords(root)
    if not isinstance(keywords, dict) or not _is_plain(keywords, others):
        return None
    kept = {keyword: value for keyword, value in keywords.items() if keyword in _PROSE}
    required = _names(keywords.get("required", b"[]"))
    return _with_others(kept | {"properties": keywords["properties"]}, required, others)


def _is_plain(keywords: Mapping[str, msgspec.Raw], others: Sequence[str]) -> bool:
    """Whether an object accepts any other member, at least after it is no longer closed."""
    if "properties" not in keywords or not keywords.keys() <= _PLAIN:
        return False
    properties = _keywords(keywords["properties"])
    closed_or_open = bytes(keywords.get("additionalProperties", b"true")) in {b"true", b"false", b"{}"}
    return closed_or_open and isinstance(properties, dict) and properties.keys().isdisjoint((*others, NOTE))


def _with_others(schema: dict[str, Any], required: Sequence[str], others: Sequence[str]) -> bytes:
    """An object with the ``required`` members, or with one of the others; with neither if none is required."""
    choice = {"anyOf": [{"required": [*names]} for names in (required, *([other] for other in others))]}
    return encode({"type": "object", **schema, **(choice if required else {})})


def _value(roots: Sequence[bytes], *, wrapped: bool, others: Sequence[str]) -> bytes:
    value = roots[0] if len(roots) == 1 else b'{"anyOf":[' + b",".join(roots) + b"]}"
    if wrapped:
        return _with_others({"properties": {"result": msgspec.Raw(value)}, _UNWRAP: True}, ["result"], others)
    alternatives = [_object_root(value), *(encode({"required": [other]}) for other in others)]
    return b'{"type":"object","anyOf":[' + b",".join(alternatives) + b"]}"


def _object_root(schema: bytes) -> bytes:
    """The same schema with an explicit type at the root, which MCP requires."""
    nullable = b'{"type":' + OBJECT_OR_NULL
    if schema.startswith(nullable):
        return b'{"type":"object"' + schema.removeprefix(nullable)
    return schema if says_object(schema) else b'{"type":"object",' + schema[1:]
