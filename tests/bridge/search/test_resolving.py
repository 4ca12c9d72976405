"""Which operation a name or a place means, as models write them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from descriptions import catalog, operation, parameter
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.search import resolving

PLACES = {
    "issues_list": ("GET", "/repos/{owner}/{repo}/issues"),
    "issues_create": ("POST", "/repos/{owner}/{repo}/issues"),
    "issues_get": ("GET", "/repos/{owner}/{repo}/issues/{number}"),
    "issues_search": ("GET", "/repos/{owner}/{repo}/issues/search"),
    "users_get": ("GET", "/users/{username}"),
    "users_update": ("PATCH", "/users/{username}"),
}


def tools_at(places: dict[str, tuple[str, str]]) -> Mapping[str, Tool]:
    return catalog(
        *(
            operation(
                method,
                path,
                operation_id=name,
                parameters=tuple(parameter(each[1:-1], "path") for each in path.split("/") if each.startswith("{")),
            )
            for name, (method, path) in places.items()
        )
    ).tools


TOOLS = tools_at(PLACES)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("issues/create", "issues_create"),
        ("Issues-Create", "issues_create"),
        ("issuesCreate", "issues_create"),
        ("PATCH /users/{id}", "users_update"),
        ("GET /repos/{a}/{b}/issues/{c}", "issues_get"),
        ("GET /v3/repos/{a}/{b}/issues/search", "issues_search"),
        ("https://api.example.com/repos/{a}/{b}/issues/{c}?page=2", "issues_get"),
        ("/users/{id}", ""),  # which is two
        ("GET /users/octocat", ""),  # whose value would be lost
        ("create issues", ""),
        ("", ""),
        ("...", ""),
        ("GET /", ""),
    ],
)
def test_a_name_is_known_by_its_letters_and_a_place_by_its_form(name: str, meant: str) -> None:
    found = resolving.meant(TOOLS, name)
    assert (found.name if found else "") == meant


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("GET /repos/octocat/hello/issues/42", ["issues_get"]),
        ("/users/octocat", ["users_get", "users_update"]),
        ("GET /repos/octocat/hello/issues/search", ["issues_search"]),
        ("users_get, issues_get", ["users_get", "issues_get"]),
        ("how does issues_create work", ["issues_create"]),
        ("list issues", []),
        ("and/or", []),
    ],
)
def test_a_query_names_operations(query: str, names: list[str]) -> None:
    assert resolving.named(TOOLS, query) == names


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("issues", "area of 4 operations: search_operations with tag='issues'"),
        ("create an issue", "did you mean issues_create"),
        ("createIssue", "did you mean issues_create"),
        ("isues_create", "did you mean issues_create"),
        ("GET /repos/o/r/issues", "is issues_list (GET /repos/{owner}/{repo}/issues): name is that"),
        ("/users/octocat", "is users_get (GET /users/{username}), users_update (PATCH /users/{username})"),
        ("users_get, issues_get", "one operation at a time: name is users_get"),
        ("call_operation", "call it itself"),
        ("zzz", "find it with search_operations"),
    ],
)
def test_what_is_no_name_is_answered_with_what_to_ask_for(name: str, told: str) -> None:
    assert told in str(resolving.not_there(TOOLS, {"issues": 4, "users": 2}, name))


LONG_NAMES = {
    "update_user_api_v1_users__user_id__patch": ("PATCH", "/api/v1/users/{user_id}"),
    "update_user_email_api_v1_users__user_id__email_patch": ("PATCH", "/api/v1/users/{user_id}/email"),
    "update_order": ("PATCH", "/orders/{id}"),
    "getPetUsingGET_1": ("GET", "/pets/{id}"),
    "deletePet": ("DELETE", "/pets/{id}"),
}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("update_user", "did you mean update_user_api_v1_users__user_id__patch, update_user_email_"),
        ("updateUserEmail", "did you mean update_user_email_api_v1_users__user_id__email_patch"),
        ("getPet", "did you mean getPetUsingGET_1"),
    ],
)
def test_a_name_without_what_a_framework_adds_is_answered_with_the_whole_one(name: str, told: str) -> None:
    assert told in str(resolving.not_there(tools_at(LONG_NAMES), {}, name))


@pytest.mark.parametrize("name", ["x" * 100_000, "/" * 100_000, "a/" * 50_000, "issues_get " * 10_000, "\ud800"])
def test_a_long_name_is_answered_shortly(name: str) -> None:
    assert len(str(resolving.not_there(TOOLS, {}, name))) < 600
