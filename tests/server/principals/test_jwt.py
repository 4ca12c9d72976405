"""INBOUND_AUTH=jwt by the real program: the table of tokens, what a client is told, issuers that are down or change."""

from __future__ import annotations

import base64
import http.client
import time
from urllib.parse import urlsplit

import msgspec
import pytest

from asked import LIST, asked, call, fetch, tools, until
from authorization_server import authorization_server, by_secret, forged, key, signed
from processes import run, started

AUDIENCE = "https://mcp.example.com/mcp"
CLIENT = "1example23456789"
WELL_KNOWN = "/.well-known/oauth-protected-resource"
JWT = {"INBOUND_AUTH": "jwt", "INBOUND_JWT_AUDIENCE": AUDIENCE, "ALLOW_PRIVATE_NETWORKS": "true"}
SPEC = """
openapi: 3.1.0
info: {title: Pets, version: '1'}
servers: [{url: 'http://127.0.0.1:9'}]
paths:
  /pets: {get: {operationId: listPets, responses: {'200': {description: ok}}}}
  /pets/{id}:
    delete:
      operationId: deletePet
      x-mcp-scopes: [pets:write]
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {'204': {description: gone}}
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("spec") / "openapi.yaml"
    path.write_text(SPEC)
    return ("serve", "--spec-path", str(path), "--transport", "http", "--port", "0")


@pytest.fixture(scope="module")
def issuer():
    with authorization_server() as made:
        yield made


@pytest.fixture(scope="module")
def server(spec, issuer):
    with started(*spec, **JWT, INBOUND_JWT_ISSUERS=issuer.issuer) as one:
        yield one.url


def confused(issuer):
    """HMAC with the public key as its secret: what a library does that lets a token choose its algorithm."""
    return by_secret({"alg": "HS256", "kid": "rsa"}, issuer.claims(), issuer.keys["rsa"].as_pem(private=False))


def of_another_key(issuer, **header):
    return signed({"alg": "RS256", "kid": "rsa", **header}, issuer.claims(), key("RS256/another"))


def tampered(issuer):
    head, _, signature = issuer.token().split(".")
    return ".".join((head, forged({}, issuer.claims(sub="root")).split(".")[1], signature))


def unsigned(header, claims):
    """Of any bytes at all."""
    return ".".join(base64.urlsafe_b64encode(piece).rstrip(b"=").decode() for piece in (header, claims, b"none"))


NOW = int(time.time())
ACCEPTED = {
    "RS256": lambda issuer: issuer.token(),
    "ES256": lambda issuer: issuer.token(alg="ES256", kid="ec"),
    "Ed25519 as EdDSA": lambda issuer: issuer.token(alg="EdDSA", kid="ed"),
    "Ed25519 by its own name": lambda issuer: issuer.token(alg="Ed25519", kid="ed"),
    "no kid, and one key that fits": lambda issuer: issuer.token(kid=None),
    "an access token by its type": lambda issuer: issuer.token(header={"typ": "at+jwt"}),
    "one audience of several": lambda issuer: issuer.token(aud=["https://other.example.com", AUDIENCE]),
    "with an end that is too large for a fraction": lambda issuer: issuer.token(exp=10**400),
    "expired within the leeway": lambda issuer: issuer.token(exp=int(time.time()) - 10),
    "addresses of keys that nobody asks": lambda issuer: issuer.token(
        header={"jku": "http://127.0.0.1:1/jwks", "x5u": "http://127.0.0.1:1/x5"}
    ),
}
REFUSED = {
    "quoted": lambda issuer: f'"{issuer.token()}"',
    "no signature": lambda issuer: forged({"alg": "none"}, issuer.claims()),
    "no signature, in capitals": lambda issuer: forged({"alg": "NONE"}, issuer.claims()),
    "the public key as a secret": confused,
    "another key": of_another_key,
    "another key that comes with the token": lambda issuer: of_another_key(
        issuer, jwk=key("RS256/another").as_dict(private=False)
    ),
    "another key at an address": lambda issuer: of_another_key(issuer, jku="http://127.0.0.1:1/jwks"),
    "an unknown kid": lambda issuer: issuer.token(kid="nobody"),
    "a kid that is a path": lambda issuer: issuer.token(kid="../../../dev/null"),
    "a kid that is a query": lambda issuer: issuer.token(kid="' OR 1=1 --"),
    "a kid of another kind of key": lambda issuer: issuer.token(alg="ES256", kid="rsa2", header={"kid": "rsa"}),
    "crit": lambda issuer: forged({"alg": "RS256", "kid": "rsa", "crit": ["b64"], "b64": False}, issuer.claims()),
    "crit, signed": lambda issuer: issuer.token(header={"crit": ["b64"], "b64": True}),
    "crit, signed and empty": lambda issuer: issuer.token(header={"crit": []}),
    "an algorithm in other case": lambda issuer: forged({"alg": "rs256", "kid": "rsa"}, issuer.claims()),
    "HMAC with the published key's JSON": lambda issuer: by_secret(
        {"alg": "HS256", "kid": "rsa"}, issuer.claims(), msgspec.json.encode(issuer.jwks()["keys"][0])
    ),
    "HMAC with nothing": lambda issuer: by_secret({"alg": "HS256", "kid": "rsa"}, issuer.claims(), b""),
    "HMAC of a null device's content": lambda issuer: by_secret(
        {"alg": "HS256", "kid": "/dev/null"}, issuer.claims(), b"\0"
    ),
    "a kid that is a number": lambda issuer: forged({"alg": "RS256", "kid": 1}, issuer.claims()),
    "a kid that is a list": lambda issuer: forged({"alg": "RS256", "kid": ["rsa"]}, issuer.claims()),
    "a kid of an address": lambda issuer: issuer.token(kid="http://127.0.0.1:1/jwks"),
    "a kid with a NUL": lambda issuer: issuer.token(kid="rsa\0"),
    "a certificate at an address": lambda issuer: of_another_key(issuer, x5u="http://127.0.0.1:1/x5"),
    "a certificate that comes with it": lambda issuer: of_another_key(issuer, x5c=["MIIB"]),
    "unsecured content": lambda issuer: issuer.token(header={"typ": "dpop+jwt"}),
    "a signature cut short": lambda issuer: issuer.token()[:-8],
    "a signature of another token": lambda issuer: ".".join(
        (*issuer.token(sub="root").split(".")[:2], issuer.token().split(".")[2])
    ),
    "a header that is no UTF-8": lambda issuer: unsigned(b'{"alg":"RS256","kid":"\xff"}', b"{}"),
    "claims that are no UTF-8": lambda issuer: unsigned(b'{"alg":"RS256"}', b'{"iss":"\xff","exp":1}'),
    "groups that are no UTF-8": lambda issuer: unsigned(b'{"alg":"RS256"}', b'{"iss":"","exp":1,"groups":["\xff"]}'),
    "claims nested too deeply": lambda issuer: unsigned(b'{"alg":"RS256"}', b'{"realm_access":' + b"[" * 8_000),
    "five parts": lambda issuer: f"{issuer.token()}.e30.e30",
    "changed claims": tampered,
    "a wrong audience": lambda issuer: issuer.token(aud="https://other.example.com"),
    "an audience that begins alike": lambda issuer: issuer.token(aud=f"{AUDIENCE}/more"),
    "no audience": lambda issuer: issuer.token(aud=None),
    "a wrong issuer": lambda issuer: issuer.token(iss="https://evil.example.com"),
    "an issuer that begins alike": lambda issuer: issuer.token(iss=f"{issuer.issuer}/"),
    "expired long ago": lambda issuer: issuer.token(exp=0),
    "an end before the beginning of time": lambda issuer: issuer.token(exp=-1),
    "an end that is true": lambda issuer: forged({"alg": "RS256", "kid": "rsa"}, {**issuer.claims(), "exp": True}),
    "an audience that is an object": lambda issuer: issuer.token(aud={"https://mcp.example.com/mcp": 1}),
    "an audience in other case": lambda issuer: issuer.token(aud=AUDIENCE.upper()),
    "a subject that is a list": lambda issuer: issuer.token(sub=["alice"]),
    "a subject of a megabyte": lambda issuer: issuer.token(sub="a" * 10_000),
    "expired": lambda issuer: issuer.token(exp=int(time.time()) - 60),
    "without an end": lambda issuer: issuer.token(exp=None),
    "an end that is no number": lambda issuer: forged(
        {"alg": "RS256", "kid": "rsa"}, {**issuer.claims(), "exp": "never"}
    ),
    "not valid yet": lambda issuer: issuer.token(nbf=int(time.time()) + 120),
    "issued in the future": lambda issuer: issuer.token(iat=int(time.time()) + 120),
    "a logout token by its type": lambda issuer: issuer.token(header={"typ": "logout+jwt"}),
    "nobody's": lambda issuer: issuer.token(sub=None),
    "three dots": lambda issuer: "...",
    "no JSON": lambda issuer: "e30.e30x.e30",
    "nested without end": lambda issuer: forged({"alg": "RS256"}, {}).split(".")[0] + "." + "W1tb" * 3000 + ".x",
    "an opaque one": lambda issuer: "2YotnFZFEjr1zCsicMWpAA",
}


@pytest.mark.parametrize("kind", ACCEPTED)
def test_a_token_that_is_in_order_lets_in(server, issuer, kind):
    assert tools(server, ACCEPTED[kind](issuer)) == ["listPets"]


@pytest.mark.parametrize("kind", REFUSED)
def test_any_other_token_is_refused(server, issuer, kind):
    status, headers, body = asked(server, REFUSED[kind](issuer))
    assert status == 401
    assert 'error="invalid_token"' in headers["www-authenticate"]
    assert b"Traceback" not in body
    assert b"result" not in body


def test_a_token_of_100_kilobytes_is_refused_unread(server, issuer):
    status, _, _ = asked(server, issuer.token(padding="x" * 100_000))
    assert status in {400, 401, 431}


def sent(url, *fields):
    """The status of the answer to a list with these header fields, as they are, and its challenge."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.putrequest("POST", "/mcp")
    for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(LIST))), *fields):
        connection.putheader(name, value)
    connection.endheaders(LIST)
    answer = connection.getresponse()
    connection.close()
    return answer.status, answer.headers.get("www-authenticate", "")


