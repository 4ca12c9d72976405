"""What the documentation tells people to type is understood and does what it says; what it names is there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import documented
from openapi_mcp_server.bridge.tools import overrides
from openapi_mcp_server.settings.config import load
from openapi_mcp_server.settings.table import SETTINGS
from processes import CHECKOUT, PAGES, START_SECONDS, Server, environment

VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*=")
METHODS = {"tools/call", "tools/list", "prompts/get"}
"""Methods of MCP that look like paths."""
NOT_TRIED = {
    "scripts/run call getPet petId=1 --spec-path openapi.yaml --api-url https://api.example.com": "it needs that API",
    "docker build -t openapi-mcp-server:latest .": "tests/test_image.py builds it",
}
"""Commands that no test here carries out, with the reason."""
FAMILIES = (
    (r"scripts/run (inspect|call|doctor|diff|completion|--help|--version)", "ends"),
    (r"scripts/run mock", "mocks"),
    (r"scripts/run\b", "serves"),
    (r"docker compose |deploy/compose/roll", "stack"),  # scripts/stack-test and tests/test_compose.py start it
    (r"docker build --build-arg ", "platform"),  # tests/test_image.py names such a base image
    (r"docker run ", "container"),  # tests/test_image.py and tests/proxy start the images
    (r"openapi-mcp-server ", "installed"),
    (r"claude mcp add ", "client"),
    (r"(aws|helm|kubectl|cd|pipx?|npx|docker (tag|push|inspect|logs)) ", "platform"),  # tests/deploy/test_documented.py
    (r"deploy/ecr/push", "platform"),
    (r"openssl ", "platform"),  # tests/proxy/test_proxy.py
    (r"(scripts|\.ci)/[\w-]+( |$)", "script"),  # they run the tests, or are too long for them
)
"""What the command begins with, and what is done with it here."""


def block(page: str, language: str) -> str:
    """The first one of a page in this language."""
    found = re.search(rf"```{language}\n(.*?)```", (CHECKOUT / page).read_text("utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


DOCUMENT = """\
openapi: 3.1.0
info: {title: Pets, version: '1'}
servers: [{url: 'https://api.example.com'}]
paths:
  /pets: {get: {operationId: listPets}}
  /pets/{petId}: {delete: {operationId: deletePet, parameters: [{name: petId, in: path, required: true, schema: {}}]}}
"""
FILES = {
    "openapi.yaml": DOCUMENT,
    "shop.yaml": DOCUMENT,
    "billing.yaml": DOCUMENT,
    "ours.yaml": block("docs/tools.md", "yaml"),
    "ours.overlay.yaml": "overlay: 1.0.0\nactions: [{target: $.info, update: {title: Ours}}]\n",
    "second.overlay.yaml": "overlay: 1.0.0\nactions: [{target: $.info, update: {version: '2'}}]\n",
    "apis.json": block("docs/configuration.md", "json"),
    "tokens.json": block("docs/inbound-auth.md", "json"),
    "key": "s3cret\n",
}
"""What a reader has in the folder where the commands are typed."""


def commands() -> list[str]:
    """Every command of every block of shell commands: continued lines joined, comments left out."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```(?:sh|bash|shell|console)\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            found += documented.commands(block)
    return list(dict.fromkeys(found))


def words_of(command: str) -> tuple[dict[str, str], list[str]]:
    """(the variables before it, the command's own words)."""
    words = shlex.split(command, comments=True)
    place = next(index for index, word in enumerate(words) if not VARIABLE.match(word))
    return dict(word.split("=", 1) for word in words[:place]), words[place:]


def family(command: str) -> str:
    """What is done with it here."""
    words = " ".join(words_of(command)[1])
    return (
        "not tried"
        if command in NOT_TRIED
        else next((name for start, name in FAMILIES if re.match(start, words)), "unknown")
    )


def of(*families: str) -> list[str]:
    return [command for command in commands() if family(command) in families]


def test_every_command_is_tried_or_said_not_to_be():
    assert of("unknown") == []
    assert [command for command in NOT_TRIED if command not in commands()] == []


def test_every_block_of_the_documentation_is_run_or_says_why_not_and_most_are_run():
    every = list(documented.blocks())
    assert [block[:4] for block in every if not block.told or "unknown" in " ".join(block.told)] == []
    assert sum(block.is_run for block in every) >= documented.LEAST * len(every)
    tests = {told for block in every for told in block.told if block.is_run}
    assert [test for test in tests if not (CHECKOUT / test).exists()] == []


