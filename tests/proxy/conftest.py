"""The watch over idle streams takes time and hardly any CPU: it is begun before the other tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from idle import watched


@pytest.fixture(scope="package", autouse=True)
def idling(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Future[dict[str, bytes]] | None]:
    """The watch over idle streams, where a test asks for it."""
    if not any("came" in getattr(item, "fixturenames", ()) for item in request.session.items):
        yield None
        return
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(watched, tmp_path_factory.mktemp("idle"))
