"""nginx: the proxy of this repository in front of a server, and an API that costs nearly nothing."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from socket import create_connection, create_server

import measured
from installing import Unavailable

PROXY = Path(__file__).parents[1] / "proxy"
START_SECONDS = 10.0
_LIMITS = {"PROXY_RATE": "100000r/s", "PROXY_BURST": "100000", "PROXY_CONNECTIONS": "1000"}
"""All calls come from one address here."""
_MAIN = """
worker_processes 1;
worker_rlimit_nofile 4096;
error_log stderr error;
pid {folder}/nginx.pid;
daemon off;
events {{ worker_connections 2048; }}
http {{
    default_type application/octet-stream;
    access_log off;
    keepalive_requests 10000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {rest}
}}
"""
_API = """
    server {{
        listen 127.0.0.1:{port};
        default_type application/json;
        location / {{ return 200 '{body}'; }}
    }}
"""


@contextmanager
def proxy(folder: Path, port: int) -> Iterator[tuple[int, int]]:
    """The process and the port of the proxy in front of a server at this port, as its image renders it."""
    lines = (PROXY / "defaults.env").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    own = free_port()
    settings |= _LIMITS | {"PROXY_PORT": f"127.0.0.1:{own}", "PROXY_SERVER_NAMES": "127.0.0.1"}
    settings["PROXY_TLS_PORT"] = f"unix:{folder}/tls.sock"  # nobody uses it here, and its default may be another's
    settings |= {f"PROXY_WORKER_{number}": f"127.0.0.1:{port}" for number in range(4)}
    text = (PROXY / "nginx.conf").read_text()
    rendered = re.sub(r"\$\{(\w+)\}", lambda found: settings.get(found[1], found[0]), text)
    with _running(folder / "proxy", rendered, own) as pid:
        yield pid, own


@contextmanager
def api(folder: Path) -> Iterator[int]:
    """The port of an API that always answers the same."""
    port = free_port()
    with _running(folder / "api", _API.format(port=port, body=measured.BODY.decode()), port):
        yield port


def free_port(count: int = 1) -> int:
    """The first of so many in a row, below those that the system gives to others meanwhile."""
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), ExitStack() as stack:
            for number in range(count):
                stack.enter_context(create_server(("127.0.0.1", port + number)))
            return port


@contextmanager
def _running(folder: Path, rest: str, port: int) -> Iterator[int]:
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise Unavailable("nginx is not installed")
    folder.mkdir(exist_ok=True)
    main = folder / "nginx.conf"
    main.write_text(_MAIN.format(folder=folder, rest=rest))
    with subprocess.Popen(
        [program, "-c", str(main), "-p", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            await_port(process, port)
            yield process.pid
        finally:
            process.terminate()


def await_port(process: subprocess.Popen[bytes], port: int, seconds: float = START_SECONDS) -> None:
    """Until something listens there."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said = process.stderr.read() if process.stderr else b""
            raise Unavailable(f"it ended with {process.returncode} {said.decode(errors='replace')[-150:]}".strip())
        try:
            create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise Unavailable(f"it did not answer within {seconds:g} s")
