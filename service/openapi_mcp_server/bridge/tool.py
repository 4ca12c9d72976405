"""One operation compiled into a tool: everything about it that does not depend on a call."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec

from openapi_mcp_server.bridge import accept, guide, security, servers, text
from openapi_mcp_server.bridge.arguments import undeclared
from openapi_mcp_server.bridge.bodies import body_shape
from openapi_mcp_server.bridge.bodies.body_shape import BodyShape, Field
from openapi_mcp_server.bridge.media import exact_json
from openapi_mcp_server.bridge.model import (
    RESPONSE_FILTER,
    SAFE_METHODS,
    Access,
    BaseUrl,
    BodyPlan,
    InputContract,
    Origin,
    OutputContract,
    Paging,
    Slot,
    Subject,
    Tool,
    Withheld,
)
from openapi_mcp_server.bridge.names import BODY, Wire, argument_names, free
from openapi_mcp_server.bridge.overrides import Fixed, Overrides
from openapi_mcp_server.bridge.parameters import encoders, path_template
from openapi_mcp_server.bridge.results import next_page
from openapi_mcp_server.bridge.results.shown_size import result_size
from openapi_mcp_server.bridge.schemas import inputs, listed, outputs, validation
from openapi_mcp_server.bridge.schemas.definitions import Definitions
from openapi_mcp_server.bridge.schemas.edits import cleaned, decode, encode, or_empty
from openapi_mcp_server.bridge.schemas.inputs import Argument, described, exemplified
from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.mcp.messages import Annotations, ToolEntry
from openapi_mcp_server.openapi.model import ApiDescription, Note, NoteKind, Operation, Parameter, SecurityChoice
from openapi_mcp_server.settings.auth import Identity

DIGEST = "openapi-mcp-server/digest"
"""Key of an entry's ``_meta``."""
_CHOOSER = "content_type"
_FROM_ZERO = re.compile(rb'"(?:default|minimum)":0[,}]')
_TEXT, _INTEGER, _NUMBER = b'"type":"string"', b'"type":"integer"', b'"type":"number"'
_FILTER = Argument(
    name=RESPONSE_FILTER,
    schema=encode({"type": "string", "description": "JMESPath expression applied to the answer, as items[].name"}),
    refs=(),
    required=False,
)
_NAME_SHOWN = 200
_FAULT_SHOWN = 300
_FIXED_SCHEMA_BYTES = 1024 * 1024
"""Characters of a parameter's own name in the description of its argument."""


class SchemaLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that one tool's schemas may take, since every model that lists tools pays for them (openapi.md)."""

    input_bytes: int = 32_000
    listed_bytes: int = listed.LISTED_BYTES  # of these, in a list
    output_bytes: int = 16_000


LEAST_LIMITS = SchemaLimits(input_bytes=2_000, output_bytes=500)
"""For what comes after `DOCUMENT_BYTES` are reached."""
DOCUMENT_BYTES = 64 * 1024 * 1024
"""The most bytes of the entries of all tools of a document. Microsoft Graph (11,422 operations) takes 59 MB; 20,000
operations that each reach the same 60 schemas would take half a gigabyte."""
Made = TypeVar("Made")


class Once(Generic[Made]):
    """Makes something of a parameter, once for all operations that share it."""

    def __init__(self, make: Callable[[str, Parameter], Made]) -> None:
        self._make = make
        self._made: dict[tuple[str, int], tuple[Parameter, Made]] = {}

    def of(self, name: str, parameter: Parameter) -> Made:
        """``name`` is the argument's. Raises what making it raises."""
        key = name, id(parameter)
        if (known := self._made.get(key)) is None:
            known = self._made[key] = parameter, self._make(name, parameter)  # kept, so that its id stays its own
        return known[1]


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """The values that the operations of one document share while they are compiled."""

    name: str
    base: BaseUrl
    allowed_origins: frozenset[Origin]  # beside the base's
    servers: tuple[BaseUrl, ...]  # the document's own
    description: ApiDescription
    requests: inputs.SchemaSource
    patches: inputs.SchemaSource  # the same, and null anywhere
    responses: Definitions
    outputs: outputs.Outputs  # of the responses
    limits: SchemaLimits
    identity: Identity  # with its keys' places
    response_filter: bool = False  # offered where it is of use
    output_schemas: bool = True
    switches: frozenset[str] = frozenset()  # parameters of nearly all operations that no task needs
    portable: bool = False  # schemas are told as every model API takes them
    result_bytes: int = 1  # of an answer at most; 0: there is no limit
    access: Callable[[tuple[SecurityChoice, ...]], Access]
    slots: Once[Slot]
    arguments: Once[Argument]
    bodies: body_shape.Schemas
    listings: listed.Listings


