"""Which operations the configured credentials meet, where a key goes, and what is said of the rest."""

from __future__ import annotations

import pytest

from descriptions import catalog, operation, parameter, reasons
from openapi_mcp_server.bridge import security
from openapi_mcp_server.bridge.model import KeyPlace
from openapi_mcp_server.openapi.model import SecurityChoice, SecurityScheme
from openapi_mcp_server.settings.auth import AuthShape, Identity


def scheme(name, kind, location=None, parameter=None, http_scheme=None):
    return SecurityScheme(name=name, kind=kind, location=location, parameter=parameter, http_scheme=http_scheme)


SCHEMES = {
    each.name: each
    for each in (
        scheme("basic", "http", http_scheme="basic"),
        scheme("bearer", "http", http_scheme="bearer"),
        scheme("digest", "http", http_scheme="digest"),
        scheme("oauth2", "oauth2"),
        scheme("oidc", "openIdConnect"),
        scheme("mtls", "mutualTLS"),
        scheme("header", "apiKey", "header", "X-Key"),
        scheme("query", "apiKey", "query", "key"),
        scheme("cookie", "apiKey", "cookie", "key"),
        scheme("authorization", "apiKey", "header", "authorization"),
    )
}
NONE = AuthShape()
BASIC = AuthShape(kind="basic")
BEARER = AuthShape(kind="bearer")
KEY = AuthShape(kind="api_key")


def key(location, name):
    return AuthShape(kind="api_key", api_key_name=name, api_key_in=location)


def asks(*alternatives):
    """Each alternative as the names of its schemes: ``"a b"``; empty: anonymous access."""
    return tuple(SecurityChoice(tuple((name, ()) for name in names.split())) for names in alternatives)


def kind(auth, *alternatives):
    return security.access(asks(*alternatives), Identity(auth=auth), SCHEMES).kind


@pytest.mark.parametrize(
    ("auth", "met"),
    [
        pytest.param(NONE, set(), id="none"),
        pytest.param(BASIC, {"basic", "authorization"}, id="basic"),
        pytest.param(BEARER, {"bearer", "oauth2", "oidc", "authorization"}, id="bearer"),
        pytest.param(KEY, set(), id="a key whose place is the default"),
        pytest.param(key("header", "x-key"), {"header"}, id="a header, in any case"),
        pytest.param(key("query", "key"), {"query"}, id="query"),
        pytest.param(key("query", "Key"), set(), id="query in another case"),
        pytest.param(key("cookie", "key"), {"cookie"}, id="cookie"),
        pytest.param(
            key("header", "Authorization"),
            {"authorization", "basic", "bearer", "oauth2", "oidc"},
            id="a whole value for Authorization",
        ),
    ],
)
def test_credentials_meet_the_schemes_whose_place_they_fill(auth, met):
    assert {name for name in SCHEMES if kind(auth, name) == "met"} == met


@pytest.mark.parametrize(
    ("auth", "alternatives", "expected"),
    [
        pytest.param(NONE, [], "anonymous", id="nothing is asked"),
        pytest.param(BEARER, [], "anonymous", id="nothing is asked of a known caller"),
        pytest.param(NONE, ["bearer", ""], "anonymous", id="anonymous access is one alternative"),
        pytest.param(BEARER, ["", "bearer"], "met", id="a known caller is more than anonymous"),
        pytest.param(BASIC, ["", "bearer"], "anonymous", id="other credentials where none are needed"),
        pytest.param(BEARER, ["basic", "bearer"], "met", id="one of two"),
        pytest.param(BEARER, ["bearer query"], "unmet", id="one of two that both count"),
        pytest.param(BEARER, ["bearer query", "oauth2"], "met", id="the second alternative"),
        pytest.param(BEARER, ["bearer oauth2"], "met", id="one token for two schemes"),
        pytest.param(BEARER, ["nowhere"], "unmet", id="a scheme that is not declared"),
        pytest.param(NONE, ["bearer"], "unmet", id="no credentials"),
    ],
)
def test_alternatives_are_or_of_and(auth, alternatives, expected):
    assert kind(auth, *alternatives) == expected


