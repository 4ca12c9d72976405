"""The lock files must name no registry, hold a hash for every package and cover every dependency of pyproject.toml."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def canonical(name: str) -> str:
    """The normalized name of PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(path: Path) -> dict[str, bool]:
    """Package name → whether it has a hash."""
    entries = re.findall(
        r"^([\w.-]+)==[^\\\n]*\\?\n((?:\s+--hash=sha256:\w+ ?\\?\n?)*)", path.read_text(), re.MULTILINE
    )
    return {canonical(name): bool(hashes) for name, hashes in entries}


def main() -> int:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    named = [each for name, extra in extras.items() if name != "all" for each in extra]
    wanted = {"requirements.txt": [*project["project"]["dependencies"], *named]}
    wanted["requirements-image.txt"] = project["project"]["dependencies"]
    groups = project["dependency-groups"]
    wanted["requirements-load.txt"] = [*wanted["requirements.txt"], *groups["load"]]
    for group in ("bench", "dev"):
        own = [each for each in groups[group] if isinstance(each, str)]  # the others name a group
        wanted[f"requirements-{group}.txt"] = [*wanted["requirements-load.txt"], *own]
    faults = []
    for file, dependencies in wanted.items():
        packages = locked(ROOT / file)
        faults += [f"{file}: {name} has no hash" for name, hashed in packages.items() if not hashed]
        names = {canonical(re.split(r"[<>=!~;\[ ]", dependency, maxsplit=1)[0]) for dependency in dependencies}
        faults += [f"{file}: {name} of pyproject.toml is missing; run scripts/lock" for name in names - set(packages)]
        if "://" in (ROOT / file).read_text():
            faults.append(f"{file}: names a URL; run scripts/lock")
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