class Compiled(msgspec.Struct, frozen=True):
    tool: Tool
    notes: tuple[Note, ...]


class _Inputs(msgspec.Struct, frozen=True):
    """The arguments of a tool and where each goes."""

    slots: tuple[Slot, ...]
    body: BodyPlan | None
    contract: InputContract
    told: inputs.Pieces
    notes: list[Note]
    filterable: bool
    paging: Paging | None
    fixed: dict[str, Any]
    withheld: Withheld | None


_ANNOTATIONS = {
    **dict.fromkeys(SAFE_METHODS, Annotations(readOnlyHint=True, openWorldHint=True)),
    "PUT": Annotations(idempotentHint=True, openWorldHint=True),
    "DELETE": Annotations(destructiveHint=True, idempotentHint=True, openWorldHint=True),
}
"""By method (RFC 9110 section 9.2). ``destructiveHint`` is true unless said otherwise (MCP, ToolAnnotations), and no
method promises that it only adds."""


def compile_operation(
    operation: Operation, name: str, said: str, subject: Subject, overrides: Overrides, api: Api
) -> Compiled:
    """The tool, which ``said`` describes; raises SpecError with the place in the document if the operation cannot be
    one."""
    base = servers.operation_base(operation, api.base, api.servers, api.allowed_origins)
    inputs = _inputs(operation, api, overrides)
    contract, told = _listed(inputs, api, guide.operation_uri(api.name, name))
    holes = {slot.name: index for index, slot in enumerate(inputs.slots) if slot.location == "path"}
    path = path_template.compiled(base.path, operation.path, holes, operation.pointer)
    documented = outputs.documented(operation, api.responses) if api.output_schemas else []
    output = None
    if documented:
        output = api.outputs.build(documented, api.limits.output_bytes, filterable=inputs.filterable)
    notes = [*inputs.notes]
    if documented and output is None:
        message = "its output schema is too large to be declared; answers are passed on as ever"
        notes.append(_note(operation.pointer, "output_dropped", message))
    declared = None if api.portable else output
    title = text.line(overrides.title, text.TITLE_LIMIT) if overrides.title else text.title(operation)
    seen = len(name) + len(said.encode()) + len(told)
    hints = _annotations(operation.method, overrides.annotations)
    entry, digest = _entry(name, title, said, told, declared, hints, result_size(api.result_bytes))
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
        tuple(notes),
    )


