"""A mock answers as its document says: status, media type, example or a value that the schema takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import jsonschema_rs
import msgspec
import pytest

import mock_sweep
from documents import document
from openapi_mcp_server.mock.app import MockApp, preferences
from openapi_mcp_server.openapi.operations import describe
from processes import run, started

PET = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {"id": {"type": "integer"}, "name": {"type": "string"}},
}

BINARY = {"type": "string", "format": "binary"}
XML = {"type": "object", "xml": {"name": "pet"}, "properties": {"id": {"type": "integer"}}}


def app(responses: Any, *, seed: int = 0, method: str = "get", **root: Any) -> MockApp:
    """Of one operation at ``/x``."""
    whole = document(
        root.pop("dialect", "3.1"), paths={"/x": {method: {"operationId": "x", "responses": responses}}}, **root
    )
    return MockApp([("api", whole, describe(whole, exact_answers=True))], seed)


def content(schema: Any, name: str = "application/json", **rest: Any) -> Any:
    return {"200": {"description": "ok", "content": {name: {"schema": schema, **rest}}}}


def ask(app: MockApp, target: str = "/x", method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    path, _, query = target.partition("?")
    told = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"method": method, "path": path, "query_string": query.encode(), "headers": told}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(event: Any) -> None:
        sent.append(event)

    anyio.run(app, scope, receive, send, backend="trio")
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, sent[1]["body"]


def test_an_example_is_answered_and_without_one_a_value_that_fits() -> None:
    assert ask(app(content(PET, example={"id": 5, "name": "Mia"})))[2] == b'{"id":5,"name":"Mia"}'
    status, headers, body = ask(app(content(PET)))
    assert (status, headers["content-type"]) == (200, "application/json")
    assert jsonschema_rs.Draft202012Validator(PET).is_valid(msgspec.json.decode(body))


def _kind(**more: Any) -> Any:
    return {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}, **more}}


_KINDS = {"Cat": _kind(lives={"type": "integer"}), "Dog": _kind(pack={"type": "integer"})}
_SILENT = {name: {"type": "object", "properties": {name: {"type": "string"}}} for name in _KINDS}
_NUMBERED = {name: {"type": "object", "properties": {"kind": {"type": "integer"}}} for name in _KINDS}
_MAPPED = {"c": "#/components/schemas/Cat", "d": "Dog"}


@pytest.mark.parametrize("keyword", ["oneOf", "anyOf"])
@pytest.mark.parametrize(
    ("schemas", "mapping", "names"),
    [
        (_KINDS, None, {"Cat", "Dog"}),
        (_KINDS, _MAPPED, {"c", "d"}),
        (_KINDS, {"c": "Cat"}, {"c", "Dog"}),
        (_SILENT, None, {"Cat", "Dog"}),
        (_SILENT, _MAPPED, {"c", "d"}),
        (_NUMBERED, {"1": "Cat", "2": "Dog"}, {1, 2}),
    ],
)
def test_a_choice_is_answered_with_the_value_by_which_its_discriminator_names_it(
    keyword: str, schemas: Any, mapping: Any, names: set[Any]
) -> None:
    said = {"propertyName": "kind"} | ({"mapping": mapping} if mapping else {})
    answered = set()
    for first, second in (("Cat", "Dog"), ("Dog", "Cat")):
        choices = [{"$ref": f"#/components/schemas/{name}"} for name in (first, second)]
        schema = {keyword: choices, "discriminator": said}
        status, _, body = ask(app(content(schema), dialect="3.0", components={"schemas": schemas}))
        assert status == 200, body
        answered.add(msgspec.json.decode(body)["kind"])
    assert answered == names


def _family(listed: list[str] | None = None, **said: Any) -> Any:
    def made_of(name: str, **more: Any) -> Any:
        return {"allOf": [{"$ref": f"#/components/schemas/{name}"}, {"type": "object", "properties": more}]}

    kind = {"type": "string"} | ({"enum": listed} if listed else {})
    base = {"type": "object", "required": ["kind"], "properties": {"kind": kind}}
    return {
        "Pet": base | {"discriminator": {"propertyName": "kind", **said}},
        "Cat": made_of("Pet", lives={"type": "integer"}),
        "Lion": made_of("Cat", mane={"type": "boolean"}),
    }


@pytest.mark.parametrize("seed", [0, 3])
@pytest.mark.parametrize(
    ("family", "asked", "kind"),
    [
        (_family(), "Cat", "Cat"),
        (_family(), "Lion", "Lion"),
        (_family(mapping={"c": "Cat", "l": "#/components/schemas/Lion"}), "Cat", "c"),
        (_family(mapping={"c": "Cat", "l": "#/components/schemas/Lion"}), "Lion", "l"),
        (_family(["Dog", "Lion"]), "Lion", "Lion"),
        (_family(["cat"]), "Cat", "cat"),
        (_family() | {"Pets": {"type": "array", "items": {"$ref": "#/components/schemas/Pet"}}}, "Cat", "Cat"),
    ],
)
def test_a_kind_of_a_base_is_answered_with_the_value_that_selects_it(
    family: Any, asked: str, kind: str, seed: int
) -> None:
    schema = {"$ref": f"#/components/schemas/{asked}"}
    status, _, body = ask(app(content(schema), seed=seed, dialect="3.0", components={"schemas": family}))
    assert status == 200, body
    assert msgspec.json.decode(body)["kind"] == kind


def test_an_example_that_the_schema_does_not_take_is_not_answered() -> None:
    assert b"Mia" not in ask(app(content(PET, example={"name": "Mia"})))[2]


@pytest.mark.parametrize(
    ("dialect", "responses"),
    [
        ("3.0", content(PET, examples={"mia": {"value": {"id": 5, "name": "Mia"}}})),
        ("3.2", content(PET, examples={"mia": {"dataValue": {"id": 5, "name": "Mia"}}})),
        ("3.1", content(PET, examples={"mia": {"$ref": "#/components/examples/Mia"}})),
        ("2.0", {"200": {"schema": PET, "examples": {"application/json": {"id": 5, "name": "Mia"}}}}),
    ],
)
def test_examples_are_found_in_every_dialect(dialect: Any, responses: Any) -> None:
    root = {"components": {"examples": {"Mia": {"value": {"id": 5, "name": "Mia"}}}}}
    extra = {"produces": ["application/json"]} if dialect == "2.0" else root
    assert ask(app(responses, dialect=dialect, **extra))[2] == b'{"id":5,"name":"Mia"}'


def test_a_seed_gives_the_same_again_and_another_seed_something_else() -> None:
    first, again, other = (ask(app(content(PET), seed=seed))[2] for seed in (3, 3, 4))
    assert first == again != other


def test_status_and_delay_are_preferences_of_the_client() -> None:
    problem = {"404": {"description": "There is no such pet."}}
    status, headers, body = ask(app(content(PET) | problem), prefer="code=404")
    assert (status, headers["content-type"]) == (404, "application/problem+json")
    assert msgspec.json.decode(body)["detail"] == "There is no such pet."
    assert ask(app(content(PET)), prefer="code=503")[0] == 503
    assert preferences("delay=0.5, code=404; wait=1") == (404, 0.5)


@pytest.mark.parametrize("header", ["code=99", "code=x", "code=600", "delay=-1", "delay=1e9", "delay=nan", "code=²00"])
def test_a_preference_that_means_nothing_is_refused(header: str) -> None:
    status, _, body = ask(app(content(PET)), prefer=header)
    assert status == 400
    assert b"Prefer: " in body


@pytest.mark.parametrize(
    ("schema", "name", "body"),
    [
        ({"type": "string"}, "text/plain", b"text"),
        (BINARY, "image/png", b"\x89PNG"),
        (BINARY, "application/pdf", b"mock"),
        (XML, "application/xml", b"<pet"),
        ({"type": "array", "items": {"type": "integer"}}, "application/x-ndjson", b"1\n"),
        ({"type": "object"}, "audio/mpeg", b"mock"),
        ({"type": "object", "properties": {"a": {"type": "integer"}}}, "text/event-stream", b'data: {"a":1}\n\n'),
    ],
)  # fmt: skip
def test_each_media_type_is_answered_in_its_own_way(schema: Any, name: str, body: bytes) -> None:
    _, headers, got = ask(app(content(schema, name)))
    assert headers["content-type"] == name
    assert body in got


def test_the_client_says_which_media_type_it_wants() -> None:
    both = {"200": {"content": {"text/plain": {"schema": {"type": "string"}}, "application/json": {"schema": PET}}}}
    asked = {accept: ask(app(both), accept=accept)[1]["content-type"] for accept in ("", "text/*", "text/plain;q=0.1")}
    assert asked == {"": "application/json", "text/*": "text/plain", "text/plain;q=0.1": "text/plain"}


def test_an_answer_without_content_has_no_body() -> None:
    assert ask(app({"204": {"description": "done"}}, method="delete"), method="DELETE") == (204, {}, b"")


def test_what_no_value_satisfies_is_said_with_its_place() -> None:
    impossible = {"type": "integer", "minimum": 5, "maximum": 4}
    status, _, body = ask(app(content(impossible)))
    assert status == 501
    assert b"#/paths/~1x/get/responses/200" in body


def test_another_path_is_not_found_and_another_method_is_told_which_there_are() -> None:
    assert ask(app(content(PET)), "/y")[0] == 404
    status, headers, body = ask(app(content(PET)), method="POST")
    assert (status, headers["allow"]) == (405, "GET")
    assert b"GET" in body


def test_paths_of_the_servers_may_come_first() -> None:
    assert ask(app(content(PET), servers=[{"url": "https://api.example.com/v1"}]), "/v1/x")[0] == 200


def test_several_documents_have_paths_of_their_own() -> None:
    whole = document("3.1", paths={"/x": {"get": {"responses": content(PET)}}})
    both = MockApp([(name, whole, describe(whole, exact_answers=True)) for name in ("a", "b")])
    assert both.paths == ["/a", "/b"]
    assert [ask(both, target)[0] for target in ("/a/x", "/b/x", "/x")] == [200, 200, 404]


REAL = (
    "adyen-openapi__json__PaymentService-v50.json", "box-openapi__openapi.json", "moby__api__docs__v1.29.yaml",
    "guru__callfire.com.json", "guru__amazonaws.com__sdb.json", "spotify-web-api__fixed-spotify-open-api.yaml",
)  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_every_operation_of_a_real_document_is_answered_as_its_schema_says(name: str, specs_dir: Path) -> None:
    row = mock_sweep.sweep(specs_dir / "specs" / name, seed=0)
    assert row is not None
    assert row.operations
    assert row.wrong == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    operation = {"operationId": "getPet", "responses": content(PET, example={"id": 5, "name": "Mia"})}
    away = "https://api.example.com"
    root = {"openapi": "3.1.0", "info": {}, "servers": [{"url": away}], "paths": {"/pet": {"get": operation}}}
    (tmp_path / "pets.json").write_bytes(msgspec.json.encode(root))
    return tmp_path


def test_tools_are_served_in_front_of_a_mock(folder: Path) -> None:
    argv = ("--spec-path", f"{folder}/pets.json", "--mock", "--transport", "http", "--port", "0")
    with started("serve", *argv) as server:
        called = run("call", "getPet", "--server", server.url)
    assert (called.stdout, called.returncode) == ('{"id":5,"name":"Mia"}\n', 0)


def test_a_mock_says_where_it_is_and_answers_there(folder: Path) -> None:
    with started("mock", "--spec-path", f"{folder}/pets.json", "--port", "0") as server:
        url = str(server.wait_for(r" is answered at ")["message"]).split()[-1]
        called = run(
            "call", "getPet", "--spec-path", f"{folder}/pets.json", "--api-url", url, "--allow-private-networks"
        )
    assert called.stdout == '{"id":5,"name":"Mia"}\n', called.stderr


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--seed", "x"), "--seed: 'x' must be a whole number"),
        (("--host", "0.0.0.0"), "listen on 127.0.0.1"),
    ],
)
def test_bad_input_is_one_line(folder: Path, argv: tuple[str, ...], message: str) -> None:
    ended = run("mock", "--spec-path", f"{folder}/pets.json", "--port", "0", *argv)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert message in ended.stderr
