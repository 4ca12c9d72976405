"""The table of limits on documents in docs/tools.md is that of the code."""

from __future__ import annotations

import re
from pathlib import Path

from openapi_mcp_server.bridge.bodies import media_choice
from openapi_mcp_server.bridge.schemas import told
from openapi_mcp_server.bridge.tools import api
from openapi_mcp_server.documents import other_files, source
from openapi_mcp_server.openapi import notes
from openapi_mcp_server.openapi.reading import paths, servers, shared_parts, swagger2
from openapi_mcp_server.openapi.references import resolve
from openapi_mcp_server.openapi.schemas import conversion, directions, patterns, settling, unevaluated
from openapi_mcp_server.openapi.text.source import DocumentLimits
from openapi_mcp_server.openapi.text.yaml import anchors

PAGE = Path(__file__).parent.parent / "docs" / "tools.md"
TEXT, TOOL = DocumentLimits(), api.SchemaLimits()


def mebibytes(count: int) -> str:
    assert count % 2**20 == 0
    return f"{count // 2**20} MiB"


LIMITS = {
    "bytes of its file": mebibytes(source.FILE_BYTES),
    "bytes that are read from an address": mebibytes(source.URL_BYTES),
    "other files that it refers to": f"{other_files.MAX_FILES:,}",
    "bytes of these files": mebibytes(other_files.PARTS_BYTES),
    "objects and arrays within each other": f"{TEXT.depth}",
    "values": f"{TEXT.values:,}",
    "bytes when YAML's aliases are replaced": mebibytes(TEXT.expanded_bytes),
    "bytes that YAML's aliases add": f"{mebibytes(anchors.ADDED_BYTES)}, or {anchors.ADDED_TIMES} times the text",
    "operations, skipped ones included": f"{shared_parts.MAX_OPERATIONS:,}",
    "characters of a path": f"{paths.PATH_CHARACTERS:,}",
    "characters of a server's URL": f"{servers.URL_CHARACTERS:,}",
    "parameters, media types, tags, servers and alternatives of security, counted for each operation": (
        f"{shared_parts.SHARED_PARTS:,}, or one for {shared_parts.BYTES_PER_PART} bytes"
    ),
    "bytes of path items that several paths refer to": (
        f"{mebibytes(shared_parts.REPEATED_BYTES)}, or {shared_parts.REPEATED_TIMES} times the document"
    ),
    "media types of an operation's answers (Swagger 2.0: those of `produces` for each answer)": (
        f"{swagger2.ANSWER_TYPES:,}"
    ),
    "bytes of `x-mcp` or `x-mcp-scopes` for several operations": f"{paths.MAX_SHARED_OVERRIDES:,}",
    "tags above a tag": f"{paths.TAG_LEVELS}",
    "media types that are tried for a body": f"{media_choice.MAX_TRIED}",
    "media types that a tool offers for a body": f"{media_choice.MAX_MEDIA_TYPES}",
    "references in a row": f"{resolve.MAX_CHAIN}",
    "levels of a schema": f"{conversion.MAX_DEPTH}",
    "schemas that one value is checked against": f"{directions.MAX_IN_PLACE:,}",
    "bytes of schemas that are part of others and referred to": mebibytes(directions.MAX_INNER_BYTES),
    "bytes of `allOf` that became one object, since its parts close themselves": mebibytes(settling.MAX_MERGED_BYTES),
    "bytes that references with more beside them add": mebibytes(told.MERGED_BYTES),
    "ways to other schemas from `unevaluatedProperties` or `unevaluatedItems`": (
        f"{unevaluated.MAX_STEPS_OF_ONE:,}, and {unevaluated.MAX_STEPS:,} in all"
    ),
    "bytes of a compiled pattern": f"{patterns.COMPILED_BYTES:,}",
    "bytes of a tool's input schema": f"{TOOL.input_bytes:,}",
    "bytes of a tool's output schema": f"{TOOL.output_bytes:,}",
    "bytes of all tools": mebibytes(api.DOCUMENT_BYTES),
    "bytes of named schemas, each counted for every tool that it is put into": (
        f"{mebibytes(api.REACHED_BYTES)}, or {api.REACHED_TIMES} times the document"
    ),
    "notes": f"{notes.MAX_NOTES:,}",
}


def rows() -> dict[str, str]:
    _, _, after = PAGE.read_text("utf-8").partition(
        "| a document has at most | | what is over it |\n| --- | --- | --- |\n"
    )
    lines = re.match(r"(?:\|.*\n)+", after)
    assert lines is not None
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[0].splitlines()]
    return {name: limit for name, limit, _ in cells}


def test_the_table_has_the_limits_of_the_code():
    assert rows() == LIMITS


def test_operations_after_the_last_byte_of_all_tools_have_as_many_as_the_table_says():
    assert f"have {api.LEAST_LIMITS.input_bytes:,} bytes at most" in PAGE.read_text("utf-8")
