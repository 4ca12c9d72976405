"""XML from objects: the XML Object's own examples, and what no value can do to the markup."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from body_writers import writer
from growth import UNITS, is_linear
from openapi_mcp_server.bridge.bodies.xml_documents import MAX_VALUES
from openapi_mcp_server.errors import ArgumentError, SpecError
from openapi_mcp_server.openapi.model import MediaType, Schema

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
STRING = {"type": "string"}


def encoded(schema: Any) -> Schema:
    data = msgspec.json.encode(schema)
    return Schema(msgspec.Raw(data), tuple(sorted(set(re.findall(r"#/\$defs/(\w+)", data.decode())))))


def write(value: Any, schema: Any, name: str = "application/xml", **definitions: Any) -> str:
    media = MediaType(pointer="#/xml", name=name, schema=encoded(schema))
    named = {key: encoded(definition) for key, definition in definitions.items()}
    content_type, data = writer(media, named)(value)
    assert content_type == name
    return data.decode().removeprefix(DECLARATION)


def document(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "xml": {"name": "document"}, "properties": properties}


PETS = ["dog", "cat"]
ANIMAL = {"type": "string", "xml": {"name": "animal"}}
NIL = '<related xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"></related>'
PRODUCT = {
    "xml": {"name": "product"},
    "type": "object",
    "properties": {
        "count": {"type": ["number", "null"], "xml": {"nodeType": "attribute"}},
        "description": STRING,
        "related": {"type": ["object", "null"]},
    },
}
TWO = {
    "xml": {"name": "Two"},
    "properties": {"unit": {"xml": {"nodeType": "attribute"}}, "value": {"xml": {"nodeType": "text"}}},
}


def animals(items: Any = STRING, **xml: Any) -> dict[str, Any]:
    return document({"animals": {"type": "array", "items": items, "xml": xml}})


NAMED_PETS = {
    "type": "array",
    "xml": {"nodeType": "element", "name": "animals"},
    "items": {
        "xml": {"name": "animal"},
        "properties": {"kind": {"xml": {"attribute": True}}, "name": {"xml": {"nodeType": "text"}}},
    },
}
TEXT_NODE = {"xml": {"nodeType": "text"}}
REPORT = {
    "xml": {"nodeType": "element", "name": "Report"},
    "type": "array",
    "prefixItems": [TEXT_NODE, {"xml": {"name": "data"}}, TEXT_NODE, TWO],
}

# "XML Object Examples" of OpenAPI 3.1.1 and 3.2.0: schema, value, and what is inside the root element
EXAMPLES = {
    "no xml object": (document({"animals": STRING}), {"animals": "dog, cat"}, "<animals>dog, cat</animals>"),
    "array": (animals(), {"animals": PETS}, "<animals>dog</animals><animals>cat</animals>"),
    "name replaced": (document({"animals": ANIMAL}), {"animals": "dog"}, "<animal>dog</animal>"),
    "items renamed": (animals(ANIMAL), {"animals": PETS}, "<animal>dog</animal><animal>cat</animal>"),
    "name of an unwrapped array": (animals(ANIMAL, name="aliens"), {"animals": ["dog"]}, "<animal>dog</animal>"),
    "wrapped": (animals(wrapped=True), {"animals": ["dog"]}, "<animals><animals>dog</animals></animals>"),
    "wrapped, both named": (
        animals(ANIMAL, name="aliens", wrapped=True),
        {"animals": PETS},
        "<aliens><animal>dog</animal><animal>cat</animal></aliens>",
    ),
    "wrapped, wrapper named": (
        animals(name="aliens", nodeType="element"),
        {"animals": PETS},
        "<aliens><aliens>dog</aliens><aliens>cat</aliens></aliens>",
    ),
    "attributes and text": (NAMED_PETS, [{"kind": "Cat", "name": "Fluffy"}], '<animal kind="Cat">Fluffy</animal>'),
    "ordered": (
        REPORT,
        ["pre", 42, "post", {"unit": "cubits", "value": 42}],
        'pre<data>42</data>post<Two unit="cubits">42</Two>',
    ),
    "nulls": (
        PRODUCT,
        {"count": None, "description": "Thing", "related": None},
        f"<description>Thing</description>{NIL}",
    ),
    "no nulls": (
        PRODUCT,
        {"description": "Thing", "related": {}},
        "<description>Thing</description><related></related>",
    ),
}


@pytest.mark.parametrize(("schema", "value", "text"), EXAMPLES.values(), ids=EXAMPLES.keys())
def test_the_specifications_examples_are_written_as_they_stand_there(schema: Any, value: Any, text: str) -> None:
    root = schema["xml"]["name"]
    assert write(value, schema) == f"<{root}>{text}</{root}>"


def test_attributes_stand_in_the_start_tag() -> None:
    assert write({"count": 42}, PRODUCT) == '<product count="42"></product>'


PERSON = {
    "type": "object",
    "properties": {
        "id": {"type": "integer", "xml": {"attribute": True}},
        "name": {"type": "string", "xml": {"namespace": "https://example.com/schema/sample", "prefix": "sample"}},
    },
}


def test_a_component_names_the_root_and_prefixes_are_declared() -> None:
    assert write({"id": 123, "name": "example"}, {"$ref": "#/$defs/Person"}, Person=PERSON) == (
        '<Person id="123"><sample:name xmlns:sample="https://example.com/schema/sample">example</sample:name></Person>'
    )


def test_a_definition_that_is_no_component_names_no_root() -> None:
    name = "schema.properties.a-0123456789"
    media = MediaType(
        pointer="#/xml", name="text/xml", schema=Schema(msgspec.Raw(b'{"$ref":"#/$defs/%s"}' % name.encode()), (name,))
    )
    with pytest.raises(SpecError, match="root element has no name"):
        writer(media, {name: encoded(PERSON)})


def test_the_point_of_use_renames_the_root() -> None:
    stored = {"xml": {"nodeType": "element", "name": "Stored"}, "$ref": "#/$defs/Doc"}
    doc = {"xml": {"nodeType": "none"}, "type": "object", "properties": {"content": {"xml": {"nodeType": "cdata"}}}}
    assert write({"content": "<b>]]></b>"}, stored, Doc=doc) == ("<Stored><![CDATA[<b>]]]]><![CDATA[></b>]]></Stored>")


def test_a_value_without_a_node_is_not_written() -> None:
    """OpenAPI 3.2.0, XML Node Types: of ``none``, only what is within it is written; a number has nothing within."""
    none = {"xml": {"nodeType": "none"}}
    parts = none | {"properties": {"size": {"type": "integer"}}}
    schema = document({"secret": none, "parts": parts, "list": none | {"type": "array", "items": none}})
    value = {"secret": 7, "parts": {"size": 2}, "list": ["a"]}
    assert write(value, schema) == "<document><size>2</size></document>"


def test_prefixed_attributes_and_a_default_namespace() -> None:
    attribute = {"xml": {"attribute": True, "prefix": "p", "namespace": "urn:p"}}
    schema = {
        "type": "object",
        "xml": {"name": "r", "namespace": "urn:r"},
        "properties": {"a": attribute, "b": attribute},
    }
    assert write({"a": 1, "b": 2}, schema) == '<r xmlns="urn:r" xmlns:p="urn:p" p:a="1" p:b="2"></r>'


def test_references_combinations_and_circles_are_followed() -> None:
    node = {
        "allOf": [{"$ref": "#/$defs/Named"}],
        "properties": {
            "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
            "self": {"$ref": "#/$defs/Loop"},
        },
    }
    named = {"properties": {"title": {"xml": {"name": "t", "attribute": True}}}}
    value = {"title": "a", "children": [{"title": "b", "self": 1}]}
    assert write(
        value, {"$ref": "#/$defs/Node"}, Node=node, Named=named, Loop={"allOf": [{"$ref": "#/$defs/Loop"}]}
    ) == ('<Node t="a"><children t="b"><self>1</self></children></Node>')


def test_scalars_are_spelt_as_json_spells_them() -> None:
    value = {"a": True, "b": Decimal("1.10"), "c": 2**64 + 1, "d": ""}
    assert write(value, document({})) == "<document><a>true</a><b>1.10</b><c>18446744073709551617</c><d></d></document>"


def test_text_is_taken_for_a_document() -> None:
    assert write("<x>é</x>", STRING, "text/xml; charset=utf-8") == "<x>é</x>"
    assert write("<x/>", {}, "application/soap+xml") == "<x/>"


def test_another_charset_is_declared_and_kept() -> None:
    media = MediaType(pointer="#/xml", name="text/xml; charset=iso-8859-1", schema=encoded(document({})))
    assert writer(media, {})({"a": "é€"})[1] == (
        b'<?xml version="1.0" encoding="ISO-8859-1"?>\n<document><a>\xe9&#8364;</a></document>'
    )


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "object", "properties": {"a": STRING}}, "root element has no name"),
        ({"type": "array", "items": STRING, "xml": {"name": "a"}}, "a list needs xml.wrapped"),
    ],
)
def test_a_document_without_one_named_root_is_refused_at_load(schema: Any, problem: str) -> None:
    with pytest.raises(SpecError, match=f"#/xml: .*{problem}"):
        write({}, schema)


@pytest.mark.parametrize(
    "value", [{"a b": 1}, {"a><b": 1}, {"": 1}, {"1a": 1}, {"a": "\x00"}, {"a": "\x0b"}, {"a:b:c": 1}]
)
def test_what_xml_cannot_carry_is_refused(value: Any) -> None:
    with pytest.raises(ArgumentError, match="body: "):
        write(value, document({}))


def test_an_open_schema_takes_text_only() -> None:
    with pytest.raises(ArgumentError, match="must be XML text"):
        write({"a": 1}, {})


def test_a_wrong_xml_keyword_breaks_nothing() -> None:
    with pytest.raises(ArgumentError, match="'7' is no XML name"):
        write({"a": 1}, document({"a": {"xml": {"name": 7}}}))
    assert (
        write({"a": 1}, document({"a": {"xml": True}, "b": {"xml": {"nodeType": 7}}}))
        == "<document><a>1</a></document>"
    )


TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=15
) | st.sampled_from(["</a><evil/>", "&amp;", "]]>", '" evil="1', "a\r\n\tb", "<!--", "<?x?>"])


@settings(max_examples=120)
@given(TEXT, TEXT)
def test_a_parser_reads_back_text_and_attributes(text: str, attribute: str) -> None:
    schema = document({"t": STRING, "a": {"xml": {"attribute": True}}})
    root = ElementTree.fromstring(DECLARATION.encode() + write({"t": text, "a": attribute}, schema).encode())
    assert [child.tag for child in root] == ["t"]
    assert (root[0].text or "") == text
    assert root.attrib == {"a": attribute}


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        "<?xml version='1.0'?>\n<!DocType a [<!ENTITY e SYSTEM 'http://x'>]><a>&e;</a>",
        "<!-- <a> --><!DOCTYPE a><a/>",
        "<!-- <![CDATA[ --><!DOCTYPE a><!-- ]]> --><a/>",
        "<a><![CDATA[<!DOCTYPE html>]]></a>",
    ],
)
@pytest.mark.parametrize("schema", [STRING, {"type": "object", "xml": {"name": "a"}}, {}])
def test_a_document_type_is_refused_in_text(text: str, schema: Any) -> None:
    with pytest.raises(ArgumentError, match="must not hold <!DOCTYPE"):
        write(text, schema)


@pytest.mark.parametrize("encoding", ["UTF-7", "utf-16", "IBM037", "x"])
def test_text_that_says_another_encoding_than_it_is_sent_in_is_refused(encoding: str) -> None:
    with pytest.raises(ArgumentError, match="but is sent in utf-8; leave it out"):
        write(f'<?xml version="1.0" encoding="{encoding}"?><a/>', STRING)


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8", "us-ascii", "ISO-8859-1"])
def test_text_that_says_how_it_is_sent_goes_as_it_is(encoding: str) -> None:
    text = f"<?xml version='1.0' encoding='{encoding}'?><a/>"
    assert write(text, STRING) == text


@pytest.mark.parametrize("key", ["xi:include", "a:b", ":a"])
def test_a_key_with_a_prefix_that_nobody_declares_is_refused(key: str) -> None:
    with pytest.raises(ArgumentError, match=r"declared nowhere|no XML name"):
        write({key: {"href": "file:///etc/passwd"}}, {"type": "object", "xml": {"name": "a"}})


def test_prefixes_of_the_document_and_of_xml_itself_are_taken() -> None:
    schema = {"type": "object", "xml": {"name": "a"}, "properties": {"s:b": STRING}}
    assert write({"s:b": "1", "xml:c": "2"}, schema).endswith("<a><s:b>1</s:b><xml:c>2</xml:c></a>")


def list_of(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, "xml": {"name": "r", "wrapped": True}}


def test_values_are_counted() -> None:
    few, schema = [1] * (MAX_VALUES - 1), list_of({"type": "integer", "xml": {"name": "i"}})
    assert write(few, schema).count("<i>") == len(few)
    with pytest.raises(ArgumentError, match="more than 25,000 values"):
        write([*few, 1], schema)


def test_a_schema_is_flattened_once_however_many_values_it_has() -> None:
    parts = {"allOf": [{"properties": {f"p{number}": STRING}} for number in range(200)]}
    few, many = ([{}] * count for count in (500, 5_000))
    assert is_linear(lambda value: write(value, list_of(parts)), lambda length: many if length > UNITS else few)


@pytest.mark.parametrize(("name", "problem"), [("n" * 1_001, "is no XML name"), ("n" * 1_000, "is longer than")])
def test_long_names_are_not_repeated_without_end(name: str, problem: str) -> None:
    with pytest.raises(ArgumentError, match=problem):
        write({name: [1] * 20_000}, {"type": "object", "xml": {"name": "r"}})


def test_text_is_not_copied_at_each_level() -> None:
    def deep(length: int) -> Any:
        value: Any = "<" * 4_000
        for _ in range(length // 100):  # 20 levels, and 80
            value = {"a": value}
        return value

    assert is_linear(lambda value: write(value, {"type": "object", "xml": {"name": "r"}}), deep)
    assert write({"a": {"b": "<"}}, {"type": "object", "xml": {"name": "r"}}) == "<r><a><b>&lt;</b></a></r>"
