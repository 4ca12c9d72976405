"""Where the values of settings come from: the environment, the files it names, the elements of a JSON array."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PureWindowsPath
from typing import Any, TypeVar

import msgspec

from openapi_mcp_server.errors import ConfigError, ServiceError
from openapi_mcp_server.settings.command_line import ELSEWHERE, Given
from openapi_mcp_server.settings.readers import pairs, repeated, words
from openapi_mcp_server.settings.table import SETTINGS, Setting

_KNOWN = frozenset(name for setting in SETTINGS for name in (setting.name, f"{setting.name}_FILE"))
_BY_FLAG = {
    name: setting.name
    for setting in SETTINGS
    if "_" in (name := setting.option.strip("-").upper().replace("-", "_")) and name not in _KNOWN
}
"""Variables named as a flag whose variable has another name: ``API_URL`` for API_BASE_URL."""
_OF_OPTION = {setting.option: setting.name for setting in SETTINGS}
_BY_FLAG |= {
    name: _OF_OPTION[ours]
    for option, ours in ELSEWHERE.items()
    if "API" in (name := option.strip("-").upper().replace("-", "_"))  # BASE_URL may be anybody's
}
_BYTE = re.compile(r" \(byte ([0-9]+)\)$")
Decoded = TypeVar("Decoded")
_NEAR = 0.88
"""Likeness (difflib's ratio) from which on a name is taken for a misspelt one: two letters in twelve."""

STORES = ("secretsmanager:", "ssm:")
"""A secret that begins so is kept in that service of AWS."""

ReadFile = Callable[[str], str]
"""A path, or the place of a secret in one of `STORES`, to the text in it; raises OSError, ValueError or a
ServiceError."""


def read(setting: Setting, found: Given | None, read_file: ReadFile) -> Given:
    """The value of a setting from its text, or its default. Raises ConfigError under the name that was used."""
    if found is None:
        return Given(setting.default_value, setting.name, is_default=True)
    if setting.secret and found.value.startswith(STORES):
        found = Given(text_of(found.value.strip(), found.label, read_file), found.label)
    try:
        found.value.encode()
    except UnicodeEncodeError:  # Python keeps other bytes of the environment as halves of pairs
        raise ConfigError(found.label, "is not UTF-8 text") from None
    try:
        return Given(setting.read(found.value), found.label)
    except ValueError as error:
        shown = "the value" if setting.secret else repr(found.value[:100])
        raise ConfigError(found.label, f"{shown} {error}") from None


def from_environment(setting: Setting, environ: Mapping[str, str], read_file: ReadFile) -> Given | None:
    """The text of a variable, or of the file that ``NAME_FILE`` names. An empty one counts as not set. A line end after
    it is left out, since Kubernetes turns whole files into variables, and ECS whole secrets."""
    value, path = environ.get(setting.name, "").rstrip("\r\n"), environ.get(f"{setting.name}_FILE", "")
    if value and path:
        raise ConfigError(setting.name, f"give either it or {setting.name}_FILE, not both")
    if not path:
        return Given(value, setting.name) if value else None
    return Given(text_of(path, f"{setting.name}_FILE", read_file), f"{setting.name}_FILE")


def from_object(
    settings: Mapping[str, Setting], fields: Mapping[str, Any], place: str, read_file: ReadFile, more: str = ""
) -> dict[str, Given]:
    """The settings in an object, by their own names. Raises ConfigError for an unknown field; ``more`` ends the list of
    known ones in the message."""
    known = [*settings, *(f"{name}_file" for name in settings)]
    for name in fields:
        if name not in known:
            there = near(name, known).strip() or f"there are {', '.join(settings)}{more}"
            raise ConfigError(place, f"has no field {name[:64]!r}; {there}")
    return {setting.name: _from_element(setting, fields, place, read_file) for setting in settings.values()}


def _from_element(setting: Setting, fields: Mapping[str, Any], place: str, read_file: ReadFile) -> Given:
    """The value of a field of an object, or of the file that ``field_file`` names; null counts as not given."""
    name, file = setting.element_field, f"{setting.element_field}_file"
    value, path = fields.get(name), fields.get(file)
    label = f"{place}.{name}"
    if value is not None and path is not None:
        raise ConfigError(label, f"give either it or {file}, not both")
    if path is not None:
        if not isinstance(path, str):
            raise ConfigError(f"{place}.{file}", "must be a path")
        return read(setting, Given(text_of(path, f"{place}.{file}", read_file), f"{place}.{file}"), read_file)
    if setting.read is words and isinstance(value, list) and all(isinstance(word, str) for word in value):
        return Given(tuple(value), label)
    if isinstance(value, dict) and setting.read is not pairs and setting.name != "AUTH_SCHEMES":
        raise ConfigError(label, "must be text, not an object")
    if isinstance(value, list) and setting.read is pairs:
        raise ConfigError(label, 'must be a JSON object of texts, such as {"Name": "value"}, not a list')
    found = None if value is None or value == "" else Given(_as_text(value, label), label)
    given = read(setting, found, read_file)
    return msgspec.structs.replace(given, label=label)


def objects(given: Given, kind: type[Decoded], form: str) -> Decoded:
    """A setting that is JSON; ``form`` is said of what is no such JSON: an array, or an object."""
    try:
        decoded = msgspec.json.decode(given.value, type=kind)
        name = repeated(given.value)
    except (msgspec.ValidationError, RecursionError):
        raise ConfigError(given.label, f"must be a JSON {form} of objects") from None
    except msgspec.DecodeError as error:
        if not given.value.lstrip().startswith(("[", "{")):
            problem = f"must be a JSON {form} of objects{file_hint(given.label)}"
            raise ConfigError(given.label, problem) from None
        raise ConfigError(given.label, f"is not JSON: {_with_place(str(error), given.value)}") from None
    if name is not None:
        raise ConfigError(given.label, f"an object in it has {name[:64]!r} twice; give it once")
    return decoded


def file_hint(label: str) -> str:
    """How a file is named instead: as a variable, or as a field of an element; nothing where it was one already."""
    if label.upper().endswith("_FILE"):
        return ""
    name = label.strip("-").replace("-", "_").upper() if label.startswith("--") else label
    return f"; {name}{'_file' if '.' in name else '_FILE'} takes the name of a file with it"


def _with_place(problem: str, text: str) -> str:
    """A problem of msgspec's with its line and column in place of the byte."""
    found = _BYTE.search(problem)
    offset = int(found[1]) if found else len(text.encode())
    before = text.encode()[:offset].decode(errors="ignore")
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    said = _BYTE.sub("", problem).removeprefix("JSON is malformed: ")
    return f"{said} (line {line}, column {column})"


def near(name: str, known: Iterable[str]) -> str:
    """``did you mean …?`` with the nearest known name; empty if none is near."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {found[0]}? " if found else ""


def misspelt(environ: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each variable that means nothing and looks like one of ours. Others belong to somebody else."""
    for name in sorted(environ.keys() - _KNOWN):
        near = _BY_FLAG.get(name) or next(iter(difflib.get_close_matches(name, _alike(name), n=1, cutoff=_NEAR)), None)
        if near:
            yield f"{name} is set and means nothing here: did you mean {near}?"


def _alike(name: str) -> list[str]:
    """The settings worth a closer look: comparing each variable with each setting takes longer than all else here."""
    return [known for known in _KNOWN if abs(len(known) - len(name)) <= 2 and _edges(known) & _edges(name)]


def _edges(name: str) -> set[str]:
    return {name[:3], name[-3:]}


def _as_text(value: Any, label: str) -> str:  # noqa: ANN401 - what JSON has
    match value:
        case str():
            return value
        case dict() | bool() | int():
            return msgspec.json.encode(value).decode()
        case _:
            raise ConfigError(label, f"must be text, not {'a list' if isinstance(value, list) else value}")


def text_of(path: str, label: str, read_file: ReadFile) -> str:
    """The text of a file, or of a secret in a store. Raises ConfigError."""
    try:
        return read_file(path).rstrip("\r\n")
    except ServiceError as error:
        raise ConfigError(label, f"cannot read {path}: {error}") from None
    except OSError as error:
        raise ConfigError(label, f"cannot read {path}: {error.strerror}{path_hint(path)}") from None
    except ValueError:
        raise ConfigError(label, f"{path} is not UTF-8 text") from None


def path_hint(path: str) -> str:
    """Advice about a path that names no file because no shell has read it, or because it is one of Windows."""
    if path.startswith("~"):
        return "; ~ is not replaced here: write the whole path"
    if path[:1] in {'"', "'"}:
        return "; its quotes are taken as part of the name: leave them out"
    drive = PureWindowsPath(path).drive
    return f"; in WSL, {drive} is at /mnt/{drive[0].lower()}" if re.fullmatch("[A-Za-z]:", drive) else ""
