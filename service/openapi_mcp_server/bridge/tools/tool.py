"""Compiles one operation into a tool: everything that does not depend on a call."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from openapi_mcp_server.bridge import servers, text
from openapi_mcp_server.bridge.model import OutputContract, Subject, Tool
from openapi_mcp_server.bridge.parameters import path_template
from openapi_mcp_server.bridge.results.shown_size import result_size
from openapi_mcp_server.bridge.schemas import outputs
from openapi_mcp_server.bridge.tools import accept
from openapi_mcp_server.bridge.tools.api import Api
from openapi_mcp_server.bridge.tools.entry import encoded_entry, hints, listed_inputs
from openapi_mcp_server.bridge.tools.overrides import Overrides
from openapi_mcp_server.bridge.tools.tool_inputs import ToolInputs, tool_inputs
from openapi_mcp_server.openapi.model import Note, Operation

_HEADER_CHARACTERS = 200
"""Longer names of headers are of no use to a model."""


class Compiled(msgspec.Struct, frozen=True, gc=False):
    tool: Tool
    notes: tuple[Note, ...]


def compile_operation(
    operation: Operation, name: str, said: str, subject: Subject, overrides: Overrides, api: Api
) -> Compiled:
    """The tool with the description ``said``; raises SpecError with the place in the document if it cannot be made."""
    base = servers.operation_base(operation, api.base, api.servers, api.allowed_origins)
    inputs = tool_inputs(operation, api, overrides)
    contract, told = listed_inputs(inputs, api, name)
    holes = {slot.name: index for index, slot in enumerate(inputs.slots) if slot.location == "path"}
    path = path_template.compiled(base.path, operation.path, holes, operation.pointer)
    output = _output(operation, api, inputs)
    declared = None if api.portable else output
    title = text.line(overrides.title, text.TITLE_LIMIT) if overrides.title else text.title(operation)
    seen = len(name) + len(said.encode()) + len(told)
    hinted = hints(operation.method, overrides.annotations)
    entry, digest = encoded_entry(name, title, said, told, declared, hinted, result_size(api.result_bytes))
    return Compiled(
        Tool(
            name=name,
            api=api.name,
            method=operation.method,
            pointer=operation.pointer,
            template=operation.path,
            origin=base.origin,
            path=path,
            fixed_query=path_template.fixed_query(operation.query),
            slots=inputs.slots,
            body=inputs.body,
            accept=accept.header(operation),
            access=api.access(operation.security),
            input=contract,
            output=declared,
            answers=output if api.portable else None,
            entry=entry,
            digest=digest,
            filterable=inputs.filterable,
            paging=inputs.paging,
            fixed=inputs.fixed,
            withheld=inputs.withheld,
            headers=_described_headers(operation),
            title=title or name,
            summary=text.line(operation.summary or operation.description, text.TITLE_LIMIT),
            deprecated=operation.deprecated,
            seen_bytes=seen,
            subject=subject,
        ),
        inputs.notes.all(),
    )


def _output(operation: Operation, api: Api, inputs: ToolInputs) -> OutputContract | None:
    """The contract of answers in the document; None if it has none that can be declared."""
    documented = outputs.documented(operation, api.responses) if api.output_schemas else []
    if not documented:
        return None
    output = api.outputs.build(documented, api.limits.output_bytes, filterable=inputs.filterable)
    if output is None:
        message = "its output schema is too large to be declared; answers are passed on as ever"
        inputs.notes.add(operation.pointer, "output_dropped", message)
    return output


def _described_headers(operation: Operation) -> Mapping[str, str]:
    described = [response.headers for response in operation.responses if response.headers]
    return _labels(tuple(described)) if described else {}


@lru_cache(maxsize=256)
def _labels(described: tuple[tuple[str, ...], ...]) -> Mapping[str, str]:
    """Header names as written, by lower-case names. Most operations of an API have the same ones."""
    return {name.lower(): name for names in described for name in names if len(name) <= _HEADER_CHARACTERS}
