"""Who called what, by the real program: a line for each call of a tool, its arguments only where they are asked for."""

from __future__ import annotations

import http.server
import threading

import msgspec
import pytest

from asked import call, fetch
from processes import run, started

ALICE, BOB = "alice-0123456789abcdef", "bob-0123456789abcdef"
TOKENS = msgspec.json.encode(
    [{"name": "alice", "token": ALICE}, {"name": "bob", "token": BOB, "read_only": True}]
).decode()
SPEC = """
openapi: 3.1.0
info: {title: Pets, version: '1'}
paths:
  /pets:
    post:
      operationId: addPet
      requestBody:
        content:
          application/json:
            schema: {type: object, properties: {name: {type: string}, password: {type: string}}}
      responses: {'200': {description: ok, content: {application/json: {schema: {type: object}}}}}
"""


class _Api(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = b'{"id":1.10,"password":"s3cret-of-the-api","owner":{"email":"a@example.com"}}'
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Nothing on standard error."""


@pytest.fixture(scope="module")
def argv(tmp_path_factory):
    path = tmp_path_factory.mktemp("spec") / "openapi.yaml"
    path.write_text(SPEC)
    with http.server.HTTPServer(("127.0.0.1", 0), _Api) as api:
        thread = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        where = ("--api-url", f"http://127.0.0.1:{api.server_port}", "--allow-private-networks")
        yield ("serve", "--spec-path", str(path), "--transport", "http", "--port", "0", *where)
        api.shutdown()
        thread.join()


def add(url, token):
    body = call("addPet", name="Rex", password="s3cret-of-the-model")
    headers = {"content_type": "application/json", "authorization": f"Bearer {token}", "x_request_id": "request-7"}
    return fetch(url, "POST", body, **headers)[2]


def test_a_line_says_who_called_what_and_what_was_decided(argv):
    with started(*argv, INBOUND_AUTH="token", INBOUND_TOKENS=TOKENS) as server:
        add(server.url, ALICE)
        line = server.wait_for("^tool call$")
        expected = {
            "logger": "openapi_mcp_server.audit", "principal": "alice", "tool": "addPet", "api": "api",
            "decision": "allowed", "outcome": "ok", "status": 200, "request_id": "request-7",
        }  # fmt: skip
        assert expected.items() <= line.items()
        assert "arguments" not in line
        add(server.url, BOB)
        line = server.wait_for("^tool call$")
        assert (line["principal"], line["tool"], line["decision"]) == ("bob", "addPet", "denied")


def test_what_is_hidden_is_in_no_answer_and_no_log(argv):
    settings = {"AUDIT": "arguments", "REDACT": "password,$.owner.email"}
    with started(*argv, INBOUND_AUTH="token", INBOUND_TOKENS=TOKENS, **settings) as server:
        answer = add(server.url, ALICE)
        line = server.wait_for("^tool call$")
        server.process.terminate()
        server.read_to_the_end()
    result = msgspec.json.decode(answer)["result"]
    assert result["_meta"]["openapi-mcp-server/redacted"] == 2
    assert b"1.10" in answer
    assert b"s3cret" not in answer
    assert b"a@example.com" not in answer
    assert line["arguments"] == '{"name":"Rex","password":"[redacted]"}'
    assert "s3cret" not in str(server.log)


def test_nobody_asks_nothing_is_written_and_it_can_be_asked_for(argv):
    for settings, audited in (({}, False), ({"AUDIT": "calls"}, True)):
        with started(*argv, **settings) as server:
            add(server.url, "nobody")
            server.wait_for("^call$")
            server.process.terminate()
            server.read_to_the_end()
            assert any(line.get("logger") == "openapi_mcp_server.audit" for line in server.log) is audited


@pytest.mark.parametrize("rule", ["a.b", "$["])
def test_what_is_no_rule_stops_the_start(argv, rule):
    done = run(*argv, REDACT=rule)
    assert done.returncode == 2
    assert done.stderr.startswith("error: REDACT: ") or "REDACT: " in done.stderr
