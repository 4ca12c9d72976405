"""What a person gets wrong: one line that says what, the exit code that says whose, and nothing half-started."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import NamedTuple

import pytest

from ahead import ahead
from processes import run, started

GOOD = "openapi: 3.1.0\ninfo: {title: T, version: '1'}\nservers: [{url: 'https://api.example.com'}]\npaths: {}\n"
FILES = {
    "good.yaml": GOOD,
    "no-servers.yaml": GOOD.replace("servers: [{url: 'https://api.example.com'}]\n", ""),
    "broken.yaml": "openapi: 3.1.0\npaths: [\n",
    "broken.json": '{"openapi": "3.1.0",}',
    "twice.yaml": "openapi: 3.1.0\ninfo: {}\ninfo: {}\n",
    "text.yaml": "hello\n",
    "other.yaml": "asyncapi: 3.0.0\n",
    "future.yaml": "openapi: 4.0.0\n",
    "empty.yaml": "",
    "changes.yaml": "overlay: 1.0.0\nactions: [{target: $.info, update: {}}, {target: paths, update: {}}]\n",
    "overrides.yaml": "listPets: {hiden: true}\n",
    "pets.yaml": GOOD.replace("{}", "{/pets: {get: {operationId: getPet, responses: {}}}}"),
    "page.html": "<!doctype html><title>Not found</title>",
}


def written(folder: Path) -> Path:
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path)


class Wrong(NamedTuple):
    """``{0}`` in ``argv`` is the folder of the files."""

    argv: list[str]
    settings: dict[str, str]
    code: int
    message: str


WRONG = [
    Wrong([], {}, 2, "no document"),
    Wrong(["--spec-path", "{0}/good.yaml", "--spec-url", "https://example.com/a"], {}, 2, "give one document"),
    Wrong(["--spec-path", "{0}/missing.yaml"], {}, 2, "missing.yaml"),
    Wrong(["--spec-path", "{0}"], {}, 2, "not a regular file"),
    Wrong(["--spec-path", "/dev/zero"], {}, 2, "not a regular file"),
    Wrong(["--spec-path", "{0}/broken.yaml"], {}, 1, "broken.yaml"),
    Wrong(["--spec-path", "{0}/broken.json"], {}, 1, "broken.json, line 1, column 21"),
    Wrong(["--spec-path", "{0}/twice.yaml"], {}, 1, "twice.yaml, line 3, column 1: duplicate key 'info'"),
    Wrong(["--spec-path", "{0}/text.yaml"], {}, 1, "not an OpenAPI document"),
    Wrong(["--spec-path", "{0}/other.yaml"], {}, 1, "not an OpenAPI document"),
    Wrong(["--spec-path", "{0}/future.yaml"], {}, 1, "4.0.0"),
    Wrong(["--spec-path", "{0}/empty.yaml"], {}, 1, "empty.yaml: the document is empty"),
    Wrong(["--spec-path", "{0}/page.html"], {}, 1, "HTML or XML"),
    Wrong(["--spec-path", "{0}/no-servers.yaml"], {}, 1, "API_BASE_URL"),
    Wrong(["--spec-path", "{0}/good.yaml", "--overlays", "{0}/no.yaml"], {}, 2, "--overlays: cannot read"),
    Wrong(
        ["--spec-path", "{0}/good.yaml", "--allowed-servers", "files.example.com"], {}, 2, "--allowed-servers: 'files"
    ),
    Wrong(["--spec-path", "{0}/good.yaml", "--allowed-servers", "https://10.1.1.1"], {}, 2, "is a private address"),
    Wrong(["--spec-path", "{0}/good.yaml", "--overlays", "{0}/good.yaml"], {}, 1, "good.yaml: not an overlay"),
    Wrong(
        ["--spec-path", "{0}/good.yaml", "--overlays", "{0}/changes.yaml"],
        {},
        1,
        "yaml, line 2, column 41, #/actions/1: 'paths' is not",
    ),
    Wrong(
        ["--spec-path", "{0}/good.yaml", "--overlays", "/etc/passwd", "--allowed-spec-dirs", "{0}"], {}, 2, "outside of"
    ),
    Wrong(["--spec-path", "{0}/good.yaml", "--tool-overrides", "{0}/no.yaml"], {}, 2, "--tool-overrides: cannot read"),
    Wrong(
        ["--spec-path", "{0}/good.yaml", "--tool-overrides", "{0}/overrides.yaml"],
        {},
        1,
        "overrides.yaml, line 1, column 1, #/listPets: has keys that mean nothing here: hiden",
    ),
    Wrong(["--spec-path", "{0}/good.yaml", "--api-url", "ftp://x"], {}, 2, "--api-url: 'ftp://x' must start with"),
    Wrong(["--spec-path", "{0}/good.yaml", "--api-url", "https://u:p@x"], {}, 2, "--api-url"),
    Wrong(["--spec-path", "{0}/good.yaml", "--api-url", "http://x.example"], {}, 2, "ALLOW_INSECURE_HTTP"),
    Wrong(["--spec-path", "{0}/good.yaml", "--colour", "red"], {}, 2, "--colour: no such option"),
    Wrong(["--spec-path", "{0}/good.yaml", "--port", "80x"], {}, 2, "--port: '80x' must be a whole number"),
    Wrong(["--spec-path", "{0}/good.yaml"], {"SERVER_TRANSPORT": "pigeon"}, 2, "SERVER_TRANSPORT: 'pigeon' must be"),
    Wrong(["--spec-path", "{0}/good.yaml"], {"AUTH_TYPE": "bearer"}, 2, "AUTH_TOKEN: is missing"),
    Wrong(["--spec-path", "{0}/good.yaml"], {"ADDITIONAL_SPECS": "[{}]"}, 2, "ADDITIONAL_SPECS[0].name: is missing"),
    Wrong(["--spec-url", "http://127.0.0.1:9/openapi.json"], {}, 2, "ALLOW_PRIVATE_NETWORKS"),
    Wrong(["--spec-url", "ftp://example.com/openapi.json"], {}, 2, "http"),
    Wrong(["--spec-path", "file:///openapi.json"], {}, 2, "or https://; write a path without file://"),
    Wrong(
        ["--spec-path", "{0}/good.yaml"],
        {"AUTH_TYPE": "bearer", "AUTH_TOKEN": " t"},
        2,
        "AUTH_TOKEN: the value for api holds a character that cannot be sent in its place: a space or an end of line",
    ),
    Wrong(
        ["--spec-path", "{0}/good.yaml"],
        {"AUTH_TYPE": "bearer", "AUTH_TOKEN": "“t”"},
        2,
        "one beyond ASCII, such as a typographic quote or a byte order mark; take it out",
    ),
    Wrong(
        ["--spec-path", "{0}/good.yaml", "--transport", "http", "--host", "0.0.0.0"],
        {},
        2,
        "set INBOUND_AUTH to token or jwt",
    ),
    Wrong(
        ["--spec-path", "{0}/good.yaml", "--transport", "http"],
        {"ALLOWED_HOSTS": "http://x"},
        2,
        "ALLOWED_HOSTS: 'http://x'",
    ),
    Wrong(["call", "--spec-path", "{0}/good.yaml"], {}, 2, "which tool?"),
    Wrong(["call", "x"], {}, 2, "or --server URL"),
    Wrong(["call", "x", "--server", "localhost:8000"], {}, 2, "--server: 'localhost:8000' must start with"),
    Wrong(["call", "nothing", "--spec-path", "{0}/good.yaml"], {}, 2, "nothing"),
    Wrong(["call", "x", "stray", "--spec-path", "{0}/good.yaml"], {}, 2, "stray: write arguments as name=value"),
    Wrong(["call", "getPett", "--spec-path", "{0}/pets.yaml"], {}, 2, "unknown tool 'getPett'; did you mean getPet?"),
    Wrong(["call", "getPet", "id=@nowhere", "--spec-path", "{0}/pets.yaml"], {}, 2, "id: cannot read nowhere: No such"),
    Wrong(["inspect", "--spec-path", "{0}/text.yaml"], {}, 1, "not an OpenAPI document"),
]


@pytest.fixture(scope="module")
def ended(request, tmp_path_factory):
    folder = written(tmp_path_factory.mktemp("wrong"))
    with ahead(
        request, "wrong", lambda wrong: run(*(arg.format(folder) for arg in wrong.argv), **wrong.settings)
    ) as done:
        yield done


@pytest.mark.parametrize("wrong", WRONG)
def test_bad_input_ends_the_start_with_one_line(ended, wrong):
    done = ended(wrong)
    assert (done.returncode, done.stdout) == (wrong.code, "")
    assert wrong.message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("openapi-mcp-server: ")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"AUTH_TYPE": "bearer", "AUTH_TOKEN": "a\nb"}, "AUTH_TOKEN"),
        ({"AUTH_TYPE": "api_key", "AUTH_API_KEY": "k", "AUTH_API_KEY_NAME": "Host"}, "AUTH_API_KEY_NAME"),
        ({"AUTH_TYPE": "basic", "AUTH_USERNAME": "a:b", "AUTH_PASSWORD": "c"}, "AUTH_USERNAME"),
    ],
)
def test_a_wrong_credential_is_one_line_where_metrics_are_on_too(folder, settings, message):
    ended = run("--spec-path", f"{folder}/good.yaml", ENABLE_PROMETHEUS="true", PROMETHEUS_PORT="0", **settings)
    assert (ended.returncode, message in ended.stderr) == (2, True)
    assert [line for line in ended.stderr.splitlines() if not line.startswith("{")][-1].startswith(
        "openapi-mcp-server: "
    )
    assert "Traceback" not in ended.stderr


def test_strict_refuses_a_document_with_an_operation_that_cannot_be_served(folder):
    (folder / "one.yaml").write_text(
        GOOD.replace("paths: {}", "paths: {/a: {get: {parameters: [{in: moon, name: x}]}}}")
    )
    ended = run("--spec-path", f"{folder}/one.yaml", "--strict")
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "line 4, column 34, #/paths/~1a/get/parameters/0/in" in ended.stderr
    assert "without STRICT it is left out" in ended.stderr


def test_inspect_says_on_which_line_an_operation_is_that_cannot_be_served(folder):
    (folder / "one.yaml").write_text(
        GOOD.replace("paths: {}", "paths:\n  /a:\n    get:\n      parameters:\n      - {in: moon, name: x}\n")
    )
    ended = run("inspect", "--spec-path", f"{folder}/one.yaml")
    assert "(line 8, column 10, #/paths/~1a/get/parameters/0/in)" in ended.stdout


def test_a_taken_port_is_named_before_anything_is_served(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run("--spec-path", f"{folder}/good.yaml", "--transport", "http", "--port", port)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert f"openapi-mcp-server: --port: port {port} on 127.0.0.1 is taken" in ended.stderr


def test_what_a_terminal_would_obey_is_not_printed():
    ended = run("--spec-path", "a\x1b[2Jb")
    assert ended.stderr.startswith(
        "openapi-mcp-server: --spec-path: cannot read a\ufffd[2Jb: No such file or directory; "
    )


def test_a_relative_path_that_leads_nowhere_says_from_where_it_was_read():
    ended = run("inspect", "--spec-path", "no.yaml")
    assert ended.stderr.endswith(f"cannot read no.yaml: No such file or directory; it was looked for in {Path.cwd()}\n")


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("~/openapi.yaml", "~ is not replaced here: write the whole path"),
        ('"openapi.yaml"', "its quotes are taken as part of the name: leave them out"),
        (r"C:\Users\me\openapi.yaml", "in WSL, C: is at /mnt/c"),
    ],
)
def test_a_path_that_only_a_shell_or_windows_reads_says_so(path, hint):
    ended = run("inspect", "--spec-path", path)
    assert ended.stderr.endswith(f"cannot read {path}: No such file or directory; {hint}\n")


def test_one_of_several_documents_that_names_no_server_is_named_by_its_api(folder):
    more = json.dumps([{"name": "second", "spec_path": f"{folder}/no-servers.yaml"}])
    ended = run("--spec-path", f"{folder}/good.yaml", "--additional-specs", more)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert ended.stderr.startswith("openapi-mcp-server: second, #/servers: no absolute URL says where the API is")


def test_a_start_without_any_tool_is_warned_about(folder):
    with started("--spec-path", f"{folder}/good.yaml", "--transport", "http", "--port", "0") as server:
        assert server.wait_for("no operation became a tool")["level"] == "WARNING"


def test_an_api_on_the_own_machine_is_told_which_setting_allows_it(folder):
    ended = run("--spec-path", f"{folder}/good.yaml", "--api-url", "http://127.0.0.1:3000")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "ALLOW_PRIVATE_NETWORKS=true" in ended.stderr