def descriptions(operations: Sequence[tuple[Operation, Overrides]]) -> list[str]:
    """The descriptions that a model chooses operations by, each different: 590 of Kubernetes' 826 have the words of
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


def _inputs(operation: Operation, api: Api, overrides: Overrides) -> _Inputs:
    notes: list[Note] = []
    sendable = _sendable(operation, api, overrides, notes)
    shape = _shape(operation, api, notes)
    fields = shape.fields if shape else ()
    wires = [Wire(parameter.name, parameter.location) for parameter in sendable]
    names = argument_names([*wires, *(Wire(field.name, BODY) for field in fields)])
    shared = list(zip(names, sendable, strict=False))  # the other names are for the body
    arguments = [api.arguments.of(name, parameter) for name, parameter in shared]
    in_body = dict(zip(names[len(sendable) :], fields, strict=True))
    arguments += [_of_field(name, field) for name, field in in_body.items()]
    chooser = free(_CHOOSER, names) if shape and len(shape.writers) > 1 else None
    if shape and chooser:
        arguments.append(_of_chooser(chooser, list(shape.writers), by_value=bool(shape.by_type)))
    filterable = api.response_filter and RESPONSE_FILTER not in names and _answers_json(operation, api)
    if filterable:
        arguments.append(_FILTER)
    definitions = api.patches if shape and shape.is_patch else api.requests
    fixed = _fixed(operation, arguments, overrides.arguments, definitions)
    arguments = [argument for argument in arguments if argument.name not in overrides.arguments]
    slots = tuple(api.slots.of(name, parameter) for name, parameter in shared)
    arguments.sort(key=lambda argument: not argument.required)  # models read the first of them best
    contract, told = _contract(operation, arguments, definitions, api.limits.input_bytes, notes)
    return _Inputs(
        slots=slots,
        body=_plan(shape, in_body, chooser) if shape else None,
        contract=contract,
        told=told,
        notes=notes,
        filterable=filterable,
        paging=_paging(arguments, slots, in_body),
        fixed=fixed,
        withheld=_withheld(overrides.arguments, slots, in_body),
    )


def _paging(arguments: Sequence[Argument], slots: Sequence[Slot], in_body: Mapping[str, Field]) -> Paging | None:
    wires = {slot.argument: slot.name for slot in slots if slot.location != "path"}
    wires |= {name: field.name for name, field in in_body.items()}
    own = {argument.name: argument.schema for argument in arguments if argument.name in wires}
    return next_page.paging(
        {name: wires[name] for name in own},
        texts=(name for name, schema in own.items() if _TEXT in schema),
        numbers=(name for name, schema in own.items() if _INTEGER in schema or _NUMBER in schema),
        from_zero=(name for name, schema in own.items() if _FROM_ZERO.search(schema)),
    )


def _withheld(chosen: Mapping[str, Fixed], slots: Sequence[Slot], in_body: Mapping[str, Field]) -> Withheld | None:
    if not chosen:
        return None
    named = {(slot.argument, slot.location, slot.name) for slot in slots}
    named |= {(argument, "body", field.name) for argument, field in in_body.items()}
    return Withheld(
        arguments=frozenset(chosen),
        names=frozenset((place, undeclared.key(name)) for argument, place, name in named if argument in chosen),
    )


def _fixed(
    operation: Operation, arguments: Sequence[Argument], chosen: Mapping[str, Fixed], definitions: inputs.SchemaSource
) -> dict[str, Any]:
    """The values that are fixed. An operation whose arguments cannot be fixed as they were to be is not served."""
    known = {argument.name: argument for argument in arguments}
    values = {}
    for name, each in chosen.items():
        argument = known.get(name)
        if argument is None:
            problem = f"has no argument {name!r} that could be fixed; there are {', '.join(known) or 'none'}"
            raise SpecError(operation.pointer, text.line(problem, _FAULT_SHOWN))
        if isinstance(each.value, msgspec.UnsetType):
            if argument.required:
                raise SpecError(operation.pointer, f"the argument {name!r} is required: give it a value")
            continue
        value = exact_json.decode(bytes(each.value))
        schema = inputs.build([argument], definitions, _FIXED_SCHEMA_BYTES).checked.whole
        if not validation.compiled(schema, len(bytes(each.value))).is_valid({name: value}):
            raise SpecError(operation.pointer, f"the value that is fixed for the argument {name!r} does not fit it")
        values[name] = value
    return values


def _answers_json(operation: Operation, api: Api) -> bool:
    good = [response for response in operation.responses if response.status.startswith("2")]
    media = [each for response in good for each in response.media]
    return operation.method != "HEAD" and any(outputs.is_json_answer(each, api.responses) for each in media)


def _sendable(operation: Operation, api: Api, overrides: Overrides, notes: list[Note]) -> list[Parameter]:
    """The parameters that are arguments. Those that credentials fill or every request has by itself, and optional ones
    that cannot be sent, are left out and noted.
    """
    holes, access = path_template.holes(operation.path), api.access(operation.security)
    spanning = frozenset(overrides.multi_segment)
    sendable = []
    for declared in operation.parameters:
        parameter = _spanning(declared) if declared.name in spanning else declared
        if parameter.name in api.switches and parameter.name not in overrides.arguments:
            message = f"{parameter.name} is an optional switch or credential of nearly all operations"
            notes.append(_note(parameter.pointer, "parameter_dropped", message))
            continue
        if parameter.location == "path" and parameter.name not in holes:
            notes.append(_note(parameter.pointer, "parameter_dropped", f"{{{parameter.name}}} is not in the path"))
            continue
        if security.fills(api.identity, access, parameter):
            message = f"{parameter.location} {parameter.name} is filled with what is configured"
            notes.append(_note(parameter.pointer, "parameter_dropped", message))
            continue
        try:
            if problem := parameter.location == "header" and encoders.unsettable(parameter):
                notes.append(_note(parameter.pointer, "parameter_dropped", problem))
                continue
            api.slots.of(parameter.name, parameter)
            sendable.append(parameter)
        except SpecError as error:
            if parameter.required:
                raise
            notes.append(_note(error.pointer, "parameter_dropped", error.problem))
    return sendable


def _spanning(parameter: Parameter) -> Parameter:
    is_in_path = parameter.location == "path"
    return msgspec.structs.replace(parameter, spans_segments=True) if is_in_path else parameter


def _shape(operation: Operation, api: Api, notes: list[Note]) -> BodyShape | None:
    if operation.body is None:
        return None
    shape = body_shape.shape(operation.body, api.bodies)
    notes += [_note(error.pointer, "body_dropped", error.problem) for error in shape.unusable]
    notes += [_note(error.pointer, "body_repaired", error.problem) for error in shape.repaired]
    return shape


def slot(argument: str, parameter: Parameter) -> Slot:
    """Where an argument goes. Raises SpecError where it cannot be sent."""
    return Slot(
        argument=argument,
        name=parameter.name,
        location=parameter.location,
        required=parameter.required,
        encode=encoders.deferred(parameter),
        spans_segments=parameter.spans_segments,
    )


def _plan(shape: BodyShape, fields: dict[str, Field], chooser: str | None) -> BodyPlan:
    return BodyPlan(
        required=shape.required,
        whole=None if shape.flat else next(iter(fields)),
        properties={name: field.name for name, field in fields.items()} if shape.flat else {},
        writers=shape.writers,
        by_type=shape.by_type,
        chooser=chooser,
        needed=tuple(name for name, field in fields.items() if field.needed and not field.required),
        open=shape.open,
    )


def of_parameter(name: str, parameter: Parameter) -> Argument:
    """The property of the input schema that stands for a parameter."""
    schema = cleaned(bytes(parameter.schema.json))
    prose = text.line(parameter.description or _description(schema), text.ARGUMENT_LIMIT)
    if parameter.allow_empty_value:
        schema = or_empty(schema)
    if name == f"{parameter.name}__{parameter.location}":
        prose = f"{text.sentence(prose)} (In the {parameter.location}.)".lstrip()
    told = described(schema, _with_real_name(prose, name, parameter.name), deprecated=parameter.deprecated)
    return Argument(
        name=name,
        schema=exemplified(told, parameter.examples),
        refs=parameter.schema.refs,
        required=parameter.required,
    )


def _of_field(name: str, field: Field) -> Argument:
    schema = field.schema
    if not _is_told_by(name, field.name):
        schema = described(schema, _with_real_name(_description(schema), name, field.name))
    return Argument(name=name, schema=schema, refs=field.refs, required=field.required)


def _description(schema: bytes) -> str:
    """A schema's own; empty if it has none."""
    own = decode(schema) if b'"description"' in schema else None
    prose = own.get("description") if isinstance(own, dict) else None
    return prose if isinstance(prose, str) else ""


