"""``call``: what a person types becomes arguments, and what they name becomes their content."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio

from loopback import loopback, sized
from openapi_mcp_server.commands.call import parse_arguments
from openapi_mcp_server.errors import ConfigError
from processes import run, started
from recording import recording

FORM = {
    "type": "object",
    "properties": {
        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
        "note": {"type": "string"},
        "picture": {"type": "string", "contentMediaType": "image/png"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Files", "version": "1"},
    "paths": {
        "/files": {
            "post": {
                "operationId": "send",
                "requestBody": {"content": {"multipart/form-data": {"schema": FORM}}},
                "responses": {"200": {"description": "kept"}},
            }
        }
    },
}


@pytest.mark.parametrize(
    ("pairs", "arguments"),
    [
        (["a=1"], {"a": "1"}),
        (["a:=1", "b:=[1,2]", "c:=null"], {"a": 1, "b": [1, 2], "c": None}),
        (["a=1", "a=2", "b=x"], {"a": ["1", "2"], "b": "x"}),
        (["a=", "b=x=y"], {"a": "", "b": "x=y"}),
        (['a:="@x"'], {"a": "@x"}),
        (["a:=12345678901234567890.10", "b:=1e400"], {"a": Decimal("12345678901234567890.10"), "b": Decimal("1e400")}),
    ],
)
def test_pairs_are_arguments(pairs: list[str], arguments: dict[str, object]) -> None:
    assert parse_arguments(pairs) == arguments


@pytest.mark.parametrize("pair", ["stray", "=x", ":=1"])
def test_what_is_no_pair_is_refused(pair: str) -> None:
    with pytest.raises(ConfigError, match="write arguments as name=value, name:=JSON or name=@FILE"):
        parse_arguments([pair])


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("a:={", "a: the value after := is not JSON"),
        ("a:=" + "[" * 3_000 + "]" * 3_000, "a: the value after := is not JSON"),
        ('a:="\udcff"', "a: is not UTF-8 text"),  # as Python reads a byte of the command line that is no UTF-8
        ("a=\udcff", "a: is not UTF-8 text"),
        ("a=@\udcff", "a: is not UTF-8 text"),
        ("\udcff=1", "is not UTF-8 text"),
    ],
    ids=["cut", "deep", "JSON", "text", "file", "name"],
)
def test_a_value_that_cannot_be_read_is_named(pair: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_arguments([pair])


@asynccontextmanager
async def options(way: str, folder: Path, origin: str) -> AsyncIterator[list[str]]:
    """To reach the API at ``origin`` straight from the document, or through a server."""
    (folder / "openapi.json").write_bytes(msgspec.json.encode(DOCUMENT))
    api = ["--spec-path", f"{folder}/openapi.json", "--api-url", origin, "--allow-private-networks"]
    if way == "document":
        yield api
        return
    with started("--transport", "http", "--port", "0", *api) as server:
        yield ["--server", await trio.to_thread.run_sync(lambda: server.url)]


@pytest.mark.anyio
@pytest.mark.parametrize("way", ["document", "server"])
async def test_a_file_is_sent_as_one_where_the_tool_takes_files_and_as_its_text_elsewhere(
    way: str, tmp_path: Path
) -> None:
    (tmp_path / "a.bin").write_bytes(b"\xff\x00a")
    (tmp_path / "note.txt").write_text("grüße")
    named = [f"files=@{tmp_path}/a.bin", f"files=@{tmp_path}/note.txt", f"note=@{tmp_path}/note.txt"]
    named.append(f"picture=@{tmp_path}/a.bin")
    async with loopback([(sized(b"kept"),)]) as api, options(way, tmp_path, str(api.origin)) as reached:
        call = partial(run, "call", "send", *named, "tags=a", "tags=b", *reached)
        done = await trio.to_thread.run_sync(call)
        assert done.returncode == 0, done.stderr
        (request,) = api.requests
    for part in (b'filename="a.bin"', b"\xff\x00a", b'filename="note.txt"', "\r\n\r\ngrüße\r\n".encode()):
        assert part in request
    assert request.count(b"\r\n\r\n\xff\x00a\r\n") == 2
    assert request.count(b'name="files"') == request.count(b'name="tags"') == 2
    assert request.count(b'name="note"') == 1


SHOWN = {
    "openapi": "3.0.3",
    "info": {"title": "Pets", "version": "1"},
    "components": {"securitySchemes": {"k": {"type": "apiKey", "in": "query", "name": "key"}}},
    "security": [{"k": []}],
    "paths": {
        "/pets": {
            "post": {
                "operationId": "add",
                "parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("q", "shop")],
                "requestBody": {"content": {"application/json": {"schema": {"properties": {"n": {"type": "string"}}}}}},
                "responses": {"200": {"description": "d"}},
            }
        }
    },
}


@pytest.mark.anyio
async def test_the_request_and_the_answer_are_shown_without_credentials(tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_bytes(msgspec.json.encode(SHOWN))
    (tmp_path / "ours.json").write_text('{"add":{"arguments":{"shop":{"value":"fixed-shop"}}}}')
    answer = sized(
        b'{"echo":"s3cr3t-key","self":"?key=s3cr3t%2Dkey"}',
        b"Set-Cookie: sid=abcdef\r\nContent-Type: application/json\r\n",
    )
    async with loopback([(answer,)]) as api:
        named = ["--spec-path", f"{tmp_path}/openapi.json", "--tool-overrides", f"{tmp_path}/ours.json"]
        own = ["--api-url", str(api.origin), "--allow-private-networks", "-v"]
        call = partial(
            run, "call", "add", "q=x", "n=Rex", "kg:=4.10", *named, *own, AUTH_TYPE="api_key", AUTH_API_KEY="s3cr3t-key"
        )
        done = await trio.to_thread.run_sync(call)
    assert done.returncode == 0, done.stderr
    told = done.stderr
    assert "/pets?q=x&shop=(hidden)&key=(hidden)" in told
    assert '> {"n":"Rex","kg":4.10}' in told
    assert "< 200" in told
    assert '< {"echo":"(hidden)","self":"?key=(hidden)"}' in told
    for secret in ("s3cr3t-key", "abcdef", "fixed-shop"):
        assert secret not in told
    assert done.stdout.startswith('{"echo"')


def test_only_a_server_sees_what_it_sends() -> None:
    done = run("call", "add", "--server", "http://127.0.0.1:9/mcp", "-v")
    assert done.returncode != 0
    assert "name the document with --spec-path" in done.stderr


def test_a_server_that_is_not_there_or_speaks_no_mcp_is_told_apart() -> None:
    gone = run("call", "add", "--server", "http://127.0.0.1:1/mcp")
    assert gone.stderr == "openapi-mcp-server: http://127.0.0.1:1/mcp: Connection refused; does the server run?\n"
    with started("demo", "--transport", "http", "--port", "0") as server:
        other = run("call", "listPets", "--server", server.url.removesuffix("mcp"))
        assert "our servers' endpoint is at /mcp" in other.stderr
        elsewhere = run("call", "listPets", "--server", server.url.replace("/mcp", "/livez/mcp"))
        assert elsewhere.stderr.endswith("; doctor --server says more\n")
        secured = run("call", "listPets", "--server", server.url.replace("http://", "https://"))
        assert secured.stderr.endswith("; is it http://?\n")


@pytest.mark.parametrize("argv", [["getPett"], ["getPett", "petId=1", "note=@{0}"]])
def test_a_tool_that_a_server_does_not_have_is_a_wrong_argument(tmp_path: Path, argv: list[str]) -> None:
    (tmp_path / "note").write_text("x")
    with started("demo", "--port", "0") as server:
        done = run("call", *[word.format(tmp_path / "note") for word in argv], "--server", server.url)
    assert (done.returncode, done.stdout) == (2, "")
    said = f"openapi-mcp-server: getPett: the server at {server.url} says: unknown tool 'getPett'; did you mean getPet"
    assert done.stderr.startswith(said)


def test_an_argument_that_cannot_be_sent_to_a_server_is_named(tmp_path: Path) -> None:
    with started("demo", "--port", "0") as server:
        lost = run("call", "listPets", f"limit=@{tmp_path}/lost", "--server", server.url)
        huge = run("call", "listPets", "limit:=1e400", "--server", server.url)
    assert (lost.returncode, huge.returncode) == (2, 2)
    assert lost.stderr.startswith(f"openapi-mcp-server: limit: cannot read {tmp_path}/lost: No such file or directory")
    assert huge.stderr.startswith("openapi-mcp-server: call: the client sends numbers as doubles: Number out of range")


@pytest.mark.parametrize(
    ("kind", "said"),
    [("application/json", b'{"hello":1}'), ("application/json", b"[1"), ("text/event-stream", b"data: no\n\n")],
)
def test_what_is_no_message_is_told_in_one_line(kind: str, said: bytes) -> None:
    with recording(lambda _: (200, {"Content-Type": kind}, said)) as other:
        done = run("call", "listPets", "--server", f"{other.url}/mcp")
    assert done.returncode == 1
    assert done.stderr.startswith(f"openapi-mcp-server: {other.url}/mcp: ")
    assert len(done.stderr.splitlines()) == 1


TOKENS = '[{"name": "alice", "token": "alice-0123456789abcdef"}]'


@pytest.mark.parametrize(
    ("held", "code", "told"),
    [
        ("alice-0123456789abcdef\n", 0, '"species":"cat"'),
        ("mallory-0123456789abcdef", 1, "the token is not known here"),
        (None, 1, "--token-file FILE"),
        ("", 2, "holds no token"),
    ],
)
def test_a_server_that_asks_who_calls_is_told_by_the_token_in_a_file(
    secured: str, tmp_path: Path, held: str | None, code: int, told: str
) -> None:
    (tmp_path / "token").write_text(held or "")
    given = [] if held is None else ["--token-file", f"{tmp_path}/token"]
    done = run("call", "getPet", "petId=1", "--server", secured, *given)
    assert done.returncode == code
    assert told in done.stdout + done.stderr
    assert "0123456789abcdef" not in done.stdout + done.stderr


@pytest.fixture(scope="module")
def secured() -> Iterator[str]:
    with started("demo", "--port", "0", INBOUND_AUTH="token", INBOUND_TOKENS=TOKENS) as server:
        yield server.url


def test_a_call_without_a_token_says_so_once(tmp_path: Path) -> None:
    document = tmp_path / "openapi.yaml"
    operation = "{get: {operationId: getA, security: [{login: []}]}}"
    scheme = "{type: oauth2, flows: {clientCredentials: {tokenUrl: 'https://a.example/token', scopes: {}}}}"
    document.write_text(
        f"openapi: 3.1.0\ncomponents: {{securitySchemes: {{login: {scheme}}}}}\npaths: {{/a: {operation}}}\n"
    )
    login = {
        "AUTH_OAUTH2_TOKEN_URL": "http://127.0.0.1:1",
        "AUTH_OAUTH2_CLIENT_ID": "a",
        "AUTH_OAUTH2_CLIENT_SECRET": "b",
    }
    where = ("--spec-path", str(document), "--api-url", "http://127.0.0.1:2", "--allow-private-networks")
    done = run("call", "getA", *where, AUTH_TYPE="oauth2", **login)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("no token for api: no connection to http://127.0.0.1:1: Connection refused")
