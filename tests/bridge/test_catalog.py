"""Descriptions to catalogs: every operation is a tool, filtered, or listed with the reason."""

from __future__ import annotations

import re

import msgspec
import pytest

from descriptions import (
    JSON,
    OBJECT,
    answer,
    body,
    catalog,
    describe,
    media,
    operation,
    parameter,
    reasons,
    source,
    tool,
)
from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.model import Tool, ToolForm
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.bridge.tools.entry import DIGEST
from openapi_mcp_server.errors import SpecError, fault_of
from openapi_mcp_server.openapi.model import Note, SkippedOperation
from openapi_mcp_server.openapi.notes import LEFT_OUT, MAX_NOTES, Notes

# Which operations become tools


def test_every_operation_is_a_tool_filtered_or_skipped_with_its_place():
    made = build(
        [
            ApiSource(
                name="pets",
                base=None,
                description=describe(
                    operation(tags=("a",)),
                    operation("PUT", tags=("b",)),
                    operation("DELETE", tags=("a",), servers=("https://elsewhere.example.com",)),
                    skipped=(SkippedOperation(pointer="#/x", method="GET", path="/x", reason="broken"),),
                ),
                include_tags=frozenset({"a"}),
            )
        ]
    )
    assert (list(made.tools), made.apis[0].tools, made.apis[0].filtered) == (["get_pets"], 1, 1)
    assert [each.operation.pointer for each in made.skipped] == ["#/x", "#/paths/~1pets/delete"]
    assert {each.api for each in made.skipped} == {"pets"}


def test_an_operation_that_meets_a_bug_of_ours_costs_only_itself_and_says_where_to_look():
    broken = msgspec.structs.replace(operation("PUT"), body=0)
    made = catalog(operation(), broken, operation("DELETE"))
    assert list(made.tools) == ["get_pets", "delete_pets"]
    (reason,) = reasons(made)
    assert re.fullmatch(r"an error of this server, AttributeError in \w+\.py, line \d+; please report it", reason)


def test_a_bug_of_ours_in_what_is_asked_before_an_operation_is_compiled_costs_only_that_one_too():
    broken = msgspec.structs.replace(operation("PUT"), overrides=0)
    made = catalog(operation(), broken, operation("DELETE"))
    assert list(made.tools) == ["get_pets", "delete_pets"]
    [skipped] = made.skipped
    assert skipped.operation.pointer == broken.pointer
    assert skipped.operation.reason.startswith("an error of this server, TypeError in overrides.py, line ")


def test_what_is_skipped_keeps_no_frames():
    def fail() -> None:
        try:
            int("x")
        except ValueError as error:
            raise SpecError("#/x", "wrong") from error

    with pytest.raises(SpecError) as caught:
        fail()
    kept = fault_of(caught.value, "#/y")
    assert (kept.pointer, kept.problem) == ("#/x", "wrong")
    assert (kept.__traceback__, kept.__cause__, kept.__context__) == (None, None, None)


@pytest.mark.parametrize(
    ("include", "exclude", "names"),
    [
        pytest.param((), (), ["one", "two", "none"], id="no filter"),
        pytest.param(("a",), (), ["one", "two"], id="any of the included"),
        pytest.param(("b", "c"), (), ["two"], id="one of several is enough"),
        pytest.param((), ("b",), ["one", "none"], id="excluded"),
        pytest.param(("a",), ("b",), ["one"], id="excluding wins"),
        pytest.param(("A",), (), [], id="tags are spelt exactly"),
    ],
)
def test_tags_choose_operations(include, exclude, names):
    made = catalog(
        operation(path="/1", operation_id="one", tags=("a",)),
        operation(path="/2", operation_id="two", tags=("a", "b")),
        operation(path="/3", operation_id="none"),
        include_tags=frozenset(include),
        exclude_tags=frozenset(exclude),
    )
    assert list(made.tools) == names


def test_a_fault_of_a_part_that_operations_share_is_noted_once():
    shared = body(media("application/pdf", {"type": "object"}), media("application/json", {"type": "object"}))
    made = catalog(*(operation("POST", f"/{number}", body=shared) for number in range(3)))
    assert len(made.tools) == 3
    assert [note.message for note in made.apis[0].notes] == [
        "application/pdf cannot carry a JSON object, only a JSON string"
    ]