MALFORMED = {
    "two tokens": lambda token: [("Authorization", f"Bearer {token}")] * 2,
    "a good one after a bad one": lambda token: [("Authorization", "Bearer bad"), ("Authorization", f"Bearer {token}")],
    "a bad one after a good one": lambda token: [("Authorization", f"Bearer {token}"), ("Authorization", "Bearer bad")],
    "two in other case": lambda token: [("authorization", f"Bearer {token}"), ("AUTHORIZATION", f"Bearer {token}")],
    "two in one field": lambda token: [("Authorization", f"Bearer {token}, Bearer {token}")],
    "one and nothing": lambda token: [("Authorization", f"Bearer {token}"), ("Authorization", "")],
    "a tab": lambda token: [("Authorization", f"Bearer\t{token}")],
    "a word behind it": lambda token: [("Authorization", f"Bearer {token} x")],
    "another scheme behind it": lambda token: [("Authorization", f"Bearer {token}"), ("Authorization", "Basic eDp5")],
    "a longer one than any": lambda token: [("Authorization", f"Bearer {token}{'x' * 20_000}")],
}
NOBODY = {
    "nothing": lambda token: [("Authorization", "")],
    "a scheme alone": lambda token: [("Authorization", "Bearer ")],
    "a scheme that begins alike": lambda token: [("Authorization", f"Bearers {token}")],
    "another that does": lambda token: [("Authorization", f"Bearer-x {token}")],
    "another name": lambda token: [("Proxy-Authorization", f"Bearer {token}")],
    "an underscore": lambda token: [("X_Authorization", f"Bearer {token}")],
    "a name that a proxy sets": lambda token: [("X-Forwarded-Authorization", f"Bearer {token}")],
    "a cookie": lambda token: [("Cookie", f"access_token={token}; Authorization=Bearer {token}")],
    "without its scheme": lambda token: [("Authorization", token)],
    "another scheme": lambda token: [("Authorization", f"DPoP {token}")],
}


