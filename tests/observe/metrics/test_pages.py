"""Pages of several workers as one: nothing is lost, every sample says whose it is, and both formats stay valid."""

from __future__ import annotations

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, exposition, parser
from prometheus_client.openmetrics import exposition as open_exposition
from prometheus_client.openmetrics import parser as open_parser

from openapi_mcp_server.observe.metrics.families import RESTARTS
from openapi_mcp_server.observe.metrics.pages import END, counter, merged

FORMATS = {
    "text": (exposition.generate_latest, parser.text_string_to_metric_families),
    "OpenMetrics": (open_exposition.generate_latest, open_parser.text_string_to_metric_families),
}
HOSTILE = 'a"b\\c\nd{e="f"} 1 # {g="h"} 2\r# EOF'
text = st.text(st.characters(codec="utf-8"), max_size=12) | st.just(HOSTILE)
events = st.lists(
    st.tuples(
        st.sampled_from(["counted", "plain", "measured", "level", "about"]),
        text,
        st.floats(0, 1e9) | st.just(float("inf")),
        st.none() | st.text('abc{}# "\\', max_size=20),
    ),
    max_size=12,
)


def page(happened, form: str) -> bytes:
    """What a worker that met these events says; its families are those that it has used."""
    registry = CollectorRegistry()
    made = {}

    def metric(kind, name, *labels, **more):
        if name not in made:
            made[name] = kind(name, f'help of {name} \\ \n"', labels, registry=registry, **more)
        return made[name]

    for name, label, value, trace in happened:
        exemplar = {"trace_id": trace} if trace is not None else None
        match name:
            case "counted":
                metric(Counter, name, "label").labels(label).inc(value, exemplar)
            case "plain":
                metric(Counter, name).inc(value, exemplar)
            case "measured":
                metric(Histogram, name, "label", "z", buckets=(1, 10)).labels(label, label).observe(value, exemplar)
            case "level":
                metric(Gauge, name).set(value)
            case "about":
                metric(Info, name).info({"label": label})
    return FORMATS[form][0](registry)


def samples(families):
    """Everything a page says, by family; fails where a family comes twice."""
    found = {}
    for family in families:
        assert family.name not in found
        found[family.name] = (
            family.type,
            family.documentation,
            [(one.name, one.labels, one.value, one.exemplar) for one in family.samples],
        )
    return found


@pytest.mark.parametrize("form", FORMATS)
@given(workers=st.lists(events, min_size=1, max_size=3))
def test_every_sample_of_every_page_is_in_the_one_with_its_worker(form, workers):
    pages = {str(number): page(happened, form) for number, happened in enumerate(workers)}
    read = FORMATS[form][1]
    wanted = {}
    for worker, one in pages.items():
        try:
            families = samples(read(one.decode()))
        except ValueError:  # the library's parser of OpenMetrics stumbles over some label values that have a " # {"
            reject()
        for name, (kind, documentation, own) in families.items():
            family = wanted.setdefault(name, (kind, documentation, []))
            family[2].extend((part, {**labels, "worker": worker}, *rest) for part, labels, *rest in own)
    assert samples(read(merged(pages).decode())) == wanted


@pytest.mark.parametrize(("form", "ends"), [("text", 0), ("OpenMetrics", 1)])
def test_openmetrics_ends_once_and_the_text_format_not_at_all(form, ends):
    pages = {worker: page([("plain", "", 1, None)], form) for worker in "01"}
    lines = merged(pages).split(b"\n")
    assert (lines.count(b"# EOF"), lines[-2] == b"# EOF", lines[-1]) == (ends, ends == 1, b"")


def test_a_family_is_described_once_and_stands_together():
    pages = {
        "0": page([("plain", "", 1, None)], "text"),
        "1": page([("level", "", 2, None), ("plain", "", 3, None)], "text"),
    }
    lines = [line for line in merged(pages).decode().splitlines() if "_created" not in line]
    assert lines == [
        '# HELP plain_total help of plain \\\\ \\n"',
        "# TYPE plain_total counter",
        'plain_total{worker="0"} 1.0',
        'plain_total{worker="1"} 3.0',
        '# HELP level help of level \\\\ \\n"',
        "# TYPE level gauge",
        'level{worker="1"} 2.0',
    ]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "others", [[], [("plain", "", 3.0, None)]], ids=["a worker that says nothing", "one that does"]
)
def test_what_a_supervisor_counts_stands_on_the_page_of_its_worker(form, others):
    own = counter(RESTARTS, {"asked": 2, "failed": 1}, open_metrics=form == "OpenMetrics")
    its = page(others, form) if others else (END if form == "OpenMetrics" else b"")
    families = list(FORMATS[form][1](merged({"0": own + its, "1": own + its}).decode()))
    told = {
        (sample.labels["worker"], sample.labels["reason"]): sample.value
        for family in families
        for sample in family.samples
        if sample.name == RESTARTS.name
    }
    assert told == {("0", "asked"): 2, ("0", "failed"): 1, ("1", "asked"): 2, ("1", "failed"): 1}
    assert (
        len(families)
        == len({family.name for family in families})
        == 1 + len(others) * (1 if form == "OpenMetrics" else 2)
    )