@pytest.mark.parametrize("found", [MAX_NOTES - 2, MAX_NOTES - 1, MAX_NOTES, MAX_NOTES + 1])
def test_whatever_the_last_note_is_about_it_is_said_that_more_are_left_out(found):
    """The document's own notes, one of TOOL_OVERRIDES and one of an operation share one limit."""
    notes = Notes()
    notes.take(Note(pointer=f"#/{number}", kind="schema_repaired", message="m") for number in range(found))
    shared = body(media("application/pdf", {"type": "object"}), media("application/json", {"type": "object"}))
    [api] = catalog(operation("POST", body=shared), notes=notes.all(), overrides={"none": {}}).apis
    assert len(api.notes) == min(found + 2, MAX_NOTES + 1)
    assert (api.notes[-1] == LEFT_OUT) == (found + 2 > MAX_NOTES)


def test_a_tag_that_no_operation_has_is_noted():
    made = catalog(
        operation(path="/1", operation_id="one", tags=("a",)),
        operation(path="/2", operation_id="two", tags=("internal",)),
        include_tags=frozenset({"a", "A", "zoo"}),
        exclude_tags=frozenset({"internal", "Intern"}),
    )
    assert [(note.kind, note.message) for note in made.apis[0].notes] == [
        ("override_unused", "INCLUDE_TAGS: no operation has the tag 'A'; did you mean 'a'?"),
        ("override_unused", "INCLUDE_TAGS: no operation has the tag 'zoo'"),
        ("override_unused", "EXCLUDE_TAGS: no operation has the tag 'Intern'; did you mean 'internal'?"),
    ]


def test_an_operation_that_could_not_be_read_may_have_the_tag():
    skipped = (SkippedOperation(pointer="#/x", method="PUT", path="/2", reason="r"),)
    made = catalog(operation(path="/1", tags=("a",)), exclude_tags=frozenset({"internal"}), skipped=skipped)
    assert [note.message for note in made.apis[0].notes] == [
        "EXCLUDE_TAGS: no operation that could be read has the tag 'internal'"
    ]


def test_a_filter_renames_no_tool():
    twins = operation(path="/1", operation_id="x", tags=("a",)), operation(path="/2", operation_id="x")
    [kept] = catalog(*twins, include_tags=frozenset({"a"})).tools
    assert kept in catalog(*twins).tools


def test_several_documents_share_one_catalog_of_unique_names():
    first = source(operation(operation_id="list"), name="pets", prefix=True)
    second = source(operation(operation_id="list"), name="shops", prefix=True)
    made = build([first, second])
    assert [(name, each.api) for name, each in made.tools.items()] == [("pets_list", "pets"), ("shops_list", "shops")]


def test_two_documents_of_one_name_are_refused():
    with pytest.raises(SpecError, match="2 APIs are named 'pets'"):
        build([source(), source()])


# Where requests go


def target(made: Tool) -> tuple[str, tuple[str | int, ...]]:
    return str(made.origin), made.path


@pytest.mark.parametrize(
    ("base", "servers", "own", "expected"),
    [
        pytest.param(None, ("https://a.example/v1/",), (), "https://a.example/v1/pets", id="the document's"),
        pytest.param(
            "http://b.example:81/x", ("https://a.example",), (), "http://b.example:81/x/pets", id="configured"
        ),
        pytest.param(
            None, ("/rel", "https://a.example"), (), "https://a.example/pets", id="relative ones do not count"
        ),
        pytest.param("https://a.example/v1", (), ("/v2",), "https://a.example/v2/pets", id="own, absolute path"),
        pytest.param("https://a.example/v1", (), ("v2",), "https://a.example/v1/v2/pets", id="own, relative"),
        pytest.param(
            "https://a.example/v1", (), ("https://A.example/v3",), "https://a.example/v3/pets", id="own, same origin"
        ),
        pytest.param(
            "https://a.example",
            (),
            ("https://b.example/x", "https://a.example:443/y"),
            "https://a.example/y/pets",
            id="own, first of the origin",
        ),
        pytest.param("https://a.example/ä b/%2F", (), (), "https://a.example/%C3%A4%20b/%2F/pets", id="prefix encoded"),
    ],
)
def test_the_base_url_decides_where_requests_go(base, servers, own, expected):
    made = tool(operation(servers=own), base=base, servers=servers)
    assert f"{made.origin}{''.join(map(str, made.path))}" == expected


