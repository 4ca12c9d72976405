"""Parameters of every place and style, and the text that a value becomes in each."""

from __future__ import annotations

from typing import Any

import msgspec

from openapi_mcp_server.bridge.parameters import encoders
from openapi_mcp_server.openapi.model import Location, Parameter, Schema, Style

ANY = Schema(msgspec.Raw(b"{}"))
POINTER = "#/paths/~1pets/get/parameters/0"


def parameter(location: Location, style: Style = "form", explode: bool = True, **more: Any) -> Parameter:
    fields: dict[str, Any] = {"name": "color", "required": location == "path"} | more
    return Parameter(pointer=POINTER, location=location, style=style, explode=explode, schema=ANY, **fields)


def encode(value: Any, location: Location, style: Style = "form", explode: bool = True, **more: Any) -> str:
    return encoders.encoder(parameter(location, style, explode, **more))(value)
