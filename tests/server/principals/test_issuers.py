"""The keys of issuers over a network in memory, with a clock that jumps: down, slow, changed, broken; and Cognito's."""

from __future__ import annotations

import base64
import ssl
import tracemalloc

import anyio
import msgspec
import pytest
import trio
import trio.testing

from authorization_server import forged, key, signed
from clocks import run
from openapi_mcp_server.bridge.policy import Policy, Rule
from openapi_mcp_server.server.principals.claims import MOST_SCOPES
from openapi_mcp_server.server.principals.guard import CannotVerify, InvalidToken
from openapi_mcp_server.server.principals.issuers import FETCH_SECONDS, FRESH_SECONDS, PAUSE_SECONDS, Issuer
from openapi_mcp_server.server.principals.jwt_tokens import RECENT_SECONDS, JwtTokens
from openapi_mcp_server.settings.inbound import Inbound
from openapi_mcp_server.upstream.addresses import AddressRule
from openapi_mcp_server.upstream.sockets import ConnectError

NAME = "http://issuer.example.com"
FAR = 4_000_000_000
RULE = AddressRule(allow_private=False, allow_insecure=True)


class Web:
    """Hosts in memory. ``pages`` by URL: status and body, a body that takes for ever, or None for no connection."""

    def __init__(self, pages):
        self.pages = pages
        self.asked = []

    async def connect(self, host, port, seconds=0.0):
        await anyio.lowlevel.checkpoint()
        if self.pages is None:
            raise ConnectError("refused")
        return _Stream(self, host)


class _Stream:
    def __init__(self, web, host):
        self._web = web
        self._host = host
        self._scheme = "http"
        self._out = b""
        self._is_slow = False

    async def write(self, data):
        await anyio.lowlevel.checkpoint()
        if data:  # a whole head
            self._answer(f"{self._scheme}://{self._host}{data.split()[1].decode()}")

    def _answer(self, url):
        self._web.asked.append(url)
        page = self._web.pages.get(url, (404, b"{}"))
        self._is_slow = page == "slow"
        if not self._is_slow:
            status, body = page
            self._out = b"HTTP/1.1 %d x\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (
                status,
                len(body),
                body,
            )

    async def read(self, most):
        await anyio.lowlevel.checkpoint()
        if self._is_slow:
            await trio.sleep_forever()
        piece, self._out = self._out[:most], self._out[most:]
        return piece

    async def close(self):
        await anyio.lowlevel.checkpoint()

    async def start_tls(self, context, host):
        assert isinstance(context, ssl.SSLContext)
        self._scheme = "https"
        await anyio.lowlevel.checkpoint()
        return self

    def is_quiet(self):
        return True


def jwks(*kids):
    return msgspec.json.encode({"keys": [{**key(f"Ed25519/{kid}").as_dict(private=False), "kid": kid} for kid in kids]})


def pages(*kids, **changes):
    metadata = {"issuer": NAME, "jwks_uri": f"{NAME}/jwks", **changes}
    return {
        f"{NAME}/.well-known/openid-configuration": (200, msgspec.json.encode(metadata)),
        f"{NAME}/jwks": (200, jwks(*kids)),
    }


def token(kid, signer=None, **claims):
    said = {"iss": NAME, "sub": "ann", "aud": "us", "exp": FAR, **claims}
    return signed({"alg": "Ed25519", "kid": kid}, said, key(f"Ed25519/{signer or kid}")).encode()


def judged(web, story, **settings):
    """The story gets the outcome of a token: the principal's name, ``no`` or ``later``; and the time it took."""
    inbound = Inbound(kind="jwt", **{"issuers": (NAME,), "audience": ("us",), **settings})

    async def main():
        issuers = {name: Issuer(name, RULE, web) for name in inbound.issuers}
        verify = JwtTokens(inbound, issuers, Policy(default=Rule()))

        async def outcome(given):
            try:
                return (await verify(given)).name
            except InvalidToken:
                return "no"
            except CannotVerify:
                return "later"

        async with trio.open_nursery() as nursery:
            for issuer in issuers.values():
                nursery.start_soon(issuer.tend)
            await story(outcome)
            nursery.cancel_scope.cancel()

    run(main)


