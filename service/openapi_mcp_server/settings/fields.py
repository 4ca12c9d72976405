"""Header fields and query parameters of an operator's own: fixed ones, and those that clients send themselves."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.grammar import is_obsolete_field_value, is_token
from openapi_mcp_server.settings.command_line import Given

_FRAMING = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "proxy-authenticate", "proxy-authorization"}
    | {"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers of HTTP itself or of one hop (RFC 9110 section 7.6.1)."""
_OF_A_REQUEST = frozenset({"accept", "accept-encoding", "content-encoding", "content-type"})
"""Each request has its own, by its document."""
_OF_MCP = ("mcp-", "x-mcp-")
Pairs = tuple[tuple[str, str], ...]


class Forwarded(msgspec.Struct, frozen=True, kw_only=True):
    """A client's header that is passed to an API: ``name`` is its name for the API, ``source`` its name for clients."""

    name: str
    source: str


def fixed_headers(given: Given) -> Pairs:
    """Raises ConfigError for one that cannot be sent. No value is in a message."""
    pairs: Pairs = given.value or ()
    for name, value in pairs:
        if not is_token(name) or name.lower() in _FRAMING | _OF_A_REQUEST | {"cookie"}:
            raise ConfigError(given.label, f"{name[:64]!r} cannot be set")
        if not is_obsolete_field_value(value):
            raise ConfigError(given.label, f"the value of {name} holds a character that cannot be sent in a header")
    return pairs


def forwarded(given: Given, api: str, *, others: bool = False) -> tuple[Forwarded, ...]:
    """The headers for one API: what is said for it by name, and what is said without a name where there are no
    ``others``.

    Raises ConfigError for what may never be passed on.
    """
    found = []
    for word in given.value:
        owner, named, rest = word.rpartition(":")
        if not named and others:
            raise ConfigError(given.label, f"{word[:64]!r} must name its API, such as {api}:{word[:64]}")
        if not named or owner.strip() == api:
            found.append(_forwarded(rest.strip(), given.label))
    return tuple(found)


def require_known_owners(given: Given, apis: Sequence[str]) -> None:
    """Raises ConfigError for an API that there is not."""
    for word in given.value:
        owner, named, _ = word.rpartition(":")
        if named and owner.strip() not in apis:
            raise ConfigError(given.label, f"{owner.strip()[:64]!r} is no API; there are {', '.join(apis)}")


def _forwarded(text: str, label: str) -> Forwarded:
    name, renamed, source = (part.strip() for part in text.partition("="))
    made = Forwarded(name=name, source=(source if renamed else name).lower())
    for each in (made.name, made.source):
        if not is_token(each) or "*" in each:  # a wildcard is none here
            raise ConfigError(label, f"{each[:64]!r} is not the name of a header")
        if each.lower() in _FRAMING | _OF_A_REQUEST or each.lower().startswith(_OF_MCP):
            raise ConfigError(label, f"{each[:64]} is never passed on; leave it out")
    return made


def names(fields: Pairs) -> frozenset[str]:
    """The names of headers, in lower case."""
    return frozenset(name.lower() for name, _ in fields)
