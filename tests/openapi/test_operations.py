"""Documents of OpenAPI 3.x to operations: what is read, what is repaired and noted, what is skipped and why."""

from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from documents import described, document, notes, of_operation, of_schemas, skips, the_operation
from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.model import SecurityChoice
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import parse

GET = "#/paths/~1x/get"


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


@pytest.mark.parametrize(("paths", "got"), [([], "array"), ("x", "string"), (5, "integer")])
def test_paths_that_cannot_be_read_leave_nothing_to_serve(paths, got):
    with pytest.raises(SpecError) as refused:
        described(paths)
    assert (refused.value.pointer, refused.value.problem) == ("#/paths", f"expected object, got {got}")


@pytest.mark.parametrize(
    ("dialect", "root", "kind", "pointer"),
    [
        ("3.1", {"components": 5}, "security_dropped", "#/components"),
        ("3.1", {"components": {"securitySchemes": []}}, "security_dropped", "#/components/securitySchemes"),
        ("3.1", {"servers": {}}, "server_dropped", "#/servers"),
        ("3.1", {"servers": [{"url": []}]}, "server_dropped", "#/servers/0/url"),
        ("3.1", {"x-mcp": True}, "extension_ignored", "#/x-mcp"),
        ("3.2", {"tags": {}}, "info_dropped", "#/tags"),
        ("2.0", {"securityDefinitions": []}, "security_dropped", "#/securityDefinitions"),
        ("2.0", {"host": []}, "server_dropped", "#/host"),
        ("2.0", {"basePath": {}, "host": "a.example"}, "server_dropped", "#/basePath"),
        ("2.0", {"schemes": "https", "host": "a.example"}, "server_dropped", "#/schemes"),
        ("2.0", {"produces": "text/csv"}, "response_dropped", "#/produces"),
    ],
)
def test_what_is_wrong_at_the_root_costs_only_itself(dialect, root, kind, pointer):
    description = of_operation({}, dialect=dialect, **root)
    the_operation(description)
    assert description.servers == ()
    assert notes(description) == [(kind, pointer)]


@pytest.mark.parametrize("root", [{"webhooks": 5}, {"externalDocs": 5}, {"tags": 5}, {"info": None}])
def test_what_is_not_needed_is_not_read(root):
    description = of_operation({}, **root)
    the_operation(description)
    assert notes(description) == []


def test_form_media_types_that_cannot_be_read_cost_the_operations_that_send_in_them():
    field = {"name": "a", "in": "formData", "type": "string"}
    paths = {
        "/x": {"get": {}, "put": {"parameters": [field]}, "post": {"parameters": [field], "consumes": ["text/plain"]}}
    }
    description = described(paths, dialect="2.0", consumes={"a": 1})
    assert skips(description) == [("#/consumes", "expected array, got object")]
    assert [operation.method for operation in description.operations] == ["GET", "POST"]


@pytest.mark.parametrize(
    ("security", "pointer", "problem"),
    [
        ({}, "#/security", "expected array, got object"),
        ("key", "#/security", "expected array, got string"),
        ([None], "#/security/0", "expected object, got null"),
        ([{"a": "b"}], "#/security/0/a", "expected array, got string"),
    ],
)
def test_security_that_cannot_be_read_costs_the_operations_that_have_none_of_their_own(security, pointer, problem):
    description = described({"/x": {"get": {}, "put": {"security": []}}}, security=security)
    assert skips(description) == [(pointer, problem)]
    assert [operation.method for operation in description.operations] == ["PUT"]


@pytest.mark.parametrize("dialect", ["2.0", "3.0", "3.1", "3.2"])
def test_an_alternative_that_cannot_be_read_leaves_the_others(dialect):
    alternatives = [5, {"key": []}, {"other": "x"}]
    whole = described({"/x": {"get": {}}}, dialect=dialect, security=alternatives)
    own = of_operation({"security": alternatives}, dialect=dialect)
    for description, at in ((whole, "#/security"), (own, f"{GET}/security")):
        assert the_operation(description).security == (SecurityChoice((("key", ()),)),)
        assert notes(description) == [
            ("security_dropped", f"{at}/1/key"),
            ("security_dropped", f"{at}/0"),
            ("security_dropped", f"{at}/2/other"),
        ]


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
    item: dict[str, Any] = {name: {} for name in (*methods, "query", "link", "GET", "summary", "x-extra")}
    assert [each.method for each in described({"/x": item}).operations] == [method.upper() for method in methods]
    assert [each.method for each in described({"/x": item}, dialect="3.2").operations][-1] == "QUERY"


