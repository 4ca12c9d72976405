"""Security schemes, what operations ask for, and where they are served."""

from __future__ import annotations

import msgspec
import pytest

from documents import described, notes, of_operation, the_operation
from openapi_mcp_server.openapi.model import SecurityChoice, SecurityScheme

GET = "#/paths/~1x/get"


SCHEMES = {
    "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "basic": {"type": "http", "scheme": "Basic"},
    "oauth": {"type": "oauth2", "flows": {}},
    "openid": {"type": "openIdConnect"},
    "tls": {"type": "mutualTLS"},
    "alias": {"$ref": "#/components/securitySchemes/key"},
}


def test_security_schemes_are_read():
    description = described(components={"securitySchemes": SCHEMES})
    assert description.security_schemes == {
        "key": SecurityScheme(name="key", kind="apiKey", location="header", parameter="X-Key"),
        "basic": SecurityScheme(name="basic", kind="http", http_scheme="basic"),
        "oauth": SecurityScheme(name="oauth", kind="oauth2"),
        "openid": SecurityScheme(name="openid", kind="openIdConnect"),
        "tls": SecurityScheme(name="tls", kind="mutualTLS"),
        "alias": SecurityScheme(name="alias", kind="apiKey", location="header", parameter="X-Key"),
    }


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"type": "APIKey", "in": "Header", "name": "X-Key"}, SCHEMES["key"]),
        ({"type": "HTTP", "scheme": "BASIC"}, SCHEMES["basic"]),
        ({"type": "Basic"}, SCHEMES["basic"]),
        ({"type": "OAuth2", "flows": {}}, SCHEMES["oauth"]),
    ],
)
def test_the_words_of_a_security_scheme_count_in_any_case(said, meant):
    found, wanted = (described(components={"securitySchemes": {"s": each}}) for each in (said, meant))
    assert found.security_schemes == wanted.security_schemes != {}
    assert notes(found) == []


@pytest.mark.parametrize(
    "scheme",
    [
        {"type": "magic"},
        {},
        {"type": "http"},
        {"type": "apiKey", "in": "header"},
        {"type": "apiKey", "in": "body", "name": "k"},
        {"$ref": "elsewhere.yaml"},
        5,
    ],
)
def test_a_security_scheme_that_cannot_be_met_is_left_out_and_noted(scheme):
    description = described(components={"securitySchemes": {"s": scheme}})
    assert description.security_schemes == {}
    ((kind, pointer),) = notes(description)
    assert kind == "security_dropped"
    assert pointer.startswith("#/components/securitySchemes/s")


@pytest.mark.parametrize(
    ("own", "effective"),
    [
        ({}, (SecurityChoice((("key", ()),)),)),
        ({"security": None}, (SecurityChoice((("key", ()),)),)),
        ({"security": []}, ()),
        ({"security": [{}]}, (SecurityChoice(()),)),
        (
            {"security": [{"oauth": ["read"], "key": []}, {"basic": None}]},
            (SecurityChoice((("oauth", ("read",)), ("key", ()))), SecurityChoice((("basic", ()),))),
        ),
    ],
)
def test_security_is_the_operations_own_or_the_documents(own, effective):
    description = of_operation(own, security=[{"key": []}], components={"securitySchemes": SCHEMES})
    assert the_operation(description).security == effective


@pytest.mark.parametrize(
    ("name", "dialect", "meant"),
    [
        ("#/components/securitySchemes/key", "3.2", "key"),
        ("https://example.com/api#/components/securitySchemes/key", "3.2", "key"),
        ("api#/components/securitySchemes/key", "3.2", "key"),
        ("#/components/securitySchemes/missing", "3.2", "#/components/securitySchemes/missing"),
        ("#/info/title", "3.2", "#/info/title"),
        ("./key", "3.2", "./key"),
        ("#/components/securitySchemes/key", "3.1", "#/components/securitySchemes/key"),
    ],
)
def test_since_3_2_a_scheme_may_be_named_by_its_uri(name, dialect, meant):
    wanted = [{name: ["a"]}]
    root = {"$self": "https://example.com/api", "components": {"securitySchemes": SCHEMES}}
    by_operation = of_operation({"security": wanted}, dialect=dialect, **root)
    by_document = of_operation({}, dialect=dialect, security=wanted, **root)
    for description in (by_operation, by_document):
        assert the_operation(description).security == (SecurityChoice(((meant, ("a",)),)),)
        assert ("security_dropped" in dict(notes(description))) is (meant != "key")


def test_a_scheme_whose_name_looks_like_a_uri_is_meant_by_its_name():
    named = {"#/components/securitySchemes/key": SCHEMES["basic"], "key": SCHEMES["key"]}
    wanted = {"security": [{"#/components/securitySchemes/key": []}]}
    description = of_operation(wanted, dialect="3.2", components={"securitySchemes": named})
    assert the_operation(description).security == (SecurityChoice((("#/components/securitySchemes/key", ()),)),)


def test_a_scheme_that_is_not_there_is_noted_and_still_asked_for():
    description = of_operation({"security": [{"missing": []}]})
    assert the_operation(description).security == (SecurityChoice((("missing", ()),)),)
    assert notes(description) == [("security_dropped", f"{GET}/security/0/missing")]


@pytest.mark.parametrize(
    ("servers", "urls"),
    [
        ([{"url": "https://a.example.com/v1"}, {"url": "/v2"}], ("https://a.example.com/v1", "/v2")),
        (
            [{"url": "https://{r}.example.com/{v}", "variables": {"r": {"default": "eu"}, "v": {"default": 2}}}],
            ("https://eu.example.com/2",),
        ),
        ([{"url": "https://{r}.example.com"}], ()),
        (
            [{"url": "https://example.com/v{v}", "variables": {"v": {"default": msgspec.Raw(b"1.10")}}}],
            ("https://example.com/v1.10",),
        ),
        ([{"url": "https://{r}.example.com", "variables": {"r": {"enum": ["a"]}}}], ()),
        *(
            ([{"url": url, "variables": {"b": {"default": default}}}], (filled,))
            for url, default, filled in (
                ("https://a.example/{b}", "/prod", "https://a.example/prod"),
                ("https://a.example/{b}/v1", "", "https://a.example/v1"),
                ("https://a.example{b}", "/prod/", "https://a.example/prod/"),
                ("//a.example/{b}", "/prod", "//a.example/prod"),
                ("{b}//a.example//x", "https:", "https://a.example/x"),
            )
        ),
        ([{"url": "https://a.example//x"}], ("https://a.example//x",)),
        ([{"url": ""}, {}, 5, {"url": "/ok"}], ("/", "/ok")),
        (None, ()),
    ],
)
def test_servers_have_their_variables_replaced_by_defaults(servers, urls):
    description = described(servers=servers)
    assert description.servers == urls
    assert {kind for kind, _ in notes(description)} <= {"server_dropped"}
    assert len(notes(description)) == len(servers or ()) - len(urls)


def test_servers_are_those_of_the_operation_or_the_path():
    description = described(
        {
            "/a": {"servers": [{"url": "/path"}], "get": {}, "put": {"servers": [{"url": "/operation"}]}},
            "/b": {"get": {}, "put": {"servers": []}},
        },
        servers=[{"url": "/root"}],
    )
    assert [operation.servers for operation in description.operations] == [("/path",), ("/operation",), (), ()]
