"""A hundred wrong inputs, as somebody new to the program makes them, and the line that each gets.

The rows of `test_bad_input` start a process; these call what it calls. The line begins with the name that was used for
the setting, or with the place in the file, says what to do, and never shows a secret: here that is ``hunter2``.
"""

from __future__ import annotations

import importlib
import json
import re
import shlex
from pathlib import Path

import anyio
import pytest

from openapi_mcp_server.documents import policies
from openapi_mcp_server.documents.loading import read_catalog
from openapi_mcp_server.errors import ServiceError
from openapi_mcp_server.settings.config import load

GOOD = "openapi: 3.1.0\ninfo: {title: T, version: '1'}\nservers: [{url: 'https://api.example.com'}]\npaths: {}\n"
PET = "{'/pets/{id}': {get: {operationId: getPet, responses: {}, parameters: [PARAMETER]}}}".replace(
    "PARAMETER", "{name: id, in: path, required: true, schema: {type: integer}}"
)
FILES = {
    "pets.yaml": GOOD.replace("{}", PET).encode(),
    "latin.yaml": GOOD.replace("T,", "Tür,").encode("latin-1"),
    "wide.yaml": GOOD.encode("utf-16"),
    "packed.zip": b"PK\x03\x04\x14\0\0\0",
    "packed.json.gz": b"\x1f\x8b\x08\0\0\0\0\0",
    "picture.png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "paper.pdf": b"%PDF-1.7\n",
    "token": b"hunter2\n",
    "empty": b"",
    "bracket.yaml": b"actions: [\n",
    "list.yaml": b"- a\n",
    "number.yaml": b"getPet: 5\n",
    "name.yaml": b"getPet: {name: 7}\n",
    "argument.yaml": b"getPet: {arguments: {id: {valu: 5}}}\n",
    "annotation.yaml": b"getPet: {annotations: {readonly: true}}\n",
    "path.yaml": b"overlay: 1.0.0\nactions: [{target: '$.paths[?(', remove: true}]\n",
    "version.yaml": b"overlay: 9.0.0\nactions: []\n",
    "actionless.yaml": b"overlay: 1.0.0\n",
    "policy-field.yaml": b"principls: {}\n",
    "policy-entry.yaml": b"default: {read: true}\n",
    "policy-list.yaml": b"principals:\n  - a\n",
    "policy-word.yaml": b"default: {allow: [get]}\n",
    "policy-api.yaml": b"principals: {a: {apis: [shop]}}\n",
    "apis.yaml": b"- name: a\n",
}
P = "--spec-path {0}/pets.yaml"
H = f"{P} --transport http --port 0"
GOOD_TOKEN = "hunter2hunter2hunter2"
PEM = "-----BEGIN CERTIFICATE-----"


def more(*apis: object) -> dict[str, str]:
    return {"ADDITIONAL_SPECS": json.dumps(apis)}


def tokens(*given: object) -> dict[str, str]:
    return {"INBOUND_AUTH": "token", "INBOUND_TOKENS": json.dumps(given)}


def jwt(**settings: str) -> dict[str, str]:
    return {"INBOUND_AUTH": "jwt", "INBOUND_JWT_ISSUERS": "https://login.example.com", **settings}


