"""The keys of paths as people write them, and the parameters that they call for."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from documents import described, document, notes, of_operation, skips, the_operation, value
from growth import is_linear
from openapi_mcp_server.openapi.notes import Notes
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.pointers import ROOT
from openapi_mcp_server.openapi.reading.dialect import Source
from openapi_mcp_server.openapi.reading.objects import read_map
from openapi_mcp_server.openapi.reading.openapi3 import OpenApi3
from openapi_mcp_server.openapi.reading.paths import PATH_CHARACTERS, PathReader
from openapi_mcp_server.openapi.reading.shared_parts import MAX_OPERATIONS
from openapi_mcp_server.openapi.references.resolve import Located, References

GET = "#/paths/~1x/get"


@pytest.mark.parametrize(
    ("key", "path", "query"),
    [
        ("pets", "/pets", ""),
        ("", "/", ""),
        ("?Action=List", "/", "Action=List"),
        ("/pets?Action=List&v=1", "/pets", "Action=List&v=1"),
        ("/pets?", "/pets", ""),
        ("/pets#list", "/pets", ""),
        ("/#Action=List", "/", ""),
        ("/pets?a=1#b?c", "/pets", "a=1"),
        ("/pets/{{petId}}?a={{b}}", "/pets/{petId}", ""),
    ],
)
def test_a_path_key_is_taken_for_what_it_means(key, path, query):
    description = of_operation({}, path=key)
    operation = the_operation(description)
    assert (operation.path, operation.query) == (path, query)
    assert {kind for kind, _ in notes(description)} <= {"path_repaired", "variable_undeclared"}


def test_operations_that_differ_in_fragment_or_query_only_are_all_there():
    paths = {"/a": {"get": {}}, "/a#x": {"get": {}}, "/a#y": {"get": {}}, "/a?z=1": {"get": {}}}
    description = described(paths)
    assert [(operation.path, operation.query) for operation in description.operations] == [("/a", "")] * 3 + [
        ("/a", "z=1")
    ]
    assert len({operation.pointer for operation in description.operations}) == 4


def test_a_path_that_is_there_twice_but_for_its_slash_is_skipped():
    description = described({"pets": {"get": {}, "put": {}}, "/pets": {"get": {}}})
    assert [operation.pointer for operation in description.operations] == ["#/paths/~1pets/get"]
    assert {pointer for pointer, _ in skips(description)} == {"#/paths/pets"}
    assert [each.method for each in description.skipped] == ["GET", "PUT"]


@pytest.mark.parametrize("field", ["paths", "x-ms-paths"])
def test_a_path_longer_than_a_request_line_is_skipped(field):
    paths = {"/" + "k" * (PATH_CHARACTERS - number): {"get": {"responses": {}}} for number in (0, 1)}
    description = described(**({"paths": {}} | {field: paths}))
    assert [len(each.path) for each in description.operations] == [PATH_CHARACTERS]
    assert skips(description) == [(f"#/{field}", "its path has 8,001 characters; 8,000 are read")]
    assert len(description.skipped[0].path) < 500


@pytest.mark.parametrize("dialect", ["2.0", "3.0"])
def test_paths_with_a_query_may_have_a_field_of_their_own(dialect):
    more = {"/a?comp=acl": {"get": {"operationId": "acl", "responses": {}}}}
    description = described({"/a": {"get": {"responses": {}}}}, dialect=dialect, **{"x-ms-paths": more})
    assert [(each.path, each.query) for each in description.operations] == [("/a", ""), ("/a", "comp=acl")]
    assert description.operations[1].pointer == "#/x-ms-paths/~1a?comp=acl/get"


def test_a_field_of_more_paths_that_is_none_costs_nothing_else():
    description = described({"/a": {"get": {}}}, **{"x-ms-paths": ["/b"]})
    assert (len(description.operations), notes(description)) == (1, [("extension_ignored", "#/x-ms-paths")])


def test_extensions_are_no_paths():
    assert described({"x-paths": {"get": {}}, "/x-y": {"get": {}}}).operations[0].path == "/x-y"


def test_an_operation_of_any_method_is_skipped_with_the_reason():
    description = described({"/{proxy+}": {"x-amazon-apigateway-any-method": {}, "get": {}}}, dialect="3.0")
    assert [each.method for each in description.operations] == ["GET"]
    [(pointer, reason)] = skips(description)
    assert pointer == "#/paths/~1%7Bproxy+%7D/x-amazon-apigateway-any-method"
    assert reason.startswith("x-amazon-apigateway-any-method does not say which methods the API takes;")


def test_variables_without_a_parameter_become_required_strings():
    description = of_operation({}, path="/a/{b}/{c}.{b}")
    operation = the_operation(description)
    assert [(each.name, each.location, each.required, value(each.schema)) for each in operation.parameters] == [
        ("b", "path", True, {"type": "string"}),
        ("c", "path", True, {"type": "string"}),
    ]
    assert [kind for kind, _ in notes(description)] == ["variable_undeclared"] * 2


def test_path_parameters_are_required_and_must_be_in_the_path():
    declared = [
        {"name": "a", "in": "path", "schema": {}, "required": False},
        {"name": "b", "in": "path", "schema": {}, "required": True},
    ]
    description = of_operation({"parameters": declared}, path="/x/{a}")
    assert [(each.name, each.required) for each in the_operation(description).parameters] == [("a", True)]
    assert [kind for kind, _ in notes(description)] == ["parameter_repaired", "parameter_dropped"]


@pytest.mark.parametrize(
    ("key", "path", "spans"),
    [
        ("/a/{id:[0-9]+}", "/a/{id}", False),
        ("/a/{id: [0-9]{3}}/b", "/a/{id}/b", False),
        ("/a/{id:int?}", "/a/{id}", False),
        ("/a/{ id }", "/a/{id}", False),
        ("/a/{id?}", "/a/{id}", False),
        ("/a/{ID}", "/a/{id}", False),
        ("/a/:id/b", "/a/{id}/b", False),
        ("/a/<id>", "/a/{id}", False),
        ("/a/<int:id>.json", "/a/<int:id>.json", None),
        ("/a/<int:id>/json", "/a/{id}/json", False),
        ("/a/x:id", "/a/x:id", None),
        ("/a/:other", "/a/:other", None),
        ("/a/{*id}", "/a/{id+}", True),
        ("/a/{**id}", "/a/{id+}", True),
        ("/a/{id*}", "/a/{id+}", True),
        ("/a/{id...}", "/a/{id+}", True),
        ("/a/{id:path}", "/a/{id+}", True),
        ("/a/{id:.*}", "/a/{id+}", True),
        ("/a/{id=shelves/*}:read", "/a/{id+}:read", True),
        ("/a/{id=*}", "/a/{id}", False),
        ("/a/{;id}", "/a/{id}", False),
        ("/a/{;id*}/b", "/a/{id}/b", False),
        ("/a/{.id}", "/a/{id}", False),
        ("/a/{.id*}", "/a/{id}", False),
        ("/a/{...id}", "/a/{id+}", True),
    ],
)
def test_a_variable_as_a_framework_writes_it_is_the_parameter_of_its_name(key, path, spans):
    declared = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
    description = of_operation({"parameters": [declared]}, path=key)
    operation = the_operation(description)
    found = [(each.name, value(each.schema), each.spans_segments) for each in operation.parameters]
    assert operation.path == path
    assert found == ([] if spans is None else [("id", {"type": "integer"}, spans)])
    assert ("path_repaired" in {kind for kind, _ in notes(description)}) == (spans is not None)


@pytest.mark.parametrize("name", ["id:[0-9]", "id?", "*id", "ID"])
def test_a_variable_that_is_declared_as_it_is_written_stays(name):
    declared = [{"name": each, "in": "path", "required": True, "schema": {}} for each in ("id", name)]
    operation = the_operation(of_operation({"parameters": declared}, path=f"/a/{{{name}}}"))
    assert (operation.path, [each.name for each in operation.parameters]) == (f"/a/{{{name}}}", [name])


@pytest.mark.parametrize(
    ("key", "query"),
    [
        ("/a{?page,size*}", ""),
        ("/a?{page,size}", ""),
        ("/a?{page}&{size}", ""),
        ("/a?sort=name{&page,size}", "sort=name"),
        ("/a?sort=name&{page}&{size}", "sort=name"),
    ],
)
def test_the_query_of_a_uri_template_is_optional_parameters(key, query):
    page = {"name": "page", "in": "query", "schema": {"type": "integer"}}
    description = of_operation({"parameters": [page]}, path=key)
    operation = the_operation(description)
    assert (operation.path, operation.query) == ("/a", query)
    assert [(each.name, each.location, each.required) for each in operation.parameters] == [
        ("page", "query", False),
        ("size", "query", False),
    ]
    repaired = ["path_repaired"] * (2 if query else 1)
    assert [kind for kind, _ in notes(description)] == [*repaired, "variable_undeclared"]


def test_a_variable_without_a_name_skips_the_operation():
    assert [reason for _, reason in skips(of_operation({}, path="/a/{}"))] == [
        "the path '/a/{}' has a variable without a name"
    ]


@pytest.mark.parametrize(
    "declared",
    [
        [],
        [{"name": "v", "in": "path", "required": True, "schema": {"type": "string"}}],
        [{"name": "v", "in": "query", "required": True, "schema": {"type": "string"}}],
        [{"name": "a", "in": "query", "required": True, "schema": {"type": "string"}}],
    ],
)
def test_a_variable_in_the_query_of_a_key_is_a_query_parameter(declared):
    operation = the_operation(of_operation({"parameters": declared}, path="/x?a={v}&b=1"))
    assert (operation.path, operation.query) == ("/x", "b=1")
    (found,) = operation.parameters
    assert (found.name, found.location, found.style, found.explode, found.required) == (
        "a",
        "query",
        "form",
        True,
        True,
    )


def test_a_parameter_whose_value_the_key_gives_is_left_out():
    action = {"name": "Action", "in": "query", "required": True, "schema": {"enum": ["List"]}}
    description = of_operation({"parameters": [action]}, path="/?Action=List")
    assert the_operation(description).parameters == ()
    assert ("parameter_dropped", "#/paths/~1?Action=List/get/parameters/0") in notes(description)


class BrokenNames(frozenset[str]):
    """The methods of a dialect, which cannot be asked for one name."""

    def __contains__(self, name: object) -> bool:
        if name == "broken":
            raise KeyError(name)
        return super().__contains__(name)


class Broken(OpenApi3):
    """A reader with two bugs."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.methods = BrokenNames(self.methods)

    def declaration(self, at: Located) -> Any:
        if b"broken" in bytes(at.json):
            raise AttributeError("no such thing")
        return super().declaration(at)


