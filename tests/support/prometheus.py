"""The real Prometheus and its promtool, with the project's configuration."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from asked import fetch, until
from nginx import free_port
from processes import CHECKOUT

FOLDER = CHECKOUT / "deploy" / "prometheus"
INTERVAL = "500ms"
STOP_SECONDS = 10


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: Debian's package prometheus has it")
    return found


def promtool(*argv: str | Path, stdin: bytes | None = None) -> tuple[int, str]:
    """(exit code, everything it said)"""
    done = subprocess.run(
        [program("promtool"), *argv],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.decode()


class Prometheus:
    """A started Prometheus."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, path: str, **form: str) -> Any:
        body = urlencode(form).encode() if form else None
        headers = {"content_type": "application/x-www-form-urlencoded"} if form else {}
        _, _, answer = fetch(f"{self._url}/api/v1/{path}", "POST" if form else "GET", body, **headers)
        told = msgspec.json.decode(answer)
        assert told["status"] == "success", (form, told)
        return told["data"]

    def values(self, expression: str) -> list[float]:
        """What an expression has now; what is not a number does not count."""
        found = [float(one["value"][1]) for one in self.ask("query", query=expression)["result"]]
        return [value for value in found if not math.isnan(value)]


@contextmanager
def scraping(folder: Path, target: str) -> Iterator[Prometheus]:
    """The project's configuration with this target, at an interval for tests."""
    port = free_port()
    shutil.copytree(FOLDER, folder / "etc")
    config = folder / "etc" / "prometheus.yml"
    config.write_text(re.sub(r"\b15s\b", INTERVAL, config.read_text("utf-8")).replace("worker:9090", target), "utf-8")
    argv = [
        program("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
        "--enable-feature=exemplar-storage",
    ]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: _is_ready(f"http://127.0.0.1:{port}/-/ready"))
            yield Prometheus(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


def _is_ready(url: str) -> bool:
    try:
        return fetch(url)[0] == 200
    except ConnectionError:
        return False
