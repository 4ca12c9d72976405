"""Grades tools as a model reads them in a list, by written rules, and counts each kind of fault over all documents.

``bad``: it would be called wrongly, or cannot be told from another tool. ``usable``: it works, at a cost or after an
error. ``good``: no rule speaks against it. Printed are the grades of a sample, one of each document in turn, and how
many tools of all have each fault. Exit code 1 where fewer than 90 in 100 of the sample are good, or one is bad.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from openapi_mcp_server.bridge import catalog
from openapi_mcp_server.bridge.model import RESPONSE_FILTER, Tool, ToolForm
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.bridge.schemas.listed import LISTED_BYTES
from openapi_mcp_server.documents.other_files import Parts
from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import parse
from sweep import LOOKS_RIGHT, SUFFIXES

BASE = base_url("https://api.example.com")
GOOD_SHARE = 0.9
_MARKUP = re.compile(
    r"</?(?:p|br|div|span|code|a|b|i|ul|li|table|h\d|em|strong)\b[^<>]*>|\]\(|\*\*|^#{1,6} |```|&(?:nbsp|lt|gt|amp);"
    r"|\[!(?:NOTE|WARNING|TIP|IMPORTANT|CAUTION)\]",
    re.IGNORECASE | re.MULTILINE,
)
_POINTER = re.compile(
    r"(?:For more information(?: on| about)?[^.]*|See|Learn more)[^.\"]*,? see [^.]{0,80}\.$", re.IGNORECASE
)
_HASHED = re.compile(r"_[0-9a-f]{8}$")
_TRANSPORT = frozenset(
    {
        "content-encoding", "content-length", "accept-encoding", "transfer-encoding", "host", "connection", "expect",
        "te", "accept", "content-type",
    }
)  # fmt: skip
_FORMAT_OR_KEY = frozenset(
    {
        "access_token",
        "oauth_token",
        "key",
        "callback",
        "prettyprint",
        "opt_pretty",
        "pretty",
        "quotauser",
        "$.xgafv",
    }
)
_UNTOLD_NAME = re.compile(r"(?!id\Z|to\Z|ip\Z)[A-Za-z]\w?", re.IGNORECASE)
"""One or two characters: no name by itself, but for words."""


class Seen:
    """A tool as it is in the list."""

    def __init__(self, tool: Tool, twins: int, spread: Mapping[str, float]) -> None:
        self.tool = tool
        self.twins = twins  # tools of the same description
        self.spread = spread  # the share of a document's tools that has an argument

    @cached_property
    def entry(self) -> dict[str, Any]:
        told: dict[str, Any] = msgspec.json.decode(self.tool.entry)
        return told

    @property
    def description(self) -> str:
        return str(self.entry["description"])

    @property
    def arguments(self) -> Mapping[str, Any]:
        properties: dict[str, Any] = self.entry["inputSchema"]["properties"]
        return properties

    @property
    def required(self) -> list[str]:
        return [*self.entry["inputSchema"].get("required", [])]

    @cached_property
    def prose(self) -> list[str]:
        """All descriptions below that of the tool."""
        return [*_descriptions(self.entry["inputSchema"])]

    def says(self, name: str) -> bool:
        """Whether more than a name is told of an argument."""
        schema = self.resolved(self.arguments[name])
        return bool({"description", "enum", "examples", "const", "format", "pattern"} & schema.keys())

    def resolved(self, schema: object) -> Mapping[str, Any]:
        if not isinstance(schema, dict):
            return {}
        definitions = self.entry["inputSchema"].get("$defs", {})
        name = schema.get("$ref", "").removeprefix("#/$defs/")
        return {**definitions.get(name, {}), **schema} if name else schema


def _descriptions(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(said := schema.get("description"), str):
            yield said
        for key, value in schema.items():
            if key not in {"enum", "default", "examples", "const", "description"}:
                yield from _descriptions(value)
    elif isinstance(schema, list):
        for each in schema:
            yield from _descriptions(each)


def _enums(schema: object) -> Iterator[list[Any]]:
    if isinstance(schema, dict):
        if isinstance(values := schema.get("enum"), list):
            yield values
        for key, value in schema.items():
            if key not in {"enum", "default", "examples", "const"}:
                yield from _enums(value)
    elif isinstance(schema, list):
        for each in schema:
            yield from _enums(each)


class Rule(NamedTuple):
    name: str
    grade: Literal["bad", "usable"]
    says: str
    is_broken: Callable[[Seen], bool]


def _is_path_alone(seen: Seen) -> bool:
    return seen.description.rstrip(".") == f"{seen.tool.method} {seen.tool.template}"


def _says_twice(seen: Seen) -> bool:
    """The summary's words are all in the first sentence after it."""
    first, _, rest = seen.description.partition(". ")
    second = set(re.findall(r"\w{3,}", rest.partition(". ")[0].lower()))
    words = set(re.findall(r"\w{3,}", first.lower()))
    return len(words) > 2 and words <= second and not rest.startswith(seen.tool.method)