@pytest.mark.parametrize("how", MALFORMED)
def test_a_token_counts_once_and_alone(server, issuer, how):
    """RFC 6750 section 3.1, invalid_request."""
    assert sent(server, ("Authorization", f"Bearer {issuer.token()}"))[0] == 200
    status, challenge = sent(server, *MALFORMED[how](issuer.token()))
    assert (status, 'error="invalid_request"' in challenge) == (400, True)


@pytest.mark.parametrize("how", NOBODY)
def test_a_token_counts_in_its_header_only_and_elsewhere_is_no_error(server, issuer, how):
    """RFC 6750 section 3.1: who brings no token of this scheme is told of no error."""
    status, challenge = sent(server, *NOBODY[how](issuer.token()))
    assert (status, challenge.startswith("Bearer resource_metadata=")) == (401, True)


def test_a_token_in_the_address_counts_for_nothing(server, issuer):
    for name in ("access_token", "token", "authorization", "Authorization"):
        assert asked(f"{server}?{name}={issuer.token()}", None)[0] == 401


def test_who_has_no_token_is_told_where_to_get_one(server, issuer):
    status, headers, _ = asked(server, None)
    root = server.removesuffix("/mcp")
    place = f"{root}/.well-known/oauth-protected-resource/mcp"
    assert (status, headers["www-authenticate"]) == (401, f'Bearer resource_metadata="{place}"')
    for url in (place, f"{root}/.well-known/oauth-protected-resource"):
        status, _, body = fetch(url)
        told = msgspec.json.decode(body)
        assert (status, told["resource"], told["authorization_servers"]) == (200, server, [issuer.issuer])
        assert told["bearer_methods_supported"] == ["header"]


