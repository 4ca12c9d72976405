"""Writes the table of settings into docs/configuration.md and their names into what compose.yaml passes on; with
``--check``, says whether both are current."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "service"))

from openapi_mcp_server.settings.table import SETTINGS, TOPICS  # noqa: E402 - the path comes first

PAGE = ROOT / "docs" / "configuration.md"
BEGIN, END = "<!-- settings: begin (written by scripts/document_settings.py) -->", "<!-- settings: end -->"
PASSED_ON = ROOT / "deploy" / "compose" / "settings.env"
PASSED_ON_HEAD = """\
# Names without values: each is passed on to the worker from the shell or from .env, where it is set there. What
# compose.yaml fixes wins. Written by scripts/document_settings.py.
"""
NOT_PASSED_ON = {"OTEL_RESOURCE_ATTRIBUTES"}
"""The docker command sets it for its own plugins, Compose among them."""


def table() -> str:
    rows = []
    for title, settings in TOPICS.items():
        rows += ["", f"## {title}", "", "| variable | flag | default | meaning |", "| --- | --- | --- | --- |"]
        for setting in settings:
            default = f"`{setting.default}`" if setting.default else ""
            rows.append(f"| `{setting.name}` | `{setting.option}` | {default} | {setting.help} |")
    return "\n".join([*rows[1:], ""])


def page() -> str:
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def passed_on() -> str:
    return PASSED_ON_HEAD + "".join(f"{each.name}\n" for each in SETTINGS if each.name not in NOT_PASSED_ON)


def main() -> int:
    code = 0
    for path, current in ((PAGE, page()), (PASSED_ON, passed_on())):
        if "--check" not in sys.argv:
            path.write_text(current, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != current:
            print(f"{path.relative_to(ROOT)} is not current; run scripts/document_settings.py", file=sys.stderr)
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