FLAGS = [
    ("-p 80", {}, "-p: options begin with two dashes; "),
    ("-spec-path x", {}, "-spec-path: options begin with two dashes; did you mean --spec-path?"),
    ("openapi.yaml", {}, "openapi.yaml: a document is named by an option: --spec-path FILE or --spec-url URL"),
    ("serve ./openapi.yaml", {}, "./openapi.yaml: a document is named by an option: --spec-path FILE"),
    ("inspect {0}/pets.yaml", {}, "{0}/pets.yaml: a document is named by an option"),
    ("doctor https://example.com", {}, "https://example.com: a document is named by an option"),
    ("start", {}, "start: no such command; --help lists all"),
    ("inspekt", {}, "inspekt: no such command; did you mean inspect?"),
    ("--spec-path", {}, "--spec-path: a value must follow"),
    ("--spec-path --debug", {}, "--spec-path: a value must follow"),
    (f"{P} --spec_path x", {}, "--spec_path: no such option; did you mean --spec-path?"),
    (f"{P} --no-port", {}, "--no-port: no such option; did you mean --port?"),
    (f"{P} --debug=maybe", {}, "--debug: 'maybe' must be true or false"),
    (f"{P} --json", {}, "--json: belongs to inspect or doctor or diff, not to serve"),
    ("inspect --json=x", {}, "--json: takes no value"),
    ("demo --spec-path x", {}, "--spec-path: the demo has a document of its own; leave out the word demo to serve th"),
    (f"inspect --json --tokens {P}", {}, "--json: shows all tools in its own way; leave out either it or --tokens"),
    (f"inspect --json --html x {P}", {}, "--json: shows all tools in its own way; leave out either it or --html"),
    (f"inspect getPet --json {P}", {}, "--json: shows all tools in its own way; leave out either it or getPet"),
    (f"inspect getPet --tokens {P}", {}, "--tokens: shows all tools in its own way; leave out either it or getPet"),
    ("demo --mock", {}, "--mock: belongs to serve, not to demo"),
    (f"{P} --port -1", {}, "--port: '-1' must be a whole number from 0 to 65535"),
    (f"{P} --port 99999", {}, "--port: '99999' must be a whole number from 0 to 65535"),
]
DOCUMENTS = [
    ("--spec-path=", {}, "API_SPEC_URL: no document: give --spec-url URL or --spec-path FILE"),
    ("--spec-path ~/x.yaml", {}, "--spec-path: cannot read ~/x.yaml: No such file or directory"),
    ("--spec-path {0}/pets.yaml/x", {}, "--spec-path: cannot read {0}/pets.yaml/x: Not a directory"),
    ("--spec-path {0}/latin.yaml", {}, "{0}/latin.yaml, line 2, column 16: the document is not UTF-8 here; save it as"),
    ("--spec-path {0}/wide.yaml", {}, "{0}/wide.yaml: the document is UTF-16; save it as UTF-8"),
    ("--spec-path {0}/packed.zip", {}, "{0}/packed.zip: this is a zip archive, not the text of a document"),
    ("--spec-path {0}/packed.json.gz", {}, "{0}/packed.json.gz: this is compressed by gzip, not the text"),
    ("--spec-path {0}/picture.png", {}, "{0}/picture.png: this is a picture, not the text of a document"),
    ("--spec-path {0}/paper.pdf", {}, "{0}/paper.pdf: this is a PDF, not the text of a document"),
    (
        "--spec-url example.com/a.json",
        {},
        "--spec-url: 'example.com/a.json' must start with http:// or https://; --spec",
    ),
    ("--spec-url file:///etc/passwd", {}, "--spec-url: file:///etc/passwd: must start with http:// or https://"),
    ("--spec-url https://", {}, "--spec-url: https://: names no host"),
    ("--spec-url 'https://a b/x'", {}, "--spec-url: https://a b/x: names an invalid host; an example is https://"),
    ("--spec-url https://[::1/x", {}, "--spec-url: https://[::1/x: names an invalid host"),
    (
        "--spec-url https://a.example:99999/x",
        {},
        "--spec-url: https://a.example:99999/x: names an invalid port; po",
    ),
    ("--spec-url https://u:hunter2@a.example/x", {}, "--spec-url: https://a.example/x: must not carry a user name or"),
    ("--spec-url http://a.example/x", {}, "--spec-url: http://a.example/x: http:// is not encrypted; use https://, or"),
    (
        "--spec-url https://169.254.169.254/x",
        {},
        "--spec-url: https://169.254.169.254/x: 169.254.169.254 is never conn",
    ),
    (f"{P} --allowed-spec-dirs /nowhere", {}, "--spec-path: {0}/pets.yaml is outside of ALLOWED_SPEC_DIRS"),
]
ADDRESSES = [
    (f"{P} --api-url api.example.com", {}, "--api-url: 'api.example.com' must start with http:// or https://"),
    (f"{P} --api-url /v1", {}, "--api-url: '/v1' must start with http:// or https://"),
    (f"{P} --api-url https://a.example:port", {}, "--api-url: 'https://a.example:port' names an invalid port"),
    (f"{P} --api-url https://a.example/v1?x=1", {}, "--api-url: 'https://a.example/v1' must not carry a query"),
    (f"{P} --api-url https://{{{{tenant}}}}.example", {}, "--api-url: 'https://{tenant}.example' names an invalid"),
    (f"{P} --api-url https://a..example", {}, "--api-url: 'https://a..example' names an invalid host"),
    (
        P,
        {"API_BASE_URL": "https://10.0.0.1"},
        "API_BASE_URL: https://10.0.0.1: 10.0.0.1 is a private address; ALLOW_PRI",
    ),
    (f"{P} --allowed-servers ftp://x", {}, "--allowed-servers: 'ftp://x' must start with http:// or https://"),
    (f"{H} --host 'my host'", {}, "--host: 'my host' must be an address such as 127.0.0.1, or a host name"),
    (f"{H} --host http://localhost", {}, "--host: 'http://localhost' must be an address such as 127.0.0.1, or a host"),
    (f"{H} --host localhost:8000", {}, "--host: 'localhost:8000' must be an address such as 127.0.0.1, or a host name"),
    (f"{H} --host 192.0.2.1", {}, "--host: 192.0.2.1 is reachable from other machines and callers are not asked who"),
    (
        "mock --spec-path x --host 0.0.0.0",
        {},
        "--host: 0.0.0.0 is reachable from other machines and callers are not as",
    ),
    (H, {"PUBLIC_PATH_PREFIX": "a b"}, "PUBLIC_PATH_PREFIX: 'a b' must be a path such as /team1"),
    (H, {"TRUSTED_PROXIES": "10.0.0.0/33"}, "TRUSTED_PROXIES: '10.0.0.0/33' must be addresses or networks such as"),
    (f"{P} --path-prefix /x", {}, "--path-prefix: no such option; did you mean --public-path-prefix?"),
]
ADDITIONAL = [
    (
        P,
        {"ADDITIONAL_SPECS": "/etc/apis.json"},
        "ADDITIONAL_SPECS: must be a JSON array of objects; ADDITIONAL_SPECS_F",
    ),
    (P, {"ADDITIONAL_SPECS": "[{name: a}]"}, "ADDITIONAL_SPECS: is not JSON: object keys must be strings (line 1, col"),
    (P, {"ADDITIONAL_SPECS": '{"name": "a"}'}, "ADDITIONAL_SPECS: must be a JSON array of objects"),
    (P, {"ADDITIONAL_SPECS_FILE": "/nowhere"}, "ADDITIONAL_SPECS_FILE: cannot read /nowhere: No such file or direct"),
    (P, more(1), "ADDITIONAL_SPECS: must be a JSON array of objects"),
    (P, more({"name": "a"}), "ADDITIONAL_SPECS[0]: give either spec_url or spec_path"),
    (P, more({"spec_path": "a"}), "ADDITIONAL_SPECS[0].name: is missing"),
    (P, more({"name": "a", "spec_pth": "x"}), "ADDITIONAL_SPECS[0]: has no field 'spec_pth'; did you mean spec_path?"),
    (P, more({"name": "api", "spec_path": "x"}), "ADDITIONAL_SPECS[0]: another API is named 'api' already"),
    (P, more({"name": "a", "spec_path": "/no"}), "ADDITIONAL_SPECS[0]: cannot read /no: No such file or directory"),
    (P, {"ADDITIONAL_SPECS_FILE": "{0}/apis.yaml"}, "ADDITIONAL_SPECS_FILE: must be a JSON array of objects"),
    (
        P,
        {"ADDITIONAL_SPECS": '[{"name": "a", "name": "b"}]'},
        "ADDITIONAL_SPECS: an object in it has 'name' twice; give",
    ),
    (
        P,
        more({"name": "a", "spec_path": "x", "tool_overrides": {}}),
        "ADDITIONAL_SPECS[0].tool_overrides: must be text,",
    ),
    (
        P,
        more({"name": "a", "spec_path": "x", "extra_query": []}),
        "ADDITIONAL_SPECS[0].extra_query: must be a JSON obj",
    ),
    (
        P,
        more({"name": "a", "spec_path": "x", "auth_schemes": "k.json"}),
        "ADDITIONAL_SPECS[0].auth_schemes: must be a JSON object of objects; ADDITIONAL_SPECS[0].auth_schemes_file ta",
    ),
    (P, more({"name": "a", "spec_path": 1.5}), "ADDITIONAL_SPECS[0].spec_path: must be text, not 1.5"),
    (
        P,
        more({"name": "a", "spec_path": "x", "auth_type": "bearer"}),
        "ADDITIONAL_SPECS[0].auth_token: is missing; ADD",
    ),
    (P, more({"name": "a", "spec_path": "x", "auth_type": "magic"}), "ADDITIONAL_SPECS[0].auth_type: 'magic' must be"),
    (P, more({"name": "a", "spec_path": "x", "auth_token": ["hunter2"]}), "ADDITIONAL_SPECS[0].auth_token: must be te"),
    (
        P,
        more({"name": "a", "spec_path": "{0}/pets.yaml", "base_url": "x"}),
        "ADDITIONAL_SPECS[0].base_url: 'x' must st",
    ),
]
CREDENTIALS = [
    (P, {"AUTH_TYPE": "apikey"}, "AUTH_TYPE: 'apikey' must be one of none, basic, bearer, api_key"),
    (P, {"AUTH_TYPE": "bearer", "AUTH_TOKEN": "Bearer hunter2"}, "AUTH_TOKEN: begins with the word Bearer, which is s"),
    (P, {"AUTH_TYPE": "bearer", "AUTH_TOKEN_FILE": "{0}"}, "AUTH_TOKEN_FILE: cannot read {0}: Is a directory"),
    (P, {"AUTH_TYPE": "bearer", "AUTH_TOKEN_FILE": "{0}/empty"}, "AUTH_TOKEN_FILE: is empty; AUTH_TYPE is bearer"),
    (P, {"AUTH_TYPE": "bearer", "AUTH_TOKEN_FILE": "{0}/picture.png"}, "AUTH_TOKEN_FILE: {0}/picture.png is not UTF-8"),
    (P, {"AUTH_TYPE": "api_key", "AUTH_API_KEY": "hunter2", "AUTH_API_KEY_IN": "body"}, "AUTH_API_KEY_IN: 'body' must"),
    (H, {"INBOUND_AUTH": "basic"}, "INBOUND_AUTH: 'basic' must be one of none, token, jwt"),
    (H, {"INBOUND_AUTH": "token", "INBOUND_TOKENS": GOOD_TOKEN}, "INBOUND_TOKENS: must be a JSON array of objects"),
    (H, tokens(), "INBOUND_TOKENS: must name 1 to 1000 tokens, not 0"),
    (H, tokens({"name": "a"}), "INBOUND_TOKENS[0]: needs one of token, sha256 and scrypt"),
    (
        H,
        tokens({"name": "a", "token": "x" * 16, "rate": 1e-7}),
        "INBOUND_TOKENS[0].rate: must be a positive number of calls a second",
    ),
    (H, tokens({"name": "a", "token": "hunter2"}), "INBOUND_TOKENS[0].token: must have at least 16 characters"),
    (H, tokens({"token": GOOD_TOKEN}), "INBOUND_TOKENS[0]: object missing required field `name`"),
    (H, tokens({"name": 5, "token": GOOD_TOKEN}), "INBOUND_TOKENS[0].name: expected `str`, got `int`"),
    (
        H,
        tokens({"name": "a", "token": GOOD_TOKEN, "api": []}),
        "INBOUND_TOKENS[0]: object contains unknown field `api`",
    ),
    (
        H,
        tokens({"name": "a", "token": GOOD_TOKEN, "apis": ["shop"]}),
        "INBOUND_TOKENS[0].apis: 'shop' is no API; there",
    ),
    (H, {"INBOUND_AUTH": "token", "INBOUND_TOKENS": "[\n{]"}, "INBOUND_TOKENS: is not JSON: expected"),
    (
        H,
        {"INBOUND_AUTH": "token", "INBOUND_TOKENS": '[{"name": "a", "apis": ["api"], "apis": []}]'},
        "INBOUND_TOKENS: an object in it has 'apis' twice; give it once",
    ),
    (P, {"AUTH_SCHEMES": '{"k": {}, "k": {}}'}, "AUTH_SCHEMES: an object in it has 'k' twice; give it once"),
    (P, {"EXTRA_HEADERS": '{"X": "hunter2", "X": "b"}'}, "EXTRA_HEADERS: the value has 'X' twice; give it once"),
    (
        P,
        {"AUTH_CLIENT_CERTIFICATE": "{0}/empty"},
        "AUTH_CLIENT_CERTIFICATE: is neither PEM (-----BEGIN …) nor the name of",
    ),
    (
        P,
        {"AUTH_CLIENT_CERTIFICATE": "hunter2"},
        "AUTH_CLIENT_CERTIFICATE: is neither PEM (-----BEGIN …) nor the name of",
    ),
    (
        P,
        {"AUTH_CLIENT_CERTIFICATE_FILE": "{0}/token"},
        "AUTH_CLIENT_CERTIFICATE_FILE: is neither PEM (-----BEGIN …) no",
    ),
    (
        P,
        {"AUTH_CLIENT_CERTIFICATE": PEM, "AUTH_CLIENT_KEY": "hunter2" * 99},
        "AUTH_CLIENT_KEY: is neither PEM (-----BEGIN …) nor the name of a f",
    ),
    (
        P,
        {"AUTH_CLIENT_CERTIFICATE": PEM, "AUTH_CLIENT_KEY_FILE": "{0}/token"},
        "AUTH_CLIENT_KEY_FILE: is neither PEM (-----BEGIN …) nor the na",
    ),
    (
        P,
        more({"name": "a", "spec_path": "x", "auth_client_certificate": PEM, "auth_client_key_file": "{0}/token"}),
        "ADDITIONAL_SPECS[0].auth_client_key_file: is neither PEM (-----BEGIN …) nor the name of a file that can be re",
    ),
    (P, {"HTTP_CA_BUNDLE": "/no"}, "HTTP_CA_BUNDLE: cannot read /no: No such file or directory"),
    (P, {"HTTP_CA_BUNDLE": "{0}/empty"}, "HTTP_CA_BUNDLE: {0}/empty holds no PEM (-----BEGIN …)"),
    (P, {"HTTP_PROXY_URL": "http://p:1", "HTTP_NO_PROXY": "10.0.0.0/99"}, "HTTP_NO_PROXY: '10.0.0.0/99' is no network"),
    (
        P,
        {"HTTP_PROXY_URL": "http://p:1", "HTTP_NO_PROXY": "http://a/"},
        "HTTP_NO_PROXY: 'http://a/' is no network such",
    ),
    (H, tokens(*[{"name": "a", "token": GOOD_TOKEN}] * 2), "INBOUND_TOKENS[1]: has the name or the token of 'a'"),
    (H, tokens({"name": "a", "sha256": "abc"}), "INBOUND_TOKENS[0].sha256: must be the SHA-256 of the token"),
    (H, tokens({"name": "a", "scrypt": "hunter2"}), "INBOUND_TOKENS[0].scrypt: must be scrypt$N$r$p$SALT$HASH"),
    (H, jwt(), "INBOUND_JWT_AUDIENCE: is missing: give it, or INBOUND_JWT_CLIENT_IDS"),
    (H, jwt(INBOUND_JWT_ISSUERS="login.example"), "INBOUND_JWT_ISSUERS: 'login.example' is no issuer such as https://"),
    (H, jwt(INBOUND_JWT_ISSUERS="https://u:hunter2@a.example"), "INBOUND_JWT_ISSUERS: an issuer must not carry a user"),
    (H, jwt(INBOUND_JWT_ALGORITHMS="HS256"), "INBOUND_JWT_ALGORITHMS: 'HS256' must be some of RS256"),
    (H, {"SESSION_KEY": "hunter2"}, "SESSION_KEY: the value must be one key, or two separated by a comma, of at least"),
]
BESIDE_A_DOCUMENT = [
    (
        f"{P} --overlays {{0}}/path.yaml",
        {},
        "API_OVERLAYS: {0}/path.yaml, line 2, column 11, #/actions/0: '$.paths[?(' is not JSONP",
    ),
    (
        f"{P} --overlays {{0}}/version.yaml",
        {},
        "API_OVERLAYS: {0}/version.yaml, line 1, column 1, #/overlay: version '9.0.0' is not",
    ),
    (
        f"{P} --overlays {{0}}/actionless.yaml",
        {},
        "API_OVERLAYS: {0}/actionless.yaml, #/actions: must be an array of at least one",
    ),
    (
        f"{P} --overlays {{0}}/bracket.yaml",
        {},
        "API_OVERLAYS: {0}/bracket.yaml, line 2, column 1: the document ends within brackets",
    ),
    (
        f"{P} --tool-overrides {{0}}/list.yaml",
        {},
        "TOOL_OVERRIDES: {0}/list.yaml, line 1, column 1, #: expected object, got array",
    ),
    (
        f"{P} --tool-overrides {{0}}/number.yaml",
        {},
        "TOOL_OVERRIDES: {0}/number.yaml, line 1, column 1, #/getPet: expected object, go",
    ),
    (
        f"{P} --tool-overrides {{0}}/name.yaml",
        {},
        "TOOL_OVERRIDES: {0}/name.yaml, line 1, column 10, #/getPet/name: expected string,",
    ),
    (
        f"{P} --tool-overrides {{0}}/argument.yaml",
        {},
        "TOOL_OVERRIDES: {0}/argument.yaml, line 1, column 10, #/getPet/arguments: obje",
    ),
    (
        f"{P} --tool-overrides {{0}}/annotation.yaml",
        {},
        "TOOL_OVERRIDES: {0}/annotation.yaml, line 1, column 1, #/getPet: has keys th",
    ),
    (P, {"TOOL_OVERRIDES": '{"getPet": {"name": "x"}}'}, "TOOL_OVERRIDES: takes the name of a file, not its text"),
    (P, {"API_OVERLAYS": '{"overlay": "1.0.0", "actions": []}'}, "API_OVERLAYS: takes the name of a file, not its te"),
    (P, {"POLICY": '{"default": {}}'}, "POLICY: takes the name of a file, not its text"),
    ("", {"API_SPEC_PATH": GOOD}, "API_SPEC_PATH: takes the name of a file, not its text"),
    (f"{P} --policy {{0}}/no.yaml", {}, "POLICY: cannot read {0}/no.yaml: No such file or directory"),
    (f"{P} --policy {{0}}/empty", {}, "POLICY: {0}/empty: the document is empty"),
    (f"{P} --policy {{0}}/policy-field.yaml", {}, "POLICY: {0}/policy-field.yaml, line 1, column 1, #: object contain"),
    (f"{P} --policy {{0}}/policy-entry.yaml", {}, "POLICY: {0}/policy-entry.yaml, line 1, column 1, #/default: object"),
    (f"{P} --policy {{0}}/policy-list.yaml", {}, "POLICY: {0}/policy-list.yaml, line 1, column 1, #/principals: expec"),
    (f"{P} --policy {{0}}/policy-api.yaml", {}, "POLICY: principals.a.apis: 'shop' is no API; there are api"),
    (f"{P} --policy {{0}}/policy-word.yaml", {}, "POLICY: default.allow: 'get': write GET for the method, id:get for"),
    (P, {"ALLOW_OPERATIONS": "GET pets"}, "ALLOW_OPERATIONS: 'GET pets' is no operationId, METHOD, /path, METHOD /pa"),
]
COMMANDS = [
    (f"inspect nothing {P}", {}, "nothing: is no tool; inspect without a name lists all"),
    (f"call getPet =5 {P}", {}, "=5: write arguments as name=value, name:=JSON or name=@FILE"),
    (f"call getPet id:={{{{ {P}", {}, "id: the value after := is not JSON"),
    (f"call getPet id=@{{0}} {P}", {}, "id: cannot read {0}: Is a directory"),
    ("call x --server", {}, "--server: a value must follow"),
    ("call x --server http://127.0.0.1:port", {}, "--server: 'http://127.0.0.1:port' names an invalid port; an ex"),
    ("call x --server https://u:hunter2@a.example", {}, "--server: 'https://a.example' must not carry a user name or"),
    ("doctor", {}, "doctor: give --server URL of a running server, or --document and a --spec-path"),
    ("doctor --document", {}, "API_SPEC_URL: no document: give --spec-url URL or --spec-path FILE"),
    ("doctor --server http://127.0.0.1:x", {}, "--server: 'http://127.0.0.1:x' names an invalid port; an example"),
    ("doctor --server http://a --token-file /nowhere", {}, "--token-file: cannot read /nowhere: No such file"),
    ("doctor --server http://a --token-file {0}/empty", {}, "--token-file: {0}/empty holds no token: one line of ASCI"),
    ("doctor --server http://a --token-file {0}/picture.png", {}, "--token-file: {0}/picture.png holds no token: one"),
    ("doctor --server http://a --idle 1h", {}, "--idle: '1h' must be a whole number of seconds up to 3600"),
    ("diff", {}, "diff: takes two documents: diff OLD NEW; each a file or a URL"),
    ("diff {0}/no1 {0}/pets.yaml", {}, "OLD: cannot read {0}/no1: No such file or directory"),
    ("diff {0}/pets.yaml {0}/token", {}, "{0}/token: not an OpenAPI document: its root is not an object"),
    ("diff a b c", {}, "diff: takes two documents"),
    ("completion tcsh", {}, "completion: for which shell? completion bash or zsh or fish"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("inputs")
    for name, data in FILES.items():
        (made / name).write_bytes(data)
    return made


def start(argv: list[str], environ: dict[str, str]) -> None:
    config = load(argv, environ, lambda path: Path(path).read_text("utf-8"))
    if config.command in {"serve", "mock"}:
        policies.policy(config)
        anyio.run(read_catalog, config, backend="trio")
    else:
        importlib.import_module(f"openapi_mcp_server.commands.{config.command}").run(config)


@pytest.mark.parametrize(
    ("line", "settings", "message"),
    [*FLAGS, *DOCUMENTS, *ADDRESSES, *ADDITIONAL, *CREDENTIALS, *BESIDE_A_DOCUMENT, *COMMANDS],
)
def test_a_wrong_input_is_named_with_its_cure_and_shows_no_secret(
    folder: Path, line: str, settings: dict[str, str], message: str
) -> None:
    def here(text: str) -> str:
        return text.replace("{0}", str(folder))

    argv = shlex.split(here(line).replace("{{", "{").replace("}}", "}"))
    with pytest.raises(ServiceError) as caught:
        start(argv, {name: here(value) for name, value in settings.items()})
    said = str(caught.value)
    assert said.startswith(here(message))
    assert "hunter2" not in said
    assert re.search("Traceback|Exception|<class", said) is None
