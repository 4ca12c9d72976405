"""Tasks in search mode, end to end: a few documents of those that `scripts/search_tasks` tries."""

from __future__ import annotations

from pathlib import Path

import anyio

import search_tasks

DOCUMENTS = {"stripe-spec3-2023-09", "twilio-api-v2010", "moby__api__docs__v1.29.yaml", "openai"}


def test_every_task_is_done_in_three_calls_for_few_tokens(specs_dir: Path) -> None:
    chosen = [task for task in search_tasks.tasks() if task.document in DOCUMENTS]
    results = anyio.run(search_tasks.all_done, specs_dir, chosen, backend="trio")
    assert [each.task.query for each in results if not 1 <= each.calls <= 3] == []
    assert sum(each.tokens for each in results) <= 1_300 * len(results)
    assert all(each.shown <= 500 for each in results)