@pytest.mark.parametrize(
    ("method", "path", "place"),
    [
        ("POST", "/mcp", "mcp"),
        ("GET", "/sse", "sse"),
        ("POST", "/messages/w0/?session_id=x", "sse"),
        ("GET", "/health", "mcp"),
    ],
)
def test_each_transport_is_a_resource_of_its_own(server, method, path, place):
    """Clients compare the resource with the address that they were given: that of a session's messages is not it."""
    root = server.removesuffix("/mcp")
    status, headers, _ = fetch(
        f"{root}{path}", method, LIST if method == "POST" else b"", content_type="application/json"
    )
    assert (status, headers["www-authenticate"]) == (401, f'Bearer resource_metadata="{root}{WELL_KNOWN}/{place}"')


@pytest.mark.parametrize("space", ["\u00a0", "\u2003", "\t", "\n", "\x1f", "\u3000", ","])
def test_only_a_space_parts_scopes(server, issuer, space):
    for claims in ({"scope": f"pets:read{space}pets:write"}, {"scope": None, "scp": f"a{space}pets:write"}):
        assert tools(server, issuer.token(**claims)) == ["listPets"]


def test_probes_ask_nobody_and_health_does(server):
    root = server.removesuffix("/mcp")
    assert [fetch(f"{root}{path}")[0] for path in ("/livez", "/readyz", "/ping", "/health")] == [200, 200, 200, 401]


