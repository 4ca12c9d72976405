"""Arguments that an override fixes or hides, and the other ways in which a model could say them.

An object that explodes into a query, a form or cookies has names that the model chooses, and an API that gets a name
twice may take either. Names count as one if only their spelling differs: PHP reads ``account.id`` as ``account_id``,
and decoders of JSON in Go and .NET ignore case.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from openapi_mcp_server.bridge.arguments.undeclared import key
from openapi_mcp_server.bridge.model import Withheld
from openapi_mcp_server.errors import ArgumentError

_SEPARATORS = {"query": "&", "querystring": "&", "cookie": ";"}
_PART = re.compile(rb'^content-disposition: *form-data[^\r\n]*?\bname="([^"\r\n]*)"', re.IGNORECASE | re.MULTILINE)
_FORM = "application/x-www-form-urlencoded"


def require_unsaid(withheld: Withheld, location: str, text: str) -> None:
    """Raises ArgumentError if an argument of the model's, encoded for its location, has one of the names there."""
    separator = _SEPARATORS.get(location)
    if separator is None:
        return
    place = "query" if location == "querystring" else location
    for piece in text.replace(";", separator).split(separator):  # some servers take both in a query
        _require(withheld, place, unquote_plus(piece.partition("=")[0]).strip())


def require_no_field(withheld: Withheld, media_type: str, body: bytes) -> None:
    """The same for a form that was written of the model's arguments alone."""
    if media_type.startswith(_FORM):
        for piece in body.decode("ascii", "replace").split("&"):
            _require(withheld, "body", unquote_plus(piece.partition("=")[0]))
    elif media_type.startswith("multipart/"):
        for found in _PART.findall(body):
            _require(withheld, "body", found.decode(errors="replace"))


def _require(withheld: Withheld, place: str, name: str) -> None:
    if not withheld.names.isdisjoint({(place, key(name)), (place, key(name.partition("[")[0]))}):
        raise ArgumentError(f"{name[:64]!r} cannot be said in another argument either; leave it out")
