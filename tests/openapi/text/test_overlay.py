"""Overlays: the shapes of the specification's examples, and what is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.text import overlay
from openapi_mcp_server.openapi.text.document import Document, DocumentLimits, parse

ITEMS = {"get": {"responses": {"200": {"description": "OK"}}}}
PETS: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Pets", "version": "1"},
    "paths": {
        "/items": ITEMS,
        "/pets": {
            "get": {
                "description": "all",
                "tags": ["pets", "dummy", "old"],
                "x-traits": ["paged"],
                "parameters": [{"name": "filter", "in": "query"}, {"name": "dummy", "in": "query"}],
            },
            "post": {"description": "a new one"},
        },
    },
}


def document(**members: Any) -> Document:
    return parse(msgspec.json.encode(PETS | members))


def applied(*actions: Any, version: str = "1.1.0", to: Document | None = None, **limits: int) -> overlay.Overlaid:
    text = msgspec.json.encode({"overlay": version, "info": {"title": "t", "version": "1"}, "actions": actions})
    return overlay.apply(to or document(), text, name="o.yaml", limits=DocumentLimits(**limits))


def changed(*actions: Any, version: str = "1.1.0", **members: Any) -> Any:
    return msgspec.json.decode(applied(*actions, version=version, to=document(**members)).document.json)


def refusal(*actions: Any, version: str = "1.1.0", **limits: int) -> tuple[str, str]:
    with pytest.raises(SpecError) as caught:
        applied(*actions, version=version, **limits)
    return caught.value.pointer, caught.value.problem


def update(target: str, value: Any) -> dict[str, Any]:
    return {"target": target, "update": value}


def copy(target: str, source: str) -> dict[str, Any]:
    return {"target": target, "copy": source}


def remove(target: str) -> dict[str, Any]:
    return {"target": target, "remove": True}


def at(result: Any, *path: str | int) -> Any:
    for part in path:
        result = result[part]
    return result


GET = ("paths", "/pets", "get")


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0", "1.0", "1.1.7"])
@pytest.mark.parametrize(
    ("action", "path", "expected"),
    [
        pytest.param(
            update("$", {"info": {"x-by": "us"}, "paths": {"/pets": {"summary": "s"}}, "tags": [{"name": "n"}]}),
            ("info",),
            {"title": "Pets", "version": "1", "x-by": "us"},
            id="an update in the document's own structure",
        ),
        pytest.param(
            update("$.paths['/pets'].get", {"description": "new"}), (*GET, "description"), "new", id="replaced"
        ),
        pytest.param(update("$.paths.*.get", {"x-safe": True}), (*GET, "x-safe"), True, id="wildcard"),
        pytest.param(
            update("$.paths.*.get.parameters[?@.name=='filter' && @.in=='query']", {"schema": {"type": "string"}}),
            (*GET, "parameters", 0),
            {"name": "filter", "in": "query", "schema": {"type": "string"}},
            id="filtered",
        ),
        pytest.param(
            update("$.paths.*.get.parameters", {"name": "new", "in": "query"}),
            (*GET, "parameters", 2),
            {"name": "new", "in": "query"},
            id="an entry appended to an array",
        ),
        pytest.param(
            update("$.paths.*.get", {"tags": ["new"]}),
            (*GET, "tags"),
            ["pets", "dummy", "old", "new"],
            id="merged arrays",
        ),
        pytest.param(
            update("$.paths[?@.get['x-traits'][?@ == 'paged']].get", {"parameters": [{"name": "top", "in": "query"}]}),
            (*GET, "parameters", 2),
            {"name": "top", "in": "query"},
            id="traits",
        ),
        pytest.param(
            remove("$.paths.*.get.parameters[?@.name == 'dummy']"),
            (*GET, "parameters"),
            [{"name": "filter", "in": "query"}],
            id="an array's entry removed",
        ),
        pytest.param(remove("$.paths['/pets'].get.tags[0]"), (*GET, "tags", 0), "dummy", id="a primitive removed"),
        pytest.param(remove("$.paths['/pets']"), ("paths",), {"/items": ITEMS}, id="an object's member removed"),
    ],
)
def test_actions_of_both_versions_change_the_document(version, action, path, expected):
    assert at(changed(action, version=version), *path) == expected


@pytest.mark.parametrize(
    ("actions", "path", "expected"),
    [
        pytest.param([update("$.info.title", "new")], ("info", "title"), "new", id="a primitive replaced"),
        pytest.param([update("$.info.title", None)], ("info", "title"), None, id="by null"),
        pytest.param([update("$..tags[1]", "new")], (*GET, "tags"), ["pets", "new", "old"], id="in an array"),
        pytest.param([update("$..tags", ["a", "b"])], (*GET, "tags", 4), "b", id="an array concatenated"),
        pytest.param([update("$..tags", "a")], (*GET, "tags", 3), "a", id="a primitive appended"),
        pytest.param([remove("$..tags[?@ == 'dummy']")], (*GET, "tags"), ["pets", "old"], id="a primitive removed"),
        pytest.param([remove("$..tags[0,2]")], (*GET, "tags"), ["dummy"], id="two entries of one array removed"),
        pytest.param([remove("$.paths['/pets']..*")], ("paths", "/pets"), {}, id="what is in each other removed"),
        pytest.param(
            [copy("$.paths['/items']", "$.paths['/pets']")],
            ("paths", "/items"),
            {**PETS["paths"]["/pets"], "get": {**PETS["paths"]["/pets"]["get"], **ITEMS["get"]}},
            id="copied into an object",
        ),
        pytest.param(
            [
                update("$.paths", {"/new": {}}),
                copy("$.paths['/new']", "$.paths['/items']"),
                remove("$.paths['/items']"),
            ],
            ("paths",),
            {"/pets": PETS["paths"]["/pets"], "/new": ITEMS},
            id="moved",
        ),
        pytest.param(
            [update("$.paths", {"/new": {}}), copy("$.paths['/new']", "$.paths")],
            ("paths", "/new"),
            PETS["paths"] | {"/new": {}},
            id="copied into itself as it was",
        ),
        pytest.param(
            [
                copy("$.info", "$.paths['/items']"),
                update("$.info.get", {"x": 1}),
            ],
            ("paths", "/items"),
            ITEMS,
            id="a copy is apart from its source",
        ),
        pytest.param([update("$['info','info'].title", "a")], ("info", "title"), "a", id="selected twice"),
        pytest.param([update("$.paths.*['get','get'].tags", "a")], (*GET, "tags", 3), "a", id="appended once"),
        pytest.param(
            [{"target": "$.info", "remove": True, "update": {"x": 1}}, update("$", {"info": {"title": "t"}})],
            ("info",),
            {"title": "t"},
            id="remove wins, and what was removed can be made anew",
        ),
        pytest.param([{"target": "$.info", "update": {"a": 1}, "x-why": "ours"}], ("info", "a"), 1, id="extensions"),
        pytest.param([update("$.info", {"a": {"b": [1]}})] * 2, ("info", "a", "b"), [1, 1], id="not shared"),
        pytest.param([update("$.info[?match(@, 'P.*')]", "new")], ("info", "title"), "new", id="match"),
        pytest.param([update("$.info[?search(@, 'e[t]')]", "new")], ("info", "title"), "new", id="search"),
    ],
)
def test_actions_of_1_1_change_the_document(actions, path, expected):
    assert at(changed(*actions), *path) == expected


@pytest.mark.parametrize("step", [".a", "['a']", "[0]", "[?@.a]", "[:]", ".*", "[?@[0]]"])
def test_a_query_of_as_many_steps_as_it_may_have_is_answered(step):
    nested: Any = 1
    for _ in range(100):
        nested = {"a": nested}
    query = "$" + step * ((1_000 - 1) // len(step))
    assert applied(update(query, {}), to=document(a=nested)).notes


@pytest.mark.parametrize("target", ["$.nothing", "$.paths[?@.x == 1]", "$.info[?match(@, '(')]"])
def test_a_target_that_selects_nothing_changes_nothing_and_is_noted(target):
    done = applied(update("$.info", {"x": 1}), remove(target))
    assert [(note.kind, note.pointer) for note in done.notes] == [("overlay_unused", "#/actions/1")]
    assert done.notes[0].message == f"o.yaml: the target {target!r} selects nothing"


def test_an_action_of_a_target_alone_changes_nothing_and_is_noted():
    """Only the target is required (Overlay Specification, Action Object)."""
    done = applied({"target": "$.info", "description": "later"}, update("$.info", {"x": 1}))
    assert msgspec.json.decode(done.document.json)["info"]["x"] == 1
    assert [(note.kind, note.pointer) for note in done.notes] == [("overlay_unused", "#/actions/0")]
    assert "no update, copy or remove: true" in done.notes[0].message


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        (update("paths", {}), "'paths' is not JSONPath: "),
        (update("$.paths[", {}), "'$.paths[' is not JSONPath: "),
        (update("$.paths | $.info", {}), "is not JSONPath: "),
        (update("$[?" + "!" * 900 + "@]", {}), "is not JSONPath: "),
        (update("$" + ".a" * 600, {}), "the JSONPath has more than 1000 characters"),
        (update("$..a..b..c..d", {}), "'$..a..b..c..d' descends more than 3 times (`..`)"),
        (update("$.info[?count(@) == 1]", {}), "cannot be evaluated"),
        (update("$.info", "text"), "the target is of kind object; what is merged with it is of kind primitive"),
        (update("$.info", None), "the target is of kind object; what is merged with it is of kind primitive"),
        (update("$.info.title", {}), "the target is of kind primitive; what is merged with it is of kind object"),
        (update("$.info", {"title": []}), "'title' is of kind primitive and cannot be merged with kind array"),
        (update("$.paths", {"/pets": {"get": {"tags": "x"}}}), "'tags' is of kind array"),
        (update("$.paths['/pets'].get.*", {}), "nodes of more than one kind: array, primitive"),
        (remove("$"), "the root is in no object or array"),
        (copy("$.info", "$.nothing"), "`copy` must select one node; '$.nothing' selects 0"),
        (copy("$.info", "$.paths.*"), "selects 2"),
        (copy("$.info", "info"), "'info' is not JSONPath"),
        ({"target": "info"}, "'info' is not JSONPath"),
        ({"target": "$.info", "update": {}, "copy": "$"}, "an action has `update` or `copy`, not both"),
        ({"target": "$.info", "remvoe": True}, "an action of version 1.1 has no field 'remvoe'"),
        ({"target": "$.info", "remove": "yes"}, "`remove` must be true or false"),
        ({"target": "$.info", "copy": 1}, "`copy` must be a string"),
        ({"target": 1, "update": {}}, "`target` must be a string"),
        ({"update": {}}, "`target` must be a string"),
        ("$.info", "an action must be an object"),
    ],
)
def test_an_action_that_cannot_be_carried_out_is_named_with_the_reason(action, problem):
    pointer, said = refusal(update("$.info", {"x": 1}), action)
    assert pointer == "#/actions/1"
    assert problem in said
    assert "\n" not in said


def test_copy_came_with_1_1():
    assert refusal(copy("$.info", "$.paths"), version="1.0.0")[1] == "an action of version 1.0 has no field 'copy'"


@pytest.mark.parametrize(
    ("text", "pointer", "problem"),
    [
        (b"openapi: 3.1.0\npaths: {}\n", "", "not an overlay: no `overlay` key at the top"),
        (b"- a\n", "", "not an overlay"),
        (b"", "", "the document is empty"),
        (b"overlay: [\n", "line 2, column 1", ""),
        (b"overlay: 1.2.0\nactions: []\n", "#/overlay", "version '1.2.0' is not supported; accepted are 1.0 and 1.1"),
        (b"overlay: []\nactions: []\n", "#/overlay", "is not supported"),
        (b"overlay: 1.0.0\nactions: []\n", "#/actions", "must be an array of at least one action"),
        (b"overlay: 1.0.0\n", "#/actions", "must be an array of at least one action"),
    ],
)
def test_what_is_no_overlay_is_refused_with_the_place(text, pointer, problem):
    with pytest.raises(SpecError) as caught:
        overlay.apply(document(), text, name="o.yaml")
    assert caught.value.pointer == pointer
    assert problem in caught.value.problem


def test_yaml_overlays_with_an_unquoted_version():
    text = b"overlay: 1.0\nactions: [{target: $.info, update: {x: 1}}]\n"
    assert b'"x":1' in overlay.apply(document(), text, name="o.yaml").document.json


def test_numbers_stay_as_they_were_spelt():
    numbers = b'{"openapi":"3.1.0","info":{"a":1.10,"b":1E+5,"c":-0.0,"d":123456789012345678901234567890}}'
    text = b'{"overlay":"1.0.0","actions":[{"target":"$.info","update":{"e":2.50}}]}'
    assert overlay.apply(parse(numbers), text, name="o").document.json == numbers[:-2] + b',"e":2.50}}'


@pytest.mark.parametrize(("in_document", "in_overlay"), [(b"1" * 5_000, b"1"), (b"1", b"1" * 5_000)])
def test_an_integer_beyond_python_is_refused(in_document, in_overlay):
    text = b"overlay: 1.0.0\nactions: [{target: $.info, update: {x: " + in_overlay + b"}}]\n"
    with pytest.raises(SpecError, match="has a number that is too long"):
        overlay.apply(parse(b"openapi: 3.1.0\ninfo: {y: " + in_document + b"}\n"), text, name="o.yaml")


def test_numbers_are_compared_as_numbers():
    done = changed({"target": "$.x[?@.n == 1.1]", "update": {"found": True}}, x=[{"n": 1.1}, {"n": 2}])
    assert done["x"] == [{"n": 1.1, "found": True}, {"n": 2}]


def test_the_dialect_is_read_from_the_changed_document():
    assert applied(update("$", {"openapi": "3.0.3"})).document.dialect == "3.0"


def test_a_changed_document_that_is_none_is_refused():
    assert refusal(remove("$.openapi")) == (
        "",
        "with the overlay applied: not an OpenAPI document: no `openapi` or `swagger` key at the top",
    )


def test_copies_that_double_the_document_are_bounded():
    doubling = [copy("$.x", "$.y"), copy("$.y", "$.x")] * 40
    problem = refusal(update("$", {"x": [1], "y": [1]}), *doubling, values=100_000)[1]
    assert problem == "the overlay adds more than 100000 values"


def test_a_document_that_grows_too_deep_is_refused():
    deep = [step for _ in range(20) for step in (update("$.info", {"x": {}}), copy("$.info.x", "$.info"))]
    assert "deeper than 16 levels" in refusal(*deep, depth=16)[1]


def test_a_pattern_runs_in_linear_time():
    done = changed(update("$.info[?match(@, '(a+)+b')]", "x"), info={"title": "a" * 5_000})
    assert done["info"]["title"] == "a" * 5_000
