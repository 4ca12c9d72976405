"""Secrets that change while the process runs: when they are read again. The rest is in tests/test_credentials.py."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import trio

from clocks import run
from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.process.rotation import AGAIN_SECONDS, LOOK_SECONDS, follow
from openapi_mcp_server.process.sources import Sources
from openapi_mcp_server.settings.config import Config


def test_settings_that_could_not_be_used_are_read_again_though_no_file_changes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A store may not be reached at the moment at which a file changes, and the file changes no more."""
    file, taken = tmp_path / "token", list[str]()
    file.write_text("one")
    sources = Sources(["--spec-path", "x.yaml", "--auth-type", "bearer"], {"AUTH_TOKEN_FILE": str(file)})
    sources.load()
    file.write_text("two2")

    async def main() -> None:
        is_over = trio.Event()

        def apply(now: Config) -> None:
            taken.append(now.apis[0].auth.token)
            if len(taken) < 3:
                raise ConfigError("INBOUND_TOKENS", "cannot be read now")
            is_over.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow, sources, apply, 0.0)
            await is_over.wait()
            assert trio.current_time() >= 2 * AGAIN_SECONDS
            await trio.sleep(2 * AGAIN_SECONDS + LOOK_SECONDS)
            nursery.cancel_scope.cancel()

    with caplog.at_level(logging.INFO, "openapi_mcp_server"):
        run(main)
    assert taken == ["two2"] * 3
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
