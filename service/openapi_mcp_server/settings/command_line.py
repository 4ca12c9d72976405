"""The command line taken apart: which command, which settings, which options and operands of its own.

What it does not know is refused by name, with the nearest name that it knows.
"""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings.table import SETTINGS, TOPICS, Setting

Command = Literal["serve", "demo", "inspect", "call", "doctor", "diff", "mock", "completion", "help", "version"]

_BY_FLAG: Mapping[str, Setting] = {setting.option: setting for setting in SETTINGS}
COMMANDS: tuple[Command, ...] = get_args(Command)
COMMAND_OPTIONS: Mapping[str, tuple[str, bool, str]] = {
    "--json": ("inspect doctor diff", False, "the whole report as JSON"),
    "--html": ("inspect", True, "file into which the report is written as a web page"),
    "--document": ("doctor", False, "check a document instead of a server"),
    "--token-file": ("call doctor", True, "file with the token that the server asks for"),
    "--idle": ("doctor", True, "seconds for which a silent stream is watched [35]"),
    "--origin": ("doctor", True, "origin of a web page that should be allowed, such as https://app.example.com"),
    "--fail-on-breaking": ("diff", False, "exit code 1 where a change breaks what a model is used to"),
    "--tokens": (
        "inspect",
        False,
        "what the list costs a model, tool by tool, beside search mode; what clients allow",
    ),
    "--server": ("call doctor", True, "URL of a running server's MCP endpoint, instead of a document"),
    "--output": ("call", True, "file for a picture or another binary answer"),
    "--verbose": ("call", False, "the API's request and answer on standard error, credentials hidden; -v"),
    "--mock": ("serve", False, "answer calls from the documents, as mock does; no API is asked"),
    "--seed": ("mock serve", True, "a whole number; another one makes other answers [0]"),
    "--api-only": ("demo", False, "only the demo API itself, without MCP"),
}
"""Options of some commands: (the commands, takes a value, help)."""
OPERANDS: Mapping[str, str] = {
    "inspect": "[TOOL]",
    "call": "TOOL [argument …]",
    "diff": "OLD NEW",
    "completion": "bash|zsh|fish",
}
"""Commands that take something beside options."""

USAGE = """\
usage: openapi-mcp-server [serve] --spec-path FILE | --spec-url URL [option …]
            serves an API's operations as MCP tools over stdio, or with
            --transport http at a port; --api-url says where the API is
       openapi-mcp-server demo [option …]
            serves the tools of the bundled demo API
       openapi-mcp-server inspect [TOOL] --spec-path FILE [option …]
            shows what a document becomes; with TOOL, what a model sees of it
       openapi-mcp-server call TOOL [argument …] --server URL
       openapi-mcp-server call TOOL … --spec-path FILE [option …]
            makes one call, on a running server or straight from a document;
            arguments are name=value, name:=JSON or name=@FILE
       openapi-mcp-server doctor --server URL [--idle SECONDS] [--json]
            checks a running server, and what is in front of it
       openapi-mcp-server doctor --document --spec-path FILE
            lists what makes a document hard for agents, by what it costs
       openapi-mcp-server diff OLD NEW [--fail-on-breaking] [option …]
            shows how the tools change when one document replaces another; files
            or URLs
       openapi-mcp-server mock --spec-path FILE [option …]
            answers as the API that the document describes
       openapi-mcp-server completion bash|zsh|fish
            prints a script with which a shell completes commands and options
       openapi-mcp-server --help | --version
"""
RULE = (
    "Every option below is an environment variable too: the same name in capitals (--log-level: LOG_LEVEL), or the one "
    "in brackets. --no-NAME turns off a switch that is on. NAME_FILE names a file with the value. [x] is the default. "
    "docs/configuration.md has the whole table."
)
FAMILIES = {
    "AUTH_OAUTH2_": "For oauth2; docs/credentials.md",
    "AUTH_COGNITO_": "For cognito; docs/credentials.md",
    "OTEL_EXPORTER_OTLP_TRACES_": "Each of the eight above, for traces alone",
}
"""Settings that are one line of ``--help``, by the beginning of their names."""
ELSEWHERE: Mapping[str, str] = {
    "--openapi-spec": "--spec-url",
    "--openapi-spec-url": "--spec-url",
    "--openapi-spec-path": "--spec-path",
    "--openapi-url": "--spec-url",
    "--swagger-url": "--spec-url",
    "--spec-file": "--spec-path",
    "--base-url": "--api-url",
    "--server-url": "--api-url",
    "--api-headers": "--extra-headers",
    "--headers": "--extra-headers",
    "--header": "--extra-headers",
    "--token": "--auth-token",
}
"""Options of other programs that make tools of OpenAPI documents, and ours for the same."""
_NAMED = "a document is named by an option: --spec-path FILE or --spec-url URL"
_SHORT = {"-v": "--verbose"}
_OF_DOCUMENTS = frozenset({"inspect", "call", "doctor", "diff", "mock"})
INDENT = 34
"""Columns for options in ``--help``."""