@pytest.mark.parametrize(
    ("item", "bug", "method"),
    [
        ({"broken": {}, "get": {}}, "KeyError", "*"),
        ({"parameters": [{"name": "broken", "in": "query"}], "get": {}}, "AttributeError", "GET"),
    ],
)
def test_a_bug_of_ours_costs_its_path_alone_and_is_told_with_its_place(item, bug, method):
    at_work = document("3.1", paths={"/a": {"get": {}}, "/b": item, "/c": {"get": {}}})
    root = read_map(Located(ROOT, msgspec.Raw(at_work.json)))
    source = Source(
        document=at_work, root=root, references=References(at_work, root), notes=Notes(), exact_answers=False
    )
    paths = PathReader(Broken(source), source, MAX_OPERATIONS)
    paths.read(read_map(source.at("paths")))
    assert [operation.path for operation in paths.operations] == ["/a", "/c"]
    [skipped] = paths.skipped
    assert (skipped.pointer, skipped.method, skipped.path) == ("#/paths/~1b", method, "/b")
    assert re.fullmatch(
        rf"an error of this server, {bug} in test_paths\.py, line \d+; please report it", skipped.reason
    )


@pytest.mark.parametrize("variable", ["{{a{}}}", "{{a{}+}}", "{{{{a{}}}}}"])
def test_many_variables_in_a_key_take_linear_time(variable):
    def keys(count):
        path = "".join(f"/{variable.format(number)}" for number in range(count))
        return document("3.1", paths={path: {"get": {"responses": {}}}})

    assert is_linear(describe, keys)
