"""The addresses at which AWS gives a machine its own credentials: the one exception from the address rule.

No other link-local address is ever dialled. Only this dialler reaches these, only `keys` has it, and only the addresses
that are fixed in AWS's SDKs are allowed. AWS's own variables may name an address on this machine instead.
"""

from __future__ import annotations

import math

from openapi_mcp_server.errors import Refused
from openapi_mcp_server.upstream.addresses import literal
from openapi_mcp_server.upstream.sockets import Dialler, Stream, TcpDialler

INSTANCE = "169.254.169.254"
TASK = "169.254.170.2"
_FIXED = frozenset({INSTANCE, "fd00:ec2::254", TASK, "169.254.170.23", "fd00:ec2::23"})
"""EC2, ECS tasks, EKS pods (AWS SDKs and Tools Reference Guide, "Container credential provider")."""


class AwsAddresses:
    """An address rule and its dialler in one."""

    def __init__(self, dialler: Dialler | None = None) -> None:
        self._dialler = dialler or TcpDialler()

    def url_problem(self, scheme: str, host: str) -> str | None:
        return None if scheme == "http" and _is_known(host) else "is not where AWS gives credentials"

    async def connect(self, host: str, port: int, seconds: float = math.inf) -> Stream:
        if not _is_known(host):
            raise Refused(f"{host} is not where AWS gives credentials", outcome_unknown=False)
        return await self._dialler.connect(host, port, seconds)


def _is_known(host: str) -> bool:
    address = literal(host)
    return host in _FIXED or (address is not None and address.is_loopback)
