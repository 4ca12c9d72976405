"""The input of a compilation: the texts of documents, and all settings that affect their catalog."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from openapi_mcp_server.bridge.model import ToolForm
from openapi_mcp_server.bridge.origins import BaseUrl, Origin
from openapi_mcp_server.bridge.policy import Rule
from openapi_mcp_server.settings.auth import Identity


class Texts(NamedTuple):
    """The texts that were read for one API, before any of them is parsed; none of the document's other files yet."""

    document: bytes
    overlays: tuple[bytes, ...]
    overrides: bytes


class ApiOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The part of one API. ``location`` is the document's, ``overlays`` and ``overrides`` are theirs."""

    name: str
    location: str
    overlays: tuple[str, ...]
    overrides: str
    base: BaseUrl | None
    allowed_origins: frozenset[Origin]
    identity: Identity


class CompileOptions(msgspec.Struct, frozen=True, kw_only=True):
    """All settings that compiling can see. So equal options and equal texts make equal catalogs."""

    apis: tuple[ApiOptions, ...]
    folders: tuple[str, ...]
    include_tags: frozenset[str]
    exclude_tags: frozenset[str]
    strict: bool
    strict_auth: bool
    rule: Rule
    form: ToolForm


class SeenFiles(msgspec.Struct, frozen=True):
    """The other files of one document: the folder that it was in, and digests by path."""

    folder: str
    digests: dict[str, str]


_encode = msgspec.json.Encoder(order="deterministic").encode


def digest(texts: Iterable[Texts]) -> bytes:
    whole = hashlib.sha256()
    for api in texts:
        for text in (api.document, *api.overlays, api.overrides):
            whole.update(b"%d:" % len(text))  # how many there are is in the settings, which stay
            whole.update(text)
    return whole.digest()


def catalog_key(options: CompileOptions, texts: bytes, program: str) -> str:
    """The name under which a compiled catalog is kept; ``texts`` is their digest, ``program`` what compiles."""
    return hashlib.sha256(_encode([program, texts.hex(), options])).hexdigest()
