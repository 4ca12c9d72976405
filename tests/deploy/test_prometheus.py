"""A real Prometheus scrapes a real worker to which one of everything has happened: it is all there, and every panel of
the dashboard has something to show."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import msgspec
import pytest

from asked import call, fetch, message, post, until
from openapi_mcp_server.observe.metrics.metrics import Metrics
from openapi_mcp_server.observe.metrics.pages import merged
from openapi_mcp_server.server.metrics_port import OPEN_METRICS
from processes import CHECKOUT, Server, started
from prometheus import Prometheus, program, promtool, scraping
from records import record
from scraped import Page, metrics_url, scraped

DOCUMENT = CHECKOUT / "service" / "openapi_mcp_server" / "demo" / "openapi.yaml"
DASHBOARD = msgspec.json.decode((CHECKOUT / "deploy/grafana/dashboards/openapi-mcp-server.json").read_bytes())
COUNT = "mcp_server_operation_duration_seconds_count"
OVERLAY = """
overlay: 1.0.0
info: {title: A promise that the API does not keep, version: '1'}
actions:
  - target: $.paths['/pets/search'].get.responses['200'].content['application/json'].schema
    remove: true
  - target: $.paths['/pets/search'].get.responses['200'].content['application/json']
    update: {schema: {type: object, required: [colour], properties: {colour: {type: string}}}}
"""
VARIABLES = {"$__rate_interval": "1m", "$job": ".*", "$api": ".*", "$tool": ".*"}


def panels() -> Iterator[tuple[str, str]]:
    """(title, expression), the variables of Grafana replaced."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], substituted(target["expr"])