@pytest.mark.parametrize(
    ("base", "root", "own", "expected"),
    [
        pytest.param("", "", "", "/pets", id="same"),
        pytest.param("/x", "/v1", "/v1", "/x/pets", id="same path"),
        pytest.param("", "", "/v2", "/v2/pets", id="below"),
        pytest.param("/gw/v1", "/v1", "/v2", "/gw/v2/pets", id="beside"),
        pytest.param("/gw/v1", "/v1", "", "/gw/pets", id="above"),
    ],
)
def test_servers_at_the_documents_own_origin_move_with_it_to_the_base_url(base, root, own, expected):
    moving = operation(servers=(f"https://a.example{own}",))
    made = tool(moving, base=f"http://m.example{base}", servers=(f"https://a.example{root}",))
    assert (str(made.origin), "".join(map(str, made.path))) == ("http://m.example", expected)


def test_a_server_beside_the_documents_own_is_not_guessed_where_the_base_url_has_another_path():
    made = catalog(
        operation(servers=("https://a.example/v2",)), base="http://m.example/other", servers=("https://a.example/v1",)
    )
    assert reasons(made)[0].startswith("is served at https://a.example/v2, not at http://m.example;")


@pytest.mark.parametrize(
    ("servers", "base"),
    [
        pytest.param(("/v1",), "https://docs.example/v1", id="a path"),
        pytest.param(("v1",), "https://docs.example/specs/v1", id="beside the document"),
        pytest.param(("../v1",), "https://docs.example/v1", id="above"),
        pytest.param((".",), "https://docs.example/specs", id="where the document is"),
        pytest.param(("/",), "https://docs.example", id="the root"),
        pytest.param((), "https://docs.example", id="none"),
        pytest.param(("//api.example/v1",), "https://api.example/v1", id="a host without a scheme"),
        pytest.param(("https://api.example/v1",), "https://api.example/v1", id="absolute"),
    ],
)
def test_servers_of_a_document_with_an_address_are_relative_to_it(servers, base):
    made = catalog(
        operation(), base=None, servers=servers, location="https://user:pass@docs.example/specs/api.yaml?v=1"
    )
    assert str(made.apis[0].base) == base


@pytest.mark.parametrize(
    ("base", "servers", "meant"),
    [
        ("https://x.example", ("https://x.example/api/v3",), "https://x.example/api/v3"),
        ("https://gateway.example", ("https://x.example/api/v3/",), "https://gateway.example/api/v3"),
        ("http://127.0.0.1:8080", ("/api/v3",), "http://127.0.0.1:8080/api/v3"),
        ("https://x.example/other", ("https://x.example/api/v3",), None),
        ("https://x.example", ("https://x.example",), None),
        ("https://x.example", ("/",), None),
        ("https://x.example", (), None),
        ("https://x.example", ("https://x.example/api", "https://x.example"), None),
        ("https://x.example", ("//x.example/api",), "https://x.example/api"),
        ("http://x.example", ("//x.example",), None),
    ],
)
def test_a_base_url_that_lacks_the_documents_path_is_doubted_and_taken(base, servers, meant):
    made = catalog(operation(), base=base, servers=servers)
    doubts = [note.message for note in made.apis[0].notes if note.kind == "base_url_doubtful"]
    assert str(made.apis[0].base) == base
    assert [doubt.rpartition(" ")[2] for doubt in doubts] == ([meant] if meant else [])


@pytest.mark.parametrize("base", ["https://x.example/v3/openapi.json", "https://x.example/a.yaml"])
def test_a_base_url_that_looks_like_a_document_is_doubted_and_taken(base):
    made = catalog(operation(), base=base, servers=("https://x.example/v3",))
    assert str(made.apis[0].base) == base
    assert [note.message for note in made.apis[0].notes] == [
        f"API_BASE_URL (or base_url) is {base}, which looks like a document: leave out the file if calls get a 404"
    ]