OVERRIDES = re.findall(r"```yaml\n(.*?)```", (CHECKOUT / "docs" / "tools.md").read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("block", OVERRIDES)
def test_documented_overrides_are_taken(block: str):
    assert overrides.read(block.encode())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reader")
    for name, text in FILES.items():
        (path / name).write_text(text)
    return path


def typed(command: str, folder: Path, **settings: str) -> subprocess.Popen[bytes]:
    """As a reader types it, but for the checkout's place and ports that nobody has."""
    here = command.replace("scripts/run", shlex.quote(str(CHECKOUT / "scripts" / "run"))).replace("/run/secrets/", "")
    environ = environment(SERVER_PORT="0", PROMETHEUS_PORT="0", OPENAPI_MCP_VENV=sys.prefix, **settings)
    return subprocess.Popen(
        ["bash", "-c", here],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    )


def killed(process: subprocess.Popen[bytes]) -> None:
    """With what the shell started."""
    if process.poll() is None:
        os.killpg(process.pid, 9)


@pytest.mark.parametrize("command", of("serves"))
def test_a_documented_server_serves(command: str, folder: Path):
    with typed(command, folder) as process:
        try:
            assert Server(process).url.startswith("http://127.0.0.1:")
        finally:
            killed(process)


@pytest.mark.parametrize("command", of("mocks"))
def test_a_documented_mock_answers(command: str, folder: Path):
    with typed(command, folder) as process:
        try:
            assert "http://127.0.0.1:" in str(Server(process).wait_for(" is answered at ")["message"])
        finally:
            killed(process)


@pytest.fixture(scope="module")
def demo(folder: Path) -> Iterator[str]:
    with typed("scripts/run", folder) as process:
        try:
            yield Server(process).url
        finally:
            killed(process)


@pytest.mark.parametrize("command", of("ends"))
def test_a_documented_command_ends_well(command: str, folder: Path, demo: str):
    with typed(command.replace("http://127.0.0.1:8000/mcp", demo), folder) as process:
        try:
            output, errors = process.communicate(timeout=START_SECONDS)
        finally:
            killed(process)
    assert (process.returncode, errors) == (0, b"")
    assert output


@pytest.mark.parametrize("command", [command for command in NOT_TRIED if command.startswith("scripts/run")])
def test_a_documented_command_that_cannot_be_tried_is_understood(command: str):
    environ, words = words_of(command)
    assert load(words[1:], environ, lambda path: "secret") is not None


@pytest.mark.parametrize("command", [line for line in of("container") if "openapi-mcp-server:" in line])
def test_a_documented_container_is_understood(command: str):
    _, words = words_of(command)
    image = next(index for index, word in enumerate(words) if word.startswith("openapi-mcp-server:"))
    environ = dict(words[index + 1].split("=", 1) for index, word in enumerate(words) if word == "-e")
    image_environ = {"SERVER_TRANSPORT": "http", "SERVER_HOST": "0.0.0.0", "INBOUND_AUTH": "none"}
    assert load(words[image + 1 :], {**image_environ, **environ}, lambda path: "secret") is not None


@pytest.mark.parametrize("command", of("stack"))
def test_the_variables_of_a_documented_stack_are_settings_or_of_its_file(command: str):
    variables, _ = words_of(command)
    passed_on = {name for setting in SETTINGS for name in (setting.name, f"{setting.name}_FILE")}
    compose = (CHECKOUT / "compose.yaml").read_text("utf-8")
    assert [name for name in variables if name not in passed_on and f"${{{name}" not in compose] == []


@pytest.mark.parametrize("command", of("installed"))
def test_a_documented_command_of_an_installation_is_understood(command: str):
    environ, words = words_of(command)
    assert load(words[1:], environ, lambda path: "secret").transport == "http"


def client_blocks() -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    """(page, what it says to write into a client: servers by name)."""
    for page in ("README.md", "docs/clients.md", "docs/from-awslabs.md"):
        for text in re.findall(r"```json\n(.*?)```", (CHECKOUT / page).read_text("utf-8"), re.DOTALL):
            (servers,) = msgspec.json.decode(text).values()
            yield page, servers


STARTED = [
    (page, [server["command"], *server["args"]], server.get("env", {}))
    for page, servers in client_blocks()
    for server in servers.values()
    if "command" in server
] + [("claude", words_of(command)[1][5:], {}) for command in of("client") if " -- " in command]
"""(page, the command that a client is told to start, its environment)."""


@pytest.mark.parametrize(("page", "words", "environ"), STARTED)
def test_what_a_client_is_told_to_start_is_understood(page: str, words: list[str], environ: dict[str, str]):
    argv = [word.replace("/path/to/", "") for word in words[1:]]
    given = load(argv, {"SERVER_TRANSPORT": "http", **environ}, lambda path: "secret")
    assert given.transport == "stdio"
    assert given.apis[0].location in {"openapi.yaml", "https://petstore3.swagger.io/api/v3/openapi.json"}
    assert words[0].endswith("/scripts/run")


def other_ways() -> dict[str, list[str]]:
    """The other commands that a client may start, each with the words before the arguments, as docs/clients.md says."""
    page = (CHECKOUT / "docs" / "clients.md").read_text("utf-8")
    rows = re.findall(r"^\| [^|]+ \| `([a-z-]+)` \| `?([^|`]+)", page, re.MULTILINE)
    return {command: msgspec.json.decode(f"[{words}]") for command, words in rows if words.startswith('"')}


def test_the_other_ways_to_start_it_name_what_this_repository_makes():
    ways = other_ways()
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
    assert sorted(ways) == ["docker", "uvx", "wsl"]
    assert (ways["uvx"][1][-5:], ways["uvx"][2]) == ("[all]", *project["scripts"])
    assert ways["wsl"][0].removeprefix("/path/to/openapi-mcp-server/") == "scripts/run"
    image = ways["docker"].index("openapi-mcp-server:latest")
    environ = {"SERVER_TRANSPORT": "http", "SERVER_HOST": "0.0.0.0", "INBOUND_AUTH": "none"}
    given = load([*ways["docker"][image + 1 :], "--transport", "stdio", "--spec-path", "/openapi.yaml"], environ, str)
    assert (given.transport, given.warnings) == ("stdio", ())


def test_the_address_that_clients_are_told_is_the_servers_own():
    told = [server["url"] for _, servers in client_blocks() for server in servers.values() if "url" in server]
    told += [words_of(command)[1][-1] for command in of("client") if " -- " not in command]
    assert set(told) == {"http://127.0.0.1:8000/mcp"}


def test_the_documented_extras_are_those_of_the_package():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
    page = (CHECKOUT / "docs" / "install.md").read_text("utf-8")
    told = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert sorted(told) == sorted(set(project["optional-dependencies"]) - {"all"})
    assert f"pip uninstall {project['name']}" in page


@pytest.mark.parametrize("command", of("script"))
def test_a_documented_script_is_there(command: str):
    script = CHECKOUT / words_of(command)[1][0]
    assert os.access(script, os.X_OK)


def test_every_script_is_told_of_in_contributing():
    told = (CHECKOUT / "CONTRIBUTING.md").read_text("utf-8")
    scripts = [path.name for path in (CHECKOUT / "scripts").iterdir() if path.is_file() and os.access(path, os.X_OK)]
    assert [name for name in scripts if f"scripts/{name}" not in told] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_a_page_has_no_marks_of_a_merge(page: Path):
    assert re.findall(r"^(?:<{7}|={7}|>{7})(?: .*)?$", page.read_text("utf-8"), re.MULTILINE) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_link_to_a_file_leads_to_one(page: Path):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_link_into_a_page_leads_to_a_heading(page: Path):
    links = re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text("utf-8"))
    lost = [
        f"{path}#{heading}" for path, heading in links if heading not in headings(page.parent / path if path else page)
    ]
    assert lost == []


