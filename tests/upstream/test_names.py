"""Lookups of names: one at a time for each, shared by all who wait, and no concern of anybody else."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
import trio

from openapi_mcp_server.upstream.addresses import AddressRule, CheckedDialler
from openapi_mcp_server.upstream.names import Lookups
from openapi_mcp_server.upstream.sockets import OutOfResources

pytestmark = pytest.mark.anyio


class Resolver:
    """Answers a name at once, or when it is let go; counts what it was asked."""

    def __init__(self, *held: str) -> None:
        self._held = held
        self.asked: list[str] = []
        self.go_on = threading.Event()

    def __call__(self, host: str, port: int | None, **_: Any) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        if host in self._held:
            assert self.go_on.wait(10)
        if host == "nowhere.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 0))] * 2


async def test_a_hundred_callers_of_one_name_wait_for_one_lookup_and_for_no_other() -> None:
    resolver = Resolver("slow.example")
    lookups = Lookups(resolver)
    found: list[list[str]] = []

    async def one() -> None:
        found.append(await lookups("slow.example", 443))

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(one)
            await trio.testing.wait_all_tasks_blocked()
            assert await lookups("other.example", 443) == ["192.0.2.7"]
            assert found == []
            resolver.go_on.set()
    assert found == [["192.0.2.7"]] * 100
    assert sorted(resolver.asked) == ["other.example", "slow.example"]  # threads: whose is first is the system's to say


async def test_a_name_is_asked_for_again_when_its_lookup_is_over() -> None:
    resolver = Resolver()
    lookups = Lookups(resolver)
    for _ in range(2):
        await lookups("api.example", 443)
    assert resolver.asked == ["api.example"] * 2


async def test_a_caller_that_leaves_takes_the_lookup_from_nobody() -> None:
    resolver = Resolver("slow.example")
    lookups = Lookups(resolver)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lookups, "slow.example", 443)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        resolver.go_on.set()
        assert await lookups("slow.example", 443) == ["192.0.2.7"]


async def test_a_lookup_for_which_there_was_no_thread_is_waited_for_by_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The limit of threads is reached, as in a container (pids.max)."""

    def no_thread(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    lookups = Lookups(Resolver())
    dialler = CheckedDialler(AddressRule(allow_private=False, allow_insecure=False), lookups)
    with monkeypatch.context() as patched:
        patched.setattr(trio.lowlevel, "start_thread_soon", no_thread)
        with pytest.raises(OutOfResources):
            await dialler.connect("api.example", 443)
    with trio.fail_after(10):
        assert await lookups("api.example", 443) == ["192.0.2.7"]


async def test_every_caller_is_told_that_there_is_no_such_name() -> None:
    lookups = Lookups(Resolver())
    for _ in range(2):
        with pytest.raises(socket.gaierror, match="Name or service not known"):
            await lookups("nowhere.example", 443)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_an_address_is_looked_up_nowhere(address: str) -> None:
    resolver = Resolver()
    assert await Lookups(resolver)(address, 443) == [address]
    assert resolver.asked == []
