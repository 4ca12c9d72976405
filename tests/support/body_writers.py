"""Writers of bodies as tools have them."""

from __future__ import annotations

from collections.abc import Mapping

from openapi_mcp_server.bridge.bodies.writers import Bodies
from openapi_mcp_server.bridge.model import BodyWriter
from openapi_mcp_server.openapi.model import MediaType, Schema


def writer(media: MediaType, definitions: Mapping[str, Schema]) -> BodyWriter:
    return Bodies(definitions).kind_and_writer(media)[1]