def test_members_of_a_key_that_are_null_are_not_there():
    written = key("Ed25519/a").as_dict(private=False) | {"kid": None, "alg": None, "use": None, "key_ops": None}
    web = pages("a") | {f"{NAME}/jwks": (200, msgspec.json.encode({"keys": [written]}))}

    async def story(outcome):
        assert (
            await outcome(
                signed(
                    {"alg": "Ed25519"}, {"iss": NAME, "sub": "ann", "aud": "us", "exp": FAR}, key("Ed25519/a")
                ).encode()
            )
            == "ann"
        )

    judged(Web(web), story)


def test_a_token_is_refused_however_deep_its_header_is_nested():
    """It is read twice. At some depths only the second reader, which is called by more functions, gives up."""

    async def story(outcome):
        for depth in range(600, 1_000):
            header = b'{"alg":"Ed25519","kid":"one","x":' + b"[" * depth + b"]" * depth + b"}"
            head = base64.urlsafe_b64encode(header).rstrip(b"=")
            assert await outcome(b".".join((head, *token("one").split(b".")[1:]))) == "no", depth

    judged(Web(pages("one")), story)


def scopes(count):
    return " ".join(f"scope{number}" for number in range(count))


@pytest.mark.parametrize(("count", "said"), [(MOST_SCOPES, "ann"), (MOST_SCOPES + 1, "no")])
def test_a_token_has_so_many_scopes_at_most(count, said):
    async def story(outcome):
        assert await outcome(token("one", scope=scopes(count))) == said

    judged(Web(pages("one")), story)


def test_tokens_with_any_number_of_scopes_take_little_memory():
    """Of an issuer that grants whatever is asked for, each client can have thousands."""
    tokens = [token("one", scope=scopes(MOST_SCOPES), jti=str(number)) for number in range(200)]

    async def story(outcome):
        assert await outcome(token("one")) == "ann"
        tracemalloc.start()
        assert [await outcome(each) for each in tokens] == ["ann"] * len(tokens)
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert kept < 2_000_000  # 12 MB, if the scopes of each were kept

    judged(Web(pages("one")), story)


def test_keys_that_change_are_known_soon_and_those_that_are_withdrawn_no_longer():
    web = Web(pages("one"))

    async def story(outcome):
        assert await outcome(token("one")) == "ann"
        web.pages = pages("two")
        assert await outcome(token("two")) == "no"  # nobody is asked again so soon
        await trio.sleep(PAUSE_SECONDS)
        assert await outcome(token("two")) == "ann"
        assert await outcome(token("one")) == "no"
        web.pages = pages("three")
        await trio.sleep(FRESH_SECONDS + PAUSE_SECONDS)
        assert await outcome(token("two")) == "no"

    judged(web, story)


def test_a_key_that_is_replaced_under_its_own_id_is_believed_no_longer():
    web = Web(pages("one"))

    async def story(outcome):
        assert await outcome(token("one")) == "ann"
        changed = {"keys": [{**key("Ed25519/another").as_dict(private=False), "kid": "one"}]}
        web.pages = {**pages("one"), f"{NAME}/jwks": (200, msgspec.json.encode(changed))}
        await trio.sleep(FRESH_SECONDS + PAUSE_SECONDS)
        assert await outcome(token("one")) == "no"
        assert await outcome(token("one", "another")) == "ann"

    judged(web, story)