@pytest.mark.parametrize(
    ("auth", "alternatives", "reason"),
    [
        (NONE, ["bearer"], "no credentials are configured; the document asks for http bearer"),
        (
            BASIC,
            ["oauth2", "query mtls", "x"],
            "AUTH_TYPE is basic; the document asks for oauth2 or apiKey (query key) and mutualTLS or x (not declared)",
        ),
        (KEY, ["mtls"], "AUTH_TYPE is api_key (header X-API-Key); the document asks for mutualTLS"),
    ],
)
def test_the_reason_names_what_is_configured_and_what_is_asked(auth, alternatives, reason):
    assert security.access(asks(*alternatives), Identity(auth=auth), SCHEMES).reason == reason


@pytest.mark.parametrize(
    ("auth", "alternatives", "said"),
    [
        (
            NONE,
            ["bearer"],
            "the document asks for http bearer. This server's operator has to set AUTH_TYPE=bearer and AUTH_TOKEN",
        ),
        (
            NONE,
            ["basic"],
            "http basic. This server's operator has to set AUTH_TYPE=basic, AUTH_USERNAME and AUTH_PASSWORD",
        ),
        (NONE, ["query"], "apiKey (query key). This server's operator has to set AUTH_TYPE=api_key and AUTH_API_KEY"),
        (NONE, ["oauth2"], "has to set AUTH_TYPE=bearer and AUTH_TOKEN or AUTH_TYPE=oauth2"),
        (NONE, ["digest"], "has to set AUTH_TYPE=digest, AUTH_USERNAME and AUTH_PASSWORD"),
        (BASIC, ["query", "bearer"], "AUTH_TYPE=api_key and AUTH_API_KEY or AUTH_TYPE=bearer and AUTH_TOKEN"),
        (
            BASIC,
            ["mtls"],
            "the document asks for mutualTLS. This server's operator has to set AUTH_CLIENT_CERTIFICATE",
        ),
        (NONE, [], "No credentials are configured, and the document asks for none here; it knows "),
        (NONE, ["bearer", ""], "AUTH_TYPE=bearer and AUTH_TOKEN"),
    ],
)
def test_the_advice_names_the_settings_that_meet_what_the_document_asks_for(auth, alternatives, said):
    assert said in security.access(asks(*alternatives), Identity(auth=auth), SCHEMES).advice


def test_there_is_no_advice_where_credentials_are_configured_that_fit():
    identity = Identity(auth=BEARER)
    assert {security.access(asks(*one), identity, SCHEMES).advice for one in ([], ["bearer"], ["", "basic"])} == {""}


def test_a_reason_is_bounded():
    schemes = {f"s{number}": scheme(f"s{number}", "apiKey", "query", "k" * number) for number in range(1, 500)}
    assert len(security.access(asks(*schemes), Identity(), schemes).reason) <= 300


@pytest.mark.parametrize(
    ("auth", "referred", "expected"),
    [
        pytest.param(KEY, ["query"], ("key", "query"), id="the one place of the document"),
        pytest.param(KEY, ["query", "bearer"], ("key", "query"), id="other kinds do not matter"),
        pytest.param(KEY, ["query header"], ("X-API-Key", "header"), id="two places: the default"),
        pytest.param(KEY, ["bearer"], ("X-API-Key", "header"), id="none: the default"),
        pytest.param(key("header", "X-Ours"), ["query"], ("X-Ours", "header"), id="the operator's wins"),
        pytest.param(key(None, "key"), ["query", "header"], ("key", "query"), id="the name tells which"),
        pytest.param(key(None, "x-key"), ["query", "header"], ("X-Key", "header"), id="a header's name in any case"),
        pytest.param(key(None, "other"), ["query"], ("other", "header"), id="a name of the operator's own"),
        pytest.param(key("query", None), ["query", "header"], ("key", "query"), id="the location tells which"),
        pytest.param(key("query", None), ["header"], ("X-API-Key", "query"), id="a location of the operator's own"),
    ],
)
def test_the_place_of_a_key_is_the_operators_then_the_documents_then_the_default(auth, referred, expected):
    operations = [operation(security=asks(*referred))]
    place = security.key_place(auth, operations, SCHEMES)
    assert (place.name, place.location) == expected
    placed = security.placed(Identity(auth=auth), operations, SCHEMES)
    assert placed.auth == key(place.location, place.name)


