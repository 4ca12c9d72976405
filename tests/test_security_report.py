"""What a person is told of operations that the configured credentials do not meet, by the real program."""

from __future__ import annotations

import http.server
import threading

import msgspec
import pytest

from asked import fetch
from processes import inspected, run, started

DOCUMENT = """
openapi: 3.1.0
info: {title: Pets, version: '1'}
servers: [{url: 'https://api.example.com'}]
security: [{key: []}]
paths:
  /mine: {get: {operationId: mine, responses: {'200': {description: ok}}}}
  /open: {get: {operationId: open, security: [], responses: {'200': {description: ok}}}}
  /theirs: {get: {operationId: theirs, security: [{certificate: []}], responses: {'200': {description: ok}}}}
components:
  securitySchemes:
    key: {type: apiKey, in: query, name: appid}
    certificate: {type: mutualTLS}
"""
REASON = "AUTH_TYPE is api_key (query appid); the document asks for mutualTLS"
KEY = {"AUTH_TYPE": "api_key", "AUTH_API_KEY": "s3cret"}
BEARER = {"AUTH_TYPE": "bearer", "AUTH_TOKEN": "s3cret"}


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "openapi.yaml"
    path.write_text(DOCUMENT)
    return ("--spec-path", str(path))


def test_inspect_lists_them_for_people(spec):
    shown = run("inspect", *spec, **KEY).stdout
    assert (
        f"CREDENTIALS NOT CONFIGURED (tried nevertheless, unless STRICT_AUTH is set)\n  api: {REASON}: theirs" in shown
    )


def test_inspect_lists_them_for_programs(spec):
    report = inspected(*spec, **KEY)
    advice = f"{REASON}. This server's operator has to set AUTH_CLIENT_CERTIFICATE (auth_… in ADDITIONAL_SPECS)."
    assert {tool["name"]: tool["security"] for tool in report["tools"]} == {
        "mine": {"kind": "met", "reason": "", "advice": ""},
        "open": {"kind": "anonymous", "reason": "", "advice": ""},
        "theirs": {"kind": "unmet", "reason": REASON, "advice": advice},
    }
    assert report["apis"][0]["unmet_security"] == 1


def test_strict_auth_lists_them_as_skipped(spec):
    report = inspected("--strict-auth", *spec, **KEY)
    assert [(each["path"], each["reason"]) for each in report["skipped"]] == [("/theirs", f"STRICT_AUTH: {REASON}")]


def test_the_start_log_says_it_once_for_each_api_and_health_counts_them(spec):
    with started("serve", *spec, "--transport", "http", "--port", "0", **BEARER) as server:
        health_url = server.url.removesuffix("/mcp") + "/health"
        health = msgspec.json.decode(fetch(health_url)[2])
        warnings = [str(line["message"]) for line in server.log if line["level"] == "WARNING"]
    assert health["apis"][0]["unmet_security"] == 2
    assert [message.partition(";")[0] for message in warnings] == [
        "AUTH_TYPE is bearer, which the document does not know",
        "operations ask for other credentials than are configured",
    ]


class _Seen(http.server.BaseHTTPRequestHandler):
    paths: list[str]

    def do_GET(self) -> None:
        self.paths.append(self.path)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Nothing on standard error."""


@pytest.fixture
def api():
    """(its URL, the paths that it was asked for)"""
    seen: list[str] = []
    server = http.server.HTTPServer(("127.0.0.1", 0), type("Handler", (_Seen,), {"paths": seen}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("tool", ["mine", "open", "theirs"])
def test_the_key_goes_with_every_call_to_the_place_that_the_document_names(spec, api, tool):
    url, seen = api
    done = run("call", tool, *spec, "--api-url", url, "--allow-private-networks", **KEY)
    assert (done.returncode, seen) == (0, [f"/{tool}?appid=s3cret"]), done.stderr