def test_a_method_in_capitals_is_taken_for_what_it_means():
    description = described({"/x": {"GET": {}, "Post": {}, "put": {}, "PUT": {}}})
    assert [each.method for each in description.operations] == ["GET", "POST", "PUT"]
    assert [each.kind for each in description.notes] == ["path_repaired", "path_repaired", "field_unknown"]


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
    (
        {"parameters": [{"name": "a", "in": "body"}]},
        "/parameters/0/in",
        (
            "'in' must be one of path, query, header, cookie, querystring, not 'body'; "
            "a body is the operation's requestBody"
        ),
    ),
    (
        {"parameters": [{"name": "a"}]},
        "/parameters/0",
        "'in' is missing; it must be one of path, query, header, cookie, querystring",
    ),
    ({"parameters": [{"in": "query"}]}, "/parameters/0", "the parameter has no name"),
    (
        {"parameters": [{"name": "a", "in": "query", "required": "yes"}]},
        "/parameters/0/required",
        "expected boolean, got string",
    ),
    (
        {"parameters": [{"name": "a", "in": "query", "schema": 5}]},
        "/parameters/0/schema",
        "expected a schema (an object), got number",
    ),
    (
        {"parameters": [{"name": "a", "in": "query", "content": []}]},
        "/parameters/0/content",
        "expected object, got array",
    ),
    (
        {"parameters": [{"name": "a", "in": "query", "content": {"a/b": 5}}]},
        "/parameters/0/content/a~1b",
        "expected object, got integer",
    ),
    ({"parameters": [{"$ref": 5}]}, "/parameters/0/$ref", "expected a string"),
    ({"parameters": [{"name": "a", "in": "querystring"}]}, "/parameters/0", "a querystring parameter needs content"),
    ({"requestBody": 5}, "/requestBody", "expected object, got integer"),
    ({"requestBody": {"content": []}}, "/requestBody/content", "expected object, got array"),
    ({"requestBody": {"required": 1, "content": CONTENT}}, "/requestBody/required", "expected boolean, got integer"),
    ({"requestBody": {"content": {"a/b": "x"}}}, "/requestBody/content/a~1b", "expected object, got string"),
    (
        {"requestBody": {"content": {"a/b": {"encoding": 5}}}},
        "/requestBody/content/a~1b/encoding",
        "expected object, got integer",
    ),
    (
        {"requestBody": {"content": {"a/b": {"encoding": {"p": 5}}}}},
        "/requestBody/content/a~1b/encoding/p",
        "expected object, got integer",
    ),
    (
        {"requestBody": {"content": {"a/b": {"encoding": {"p": {"headers": {"X": 5}}}}}}},
        "/requestBody/content/a~1b/encoding/p/headers/X",
        "expected object, got integer",
    ),
    ({"responses": []}, "/responses", "expected object, got array"),
    ({"callbacks": []}, "/callbacks", "expected object, got array"),
    ({"security": {}}, "/security", "expected array, got object"),
    ({"security": [[]]}, "/security/0", "expected object, got array"),
    ({"security": [None]}, "/security/0", "expected object, got null"),
    ({"security": [{"a": [["x"]]}]}, "/security/0/a/0", "expected string, got array"),
    ({"servers": {}}, "/servers", "expected array, got object"),
    (
        {"servers": [{}]},
        "/servers",
        "none of these servers can be used (#/paths/~1x/get/servers/0: the server has no url)",
    ),
    ({"x-mcp": []}, "/x-mcp", "expected object, got array"),
]


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


# The whole


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


ASKED = [{"name": f"q{n}", "in": "query", "schema": {}} for n in range(30)]
CONTENT = {f"application/v{n}+json": {} for n in range(30)}
BODY = {"$ref": "#/components/requestBodies/B"}
ANSWERS = {"200": {"$ref": "#/components/responses/R"}}
BY_REFERENCE = {
    "components": {
        "pathItems": {"I": {"parameters": ASKED, "get": {}}},
        "requestBodies": {"B": {"content": CONTENT}},
        "responses": {"R": {"description": "", "content": CONTENT}},
    }
}


def many(item: Any) -> dict[str, Any]:
    return {f"/{n}": item for n in range(9)}


@pytest.mark.parametrize(
    ("paths", "root"),
    [
        pytest.param(many({"$ref": "#/components/pathItems/I"}), BY_REFERENCE, id="parameters of a path item"),
        pytest.param(
            {"/x": {"parameters": ASKED, "additionalOperations": {f"M{n}": {} for n in range(9)}}},
            {},
            id="parameters of a path",
        ),
        pytest.param(
            {
                "/x" + "".join(f"/{{a{n}}}" for n in range(30)): {
                    "additionalOperations": {f"M{n}": {} for n in range(9)}
                }
            },
            {},
            id="undeclared variables of a path",
        ),
        pytest.param(many({"post": {"requestBody": BODY}}), BY_REFERENCE, id="media types of a body"),
        pytest.param(many({"get": {"responses": ANSWERS}}), BY_REFERENCE, id="media types of an answer"),
        pytest.param(many({"get": {}}), {"security": [{f"s{n}": []} for n in range(30)]}, id="security"),
        pytest.param(
            many({"get": {"tags": ["t0", "t15"]}}),
            {"tags": [{"name": f"t{n}", "parent": f"t{n + 1}"} for n in range(30)]},
            id="tags above each other",
        ),
        pytest.param(
            many({"get": {"servers": [{"url": f"/{n}"} for n in range(5)]}}),
            {"servers": [{"url": f"https://x/{n}"} for n in range(5)]},
            id="servers beside those of the document",
        ),
    ],
)
def test_parts_that_operations_share_are_bounded(paths: Any, root: Any) -> None:
    """Nine operations have 30 parts each, and a path is read by itself, too; the limit is a hundred."""
    description = describe(document("3.2", paths=paths, **root), max_operations=10)
    assert 2 <= len(description.operations) <= 4
    assert {each.reason for each in description.skipped} == {
        "the operations before it have more than 100 parameters, media types and the like"
    }
    assert len(describe(document("3.2", paths=paths, **root), max_operations=100).operations) == 9