def _has_late_required(seen: Seen) -> bool:
    names = [*seen.arguments]
    return bool(seen.required) and set(names[: len(seen.required)]) != set(seen.required)


def _lacks_needed(seen: Seen) -> bool:
    return seen.tool.body is not None and not set(seen.tool.body.needed) <= {*seen.required, *_sent_as(seen)}


def _sent_as(seen: Seen) -> set[str]:
    return {
        name for name in seen.arguments if "Required if a body is sent" in seen.arguments[name].get("description", "")
    }


def _is_wrong_media_type(seen: Seen) -> bool:
    """An object is sent as a JSON Patch, or as a type of XML that is none of the API's."""
    body = seen.tool.body
    if body is None or body.whole is None:
        return False
    default = next(iter(body.writers), "")
    whole = seen.arguments.get(body.whole, {})
    is_object = seen.resolved(whole).get("type") == "object"
    return is_object and ("json-patch" in default or (default.endswith("+xml") and not body.by_type))


def _lacks_required_parts(seen: Seen) -> bool:
    schema = seen.entry["inputSchema"]
    return any(_is_shortened(schema["properties"][name]) for name in schema.get("required", ()))


def _is_shortened(schema: object) -> bool:
    """Whether a schema, or what is required in it, is told shortened."""
    if not isinstance(schema, dict):
        return False
    if (
        "hortened" in schema.get("description", "")
        and "enum" not in schema
        and not {"properties", "items"} & schema.keys()
    ):
        return schema.get("type") != "string" or "contentEncoding" in schema
    needed = [schema.get("properties", {}).get(name) for name in schema.get("required", ())]
    return any(map(_is_shortened, [*needed, schema.get("items")]))


def _wraps_needlessly(seen: Seen) -> bool:
    body = seen.tool.body
    schema = seen.resolved(seen.arguments.get(body.whole, {})) if body and body.whole else {}
    return schema.get("type") == "object" and "properties" in schema and not {"anyOf", "oneOf", "allOf"} & schema.keys()


RULES = (
    Rule("twin", "bad", "no other tool has the same description", lambda seen: seen.twins > 1),
    Rule("name", "bad", "its name is legal: letters, digits, _ and -, 64 at most",
         lambda seen: re.fullmatch(r"[A-Za-z0-9_-]{1,64}", seen.tool.name) is None),
    Rule("media type", "bad", "what is sent by default can carry the body", _is_wrong_media_type),
    Rule("needed", "bad", "arguments without which no body can be sent are said to be needed", _lacks_needed),
    Rule("untyped", "bad", "a required argument has a type, alternatives or a description", lambda seen: any(
        not seen.resolved(seen.arguments[name]).keys() - {"deprecated"} for name in seen.required)),
    Rule("transport", "bad", "headers that the connection needs are no arguments", lambda seen: any(
        slot.location == "header" and slot.name.lower() in _TRANSPORT for slot in seen.tool.slots)),
    Rule("path alone", "usable", "its description says what it does", _is_path_alone),
    Rule("hash", "usable", "its name is readable to the end, or its description says method and path", lambda seen: (
        _HASHED.search(seen.tool.name) is not None and seen.tool.template not in seen.description)),
    Rule("said twice", "usable", "the summary is not said again by the first sentence", _says_twice),
    Rule("cut word", "usable", "no description ends within a word", lambda seen: any(
        re.search(r"\w…$", each) and len(each) < 60 for each in [seen.description, *seen.prose])),
    Rule("mark-up", "usable", "its description has no mark-up",
         lambda seen: _MARKUP.search(seen.description) is not None),
    Rule("mark-up below", "usable", "descriptions of arguments have no mark-up",
         lambda seen: any(map(_MARKUP.search, seen.prose))),
    Rule("line ends", "usable", "descriptions are lines", lambda seen: any(
        "\n" in each for each in [seen.description, *seen.prose])),
    Rule("pointer", "usable", "no sentence points to a link that is gone",
         lambda seen: _POINTER.search(seen.description) is not None),
    Rule("media promise", "usable", "no media types are promised that cannot be asked for",
         lambda seen: "custom media type" in seen.description),
    Rule("untold", "usable", "required arguments are described, or their names and values tell", lambda seen: any(
        _UNTOLD_NAME.fullmatch(name) and not seen.says(name) for name in seen.required)),
    Rule("late", "usable", "required arguments come first", _has_late_required),
    Rule("switch", "usable", "no credential or format switch of nearly all operations is offered", lambda seen: any(
        name.lower() in _FORMAT_OR_KEY and name not in seen.required and seen.spread.get(name, 0) > 0.8
        for name in seen.arguments)),
    Rule("prose default", "usable", "no default is a sentence", lambda seen: any(
        isinstance(part, dict) and isinstance(part.get("default"), str) and len(part["default"]) > 60
        and " " in part["default"] for part in seen.arguments.values())),
    Rule("long", "usable", "what is required is told whole", _lacks_required_parts),
    Rule("too long", "bad", f"its arguments take {LISTED_BYTES} bytes at most", lambda seen: (
        len(msgspec.json.encode(seen.entry["inputSchema"])) > LISTED_BYTES)),
    Rule("long list", "usable", "no enumeration of more than 40 values", lambda seen: any(
        len(values) > 40 for values in _enums(seen.entry["inputSchema"]))),
    Rule("wrapped", "usable", "properties of a plain body are arguments", _wraps_needlessly),
    Rule("unguessable", "usable", "a required text with a pattern has a description or an example", lambda seen: any(
        "pattern" in (schema := seen.resolved(seen.arguments[name]))
        and not {"description", "examples", "enum"} & schema.keys()
        for name in seen.required)),
    Rule("full stop", "usable", "hints of ours begin a sentence", lambda seen: any(
        re.search(r"[a-z] (?:Required if a body is sent|Base64 text)", each) for each in seen.prose)),
)  # fmt: skip