@pytest.mark.parametrize("trouble", ["down", "slow", "broken", "large", "no UTF-8"])
def test_known_keys_are_good_for_an_hour_of_trouble_and_new_ones_after_it(trouble):
    web = Web(pages("one"))
    others = {
        "down": None, "slow": dict.fromkeys(pages(), "slow"), "broken": dict.fromkeys(pages(), (200, b"[")),
        "large": {**pages(), f"{NAME}/jwks": (200, b'{"keys":[' + b" " * 10_000_000)},
        "no UTF-8": dict.fromkeys(pages(), (200, b'{"issuer":"\xff","jwks_uri":"","keys":[{"kty":"\xff"}]}')),
    }  # fmt: skip

    async def story(outcome):
        assert await outcome(token("one")) == "ann"
        web.pages = others[trouble]
        for _ in range(11):
            await trio.sleep(300)
            began = trio.current_time()
            assert await outcome(token("one", sub="bob")) == "bob"
            assert trio.current_time() == began  # nobody waits for what is known
        await trio.sleep(400)
        assert await outcome(token("one", sub="carol")) == "later"
        web.pages = pages("one")
        await trio.sleep(PAUSE_SECONDS + 2 * FETCH_SECONDS)
        assert await outcome(token("one", sub="carol")) == "carol"

    judged(web, story)


def test_who_comes_while_an_issuer_says_nothing_waits_for_ten_seconds_at_most():
    async def story(outcome):
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(outcome, token("one", sub=f"{number}"))
        assert trio.current_time() - began <= 2 * FETCH_SECONDS

    web = Web(dict.fromkeys(pages(), "slow"))
    judged(web, story)
    assert len(web.asked) <= 2


def test_strangers_with_made_up_key_ids_cause_a_fetch_in_ten_seconds_and_no_more():
    web = Web(pages("one"))

    async def story(outcome):
        for number in range(200):
            assert await outcome(token(f"made up {number}", "one")) == "no"
            await trio.sleep(1)

    judged(web, story)
    assert len(web.asked) <= 2 * (1 + 220 / PAUSE_SECONDS)


@pytest.mark.parametrize(
    "jwks_uri",
    [
        "http://[::1", "http://[", "http://]/", "http://a:b:c/", "http://127.0.0.1:99999/x", "http://\u0130x/",
        f"http://{'a' * 300}/", "http://user:pw@issuer.example.com/jwks", "http://issuer.example.com\n:9/", "http://..../",
        "http:///x", "file:///etc/passwd", "gopher://issuer.example.com/", "", "jwks", "//issuer.example.com/jwks",
        "http://127.0.0.1/jwks", "http://169.254.169.254/latest/meta-data", "http://[::ffff:10.0.0.1]/",
        "http://256.256.256.256/jwks", f"http://issuer.example.com/{'x' * 70_000}",
    ],
)  # fmt: skip
def test_an_issuer_with_an_address_that_is_none_or_private_gives_no_key_until_it_is_mended(jwks_uri):
    web = Web(pages("one", jwks_uri=jwks_uri))

    async def story(outcome):
        assert await outcome(token("one")) == "later"
        web.pages = pages("one")
        await trio.sleep(PAUSE_SECONDS + 1)
        assert await outcome(token("one")) == "ann"

    judged(web, story)
    elsewhere = [url for url in web.asked if not url.startswith(NAME)]
    assert not [url for url in elsewhere if "127.0.0.1" in url or "169.254" in url or "10.0.0" in url]