@pytest.mark.parametrize("prose", ["", "word " * 200_000], ids=["small", "large"])
def test_parts_that_operations_share_are_bounded_by_the_size_of_their_document(prose: str) -> None:
    """100,000, or one for four bytes; each of the operations has 500."""
    asked = [{"name": f"q{n}", "in": "query", "schema": {}} for n in range(500)]
    item = {"parameters": asked, "additionalOperations": {f"M{n}": {} for n in range(1_000)}}
    whole = document("3.2", paths={"/x": item}, info={"description": prose})
    described = describe(whole)
    most = max(100_000, len(whole.json) // 4)
    assert most - 1_000 <= 500 * len(described.operations) <= most
    [reason] = {each.reason for each in described.skipped}
    assert "parameters, media types and the like" in reason


WRONG = {"$ref": "#/components/nothing"}
MISNAMED: dict[str, Any] = {"responses": {}}


@pytest.mark.parametrize(
    ("paths", "item", "problem"),
    [
        ({f"/{n}": WRONG for n in range(11)}, {}, "more than 10 operations"),
        ({f"/{n}": 5 for n in range(11)}, {}, "more than 10 operations"),
        ({"/x": {f"fetch{n}": MISNAMED for n in range(11)}}, {}, "more than 10 operations"),
        ({f"/{n}": {"fetch": MISNAMED} for n in range(11)}, {}, "more than 10 operations"),
        ({f"/{n}": {"get": 5} for n in range(11)}, {}, "more than 10 operations"),
        ({"/x": {"additionalOperations": {f"M{n}": {} for n in range(11)}}}, {}, "more than 10 operations"),
        (
            {f"/{n}": {"$ref": "#/components/pathItems/I"} for n in range(11)},
            {f"x{n}": 1 for n in range(10)},
            "more than 100 fields of path items, references followed",
        ),
        (
            {f"/{n}": {"$ref": "#/components/pathItems/I"} for n in range(9)},
            {"get": {}, "additionalOperations": {"GET" + " " * n: {} for n in range(12)}},
            "more than 10 operations",
        ),
    ],
)
def test_what_is_skipped_counts_before_it_is_told(paths: Any, item: Any, problem: str) -> None:
    whole = document("3.2", paths=paths, components={"pathItems": {"I": item}})
    with pytest.raises(SpecError, match=problem):
        describe(whole, max_operations=10)


@pytest.mark.parametrize("paths", [{f"/{n}": WRONG for n in range(10)}, {"/x": {f"x{n}": MISNAMED for n in range(10)}}])
def test_as_many_skipped_operations_as_may_be_are_told(paths: Any) -> None:
    assert len(describe(document("3.2", paths=paths), max_operations=10).skipped) == 10


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


@pytest.mark.parametrize("dialect", ["2.0", "3.1"])
def test_a_document_goes_without_the_collector(dialect):
    """Once it is described nothing needs it: its tools take its place."""
    pet = {"allOf": [{"type": "object", "properties": {"name": {"type": "string"}}}], "discriminator": "name"}
    gc.collect()
    gc.disable()
    try:
        assert the_operation(of_schemas(pet, dialect=dialect, Pet=pet)).body
        assert gc.collect() == 0
    finally:
        gc.enable()


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
    return sum(
        counted_in(root, item or {}, methods, dialect)
        for key, item in (root.get("paths") or {}).items()
        if not key.startswith("x-")
    )


def counted_in(root: dict[str, Any], item: dict[str, Any], methods: set[str], dialect: str) -> int:
    own = len(methods & item.keys()) + (len(item.get("additionalOperations", {})) if dialect == "3.2" else 0)
    if "$ref" not in item:
        return own
    if not item["$ref"].startswith("#/"):
        return 1
    target: Any = root
    for token in item["$ref"][2:].split("/"):
        target = target[token.replace("~1", "/").replace("~0", "~")]
    return own + counted_in(root, target, methods - item.keys(), dialect)