def substituted(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression


def give_up(url: str) -> None:
    """A call whose client leaves before it is answered."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port)
    connection.request("POST", address.path, call("waitSlowly", seconds=40), {"content-type": "application/json"})
    connection.close()


def one_of_everything(url: str) -> None:
    for number in range(10):
        post(url, call("createPet", name=f"cat {number}", species="cat"))
    post(url, call("getPet", petId=1))
    post(url, call("getPet", petId=999_999))  # 404
    post(url, call("getPet", petId="Mia"))  # a wrong argument
    post(url, call("failWithStatus", status=500))
    post(url, call("listPets", limit=100))  # over the budget
    post(url, call("searchPets", q="cat"))  # not what its schema says
    post(url, call("nothingLikeThat"))
    post(url, message("no/such/method"))
    post(url, message("tools/list"))
    give_up(url)


class Run:
    """A worker with everything that has happened to it, scraped."""

    def __init__(self, page_url: str, prometheus: Prometheus) -> None:
        self.page_url = page_url
        self.page: Page = scraped(page_url)
        self.prometheus = prometheus


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Iterator[Run]:
    program("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "overlay.yaml").write_text(OVERLAY)
    argv = [
        "--spec-path",
        str(DOCUMENT),
        "--overlays",
        str(folder / "overlay.yaml"),
        "--transport",
        "http",
        "--port",
        "0",
    ]
    settings = {
        "API_NAME": "petshop",
        "ALLOW_PRIVATE_NETWORKS": "true",
        "ENABLE_PROMETHEUS": "true",
        "PROMETHEUS_PORT": "0",
        "RESULT_BUDGET_BYTES": "1000",
        "SPEC_REFRESH_SECONDS": "60",
        "TRACING": "xray",  # for a daemon that is not there
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:9",
    }
    with (
        started("demo", "--api-only", "--port", "0") as api,
        started(*argv, "--api-url", address(api), **settings) as worker,
    ):
        page_url, mcp = metrics_url(worker), worker.url
        session = http.client.HTTPConnection(urlsplit(mcp).hostname, urlsplit(mcp).port)
        session.request("GET", "/sse")
        session.getresponse().readline()
        with scraping(folder, urlsplit(page_url).netloc) as prometheus:
            for round_number in (1, 2):  # a rate needs two
                one_of_everything(mcp)
                until(
                    lambda number=round_number: prometheus.values(f'sum({COUNT}{{error_type="cancelled"}})') == [number]
                )
            yield Run(page_url, prometheus)
        session.close()


def address(api: Server) -> str:
    return str(api.wait_for("^the demo API is at ")["message"]).removeprefix("the demo API is at ")


def test_everything_that_happened_is_in_prometheus(run):
    found = {
        (labels.get("gen_ai_tool_name", ""), labels.get("error_type", "")): float(one["value"][1])
        for one in run.prometheus.ask("query", query=f"sum by (gen_ai_tool_name, error_type) ({COUNT})")["result"]
        for labels in [one["metric"]]
    }
    assert found == {
        ("createPet", ""): 20,
        ("getPet", ""): 2,
        ("getPet", "tool_error"): 4,
        ("failWithStatus", "tool_error"): 2,
        ("listPets", ""): 2,
        ("searchPets", ""): 2,
        ("waitSlowly", "cancelled"): 2,
        ("", "-32602"): 2,
        ("", "-32601"): 2,
        ("", ""): 2,  # tools/list
    }
    assert run.prometheus.values("sum(openapi_mcp_truncated_results_total)") == [2]
    assert run.prometheus.values("sum(openapi_mcp_output_mismatches_total)") == [2]
    assert run.prometheus.values("openapi_mcp_sse_sessions") == [1]
    assert run.prometheus.values('openapi_mcp_state{state="ready"}') == [1]


def test_prometheus_says_what_the_page_says(run):
    for sample in run.page.samples:
        if sample.name.startswith(("process_", "python_", "openapi_mcp_calls_in_flight")):
            continue
        labels = ", ".join(f'{name}="{value}"' for name, value in sample.labels.items())
        assert run.prometheus.values(f"{sample.name}{{{labels}}}") == [sample.value], sample


@pytest.mark.parametrize("workers", [1, 2])
def test_promtool_finds_nothing_on_a_page(run, workers):
    page = fetch(run.page_url)[2]
    if workers > 1:
        page = merged({str(number): page for number in range(workers)})
    assert promtool("check", "metrics", stdin=page) == (0, "")


@pytest.mark.parametrize(("title", "expression"), list(panels()))
def test_every_panel_has_something_to_show(run, title, expression):
    shown = {family.name for family in run.page.families}
    for name in re.findall(r"\bopenapi_mcp_breaker_state\b", expression):
        if name not in shown and "vector(0)" not in expression:
            pytest.skip("this worker has no circuit breaker")
    assert run.prometheus.values(expression) != [], title


def test_what_annotates_the_panels_is_understood(run):
    for annotation in DASHBOARD["annotations"]["list"]:
        if "expr" in annotation:
            run.prometheus.ask("query", query=substituted(annotation["expr"]))


def test_the_variables_have_something_to_choose_from(run):
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.+), (\w+)\)", substituted(variable["query"]["query"]))
            grouped = f"group by ({found[2]}) ({found[1]})"
            assert run.prometheus.values(grouped) != [], grouped


def test_the_rules_are_evaluated_and_none_fires(run):
    (group,) = run.prometheus.ask("rules")["groups"]
    until(lambda: all(rule["health"] != "unknown" for rule in run.prometheus.ask("rules")["groups"][0]["rules"]))
    (group,) = run.prometheus.ask("rules")["groups"]
    assert {(rule["health"], rule["state"]) for rule in group["rules"]} <= {("ok", "inactive"), ("ok", "pending")}


@contextmanager
def answering(page: bytes) -> Iterator[str]:
    """A target that says the same for ever: its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", OPEN_METRICS.decode())
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as target:
        threading.Thread(target=target.serve_forever).start()
        try:
            yield f"127.0.0.1:{target.server_port}"
        finally:
            target.shutdown()


def test_the_traces_of_calls_of_several_workers_are_kept(tmp_path):
    pages = {}
    for worker, trace in {"0": "a" * 32, "1": "b" * 32}.items():
        metrics = Metrics()
        metrics(record(tool="getPet", api="pets", seconds=0.15, trace_id=trace))
        pages[worker] = metrics.page(open_metrics=True)()
    name = "mcp_server_operation_duration_seconds_bucket"
    with answering(merged(pages)) as target, scraping(tmp_path, target) as prometheus:
        until(lambda: prometheus.values(f"count({name})") == [30])
        found = prometheus.ask("query_exemplars", query=name, start="0", end=str(2**33))
    assert {
        (one["seriesLabels"]["worker"], one["seriesLabels"]["le"], kept["labels"]["trace_id"], kept["value"])
        for one in found
        for kept in one["exemplars"]
    } == {("0", "0.2", "a" * 32, "0.15"), ("1", "0.2", "b" * 32, "0.15")}
