"""The checkout's own nginx configuration in front of one worker, as compose has it."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attack.outcomes import Skipped
from attack.program import cpu_seconds, memory_mib

START_SECONDS = 10.0
PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
"""Debian keeps it in a folder that is not on everybody's path."""
MAIN = """\
worker_processes 2;
error_log stderr notice;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    default_type application/octet-stream;
    access_log off;
    sendfile on;
    keepalive_timeout 65;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/conf.d/*.conf;
}}
"""
"""Like the public image's, with the paths that it may not write to replaced."""


class Nginx:
    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self.port = port

    def _pids(self) -> list[int]:
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def memory_mib(self) -> float:
        """What its processes have in memory of their own (RssAnon: what they share counts once in a container)."""
        return sum(memory_mib(pid, "RssAnon") for pid in self._pids())

    def cpu_seconds(self) -> float:
        return sum(cpu_seconds(pid) for pid in self._pids())


@contextmanager
def started(checkout: Path, folder: Path, worker_port: int) -> Iterator[Nginx]:
    """Raises Skipped where nginx is not installed."""
    program = shutil.which("nginx", path=PATH)
    if program is None:
        raise Skipped("nginx is not installed")
    port = _free_port()
    (folder / "conf.d").mkdir()
    (folder / "conf.d" / "default.conf").write_text(_rendered(checkout, port, worker_port), "utf-8")
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder), "utf-8")
    log = (folder / "nginx.log").open("wb")
    argv = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    with log, subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process:
        try:
            _wait(port)
            yield Nginx(process, port)
        finally:
            process.terminate()


def _rendered(checkout: Path, port: int, worker_port: int) -> str:
    """The template as ``envsubst`` makes it: defined variables are replaced, all others stay."""
    lines = (checkout / "proxy" / "defaults.env").read_text("utf-8").splitlines()
    settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    settings |= {f"PROXY_WORKER_{number}": f"127.0.0.1:{worker_port}" for number in range(4)}
    settings["PROXY_PORT"] = f"127.0.0.1:{port}"
    settings["PROXY_TLS_PORT"] = f"127.0.0.1:{_free_port()}"  # nobody uses it here, and its default may be another's
    template = (checkout / "proxy" / "nginx.conf").read_text("utf-8")
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: settings.get(found[1] or found[2], found[0]), template)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise OSError("nginx does not listen")
