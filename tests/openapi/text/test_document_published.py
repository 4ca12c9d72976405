"""Documents that others published: every one is read, and the same whether its JSON is read as JSON or as YAML."""

from __future__ import annotations

from pathlib import Path

import msgspec

from openapi_mcp_server.openapi.text import json_text, yaml
from openapi_mcp_server.openapi.text.document import parse
from openapi_mcp_server.openapi.text.source import DocumentLimits


def roots(specs_dir: Path) -> list[tuple[Path, str]]:
    """The documents, without the files that only others refer to, each with the dialect that the index gives it."""
    rows = [line.split("\t") for line in (specs_dir / "index.tsv").read_text().splitlines()]
    file, version = rows[0].index("file"), rows[0].index("version")
    return [(specs_dir / row[file], row[version][:3]) for row in rows[1:]]


def test_every_published_document_is_read_in_its_dialect(specs_dir: Path) -> None:
    found = {str(path): parse(path.read_bytes()).dialect for path, _ in roots(specs_dir)}
    assert found == {str(path): version for path, version in roots(specs_dir)}
    assert len(found) > 100


def test_published_json_means_the_same_as_yaml(specs_dir: Path) -> None:
    limits = DocumentLimits()
    paths = [path for path, _ in roots(specs_dir) if path.suffix == ".json" and path.stat().st_size < 2_000_000]
    for path in paths:
        text = path.read_bytes()
        assert msgspec.json.decode(yaml.to_json(text, limits)) == msgspec.json.decode(json_text.compact(text, limits))
