"""Writes XML from a JSON value by the ``xml`` keyword of its schema (XML Object of OpenAPI 3.0.4, 3.1.1 and 3.2.0).

Text counts as a finished XML document and is sent as it is. Other values are written by these rules:

* An element's name is ``xml.name``, else the property's. The root's may also be that of the component it refers to. A
  root without a name is a SpecError, since the specification defines no other.
* A list is its items beside each other under the property's name, or ``wrapped`` in an element of that name.
* ``attribute``, ``wrapped`` and 3.2's ``nodeType`` (element, attribute, text, cdata, none); prefixes are declared
  where they are used.
* null is an empty element with ``xsi:nil``, and no attribute (section "Handling null Values").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, assert_never

import msgspec

from openapi_mcp_server.bridge.media.types import charset
from openapi_mcp_server.bridge.model import BodyWriter
from openapi_mcp_server.bridge.parameters import styles
from openapi_mcp_server.bridge.schemas.shapes import may_be
from openapi_mcp_server.errors import ArgumentError, SpecError
from openapi_mcp_server.grammar import is_xml_name
from openapi_mcp_server.openapi.model import MediaType, Schema
from openapi_mcp_server.openapi.pointers import DEFS

_NIL = {"xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance", "xsi:nil": "true"}

_NAME_LENGTH = 1_000
"""The most characters of a name, which is checked again for each item of a list."""
_HASHED = re.compile(r"-[0-9a-f]{10}$")
"""The end of a generated name, of a definition that is no component (`directions.definition_name`)."""
_DOCTYPE = re.compile("<!doctype", re.IGNORECASE)
_DECLARED = re.compile(r"""\s*<\?xml\s[^<>]*?\bencoding\s*=\s*["']([^"'<>]*)""", re.IGNORECASE)
_AS_ASCII = ("utf-8", "us-ascii", "iso-8859-1", "windows-1252")
"""Encodings in which the characters of markup are those of ASCII (unlike UTF-7 and EBCDIC)."""
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Characters that XML 1.0 cannot represent (section 2.2)."""
_IN_TEXT = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_IN_ATTRIBUTE = _IN_TEXT | {'"': "&quot;", "\n": "&#10;", "\t": "&#9;"}
"""Readers turn white space in attributes into spaces and CR into LF (2.11, 3.3.3), but not references."""

NodeType = Literal["element", "attribute", "text", "cdata", "none"]
_NODE_TYPES: dict[object, NodeType] = {
    "element": "element",
    "attribute": "attribute",
    "text": "text",
    "cdata": "cdata",
    "none": "none",
}
JsonSchema = Mapping[str, Any]
MAX_VALUES = 25_000
"""The most values of one document: an element for each takes 2 to 3 µs, and no other call is served meanwhile."""
MAX_CHARACTERS = 32 * 1024 * 1024
"""The most characters of one document, counted while it is written, since each item of a list repeats a name."""


class _Node(msgspec.Struct):
    """The inside of an element that is being written. ``content`` is that of the whole document."""

    attributes: dict[str, str] = {}
    content: list[str] = []


def writer(
    media: MediaType, name: str, outline: JsonSchema, definitions: Mapping[str, Schema], property_name: str | None
) -> BodyWriter:
    """The writer of an XML body; ``name`` is the Content-Type. Raises SpecError if the root element has no name.

    ``property_name`` names the root of a document that is a part of another body, if nothing else does.
    """
    encoding = charset(media) or "utf-8"
    declaration = f'<?xml version="1.0" encoding="{encoding.upper()}"?>\n'  # section 2.8: SHOULD begin with it
    schemas = _Schemas(media.schema, definitions)
    root = _root_name(media, outline, schemas.component or property_name)

    def write(value: object) -> tuple[str, bytes]:
        if isinstance(value, str):
            _require_self_contained(value, encoding)
            return name, value.encode(encoding)
        if root is None:
            raise ArgumentError("must be XML text")
        document = _Node()
        _write(document, root, value, schemas.root, _Work(schemas, encoding))
        return name, (declaration + "".join(document.content)).encode(encoding)

    return write


def _require_self_contained(text: str, encoding: str) -> None:
    """Refuses text that would make a parser read files and addresses, or other characters than those that are sent.

    A comment or CDATA must not contain a document type, either, since parsers may differ about its end.
    """
    if _DOCTYPE.search(text):
        raise ArgumentError("must not hold <!DOCTYPE: it can name files and addresses; write &lt;!DOCTYPE for the text")
    declared = _DECLARED.match(text)
    if declared and declared[1].lower() not in {encoding, *_AS_ASCII}:
        raise ArgumentError(f"says encoding={declared[1][: styles.EXCERPT]!r}, but is sent in {encoding}; leave it out")


class _Schemas:
    """The decoded schemas of a body, each merged with its references and combinations."""

    def __init__(self, root: Schema | None, definitions: Mapping[str, Schema]) -> None:
        names = list(root.refs) if root is not None else []
        self._definitions: dict[str, object] = {}
        while names:
            if (name := names.pop()) not in self._definitions:
                self._definitions[name] = msgspec.json.decode(definitions[name].json)
                names += definitions[name].refs
        self._flat: dict[str, JsonSchema] = {}
        self._known: dict[int, JsonSchema] = {}  # by identity, since decoded schemas live as long as this object
        decoded = {} if root is None else msgspec.json.decode(root.json)
        self.root: JsonSchema = decoded if isinstance(decoded, dict) else {}
        self.component = _component(_referred(self.root))

    def flat(self, schema: object) -> JsonSchema:
        """A schema with the properties and ``xml`` of all its parts; its own come last and win."""
        if not isinstance(schema, dict):
            return {}
        if id(schema) not in self._known:
            self._known[id(schema)] = self._made_of(schema)
        return self._known[id(schema)]

    def _made_of(self, schema: JsonSchema) -> JsonSchema:
        name = _referred(schema)
        parts = [] if name is None else [self._named(name)]
        parts += [self.flat(part) for keyword in ("allOf", "anyOf", "oneOf") for part in schema.get(keyword, ())]
        flat: dict[str, Any] = {}
        for part in (*parts, schema):
            flat |= dict(part) | {key: _object(flat.get(key)) | _object(part.get(key)) for key in ("properties", "xml")}
        return flat

    def _named(self, name: str) -> JsonSchema:
        if name not in self._flat:
            self._flat[name] = {}  # a schema within itself adds nothing
            self._flat[name] = self.flat(self._definitions.get(name))
        return self._flat[name]


class _Work:
    """One document that is being written: its schemas, its encoding, and the room that is left."""

    def __init__(self, schemas: _Schemas, encoding: str) -> None:
        self.flat = schemas.flat
        self._encoding = "" if encoding.startswith("utf") else encoding
        self._values = MAX_VALUES
        self._characters = MAX_CHARACTERS

    def charge(self, characters: int) -> None:
        """Counts one value and its characters against the room of the document."""
        self._values -= 1
        self._characters -= characters
        if self._values < 0:
            raise ArgumentError(f"has more than {MAX_VALUES:,} values; give the document as XML text, or in parts")
        if self._characters < 0:
            raise ArgumentError(f"is longer than {MAX_CHARACTERS:,} characters as XML")

    def escaped(self, text: str, references: Mapping[str, str]) -> str:
        """Text without markup, with a reference for each character that the encoding does not have."""
        text = _escaped(text, references)
        if not self._encoding or text.isascii():
            return text
        return text.encode(self._encoding, "xmlcharrefreplace").decode(self._encoding)

    def cdata(self, text: str) -> str:
        """A section of CDATA, which is closed around each such reference, since CDATA has no references."""
        text = text.replace("]]>", "]]]]><![CDATA[>")
        if self._encoding and not text.isascii():
            text = "".join([each if self._has(each) else f"]]>&#{ord(each)};<![CDATA[" for each in text])
        return f"<![CDATA[{text}]]>"

    def _has(self, character: str) -> bool:
        try:
            return bool(character.encode(self._encoding))
        except UnicodeEncodeError:
            return False


def _object(keyword: object) -> dict[str, Any]:
    """The value of a keyword that must be an object; empty for other values, since nobody checks ``xml``."""
    return keyword if isinstance(keyword, dict) else {}


def _referred(schema: JsonSchema) -> str | None:
    reference = schema.get("$ref")
    return reference.removeprefix(DEFS) if isinstance(reference, str) else None


def _component(definition: str | None) -> str | None:
    return None if definition is None or _HASHED.search(definition) else definition


def _root_name(media: MediaType, outline: JsonSchema, inferred: str | None) -> str | None:
    """The root element's name; None if only text can be given."""
    if not may_be(outline, "object") and not may_be(outline, "array"):
        return None
    xml = _object(outline.get("xml"))
    if not (outline.keys() - {"description", "title"}):
        return None
    if outline.get("type") == "array" and not (xml.get("wrapped") or xml.get("nodeType") == "element"):
        raise SpecError(media.pointer, "an XML document has one root element; a list needs xml.wrapped")
    name = xml.get("name", inferred)
    if name is None:
        raise SpecError(media.pointer, "the root element has no name; give the schema xml.name")
    return str(name)


def _write(node: _Node, name: str, value: object, schema: object, work: _Work) -> None:
    """Writes one value into ``node``, under ``name`` unless its schema has another."""
    work.charge(2 * len(name))
    flat = work.flat(schema)
    xml = flat.get("xml", {})
    match _node_type(xml, flat, value):
        case "attribute":
            if value is not None:
                node.attributes |= _namespace(xml) | {_qualified(xml, name): _text(value)}
        case "text":
            node.content.append(work.escaped(_text(value), _IN_TEXT))
        case "cdata":
            node.content.append(work.cdata(_text(value)))
        case "none":
            if isinstance(value, dict | list):  # only an element has a text that nobody declares
                _write_content(node, name, value, flat, work)
        case "element":
            element = _Node(_namespace(xml), node.content)
            start = len(node.content)
            node.content.append("")  # the start tag: its attributes are only known after the content
            _write_content(element, str(xml.get("name", name)), value, flat, work)
            if value is None:
                element.attributes |= _NIL
            tag = _qualified(xml, name)
            node.content[start] = _start_tag(tag, element.attributes, work)
            node.content.append(f"</{tag}>")
        case unknown:
            assert_never(unknown)


def _write_content(node: _Node, name: str, value: object, flat: JsonSchema, work: _Work) -> None:
    """Writes an object's properties, a list's items under ``name``, or text."""
    if isinstance(value, dict):
        others = flat.get("additionalProperties")
        for key, member in value.items():
            if ":" in key and key not in flat.get("properties", {}) and not key.startswith("xml:"):
                raise ArgumentError(f"the prefix of {key[: styles.EXCERPT]!r} is declared nowhere in the document")
            _write(node, key, member, flat.get("properties", {}).get(key, others), work)
    elif isinstance(value, list):
        first = flat.get("prefixItems", ())
        for index, item in enumerate(value):
            _write(node, name, item, first[index] if index < len(first) else flat.get("items"), work)
    elif value is not None:
        node.content.append(work.escaped(_text(value), _IN_TEXT))


def _node_type(xml: JsonSchema, flat: JsonSchema, value: object) -> NodeType:
    if (declared := xml.get("nodeType")) in _NODE_TYPES:
        return _NODE_TYPES[declared]
    if xml.get("attribute") is True:
        return "attribute"
    is_list = isinstance(value, list) or (value is None and flat.get("type") == "array")
    return "none" if is_list and xml.get("wrapped") is not True else "element"


def _namespace(xml: JsonSchema) -> dict[str, str]:
    if "namespace" not in xml:
        return {}
    return {f"xmlns:{xml['prefix']}" if xml.get("prefix") else "xmlns": str(xml["namespace"])}


def _qualified(xml: JsonSchema, name: str) -> str:
    local = str(xml.get("name", name))
    qualified = f"{xml['prefix']}:{local}" if xml.get("prefix") else local
    if len(qualified) > _NAME_LENGTH or not is_xml_name(qualified):
        raise ArgumentError(f"{qualified[: styles.EXCERPT]!r} is no XML name")
    return qualified


def _start_tag(name: str, attributes: Mapping[str, str], work: _Work) -> str:
    written = "".join(f' {key}="{work.escaped(value, _IN_ATTRIBUTE)}"' for key, value in attributes.items())
    return f"<{name}{written}>"


def _text(value: object) -> str:
    text = "" if value is None else styles.spell(value)
    if _FORBIDDEN.search(text):
        raise ArgumentError(f"{text[: styles.EXCERPT]!r} holds a character that XML cannot carry")
    return text


def _escaped(text: str, references: Mapping[str, str]) -> str:
    """Replaces characters ten times as fast as `str.translate`. The ampersand must be the first of them."""
    for character, reference in references.items():
        text = text.replace(character, reference)
    return text
