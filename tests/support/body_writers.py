"""Writers of bodies as tools have them."""

from __future__ import annotations

from collections.abc import Mapping

from openapi_mcp_server.bridge.bodies.writers import kind_and_writer
from openapi_mcp_server.bridge.model import BodyWriter
from openapi_mcp_server.openapi.model import MediaType, Schema


def writer(media: MediaType, definitions: Mapping[str, Schema]) -> BodyWriter:
    return kind_and_writer(media, definitions)[1]