class Given(msgspec.Struct, frozen=True):
    """A value and the name it came under."""

    value: Any
    label: str
    is_default: bool = False


def parse(argv: Sequence[str]) -> tuple[Command, dict[str, Given], dict[str, str], tuple[str, ...]]:
    """(command, settings by name, the command's own options, operands); raises ConfigError."""
    command, rest = _command(argv)
    return (command, *_arguments(command, rest))


def usage(columns: int = 80, command: str = "serve") -> str:
    """The text of ``--help`` for a terminal of so many columns: of everything, or of a command that is not ``serve``.

    That of a command has its own options, and where the document is named. The settings hold for all of them.
    """
    width = max(80, min(columns, 120))
    if command == "serve":
        own = [
            (name, f"{commands.replace(' ', ', ')}: {text}") for name, (commands, _, text) in COMMAND_OPTIONS.items()
        ]
        parts = [
            ("Options of one command", own),
            *((topic, list(_rows(settings))) for topic, settings in TOPICS.items()),
        ]
        return "\n".join([USAGE, *textwrap.wrap(RULE, width), *_titled(parts, width)])
    own = [(name, text) for name, (commands, _, text) in COMMAND_OPTIONS.items() if command in commands.split()]
    parts = [("Options of this command", own)] if own else []
    if command in _OF_DOCUMENTS:
        topic, settings = next(iter(TOPICS.items()))
        parts.append((topic, list(_rows(settings))))
    return "\n".join([_ways(command), *_titled(parts, width), "", "--help without a command lists all settings."])


def _ways(command: str) -> str:
    """The lines of `USAGE` about a command; a line that is set in further goes on with the one above."""
    lines, is_of_command = [], False
    for line in USAGE.splitlines():
        words = line.removeprefix("usage:").split()
        if not line.startswith(" " * 12):
            is_of_command = words[:2] == ["openapi-mcp-server", command]
        if is_of_command:
            lines.append(line)
    return "usage:" + "\n".join(lines).removeprefix("      ")


def _titled(parts: Iterable[tuple[str, Iterable[tuple[str, str]]]], width: int) -> list[str]:
    lines: list[str] = []
    for title, rows in parts:
        lines += ["", f"{title}:"]
        for option, what in rows:
            lines += _row(option, what, width)
    return lines


def _rows(settings: Iterable[Setting]) -> Iterator[tuple[str, str]]:
    """(option, what it means), where a family of options is one row."""
    told: set[str] = set()
    for setting in settings:
        family = next((prefix for prefix in FAMILIES if setting.name.startswith(prefix)), None)
        if family is None:
            variable = "" if setting.option == setting.usual_option else f" ({setting.name})"
            default = f" [{setting.default}]" if setting.default else ""
            yield setting.option, f"{setting.help}{default}{variable}"
        elif family not in told:
            told.add(family)
            yield setting.usual_option[: len(family) + 2] + "…", FAMILIES[family]


def _row(option: str, what: str, width: int) -> list[str]:
    """The option on the left; above its meaning where it is too long for that."""
    lines = textwrap.wrap(what, width - INDENT, break_on_hyphens=False)
    column = " " * INDENT
    if len(option) + 4 > INDENT:
        return [f"  {option}", *(column + line for line in lines)]
    return [f"  {option}".ljust(INDENT) + lines[0], *(column + line for line in lines[1:])]


