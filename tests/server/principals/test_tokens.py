"""INBOUND_AUTH=token by the real program: who gets in, what each may see, and two of them beside one another."""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
import trio
import trio.testing

from asked import LIST, asked, call, fetch, message, tools
from held import HeldApi
from openapi_mcp_server.bridge.policy import OPEN
from openapi_mcp_server.server.access.proxies import Seen
from openapi_mcp_server.server.posts import Refusal
from openapi_mcp_server.server.principals.guard import CannotVerify, Guard, InvalidToken
from openapi_mcp_server.server.principals.static_tokens import WAITING, StaticTokens
from openapi_mcp_server.settings.inbound import Scrypt, StaticToken
from processes import run, started

ALICE, BOB, CAROL = "alice-0123456789abcdef", "bob-0123456789abcdef", "carol-0123456789abcdef"
SALT = b"0123456789abcdef"
SLOW = hashlib.scrypt(CAROL.encode(), salt=SALT, n=16384, r=8, p=1)
TOKENS = [
    {"name": "alice", "token": ALICE},
    {"name": "bob", "sha256": hashlib.sha256(BOB.encode()).hexdigest(), "read_only": True},
    {
        "name": "carol",
        "scrypt": f"scrypt$16384$8$1${base64.b64encode(SALT).decode()}${base64.b64encode(SLOW).decode()}",
        "tags": ["pets"],
    },
]
SPEC = """
openapi: 3.1.0
info: {title: Pets, version: '1'}
servers: [{url: 'http://127.0.0.1:9'}]
paths:
  /pets:
    get: {operationId: listPets, tags: [pets], responses: {'200': {description: ok}}}
    post: {operationId: addPet, tags: [pets], responses: {'200': {description: ok}}}
  /secret_orders: {get: {operationId: secretOrders, tags: [orders], responses: {'200': {description: ok}}}}
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("spec") / "openapi.yaml"
    path.write_text(SPEC)
    return ("serve", "--spec-path", str(path), "--transport", "http", "--port", "0", "--allow-private-networks")


@pytest.fixture(scope="module")
def server(spec):
    with started(*spec, INBOUND_AUTH="token", INBOUND_TOKENS=msgspec.json.encode(TOKENS).decode()) as one:
        yield one


def test_each_token_sees_what_it_may_call(server):
    assert tools(server.url, ALICE) == ["listPets", "addPet", "secretOrders"]
    assert tools(server.url, BOB) == ["listPets", "secretOrders"]
    assert tools(server.url, CAROL) == ["listPets", "addPet"]
    assert tools(server.url, CAROL) == ["listPets", "addPet"]  # which was tried on the slow hash once


@pytest.mark.parametrize(
    "token", [None, "", "x", ALICE[:-1], f"{ALICE}x", ALICE.upper(), hashlib.sha256(BOB.encode()).hexdigest()]
)
def test_nobody_else_gets_in(server, token):
    status, headers, body = asked(server.url, token)
    assert status == 401
    assert headers["www-authenticate"].startswith("Bearer")
    assert b"listPets" not in body


def test_another_scheme_is_no_token(server):
    basic = base64.b64encode(f"alice:{ALICE}".encode()).decode()
    assert fetch(server.url, "POST", LIST, content_type="application/json", authorization=f"Basic {basic}")[0] == 401


PROMPT = message("prompts/get", name="secretOrders", arguments={})


@pytest.mark.parametrize(
    "body",
    [
        LIST, message("prompts/list"), message("resources/list"), message("resources/templates/list"), PROMPT,
        call("secretOrders"), call("secretOrder"), message("tools/call", name="secretorders", arguments={}),
        message("completion/complete", ref={"type": "ref/prompt", "name": "listPets"},
                argument={"name": "a", "value": ""}),
        message("resources/read", uri="openapi://api/operations/secretOrders"),
        message("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "t", "version": "1"}),
    ],
    ids=lambda body: msgspec.json.decode(body)["method"],
)  # fmt: skip
def test_nothing_of_a_tool_that_may_not_be_called_is_in_any_answer(server, body):
    sent, (_, _, answer) = body, asked(server.url, CAROL, body)
    own = b"secretOrders" if b"secretOrders" in sent else b"-"  # what was asked for may be repeated, as any name
    left = answer.replace(b"'" + own + b"'", b"").replace(b"openapi://api/operations/secretOrders", b"")
    assert b"secret_orders" not in answer
    assert b"secretOrders" not in left


def test_a_tool_that_may_not_be_called_is_as_unknown_as_one_that_never_was(server):
    _, _, denied = asked(server.url, BOB, call("addPet"))
    _, _, unknown = asked(server.url, BOB, call("addPot"))
    assert denied == unknown.replace(b"addPot", b"addPet")


class Stream:
    """A session of HTTP+SSE: its address for messages."""

    def __init__(self, root: str, token: str | None) -> None:
        self._root = root
        self._connection = http.client.HTTPConnection(urlsplit(root).netloc, timeout=10)
        given = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._connection.request("GET", "/sse", headers=given)
        self._answer = self._connection.getresponse()
        self.status = self._answer.status
        self.address = ""
        if self.status == 200:
            found = re.search(rb"data: (\S+)", self._answer.readline() + self._answer.readline())
            assert found is not None
            self.address = found[1].decode()

    def post(self, token, body):
        return asked(f"{self._root}{self.address}", token, body)[0]

    def line(self):
        while not (line := self._answer.readline()).startswith(b"data: "):
            pass
        return line

    def close(self):
        self._connection.close()


@pytest.fixture
def streams(server):
    root = server.url.removesuffix("/mcp")
    opened = Stream(root, ALICE), Stream(root, BOB)
    yield opened
    for each in opened:
        each.close()


FOREIGN = {
    "a list": LIST,
    "a call": call("listPets"),
    "a cancel": msgspec.json.encode(
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    ),
    "a handshake": message(
        "initialize", protocolVersion="2024-11-05", capabilities={}, clientInfo={"name": "t", "version": "1"}
    ),
    "no message": b"{",
}


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("token", [BOB, CAROL, None, "nobody-0123456789abcdef"])
def test_a_session_is_that_of_who_opened_it(streams, kind, token):
    """To everybody else it is as unknown as a session that never was."""
    mine, _ = streams
    assert mine.post(token, FOREIGN[kind]) == (404 if token in {BOB, CAROL} else 401)
    assert mine.post(ALICE, message("tools/list", "mine")) == 202
    assert b'"mine"' in mine.line()  # and nothing came before it


def test_each_session_gets_its_own_answers(streams):
    mine, other = streams
    assert mine.post(ALICE, message("tools/list", 7)) == 202
    assert other.post(BOB, message("tools/list", 7)) == 202
    assert b"addPet" in mine.line()
    assert b"addPet" not in other.line()


def test_a_foreign_session_id_on_the_stateless_endpoint_means_nothing(server, streams):
    session = streams[0].address.rpartition("=")[2]
    given = {"authorization": f"Bearer {BOB}", "mcp_session_id": session}
    _, _, body = fetch(server.url, "POST", LIST, content_type="application/json", **given)
    assert b"addPet" not in body


def test_lists_are_private_where_callers_differ(server):
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    for method in ("tools/list", "prompts/list", "server/discover"):
        body = message(method, _meta=meta)
        given = {"authorization": f"Bearer {ALICE}", "mcp_protocol_version": "2026-07-28", "mcp_method": method}
        _, _, answer = fetch(server.url, "POST", body, content_type="application/json", **given)
        assert msgspec.json.decode(answer)["result"]["cacheScope"] == "private"


def test_the_log_says_who_called_and_never_the_token(spec):
    with started(*spec, INBOUND_AUTH="token", INBOUND_TOKENS=msgspec.json.encode(TOKENS).decode()) as one:
        asked(one.url, ALICE, call("listPets"))
        line = one.wait_for("^call$")
        assert (line["principal"], line["tool"]) == ("alice", "listPets")
        one.process.terminate()
        one.read_to_the_end()
        assert ALICE not in str(one.log)


def test_a_server_with_static_tokens_loads_no_library_for_others(spec):
    with started(*spec, INBOUND_AUTH="token", INBOUND_TOKENS=msgspec.json.encode(TOKENS).decode()) as one:
        assert asked(one.url, ALICE)[0] == 200
        assert "cryptography" not in Path(f"/proc/{one.process.pid}/maps").read_text("utf-8")


@pytest.mark.parametrize(
    ("tokens", "problem"),
    [
        ("", "INBOUND_TOKENS: is missing"),
        ("secret-secret-secret", "must be a JSON array"),
        ("[]", "must name 1 to"),
        ('[{"name": "a"}]', "INBOUND_TOKENS[0]: needs one of"),
        ('[{"name": "a", "token": "secret"}]', "INBOUND_TOKENS[0].token: must have at least"),
        ('[{"name": "a", "sha256": "secret"}]', "INBOUND_TOKENS[0].sha256: must be"),
        ('[{"name": "a", "scrypt": "scrypt$3$8$1$secret$secret"}]', "INBOUND_TOKENS[0].scrypt: must be"),
        (f'[{{"name": "a", "scrypt": "scrypt$65536$1$1$c2FsdA==${"c2VjcmV0" * 4}"}}]', "scrypt: must be scrypt$N$r"),
        ('[{"name": "a", "token": "secret-0123456789", "sorcery": 1}]', "INBOUND_TOKENS[0]: "),
        (
            '[{"name": "a", "token": "secret-0123456789"}, {"name": "b", "token": "secret-0123456789"}]',
            "INBOUND_TOKENS[1]: has",
        ),
    ],
)
def test_tokens_that_cannot_be_used_stop_the_start_and_are_not_shown(spec, tokens, problem):
    done = run(*spec, INBOUND_AUTH="token", INBOUND_TOKENS=tokens)
    assert done.returncode == 2
    assert problem in done.stderr
    assert "secret" not in done.stderr


def test_a_call_over_the_rate_is_refused_before_it_is_carried_out(spec):
    tokens = [{"name": "greedy", "token": ALICE, "rate": 2}, {"name": "other", "token": BOB}]
    with started(*spec, INBOUND_AUTH="token", INBOUND_TOKENS=msgspec.json.encode(tokens).decode()) as one:
        answers = [asked(one.url, ALICE, call("nothing")) for _ in range(20)]
        refused = [headers for status, headers, _ in answers if status == 429]
        assert len(refused) >= 15
        assert all(headers["retry-after"] == "1" for headers in refused)
        assert {asked(one.url, BOB, call("nothing"))[0] for _ in range(20)} == {200}
        assert {asked(one.url, ALICE)[0] for _ in range(20)} == {200}  # lists cost an API nothing


def test_sessions_of_one_principal_are_limited_and_others_come_in(spec):
    with started(
        *spec, "--session-limit", "3", INBOUND_AUTH="token", INBOUND_TOKENS=msgspec.json.encode(TOKENS).decode()
    ) as one:
        root = one.url.removesuffix("/mcp")
        mine = [Stream(root, ALICE) for _ in range(5)]
        other = Stream(root, BOB)
        assert [each.status for each in (*mine, other)] == [200, 200, 200, 429, 429, 200]
        for each in (*mine, other):
            each.close()


def test_calls_at_once_are_counted_over_all_transports_and_in_batches(tmp_path):
    """With a limit of two: one in a session, one beside it, and then none before an answer."""
    (tmp_path / "held.yaml").write_text(HeldApi.DOCUMENT)
    api = HeldApi()
    argv = ("serve", "--spec-path", str(tmp_path / "held.yaml"), "--transport", "http", "--port", "0")
    settings = {"INBOUND_AUTH": "token", "INBOUND_TOKENS": msgspec.json.encode(TOKENS).decode(), "CALL_LIMIT": "2"}
    with started(*argv, "--api-url", api.url, "--allow-private-networks", **settings) as one:
        root = one.url.removesuffix("/mcp")
        mine, other = Stream(root, ALICE), Stream(root, ALICE)

        def batch(calls, version="2025-03-26"):
            body = b"[" + b",".join(call("held", number) for number in range(calls)) + b"]"
            given = {"authorization": f"Bearer {ALICE}", "mcp_protocol_version": version}
            return fetch(one.url, "POST", body, content_type="application/json", **given)[0]

        assert batch(3) == 429
        assert mine.post(ALICE, call("held")) == 202
        first = api.accept()
        assert batch(2) == 429
        assert other.post(ALICE, call("held")) == 202
        second = api.accept()
        assert [asked(one.url, ALICE, call("held"))[0], mine.post(ALICE, call("held")), batch(1)] == [429, 429, 429]
        assert [asked(one.url, BOB)[0], mine.post(ALICE, message("ping"))] == [200, 202]  # others, and small talk
        for connection in (first, second):
            connection.sendall(HeldApi.ANSWER)
            connection.close()
        mine.line()
        other.line()
        assert mine.post(ALICE, call("held")) == 202
        api.accept().close()
        for each in (mine, other):
            each.close()
    api.close()


def test_health_names_to_each_the_apis_of_which_it_may_call_something(spec, tmp_path):
    (tmp_path / "shop.yaml").write_text(SPEC.replace("title: Pets", "title: Hidden Shop"))
    more = msgspec.json.encode([{"name": "hiddenshop", "spec_path": str(tmp_path / "shop.yaml")}]).decode()
    argv = (*spec, "--api-name", "pets", "--additional-specs", more)
    tokens = [TOKENS[0], {"name": "bob", "token": BOB, "apis": ["pets"], "read_only": True}]
    settings = {"INBOUND_AUTH": "token", "INBOUND_TOKENS": msgspec.json.encode(tokens).decode()}
    with started(*argv, **settings) as one:
        health = one.url.removesuffix("/mcp") + "/health"
        told = [fetch(health, authorization=f"Bearer {token}")[2] for token in (ALICE, BOB)]
    everything, part = map(msgspec.json.decode, told)
    assert [api["name"] for api in everything["apis"]] == ["pets", "hiddenshop"]
    assert (part["tools"], [(api["name"], api["tools"]) for api in part["apis"]]) == (2, [("pets", 2)])
    assert b"idden" not in told[1]


def test_strangers_tokens_are_tried_on_slow_hashes_for_a_quarter_of_the_time():
    """A stranger can send as many as he likes; each costs 50 ms of CPU, and thrice as long nobody is tried."""
    tried = []
    began = time.process_time()

    async def main():
        slow = Scrypt(16384, 8, 1, SALT, SLOW)
        verify = StaticTokens([StaticToken(name="carol", scrypt=slow)], OPEN)

        async def stranger(number):
            try:
                await verify(b"stranger-%d" % number)
            except (InvalidToken, CannotVerify) as error:
                tried.append(type(error))

        with trio.move_on_after(1):
            async with trio.open_nursery() as nursery:
                for number in range(100):
                    nursery.start_soon(stranger, number)
        assert (await verify(CAROL.encode())).name == "carol"

    trio.run(main)
    assert tried.count(CannotVerify) == 100 - WAITING
    assert time.process_time() - began < 0.7


@pytest.mark.parametrize("token", [CAROL, "stranger-0123456789"])
def test_a_token_that_comes_many_times_at_once_is_tried_on_slow_hashes_once(token, monkeypatch):
    tried, scrypt = [], hashlib.scrypt
    monkeypatch.setattr(hashlib, "scrypt", lambda *args, **named: tried.append(args) or scrypt(*args, **named))

    async def main():
        verify = StaticTokens([StaticToken(name="carol", scrypt=Scrypt(16384, 8, 1, SALT, SLOW))], OPEN)

        async def one():
            with suppress(InvalidToken):
                await verify(token.encode())

        async with trio.open_nursery() as nursery:
            for _ in range(WAITING):
                nursery.start_soon(one)

    trio.run(main)
    assert len(tried) == 1


def test_tokens_in_a_file_are_exchanged_while_the_server_runs(spec, tmp_path):
    """Two are good while clients change from one to the other, so nobody is refused on the way."""
    file, new = tmp_path / "tokens.json", tmp_path / "new.json"

    def becomes(*names):
        new.write_text(msgspec.json.encode([one for one in TOKENS if one["name"] in names]).decode())
        new.rename(file)
        server.wait_for("credentials are those of now")

    file.write_text(msgspec.json.encode(TOKENS[:1]).decode())
    with started(*spec, INBOUND_AUTH="token", INBOUND_TOKENS_FILE=str(file)) as server:
        url = server.url
        assert [asked(url, token)[0] for token in (ALICE, CAROL)] == [200, 401]
        becomes("alice", "carol")
        assert [asked(url, token)[0] for token in (ALICE, CAROL)] == [200, 200]
        becomes("carol", "bob")
        assert [asked(url, token)[0] for token in (ALICE, CAROL, BOB)] == [401, 200, 200]
        file.write_text('[{"name": "bob"}]')
        assert "INBOUND_TOKENS_FILE[0]" in str(server.wait_for("the old ones are used on")["message"])
        assert [asked(url, token)[0] for token in (ALICE, CAROL)] == [401, 200]
        becomes("bob")
        assert [asked(url, token)[0] for token in (CAROL, BOB)] == [401, 200]


def test_a_slow_token_that_is_looked_at_while_it_is_withdrawn_is_not_known_afterwards():
    """What was verified is kept with the tokens that it was verified by."""

    async def test():
        slow = Scrypt(16384, 8, 1, SALT, SLOW)
        guard = Guard(StaticTokens([StaticToken(name="carol", scrypt=slow)], OPEN))
        headers = {b"authorization": f"Bearer {CAROL}".encode()}
        seen = Seen(client="203.0.113.9", scheme="http", prefix="")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(guard.principal, "/mcp", headers, seen)
            await trio.testing.wait_all_tasks_blocked()
            guard.replace(StaticTokens((), OPEN))
        with pytest.raises(Refusal, match="not known"):
            await guard.principal("/mcp", headers, seen)

    trio.run(test)
