"""Arguments that an override fixes or hides: no model sees or chooses them, and they are sent."""

from __future__ import annotations

import msgspec
import pytest

from documents import described
from openapi_mcp_server.bridge import overrides
from openapi_mcp_server.bridge.arguments.check import check
from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.model import base_url
from openapi_mcp_server.bridge.request import build as request
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
