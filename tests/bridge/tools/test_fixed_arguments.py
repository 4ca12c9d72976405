"""Arguments that an override fixes or hides: no model sees or chooses them, and they are sent."""

from __future__ import annotations

import msgspec
import pytest

from documents import described
from openapi_mcp_server.bridge.arguments.check import check
from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.bridge.request import build as request
from openapi_mcp_server.bridge.tools import overrides
from openapi_mcp_server.errors import ArgumentError

PATHS = {
    "/accounts/{account_id}/pets": {
        "post": {
            "operationId": "addPet",
            "parameters": [
                {"name": "account_id", "in": "path", "required": True, "schema": {"type": "integer"}},
                {"name": "debug", "in": "query", "schema": {"type": "boolean"}},
            ],
            "requestBody": {
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["name", "owner"],
                            "properties": {"name": {"type": "string"}, "owner": {"type": "string"}},
                        }
                    }
                }
            },
        }
    }
}
FIXED = {"account_id": {"value": 12345678901234567890}, "debug": {"hidden": True}, "owner": {"value": "us"}}


def catalog(arguments=FIXED, paths=PATHS):
    told = overrides.read(msgspec.json.encode({"addPet": {"arguments": arguments}})) if arguments else {}
    source = ApiSource(name="a", base=base_url("https://a.example.com"), description=described(paths), overrides=told)
    return build([source])


def test_they_are_sent_and_nowhere_to_be_seen():
    tool = catalog().tools["addPet"]
    entry = bytes(tool.entry)
    assert not any(
        name in entry.replace(b"/accounts/{account_id}/pets", b"") for name in (b"account_id", b"debug", b"owner")
    )
    values = check(tool, msgspec.Raw(b'{"name":"Rex"}')).values
    sent = request(tool, {**values, **tool.fixed})
    assert (sent.path, sent.query) == ("/accounts/12345678901234567890/pets", "")
    assert msgspec.json.decode(sent.body or b"") == {"name": "Rex", "owner": "us"}


@pytest.mark.parametrize("name", ["account_id", "debug", "owner"])
def test_a_model_that_names_one_is_refused(name):
    tool = catalog().tools["addPet"]
    with pytest.raises(ArgumentError, match=name):
        check(tool, msgspec.Raw(msgspec.json.encode({"name": "Rex", name: "other"})))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"acount_id": {"value": 1}}, "has no argument 'acount_id'"),
        ({"account_id": {"value": "x"}}, "does not fit it"),
        ({"account_id": {"hidden": True}}, "is required: give it a value"),
    ],
)
def test_an_operation_that_cannot_be_fixed_as_asked_is_not_served(arguments, reason):
    made = catalog(arguments)
    assert not made.tools
    assert reason in made.skipped[0].operation.reason


def test_a_document_can_fix_them_too_and_its_mistake_closes_the_operation():
    operation = PATHS["/accounts/{account_id}/pets"]["post"]
    fixed = {"/accounts/{account_id}/pets": {"post": {**operation, "x-mcp": {"arguments": FIXED}}}}
    assert catalog({}, fixed).tools["addPet"].fixed == {"account_id": 12345678901234567890, "owner": "us"}
    broken = {"/accounts/{account_id}/pets": {"post": {**operation, "x-mcp": {"arguments": {"owner": "us"}}}}}
    assert not catalog({}, broken).tools


@pytest.mark.parametrize(
    ("place", "scopes"), [("root", ["a"]), ("path", ["b"]), ("operation", ["c"]), ("operation", [])], ids=str
)
def test_scopes_are_inherited_until_an_operation_has_its_own(place, scopes):
    operation = {"operationId": "x", "responses": {}} | ({"x-mcp-scopes": scopes} if place == "operation" else {})
    item = {"get": operation} | ({"x-mcp-scopes": ["b"]} if place != "root" else {})
    description = described({"/x": item}, **{"x-mcp-scopes": ["a"]})
    source = ApiSource(name="a", base=base_url("https://a.example.com"), description=description)
    assert build([source]).tools["x"].subject.scopes == tuple(scopes)


