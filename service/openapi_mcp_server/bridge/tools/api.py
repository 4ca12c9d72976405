"""The values that the operations of one document share while they are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from openapi_mcp_server.bridge.bodies import body_shape
from openapi_mcp_server.bridge.model import Access, Slot
from openapi_mcp_server.bridge.origins import BaseUrl, Origin
from openapi_mcp_server.bridge.schemas import inputs, listed, outputs
from openapi_mcp_server.bridge.schemas.definitions import Definitions
from openapi_mcp_server.bridge.schemas.inputs import Argument
from openapi_mcp_server.openapi.model import ApiDescription, Parameter, SecurityChoice
from openapi_mcp_server.settings.auth import Identity


class SchemaLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The most bytes of one tool's schemas, since every model that lists tools pays for them."""

    input_bytes: int = 32_000
    listed_bytes: int = listed.LISTED_BYTES  # of these, in a list
    output_bytes: int = 16_000


LEAST_LIMITS = SchemaLimits(input_bytes=2_000, output_bytes=500)
"""The limits for the remaining tools after `DOCUMENT_BYTES` are reached."""
DOCUMENT_BYTES = 64 * 1024 * 1024
"""The most bytes of the entries of all tools of a document. Microsoft Graph (11,422 operations) takes 59 MB; 20,000
operations that each reach the same 60 schemas would take half a gigabyte."""
Made = TypeVar("Made")


class Once(Generic[Made]):
    """Makes something from a parameter, once for all equal ones. In Microsoft Graph each operation has its own
    copies."""

    def __init__(
        self, make: Callable[[str, Parameter], Made], facts: Callable[[Parameter], tuple[object, ...]]
    ) -> None:
        """``facts`` returns all parts of a parameter that ``make`` uses."""
        self._make = make
        self._facts = facts
        self._made: dict[tuple[str, tuple[object, ...]], Made] = {}

    def of(self, name: str, parameter: Parameter) -> Made:
        """The value for a parameter; ``name`` is the argument's. Raises the errors of ``make``."""
        key = name, self._facts(parameter)
        if (known := self._made.get(key)) is None:
            known = self._made[key] = self._make(name, parameter)
        return known


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """The values that the operations of one document share while they are compiled."""

    name: str
    base: BaseUrl
    allowed_origins: frozenset[Origin]  # beside the base's
    servers: tuple[BaseUrl, ...]  # the document's own
    description: ApiDescription
    requests: inputs.SchemaSource
    patches: inputs.SchemaSource  # the same, with null allowed anywhere
    responses: Definitions
    outputs: outputs.Outputs  # of the responses
    limits: SchemaLimits
    identity: Identity  # with its keys' places
    response_filter: bool = False  # offered where it is of use
    output_schemas: bool = True
    switches: frozenset[str] = frozenset()  # parameters of nearly all operations that no task needs
    portable: bool = False  # schemas have the form that every model API accepts
    result_bytes: int = 1  # the most of an answer; 0: no limit
    access: Callable[[tuple[SecurityChoice, ...]], Access]
    slots: Once[Slot]
    arguments: Once[Argument]
    bodies: body_shape.BodySchemas
    listings: listed.Listings
