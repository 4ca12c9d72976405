"""Writes deploy/ecs/task-definition.json, which `aws ecs register-task-definition --cli-input-json` takes, from the
template and deploy/ecs/parameters.json; with ``--check``, says whether it is current."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from cloudformation import Json, Resolver, read

FOLDER = Path(__file__).resolve().parent.parent / "deploy" / "ecs"
RENDERED = FOLDER / "task-definition.json"
LITERAL = {"Options", "DockerLabels"}
"""Their keys are data, not names of fields."""


def parameters() -> dict[str, str]:
    given = msgspec.json.decode((FOLDER / "parameters.json").read_bytes())
    return {each["ParameterKey"]: each["ParameterValue"] for each in given}


def as_the_api_spells_it(node: Json) -> Json:
    """CloudFormation begins names of fields with a capital, the API does not."""
    if isinstance(node, list):
        return [as_the_api_spells_it(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        name[0].lower() + name[1:]: value if name in LITERAL else as_the_api_spells_it(value)
        for name, value in node.items()
    }


def task_definition(**changed: str) -> dict[str, Any]:
    resources = Resolver(read(FOLDER / "template.yaml"), {**parameters(), **changed}).resources()
    rendered: dict[str, Any] = as_the_api_spells_it(resources["TaskDefinition"]["Properties"])
    return rendered


def main() -> int:
    current = msgspec.json.format(msgspec.json.encode(task_definition()), indent=2) + b"\n"
    if "--check" not in sys.argv:
        RENDERED.write_bytes(current)
    elif not RENDERED.exists() or RENDERED.read_bytes() != current:
        print(f"{RENDERED.name} is not current; run scripts/render_task_definition.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