def headings(page: Path) -> set[str]:
    """As GitHub names their anchors."""
    titles = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_every_path_in_back_quotes_is_there(page: str):
    text = re.sub(r"```.*?```", "", (CHECKOUT / page).read_text("utf-8"), flags=re.DOTALL)
    bases = (CHECKOUT, CHECKOUT / "service" / "openapi_mcp_server")
    paths = set(re.findall(r"`([a-z_.][\w.-]*/[\w./-]*)`", text)) - METHODS
    lost = [
        path for path in paths if not any((base / f"{path}{end}").exists() for base in bases for end in ("", ".py"))
    ]
    assert sorted(lost) == []


DECISIONS = sorted((CHECKOUT / "docs" / "adr").glob("0*.md"))


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_every_file_that_a_decision_names_is_there(page: Path):
    bases = (CHECKOUT, CHECKOUT / "service" / "openapi_mcp_server")
    named = set(re.findall(r"`([a-z_.][\w.-]*/[\w./-]*\.\w+)`", page.read_text("utf-8")))
    assert sorted(path for path in named if not any((base / path).exists() for base in bases)) == []


def test_a_decision_that_was_superseded_says_by_which():
    told = {
        (by.name, of)
        for by in DECISIONS
        for sentence in re.findall(r"Supersedes [^.]*", by.read_text("utf-8"))
        for of in re.findall(r"\((\d{4}-[\w-]+)", sentence)
    }
    assert told
    silent = [
        f"{of}.md: {by}"
        for by, of in told
        if f"({by}) supersedes" not in (DECISIONS[0].parent / f"{of}.md").read_text("utf-8")
    ]
    assert silent == []


def test_the_index_of_decisions_has_each_with_its_title():
    index = (CHECKOUT / "docs" / "adr" / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| \[(\d{4})\]\(([\w.-]+)\) \| (.*) \|$", index, re.MULTILINE)
    titles = [(page, page.read_text("utf-8").splitlines()[0]) for page in DECISIONS]
    assert [(name, f"# {number} · {title}") for number, name, title in rows] == [
        (page.name, line) for page, line in titles
    ]
