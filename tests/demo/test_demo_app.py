"""The demo API does what its document says; talked to as an ASGI application."""

from __future__ import annotations

import anyio
import msgspec
import pytest

from openapi_mcp_server.demo.app import DemoApp
from openapi_mcp_server.demo.picture import tile


def ask(app, method, target, body=b"", content_type="application/json"):
    path, _, query = target.partition("?")
    headers = [(b"content-type", content_type.encode())]
    scope = {"method": method, "path": path, "query_string": query.encode(), "headers": headers}
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event):
        sent.append(event)

    anyio.run(app, scope, receive, send, backend="trio")
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, sent[1]["body"]


def test_list_pages_through_all_pets_by_its_link_header():
    app, target, names = DemoApp(), "/pets?limit=2", []
    while target:
        status, headers, body = ask(app, "GET", target)
        assert status == 200
        names += [pet["name"] for pet in msgspec.json.decode(body)["pets"]]
        target = headers.get("link", "").partition(">")[0].removeprefix("<")
    assert names == ["Mia", "Bello", "Hopsi", "Coco", "Nemo"]


def test_a_pet_is_created_changed_replaced_and_deleted():
    app = DemoApp()
    status, headers, _ = ask(app, "POST", "/pets", b'{"name":"Rex","species":"dog","price":1.5}')
    assert (status, headers["location"]) == (201, "/pets/6")
    _, _, body = ask(app, "PATCH", "/pets/6", b'{"price":null,"status":"sold"}', "application/merge-patch+json")
    assert msgspec.json.decode(body) == {"id": 6, "name": "Rex", "species": "dog", "status": "sold"}
    _, _, body = ask(app, "PUT", "/pets/6", b'{"id":99,"name":"Max","species":"cat"}')
    assert msgspec.json.decode(body) == {"id": 6, "name": "Max", "species": "cat", "status": "available"}
    assert ask(app, "DELETE", "/pets/6")[0] == 204
    assert ask(app, "GET", "/pets/6")[0] == 404


def test_search_ignores_case():
    status, _, body = ask(DemoApp(), "GET", "/pets/search?q=ELL")
    assert (status, [pet["name"] for pet in msgspec.json.decode(body)]) == (200, ["Bello"])


def test_an_uploaded_photo_is_the_picture_afterwards():
    app, photo = DemoApp(), tile((1, 2, 3))
    form = (
        b'--b\r\nContent-Disposition: form-data; name="photo"; filename="p.png"\r\nContent-Type: image/png\r\n\r\n'
        + photo
        + b'\r\n--b\r\nContent-Disposition: form-data; name="caption"\r\n\r\nhello\r\n--b--\r\n'
    )
    status, _, body = ask(app, "POST", "/pets/1/picture", form, "multipart/form-data; boundary=b")
    stored = {"bytes": len(photo), "type": "image/png", "name": "p.png", "caption": "hello"}
    assert (status, msgspec.json.decode(body)) == (200, stored)
    status, headers, body = ask(app, "GET", "/pets/1/picture")
    assert (status, headers["content-type"], body) == (200, "image/png", photo)


UNREADABLE = [
    b'{"name":"\xff","species":"cat"}',
    b'{"name":"x","species":"cat","x":%b}' % (b"[" * 3_000 + b"]" * 3_000),
]


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("GET", "/pets?limit=0", b"", 400),
        ("GET", f"/pets?after={'9' * 5_000}", b"", 400),
        ("GET", "/slow?seconds=nan", b"", 400),
        ("POST", "/pets", b'{"name":"x"}', 400),
        ("POST", "/pets", b"nonsense", 400),
        ("POST", "/pets/1/picture", b"no form", 400),
        ("PATCH", "/pets/1", b"[]", 400),
        *[("POST", "/pets", body, 400) for body in UNREADABLE],
        *[("PATCH", "/pets/1", body, 400) for body in UNREADABLE],
        ("GET", "/pets/77", b"", 404),
        ("GET", "/nowhere", b"", 404),
        ("DELETE", "/pets", b"", 405),
        ("GET", "/failures/503", b"", 503),
        ("GET", "/failures/200", b"", 404),
        ("POST", "/pets", b"x" * 3_000_000, 413),
    ],
)
def test_what_cannot_be_done_is_a_problem_document(method, target, body, status):
    answered, headers, problem = ask(DemoApp(), method, target, body)
    assert (answered, headers["content-type"]) == (status, "application/problem+json")
    assert msgspec.json.decode(problem)["status"] == status


def test_another_method_is_told_which_there_are() -> None:
    status, headers, _ = ask(DemoApp(), "DELETE", "/pets")
    assert (status, headers["allow"]) == (405, "GET, POST")


def test_it_says_that_it_is_ready_where_the_images_health_check_asks():
    assert ask(DemoApp(), "GET", "/readyz")[0] == 200
