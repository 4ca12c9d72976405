"""Fixtures that every room's tests share."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")  # what is timed on a busy machine says nothing about the code

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end: looking through it again and again took a quarter of the CPU."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.fixture(scope="module", autouse=True)
def settled() -> None:
    """The collector need not look at what stays to the end, such as the modules of all tests and what earlier ones have
    left: in a process of the whole suite that takes it half a second each time. A test that undoes this does so for the
    rest of its module."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The service runs on Trio, so its tests do."""
    return "trio"


@pytest.fixture(scope="session")
def specs_dir() -> Path:
    """The folder of real OpenAPI documents, which are not part of this repository."""
    folder = Path(os.environ.get("OPENAPI_SPECS_DIR", CHECKOUT.parent / "shared" / "specs"))
    if not (folder / "index.tsv").is_file():
        pytest.skip(f"no folder of real OpenAPI documents at {folder}; set OPENAPI_SPECS_DIR")
    return folder
