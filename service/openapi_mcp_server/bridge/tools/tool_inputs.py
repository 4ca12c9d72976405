"""The arguments of an operation, and their places in its request."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from openapi_mcp_server.bridge import security, text
from openapi_mcp_server.bridge.arguments import undeclared
from openapi_mcp_server.bridge.bodies import body_shape
from openapi_mcp_server.bridge.bodies.body_shape import BodyShape, Field
from openapi_mcp_server.bridge.media import exact_json
from openapi_mcp_server.bridge.model import RESPONSE_FILTER, BodyPlan, InputContract, Paging, Slot, Withheld
from openapi_mcp_server.bridge.names import BODY, Wire, argument_names, free
from openapi_mcp_server.bridge.parameters import encoders, path_template
from openapi_mcp_server.bridge.results import next_page
from openapi_mcp_server.bridge.schemas import inputs, outputs, validation
from openapi_mcp_server.bridge.schemas.edits import encode
from openapi_mcp_server.bridge.schemas.inputs import Argument
from openapi_mcp_server.bridge.tools.api import Api
from openapi_mcp_server.bridge.tools.argument import of_chooser, of_field
from openapi_mcp_server.bridge.tools.overrides import Fixed, Overrides
from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.model import Operation, Parameter
from openapi_mcp_server.openapi.notes import Notes

_CHOOSER = "content_type"
_FROM_ZERO = re.compile(rb'"(?:default|minimum)":0[,}]')
_TEXT, _INTEGER, _NUMBER = b'"type":"string"', b'"type":"integer"', b'"type":"number"'
_FILTER = Argument(
    name=RESPONSE_FILTER,
    schema=encode({"type": "string", "description": "JMESPath expression applied to the answer, as items[].name"}),
    refs=(),
    required=False,
)
_FAULT_SHOWN = 300
_FIXED_SCHEMA_BYTES = 1024 * 1024


class ToolInputs(msgspec.Struct, frozen=True, gc=False):
    """The arguments of a tool and their places."""

    slots: tuple[Slot, ...]
    body: BodyPlan | None
    contract: InputContract
    told: inputs.Pieces
    notes: Notes
    filterable: bool
    paging: Paging | None
    fixed: dict[str, Any]
    withheld: Withheld | None


def tool_inputs(operation: Operation, api: Api, overrides: Overrides) -> ToolInputs:
    notes = Notes()
    sendable = _sendable(operation, api, overrides, notes)
    shape = _shape(operation, api, notes)
    fields = shape.fields if shape else ()
    wires = [Wire(parameter.name, parameter.location) for parameter in sendable]
    names = argument_names([*wires, *(Wire(field.name, BODY) for field in fields)])
    shared = list(zip(names, sendable, strict=False))  # the other names are for the body
    arguments = [api.arguments.of(name, parameter) for name, parameter in shared]
    in_body = dict(zip(names[len(sendable) :], fields, strict=True))
    arguments += [of_field(name, field) for name, field in in_body.items()]
    chooser = free(_CHOOSER, names) if shape and len(shape.writers) > 1 else None
    if shape and chooser:
        types = list(shape.writers)
        arguments.append(of_chooser(chooser, types, by_value=bool(shape.by_type), for_files=shape.for_files))
    filterable = api.response_filter and RESPONSE_FILTER not in names and _answers_json(operation, api)
    if filterable:
        arguments.append(_FILTER)
    definitions = api.patches if shape and shape.is_patch else api.requests
    fixed = _fixed(operation, arguments, overrides.arguments, definitions)
    arguments = [argument for argument in arguments if argument.name not in overrides.arguments]
    slots = tuple([api.slots.of(name, parameter) for name, parameter in shared])
    arguments.sort(key=lambda argument: not argument.required)  # models read the first of them best
    contract, told = _contract(operation, arguments, definitions, api.limits.input_bytes, notes)
    return ToolInputs(
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
    if not next_page.may_page(wires.values()):
        return None
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
    """The fixed values. Raises SpecError if an argument cannot be fixed; then the operation is not served."""
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
    media = [each for response in operation.successes for each in outputs.content_of(response)]
    return operation.method != "HEAD" and any(outputs.is_json_answer(each, api.responses) for each in media)


def _sendable(operation: Operation, api: Api, overrides: Overrides, notes: Notes) -> list[Parameter]:
    """The parameters that are arguments. Left out with a note are those that credentials fill, those that every request
    has anyway, and optional ones that cannot be sent.
    """
    holes, access = frozenset(path_template.holes(operation.path)), api.access(operation.security)
    spanning = frozenset(overrides.multi_segment)
    sendable = []
    for declared in operation.parameters:
        parameter = _spanning(declared) if declared.name in spanning else declared
        if parameter.name in api.switches and parameter.name not in overrides.arguments:
            message = f"{parameter.name} is an optional switch or credential of nearly all operations"
            notes.add(parameter.pointer, "parameter_dropped", message)
            continue
        if parameter.location == "path" and parameter.name not in holes:
            notes.add(parameter.pointer, "parameter_dropped", f"{{{parameter.name}}} is not in the path")
            continue
        if security.fills(api.identity, access, parameter):
            message = f"{parameter.location} {parameter.name} is filled with what is configured"
            notes.add(parameter.pointer, "parameter_dropped", message)
            continue
        try:
            if problem := parameter.location == "header" and encoders.unsettable(parameter):
                notes.add(parameter.pointer, "parameter_dropped", problem)
                continue
            api.slots.of(parameter.name, parameter)
            sendable.append(parameter)
        except SpecError as error:
            if parameter.required:
                raise
            notes.add(error.pointer, "parameter_dropped", error.problem)
    return sendable


def _spanning(parameter: Parameter) -> Parameter:
    is_in_path = parameter.location == "path"
    return msgspec.structs.replace(parameter, spans_segments=True) if is_in_path else parameter


def _shape(operation: Operation, api: Api, notes: Notes) -> BodyShape | None:
    if operation.body is None:
        return None
    shape = body_shape.shape(operation.body, api.bodies)
    for error in shape.unusable:
        notes.add(error.pointer, "body_dropped", error.problem)
    for error in shape.repaired:
        notes.add(error.pointer, "body_repaired", error.problem)
    return shape


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


def _contract(
    operation: Operation, arguments: Sequence[Argument], definitions: inputs.SchemaSource, limit: int, notes: Notes
) -> tuple[InputContract, inputs.Pieces]:
    """The contract for checking arguments, and the schema for lists."""
    schema = inputs.build(arguments, definitions, limit)
    if len(schema.told) > limit:
        raise SpecError(operation.pointer, f"{len(arguments)} arguments are over the limit by their names alone")
    if schema.left_out:
        message = f"its input schema is over {limit} bytes; left out: {schema.left_out}"
        notes.add(operation.pointer, "input_shortened", message)
    contract = InputContract(
        checked=schema.checked,
        names=tuple([argument.name for argument in arguments]),
        required=tuple([argument.name for argument in arguments if argument.required]),
    )
    return contract, schema.told