def test_a_scheme_that_no_operation_asks_for_places_no_key():
    assert security.key_place(KEY, [operation()], {"query": SCHEMES["query"]}) == KeyPlace(
        name="X-API-Key", location="header"
    )


@pytest.mark.parametrize(
    ("auth", "known", "expected"),
    [
        (
            BEARER,
            ["header", "basic"],
            "AUTH_TYPE is bearer, which the document does not know; it knows apiKey (header X-Key), http basic",
        ),
        (
            key("query", "k"),
            ["query"],
            "AUTH_TYPE is api_key (query k), which the document does not know; it knows apiKey (query key)",
        ),
        (BEARER, ["header", "oauth2"], ""),
        (BEARER, [], ""),
        (NONE, ["header"], ""),
    ],
    ids=["another kind", "another place", "one is known", "a document without schemes", "nothing configured"],
)
def test_credentials_that_no_scheme_knows_are_told_with_what_it_knows(auth, known, expected):
    assert security.stranger(Identity(auth=auth), {name: SCHEMES[name] for name in known}) == expected


@pytest.mark.parametrize(
    ("schemes", "expected"),
    [
        (
            {"header": BEARER},
            "AUTH_SCHEMES.header is bearer; the document has apiKey (header X-Key) under that name",
        ),
        ({"digest": BASIC}, "AUTH_SCHEMES.digest is basic; the document has http digest under that name"),
        ({"header": KEY, "oauth2": BEARER, "authorization": BEARER, "digest": key("header", "X")}, ""),
        ({"basic": BASIC, "no": KEY}, "AUTH_SCHEMES: 'no' is no scheme of the document; it has"),
    ],
)
def test_a_credential_of_another_kind_than_its_scheme_is_told(schemes, expected):
    said = security.stranger(Identity(schemes=schemes), SCHEMES)
    assert said == expected or (expected and said.startswith(expected))


def test_a_scheme_of_a_document_that_has_none_is_told() -> None:
    said = security.stranger(Identity(schemes={"no": KEY}), {})
    assert said == "AUTH_SCHEMES: 'no' is no scheme of the document; it has none"
    assert security.stranger(Identity(auth=BEARER), {}) == ""


OPERATIONS = (
    operation(path="/open"),
    operation(path="/mine", security=asks("bearer")),
    operation(path="/theirs", security=asks("mtls")),
)


def test_a_tool_whose_credentials_are_not_configured_is_kept_and_counted():
    made = catalog(*OPERATIONS, security_schemes=SCHEMES, identity=Identity(auth=BEARER))
    assert [tool.access.kind for tool in made.tools.values()] == ["anonymous", "met", "unmet"]
    assert (made.apis[0].unmet, made.skipped) == (1, ())


def test_strict_auth_lists_it_as_skipped_with_the_reason():
    made = catalog(*OPERATIONS, security_schemes=SCHEMES, identity=Identity(auth=BEARER), strict_auth=True)
    assert (len(made.tools), made.apis[0].unmet) == (2, 0)
    assert reasons(made) == ["STRICT_AUTH: AUTH_TYPE is bearer; the document asks for mutualTLS"]
    assert made.skipped[0].operation.pointer == "#/paths/~1theirs/get"


def test_a_key_without_a_place_goes_where_the_document_has_it():
    made = catalog(operation(security=asks("query")), security_schemes=SCHEMES, identity=Identity(auth=KEY))
    assert made.apis[0].key_places[""] == KeyPlace(name="key", location="query")
    assert [tool.access.kind for tool in made.tools.values()] == ["met"]


