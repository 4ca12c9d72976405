"""Documents of OpenAPI 3.x to operations: what is read, what is repaired and noted, what is skipped and why."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from documents import described, document, notes, of_operation, skips, the_operation, value

from service.errors import SpecError
from service.openapi.document import parse
from service.openapi.model import ApiDescription, NoteKind, Parameter, SecurityChoice, SecurityScheme
from service.openapi.notes import KINDS
from service.openapi.operations import describe

GET = "#/paths/~1x/get"


def parameter(description: ApiDescription) -> Parameter:
    (found,) = the_operation(description).parameters
    return found


def of_parameter(*parameters: Any, path: str = "/x", dialect: Any = "3.1", **root: Any) -> ApiDescription:
    return of_operation({"parameters": list(parameters)}, path=path, dialect=dialect, **root)


# The document


def test_a_document_says_what_it_is():
    description = described({}, info={"title": "Pets", "version": "1.2", "summary": "All pets"})
    assert (description.title, description.version, description.summary) == ("Pets", "1.2", "All pets")
    assert description.operations == description.skipped == description.notes == ()


@pytest.mark.parametrize("paths", [None, {}])
@pytest.mark.parametrize("info", [{}, {"info": None}, {"info": {}}])
def test_neither_info_nor_paths_are_needed(paths, info):
    description = described(paths, **info)
    assert (description.title, description.version, description.summary, description.operations) == ("", "", "", ())


@pytest.mark.parametrize(("version", "text"), [(1.0, "1.0"), (2, "2"), (True, "true"), (None, ""), ("v1", "v1")])
def test_a_version_may_be_unquoted(version, text):
    assert described(info={"version": version}).version == text


def test_info_that_cannot_be_read_costs_only_itself():
    description = described({"/x": {"get": {}}}, info={"title": ["a"]})
    assert notes(description) == [("info_dropped", "#/info/title")]
    assert len(description.operations) == 1


@pytest.mark.parametrize(
    ("root", "pointer", "problem"),
    [
        ({"paths": []}, "#/paths", "expected object, got array"),
        ({"paths": "x"}, "#/paths", "expected object, got string"),
        ({"components": 5}, "#/components", "expected object, got integer"),
        ({"servers": {}}, "#/servers", "expected array, got object"),
        ({"security": {}}, "#/security", "expected array, got object"),
        ({"security": [{"a": "b"}]}, "#/security/0/a", "expected array, got string"),
        ({"components": {"securitySchemes": []}}, "#/components/securitySchemes", "expected object, got array"),
        ({"x-mcp": True}, "#/x-mcp", "expected object, got boolean"),
    ],
)
def test_a_root_that_cannot_be_read_is_refused_with_its_place(root, pointer, problem):
    with pytest.raises(SpecError) as refused:
        described(**root)
    assert (refused.value.pointer, refused.value.problem) == (pointer, problem)


def test_webhooks_and_callbacks_are_counted_and_make_no_operations():
    callbacks = {"onEvent": {"{$url}": {"post": {}}}, "onOther": {"$ref": "#/components/callbacks/C"}}
    description = described(
        {"/x": {"get": {"callbacks": callbacks}}},
        webhooks={"newPet": {"post": {}}, "oldPet": {"post": {}}, "x-note": 1},
    )
    assert (description.webhooks, description.callbacks, len(description.operations)) == (2, 2, 1)


# Operations


def test_an_operation_says_what_it_is():
    description = of_operation(
        {
            "operationId": "list pets",
            "summary": "List",
            "description": "Lists *all*.",
            "tags": ["a", "b"],
            "deprecated": True,
        }
    )
    operation = the_operation(description)
    assert (operation.pointer, operation.method, operation.path) == (GET, "GET", "/x")
    assert (operation.operation_id, operation.summary, operation.description) == ("list pets", "List", "Lists *all*.")
    assert (operation.tags, operation.deprecated) == (("a", "b"), True)


def test_what_is_left_out_has_its_default():
    operation = the_operation(of_operation({}))
    assert (operation.operation_id, operation.summary, operation.tags, operation.deprecated) == (None, "", (), False)
    assert (operation.parameters, operation.body, operation.responses) == ((), None, ())
    assert (operation.security, operation.servers, bytes(operation.overrides)) == ((), (), b"{}")


def test_keys_without_a_value_are_not_there():
    fields = [
        "operationId",
        "summary",
        "tags",
        "parameters",
        "requestBody",
        "responses",
        "security",
        "servers",
        "x-mcp",
    ]
    operation = the_operation(of_operation(dict.fromkeys(fields)))
    assert (operation.operation_id, operation.parameters, operation.body, operation.security) == (None, (), None, ())


def test_names_and_prose_may_be_unquoted():
    operation = the_operation(of_operation({"operationId": 404, "summary": True, "tags": [1.5, "a"]}))
    assert (operation.operation_id, operation.summary, operation.tags) == ("404", "true", ("1.5", "a"))


def test_every_method_of_the_dialect_is_an_operation():
    methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"]
    item = dict.fromkeys([*methods, "query", "link", "GET", "summary", "x-extra"], {})
    assert [each.method for each in described({"/x": item}).operations] == [method.upper() for method in methods]
    assert [each.method for each in described({"/x": item}, dialect="3.2").operations][-1] == "QUERY"


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("LINK", None),
        ("Copy", None),
        ("CONNECT", "CONNECT asks for a tunnel and describes no operation"),
        ("A B", "'A B' is not an HTTP method (RFC 9110 section 9.1)"),
        ("", "'' is not an HTTP method (RFC 9110 section 9.1)"),
        ("A\r\nHost: x", "'A\\r\\nHost: x' is not an HTTP method (RFC 9110 section 9.1)"),
    ],
)
def test_additional_operations_of_3_2_may_have_any_method(method, reason):
    description = described({"/x": {"additionalOperations": {method: {}}}}, dialect="3.2")
    if reason is None:
        assert the_operation(description).method == method
        assert the_operation(description).pointer == f"#/paths/~1x/additionalOperations/{method}"
    else:
        assert [text for _, text in skips(description)] == [reason]


def test_tags_of_3_2_count_with_those_above_them():
    tags = [{"name": "cats", "parent": "pets"}, {"name": "pets", "parent": "all"}, {"name": "all", "parent": "cats"}]
    operation = {"tags": ["cats", "other"]}
    assert the_operation(of_operation(operation, dialect="3.2", tags=tags)).tags == ("cats", "other", "pets", "all")
    assert the_operation(of_operation(operation, tags=tags)).tags == ("cats", "other")


def test_overrides_of_root_path_and_operation_are_merged_the_nearest_counts():
    description = described(
        {"/x": {"x-mcp": {"name": "path", "title": "path"}, "get": {"x-mcp": {"name": "operation"}}}},
        **{"x-mcp": {"name": "root", "title": "root", "hidden": True}},
    )
    overrides = msgspec.json.decode(the_operation(description).overrides)
    assert overrides == {"name": "operation", "title": "path", "hidden": True}


# A field of the wrong type costs its own operation, and is named exactly

CONTENT = {"application/json": {"schema": {}}}
WRONG: list[tuple[Any, str, str]] = [
    (5, "", "expected object, got integer"),
    (None, "", "expected object, got null"),
    ([], "", "expected object, got array"),
    ({"operationId": []}, "/operationId", "expected string, got array"),
    ({"summary": {}}, "/summary", "expected string, got object"),
    ({"tags": "a"}, "/tags", "expected array, got string"),
    ({"tags": [["a"]]}, "/tags/0", "expected string, got array"),
    ({"deprecated": "yes"}, "/deprecated", "expected boolean, got string"),
    ({"parameters": {}}, "/parameters", "expected array, got object"),
    ({"parameters": [5]}, "/parameters/0", "expected object, got integer"),
    ({"parameters": [{"name": ["a"], "in": "query"}]}, "/parameters/0/name", "expected string, got array"),
    ({"parameters": [{"name": "a", "in": 5}]}, "/parameters/0/in", "expected string, got integer"),
    ({"parameters": [{"name": "a", "in": "body"}]}, "/parameters/0/in", "'in' must be one of path, query, header, cookie, querystring, not 'body'"),
    ({"parameters": [{"name": "a"}]}, "/parameters/0", "'in' must be one of path, query, header, cookie, querystring, not None"),
    ({"parameters": [{"in": "query"}]}, "/parameters/0", "the parameter has no name"),
    ({"parameters": [{"name": "a", "in": "query", "required": "true"}]}, "/parameters/0/required", "expected boolean, got string"),
    ({"parameters": [{"name": "a", "in": "query", "schema": 5}]}, "/parameters/0/schema", "expected a schema (an object), got number"),
    ({"parameters": [{"name": "a", "in": "query", "content": []}]}, "/parameters/0/content", "expected object, got array"),
    ({"parameters": [{"name": "a", "in": "query", "content": {"a/b": 5}}]}, "/parameters/0/content/a~1b", "expected object, got integer"),
    ({"parameters": [{"$ref": 5}]}, "/parameters/0/$ref", "expected a string"),
    ({"parameters": [{"name": "a", "in": "querystring"}]}, "/parameters/0", "a querystring parameter needs content"),
    ({"requestBody": 5}, "/requestBody", "expected object, got integer"),
    ({"requestBody": {"content": []}}, "/requestBody/content", "expected object, got array"),
    ({"requestBody": {"required": 1, "content": CONTENT}}, "/requestBody/required", "expected boolean, got integer"),
    ({"requestBody": {"content": {"a/b": "x"}}}, "/requestBody/content/a~1b", "expected object, got string"),
    ({"requestBody": {"content": {"a/b": {"encoding": 5}}}}, "/requestBody/content/a~1b/encoding", "expected object, got integer"),
    ({"requestBody": {"content": {"a/b": {"encoding": {"p": 5}}}}}, "/requestBody/content/a~1b/encoding/p", "expected object, got integer"),
    ({"requestBody": {"content": {"a/b": {"encoding": {"p": {"headers": {"X": 5}}}}}}}, "/requestBody/content/a~1b/encoding/p/headers/X", "expected object, got integer"),
    ({"responses": []}, "/responses", "expected object, got array"),
    ({"callbacks": []}, "/callbacks", "expected object, got array"),
    ({"security": {}}, "/security", "expected array, got object"),
    ({"security": [[]]}, "/security/0", "expected object, got array"),
    ({"security": [None]}, "/security/0", "expected object, got null"),
    ({"security": [{"a": [["x"]]}]}, "/security/0/a/0", "expected string, got array"),
    ({"servers": {}}, "/servers", "expected array, got object"),
    ({"servers": [{}]}, "/servers", "none of these servers can be used"),
    ({"x-mcp": []}, "/x-mcp", "expected object, got array"),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "place", "reason"), WRONG, ids=lambda value: str(value)[:40])
def test_a_field_of_the_wrong_type_skips_its_operation_and_is_named(operation, place, reason):
    description = described({"/x": {"get": operation, "put": {}}, "/y": {"get": {}}})
    assert skips(description) == [(GET + place, reason)]
    assert [(skipped.method, skipped.path) for skipped in description.skipped] == [("GET", "/x")]
    assert [operation.pointer for operation in description.operations] == ["#/paths/~1x/put", "#/paths/~1y/get"]


@pytest.mark.parametrize(
    ("item", "places"),
    [
        ({"parameters": {}, "get": {}, "put": {}}, [("GET", "/parameters"), ("PUT", "/parameters")]),
        ({"parameters": [{"name": "a", "in": "x"}], "get": {}}, [("GET", "/parameters/0/in")]),
        ({"servers": "x", "get": {}}, [("GET", "/servers")]),
        ({"x-mcp": "x", "get": {}}, [("GET", "/x-mcp")]),
        ("x", [("*", "")]),
        ([], [("*", "")]),
        ({"$ref": 5}, [("*", "/$ref")]),
    ],
)
def test_what_is_wrong_with_a_path_is_wrong_with_its_operations(item, places):
    description = described({"/x": item, "/y": {"get": {}}})
    assert [(each.method, each.pointer) for each in description.skipped] == [
        (method, f"#/paths/~1x{place}") for method, place in places
    ]
    assert len(description.operations) == 1


@pytest.mark.parametrize("item", [None, {}, {"summary": "nothing"}])
def test_a_path_without_operations_is_no_fault(item):
    description = described({"/x": item})
    assert description.operations == description.skipped == ()


# Paths


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
    ],
)
def test_a_path_key_is_taken_for_what_it_means(key, path, query):
    description = of_operation({}, path=key)
    operation = the_operation(description)
    assert (operation.path, operation.query) == (path, query)
    assert {kind for kind, _ in notes(description)} == {"path_repaired"}


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


def test_extensions_are_no_paths():
    assert described({"x-paths": {"get": {}}, "/x-y": {"get": {}}}).operations[0].path == "/x-y"


def test_variables_without_a_parameter_become_required_strings():
    description = of_operation({}, path="/a/{b}/{c}.{b}")
    operation = the_operation(description)
    assert [(each.name, each.location, each.required, value(each.schema)) for each in operation.parameters] == [
        ("b", "path", True, {"type": "string"}),
        ("c", "path", True, {"type": "string"}),
    ]
    assert [kind for kind, _ in notes(description)] == ["variable_undeclared"] * 2


def test_path_parameters_are_required_and_must_be_in_the_path():
    description = of_parameter(
        {"name": "a", "in": "path", "schema": {}, "required": False},
        {"name": "b", "in": "path", "schema": {}, "required": True},
        path="/x/{a}",
    )
    assert [(each.name, each.required) for each in the_operation(description).parameters] == [("a", True)]
    assert [kind for kind, _ in notes(description)] == ["parameter_repaired", "parameter_dropped"]


def test_a_variable_without_a_name_skips_the_operation():
    assert [reason for _, reason in skips(of_operation({}, path="/a/{}"))] == [
        "the path /a/{} has a variable without a name"
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
    description = of_parameter(action, path="/?Action=List")
    assert the_operation(description).parameters == ()
    assert ("parameter_dropped", "#/paths/~1?Action=List/get/parameters/0") in notes(description)


# Parameters


@pytest.mark.parametrize(
    ("location", "style", "explode"),
    [("path", "simple", False), ("query", "form", True), ("header", "simple", False), ("cookie", "form", True)],
)
def test_style_and_explode_have_the_defaults_of_their_location(location, style, explode):
    found = parameter(
        of_parameter(
            {"name": "a", "in": location, "required": True, "schema": {}}, path="/{a}" if location == "path" else "/x"
        )
    )
    assert (found.style, found.explode) == (style, explode)


@pytest.mark.parametrize(
    ("location", "style", "explode"),
    [
        ("path", "label", False),
        ("path", "matrix", False),
        ("query", "spaceDelimited", False),
        ("query", "pipeDelimited", False),
        ("query", "deepObject", False),
        ("cookie", "cookie", True),
    ],
)
@pytest.mark.parametrize("said", [None, True, False])
def test_explode_is_what_is_said_or_the_default_of_the_style(location, style, explode, said):
    declared = {"name": "a", "in": location, "required": True, "style": style, "explode": said, "schema": {}}
    found = parameter(of_parameter(declared, path="/{a}" if location == "path" else "/x", dialect="3.2"))
    assert (found.style, found.explode) == (style, explode if said is None else said)


@pytest.mark.parametrize(
    ("location", "style", "taken"),
    [
        ("path", "form", "simple"),
        ("query", "simple", "form"),
        ("header", "form", "simple"),
        ("cookie", "deepObject", "form"),
        ("query", "fancy", "form"),
        ("query", 5, "form"),
    ],
)
def test_a_style_that_its_location_cannot_have_is_the_default_and_noted(location, style, taken):
    declared = {"name": "a", "in": location, "required": True, "style": style, "schema": {}}
    description = of_parameter(declared, path="/{a}" if location == "path" else "/x")
    assert parameter(description).style == taken
    ((kind, pointer),) = notes(description)
    assert (kind, pointer.endswith("/parameters/0/style")) == ("parameter_repaired", True)


def test_flags_of_a_parameter_are_read():
    found = parameter(
        of_parameter(
            {
                "name": "a",
                "in": "query",
                "description": "d",
                "deprecated": True,
                "allowEmptyValue": True,
                "allowReserved": True,
                "schema": {"type": "string"},
            }
        )
    )
    assert (found.description, found.deprecated, found.allow_empty_value, found.allow_reserved) == (
        "d",
        True,
        True,
        True,
    )
    assert (found.required, found.pointer, value(found.schema)) == (False, f"{GET}/parameters/0", {"type": "string"})


def test_parameters_of_path_and_operation_are_merged_by_name_and_location():
    def a(location: str, description: str) -> Any:
        return {"name": "a", "in": location, "schema": {}, "description": description}

    description = described(
        {
            "/x": {
                "parameters": [a("query", "path"), a("header", "path")],
                "get": {"parameters": [a("query", "operation"), a("cookie", "operation")]},
            }
        }
    )
    found = the_operation(description).parameters
    assert [(each.location, each.description) for each in found] == [
        ("query", "operation"),
        ("header", "path"),
        ("cookie", "operation"),
    ]
    assert notes(description) == []


@pytest.mark.parametrize(("location", "names"), [("query", ("a", "a")), ("header", ("X-A", "x-a"))])
def test_of_two_equal_parameters_the_last_counts(location, names):
    first, last = (
        {"name": name, "in": location, "schema": {}, "description": str(index)} for index, name in enumerate(names)
    )
    description = of_parameter(first, last)
    assert parameter(description).description == "1"
    assert notes(description) == [("parameter_repeated", f"{GET}/parameters/1")]


@pytest.mark.parametrize("name", ["Accept", "content-type", "AUTHORIZATION"])
def test_reserved_headers_are_no_parameters(name):
    description = of_parameter({"name": name, "in": "header", "required": True, "schema": {}})
    assert the_operation(description).parameters == ()
    assert notes(description) == [("parameter_dropped", f"{GET}/parameters/0")]


def test_a_parameter_may_be_described_by_its_media_type():
    content = {"application/json": {"schema": {"type": "object"}}}
    found = parameter(of_parameter({"name": "a", "in": "query", "content": content}))
    assert (found.content_type, value(found.schema)) == ("application/json", {"type": "object"})


@pytest.mark.parametrize(
    ("declared", "schema", "content_type"),
    [
        ({}, {"type": "string"}, None),
        ({"content": {}}, {"type": "string"}, None),
        ({"schema": None}, {"type": "string"}, None),
        ({"schema": {"type": "null"}, "content": {"a/b": {}}}, {"type": "null"}, None),
        ({"content": {"a/b": {}, "c/d": {}}}, {}, "a/b"),
    ],
)
def test_a_parameter_that_says_too_little_or_too_much_is_repaired_and_noted(declared, schema, content_type):
    description = of_parameter({"name": "a", "in": "query", **declared})
    assert (value(parameter(description).schema), parameter(description).content_type) == (schema, content_type)
    assert notes(description) == [("parameter_repaired", f"{GET}/parameters/0")]


def test_a_whole_query_is_a_parameter_of_3_2():
    content = {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}
    found = parameter(of_parameter({"name": "q", "in": "querystring", "content": content}, dialect="3.2"))
    assert (found.location, found.content_type) == ("querystring", "application/x-www-form-urlencoded")


# Bodies


def of_body(body: Any, **root: Any) -> ApiDescription:
    return of_operation({"requestBody": body}, **root)


def test_a_body_has_its_media_types_as_written():
    description = of_body(
        {
            "required": True,
            "description": "d",
            "content": {
                "application/json; charset=utf-8": {"schema": {"type": "object"}},
                "text/*": {},
            },
        }
    )
    body = the_operation(description).body
    assert body is not None
    assert (body.pointer, body.required, body.description) == (f"{GET}/requestBody", True, "d")
    assert [(media.name, media.schema and value(media.schema)) for media in body.media] == [
        ("application/json; charset=utf-8", {"type": "object"}),
        ("text/*", None),
    ]
    assert body.media[1].pointer == f"{GET}/requestBody/content/text~1*"


@pytest.mark.parametrize("body", [{}, {"content": {}}, {"required": True}])
def test_a_body_without_a_media_type_is_none_and_noted(body):
    description = of_body(body)
    assert the_operation(description).body is None
    assert notes(description) == [("body_dropped", f"{GET}/requestBody")]


def test_an_encoding_is_read_and_silence_stays_silence():
    encoding = {
        "a": {"contentType": "image/png", "style": "deepObject", "explode": True, "allowReserved": True},
        "b": {},
        "c": {"headers": {"X-Part": {"schema": {"const": 1}}, "Content-Type": {"schema": {}}}, "style": "odd"},
    }
    description = of_body({"content": {"multipart/form-data": {"schema": {}, "encoding": encoding}}})
    body = the_operation(description).body
    assert body is not None
    a, b, c = body.media[0].encoding.values()
    assert (a.content_type, a.style, a.explode, a.allow_reserved) == ("image/png", "deepObject", True, True)
    assert (b.content_type, b.style, b.explode, b.allow_reserved, b.headers) == (None, None, None, False, ())
    assert [(header.name, header.location, value(header.schema)) for header in c.headers] == [
        ("X-Part", "header", {"const": 1})
    ]
    assert c.style == "form"
    assert [kind for kind, _ in notes(description)] == ["parameter_repaired"]


def test_an_item_schema_of_3_2_describes_a_stream():
    content = {"application/jsonl": {"itemSchema": {"type": "object"}}}
    operation = the_operation(
        of_operation({"requestBody": {"content": content}, "responses": {"200": {"content": content}}}, dialect="3.2")
    )
    assert operation.body is not None
    for media in (operation.body.media[0], operation.responses[0].media[0]):
        assert media.is_stream
        assert media.schema is not None
        assert "object" in value(media.schema)["type"]


def test_media_types_of_3_2_may_be_references():
    components = {"mediaTypes": {"J": {"schema": {"type": "string"}}}}
    description = of_body(
        {"content": {"application/json": {"$ref": "#/components/mediaTypes/J"}}}, dialect="3.2", components=components
    )
    body = the_operation(description).body
    assert body is not None
    assert body.media[0].pointer == "#/components/mediaTypes/J"
    assert body.media[0].name == "application/json"


# Answers


def test_answers_have_their_status_description_and_media_types():
    content = {"application/json": {"schema": {"type": "string"}}, "text/csv": {}}
    description = of_operation({"responses": {"200": {"description": "ok", "content": content}, "204": {}, "x-a": 1}})
    ok, empty = the_operation(description).responses
    assert (ok.status, ok.description, ok.pointer) == ("200", "ok", f"{GET}/responses/200")
    assert [media.name for media in ok.media] == ["application/json", "text/csv"]
    assert (empty.status, empty.media) == ("204", ())


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        (["200", "404"], ["200"]),
        (["2xx", "default"], ["2XX"]),
        (["404", "default"], ["default"]),
        (["200", "201", "default"], ["200", "201"]),
        (["302"], []),
    ],
)
def test_only_successes_have_schemas(statuses, told):
    answer = {"content": {"application/json": {"schema": {"type": "string"}}}}
    found = the_operation(of_operation({"responses": dict.fromkeys(statuses, answer)})).responses
    assert len(found) == len(statuses)
    assert [response.status for response in found if response.media[0].schema is not None] == told


@pytest.mark.parametrize(
    ("status", "answer", "place"),
    [
        ("200", 5, ""),
        ("200", {"content": []}, "/content"),
        ("200", {"content": {"a/b": 5}}, "/content/a~1b"),
        ("200", {"$ref": "#/missing"}, "/$ref"),
        ("200", {"$ref": "https://example.com/"}, "/$ref"),
        ("ok", {}, ""),
        ("600", {}, ""),
    ],
)
def test_an_answer_that_cannot_be_read_is_left_out_and_costs_nothing_else(status, answer, place):
    description = of_operation({"responses": {status: answer, "404": {}}})
    assert [response.status for response in the_operation(description).responses] == ["404"]
    assert notes(description) == [("response_dropped", f"{GET}/responses/{status}{place}")]


def test_an_output_that_cannot_be_read_leaves_its_media_type():
    description = of_operation(
        {"responses": {"200": {"content": {"application/json": {"schema": {"items": {"$ref": "x"}}}}}}}
    )
    (media,) = the_operation(description).responses[0].media
    assert (media.name, media.schema) == ("application/json", None)
    assert [kind for kind, _ in notes(description)] == ["output_dropped"]


# Security and servers

SCHEMES = {
    "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "basic": {"type": "http", "scheme": "Basic"},
    "oauth": {"type": "oauth2", "flows": {}},
    "openid": {"type": "openIdConnect"},
    "tls": {"type": "mutualTLS"},
    "alias": {"$ref": "#/components/securitySchemes/key"},
}


def test_security_schemes_are_read():
    description = described(components={"securitySchemes": SCHEMES})
    assert description.security_schemes == {
        "key": SecurityScheme(name="key", kind="apiKey", location="header", parameter="X-Key"),
        "basic": SecurityScheme(name="basic", kind="http", http_scheme="basic"),
        "oauth": SecurityScheme(name="oauth", kind="oauth2"),
        "openid": SecurityScheme(name="openid", kind="openIdConnect"),
        "tls": SecurityScheme(name="tls", kind="mutualTLS"),
        "alias": SecurityScheme(name="alias", kind="apiKey", location="header", parameter="X-Key"),
    }


@pytest.mark.parametrize(
    "scheme",
    [
        {"type": "magic"},
        {},
        {"type": "http"},
        {"type": "apiKey", "in": "header"},
        {"type": "apiKey", "in": "body", "name": "k"},
        {"$ref": "elsewhere.yaml"},
        5,
    ],
)
def test_a_security_scheme_that_cannot_be_met_is_left_out_and_noted(scheme):
    description = described(components={"securitySchemes": {"s": scheme}})
    assert description.security_schemes == {}
    ((kind, pointer),) = notes(description)
    assert kind == "security_dropped"
    assert pointer.startswith("#/components/securitySchemes/s")


@pytest.mark.parametrize(
    ("own", "effective"),
    [
        ({}, (SecurityChoice((("key", ()),)),)),
        ({"security": None}, (SecurityChoice((("key", ()),)),)),
        ({"security": []}, ()),
        ({"security": [{}]}, (SecurityChoice(()),)),
        ({"security": [{"oauth": ["read"], "key": []}, {"basic": None}]}, (SecurityChoice((("oauth", ("read",)), ("key", ()))), SecurityChoice((("basic", ()),)))),
    ],
)  # fmt: skip
def test_security_is_the_operations_own_or_the_documents(own, effective):
    description = of_operation(own, security=[{"key": []}], components={"securitySchemes": SCHEMES})
    assert the_operation(description).security == effective


def test_a_scheme_that_is_not_there_is_noted_and_still_asked_for():
    description = of_operation({"security": [{"missing": []}]})
    assert the_operation(description).security == (SecurityChoice((("missing", ()),)),)
    assert notes(description) == [("security_dropped", f"{GET}/security/0/missing")]


@pytest.mark.parametrize(
    ("servers", "urls"),
    [
        ([{"url": "https://a.example.com/v1"}, {"url": "/v2"}], ("https://a.example.com/v1", "/v2")),
        ([{"url": "https://{r}.example.com/{v}", "variables": {"r": {"default": "eu"}, "v": {"default": 2}}}], ("https://eu.example.com/2",)),
        ([{"url": "https://{r}.example.com"}], ()),
        ([{"url": "https://{r}.example.com", "variables": {"r": {"enum": ["a"]}}}], ()),
        ([{"url": ""}, {}, 5, {"url": "/ok"}], ("/ok",)),
        (None, ()),
    ],
)  # fmt: skip
def test_servers_have_their_variables_replaced_by_defaults(servers, urls):
    description = described(servers=servers)
    assert description.servers == urls
    assert {kind for kind, _ in notes(description)} <= {"server_dropped"}
    assert len(notes(description)) == len(servers or ()) - len(urls)


def test_servers_are_those_of_the_operation_or_the_path():
    description = described(
        {
            "/a": {"servers": [{"url": "/path"}], "get": {}, "put": {"servers": [{"url": "/operation"}]}},
            "/b": {"get": {}, "put": {"servers": []}},
        },
        servers=[{"url": "/root"}],
    )
    assert [operation.servers for operation in description.operations] == [("/path",), ("/operation",), (), ()]


# The whole


def test_every_kind_of_note_is_explained():
    assert KINDS.keys() == set(get_args(NoteKind))


@pytest.mark.parametrize(("limit", "is_enough"), [(30, True), (29, False)])
def test_operations_that_paths_share_are_bounded(limit, is_enough):
    paths = {f"/{n}": {"$ref": "#/components/pathItems/I"} for n in range(10)}
    whole = document("3.1", paths=paths, components={"pathItems": {"I": {"get": {}, "put": {}, "post": 5}}})
    if is_enough:
        description = describe(whole, max_operations=limit)
        assert (len(description.operations), len(description.skipped)) == (20, 10)
    else:
        with pytest.raises(SpecError, match="more than 29 operations"):
            describe(whole, max_operations=limit)


def test_a_document_of_11_000_operations_takes_seconds_at_most():
    answer = {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/S"}}}}}
    operation = {
        "description": "x" * 500,
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string", "description": "y" * 100}} for name in "abcdef"
        ],
        "responses": answer,
    }
    paths = {f"/{n}/{{id}}": {"get": operation, "put": operation} for n in range(5_500)}
    whole = document("3.0", paths=paths, components={"schemas": {"S": {"type": "object"}}})
    assert len(whole.json) > 12_000_000
    started = time.process_time()
    description = describe(whole)
    assert len(description.operations) == 11_000
    assert time.process_time() - started < 6


METHODS = {"get", "put", "post", "delete", "options", "head", "patch"}


def test_no_operation_of_the_published_documents_is_unaccounted_for(specs_dir: Path):
    index = [line.split("\t") for line in (specs_dir / "index.tsv").read_text().splitlines()[1:]]
    for row in index:
        whole = parse((specs_dir / row[2]).read_bytes())
        description = describe(whole)
        expected = counted(msgspec.json.decode(whole.json), whole.dialect)
        assert len(description.operations) + len(description.skipped) == expected, row[0]


def counted(root: dict[str, Any], dialect: str) -> int:
    """The operations below ``paths``; a path item out of the document counts as one."""
    methods = METHODS | ({"trace"} if dialect != "2.0" else set()) | ({"query"} if dialect == "3.2" else set())
    total = 0
    for key, item in (root.get("paths") or {}).items():
        if key.startswith("x-"):
            continue
        if "$ref" in (item or {}) and not item["$ref"].startswith("#/"):
            total += 1
            continue
        item = item or {}
        while "$ref" in item:
            target: Any = root
            for token in item["$ref"][2:].split("/"):
                target = target[token.replace("~1", "/").replace("~0", "~")]
            item = target
        total += len(methods & item.keys())
        total += len(item.get("additionalOperations", {})) if dialect == "3.2" else 0
    return total
