"""What CONTRIBUTING.md promises of the tables, done on a copy: one line changes both directions, or all users."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SERVICE = Path(__file__).parent.parent / "service"
IMPORTS = """
from openapi_mcp_server.bridge.bodies import writers
from openapi_mcp_server.bridge.media import table as media
from openapi_mcp_server.bridge.parameters import table
from openapi_mcp_server.bridge.parameters.table import Styled
from openapi_mcp_server.mcp import answers, messages
from openapi_mcp_server.openapi.model import MediaType
from openapi_mcp_server.settings.config import load
from openapi_mcp_server.upstream.call import UpstreamSettings
"""


def after(edit: tuple[str, str, str], expression: str, folder: Path) -> str:
    """What the expression is in a copy of the service in which one text of one file is another."""
    name, old, new = edit
    shutil.copytree(SERVICE, folder / "service", ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / "service" / "openapi_mcp_server" / name
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    script = f"{IMPORTS}\nprint({expression})"
    path = {"PYTHONPATH": str(folder / "service")}
    ran = subprocess.run([sys.executable, "-c", script], env=path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.mark.parametrize(
    ("edit", "expression", "value"),
    [
        pytest.param(
            (
                "bridge/parameters/table.py",
                '("query", "pipeDelimited"):   Row("",  "&",   "%7C"',
                '("query", "pipeDelimited"):   Row("",  "&",   "|"',
            ),
            "table.text('query', Styled(name='n', style='pipeDelimited', explode=False))(['a', 'b'])",
            "n=a|b",
            id="a delimiter is a cell",
        ),
        pytest.param(
            (
                "bridge/parameters/table.py",
                "Style], Row] = {\n",
                'Style], Row] = {\n    ("query", "slashes"): Row("", "&", "/", _YES, "=", _URI),\n',
            ),
            "table.text('query', Styled(name='n', style='slashes', explode=False))(['a', 'b/c'])",
            "n=a/b%2Fc",
            id="a style is a row",
        ),
        pytest.param(
            (
                "bridge/media/table.py",
                'TYPES: dict[str, Row] = {\n',
                'TYPES: dict[str, Row] = {\n    "application/vnd.acme.lines": _LINES,\n',
            ),
            "(writers.Bodies({}).kind_and_writer(MediaType(pointer='', name='application/vnd.acme.lines', schema=None))"
            "[1]([1, 2]), media.row('application/vnd.acme.lines').read)",
            r"(('application/vnd.acme.lines', b'1\n2\n'), 'text')",
            id="a media type for both directions is a row",
        ),
        pytest.param(
            (
                "settings/table.py",
                '"HTTP_RETRIES", integer(0, 5), "2"',
                '"HTTP_RETRIES", integer(0, 5), "4"',
            ),
            "(load(['--spec-path', 'x'], {}, str).http_retries, UpstreamSettings().retries)",
            "(4, 4)",
            id="a default is a cell",
        ),
        pytest.param(
            (
                "mcp/methods.py",
                'MODERN: Final = ("2026-07-28",)',
                'MODERN: Final = ("2026-07-28", "2027-06-18")',
            ),
            "answers.render(messages.ServerInfo(name='x', version='1'), answers.ListedEntries(tools=[], prompts=[]))"
            ".results['server/discover', '2027-06-18', False][:40].decode()",
            '{"supportedVersions":["2027-06-18","2026',
            id="a revision of MCP is a word",
        ),
    ],
)  # fmt: skip
def test_a_change_that_a_table_answers_is_one_line(
    edit: tuple[str, str, str], expression: str, value: str, tmp_path: Path
) -> None:
    assert after(edit, expression, tmp_path) == value