def _of_chooser(name: str, media_types: Sequence[str], *, by_value: bool) -> Argument:
    said = "Media type in which the body is sent"
    schema: dict[str, object] = {"type": "string", "enum": media_types}
    if by_value:
        schema["description"] = f"{said}; left out, the first that can carry it."
    else:
        schema |= {"default": media_types[0], "description": f"{said}."}
    return Argument(name=name, schema=encode(schema), refs=(), required=False)


def _is_told_by(argument: str, name: str) -> bool:
    """Whether the argument's name says the real one: it is equal but for a suffix that tells where it goes."""
    return argument == name or argument.startswith(f"{name}__")


def _with_real_name(prose: str, argument: str, name: str) -> str:
    if _is_told_by(argument, name):
        return prose
    return f"{text.sentence(prose)} Sent as {text.shorten(text.visible(name), _NAME_SHOWN)!r}.".lstrip()


def _contract(
    operation: Operation, arguments: Sequence[Argument], definitions: inputs.SchemaSource, limit: int, notes: list[Note]
) -> tuple[InputContract, inputs.Pieces]:
    """How the arguments are checked, and the schema that clients list."""
    schema = inputs.build(arguments, definitions, limit)
    if len(schema.told) > limit:
        raise SpecError(operation.pointer, f"{len(arguments)} arguments are over the limit by their names alone")
    if schema.left_out:
        message = f"its input schema is over {limit} bytes; left out: {schema.left_out}"
        notes.append(_note(operation.pointer, "input_shortened", message))
    contract = InputContract(
        checked=schema.checked,
        names=tuple(argument.name for argument in arguments),
        required=tuple(argument.name for argument in arguments if argument.required),
    )
    return contract, schema.told


