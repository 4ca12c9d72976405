"""The house as a drawing, and the names in it: what scripts/check holds and CONTRIBUTING.md promises.

`python scripts/house.py` prints the rooms and which imports which as Mermaid, from the import graph of import-linter.
"""

import ast
import sys
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

import grimp

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGE = CHECKOUT / "service" / "openapi_mcp_server"


def floors() -> list[list[str]]:
    """The layers of the first contract in pyproject.toml, from the top; each has its rooms and single modules."""
    linter = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = linter["contracts"][0]["layers"]
    return [[name.strip().removeprefix("openapi_mcp_server.") for name in layer.split("|")] for layer in layers]


def rooms() -> list[str]:
    """The folders at the top of the package."""
    return sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def arrows() -> Counter[tuple[str, str]]:
    """(who imports, who is imported) → in how many places, for rooms and the single modules beside them."""
    graph = grimp.build_graph("openapi_mcp_server", cache_dir=None)
    found: Counter[tuple[str, str]] = Counter()
    for module in graph.modules - {"openapi_mcp_server"}:
        for imported in graph.find_modules_directly_imported_by(module) - {"openapi_mcp_server"}:
            found[_room(module), _room(imported)] += 1
    return Counter({pair: count for pair, count in found.items() if pair[0] != pair[1]})


def _room(module: str) -> str:
    return module.split(".")[1]


def mermaid() -> str:
    lines = ["flowchart TB"]
    for number, floor in enumerate(floors()):
        boxes = "; ".join(f'{name}["{name}"]' for name in floor)
        lines += [f'  subgraph floor{number}[" "]', "    direction LR", f"    {boxes}", "  end"]
    lines += [f"  {upper} --> {lower}" for upper, lower in sorted(arrows())]
    return "\n".join(lines)


def definitions() -> dict[str, list[str]]:
    """Public classes and functions of modules → where they are defined."""
    found = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_":
                found[node.name].append(path.relative_to(PACKAGE).as_posix())
    return found


if __name__ == "__main__":
    sys.stdout.write(mermaid() + "\n")