def faults(seen: Seen) -> list[Rule]:
    return [rule for rule in RULES if rule.is_broken(seen)]


def grade(found: list[Rule]) -> str:
    return "bad" if any(rule.grade == "bad" for rule in found) else "usable" if found else "good"


def tools_of(path: Path) -> list[Seen]:
    """The tools of a document; none where it is none, or is refused."""
    data = path.read_bytes()
    if not LOOKS_RIGHT.search(data):
        return []
    try:
        description = describe(Parts(str(path)).bundled(parse(data)))
    except SpecError:
        return []
    built = catalog.build(
        [catalog.ApiSource(name="api", base=BASE, description=description)], ToolForm(response_filter=True)
    )
    tools = [*built.tools.values()]
    seen = [Seen(tool, 0, {}) for tool in tools]
    same = Counter(each.description for each in seen)
    takes = Counter(name for tool in tools for name in tool.input.names if name != RESPONSE_FILTER)
    spread = {name: count / len(tools) for name, count in takes.items() if len(tools) >= 8}
    return [Seen(each.tool, same[each.description], spread) for each in seen]


def sample(documents: Mapping[str, list[Seen]], count: int, seed: int) -> list[tuple[str, Seen]]:
    """So many tools, one of each document in turn."""
    chosen = random.Random(seed)
    piles = [[(name, each) for each in chosen.sample(tools, len(tools))] for name, tools in documents.items()]
    return [each for each in chain.from_iterable(zip_longest(*piles)) if each is not None][:count]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a folder of OpenAPI documents")
    parser.add_argument("--sample", type=int, default=150, help="tools that are graded")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", metavar="RULE", help="tools that break a rule, from all documents")
    options = parser.parse_args()
    files = sorted(path for path in options.folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    documents = {path.name: tools for path in files if (tools := tools_of(path))}
    everything = [each for tools in documents.values() for each in tools]
    if options.show:
        [rule] = [rule for rule in RULES if rule.name == options.show]
        shown = [f"{name}: {each.tool.name}: {each.description[:150]}" for name, tools in documents.items()
                 for each in tools if rule.is_broken(each)]  # fmt: skip
        sys.stdout.write("\n".join(shown) + "\n")
        return 0
    graded = [(name, each, faults(each)) for name, each in sample(documents, options.sample, options.seed)]
    for name, each, found in graded:
        told = ", ".join(rule.name for rule in found)
        sys.stdout.write(f"{grade(found):7} {each.tool.name:50} {name[:40]:40} {told}\n")
    grades = Counter(grade(found) for _, _, found in graded)
    all_grades = Counter(grade(faults(each)) for each in everything)
    sys.stdout.write(f"\nof {len(graded)} in the sample: {told_counts(grades)}\n")
    sys.stdout.write(f"of {len(everything)} of {len(documents)} documents: {told_counts(all_grades)}\n\n")
    counts = Counter(rule.name for each in everything for rule in faults(each))
    for rule in RULES:
        sys.stdout.write(f"{counts[rule.name]:>6}  {rule.grade:7} {rule.name:14} broken: {rule.says}\n")
    return 0 if not grades["bad"] and grades["good"] >= GOOD_SHARE * len(graded) else 1


def told_counts(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[each]} {each}" for each in ("good", "usable", "bad"))


if __name__ == "__main__":
    sys.exit(main())
