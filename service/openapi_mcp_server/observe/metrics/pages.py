"""Metrics of several processes as one page: every sample says whose it is.

Works on the text, so collecting the pages of workers needs no client library, and what they measured stays as
they wrote it. Why not in the library's own way: docs/adr/0014.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from openapi_mcp_server.observe.metrics.families import Family

END = b"# EOF"
"""The last line of OpenMetrics; the older text format has none."""


class _Family(msgspec.Struct):
    """Lines of metadata by their kind and name, and of samples."""

    metadata: dict[bytes, bytes] = {}
    samples: list[bytes] = []


def merged(pages: Mapping[str, bytes]) -> bytes:
    """One page of all, whose samples have their page's key as the label ``worker``. Keys need no escaping in a label.

    All pages are in one format, the text format 0.0.4 or OpenMetrics, and so is the result. The metadata of a family
    is that of the first page that has it; its samples stand together, as both formats demand.
    """
    families: dict[bytes, _Family] = {}
    is_open_metrics = False
    for worker, page in pages.items():
        label = b'worker="%b"' % worker.encode()
        name = b""
        for line in page.split(b"\n"):
            if line == END:
                is_open_metrics = True
            elif line.startswith(b"# "):
                kind, name = line.split(b" ", 3)[1:3]
                families.setdefault(name, _Family()).metadata.setdefault(kind, line)
            elif line:
                families[name].samples.append(_labelled(line, label))
    lines = [line for family in families.values() for line in (*family.metadata.values(), *family.samples)]
    return b"".join(line + b"\n" for line in (*lines, END) if is_open_metrics or line is not END)


def counter(family: Family, values: Mapping[str, int], *, open_metrics: bool) -> bytes:
    """The lines of a counter with one label, whose values need no escaping."""
    name = family.name.removesuffix("_total") if open_metrics else family.name
    samples = (f'{family.name}{{{family.labels[0]}="{label}"}} {value}\n' for label, value in values.items())
    return "".join((f"# HELP {name} {family.help}\n# TYPE {name} counter\n", *samples)).encode()


def _labelled(sample: bytes, label: bytes) -> bytes:
    """``name{a="b"} 1`` and ``name 1`` with one more label, which comes first. The name itself has neither sign."""
    name, space, value = sample.partition(b" ")
    if b"{" not in name:
        return b"%b{%b}%b%b" % (name, label, space, value)
    name, _, rest = sample.partition(b"{")
    comma = b"" if rest.startswith(b"}") else b","
    return b"%b{%b%b%b" % (name, label, comma, rest)
