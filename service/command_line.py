"""The command line taken apart: which command, which settings, which options and operands of its own.

What it does not know is refused by name, with the nearest name that it knows.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec

from service.errors import ConfigError
from service.settings import SETTINGS

Command = Literal["serve", "demo", "inspect", "call", "help", "version"]

COMMANDS: tuple[Command, ...] = get_args(Command)
COMMAND_OPTIONS: Mapping[str, tuple[Command, bool, str]] = {
    "--json": ("inspect", False, "the whole report as JSON"),
    "--server": ("call", True, "URL of a running server's MCP endpoint, instead of a document"),
    "--output": ("call", True, "file for a picture or another binary answer"),
    "--api-only": ("demo", False, "only the demo API itself, without MCP"),
}
"""Options of one command: (command, takes a value, help)."""


class Given(msgspec.Struct, frozen=True):
    """A value and the name it came under."""

    value: Any
    label: str
    is_default: bool = False


def parse(argv: Sequence[str]) -> tuple[Command, dict[str, Given], dict[str, str], tuple[str, ...]]:
    """(command, settings by name, the command's own options, operands); raises ConfigError."""
    command, rest = _command(argv)
    return (command, *_arguments(command, rest))


def usage() -> str:
    """The text of ``--help``."""
    lines = [
        "usage: openapi-mcp-server [serve] --spec-path FILE | --spec-url URL [--api-url URL] [options]",
        "       openapi-mcp-server demo [--api-only] [options]          the bundled demo API",
        "       openapi-mcp-server inspect [--json] --spec-path FILE …  what a document turns into",
        "       openapi-mcp-server call TOOL [name=value …] [name:=json …] [--server URL | --spec-path FILE …]",
        "",
        "Every option is also an environment variable, and NAME_FILE names a file with its value:",
        "",
    ]
    for setting in SETTINGS:
        default = f" [{setting.default}]" if setting.default else ""
        lines.append(f"  {setting.option:36} {setting.name:34} {setting.help}{default}")
    lines += ["", "  --help", "  --version"]
    return "\n".join(lines)


def _command(argv: Sequence[str]) -> tuple[Command, Sequence[str]]:
    for arg in argv:
        if arg in {"--help", "-h"}:
            return "help", ()
        if arg == "--version":
            return "version", ()
    if not argv or argv[0].startswith("-"):
        return "serve", argv
    for command in COMMANDS:
        if command == argv[0]:
            return command, argv[1:]
    raise ConfigError(argv[0], f"no such command; {_suggest(argv[0], COMMANDS)}")


def _arguments(command: Command, args: Sequence[str]) -> tuple[dict[str, Given], dict[str, str], tuple[str, ...]]:
    """(settings by name, the command's own options, operands)."""
    by_flag = {setting.option: setting for setting in SETTINGS}
    flags: dict[str, Given] = {}
    options: dict[str, str] = {}
    operands: list[str] = []
    queue = list(args)
    while queue:
        arg = queue.pop(0)
        flag, has_value, value = arg.partition("=")
        if not arg.startswith("--"):
            operands.append(arg)
        elif flag in COMMAND_OPTIONS:
            owner, takes_value, _ = COMMAND_OPTIONS[flag]
            if owner != command:
                raise ConfigError(flag, f"belongs to the command {owner}")
            options[flag] = value if has_value or not takes_value else _next(flag, queue)
        elif flag.startswith("--no-") and (turned := by_flag.get("--" + flag[5:])) and turned.is_switch:
            flags[turned.name] = Given("false", flag)
        elif (setting := by_flag.get(flag)) is None:
            raise ConfigError(flag, f"no such option; {_suggest(flag, [*by_flag, *COMMAND_OPTIONS])}")
        elif setting.is_switch:
            flags[setting.name] = Given(value if has_value else "true", flag)
        else:
            flags[setting.name] = Given(value if has_value else _next(flag, queue), flag)
    if operands and command != "call":
        raise ConfigError(operands[0], f"the command {command} takes options only")
    return flags, options, tuple(operands)


def _next(flag: str, queue: list[str]) -> str:
    if not queue or queue[0].startswith("--"):
        raise ConfigError(flag, "a value must follow")
    return queue.pop(0)


def _suggest(wrong: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(wrong, list(known), n=1)
    return f"did you mean {near[0]}? --help lists all" if near else "--help lists all"
