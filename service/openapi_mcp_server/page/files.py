"""The page's files as they are in the package, and the page as one file of its own.

``page/`` of the repository has their source, and builds them.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import Any

import msgspec

from openapi_mcp_server.bridge.model import ToolCatalog
from openapi_mcp_server.bridge.reports.report import report

POLICY = "default-src 'none'; img-src data:; media-src data:; base-uri 'none'; form-action 'none'"
"""The policy that both forms of the page have in common: pictures and sounds of results are in the page itself."""
TRUSTED = "require-trusted-types-for 'script'; trusted-types 'none'"
"""No text ever becomes markup or script: the browser refuses it, whatever the page's own code may do."""


def asset(name: str) -> bytes:
    return resources.files(__package__).joinpath("assets", name).read_bytes()


def standalone(catalog: ToolCatalog, *, name: str, version: str) -> str:
    """The whole page as one file, with its report in it and without what needs a server.

    The report is a data block, which no browser runs; script and style are admitted by their digests.
    """
    style, script = asset("page.css").decode(), asset("page.js").decode()
    policy = f"{POLICY}; {TRUSTED}; script-src {_digest(script)}; style-src {_digest(style)}"
    told = report(catalog) | {
        "name": name,
        "version": version,
        "entries": [tool.entry for tool in catalog.tools.values()],
    }
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="referrer" content="no-referrer">\n<title>OpenAPI tools</title>\n<style>{style}</style>\n</head>\n'
        f'<body>\n<div id="app"></div>\n<script type="application/json" id="report">{_data(told)}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _data(told: dict[str, Any]) -> str:
    """JSON that no parser of HTML finds an end tag or a comment in."""
    return msgspec.json.encode(told).decode().replace("<", "\\u003c")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
