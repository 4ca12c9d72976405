"""The MCP objects this server sends, spelt as the schema spells them, encoded by msgspec.

Sources: schema of revisions 2025-11-25 and 2026-07-28; tests hold these against ``mcp_types``.
Everything is encoded once: a tool's list entry at load, a result when its call ends.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Annotations(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """ToolAnnotations: hints about what a tool does."""

    title: str | msgspec.UnsetType = msgspec.UNSET
    readOnlyHint: bool | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - wire name
    destructiveHint: bool | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - wire name
    idempotentHint: bool | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - wire name
    openWorldHint: bool | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - wire name


class ToolEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One element of ``tools/list``."""

    name: str
    title: str | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType = msgspec.UNSET
    inputSchema: msgspec.Raw  # noqa: N815 - wire name
    outputSchema: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - wire name
    annotations: Annotations | msgspec.UnsetType = msgspec.UNSET
    meta: dict[str, Any] | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="_meta")


class PromptArgument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    description: str | msgspec.UnsetType = msgspec.UNSET
    required: bool = False


class PromptEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One element of ``prompts/list``."""

    name: str
    title: str | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType = msgspec.UNSET
    arguments: tuple[PromptArgument, ...] = ()


class TextContent(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    text: str


class ImageContent(msgspec.Struct, frozen=True, tag_field="type", tag="image"):
    """``data`` is base64."""

    data: str
    mimeType: str  # noqa: N815 - wire name


class AudioContent(msgspec.Struct, frozen=True, tag_field="type", tag="audio"):
    """``data`` is base64."""

    data: str
    mimeType: str  # noqa: N815 - wire name


class TextResource(msgspec.Struct, frozen=True, kw_only=True):
    uri: str
    mimeType: str  # noqa: N815 - wire name
    text: str


class BlobResource(msgspec.Struct, frozen=True, kw_only=True):
    """``blob`` is base64."""

    uri: str
    mimeType: str  # noqa: N815 - wire name
    blob: str


class EmbeddedResource(msgspec.Struct, frozen=True, tag_field="type", tag="resource"):
    resource: TextResource | BlobResource


Content = TextContent | ImageContent | AudioContent | EmbeddedResource


class ToolResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The ``result`` of ``tools/call`` less what the era adds (``resultType``, ``serverInfo``)."""

    content: tuple[Content, ...]
    structuredContent: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - wire name
    isError: bool = False  # noqa: N815 - wire name
    meta: dict[str, Any] | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="_meta")
