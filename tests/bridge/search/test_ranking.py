"""Which operations a query means."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from descriptions import catalog, operation, parameter, source
from openapi_mcp_server.bridge.catalog import build
from openapi_mcp_server.bridge.search import index, ranking
from openapi_mcp_server.openapi.model import Operation


def of(method: str, path: str, summary: str, *, state: Sequence[str] = (), **more: object) -> Operation:
    """``state``: the choices of an argument."""
    name = f"{summary.title().replace(' ', '')}"
    parameters = (parameter("id", "path"),) if "{id}" in path else ()
    parameters += (parameter("state", value={"enum": list(state)}),) if state else ()
    return operation(method, path, operation_id=name, summary=summary, parameters=parameters, **more)


API = (
    of("GET", "/repos", "List repositories"),
    of("POST", "/repos", "Create a repository"),
    of("GET", "/repos/{id}", "Get a repository"),
    of("DELETE", "/repos/{id}", "Delete a repository"),
    of("GET", "/repos/{id}/issues", "List repository issues"),
    of("POST", "/repos/{id}/issues", "Create an issue"),
    of("PUT", "/repos/{id}/star", "Star a repository"),
    of("DELETE", "/registries/{id}", "Delete a registry"),
    of("POST", "/v1/refunds", "Create a refund"),
    of("POST", "/v2/refunds", "Create a refund again"),
    of("POST", "/v3beta1/refunds", "Create a refund, soon"),
    of("GET", "/configmaps", "List config maps"),
    of("GET", "/customers", "List customers", deprecated=True),
    of("GET", "/clients", "List customers"),
    of("DELETE", "/repos/{id}/star", "Unstar a repository"),
    of("GET", "/repos/{id}/issues/{id}", "Get an issue"),
    of("GET", "/user", "Get the authenticated user"),
    of("GET", "/user/repos", "List repositories for the authenticated user"),
    of("GET", "/notifications", "List notifications"),
    of("PUT", "/notifications", "Mark notifications as read"),
    of("DELETE", "/notifications", "Delete notifications"),
    of("DELETE", "/notifications/{id}", "Delete a notification"),
    of("PUT", "/groups/{id}/members/{id}", "Add a member to a group"),
    of("POST", "/groups", "Create a group"),
    of("POST", "/sessions/log_out", "End the session"),
    of("GET", "/catalogs", "List catalogs"),
    of("GET", "/catalogs/{id}", "Get a catalog"),
    of("POST", "/catalogs/{id}/search", "Search a catalog"),
    of("POST", "/terminals/{id}/readers/{id}/refund_payment", "Refund a payment at a terminal"),
    of("POST", "/charges", "Pay with a card"),
    of("GET", "/orders", "List orders"),
    of("GET", "/orders/paid", "List orders that are paid"),
    of("GET", "/orders/unpaid", "List open orders"),
    of("GET", "/repos/{id}/watching", "List what a repository watches"),
    of("GET", "/repos/{id}/watchers", "List those that watch a repository"),
    of("PUT", "/topics/{id}/state", "Set how a topic is", state=("open", "pinned")),
    of("DELETE", "/topics/{id}", "Delete a topic"),
    of("GET", "/aliases", "List addresses to send from"),
    of("POST", "/messages/send", "Send a message to addresses"),
    of("GET", "/links", "List links to hosts"),
    of("GET", "/links/{id}", "Get a link to a host"),
    of("POST", "/links/test", "Test a link to a host"),
    of("POST", "/releases", "Create a release"),
    of("GET", "/releases", "List releases"),
    of("GET", "/releases/latest", "Get the latest release"),
    of("GET", "/projects/{id}/rate_limits", "List what a project may do"),
    of("POST", "/projects/{id}/rate_limits/{id}", "Update rate limits of a project"),
    of("GET", "/jobs", "List jobs in any project"),
    of("GET", "/projects/{id}/jobs", "List jobs in a project"),
    of("GET", "/projects/{id}/jobs/{id}/status", "Get the status of a job"),
    of("GET", "/search/commits", "Commits by words"),
    of("GET", "/commits", "List commits"),
)
INDEX = index.build(catalog(*(each for each in API)))


def best(query: str) -> list[str]:
    return [f"{hit.operation.method} {hit.operation.path}" for hit in ranking.search(INDEX, query, lambda _: True)]


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("list repositories", "GET /repos"),
        ("delete a repository", "DELETE /repos/{id}"),
        ("make a new repository", "POST /repos"),
        ("star a repo", "PUT /repos/{id}/star"),
        ("open an issue", "POST /repos/{id}/issues"),
        ("give somebody their money back", "POST /v2/refunds"),
        ("configmap", "GET /configmaps"),
        ("delete a repositry", "DELETE /repos/{id}"),
        ("all customers", "GET /clients"),
        ("GET /repos/{id}/issues", "GET /repos/{id}/issues"),
        ("delte a repository", "DELETE /repos/{id}"),
        ("how do I delete a repository", "DELETE /repos/{id}"),
        ("please show me the repository octocat/hello-world", "GET /repos/{id}"),
        ("show me all repositories", "GET /repos"),
        ("my repositories", "GET /user/repos"),
        ("who am I", "GET /user"),
        ("unstar a repo", "DELETE /repos/{id}/star"),
        ("stop starring a repo", "DELETE /repos/{id}/star"),
        ("issues of a repository", "GET /repos/{id}/issues"),
        ("get issue #42", "GET /repos/{id}/issues/{id}"),
        ("mark all my notifications as read", "PUT /notifications"),
        ("remove all notifications", "DELETE /notifications"),
        ("get rid of a notification", "DELETE /notifications/{id}"),
        ("put somebody in a group", "PUT /groups/{id}/members/{id}"),
        ("sign me out", "POST /sessions/log_out"),
        ("log me out", "POST /sessions/log_out"),
        ("search a catalog", "POST /catalogs/{id}/search"),
        ("refund a customer", "POST /v2/refunds"),
        ("which orders have not been paid yet", "GET /orders/unpaid"),
        ("latest release", "GET /releases/latest"),
        ("rate limits of a project", "GET /projects/{id}/rate_limits"),
        ("jobs in all projects", "GET /jobs"),
        ("jobs of a project", "GET /projects/{id}/jobs"),
        ("find commits with words", "GET /search/commits"),
        ("open orders", "GET /orders/unpaid"),
        ("unread notifications", "GET /notifications"),
        ("delete a repository without its issues", "DELETE /repos/{id}"),
        ("pin a topic", "PUT /topics/{id}/state"),
        ("addresses I can send from", "GET /aliases"),
        ("does the link to the host work", "POST /links/test"),
        ("who is watching a repository", "GET /repos/{id}/watchers"),
        ("what does a repository watch", "GET /repos/{id}/watching"),
        ('open an issue titled "delete all repositories"', "POST /repos/{id}/issues"),
    ],
)
def test_the_operation_that_is_meant_comes_first(query: str, place: str) -> None:
    assert best(query)[0] == place


def test_versions_of_an_operation_are_one_hit_the_newest_that_is_stable() -> None:
    hit = ranking.search(INDEX, "create a refund", lambda _: True)[0]
    assert hit.operation.path == "/v2/refunds"
    assert {each.path for each in hit.also} == {"/v1/refunds", "/v3beta1/refunds"}


def test_a_version_that_is_no_tool_stands_for_none_that_is() -> None:
    elsewhere = of("POST", "/v2/refunds", "", servers=("https://elsewhere.example.com",))
    tools = catalog(of("POST", "/v1/refunds", "Create a refund", deprecated=True), elsewhere)
    hits = ranking.search(index.build(tools), "create a refund", lambda _: True)
    assert {(hit.operation.path, bool(hit.operation.name), hit.also) for hit in hits} == {
        ("/v1/refunds", True, ()),
        ("/v2/refunds", False, ()),
    }


def test_hits_of_one_noun_give_way_to_others() -> None:
    tools = catalog(
        *(
            of("GET", f"/{owner}/{{id}}/licenses", f"List licenses of {owner}")
            for owner in ("firms", "people", "shops")
        ),
        of("GET", "/license-kinds", "List kinds of licenses"),
    )
    hits = ranking.search(index.build(tools), "list licenses", lambda _: True)
    assert [hit.operation.path for hit in hits].index("/license-kinds") == 2
    assert hits[2].score < hits[3].score


def test_what_is_not_wanted_is_not_found() -> None:
    assert ranking.search(INDEX, "delete a repository", lambda each: each.method == "GET")[0].operation.method == "GET"


@example("xyzzyx")
@example("the of a")
@example("é" * 400)
@given(st.text(max_size=600))
def test_any_query_is_answered(query: str) -> None:
    best(query)


HOSTILE = (
    "a" * 1_000_000,
    "delete " * 100_000,
    "repositry " * 100_000,
    " ".join(f"w{number}x" for number in range(100_000)),
    "aA" * 500_000,
)


@pytest.mark.parametrize("query", HOSTILE, ids=range(5))
def test_a_long_query_costs_no_more_than_its_beginning(query: str) -> None:
    many = build([source(*(of("GET", f"/things{number}/{{id}}", f"Get thing {number}") for number in range(300)))])
    made = index.build(many)
    began = time.thread_time()
    ranking.search(made, query, lambda _: True)
    assert time.thread_time() - began < 0.2
