"""Compares every version of a document below a folder with the one before it, as ``diff`` and as a plain reading do.

Versions are told by their files' names: ``Checkout-v70.json``, ``v1.26.yaml``. The plain reading is of the text alone,
without any code of ours: which operations there are, their parameters and the members of their JSON bodies, and which
of these are required. It finds tools that came, went or were renamed, and arguments that are gone, new or required now.
Exit code 0 only if both find the same in every pair.
"""

import argparse
import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import yaml  # type: ignore[import-untyped]

from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.model import ToolCatalog, ToolForm
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.bridge.reports.changes import Comparison, compare
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import parse

VERSION = re.compile(r"^(.*?)v(\d+(?:\.\d+)?)\.(?:json|ya?ml)$")
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
WORDS = {"is gone", "is new", "is new and required", "is required now", "is optional now"}
"""What the plain reading can tell of an argument."""

Found = dict[str, set[Any]]


class Read(NamedTuple):
    """``arguments``: whether each is required."""

    operation: str
    arguments: dict[str, bool]


def pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    families: dict[str, list[tuple[list[int], Path]]] = {}
    for path in sorted(folder.rglob("*")):
        if named := VERSION.match(path.name):
            families.setdefault(f"{path.parent}/{named[1]}", []).append(([*map(int, named[2].split("."))], path))
    for versions in families.values():
        yield from pairwise(path for _, path in sorted(versions) if plain(path.read_bytes()))


def plain(text: bytes) -> dict[str, Read]:
    """By the operation's id; of those that have one."""
    root = json.loads(text) if text.lstrip().startswith(b"{") else yaml.load(text, yaml.CSafeLoader)
    return {
        operation["operationId"]: Read(f"{method.upper()} {path}", _arguments(root, item, operation))
        for path, item in (root.get("paths") or {}).items()
        for method, operation in item.items()
        if method in METHODS and "operationId" in operation
    }


def _arguments(root: Any, item: Any, operation: Any) -> dict[str, bool]:  # noqa: ANN401 - what JSON has
    told = [_resolved(root, each) for each in [*item.get("parameters", ()), *operation.get("parameters", ())]]
    found = {each["name"]: each.get("required", False) for each in told if each["in"] != "body"}
    body = _resolved(root, operation.get("requestBody") or {})
    schema = _merged(root, body.get("content", {}).get("application/json", {}).get("schema") or {})
    for old in (each for each in told if each["in"] == "body"):
        body, schema = old, _merged(root, old["schema"])
    needed = schema.get("required", ()) if body.get("required") else ()
    members = {name: _resolved(root, member) for name, member in schema.get("properties", {}).items()}
    return found | {name: name in needed for name, member in members.items() if not member.get("readOnly")}


def _resolved(root: Any, value: Any) -> Any:  # noqa: ANN401
    while "$ref" in value:
        at = root
        for part in value["$ref"].removeprefix("#/").split("/"):
            at = at[part.replace("~1", "/").replace("~0", "~")]
        value = at
    return value


def _merged(root: Any, schema: Any) -> Any:  # noqa: ANN401
    schema = _resolved(root, schema)
    whole: dict[str, Any] = {"properties": {}, "required": []}
    for part in (*(_merged(root, each) for each in schema.get("allOf", ())), schema):
        whole["properties"] |= part.get("properties", {})
        whole["required"] += part.get("required", [])
    return whole


def by_reading(old: dict[str, Read], new: dict[str, Read]) -> Found:
    was, now = ({read.operation: name for name, read in side.items()} for side in (old, new))
    kept = was.keys() & now.keys()
    renamed = {(was[each], now[each]) for each in kept if was[each] not in new and now[each] not in old}
    gone, came = {one for one, _ in renamed}, {other for _, other in renamed}
    both = [(name, name) for name in old.keys() & new.keys()] + sorted(renamed)
    return {
        "added": new.keys() - old.keys() - came,
        "removed": old.keys() - new.keys() - gone,
        "renamed": renamed,
        "arguments": {
            (name, *told) for before, name in both for told in _changes(old[before].arguments, new[name].arguments)
        },
    }


def _changes(old: dict[str, bool], new: dict[str, bool]) -> Iterator[tuple[str, str]]:
    for name in old.keys() - new.keys():
        yield name, "is gone"
    for name, needed in new.items():
        if name not in old:
            yield name, "is new and required" if needed else "is new"
        elif needed != old[name]:
            yield name, "is required now" if needed else "is optional now"


def by_diff(found: Comparison) -> Found:
    return {
        "added": {each.name for each in found.added},
        "removed": {each.name for each in found.removed},
        "renamed": {(each.was, each.name) for each in found.renamed},
        "arguments": {
            (each.name, change.argument, change.what)
            for each in (*found.renamed, *found.changed)
            for change in each.changes
            if change.what in WORDS and not re.search(r"[./\[]", change.argument)  # not what is below an argument
        },
    }


def built(text: bytes) -> ToolCatalog:
    """Under names that are as long as the documents' own."""
    source = ApiSource(name="api", base=base_url("https://api.example.com"), description=describe(parse(text)))
    return build([source], ToolForm(name_length=128))


def compared(old: Path, new: Path, say: Callable[[str], None]) -> bool:
    texts = [path.read_bytes() for path in (old, new)]
    expected, found = by_reading(*map(plain, texts)), by_diff(compare(*map(built, texts)))
    same = expected == found
    counts = ", ".join(f"{len(expected[kind])} {kind}" for kind in expected)
    say(f"{'same' if same else 'DIFFERENT'}  {old.name} → {new.name}: {counts}")
    for kind, told in expected.items():
        for title, only in (("reading", told - found[kind]), ("diff", found[kind] - told)):
            for each in sorted(only, key=str)[:20]:
                say(f"    {kind}, only by {title}: {each}")
    return same


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    results = [compared(old, new, print) for old, new in pairs(parser.parse_args().folder)]
    print(f"{sum(results)} of {len(results)} pairs the same")
    raise SystemExit(0 if results and all(results) else 1)


if __name__ == "__main__":
    main()
