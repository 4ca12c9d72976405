"""Examples of parameters, headers and media types: ``example``, and ``examples`` by name (Example Object)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.reading.objects import is_there
from openapi_mcp_server.openapi.references.resolve import Located, References, opened

MAX_EXAMPLES = 3
MAX_BYTES = 2_000
"""The most bytes of one example. It is shown whole; an object may be shown by members."""


class _Example(msgspec.Struct, frozen=True, rename="camel"):
    value: msgspec.Raw = msgspec.Raw()
    data_value: msgspec.Raw = msgspec.Raw()  # 3.2: what ``value`` was, beside the text that goes out


_example = msgspec.json.Decoder(_Example).decode


def examples(at: Located, one: msgspec.Raw, several: msgspec.Raw, references: References) -> tuple[msgspec.Raw, ...]:
    """The first values that are small enough; ``at`` is the object that has them. Unreadable ones are left out."""
    candidates = [one] if is_there(one) else list(_values(at, several, references))
    return tuple(each for each in candidates[:MAX_EXAMPLES] if 0 < memoryview(each).nbytes <= MAX_BYTES)


def _values(at: Located, several: msgspec.Raw, references: References) -> Iterable[msgspec.Raw]:
    if not is_there(several):
        return
    members = opened(several)
    for name, json in list(members.items())[:MAX_EXAMPLES] if isinstance(members, dict) else ():
        try:
            found = _example(references.resolve(at.member(json, "examples", name)).target.json)
        except (SpecError, msgspec.ValidationError):
            continue
        yield found.data_value if is_there(found.data_value) else found.value
