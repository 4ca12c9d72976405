"""A stop with a full house: `scripts/drain_rounds` plays the same round more often."""

from __future__ import annotations

import pytest
import trio

import drain_rounds


@pytest.mark.parametrize("number", range(5))
def test_a_stop_with_a_full_house_loses_no_call_and_is_over_soon_after_the_last(number, tmp_path):
    faults, _ = trio.run(drain_rounds.one_round, tmp_path)
    assert faults == []
