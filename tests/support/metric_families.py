"""All families of metrics, for tests that hold files against the table."""

from __future__ import annotations

from openapi_mcp_server.observe.metrics import families
from openapi_mcp_server.observe.metrics.families import Family

FAMILIES = [each for each in vars(families).values() if isinstance(each, Family)]
