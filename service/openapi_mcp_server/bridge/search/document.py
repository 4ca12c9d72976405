"""An OpenAPI document of the operations that a caller may call, made from their tools. It has nothing that is hidden,
fixed by an override or secret, since tools do not have it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.model import RESPONSE_FILTER, ApiSummary, BodyPlan, OutputContract, Slot, Tool
from openapi_mcp_server.openapi.pointers import escaped

MEDIA_TYPE = "application/json"
VERSION = "3.2.0"
"""OpenAPI 3.2 has a place for every method, and for a query that is one argument."""
DOCUMENT_BYTES = 300_000
"""The most bytes of its schemas: they take 10 ms, and a model can hardly be shown more."""
_OPERATION_BYTES = 500
_PATH_ITEM = frozenset({"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE", "QUERY"})
_REFERENCE = re.compile(rb'"\$ref":"#/\$defs/([^"]*)"')
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9._-]")
_ABOUT = (
    "The operations that can be called through this server, as its tools take them: an operationId is a tool's name. "
    "There are no servers and no security schemes in it, since the server knows both."
)


class _Parts(msgspec.Struct, frozen=True):
    """A schema with undecoded parts."""

    properties: dict[str, msgspec.Raw] = {}
    definitions: dict[str, msgspec.Raw] = msgspec.field(default={}, name="$defs")


class _Entry(msgspec.Struct, frozen=True):
    description: str = ""


_parts = msgspec.json.Decoder(_Parts).decode
_entry = msgspec.json.Decoder(_Entry).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def with_document(apis: Iterable[ApiSummary], tools: Mapping[str, Tool]) -> list[str]:
    """The APIs with a document that is small enough."""
    sizes: dict[str, int] = {}
    for tool in tools.values():
        answer = tool.output or tool.answers
        size = len(tool.input.checked) + (len(memoryview(answer.schema)) if answer else 0) + _OPERATION_BYTES
        sizes[tool.api] = sizes.get(tool.api, 0) + size
    return [api.name for api in apis if 0 < sizes.get(api.name, 0) <= DOCUMENT_BYTES]


def document(api: ApiSummary, tools: Iterable[Tool]) -> str:
    """The document as JSON; ``tools`` are those of the API that the caller has."""
    components = _Components()
    paths: dict[str, dict[str, Any]] = {}
    for tool in tools:
        _place(paths, tool)[_key(tool)] = _operation(tool, components)
    title, version = text.line(api.title, text.TITLE_LIMIT) or api.name, text.line(api.version, 40)
    made = {
        "openapi": VERSION,
        "info": {"title": title, "version": version or "0", "description": _ABOUT},
        "paths": paths,
        **({"components": {"schemas": components.schemas}} if components.schemas else {}),
    }
    return msgspec.json.encode(made).decode()


def _place(paths: dict[str, dict[str, Any]], tool: Tool) -> dict[str, Any]:
    """The object that gets the operation as a member. If two have the same path and method (their paths differ after
    "#"), the second gets another path."""
    item = paths.setdefault(tool.template, {})
    if _key(tool) in (item if tool.method in _PATH_ITEM else item.get("additionalOperations", {})):
        item = paths.setdefault(f"{tool.template}#{tool.name}", {})
    return item if tool.method in _PATH_ITEM else item.setdefault("additionalOperations", {})


def _key(tool: Tool) -> str:
    return tool.method.lower() if tool.method in _PATH_ITEM else tool.method


def _operation(tool: Tool, components: _Components) -> dict[str, Any]:
    arguments = components.parts(tool.input.schema)
    parameters = [_parameter(slot, arguments[slot.argument]) for slot in tool.slots if slot.argument in arguments]
    return {
        "operationId": tool.name,
        **({"summary": tool.title} if tool.title != tool.name else {}),
        "description": _entry(tool.entry).description,
        **({"tags": [*tool.subject.tags]} if tool.subject.tags else {}),
        **({"deprecated": True} if tool.deprecated else {}),
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": _body(body, arguments, tool.input.required)} if (body := _given(tool)) else {}),
        "responses": _responses(tool.output or tool.answers, components),
    }


def _parameter(slot: Slot, schema: msgspec.Raw) -> dict[str, Any]:
    placed = {"name": slot.name, "in": slot.location, **({"required": True} if slot.required else {})}
    if slot.location == "querystring":
        return placed | {"content": {"application/x-www-form-urlencoded": {"schema": schema}}}
    return placed | {"schema": schema}


def _given(tool: Tool) -> BodyPlan | None:
    """The body, if it takes any values: Stripe has an empty form everywhere."""
    body = tool.body
    return body if body is not None and (body.required or body.whole or body.properties) else None


def _body(body: BodyPlan, arguments: Mapping[str, msgspec.Raw], required: Iterable[str]) -> dict[str, Any]:
    schema: Any = arguments.get(body.whole or "", {})
    if body.whole is None:
        own = {argument: name for argument, name in body.properties.items() if argument in arguments}
        needed = frozenset((*required, *body.needed))
        schema = {
            "type": "object",
            "properties": {name: arguments[argument] for argument, name in own.items()},
            **({"required": found} if (found := [own[each] for each in own if each in needed]) else {}),
        }
    content = {media: {"schema": schema} for media in body.writers}
    return {**({"required": True} if body.required else {}), "content": content}


def _responses(answer: OutputContract | None, components: _Components) -> dict[str, Any]:
    told: dict[str, Any] = {"description": "The answer"}
    if answer is not None:
        own = components.parts(bytes(answer.schema)) if answer.wrapped else {}
        schema = own.get("result") or components.whole(bytes(answer.schema))
        told["content"] = {"application/json": {"schema": schema}}
    return {"2XX": told}


class _Components:
    """The definitions of all schemas as components. Definitions of one name may differ, since an answer has more
    members than a body. So there are several sets, with one meaning for a name in each."""

    def __init__(self) -> None:
        self.schemas: dict[str, msgspec.Raw] = {}
        self._sets: list[dict[str, bytes]] = []

    def parts(self, schema: bytes) -> dict[str, msgspec.Raw]:
        """The properties of a schema."""
        parts = _parts(schema)
        names = self._added(parts.definitions)
        kept = {name: each for name, each in parts.properties.items() if name != RESPONSE_FILTER}
        return {name: _referred(each, names) for name, each in kept.items()}

    def whole(self, schema: bytes) -> dict[str, msgspec.Raw]:
        names = self._added(_parts(schema).definitions)
        return {name: _referred(each, names) for name, each in _members(schema).items() if name != "$defs"}

    def _added(self, definitions: Mapping[str, msgspec.Raw]) -> dict[bytes, str]:
        """The names that definitions have in the document, by their tokens in references."""
        own = {name: bytes(each) for name, each in definitions.items()}
        number = next((number for number, each in enumerate(self._sets) if _agree(each, own)), len(self._sets))
        self._sets += [{}] if number == len(self._sets) else []
        suffix = f"_{number + 1}" if number else ""
        names = {escaped(name).encode(): f"{_NOT_A_NAME.sub('_', name)}{suffix}" for name in own}
        for name in own.keys() - self._sets[number].keys():
            self.schemas[names[escaped(name).encode()]] = _referred(definitions[name], names)
        self._sets[number] |= own
        return names


def _agree(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> bool:
    return all(one.get(name, each) == each for name, each in other.items())


def _referred(schema: msgspec.Raw, names: Mapping[bytes, str]) -> msgspec.Raw:
    def instead(found: re.Match[bytes]) -> bytes:
        name = names.get(found[1])
        return found[0] if name is None else b'"$ref":"#/components/schemas/%b"' % name.encode()

    return msgspec.Raw(_REFERENCE.sub(instead, bytes(schema)))
