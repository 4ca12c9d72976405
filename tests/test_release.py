"""``scripts/release``: what stands in the way of a release is told, and its notes are a section of the changelog."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from release import faults, section

CHANGELOG = """# Changelog

## Unreleased

- soon

## 0.2.0 — 2026-12-01

- a
- b

## 0.1.0 — 2026-11-01

- first
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """One that can be released as 0.2.0."""
    package = tmp_path / "service" / "openapi_mcp_server"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('__version__ = "0.2.0"\n')
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    for argv in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-qm", "a"],
    ):
        subprocess.run(["git", *argv], cwd=tmp_path, check=True)
    return tmp_path


def test_a_version_that_is_ready_has_no_faults(checkout: Path) -> None:
    assert list(faults(checkout, "0.2.0")) == []


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        (
            "pyproject.toml",
            '[project]\nversion = "0.1.0"\n',
            "pyproject.toml has the version 0.1.0; change it to 0.2.0",
        ),
        (
            "service/openapi_mcp_server/__init__.py",
            '__version__ = "0.1.0"\n',
            "has another version; change it to 0.2.0",
        ),
        ("CHANGELOG.md", "# Changelog\n\n## Unreleased\n", "CHANGELOG.md has no section '## 0.2.0 — YYYY-MM-DD'"),
    ],
)
def test_what_is_missing_is_told(checkout: Path, file: str, text: str, told: str) -> None:
    (checkout / file).write_text(text)
    found = list(faults(checkout, "0.2.0"))
    assert any(told in fault for fault in found)
    assert "the checkout has changes that are in no commit" in found


def test_a_tag_on_another_commit_is_not_moved(checkout: Path) -> None:
    subprocess.run(["git", "tag", "v0.2.0"], cwd=checkout, check=True)
    assert list(faults(checkout, "0.2.0")) == []
    commit = ["-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-q", "--allow-empty", "-m", "b"]
    subprocess.run(["git", *commit], cwd=checkout, check=True)
    assert list(faults(checkout, "0.2.0")) == [
        "the tag v0.2.0 is on another commit; versions are never changed, take the next one"
    ]


@pytest.mark.parametrize(("version", "text"), [("0.2.0", "- a\n- b"), ("0.1.0", "- first"), ("0.3.0", None)])
def test_the_notes_are_the_versions_section(version: str, text: str | None) -> None:
    assert section(CHANGELOG, version) == text


def test_what_is_no_version_is_refused(checkout: Path) -> None:
    assert next(iter(faults(checkout, "v0.2"))) == "'v0.2' is no version such as 0.2.0 (PEP 440)"
