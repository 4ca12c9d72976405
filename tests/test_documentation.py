"""What the documentation tells people to type is understood by the program, and what it names is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from processes import CHECKOUT

from service.config import load

PAGES = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")])


def commands() -> list[str]:
    """Every use of scripts/run or of the program in a block of shell commands, continued lines joined."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            lines = re.sub(r"\\\n\s*", "", block).splitlines()
            found += [line for line in lines if re.search(r"(^|\s)(scripts/run|openapi-mcp-server)\b", line)]
    return found


@pytest.mark.parametrize("command", [line for line in commands() if not line.startswith("docker")])
def test_a_documented_command_is_understood(command):
    words = shlex.split(command, comments=True)
    place = next(index for index, word in enumerate(words) if word in {"scripts/run", "openapi-mcp-server"})
    environ = dict(word.split("=", 1) for word in words[:place])
    argv = words[place + 1 :] or ["demo"]
    assert load(argv, environ, lambda path: "secret") is not None


@pytest.mark.parametrize("command", [line for line in commands() if line.startswith("docker run")])
def test_a_documented_container_is_understood(command):
    words = shlex.split(command, comments=True)
    image = next(index for index, word in enumerate(words) if word.startswith("openapi-mcp-server:"))
    environ = dict(words[index + 1].split("=", 1) for index, word in enumerate(words) if word == "-e")
    image_environ = {"SERVER_TRANSPORT": "http", "SERVER_HOST": "0.0.0.0", "INBOUND_AUTH": "none"}
    assert load(words[image + 1 :], {**image_environ, **environ}, lambda path: "secret") is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_link_to_a_file_leads_to_one(page: Path):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
