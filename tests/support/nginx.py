"""The real nginx with the project's configuration, rendered as the public image renders it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import msgspec
import pytest

from processes import CHECKOUT, free_ports

TEMPLATE = CHECKOUT / "proxy" / "nginx.conf"
DEFAULTS = CHECKOUT / "proxy" / "defaults.env"
START_SECONDS = 10
WORKERS = 2
MAIN = (
    ("" if os.geteuid() else "user root;  # who may read a test's folder\n")
    + """\
worker_processes {workers};
worker_rlimit_nofile 4096;
error_log stderr notice;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    default_type application/octet-stream;
    access_log off;
    sendfile on;
    keepalive_timeout 65;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/conf.d/*.conf;
}}
"""
)
"""Like the public image's, with the paths that it may not write to replaced."""


def defaults() -> dict[str, str]:
    lines = DEFAULTS.read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def rendered(settings: dict[str, str]) -> str:
    """The template as ``envsubst`` makes it: defined variables are replaced, all others stay."""

    def value(found: re.Match[str]) -> str:
        return settings.get(found[1] or found[2], found[0])

    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", value, TEMPLATE.read_text("utf-8"))


def configuration(folder: Path, **settings: str) -> Path:
    """The main file, with everything that it includes beside it."""
    (folder / "conf.d").mkdir(exist_ok=True)
    own = {
        **defaults(),
        "PROXY_TLS_PORT": f"unix:{folder}/tls.sock",
        **settings,
    }  # its default is one for all of a machine
    rendering = rendered(own).replace("/etc/nginx/tls", f"{folder}/tls")
    (folder / "conf.d" / "default.conf").write_text(rendering, "utf-8")
    main = folder / "nginx.conf"
    main.write_text(MAIN.format(folder=folder, workers=WORKERS), "utf-8")
    return main


def program() -> str:
    """Debian keeps it in a folder that is not on everybody's path."""
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("nginx is not installed")
    return found


def free_port() -> int:
    return free_ports(1)


def every_worker(address: str) -> dict[str, str]:
    return {f"PROXY_WORKER_{number}": address for number in range(4)}


class Nginx:
    """A started proxy. Its error log is read all the time: a full pipe would stop it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, access_log: Path) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._access_log = access_log
        self._said: SimpleQueue[bytes] = SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._said.put(line)

    def wait_for(self, words: bytes) -> bytes:
        """Reads the error log up to the line with these words."""
        said = []
        while True:
            try:
                said.append(self._said.get(timeout=START_SECONDS))
            except Empty:
                raise AssertionError(f"nginx did not say {words!r} but {said}") from None
            if words in said[-1]:
                return said[-1]

    def drain(self) -> None:
        self.process.send_signal(signal.SIGQUIT)
        for _ in range(WORKERS):
            self.wait_for(b"gracefully shutting down")

    def log(self) -> list[dict[str, Any]]:
        """The access log; complete once nginx has ended."""
        return [msgspec.json.decode(line) for line in self._access_log.read_bytes().splitlines()]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(START_SECONDS)
        self._reader.join(START_SECONDS)


@contextmanager
def proxy(folder: Path, **settings: str) -> Iterator[Nginx]:
    """nginx on a loopback port for as long as the context lasts."""
    port = free_port()
    main = configuration(folder, PROXY_PORT=f"127.0.0.1:{port}", **settings)
    access_log = folder / "access.log"
    with access_log.open("wb") as log:
        process = subprocess.Popen(
            [program(), "-p", str(folder), "-c", str(main), "-g", "daemon off; worker_shutdown_timeout 70s;"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.PIPE,
        )
    with process:
        started = Nginx(process, port, access_log)
        try:
            started.wait_for(b"start worker process ")
            yield started
        finally:
            started.stop()
