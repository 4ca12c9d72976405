"""Holds values against AWS's API models: names, types and, which botocore itself leaves out, enumerations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.session import get_session
from botocore.validate import ParamValidator


@cache
def model(service: str) -> ServiceModel:
    return get_session().get_service_model(service)


def faults(service: str, operation: str, given: dict[str, Any]) -> list[str]:
    """Reasons for which the operation would refuse its input, as far as the model says."""
    shape = model(service).operation_model(operation).input_shape
    report = ParamValidator().validate(given, shape)
    return [*([report.generate_report()] if report.has_errors() else []), *values(given, shape, operation)]


def values(given: Any, shape: Shape, path: str) -> Iterator[str]:
    """Values that are none of an enumeration. (Patterns are Java's and not read here.)"""
    if isinstance(shape, StructureShape):
        for name, value in given.items():
            if name in shape.members:
                yield from values(value, shape.members[name], f"{path}.{name}")
    elif isinstance(shape, ListShape):
        for value in given:
            yield from values(value, shape.member, path)
    elif isinstance(shape, MapShape):
        for name, value in given.items():
            yield from values(value, shape.value, f"{path}.{name}")
    elif isinstance(given, str) and given not in shape.metadata.get("enum", [given]):
        yield f"{path}: {given} is none of {', '.join(shape.metadata['enum'])}"
