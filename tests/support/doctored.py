"""``doctor`` run on deployments that are sound or have one fault: real servers, a real nginx, an API with a key."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from authorization_server import AuthorizationServer
from certificates import certificate
from nginx import free_port, program
from processes import PROGRAM, free_ports, run, started
from recording import Asked, recording

MAIN = """\
daemon off;
error_log stderr notice;
pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream servers {{ {servers} }}
    server {{
        listen 127.0.0.1:{port} {listen};
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        {server}
        location {path} {{ proxy_pass http://servers{target}; proxy_buffering {buffering}; {location} }}
    }}
}}
"""
QUICK = ("--idle", "1", "--json")


@contextmanager
def nginx(folder: Path, *servers: str, **settings: str) -> Iterator[int]:
    """The real one in front of these servers, with a configuration of the test's own; its port."""
    port = free_port()
    usual = {"listen": "", "server": "", "location": "", "path": "/", "target": "", "buffering": "off"}
    places = "".join(f"server {each.split('/')[2]};" for each in servers)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, port=port, servers=places, **{**usual, **settings}))
    argv = [program(), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if b"start worker process " in line:
                    break
            yield port
        finally:
            process.terminate()


def document(folder: Path, tools: int = 1, **root: Any) -> str:
    paths = {f"/t{number}": {"get": {"operationId": f"tool{number}"}} for number in range(tools)}
    whole = {"openapi": "3.1.0", "info": {}, "servers": [{"url": "http://127.0.0.1:9"}], "paths": paths, **root}
    (folder / "openapi.json").write_bytes(msgspec.json.encode(whole))
    return str(folder / "openapi.json")


def doctor(url: str, *more: str, **settings: str) -> tuple[int, list[dict[str, str]]]:
    done = run("doctor", "--server", url, *QUICK, *more, **settings)
    assert done.stderr == ""
    return done.returncode, msgspec.json.decode(done.stdout)["findings"]


def the_finding(url: str, *more: str, **settings: str) -> str:
    code, findings = doctor(url, *more, **settings)
    assert code == 1
    (found,) = findings
    return f"{found['check']}: {found['problem']}; {found['cure']}"


KEY = "right-0123456789"
AUDIENCE = "https://mcp.example.com/mcp"
HOUR = 3_600
CLOCK = """\
import runpy, sys, time
true = time.time
time.time = lambda: true() + {seconds}
runpy.run_module('openapi_mcp_server', run_name='__main__', alter_sys=True)
"""
"""The program on a machine whose clock is wrong."""


class Fault(NamedTuple):
    """What is otherwise than in a sound deployment.

    In front: ``proxy`` is of nginx's configuration, ``path`` where it serves, ``expired``: its certificate is;
    ``audience`` is that of the token, ``argv`` doctor's. Behind: ``tasks`` are settings of the servers, ``tools`` of
    their document, ``is_down``: the API is, ``clock``: seconds by which the servers' is wrong.
    """

    proxy: Mapping[str, str] = {}
    path: str = "/tools"
    expired: bool = False
    audience: str = AUDIENCE
    argv: tuple[str, ...] = ()
    tasks: Mapping[str, str] = {}
    tools: int = 1
    is_down: bool = False
    clock: int = 0

    @property
    def is_in_front(self) -> bool:
        return (self.tasks, self.tools, self.is_down, self.clock) == ({}, 1, False, 0)


SOUND = Fault()


class Tasks(NamedTuple):
    """Two servers of one document; ``metrics`` is the port of the first."""

    urls: list[str]
    metrics: str
    issuer: AuthorizationServer


@contextmanager
def tasks(folder: Path, issuer: AuthorizationServer, fault: Fault = SOUND) -> Iterator[Tasks]:
    """For callers with a token of the issuer, below a path of a proxy's, with sessions that any task finds, in front of
    an API that wants a key."""
    ports, metrics = free_ports(2), free_ports(2)
    scheme = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    root = {"components": {"securitySchemes": {"key": scheme}}, "security": [{"key": []}]}
    argv = ("--spec-path", document(folder, fault.tools, **root), "--allow-private-networks", "--transport", "http")
    settings = {
        "AUTH_TYPE": "api_key",
        "AUTH_API_KEY": KEY,
        "HTTP_RETRIES": "0",
        "INBOUND_AUTH": "jwt",
        "INBOUND_JWT_ISSUERS": issuer.url,
        "INBOUND_JWT_AUDIENCE": AUDIENCE,
        "PUBLIC_PATH_PREFIX": "/tools",
        "SESSION_KEY": "k" * 40,
        "ENABLE_PROMETHEUS": "true",
        **fault.tasks,
    }
    program = ("-c", CLOCK.format(seconds=fault.clock)) if fault.clock else PROGRAM
    with ExitStack() as parts, recording(_answer) as api:
        where = f"http://127.0.0.1:{free_port()}" if fault.is_down else api.url
        servers = []
        for number in range(2):
            own = settings | {"SERVER_PORT": str(ports + number), "PROMETHEUS_PORT": str(metrics + number)}
            own["SESSION_ADDRESS"] = f"127.0.0.1:{ports + number}" if own["SESSION_KEY"] else ""
            servers.append(parts.enter_context(started("serve", *argv, "--api-url", where, program=program, **own)))
        yield Tasks([server.url for server in servers], str(metrics), issuer)


def _answer(asked: Asked) -> tuple[int, dict[str, str], bytes]:
    return (200 if asked.headers.get("x-api-key") == KEY else 401), {}, b'{"ok": true}'


def examined(folder: Path, behind: Tasks, fault: Fault = SOUND) -> tuple[int, list[dict[str, str]]]:
    """Exit code and findings of doctor, asked through an nginx with TLS in front of these servers."""
    _, file = certificate(folder, days=(-9, -1) if fault.expired else (-1, 40))
    tls = f"ssl_certificate {file}; ssl_certificate_key {folder}/key.pem;"
    usual = {"path": f"{fault.path}/", "target": "/", "listen": "ssl", "server": tls}
    now = int(time.time())
    given = {"iat": now - HOUR, "nbf": now - HOUR, "exp": now + HOUR}
    (folder / "token").write_text(behind.issuer.token(aud=fault.audience, **given))
    argv = ("--token-file", f"{folder}/token", *fault.argv)
    settings = {"SSL_CERT_FILE": str(file), "ENABLE_PROMETHEUS": "true", "PROMETHEUS_PORT": behind.metrics}
    with nginx(folder, *behind.urls, **{**usual, **fault.proxy}) as port:
        return doctor(f"https://localhost:{port}{fault.path}/mcp", *argv, **settings)
