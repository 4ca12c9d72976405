"""The entry of a tool in tools/list: its description, its hints and its listed schema."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from openapi_mcp_server.bridge import guide, text
from openapi_mcp_server.bridge.http_messages import SAFE_METHODS
from openapi_mcp_server.bridge.model import InputContract, OutputContract
from openapi_mcp_server.bridge.schemas import listed
from openapi_mcp_server.bridge.schemas.edits import encode
from openapi_mcp_server.bridge.tools.api import Api
from openapi_mcp_server.bridge.tools.overrides import Overrides
from openapi_mcp_server.bridge.tools.tool_inputs import ToolInputs
from openapi_mcp_server.mcp.messages import Annotations, ToolEntry, one_line
from openapi_mcp_server.openapi.model import Operation

DIGEST = "openapi-mcp-server/digest"
"""Key of an entry's ``_meta``."""
_ANNOTATIONS = {
    **dict.fromkeys(SAFE_METHODS, Annotations(readOnlyHint=True, openWorldHint=True)),
    "PUT": Annotations(idempotentHint=True, openWorldHint=True),
    "DELETE": Annotations(destructiveHint=True, idempotentHint=True, openWorldHint=True),
}
"""Hints by method (RFC 9110 section 9.2). ``destructiveHint`` is true by default (MCP, ToolAnnotations), and no method
promises that it only adds."""


def descriptions(operations: Sequence[tuple[Operation, Overrides]]) -> list[str]:
    """The descriptions by which a model chooses operations, all different. In Kubernetes 590 of 826 have the words of
    another."""
    told = [
        text.description(operation) if own.description is None else text.line(own.description, text.DESCRIPTION_LIMIT)
        for operation, own in operations
    ]
    counts = Counter(told)
    return [
        _told_apart(said, operation) if counts[said] > 1 else said
        for said, (operation, _) in zip(told, operations, strict=True)
    ]


def _told_apart(said: str, operation: Operation) -> str:
    query = f"?{text.visible(operation.query)}" if operation.query else ""
    beside = f" {text.place(operation)}{query}"
    return text.sentence(text.shorten(said, text.DESCRIPTION_LIMIT - len(beside) - 1)) + beside


def listed_inputs(inputs: ToolInputs, api: Api, name: str) -> tuple[InputContract, bytes]:
    """The listed schema of the tool ``name``, and the contract of its arguments with it."""
    contract, limit = inputs.contract, api.limits.listed_bytes
    if not api.portable and not listed.is_long(inputs.told, limit):
        return contract, inputs.told.whole
    where = f"whole in the resource {guide.operation_uri(api.name, name)}"
    is_shortened = True
    if api.portable:
        from openapi_mcp_server.bridge.schemas import portable  # noqa: PLC0415 - for those who want it

        made = portable.portable_schema(inputs.told.whole, where, limit)
        contract = msgspec.structs.replace(contract, spelling=made.spelling)
        is_shortened, told = made.is_shortened, made.schema
    else:
        told = api.listings.shortened(inputs.told, where, limit)
    return (msgspec.structs.replace(contract, is_shortened=True) if is_shortened else contract), told


def encoded_entry(  # noqa: PLR0913, PLR0917 - the members of an entry
    name: str,
    title: str,
    prose: str,
    inputs: bytes,
    output: OutputContract | None,
    hinted: Annotations,
    size: Mapping[str, int],
) -> tuple[msgspec.Raw, str]:
    """The encoded element of tools/list, and its hash, which it contains."""
    entry = ToolEntry(
        name=name,
        title=title or msgspec.UNSET,
        description=prose,
        inputSchema=msgspec.Raw(inputs),
        outputSchema=output.schema if output else msgspec.UNSET,
        annotations=hinted,
    )
    told = one_line(encode(entry))
    digest = hashlib.sha256(told).hexdigest()[:16]
    return msgspec.Raw(told[:-1] + b',"_meta":%b}' % encode({DIGEST: digest, **size})), digest


def hints(method: str, overrides: Annotations) -> Annotations:
    by_method = _ANNOTATIONS.get(method, Annotations(openWorldHint=True))
    if overrides == Annotations():
        return by_method
    said = {key: value for key, value in msgspec.structs.asdict(overrides).items() if value is not msgspec.UNSET}
    if isinstance(said.get("title"), str):
        said["title"] = text.line(said["title"], text.TITLE_LIMIT)
    return msgspec.structs.replace(by_method, **said)
