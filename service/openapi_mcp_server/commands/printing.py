"""JSON on standard output, as every command with ``--json`` prints it."""

from __future__ import annotations

import sys

import msgspec


def print_json(value: object) -> None:
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