def test_a_host_without_a_scheme_in_a_file_is_asked_as_the_base_url_is_or_by_https():
    assert str(catalog(operation(), base=None, servers=("//a.example/v1",)).apis[0].base) == "https://a.example/v1"
    moving = operation(servers=("http://a.example/v1/beta",))
    made = tool(moving, base="http://m.example/v1", servers=("//a.example/v1",))
    assert (str(made.origin), made.path) == ("http://m.example", ("/v1/beta/pets",))


@pytest.mark.parametrize(
    ("servers", "problem"),
    [
        pytest.param((), "no absolute URL says where the API is; set API_BASE_URL", id="none"),
        pytest.param(("/v1",), "no absolute URL", id="relative"),
        pytest.param(("https://a.example", "https://b.example"), "2 URLs to choose from", id="several"),
        pytest.param(("ftp://a.example",), "ftp://a.example must start with http", id="another scheme"),
        pytest.param(("https://u:p@a.example",), "must not carry a user name", id="credentials"),
    ],
)
def test_a_document_without_one_usable_server_needs_a_base_url(servers, problem):
    with pytest.raises(SpecError, match=re.escape(problem)):
        catalog(servers=servers)


def test_servers_that_cannot_be_read_are_named_where_they_are_needed():
    dropped = Note(pointer="#/servers", kind="server_dropped", message="expected array, got object")
    with pytest.raises(SpecError, match=r"is \(#/servers: expected array, got object\); set API_BASE_URL"):
        catalog(operation(), servers=(), notes=(dropped,))


@pytest.mark.parametrize(
    "url",
    [
        "https://uploads.example.com",
        "http://api.example.com/v1",
        "https://api.example.com:8443",
        "file:///etc",
        "//evil.example",
        "http://[::1",
    ],
)
def test_an_operation_served_at_another_origin_is_skipped(url):
    made = catalog(operation(servers=(url,)))
    [reason] = reasons(made)
    assert reason.startswith(f"is served at {url}, not at https://api.example.com; ALLOWED_SERVERS (")


def test_an_operation_served_at_another_origin_is_served_where_that_is_allowed():
    elsewhere = ("https://other.example", "https://uploads.example.com/v2")
    allowed = frozenset({Origin("https", "uploads.example.com", 443)})
    made = catalog(operation(servers=elsewhere), operation(path="/b"), allowed_origins=allowed)
    assert [str(each.origin) for each in made.tools.values()] == [
        "https://uploads.example.com",
        "https://api.example.com",
    ]
    assert "".join(map(str, made.tools["get_pets"].path)) == "/v2/pets"
    assert made.apis[0].origins == allowed | {Origin("https", "api.example.com", 443)}


@pytest.mark.parametrize(
    ("path", "compiled"),
    [
        pytest.param("/pets/{id}", ("/v1/pets/", 0), id="hole at the end"),
        pytest.param("/{id}/a", ("/v1/", 0, "/a"), id="hole first"),
        pytest.param("/{id}-{id}", ("/v1/", 0, "-", 0), id="one parameter twice"),
        pytest.param("/ä b:c@(d)", ("/v1/%C3%A4%20b:c@(d)",), id="encoded where needed"),
        pytest.param("/a%2Fb/50%", ("/v1/a%2Fb/50%25",), id="encoded already"),
        pytest.param("/a}{b", ("/v1/a%7D%7Bb",), id="stray braces"),
    ],
)
def test_a_path_is_literal_text_and_holes(path, compiled):
    names = ["id"] if "{id}" in path else []
    assert tool(operation(path=path, parameters=[parameter(name, "path") for name in names])).path == compiled


@pytest.mark.parametrize("path", ["/../admin", "/a/..", "/%2e%2E/x", "/./x", "/{id}/../x"])
def test_a_path_that_would_leave_its_prefix_is_skipped(path):
    assert "dot segment" in reasons(catalog(operation(path=path, parameters=(parameter("id", "path"),))))[0]


def test_a_path_variable_without_a_parameter_is_skipped():
    assert reasons(catalog(operation(path="/{id}"))) == ["the path variable {id} is not a parameter"]


