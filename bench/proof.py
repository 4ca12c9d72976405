"""What is proven of a tool: its schemas compile within their budget, and calls made from them become right requests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import msgspec

from openapi_mcp_server.bridge import request
from openapi_mcp_server.bridge.arguments import check
from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.bridge.schemas.edits import decode, encode
from openapi_mcp_server.bridge.tools.api import SchemaLimits
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.mock import synthesis
from openapi_mcp_server.mock.levels import NoValueError

_LIMITS = SchemaLimits()
_HOLE = re.compile(r"\{[^{}]*\}")
_TARGET = re.compile(r"/[!-~]*")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE = re.compile(r"([!-~]([ -~]*[!-~])?)?")
_JSON = re.compile(r"application/([\w.-]+\+)?json", re.IGNORECASE)


class Shown(msgspec.Struct):
    """What a model sees of a tool."""

    inputSchema: msgspec.Raw  # noqa: N815 - MCP's spelling
    outputSchema: msgspec.Raw = msgspec.Raw(b"")  # noqa: N815


class Proof(msgspec.Struct):
    """Of one document: calls that became requests, and all that did not, by tool with the reason.

    ``refused``: valid by the schema, yet the service refused it. ``not_made``: nothing valid was found by the
    synthesiser. ``broken``: a schema or a request that must not be. ``as_text``: calls that were carried out with text
    where a schema takes text beside what was meant.
    """

    built: int = 0
    refused: list[str] = []
    not_made: list[str] = []
    broken: list[str] = []
    as_text: list[str] = []


def prove(tool: Tool, origin: Origin, proof: Proof) -> None:
    shown = msgspec.json.decode(tool.entry, type=Shown)
    proof.broken += [f"{tool.name}: {fault}" for fault in schema_faults(shown)]
    listed = synthesis.validator(bytes(shown.inputSchema))
    for place, given in _made(tool, proof):
        if not listed.is_valid(given):
            proof.broken.append(f"{place}: what is checked takes what is listed refuses")
        call(tool, origin, given, place, proof)


def _made(tool: Tool, proof: Proof) -> Iterator[tuple[str, dict[str, Any]]]:
    """(what is tried, arguments) with what the tool requires, and with all that it takes."""
    schema = decode(tool.input.schema)  # which says all; clients are told what they read
    for whole in (False, True):
        place = f"{tool.name} at {tool.pointer} with {'all' if whole else 'required'} arguments"
        try:
            yield place, synthesis.arguments(schema, whole=whole)
        except (NoValueError, synthesis.EndlessError, RecursionError) as error:
            proof.not_made.append(f"{place}: {error}")


def prove_portable(tool: Tool, proof: Proof) -> None:
    """What the whole schema takes is carried out if it is written as a portable one asks for it, and as it is."""
    listed = msgspec.json.decode(tool.entry)["inputSchema"]
    told_as = {own: told for told, own in tool.input.spelling.names.items()} if tool.input.spelling else {}
    for place, given in _made(tool, proof):
        written = as_listed({told_as.get(name, name): value for name, value in given.items()}, listed)
        try:
            meant = check.check(tool, msgspec.Raw(encode(given))).values
            read = check.check(tool, msgspec.Raw(encode(written))).values
        except ArgumentError as error:
            is_valid = synthesis.validator(tool.input.schema).is_valid(given)
            told = " ".join(f"{place}: {error} {encode(written)[:200].decode(errors='replace')}".split())
            (proof.broken if is_valid else proof.not_made).append(told)
            continue
        proof.built += 1
        if read != meant:
            proof.as_text.append(place)


def as_listed(value: Any, schema: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A value as somebody writes it who knows nothing but a portable schema: as JSON text where it asks for text."""
    match schema.get("type") if isinstance(schema, dict) else None:
        case "string" if not isinstance(value, str):
            return encode(value).decode()
        case "object" if isinstance(value, dict):
            known = schema.get("properties", {})
            return {name: as_listed(part, known.get(name)) for name, part in value.items()}
        case "array" if isinstance(value, list):
            return [as_listed(part, schema.get("items")) for part in value]
    return value


def schema_faults(shown: Shown) -> list[str]:
    faults = []
    for kind, schema, limit in (
        ("input", bytes(shown.inputSchema), _LIMITS.listed_bytes),
        ("output", bytes(shown.outputSchema), _LIMITS.output_bytes),
    ):
        if len(schema) > limit:
            faults.append(f"the {kind} schema has {len(schema):,} bytes")
        try:
            if schema:
                synthesis.validator(schema)
        except ValueError as error:
            faults.append(f"the {kind} schema does not compile: {error}")
    return faults


def call(tool: Tool, origin: Origin, given: dict[str, object], place: str, proof: Proof) -> None:
    encoded = encode(given)
    try:
        checked = check.check(tool, msgspec.Raw(encoded))
        built = request.build(tool, checked.values)
    except ArgumentError as error:
        is_valid = synthesis.validator(tool.input.schema).is_valid(given)
        told = " ".join(f"{place}: {error} {encoded[:200].decode(errors='replace')}".split())
        (proof.refused if is_valid else proof.not_made).append(told)
        return
    proof.built += 1
    proof.broken += [f"{place}: {fault}" for fault in request_faults(tool, given, built, origin)]


def request_faults(tool: Tool, given: dict[str, object], built: HttpRequest, origin: Origin) -> list[str]:
    """What is wrong with a request, judged from the document's path and the RFCs and not by what built it."""
    faults = []
    if built.origin != origin:
        faults.append(f"goes to {built.origin}")
    if not has_shape(tool, built.path):
        faults.append(f"the path {built.path} is not {tool.template}")
    if "#" in built.query or (built.query and not all(built.query.split("&"))):
        faults.append(f"the query {built.query} is not in one piece")
    elif not _TARGET.fullmatch(built.target):
        faults.append("the target is not visible ASCII")
    for name, value in built.headers:
        if not _TOKEN.fullmatch(name) or not _FIELD_VALUE.fullmatch(value):
            faults.append(f"the header {name}: {value!r} is not legal")
    return faults + body_faults(tool, given, built)


def body_faults(tool: Tool, given: dict[str, object], built: HttpRequest) -> list[str]:
    content_type = dict(built.headers).get("content-type", "")
    if (built.body is None) != (content_type == ""):
        return ["has a body and no type, or a type and no body"]
    if built.body is None or tool.body is None or not _JSON.match(content_type):
        return []
    try:
        said = decode(built.body)
    except msgspec.DecodeError as error:
        return [f"the body is no JSON: {error}"]
    properties = {name: given[argument] for argument, name in tool.body.properties.items() if argument in given}
    wanted = properties if tool.body.whole is None else given[tool.body.whole]
    return [] if said == wanted else ["the body does not say what was given"]


def has_shape(tool: Tool, path: str) -> bool:
    """Whether a path has the segments of the template below its base: its text the same, its holes filled."""
    wanted = _HOLE.sub("\0", tool.template).split("/")[1:]
    segments = path.split("/")[1:]
    base = unquote(str(tool.path[0])).removesuffix(unquote(tool.template.partition("{")[0]))
    if len(segments) < len(wanted) or unquote("".join(f"/{each}" for each in segments[: -len(wanted)])) != base:
        return False
    return all(
        re.fullmatch(".+".join(re.escape(unquote(text)) for text in want.split("\0")), unquote(got), re.DOTALL)
        for want, got in zip(wanted, segments[-len(wanted) :], strict=True)
    )
