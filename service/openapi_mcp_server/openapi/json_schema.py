"""JSON Schema 2020-12 by jsonschema-rs: patterns in linear time, nothing fetched, formats asserted on request."""

from __future__ import annotations

from typing import Any

import jsonschema_rs

Validator = jsonschema_rs.Draft202012Validator
Error = jsonschema_rs.ValidationError
Kind = jsonschema_rs.ValidationErrorKind


def compiled(schema: str | dict[str, Any], *, formats: bool = False, pattern_bytes: int | None = None) -> Validator:
    """The validator of a schema, encoded or decoded. Raises ValueError (`Error` is one) for an invalid schema.

    ``pattern_bytes``: the most bytes of one compiled pattern. Errors do not quote the value, since each error would
    copy it several times.
    """
    patterns = jsonschema_rs.RegexOptions(size_limit=pattern_bytes)
    return Validator(schema, pattern_options=patterns, offline=True, validate_formats=formats, mask="the value")


def is_pattern(pattern: str, *, pattern_bytes: int | None = None) -> bool:
    """Whether a regular expression (ECMA 262) can be run in linear time."""
    try:
        compiled({"pattern": pattern}, pattern_bytes=pattern_bytes)
    except Error:
        return False
    return True