def _command(argv: Sequence[str]) -> tuple[Command, Sequence[str]]:
    for arg in argv:
        if arg in {"--help", "-h"}:
            return "help", [each for each in COMMANDS if each == argv[0] and each not in {"help", "version"}]
        if arg == "--version":
            return "version", ()
    if not argv or argv[0].startswith("-"):
        return "serve", argv
    for command in COMMANDS:
        if command == argv[0]:
            return command, argv[1:]
    if "/" in argv[0] or "." in argv[0]:
        raise ConfigError(argv[0], _of_name(argv[0]))
    raise ConfigError(argv[0], f"no such command; {_suggest(argv[0], COMMANDS)}")


def _arguments(command: Command, args: Sequence[str]) -> tuple[dict[str, Given], dict[str, str], tuple[str, ...]]:
    """(settings by name, the command's own options, operands)."""
    flags: dict[str, Given] = {}
    options: dict[str, str] = {}
    operands: list[str] = []
    queue = list(args)
    while queue:
        word = queue.pop(0)
        arg = _SHORT.get(word, word)
        flag, has_value, text = arg.partition("=")
        value = text if has_value else None
        if not flag.startswith("--"):
            operands.append(arg)
        elif flag in COMMAND_OPTIONS:
            options[flag] = _option(command, flag, value, queue)
        else:
            name, given = _setting(flag, value, queue)
            flags[name] = Given(given, flag)
    _refuse_strays(command, operands, [*_BY_FLAG, *COMMAND_OPTIONS])
    return flags, options, tuple(operands)


def _option(command: Command, flag: str, value: str | None, queue: list[str]) -> str:
    """The value of an option of the command's own; empty where it takes none. ``queue``: the words that follow."""
    owners, takes_value, _ = COMMAND_OPTIONS[flag]
    if command not in owners.split():
        raise ConfigError(flag, f"belongs to {owners.replace(' ', ' or ')}, not to {command}")
    if value is not None and not takes_value:
        raise ConfigError(flag, "takes no value")
    if not takes_value:
        return ""
    return _next(flag, queue) if value is None else value


def _setting(flag: str, value: str | None, queue: list[str]) -> tuple[str, str]:
    """The name of a setting and its value. ``queue``: the words that follow."""
    if flag.startswith("--no-") and (turned := _BY_FLAG.get("--" + flag[5:])) and turned.is_switch:
        return turned.name, "false"
    setting = _BY_FLAG.get(flag)
    if setting is None:
        raise ConfigError(flag, f"no such option; {_suggest(flag, [*_BY_FLAG, *COMMAND_OPTIONS])}")
    if value is not None:
        return setting.name, value
    if not setting.is_switch:
        return setting.name, _next(flag, queue)
    if queue and queue[0].lower() in {"true", "false"}:
        raise ConfigError(flag, f"write {flag}={queue[0]}; a switch takes no word after it")
    return setting.name, "true"


def _refuse_strays(command: Command, operands: Sequence[str], known: Iterable[str]) -> None:
    if command == "inspect" and len(operands) > 1:
        raise ConfigError(operands[1], "the command inspect takes one tool")
    if command == "inspect" and operands and operands[0].endswith((".json", ".yaml", ".yml")):
        raise ConfigError(operands[0], _NAMED)
    if operands and command not in OPERANDS and command != "help":
        raise ConfigError(operands[0], _stray(operands[0], command, known))


def _stray(operand: str, command: Command, known: Iterable[str]) -> str:
    """The advice about a word that no option takes."""
    if operand.startswith("-"):
        return f"options begin with two dashes; {_suggest('-' + operand, known)}"
    if "/" in operand or "." in operand:
        return _of_name(operand)
    return f"the command {command} takes options only"


def _of_name(operand: str) -> str:
    """The advice about the name of a document, or of the package in the arguments of ``uvx`` or ``npx``."""
    if operand.rpartition("/")[2].partition("@")[0].endswith("openapi-mcp-server"):
        return "this is the name of a program; take it out of the arguments"
    return _NAMED


def _next(flag: str, queue: list[str]) -> str:
    if not queue or queue[0].startswith("--"):
        raise ConfigError(flag, "a value must follow")
    return queue.pop(0)


def _suggest(wrong: str, known: Iterable[str]) -> str:
    if wrong in ELSEWHERE:
        return f"here it is {ELSEWHERE[wrong]}"
    near = difflib.get_close_matches(wrong, list(known), n=1)
    return f"did you mean {near[0]}? --help lists all" if near else "--help lists all"
