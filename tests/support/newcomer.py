"""A new user's way: a clone, an empty HOME, README's first command, and a call made in the page; tells what it took.

newcomer.py [SECONDS]     fails if it takes longer [120]
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from browser import browser, missing
from processes import CHECKOUT, free_ports

KEPT = ("PATH", "SSL_CERT_FILE", "HTTPS_PROXY", "NO_PROXY", "PIP_CERT", "PIP_INDEX_URL")
"""Of the environment: how this machine reaches others."""


def first_command() -> list[str]:
    """The one that README begins with."""
    line = (CHECKOUT / "README.md").read_text("utf-8").partition("```sh\n")[2].partition("\n")[0]
    return shlex.split(line, comments=True)


def call_in_the_page(url: str) -> str:
    with browser() as opened:
        page = opened.new_page()
        page.goto(url)
        page.locator(".row b").get_by_text("getPet", exact=True).click()
        page.get_by_label("petId").fill("1")
        page.get_by_role("button", name="Call", exact=True).click()
        page.wait_for_selector(".result.good")
        return str(page.locator(".result pre").first.inner_text())


def tried(folder: Path) -> None:
    """Shows what the user sees."""
    port = free_ports(1)
    environ = {name: os.environ[name] for name in KEPT if name in os.environ}
    environ |= {"HOME": str(folder / "home"), "SERVER_PORT": str(port), "LOG_FORMAT": "text"}
    (folder / "home").mkdir()
    subprocess.run(["git", "clone", "--quiet", CHECKOUT, folder / "clone"], check=True, env=environ)
    print("$", *first_command())
    with subprocess.Popen(
        first_command(), cwd=folder / "clone", env=environ, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    ) as server:
        try:
            for line in server.stderr or ():
                print(line, end="")
                if "serving MCP at" in line:
                    break
            print(call_in_the_page(f"http://127.0.0.1:{port}/"))
        finally:
            server.terminate()


def main() -> None:
    if problem := missing():
        raise SystemExit(problem)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        tried(Path(folder))
    seconds = time.monotonic() - began
    print(f"{seconds:.0f} s from the clone to a call in the page, by one command")
    if seconds > float(sys.argv[1] if len(sys.argv) > 1 else 120):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