JUNK = [
    5, "x", None, [], {}, {"kty": "RSA"},
    {"kty": "RSA", "n": 5, "e": "AQAB"}, {"kty": "RSA", "n": "!", "e": "AQAB"},
    {"kty": "RSA", "n": "AQ", "e": "AQ"}, {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
    {"kty": "EC", "crv": "no"},
    {"kty": "OKP", "crv": "Ed25519", "x": "AA"}, {"kty": "OKP", "crv": "X25519", "x": "A" * 43},
    {"kty": "oct", "k": "AA"},
    {"kty": "RSA", "n": "_" * 350, "e": "_" * 9000}, {"kty": {"a": 1}}, {"kty": "RSA", "use": "enc", "n": "_" * 350},
]  # fmt: skip


def test_keys_that_are_none_leave_the_others_usable():
    good = msgspec.json.decode(jwks("one"))["keys"]
    web = Web({**pages(), f"{NAME}/jwks": (200, msgspec.json.encode({"keys": [*JUNK, *good]}))})

    async def story(outcome):
        assert await outcome(token("one")) == "ann"
        assert await outcome(forged({"alg": "EdDSA", "kid": ""}, {"iss": NAME, "exp": FAR}).encode()) == "no"

    judged(web, story)


def test_a_token_that_was_verified_is_forgotten_when_it_ends():
    """The clock of tokens is the machine's."""
    import time

    async def story(outcome):
        ending = token("one", exp=time.time() - 29.5)
        assert await outcome(ending) == "ann"
        while time.time() < msgspec.json.decode(base64.urlsafe_b64decode(ending.split(b".")[1] + b"=="))["exp"] + 30:
            assert await outcome(ending) in {"ann", "no"}
        assert await outcome(ending) == "no"

    assert RECENT_SECONDS > 30
    judged(Web(pages("one")), story)


@pytest.fixture(scope="module")
def pool():
    """A user pool of Amazon Cognito as moto plays it: its issuer, a client, tokens of Ann, pages."""
    boto3, moto, requests = (pytest.importorskip(name) for name in ("boto3", "moto", "requests"))
    with moto.mock_aws():
        cognito = boto3.client("cognito-idp", "eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
        name = cognito.create_user_pool(PoolName="pool")["UserPool"]["Id"]
        given = {"UserPoolId": name, "ClientName": "agent", "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"]}
        client = cognito.create_user_pool_client(**given)["UserPoolClient"]["ClientId"]
        ann = {"UserPoolId": name, "Username": "ann"}
        cognito.admin_create_user(**ann)
        cognito.admin_set_user_password(**ann, Password="Passw0rd!1", Permanent=True)
        cognito.create_group(UserPoolId=name, GroupName="operators")
        cognito.admin_add_user_to_group(**ann, GroupName="operators")
        secrets = {"USERNAME": "ann", "PASSWORD": "Passw0rd!1"}
        flow = {"ClientId": client, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": secrets}
        tokens = cognito.initiate_auth(**flow)["AuthenticationResult"]
        issuer = f"https://cognito-idp.eu-central-1.amazonaws.com/{name}"
        urls = [f"{issuer}/.well-known/{page}" for page in ("openid-configuration", "jwks.json")]
        web = {url: (200, requests.get(url, timeout=5).content) for url in urls}
    return issuer, client, tokens, web


@pytest.mark.parametrize(
    ("settings", "access", "identity"),
    [
        ({}, True, True),
        ({"client_ids": ("another",)}, False, False),
        ({"client_ids": (), "audience": ("https://mcp.example.com/mcp",)}, False, False),
        ({"required_scopes": ("aws.cognito.signin.user.admin",)}, True, False),
    ],
    ids=["its client", "another client", "an audience", "a scope"],
)
def test_tokens_of_cognito_are_judged_by_their_client(pool, settings, access, identity):
    from openapi_mcp_server.server.principals.guard import MissingScope

    issuer, client, tokens, web = pool
    inbound = Inbound(kind="jwt", **{"issuers": (issuer,), "client_ids": (client,), **settings})
    policy = Policy(groups={"operators": Rule(read_only=True)})

    async def main():
        one = Issuer(issuer, RULE, Web(web))
        verify = JwtTokens(inbound, {issuer: one}, policy)

        async def lets_in(given):
            try:
                principal = await verify(given.encode())
            except (InvalidToken, MissingScope):
                return False
            assert principal.permit.granted == (Rule(read_only=True),)  # by its group
            return True

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.tend)
            assert (await lets_in(tokens["AccessToken"]), await lets_in(tokens["IdToken"])) == (access, identity)
            head, claims, signature = tokens["AccessToken"].split(".")
            assert not await lets_in(f"{head}.{claims}.{signature[::-1]}")
            nursery.cancel_scope.cancel()

    trio.run(main)
