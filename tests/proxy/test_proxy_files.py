"""The proxy's configuration by itself: nginx takes it, gixy finds nothing, and its limits fit those of the worker."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nginx
from openapi_mcp_server.gateway.calls import GUARD_SECONDS
from openapi_mcp_server.server.events import QUIET_SECONDS
from openapi_mcp_server.server.http11.any_request import HEADER_BYTES
from openapi_mcp_server.server.http11.connection import KEEP_ALIVE_SECONDS
from openapi_mcp_server.server.posts import BODY_BYTES
from openapi_mcp_server.settings.config import load

UNITS = {"": 1, "s": 1, "m": 60, "k": 1024}
DIRECTIVES = nginx.rendered(nginx.defaults())


def values(directive: str) -> list[str]:
    """What every use of a directive says, without comments."""
    text = re.sub(r"(^|\s)#.*", "", DIRECTIVES)
    return re.findall(rf"(?:^|[{{;\s]){directive}\s+([^;]+);", text)


def seconds(directive: str) -> list[int]:
    parsed = [re.fullmatch(r"(\d+)(s|m|)", value) for value in values(directive)]
    return [int(one[1]) * UNITS[one[2]] for one in parsed if one is not None]


def test_nginx_takes_it(tmp_path):
    main = nginx.configuration(tmp_path, **nginx.every_worker("127.0.0.1:8000"))
    tried = subprocess.run(
        [nginx.program(), "-t", "-p", str(tmp_path), "-c", str(main)], capture_output=True, text=True, check=False
    )
    assert tried.returncode == 0, tried.stderr
    assert "[warn]" not in re.sub(r'.*"user" directive makes sense only.*', "", tried.stderr)


def test_the_longest_name_that_there_may_be_is_taken(tmp_path):
    longest = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
    main = nginx.configuration(
        tmp_path, **nginx.every_worker("127.0.0.1:8000"), PROXY_SERVER_NAMES=f"localhost {longest}"
    )
    tried = subprocess.run(
        [nginx.program(), "-t", "-p", str(tmp_path), "-c", str(main)], capture_output=True, text=True, check=False
    )
    assert len(longest) == 253
    assert tried.returncode == 0, tried.stderr


def test_gixy_finds_nothing(tmp_path):
    main = nginx.configuration(tmp_path, **nginx.every_worker("127.0.0.1:8000"))
    gixy = Path(sys.executable).parent / "gixy"
    skipped = "hsts_header"  # no pages are served, and on localhost it would bar every other port from plain HTTP
    done = subprocess.run(
        [gixy, "--format", "json", "--skips", skipped, str(main)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stdout


def test_a_variable_that_is_missing_stops_nginx_by_its_name(tmp_path):
    main = nginx.configuration(tmp_path, **nginx.every_worker("127.0.0.1:8000"), PROXY_BURST="${PROXY_BURST}")
    tried = subprocess.run(
        [nginx.program(), "-t", "-p", str(tmp_path), "-c", str(main)], capture_output=True, text=True, check=False
    )
    assert tried.returncode != 0
    assert "PROXY_BURST" in tried.stderr


def test_every_variable_has_its_default_and_every_default_is_used():
    used = set(re.findall(r"\$\{(PROXY_\w+)\}", nginx.TEMPLATE.read_text("utf-8")))
    assert used == set(nginx.defaults())


def test_a_certificate_from_the_environment_is_where_nginx_looks():
    """envsubst writes templates into conf.d, without their last ending."""
    image = (nginx.CHECKOUT / "proxy" / "Dockerfile").read_text("utf-8")
    (template,) = re.findall(r"^COPY (\S+\.pem)\.template /etc/nginx/templates/$", image, re.MULTILINE)
    links = re.findall(r"ln -s (\S+) /etc/nginx/tls/(\S+)", image)
    named = [each.removeprefix("$tls_folder/") for each in values("ssl_certificate") + values("ssl_certificate_key")]
    assert links == [(f"../conf.d/{template}", name) for name in named]
    assert (nginx.CHECKOUT / "proxy" / f"{template}.template").read_text("utf-8") == "${PROXY_TLS_PEM}\n"


@pytest.mark.parametrize(
    ("version", "is_known"),
    [
        ("1.9.15", False),
        ("1.26.3", False),
        ("1.27.3 (nginx-plus-r34)", False),
        ("1.27.4", True),
        ("1.28.0 (Ubuntu)", True),
        ("1.130.0", True),
        ("2.0.0", True),
    ],
)
def test_kept_connections_outlive_a_reload_where_nginx_knows_how(version, is_known, tmp_path):
    program = tmp_path / "nginx"
    program.write_text(f"#!/bin/sh\necho 'nginx version: nginx/{version}' >&2\n", "utf-8")
    program.chmod(0o755)
    subprocess.run(
        [nginx.CHECKOUT / "proxy" / "keep-connections.sh", tmp_path],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=True,
    )
    written = tmp_path / "keep-connections.conf"
    assert written.exists() == is_known
    assert not is_known or re.fullmatch(r"keepalive_min_timeout \ds;\n", written.read_text("utf-8"))


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("compose.yaml", "- ./proxy/keep-connections.sh:/docker-entrypoint.d/keep-connections.sh:ro"),
        ("proxy/Dockerfile", "COPY keep-connections.sh /docker-entrypoint.d/"),
    ],
)
def test_an_image_has_what_keeps_connections_where_it_is_run_at_the_start(file, line):
    assert line in (nginx.CHECKOUT / file).read_text("utf-8")


def test_idle_connections_to_a_worker_end_before_the_worker_ends_them():
    upstreams = DIRECTIVES.count("\nupstream ")
    times = seconds("keepalive_timeout")
    assert len(times) == upstreams + 1  # the last is for clients
    assert max(times[:upstreams]) < KEEP_ALIVE_SECONDS


def longest_call() -> float:
    environ = {"API_SPEC_PATH": "a.yaml", "API_BASE_URL": "https://api.example.com"}
    return load([], environ, lambda path: "").message_timeout_seconds


def test_a_call_ends_before_the_official_typescript_client_gives_it_up():
    """Its DEFAULT_REQUEST_TIMEOUT_MSEC; what a call may have done is in the answer that it would not read."""
    assert longest_call() + GUARD_SECONDS < 60


def test_the_longest_call_and_the_silence_of_a_stream_end_before_the_proxy_gives_them_up():
    (patience,) = seconds("proxy_read_timeout")
    assert longest_call() < patience
    assert patience > 3 * QUIET_SECONDS


@pytest.mark.parametrize("file", ["docs/deployment.md", "proxy/nginx.conf", "compose.yaml"])
def test_a_proxy_that_stops_gives_calls_the_time_that_they_may_take(file):
    drains = re.findall(r"worker_shutdown_timeout (\d+)s", (nginx.CHECKOUT / file).read_text("utf-8"))
    assert drains
    assert all(longest_call() < int(drain) for drain in drains)


def test_bodies_have_the_same_limit_at_the_proxy_and_the_worker():
    assert [int(value.removesuffix("m")) * 2**20 for value in values("client_max_body_size")] == [BODY_BYTES]


def test_a_message_is_never_kept_whole():
    assert values("proxy_request_buffering") == ["off"]
    assert values("proxy_buffering") == ["off"]


def test_headers_that_the_proxy_takes_fit_the_worker():
    ((count, size),) = [value.split() for value in values("large_client_header_buffers")]
    assert int(count) * int(size.removesuffix("k")) * 1024 <= HEADER_BYTES
    assert int(size.removesuffix("k")) * 1024 > 9 * 1024


@pytest.mark.parametrize("directive", ["chunked_transfer_encoding", "gzip", "proxy_cache"])
def test_what_harms_streams_is_left_alone(directive):
    assert values(directive) == []
