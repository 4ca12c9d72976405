"""Arguments: exact, checked before sending, refused in words that name the place, what was expected and what came."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import answers
from openapi_mcp_server.bridge.arguments.check import check
from openapi_mcp_server.bridge.media.exact_json import MAX_DEPTH
from openapi_mcp_server.bridge.model import CheckedSchema, InputContract, Tool
from openapi_mcp_server.errors import ArgumentError

SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "price": {"type": "number", "minimum": 0},
        "name": {"type": "string", "minLength": 2, "pattern": "^[a-z]+$"},
        "done": {"type": "boolean"},
        "size": {"enum": ["small", "large"]},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2, "uniqueItems": True},
        "filter": {"$ref": "#/$defs/Filter"},
        "owner": {"oneOf": [{"type": "string"}, {"$ref": "#/$defs/Owner"}]},
        "level": {"enum": [1, 2]},
        "note": {"type": ["string", "null"]},
        "tree": {"type": "array"},
    },
    "required": ["id"],
    "additionalProperties": False,
    "$defs": {
        "Filter": {
            "type": "object",
            "properties": {"colour": {"type": "string"}, "limit": {"type": "integer"}},
            "additionalProperties": False,
        },
        "Owner": {"type": "object", "properties": {"login": {"type": "string"}}, "required": ["login"]},
    },
}


def tool(schema: object = SCHEMA) -> Tool:
    contract = InputContract(checked=CheckedSchema(msgspec.json.encode(schema)), names=())
    return msgspec.structs.replace(answers.tool(), name="find_pets", input=contract)


def checked(text: str, schema: object = SCHEMA):
    return check(tool(schema), msgspec.Raw(text.encode()))


def refusal(text: str, schema: object = SCHEMA) -> str:
    with pytest.raises(ArgumentError) as caught:
        checked(text, schema)
    return str(caught.value)


def test_no_arguments_are_an_empty_object():
    assert check(tool({"type": "object"}), None).values == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("9007199254740993", 9007199254740993, id="beyond a double"),
        pytest.param("1" * 400, int("1" * 400), id="400 digits"),
        pytest.param("1.10", Decimal("1.10"), id="trailing zero"),
        pytest.param("0.10000000000000000555", Decimal("0.10000000000000000555"), id="long"),
        pytest.param("1e400", Decimal("1E+400"), id="beyond the largest double"),
        pytest.param("-0.0", Decimal("-0.0"), id="negative zero"),
    ],
)
def test_numbers_arrive_exactly(text, value):
    got = checked(f'{{"n":{text}}}', {"type": "object"}).values["n"]
    assert (str(got), type(got)) == (str(value), type(value))


INTEGERS = {
    "properties": {
        "n": {"type": "integer"},
        "list": {"items": {"$ref": "#/$defs/Count"}},
        "choice": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "nullable": {"type": ["integer", "null"]},
        "number": {"type": "number"},
        "either": {"anyOf": [{"type": "integer"}, {"type": "number"}]},
        "open": {},
    },
    "$defs": {"Count": {"type": "object", "properties": {"count": {"type": "integer"}}}},
}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param('{"n":5.0}', {"n": 5}, id="fraction of zeros"),
        pytest.param('{"n":1e3}', {"n": 1000}, id="exponent"),
        pytest.param('{"n":"5.0"}', {"n": 5}, id="as text"),
        pytest.param('{"list":[{"count":7},{"count":8.0}]}', {"list": [{"count": 7}, {"count": 8}]}, id="nested"),
        pytest.param('{"choice":5.0}', {"choice": 5}, id="one of several types"),
        pytest.param('{"nullable":5.0}', {"nullable": 5}, id="or null"),
    ],
)
def test_where_only_integers_fit_whole_numbers_are_spelt_so(text, values):
    got = checked(text, INTEGERS).values
    assert (got, "Decimal" in repr(got)) == (values, False)


@pytest.mark.parametrize("name", ["number", "either", "open"])
@pytest.mark.parametrize("number", ["5.0", "1E+3"])
def test_elsewhere_whole_numbers_stay_as_they_are_spelt(name, number):
    assert str(checked(f'{{"{name}":{number}}}', INTEGERS).values[name]) == number


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("{", "cannot be read", id="cut"),
        pytest.param('{"id":NaN}', "cannot be read", id="NaN"),
        pytest.param('{"id":1,}', "cannot be read", id="trailing comma"),
        pytest.param("[1]", "one JSON object", id="array"),
        pytest.param('"{}"', "one JSON object", id="text"),
        pytest.param("id=1", "one JSON object", id="a query"),
        pytest.param('{"id":1,"id":2}', "same name twice", id="name twice"),
        pytest.param('{"id":1,"filter":{"limit":1,"limit":1}}', "same name twice", id="name twice, nested"),
        pytest.param('{"id" :1,"id":2}', "same name twice", id="name twice, a space before the colon"),
        pytest.param('{"id":1,"id"\n:2}', "same name twice", id="name twice, a line before the colon"),
        pytest.param('{"note":"","note":"\\u0022:"}', "same name twice", id="name twice, beside an escaped quote"),
        pytest.param('{"note":"","note":"\\u003a"}', "same name twice", id="name twice, beside an escaped colon"),
        pytest.param('{"id":1e99999999999999999999}', "too large", id="absurd exponent"),
        pytest.param('{"price":1e5000}', "exponent beyond", id="large exponent"),
        pytest.param('{"id":' + "1" * 5000 + "}", "read: Integer value out of range.", id="5,000 digits"),
        pytest.param('{"note":"\\ud800"}', "cannot be read", id="half a surrogate pair"),
        pytest.param('{"id":1,"tree":' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}", "nested deeper", id="too deep"),
        pytest.param('{"id":1,"tree":' + "[" * 10_000 + "]" * 10_000 + "}", "nested deeper", id="10,000 deep"),
    ],
)
def test_text_that_is_no_usable_json_object_is_refused(text, said):
    assert said in refusal(text)


def test_bytes_that_are_no_utf8_are_refused():
    with pytest.raises(ArgumentError, match="cannot be read"):
        check(tool(), msgspec.Raw(b'{"id":"\xff"}'))


def test_the_deepest_allowed_nesting_passes():
    levels = MAX_DEPTH - 1
    assert checked('{"id":1,"tree":' + "[" * levels + "]" * levels + "}").values["id"] == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("{}", "- /id: missing, expected integer", id="missing"),
        pytest.param('{"id":null}', "- /id: expected integer, got null", id="null"),
        pytest.param('{"id":1.5}', "- /id: expected integer, got 1.5", id="fraction"),
        pytest.param('{"id":"x"}', '- /id: expected integer, got "x"', id="type"),
        pytest.param('{"id":1,"price":-1}', "- /price: expected a number of at least 0, got -1", id="minimum"),
        pytest.param('{"id":1,"name":"x"}', '- /name: expected at least 2 characters, got "x"', id="length"),
        pytest.param('{"id":1,"name":"AB"}', '- /name: expected text that matches ^[a-z]+$, got "AB"', id="pattern"),
        pytest.param('{"id":1,"size":"big"}', '- /size: expected one of "small", "large", got "big"', id="enum"),
        pytest.param('{"id":1,"tags":["a","a"]}', "- /tags: expected items that all differ", id="unique"),
        pytest.param('{"id":1,"tags":["a",[]]}', "- /tags/1: expected string, got []", id="item"),
        pytest.param('{"id":1,"filter":{"limit":[]}}', "- /filter/limit: expected integer, got []", id="nested"),
        pytest.param('{"id":1,"owner":[]}', "- /owner: expected string or object, got []", id="no branch of the type"),
        pytest.param('{"id":1,"owner":{}}', "- /owner/login: missing, expected string", id="one branch of the type"),
        pytest.param('{"id":1,"nam":"x"}', "- /nam: unknown; did you mean name?", id="unknown, near"),
        pytest.param('{"id":1,"zzz":1}', "- /zzz: unknown; there are id, price, name", id="unknown, not near"),
        pytest.param('{"id":1,"a/b~":1}', "- /a~1b~0: unknown", id="pointer escapes"),
        pytest.param(
            '{"id":1,"filter":{"color":"x"}}', "- /filter/color: unknown; did you mean colour?", id="unknown, nested"
        ),
    ],
)
def test_a_problem_names_its_place_what_was_expected_and_what_came(text, problem):
    assert problem in refusal(text)


EITHER = {"anyOf": [{"required": ["a"]}, {"required": ["b"], "properties": {"b": {"const": 1}}}]}


@pytest.mark.parametrize(
    ("schema", "text", "problem"),
    [
        pytest.param(
            {"propertyNames": {"pattern": "^x-"}},
            '{"v":{"a":1}}',
            '- /v: expected names of properties to be text that matches ^x-, got "a"',
            id="names of properties",
        ),
        pytest.param({"items": False}, '{"v":[1]}', "- /v/0: expected nothing there, got 1", id="nothing may be there"),
        pytest.param(
            {"not": {"required": ["a"]}},
            '{"v":{"a":1}}',
            '- /v: expected anything but what fits {"required":["a"]}, got {"a":1}',
            id="not",
        ),
        pytest.param({"contains": {"const": 1}}, '{"v":[2]}', "- /v: expected certain items, as", id="contains"),
        pytest.param(
            {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
            '{"v":{"a":1,"b":1}}',
            "- /v: expected what fits only one of the schema's alternatives, got",
            id="more than one",
        ),
        pytest.param(
            EITHER,
            '{"v":{}}',
            "- /v: fits none of 2 alternatives: /v/a: missing, expected a value, or /v/b: missing, expected 1",
            id="no branch, each with its reason",
        ),
        pytest.param(
            {"properties": {"a": {}}, "unevaluatedProperties": False},
            '{"v":{"b":1}}',
            "- /v/b: unknown; there are a",
            id="unevaluated",
        ),
        pytest.param(
            {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False},
            '{"v":{"b":1}}',
            "- /v/b: unknown; there are a",
            id="unevaluated, declared in a part",
        ),
        pytest.param(
            {"patternProperties": {"^x-": {}, "^y-": {}}, "additionalProperties": False},
            '{"v":{"b":1}}',
            "- /v/b: unknown; there are names that match ^x- or ^y-",
            id="patterns of names",
        ),
    ],
)
def test_a_problem_of_a_rarer_keyword_is_told_in_words(schema, text, problem):
    assert problem in refusal(text, {"properties": {"v": schema}})


REFERRED = {
    "Size": {"type": "string", "enum": ["small", "large"]},
    "Owner": {"type": "object", "properties": {}},
    "Again": {"$ref": "#/$defs/Again"},
}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"$ref": "#/$defs/Size"}, 'one of "small", "large"'),
        ({"$ref": "#/$defs/Owner"}, "object"),
        ({"description": "big?", "allOf": [{"title": "a"}, {"$ref": "#/$defs/Size"}]}, 'one of "small", "large"'),
        ({"anyOf": [{"$ref": "#/$defs/Owner"}, {"type": "string"}, {"type": "null"}]}, "object or string or null"),
        ({"oneOf": [{"type": "string", "format": "date"}, {"type": "string"}]}, "string"),
        ({"type": ["integer", "null"]}, "integer or null"),
        ({"$ref": "#/$defs/Again"}, "a value"),
        ({"anyOf": [{"$ref": "#/$defs/Again"}, {"$ref": "#/$defs/Again"}, {}]}, "a value"),
        ({}, "a value"),
    ],
)
def test_a_missing_value_is_described_wherever_the_schema_does(schema, expected):
    whole = {"type": "object", "required": ["v"], "properties": {"v": schema}, "$defs": REFERRED}
    assert f"- /v: missing, expected {expected}" in refusal("{}", whole).splitlines()


def test_five_problems_are_told_and_the_rest_counted_as_more():
    lines = refusal('{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1}').splitlines()
    assert [line[:2] for line in lines[1:]] == ["- "] * 6
    assert lines[-1] == "- and more"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"id":"' + "x" * 1_000_000 + '"}', id="long value"),
        pytest.param('{"' + "x" * 1_000_000 + '":1}', id="long name"),
        pytest.param('{"id":1,"tags":[' + "1," * 100_000 + "1]}", id="many wrong items"),
    ],
)
def test_a_refusal_stays_short(text):
    assert len(refusal(text)) < 2_000


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        pytest.param('{"id":"5"}', "id", 5, id="integer"),
        pytest.param('{"id":1,"price":"1.10"}', "price", Decimal("1.10"), id="number"),
        pytest.param('{"id":1,"done":"true"}', "done", True, id="boolean"),
        pytest.param('{"id":1,"done":"True"}', "done", True, id="Python's true"),
        pytest.param('{"id":1,"done":"False"}', "done", False, id="Python's false"),
        pytest.param('{"id":1,"level":"2"}', "level", 2, id="enumerated integer"),
        pytest.param('{"id":1,"tags":"[\\"a\\"]"}', "tags", ["a"], id="array"),
        pytest.param('{"id":1,"filter":"{\\"limit\\": 3}"}', "filter", {"limit": 3}, id="object"),
        pytest.param('{"id":1,"filter":{"limit":"3"}}', "filter", {"limit": 3}, id="nested"),
        pytest.param('{"id":1,"filter":"{\\"limit\\":\\"3\\"}"}', "filter", {"limit": 3}, id="text within text"),
    ],
)
def test_json_text_is_taken_for_what_it_says_where_the_text_does_not_fit(text, name, value):
    result = checked(text)
    assert (result.values[name], result.coerced) == (value, (name,))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"id":"05"}', id="leading zero"),
        pytest.param('{"id":" 5"}', id="white space"),
        pytest.param('{"id":"five"}', id="no JSON"),
        pytest.param('{"id":"-0"}', id="sign lost"),
        pytest.param('{"id":1,"done":"TRUE"}', id="another language's true"),
        pytest.param('{"id":"True"}', id="a flag where there is none"),
        pytest.param('{"id":1,"filter":"{\\"colour\\": []}"}', id="does not fit either"),
        pytest.param('{"id":1,"tags":"[[[["}', id="broken JSON"),
        pytest.param('{"id":1,"filter":"{\\"limit\\":1,\\"limit\\":2}"}', id="name twice"),
    ],
)
def test_text_that_says_nothing_that_fits_is_refused(text):
    refusal(text)


def test_text_that_fits_as_text_is_never_coerced():
    result = checked('{"id":1,"note":"null","owner":"5"}')
    assert (result.values, result.coerced) == ({"id": 1, "note": "null", "owner": "5"}, ())


OF_JSON = {"type": "string", "contentMediaType": "application/json"}
TEXTS = {
    "type": "object",
    "properties": {
        "json": OF_JSON,
        "named": {"$ref": "#/$defs/Json"},
        "choice": {"anyOf": [OF_JSON, {"type": "null"}]},
        "list": {"type": "array", "items": OF_JSON},
        "patch": OF_JSON | {"contentMediaType": "application/merge-patch+json"},
        "base64": OF_JSON | {"contentEncoding": "base64"},
        "xml": OF_JSON | {"contentMediaType": "application/xml"},
        "text": {"type": "string"},
        "short": OF_JSON | {"maxLength": 3},
    },
    "$defs": {"Json": OF_JSON},
}


@pytest.mark.parametrize("name", ["json", "named", "choice", "patch"])
@pytest.mark.parametrize("value", ['{"a":1.10,"b":"{}"}', "[]", "[true,null]"])
def test_a_value_is_written_as_text_where_the_text_is_json(name, value):
    result = checked(f'{{"{name}":{value}}}', TEXTS)
    assert (result.values[name], result.coerced) == (value, (name,))


def test_values_are_written_as_text_within_a_list_too():
    assert checked('{"list":[{"a":1},"{}"]}', TEXTS).values == {"list": ['{"a":1}', "{}"]}


@pytest.mark.parametrize("name", ["base64", "xml", "text", "short"])
def test_elsewhere_an_object_is_no_text(name):
    assert f"- /{name}: expected " in refusal(f'{{"{name}":{{"a":1}}}}', TEXTS)


def test_a_pattern_made_to_explode_takes_linear_time():
    schema = {"type": "object", "properties": {"a": {"pattern": "^(a+)+$"}}}
    assert "- /a: expected text" in refusal('{"a":"' + "a" * 50_000 + '!"}', schema)


def test_a_format_is_not_asserted():
    schema = {"type": "object", "properties": {"a": {"type": "string", "format": "email"}}}
    assert checked('{"a":"no address"}', schema).values == {"a": "no address"}


text = st.text(st.characters(codec="utf-8"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(text, json_values, max_size=4))
def test_whatever_fits_arrives_unchanged(values):
    assert checked(msgspec.json.encode(values).decode(), {"type": "object"}).values == values


@given(st.dictionaries(st.sampled_from(sorted(SCHEMA["properties"])), json_values))
def test_whatever_is_sent_is_accepted_or_refused_with_a_reason(values):
    try:
        check(tool(), msgspec.Raw(msgspec.json.encode(values)))
    except ArgumentError as error:
        reason = str(error)
    else:
        reason = ""
    assert not reason or reason.startswith("The arguments do not fit find_pets:\n- /")


NUMBERS = {"type": "object", "properties": {"numbers": {"type": "array", "items": {"type": "number", "maximum": 1}}}}


@pytest.mark.parametrize(
    ("last", "fits"), [("0.5", True), ("1.0", True), ("1.5", False), ("1e400", False), ('"x"', False)]
)
def test_many_decimals_are_checked_and_stay_as_they_were_written(last: str, fits: bool) -> None:
    raw = msgspec.Raw(b'{"numbers":[%b%b]}' % (b"0.10," * 30_000, last.encode()))
    if not fits:
        with pytest.raises(ArgumentError, match="do not fit"):
            check(tool(NUMBERS), raw)
        return
    first, *_, read = check(tool(NUMBERS), raw).values["numbers"]
    assert (str(first), str(read)) == ("0.10", last)
