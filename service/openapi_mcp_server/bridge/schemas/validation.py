"""JSON Schema 2020-12 by jsonschema-rs: linear-time patterns, nothing fetched, formats not asserted."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import Any

from openapi_mcp_server.openapi import json_schema

Validator = json_schema.Validator
Error = json_schema.Error
Kind = json_schema.Kind

VALIDATORS_KEPT = 256
"""Compiled input schemas that are remembered: one takes 1.3 kB per property, and a client calls a few tools."""
MAX_ERRORS = 20
"""Errors that are looked at of one value."""
DETAILED_BYTES = 16_384
"""Arguments up to this size are searched for all their errors. jsonschema-rs collects every one before it gives the
first (7 µs each: 4 MB of wrong items would take 14 s), so of larger ones only the first is found."""


@lru_cache(maxsize=VALIDATORS_KEPT)
def compiled(schema: bytes) -> Validator:
    """The validator of an encoded schema, whose patterns were tried when the document was read."""
    return json_schema.compiled(schema.decode())


def errors(values: Any, validator: Validator, size: int) -> list[Error]:  # noqa: ANN401 - any JSON value
    """The first errors of a value that took ``size`` bytes; empty if it fits."""
    if size <= DETAILED_BYTES:
        return list(islice(validator.iter_errors(values), MAX_ERRORS))
    try:
        validator.validate(values)
    except Error as error:
        return [error]
    return []