def test_a_page_can_read_the_challenge_and_the_metadata(server):
    root, page = server.removesuffix("/mcp"), "http://localhost:5000"
    for answer in (
        asked(server, None, origin=page),
        fetch(f"{root}/.well-known/oauth-protected-resource", origin=page),
    ):
        assert answer[1]["access-control-allow-origin"] == page


def test_an_operation_with_scopes_is_there_for_who_has_them(server, issuer):
    assert tools(server, issuer.token(scope="pets:read pets:write")) == ["listPets", "deletePet"]
    assert tools(server, issuer.token(scope=None, scp=["pets:write"])) == ["listPets", "deletePet"]
    _, _, body = asked(server, issuer.token(), call("deletePet", id="1"))
    assert b"unknown tool 'deletePet'" in body


def test_scopes_that_every_token_needs_are_asked_for(spec, issuer):
    settings = {**JWT, "INBOUND_JWT_ISSUERS": issuer.issuer, "INBOUND_JWT_REQUIRED_SCOPES": "pets:read pets:write"}
    with started(*spec, **settings) as one:
        assert 'scope="pets:read pets:write"' in asked(one.url, None)[1]["www-authenticate"]
        status, headers, _ = asked(one.url, issuer.token(scope="pets:read"))
        assert status == 403
        assert 'error="insufficient_scope"' in headers["www-authenticate"]
        assert 'scope="pets:read pets:write"' in headers["www-authenticate"]
        assert tools(one.url, issuer.token(scope="pets:write pets:read other"))


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"aud": None, "client_id": CLIENT, "token_use": "access"}, 200),
        ({"aud": CLIENT, "token_use": "id"}, 200),
        ({"aud": AUDIENCE, "azp": CLIENT}, 200),
        ({"aud": None, "client_id": "another", "token_use": "access"}, 401),
        ({"aud": "another", "token_use": "id"}, 401),
        ({"aud": AUDIENCE, "azp": "another"}, 401),
        ({"aud": AUDIENCE, "client_id": CLIENT, "azp": "another"}, 401),
        ({"aud": None, "client_id": CLIENT, "token_use": "refresh"}, 401),
        ({"aud": AUDIENCE}, 401),
    ],
    ids=str,
)
def test_clients_are_told_apart_where_they_are_configured(with_clients, issuer, changes, status):
    assert asked(with_clients, issuer.token(**changes))[0] == status


@pytest.fixture(scope="module")
def with_clients(spec, issuer):
    with started(*spec, **JWT, INBOUND_JWT_ISSUERS=issuer.issuer, INBOUND_JWT_CLIENT_IDS=CLIENT) as one:
        yield one.url


@pytest.mark.parametrize(
    "answer",
    [(500, b""), (200, b"[]"), (200, b'{"keys":[]}'), (200, b"x" * 10_000_000)],
    ids=["500", "list", "none", "10MB"],
)
def test_an_issuer_without_keys_lets_nobody_in_and_says_try_again(spec, answer):
    with authorization_server() as issuer:
        issuer.answers["/jwks"] = lambda: answer
        with started(*spec, **JWT, INBOUND_JWT_ISSUERS=issuer.issuer) as one:
            status, headers, _ = asked(one.url, issuer.token())
            assert (status, "retry-after" in headers) == (503, True)


def test_an_issuer_that_calls_itself_otherwise_is_none(spec):
    with authorization_server() as issuer:
        issuer.answers["/.well-known/openid-configuration"] = lambda: (
            200,
            msgspec.json.encode({**issuer.metadata(), "issuer": "https://evil.example.com"}),
        )
        with started(*spec, **JWT, INBOUND_JWT_ISSUERS=issuer.issuer) as one:
            assert asked(one.url, issuer.token())[0] == 503


def test_keys_stay_good_while_their_issuer_is_down(spec):
    with authorization_server() as issuer, started(*spec, **JWT, INBOUND_JWT_ISSUERS=issuer.issuer) as one:
        until(lambda: asked(one.url, issuer.token())[0] == 200)
        issuer.answers["/jwks"] = lambda: (500, b"")
        assert asked(one.url, issuer.token(sub="bob"))[0] == 200


