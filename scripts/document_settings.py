"""Writes the table of settings into docs/configuration.md; with ``--check``, says whether it is current."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from service.settings import SETTINGS  # noqa: E402 - the path comes first

PAGE = ROOT / "docs" / "configuration.md"
BEGIN, END = "<!-- settings: begin (written by scripts/document_settings.py) -->", "<!-- settings: end -->"


def table() -> str:
    rows = ["| variable | flag | default | meaning |", "| --- | --- | --- | --- |"]
    for setting in SETTINGS:
        default = f"`{setting.default}`" if setting.default else ""
        rows.append(f"| `{setting.name}` | `{setting.option}` | {default} | {setting.help} |")
    return "\n".join(rows)


def main() -> int:
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    current = f"{before}{BEGIN}\n{table()}\n{END}{after}"
    if "--check" not in sys.argv:
        PAGE.write_text(current, "utf-8")
    elif page != current:
        print("docs/configuration.md is not current; run scripts/document_settings.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
