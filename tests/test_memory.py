"""The budget: nothing is counted twice or forgotten, and who finds no room is told before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from clocks import run
from openapi_mcp_server.errors import NoRoom
from openapi_mcp_server.memory import (
    CALL_BYTES,
    FREE,
    LEAST_BYTES,
    MESSAGE_BYTES,
    ROOM_SECONDS,
    WAITING_CALLS,
    Budget,
    Hold,
)

MIB = 2**20
LIMIT = 512 * MIB


def filled(budget: Budget, client: str, size: int) -> list[Hold]:
    """Holds that together keep so much, as results do: they are there, whether there is room or not."""
    holds = [budget.open(client) for _ in range(-(-size // MESSAGE_BYTES))]
    for hold in holds:
        hold.settle(size // len(holds) - CALL_BYTES)
    return holds


def found_room(take: Callable[[], object]) -> bool:
    try:
        take()
    except NoRoom:
        return False
    return True


steps = st.lists(
    st.tuples(
        st.sampled_from(["open", "take", "settle", "shrink", "part", "close"]),
        st.integers(0, 5),
        st.sampled_from([0, 1, CALL_BYTES, 3 * MIB, 40 * MIB]),
    ),
    max_size=60,
)


@given(steps)
def test_it_is_what_all_holds_keep_and_nothing_once_they_are_closed(taken: list[tuple[str, int, int]]) -> None:
    budget = Budget(LEAST_BYTES)
    holds: list[Hold] = []
    for step, which, size in taken:
        chosen = holds[which % len(holds)] if holds else None
        try:
            if step == "open" or chosen is None:
                holds.append(budget.open(f"client {which}"))
            elif step == "part":
                chosen.part()
            elif step == "close":
                chosen.close()
                holds.remove(chosen)
            else:
                getattr(chosen, step)(size)
        except NoRoom:
            pass
        assert budget.held == sum(hold.held for hold in holds)
        assert all(hold.held >= 0 for hold in holds)
    for hold in [*holds, *holds]:
        hold.close()
    assert budget.held == 0


def test_large_messages_leave_room_for_what_becomes_of_them_and_for_small_calls() -> None:
    budget = Budget(LIMIT)
    large = 0
    while found_room(lambda: budget.open("a").take(4 * MIB)):
        large += 1
    assert 0 < large * 4 * MIB <= LIMIT // 8  # a quarter of a client's half
    budget.open("a").take(CALL_BYTES)


def test_one_client_leaves_room_for_another() -> None:
    budget = Budget(LIMIT)
    filled(budget, "greedy", LIMIT // 2)
    assert not found_room(lambda: budget.open("greedy"))
    another = budget.open("another")
    another.take(4 * MIB)
    run(lambda: another.grow(14 * MIB))
    assert budget.refusals == 1


def test_small_calls_find_room_beside_what_their_client_keeps_otherwise() -> None:
    async def main() -> None:
        budget = Budget(LIMIT)
        while budget.refusals == 0:
            with suppress(NoRoom):
                await budget.open("a").grow(14 * MIB)
        for _ in range(500):
            budget.open("a")

    run(main)


def test_the_whole_budget_is_for_one_client_where_it_is_small() -> None:
    budget = Budget(LEAST_BYTES)
    hold = budget.open("only")
    hold.take(8 * MIB)
    run(lambda: hold.grow(14 * MIB))
    assert budget.held == CALL_BYTES + 22 * MIB


def test_an_answer_waits_for_others_to_leave_and_those_that_came_first_go_first() -> None:
    came: list[str] = []

    async def main() -> None:
        budget = Budget(LIMIT)
        before = filled(budget, "b", LIMIT // 2) + filled(budget, "c", LIMIT // 2)

        async def wait(name: str) -> None:
            hold = Hold(budget, "a", budget._all)  # one that found room to begin with
            await hold.grow(20 * MIB)
            came.append(name)

        async with trio.open_nursery() as nursery:
            for name in ("first", "second"):
                nursery.start_soon(wait, name)
                await trio.testing.wait_all_tasks_blocked()
            assert came == []
            while not came:
                before.pop().close()
                await trio.testing.wait_all_tasks_blocked()
            assert came == ["first"]
            before.pop().close()

    run(main)
    assert came == ["first", "second"]


def test_who_waits_in_vain_is_told_and_leaves_nothing() -> None:
    async def main() -> float:
        budget = Budget(LIMIT)
        hold = budget.open("a")
        filled(budget, "b", LIMIT)
        before, began = budget.held, trio.current_time()
        with pytest.raises(NoRoom, match="short of memory"):
            await hold.grow(14 * MIB)
        assert (budget.held, budget.refusals) == (before, 1)
        return trio.current_time() - began

    assert run(main) == pytest.approx(ROOM_SECONDS)


def test_of_one_client_not_so_many_wait_that_they_take_all_connections() -> None:
    async def main() -> int:
        budget = Budget(LIMIT)
        filled(budget, "b", LIMIT)
        refused = 0

        async def wait(client: str) -> None:
            nonlocal refused
            try:
                await Hold(budget, client, budget._all).grow(14 * MIB)
            except NoRoom:
                refused += 1

        async with trio.open_nursery() as nursery:
            for client in ["a"] * (WAITING_CALLS + 5) + ["another"]:
                nursery.start_soon(wait, client)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        return refused

    assert run(main) == 5


def test_who_is_cancelled_while_it_waits_leaves_nothing() -> None:
    async def main() -> None:
        budget = Budget(LIMIT)
        others = filled(budget, "b", LIMIT)
        with budget_left_as_it_was(budget), trio.move_on_after(1):
            await Hold(budget, "a", budget._all).grow(14 * MIB)
        for hold in others:
            hold.close()
        assert budget.held == 0

    run(main)


class budget_left_as_it_was:  # noqa: N801 - reads as a statement
    def __init__(self, budget: Budget) -> None:
        self._budget, self._before = budget, budget.held

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        assert self._budget.held == self._before


def test_a_batch_keeps_no_more_than_one_message_may() -> None:
    async def main() -> None:
        budget = Budget(LIMIT)
        with budget.open("a") as batch:
            for _ in range(2):
                await batch.part().grow(14 * MIB)
            with pytest.raises(NoRoom):
                await batch.part().grow(14 * MIB)
        assert budget.held == 0

    run(main)


def test_where_nobody_else_is_served_nothing_is_counted() -> None:
    FREE.take(10**12)
    FREE.part().settle(10**12)
    assert FREE.held == 0