def test_many_unknown_kids_make_few_requests(server, issuer):
    until(lambda: asked(server, issuer.token())[0] == 200)
    before = issuer.asked.count("/jwks")  # its metadata is at one of three places, which may be asked in turn
    assert {asked(server, issuer.token(kid=f"made up {number}"))[0] for number in range(20)} == {401}
    assert issuer.asked.count("/jwks") - before < 10  # the rest of the 20 by what is known: a request in 10 s


def test_brackets_around_nothing_are_an_audience_and_no_address(spec, issuer):
    settings = {**JWT, "INBOUND_JWT_ISSUERS": issuer.issuer, "INBOUND_JWT_AUDIENCE": "https://[api"}
    with started(*spec, **settings) as one:
        assert asked(one.url, None)[0] == 401
        assert tools(one.url, issuer.token(aud="https://[api")) == ["listPets"]


@pytest.fixture(scope="module")
def anywhere(spec, issuer):
    with started(*spec, **JWT, INBOUND_JWT_ISSUERS=issuer.issuer, ALLOWED_HOSTS="*") as one:
        yield one.url


@pytest.mark.parametrize("host", ["[", "[::1", "[::::]", "[x]:1", "a]b", "a@b", "a/../b", "a,b", "a b", "a\tb", "é"])
def test_a_host_that_is_none_is_refused_everywhere(anywhere, host):
    for method, path in (("POST", "/mcp"), ("GET", "/sse"), ("GET", "/health"), ("GET", WELL_KNOWN)):
        connection = http.client.HTTPConnection(urlsplit(anywhere).netloc, timeout=10)
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host.encode())
        connection.endheaders()
        assert connection.getresponse().status in {200, 400, 401, 404, 421}
        connection.close()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"INBOUND_JWT_ISSUERS": "https://[a", "INBOUND_JWT_AUDIENCE": "x"}, "INBOUND_JWT_ISSUERS: "),
        ({"INBOUND_JWT_ISSUERS": "https://a.example.com/?x=1", "INBOUND_JWT_AUDIENCE": "x"}, "INBOUND_JWT_ISSUERS: "),
    ],
)
def test_an_issuer_that_is_no_address_stops_the_start(spec, settings, problem):
    done = run(*spec, INBOUND_AUTH="jwt", **settings)
    assert (done.returncode, problem in done.stderr, "Traceback" in done.stderr) == (2, True, False)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "INBOUND_JWT_ISSUERS: is missing"),
        ({"INBOUND_JWT_ISSUERS": "https://a.example.com"}, "INBOUND_JWT_AUDIENCE: is missing"),
        ({"INBOUND_JWT_ISSUERS": "a.example.com"}, "INBOUND_JWT_ISSUERS: "),
        (
            {"INBOUND_JWT_ISSUERS": "https://a.example.com", "INBOUND_JWT_ALGORITHMS": "HS256"},
            "INBOUND_JWT_ALGORITHMS: ",
        ),
        (
            {"INBOUND_JWT_ISSUERS": "http://login.example.com", "INBOUND_JWT_AUDIENCE": "x"},
            "INBOUND_JWT_ISSUERS: http://login.example.com: http:// is not encrypted; use https://, or",
        ),
        (
            {"INBOUND_JWT_ISSUERS": "https://169.254.169.254", "INBOUND_JWT_AUDIENCE": "x"},
            "INBOUND_JWT_ISSUERS: https://169.254.169.254: ",
        ),
    ],
)
def test_settings_that_would_let_in_nobody_or_everybody_stop_the_start(spec, settings, problem):
    done = run(*spec, INBOUND_AUTH="jwt", **settings)
    assert done.returncode == 2
    assert problem in done.stderr