@pytest.mark.parametrize("scopes", ["admin", [1], {"a": 1}, 5])
def test_an_operation_whose_scopes_cannot_be_read_is_not_served(scopes):
    description = described({"/x": {"get": {"operationId": "x", "responses": {}, "x-mcp-scopes": scopes}}})
    source = ApiSource(name="a", base=base_url("https://a.example.com"), description=description)
    assert not build([source]).tools


def _object(location, **more):
    return {"name": "f", "in": location, "schema": {"type": "object"}, **more}


_FORM = {"f": {"style": "form", "explode": True}}
SMUGGLED = {
    "an object that explodes into the query": ([_object("query")], {}, "query"),
    "spaces": ([_object("query", style="spaceDelimited", explode=True)], {}, "query"),
    "a whole query string": (
        [{"name": "f", "in": "querystring",
          "content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}}], {}, "query"),
    "an object that explodes into cookies": ([_object("cookie")], {}, "cookie"),
    "an object that explodes into a form": ([], {"application/x-www-form-urlencoded": _FORM}, "body"),
    "a form that is called so in capitals": ([], {"Application/X-WWW-Form-URLEncoded": _FORM}, "body"),
    "an object that explodes into a multipart form": ([], {"multipart/form-data": _FORM}, "body"),
    "a property that the body does not name": ([], {"application/json": {}}, "body"),
}  # fmt: skip


def _guarded(parameters, bodies, place, fixed):
    """An operation with an argument ``account_id`` in this place that an override fixes or hides."""
    account = {"schema": {"type": "string"}}
    operation = {"operationId": "addPet", "responses": {}, "parameters": list(parameters)}
    schema = {"type": "object", "properties": {"account_id": account["schema"], "f": {"type": "object"}}}
    if place == "body":
        content = {name: {"schema": schema, "encoding": encoding} for name, encoding in bodies.items()}
        operation["requestBody"] = {"content": content}
    else:
        operation["parameters"].append({"name": "account_id", "in": place, **account})
    dialect = "3.2" if parameters and parameters[0]["in"] == "querystring" else "3.1"
    told = overrides.read(msgspec.json.encode({"addPet": {"arguments": {"account_id": fixed}}}))
    description = described({"/x": {"post": operation}}, dialect=dialect)
    source = ApiSource(name="a", base=base_url("https://a.example.com"), description=description, overrides=told)
    return build([source]).tools["addPet"]


def _sent(tool, given):
    checked = check(tool, msgspec.Raw(msgspec.json.encode(given)))
    return request(tool, {**checked.values, **tool.fixed}, checked.others)


@pytest.mark.parametrize("fixed", [{"value": "42"}, {"hidden": True}], ids=["fixed", "hidden"])
@pytest.mark.parametrize("name", ["account_id", "Account_ID", "account.id", "account_id[]", "account id"])
@pytest.mark.parametrize("way", SMUGGLED)
def test_no_other_argument_says_one_of_these(way, name, fixed):
    tool = _guarded(*SMUGGLED[way], fixed)
    given = {name: "7"} if way.startswith("a property") else {"f": {name: "7"}}
    with pytest.raises(ArgumentError):
        _sent(tool, given)


@pytest.mark.parametrize("way", [way for way in SMUGGLED if "into" in way and "multipart" not in way])
def test_no_name_says_one_of_these_as_far_as_php_reads_it(way):
    with pytest.raises(ArgumentError, match="cannot be said in another argument"):
        _sent(_guarded(*SMUGGLED[way], {"value": "42"}), {"f": {"account_id\0x": "7"}})


@pytest.mark.parametrize("way", SMUGGLED)
def test_other_names_are_sent_beside_them(way):
    sent = _sent(_guarded(*SMUGGLED[way], {"value": "42"}), {"f": {"status": "account_id"}})
    said = f"{sent.query} {sent.headers} {sent.body!r}"
    assert "42" in said
    assert "status" in said