APP = {"app_id": scheme("app_id", "apiKey", "header", "App-Id"), "app_key": scheme("app_key", "apiKey", "query", "k")}
TWO = {name: AuthShape(kind="api_key", setting=f"AUTH_SCHEMES.{name}.type") for name in APP}


@pytest.mark.parametrize(
    ("identity", "alternatives", "expected"),
    [
        pytest.param(Identity(schemes=TWO), ["app_id app_key"], ("met", ("app_id", "app_key")), id="and"),
        pytest.param(
            Identity(auth=BEARER, schemes=TWO), ["app_id app_key", "bearer"], ("met", ("app_id", "app_key")), id="or"
        ),
        pytest.param(
            Identity(auth=BEARER, schemes={"app_id": TWO["app_id"]}),
            ["app_id app_key", "bearer"],
            ("met", ("",)),
            id="the first that can be met whole",
        ),
        pytest.param(Identity(auth=BEARER, schemes=TWO), ["app_id bearer"], ("met", ("app_id", "")), id="one of each"),
        pytest.param(Identity(schemes=TWO), ["basic"], ("unmet", ()), id="none"),
        pytest.param(Identity(auth=BEARER, schemes=TWO), ["basic"], ("unmet", ("",)), id="the API's own is tried"),
        pytest.param(Identity(auth=BEARER, schemes=TWO), [], ("anonymous", ("",)), id="nothing asked for"),
        pytest.param(Identity(certificate=True), ["mtls"], ("met", ()), id="a certificate"),
        pytest.param(Identity(schemes=TWO, certificate=True), ["mtls app_id"], ("met", ("app_id",)), id="both"),
        pytest.param(Identity(auth=AuthShape(kind="oauth2")), ["oauth2"], ("met", ("",)), id="oauth2"),
        pytest.param(Identity(auth=AuthShape(kind="cognito")), ["bearer"], ("met", ("",)), id="cognito"),
        pytest.param(Identity(auth=AuthShape(kind="digest")), ["digest"], ("met", ("",)), id="digest"),
        pytest.param(Identity(auth=AuthShape(kind="digest")), ["basic"], ("unmet", ("",)), id="digest is not basic"),
    ],
)
def test_exactly_the_credentials_of_the_first_alternative_that_can_be_met_are_sent(identity, alternatives, expected):
    found = security.access(asks(*alternatives), identity, SCHEMES | APP)
    assert (found.kind, found.credentials) == expected


def test_people_are_told_what_an_operation_is_sent_with_and_where_that_was_set():
    schemes = SCHEMES | APP
    whole = Identity(
        auth=BEARER, schemes=TWO, certificate=True, headers=frozenset({"x-tenant"}), forwarded=frozenset({"x-user"})
    )
    identity = security.placed(whole, [operation(security=asks("app_id app_key"))], schemes)
    access = security.access(asks("app_id app_key"), identity, schemes)
    assert [tuple(each.values()) for each in security.told(identity, access)] == [
        ("api_key", "header App-Id", "AUTH_SCHEMES.app_id"),
        ("api_key", "query k", "AUTH_SCHEMES.app_key"),
        ("certificate", "TLS", "AUTH_CLIENT_CERTIFICATE"),
        ("fixed", "header x-tenant", "EXTRA_HEADERS"),
        ("forwarded", "header x-user", "FORWARD_HEADERS"),
    ]


def test_a_header_that_is_fixed_or_forwarded_is_nothing_to_ask_a_model_for():
    identity = Identity(headers=frozenset({"x-tenant"}), forwarded=frozenset({"x-user"}))
    parameters = [parameter(name, "header", required=True) for name in ("X-User", "X_User", "X-Tenant", "X-Mine")]
    made = catalog(operation(parameters=tuple(parameters)), identity=identity)
    [one] = made.tools.values()
    assert (set(one.input.names), set(one.input.required)) == ({"X-Mine"}, {"X-Mine"})
