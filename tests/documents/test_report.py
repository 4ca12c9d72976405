"""The lines in the log about the documents that were loaded."""

from __future__ import annotations

import logging
from pathlib import Path

import anyio
import pytest

from openapi_mcp_server.documents.loading import read_catalog
from openapi_mcp_server.documents.report import report
from openapi_mcp_server.settings.config import load


@pytest.mark.parametrize(
    ("server", "settings", "problem"),
    [
        ("http://127.0.0.1:8080", {}, "127.0.0.1 is a private address; ALLOW_PRIVATE_NETWORKS=true allows it"),
        ("http://localhost:8080", {}, "127.0.0.1 is a private address; ALLOW_PRIVATE_NETWORKS=true allows it"),
        ("http://a.example", {}, "http:// is not encrypted; use https://, or ALLOW_INSECURE_HTTP=true allows it"),
        ("http://127.0.0.1:8080", {"ALLOW_PRIVATE_NETWORKS": "true"}, None),
        ("http://a.example", {"ALLOW_INSECURE_HTTP": "true"}, None),
        ("https://a.example", {}, None),
    ],
)
def test_an_address_of_the_document_that_no_call_may_reach_is_warned_of_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, server: str, settings: dict[str, str], problem: str | None
) -> None:
    document = tmp_path / "openapi.yaml"
    document.write_text(f"openapi: 3.1.0\nservers: [{{url: '{server}'}}]\npaths: {{/a: {{get: {{operationId: a}}}}}}\n")
    config = load(["--spec-path", str(document)], settings, lambda path: "")
    with caplog.at_level(logging.WARNING):
        report(config, anyio.run(read_catalog, config, backend="trio"))
    assert [record.getMessage() for record in caplog.records] == (
        [f"no call will reach this API: {problem}"] if problem else []
    )


@pytest.mark.parametrize(
    ("count", "settings", "is_told"),
    [(128, {}, False), (129, {}, True), (129, {"TOOL_MODE": "search"}, False)],
)
def test_more_tools_than_several_clients_take_are_told_where_they_are_listed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, count: int, settings: dict[str, str], *, is_told: bool
) -> None:
    document = tmp_path / "openapi.yaml"
    paths = "".join(f"  /{n}: {{get: {{operationId: get{n}}}}}\n" for n in range(count))
    document.write_text(f"openapi: 3.1.0\nservers: [{{url: 'https://a.example'}}]\npaths:\n{paths}")
    config = load(["--spec-path", str(document)], settings, lambda path: "")
    with caplog.at_level(logging.INFO):
        report(config, anyio.run(read_catalog, config, backend="trio"))
    assert any("several clients take 128 tools at most" in record.getMessage() for record in caplog.records) is is_told
