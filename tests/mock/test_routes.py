"""Requests find their operations: the plainest path first, whatever the order of the document is."""

from __future__ import annotations

from typing import Any

import pytest

from documents import described
from openapi_mcp_server.mock.routes import Routes

PATHS: dict[str, Any] = {
    "/pets/{id}": {"get": {"operationId": "one"}, "delete": {"operationId": "delete"}},
    "/pets/{id}.json": {"get": {"operationId": "asJson"}},
    "/pets/mine": {"get": {"operationId": "mine"}},
    "/pets/{id}/{part}-{page}": {"get": {"operationId": "part"}},
    "/": {"get": {"operationId": "root"}},
    "/a b/{c}": {"get": {"operationId": "space"}},
    "/things?action=list": {"get": {"operationId": "list"}},
    "/things": {"get": {"operationId": "things"}},
}


def with_id(operation: Any, path: str) -> Any:
    holes = [piece.partition("}")[0] for piece in path.split("{")[1:]]
    parameters = [{"name": name, "in": "path", "required": True, "schema": {}} for name in holes]
    return {**operation, "parameters": parameters}


ROUTES = Routes(
    described(
        {path: {method: with_id(each, path) for method, each in item.items()} for path, item in PATHS.items()}
    ).operations
)


@pytest.mark.parametrize(
    ("method", "target", "name"),
    [
        ("GET", "/pets/7", "one"),
        ("DELETE", "/pets/mine", "delete"),
        ("GET", "/pets/mine", "mine"),
        ("GET", "/pets/7.json", "asJson"),
        ("GET", "/pets/7%2F8", "one"),
        ("GET", "/pets/7/a-b-c", "part"),
        ("GET", "/", "root"),
        ("GET", "/a%20b/x", "space"),
        ("GET", "/things?page=1&action=list", "list"),
        ("GET", "/things?action=other", "things"),
        ("GET", "/pets/", None),
        ("GET", "/pets/7/-b", None),
        ("GET", "/pets/7/x/y", None),
        ("POST", "/pets/7", None),
    ],
)
def test_a_request_finds_its_operation(method: str, target: str, name: str | None) -> None:
    path, _, query = target.partition("?")
    found = ROUTES.find(method, path, query)
    assert (found and found.operation_id) == name


def test_a_variable_that_spans_segments_takes_slashes() -> None:
    parameter = {"name": "rest", "in": "path", "required": True, "schema": {"type": "string"}}
    operation = {"operationId": "file", "parameters": [parameter]}
    routes = Routes(described({"/files/{+rest}": {"get": operation}}).operations)
    found = routes.find("GET", "/files/a/b/c.txt", "")
    assert found is not None
