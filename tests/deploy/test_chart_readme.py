"""The README of the chart has every value with its default, and an example that can be installed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml
from jsonschema_rs import Draft202012Validator

from render_manifests import CHART

README = (CHART / "README.md").read_text("utf-8")
VALUES = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
ROWS = {name: yaml.safe_load(text) for name, text in re.findall(r"^\| `([\w.]+)` \| `(.*?)` \|", README, re.MULTILINE)}


def leaves(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        place = f"{above}{name}"
        if isinstance(value, dict) and value and place not in ROWS:
            yield from leaves(value, f"{place}.")
        else:
            yield place, value


def test_the_table_has_every_value_with_its_default():
    assert dict(leaves(VALUES)) == ROWS


def test_the_example_is_taken():
    (given,) = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL))
    merged = {
        name: {**value, **given.get(name, {})} if isinstance(value, dict) else given.get(name, value)
        for name, value in VALUES.items()
    }
    assert given.keys() <= VALUES.keys()
    schema = msgspec.json.decode((CHART / "values.schema.json").read_bytes())
    assert [error.message for error in Draft202012Validator(schema).iter_errors(merged)] == []
