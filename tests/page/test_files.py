"""The page as it is checked in, and as one file."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess

import msgspec
import pytest

from node import NODE
from openapi_mcp_server.page.files import asset
from processes import CHECKOUT, run

SOURCE = CHECKOUT / "page"


@pytest.mark.skipif(
    not (SOURCE / "node_modules").exists(), reason="no npm packages of page/: scripts/test installs them"
)
def test_what_is_checked_in_is_what_its_source_builds(tmp_path):
    done = subprocess.run([NODE, SOURCE / "build.mjs", tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("page.html", "page.css", "page.js"):
        assert (tmp_path / name).read_bytes() == asset(name), f"{name}: npm run build in page/ makes it current"


def test_its_script_says_whose_code_is_in_it():
    assert re.match(rb"/\*! Preact [\d.]+, MIT, Copyright", asset("page.js"))


@pytest.fixture(scope="module")
def one_file(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("page")
    (folder / "api.json").write_bytes(msgspec.json.encode(document("</script><script>alert(1)</script><!--")))
    done = run("inspect", "--spec-path", str(folder / "api.json"), "--html", str(folder / "out.html"))
    assert (done.returncode, done.stdout) == (0, f"the page is in {folder / 'out.html'}\n")
    return (folder / "out.html").read_text()


def document(text: str) -> dict[str, object]:
    operation = {"operationId": "get", "summary": text, "tags": [text], "responses": {"200": {"description": text}}}
    return {"openapi": "3.1.0", "info": {"title": text, "version": text}, "paths": {"/a": {"get": operation}}}


def test_one_file_holds_its_report_as_data_that_no_document_can_leave(one_file):
    assert one_file.count("<script") == one_file.count("</script>") == 2
    data = re.search(r'<script type="application/json" id="report">(.*?)</script>', one_file)
    told = msgspec.json.decode(data[1])
    assert told["tools"][0]["tags"] == ["</script><script>alert(1)</script><!--"]
    assert [entry["name"] for entry in told["entries"]] == ["get"]


def test_one_file_admits_its_own_script_and_style_by_digest_and_nothing_else(one_file):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', one_file)[1]
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        text = re.search(rf"<{tag}>(.*?)</{tag}>", one_file, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert "connect-src" not in policy  # default-src 'none'


def test_a_file_that_cannot_be_written_is_said_in_one_line(tmp_path):
    (tmp_path / "api.json").write_bytes(msgspec.json.encode(document("a")))
    done = run("inspect", "--spec-path", str(tmp_path / "api.json"), "--html", str(tmp_path / "none" / "out.html"))
    assert done.returncode == 2
    assert "--html: cannot write" in done.stderr
    assert "Traceback" not in done.stderr
