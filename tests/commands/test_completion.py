"""Completion: what each shell makes of the script, asked of the shell itself."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from openapi_mcp_server.settings.command_line import COMMAND_OPTIONS
from openapi_mcp_server.settings.table import SETTINGS
from processes import run


def script(shell: str) -> str:
    done = run("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def offered(*words: str) -> list[str]:
    """By bash, for the last of these words."""
    line = " ".join(f"'{word}'" for word in words)
    asked = (
        f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _openapi_mcp_server; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(["bash", "-c", script("bash") + asked], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("openapi-mcp-server", "di"), ["diff"]),
        (("openapi-mcp-server", "serve", "--log-f"), ["--log-format"]),
        (("openapi-mcp-server", "--log-format", "j"), ["json"]),
        (("openapi-mcp-server", "--transport", "s"), ["stdio", "streamable-http", "sse"]),
        (("openapi-mcp-server", "diff", "--fail"), ["--fail-on-breaking"]),
        (("openapi-mcp-server", "completion", "z"), ["zsh"]),
        (("openapi-mcp-server", "--no-debu"), ["--no-debug"]),
    ],
)
def test_bash_offers_commands_options_and_their_values(words: tuple[str, ...], found: list[str]) -> None:
    assert offered(*words) == found


def test_every_option_is_offered() -> None:
    everything = offered("openapi-mcp-server", "serve", "--")
    assert {setting.option for setting in SETTINGS} | COMMAND_OPTIONS.keys() <= set(everything)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_can_read_its_script(shell: str) -> None:
    text = script(shell)
    assert all(setting.option.removeprefix("--") in text for setting in SETTINGS)
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    checked = subprocess.run([shell, "-n"], input=text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("argv", [(), ("tcsh",), ("bash", "zsh")])
def test_another_shell_is_refused_with_those_there_are(argv: tuple[str, ...]) -> None:
    done = run("completion", *argv)
    assert (done.returncode, done.stderr) == (
        2,
        "openapi-mcp-server: completion: for which shell? completion bash or zsh or fish\n",
    )