def test_the_query_of_a_path_is_sent_as_it_is():
    assert tool(operation(query="a=1&b=ä")).fixed_query == "a=1&b=%C3%A4"


# What a client sees


def test_an_entry_is_the_tool_as_mcp_spells_it():
    made = tool(operation(operation_id="list", summary="List pets", responses=(answer("200", media(JSON, OBJECT)),)))
    entry = msgspec.json.decode(made.entry)
    assert re.fullmatch("[0-9a-f]{16}", entry.pop("_meta")[DIGEST])
    assert entry == {
        "name": "list",
        "title": "List pets",
        "description": "List pets",
        "inputSchema": {"type": "object", "properties": {}},
        "outputSchema": {
            "type": "object",
            "properties": OBJECT["properties"],
            "anyOf": [{"required": OBJECT["required"]}, {"required": ["undocumented"]}],
        },
        "annotations": {"readOnlyHint": True, "openWorldHint": True},
    }


def test_a_digest_moves_with_what_a_model_is_told():
    same, again, other = (tool(operation(summary=text)).digest for text in ("List", "List", "List all"))
    assert same == again != other


@pytest.mark.parametrize(
    ("method", "hints"),
    [
        ("GET", {"readOnlyHint": True}),
        ("HEAD", {"readOnlyHint": True}),
        ("QUERY", {"readOnlyHint": True}),
        ("POST", {}),
        ("PATCH", {}),
        ("PUT", {"idempotentHint": True}),
        ("DELETE", {"destructiveHint": True, "idempotentHint": True}),
    ],
)
def test_annotations_follow_the_method(method, hints):
    assert msgspec.json.decode(tool(operation(method)).entry)["annotations"] == hints | {"openWorldHint": True}


@pytest.mark.parametrize(
    ("names", "accept"),
    [
        pytest.param([], "application/json, */*;q=0.1", id="nothing documented"),
        pytest.param([JSON], "application/json, */*;q=0.1", id="JSON"),
        pytest.param(["text/csv", JSON], "application/json, text/csv;q=0.9, */*;q=0.1", id="JSON first"),
        pytest.param(["image/png"], "image/png, */*;q=0.1", id="no JSON"),
        pytest.param(["*/*"], "application/json, */*;q=0.1", id="anything"),
        pytest.param(["text/x\r\nHost: evil", "päng/x"], "application/json, */*;q=0.1", id="no media types"),
    ],
)
def test_accept_asks_for_what_is_documented(names, accept):
    responses = (answer("200", *(media(name) for name in names)), answer("404", media("application/problem+json")))
    assert tool(operation(responses=responses)).accept == accept


def test_without_output_schemas_answers_are_text_and_nothing_is_noted() -> None:
    responses = (answer("200", media(JSON, {"type": "object", "properties": {"id": {"type": "integer"}}})),)
    made = build([source(operation(responses=responses))], ToolForm(output_schemas=False))
    [only] = made.tools.values()
    assert only.output is None
    assert "outputSchema" not in msgspec.json.decode(only.entry)
    assert made.apis[0].notes == ()


@pytest.mark.parametrize(
    ("responses", "is_offered"),
    [
        ((answer("default", media(JSON, OBJECT)),), True),
        ((answer("404"), answer("default", media(JSON, OBJECT))), True),
        ((answer("204"), answer("default", media(JSON, OBJECT))), False),
        ((answer("302"), answer("default", media(JSON, OBJECT))), False),
    ],
)
def test_a_filter_is_offered_where_the_default_is_the_success(responses, is_offered):
    made = build([source(operation(responses=responses))], ToolForm(response_filter=True))
    [only] = made.tools.values()
    assert (only.filterable, only.output is not None) == (is_offered, is_offered)


def test_names_are_as_long_as_the_operator_says_and_stay_different() -> None:
    operations = [operation(path=f"/{number}", operation_id=f"{'long' * 12}{number}") for number in range(3)]
    made = build([source(*operations, operation(path="/short", operation_id="short"))], ToolForm(name_length=48))
    assert [len(name) for name in made.tools] == [48, 48, 48, 5]
    assert len(made.tools) == 4
