"""Whether a version can be released, and what its changelog says."""

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def section(changelog: str, version: str) -> str | None:
    """What stands below the heading of a version, without it; None if there is no such heading with a date."""
    found = re.search(
        rf"^## {re.escape(version)} [—–-] \d{{4}}-\d\d-\d\d\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    return found[1].strip() if found else None


def faults(root: Path, version: str) -> Iterator[str]:
    """What stands in the way of a release, each with what to do."""
    if not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", version):
        yield f"{version!r} is no version such as 0.2.0 (PEP 440)"
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    if project != version:
        yield f"pyproject.toml has the version {project}; change it to {version}"
    package = (root / "service/openapi_mcp_server/__init__.py").read_text("utf-8")
    if f'__version__ = "{version}"' not in package:
        yield f"service/openapi_mcp_server/__init__.py has another version; change it to {version}"
    if not section((root / "CHANGELOG.md").read_text("utf-8"), version):
        yield f"CHANGELOG.md has no section '## {version} — YYYY-MM-DD' with something in it"
    if _git(root, "status", "--porcelain"):
        yield "the checkout has changes that are in no commit"
    tagged, here = _git(root, "rev-parse", "-q", "--verify", f"v{version}^{{commit}}"), _git(root, "rev-parse", "HEAD")
    if tagged and tagged != here:
        yield f"the tag v{version} is on another commit; versions are never changed, take the next one"


def _git(root: Path, *argv: str) -> str:
    return subprocess.run(["git", *argv], cwd=root, capture_output=True, text=True, check=False).stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version")
    parser.add_argument("--notes", type=Path, help="file for the section of the changelog")
    asked = parser.parse_args()
    found = list(faults(ROOT, asked.version))
    for fault in found:
        print(f"release: {fault}", file=sys.stderr)
    if found:
        return 1
    if asked.notes:
        asked.notes.write_text(f"{section((ROOT / 'CHANGELOG.md').read_text('utf-8'), asked.version)}\n", "utf-8")
    print(f"release: {asked.version} can be tagged: git tag -s v{asked.version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