def _listed(inputs: _Inputs, api: Api, uri: str) -> tuple[InputContract, bytes]:
    """The schema that a list carries, and what that makes of the arguments."""
    contract, limit = inputs.contract, api.limits.listed_bytes
    where = f"whole in the resource {uri}"
    if api.portable:
        from openapi_mcp_server.bridge.schemas import portable  # noqa: PLC0415 - for those who want it

        made = portable.portable_schema(inputs.told.whole, where, limit)
        contract = msgspec.structs.replace(contract, spelling=made.spelling)
        is_shortened, told = made.is_shortened, made.schema
    else:
        is_shortened = listed.is_long(inputs.told, limit)
        told = api.listings.shortened(inputs.told, where, limit) if is_shortened else inputs.told.whole
    return (msgspec.structs.replace(contract, is_shortened=True) if is_shortened else contract), told


def _described_headers(operation: Operation) -> Mapping[str, str]:
    described = [response.headers for response in operation.responses if response.headers]
    return _labels(tuple(described)) if described else {}


@lru_cache(maxsize=256)
def _labels(described: tuple[tuple[str, ...], ...]) -> Mapping[str, str]:
    """Names as they are written, by those in lower case. Most operations of an API have the same."""
    return {name.lower(): name for names in described for name in names if len(name) <= _NAME_SHOWN}


def _entry(  # noqa: PLR0913, PLR0917 - the members of an entry
    name: str,
    title: str,
    prose: str,
    inputs: bytes,
    output: OutputContract | None,
    hints: Annotations,
    size: Mapping[str, int],
) -> tuple[msgspec.Raw, str]:
    """The encoded element of tools/list, and the hash of it that it carries."""
    entry = ToolEntry(
        name=name,
        title=title or msgspec.UNSET,
        description=prose,
        inputSchema=msgspec.Raw(inputs),
        outputSchema=output.schema if output else msgspec.UNSET,
        annotations=hints,
    )
    told = encode(entry)
    digest = hashlib.sha256(told).hexdigest()[:16]
    return msgspec.Raw(told[:-1] + b',"_meta":%b}' % encode({DIGEST: digest, **size})), digest


def _annotations(method: str, overrides: Annotations) -> Annotations:
    by_method = _ANNOTATIONS.get(method, Annotations(openWorldHint=True))
    if overrides == Annotations():
        return by_method
    said = {key: value for key, value in msgspec.structs.asdict(overrides).items() if value is not msgspec.UNSET}
    if isinstance(said.get("title"), str):
        said["title"] = text.line(said["title"], text.TITLE_LIMIT)
    return msgspec.structs.replace(by_method, **said)


def _note(pointer: str, kind: NoteKind, message: str) -> Note:
    return Note(pointer=pointer, kind=kind, message=message)
