"""``completion``: a script that completes commands, options and their values in a shell, from the settings' table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings.command_line import COMMAND_OPTIONS, COMMANDS
from openapi_mcp_server.settings.config import Config
from openapi_mcp_server.settings.table import SETTINGS, Setting

PROGRAM = "openapi-mcp-server"
_NO_WORDS = frozenset({"help", "version"})
"""Commands that are typed as options."""


class _Option(NamedTuple):
    """One option. ``values`` may follow it; None if no value does. If ``values`` is empty, files are offered."""

    name: str
    help: str
    values: tuple[str, ...] | None


def run(config: Config) -> int:
    if len(config.operands) != 1 or config.operands[0] not in SHELLS:
        raise ConfigError("completion", f"for which shell? completion {' or '.join(SHELLS)}")
    sys.stdout.write(SHELLS[config.operands[0]]())
    return 0


def _options() -> list[_Option]:
    own = [_Option(name, what, () if takes else None) for name, (_, takes, what) in COMMAND_OPTIONS.items()]
    settings = [option for setting in SETTINGS for option in _of_setting(setting)]
    help_and_version = [_Option("--help", "every option", None), _Option("--version", "which version this is", None)]
    return [*own, *settings, *help_and_version]


def _of_setting(setting: Setting) -> Iterable[_Option]:
    """The options of one setting: a switch also has one that turns it off."""
    if not setting.is_switch:
        yield _Option(setting.option, setting.help, setting.choices)
        return
    yield _Option(setting.option, setting.help, None)
    if not setting.option.startswith("--no-"):
        yield _Option("--no-" + setting.option[2:], f"not: {setting.help}", None)


def _commands() -> list[str]:
    return [command for command in COMMANDS if command not in _NO_WORDS]


def _bash() -> str:
    options = _options()
    cases = "".join(f"    {each.name}) words='{' '.join(each.values)}' ;;\n" for each in options if each.values)
    files = "|".join(each.name for each in options if each.values == ())
    return f"""\
_{_identifier()}() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} words=''
  case $before in
{cases}    {files}) COMPREPLY=($(compgen -f -- "$word")); return ;;
    completion) words='{" ".join(SHELLS)}' ;;
  esac
  if [[ -z $words && $word == -* ]]; then words='{" ".join(each.name for each in options)}'; fi
  if [[ -z $words && $COMP_CWORD -eq 1 ]]; then words='{" ".join(_commands())}'; fi
  if [[ -z $words ]]; then COMPREPLY=($(compgen -f -- "$word")); return; fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -F _{_identifier()} {PROGRAM}
"""


def _zsh() -> str:
    rows = "".join(f"    {_quoted(_zsh_option(each))}\n" for each in _options())
    return f"""\
#compdef {PROGRAM}
_{_identifier()}() {{
  local -a options=(
{rows}  )
  _arguments $options '1: :({" ".join(_commands())})' '*: :_files'
}}
compdef _{_identifier()} {PROGRAM}
"""


def _zsh_option(option: _Option) -> str:
    """An option as ``_arguments`` reads it: the help in brackets, a colon before each further part."""
    told = option.help.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    if option.values is None:
        return f"{option.name}[{told}]"
    return f"{option.name}[{told}]:value:" + (f"({' '.join(option.values)})" if option.values else "_files")


def _fish() -> str:
    lines = [f"complete -c {PROGRAM} -n __fish_use_subcommand -a {_fish_quoted(' '.join(_commands()))}"]
    lines.append(f"complete -c {PROGRAM} -n '__fish_seen_subcommand_from completion' -a '{' '.join(SHELLS)}'")
    for option in _options():
        line = f"complete -c {PROGRAM} -l {option.name[2:]} -d {_fish_quoted(option.help)}"
        if option.values:
            line += f" -x -a '{' '.join(option.values)}'"
        lines.append(line + (" -r" if option.values == () else ""))
    return "\n".join(lines) + "\n"


def _identifier() -> str:
    return PROGRAM.replace("-", "_")


def _quoted(text: str) -> str:
    """One word for a POSIX shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SHELLS: Mapping[str, Callable[[], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
