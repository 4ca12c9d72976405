"""JSON Schema 2020-12 by jsonschema-rs: linear-time patterns, nothing fetched, formats not asserted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, islice
from typing import Any, Protocol

import msgspec

from openapi_mcp_server.openapi import json_schema

Validator = json_schema.Validator
Kind = json_schema.Kind

VALIDATORS_KEPT = 256
"""Compiled input schemas that are remembered: one takes 1.3 kB per property, and a client calls a few tools."""
FORMAT_VALIDATORS_KEPT = 16
"""Of those that assert formats: for clients that write ``""`` for what is not given."""
MAX_ERRORS = 500
"""Errors that are looked at of one value."""
DETAILED_BYTES = 16_384
"""Arguments up to this size are searched for all their errors. jsonschema-rs collects every one before it gives the
first (7 µs each: 4 MB of wrong items would take 14 s), so of larger ones only the first is found, beside those of
arguments that are no lists or objects."""

_OPEN_OR_CLOSED: Sequence[Any] = ({}, {"not": {}}, True, False)


class Failure(Protocol):
    """What does not fit where; an error of jsonschema-rs is one."""

    @property
    def instance_path(self) -> Sequence[str | int]:
        """Where the value is."""

    @property
    def schema_path(self) -> Sequence[str | int]:
        """Where the keyword is, references followed."""

    @property
    def kind(self) -> Kind:
        """The keyword, and what it says."""

    @property
    def instance(self) -> Any:  # noqa: ANN401 - any JSON value
        """The value."""


class _Below(msgspec.Struct, frozen=True):
    """An error of a value that was checked by itself, told from the whole."""

    instance_path: list[str | int]
    schema_path: list[str | int]
    kind: Kind
    instance: Any


@lru_cache(maxsize=VALIDATORS_KEPT)
def compiled(schema: bytes) -> Validator:
    """The validator of an encoded schema, whose patterns were tried when the document was read."""
    return json_schema.compiled(schema.decode())


@lru_cache(maxsize=FORMAT_VALIDATORS_KEPT)
def _compiled_with_formats(schema: bytes) -> Validator:
    return json_schema.compiled(schema.decode(), formats=True)


def errors(values: dict[str, Any], schema: bytes, size: int) -> list[Failure]:
    """The first errors of arguments that took ``size`` bytes; empty if they fit."""
    validator = compiled(schema)
    found: Iterable[Failure]
    if size <= DETAILED_BYTES:
        found = islice(validator.iter_errors(values), MAX_ERRORS)
    else:
        found = chain(_of_scalars(values, validator), _first(values, validator))
    return [own for error in found for own in _own(error, schema)]


def format_errors(values: dict[str, Any], schema: bytes) -> Iterable[Failure]:
    """The errors of arguments where formats are asserted too."""
    return islice(_compiled_with_formats(schema).iter_errors(values), MAX_ERRORS)


def _of_scalars(values: dict[str, Any], validator: Validator) -> Iterator[Failure]:
    scalars = {name: value for name, value in values.items() if not isinstance(value, dict | list)}
    return (error for error in validator.iter_errors(scalars) if error.instance_path)


def _first(values: dict[str, Any], validator: Validator) -> Iterator[Failure]:
    try:
        validator.validate(values)
    except json_schema.Error as error:
        yield error


def _own(error: Failure, schema: bytes) -> Iterator[Failure]:
    """An error, or those of the values that it is about: jsonschema-rs says of ``unevaluatedProperties: {…}`` only
    which properties do not fit it."""
    match error.kind:
        case Kind.UnevaluatedProperties(unexpected=names):
            whole = msgspec.json.decode(schema)
            rest = _at(whole, error.schema_path)
            if rest not in _OPEN_OR_CLOSED:
                validator = json_schema.compiled({"allOf": [rest], "$defs": whole.get("$defs", {})})
                for name in names:
                    yield from _below(error, name, validator)
                return
    yield error


def _below(error: Failure, name: str, validator: Validator) -> Iterator[Failure]:
    for inner in islice(validator.iter_errors(error.instance[name]), MAX_ERRORS):
        path = list(inner.schema_path)
        yield _Below(
            instance_path=[*error.instance_path, name, *inner.instance_path],
            schema_path=[*error.schema_path, *path[2:]] if path[:1] == ["allOf"] else path,
            kind=inner.kind,
            instance=inner.instance,
        )


def _at(schema: Any, path: Sequence[str | int]) -> Any:  # noqa: ANN401 - any JSON value
    for step in path:
        schema = schema[step]
    return schema
