"""The pet shop: its pets, in memory, and what each operation of ``openapi.yaml`` does with them."""

from __future__ import annotations

import email.policy
import http
import re
from collections.abc import Callable
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Literal
from urllib.parse import urlencode

import msgspec

from openapi_mcp_server.demo.picture import SIGNATURE, tile
from openapi_mcp_server.openapi.text.numbers import UNREADABLE

MAX_PETS = 1_000
MAX_PHOTO_BYTES = 1024 * 1024
MAX_FOUND = 100
LAST_ID = 999_999_999
"""The largest id that a path may have."""
SHOWN = 100
"""Characters of a wrong value that are repeated."""
_WHOLE = re.compile(r"[0-9]{1,9}")

Status = Literal["available", "reserved", "sold"]
Species = Literal["cat", "dog", "rabbit", "parrot", "fish"]


class Pet(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A pet as JSON has it; ``id`` is the shop's to give."""

    id: int = 0
    name: str
    species: Species
    status: Status | msgspec.UnsetType = msgspec.UNSET
    price: float | None = None
    born: str | None = None
    tags: list[str] | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """``query`` and ``headers`` hold every value of a name; header names are lower case."""

    parts: tuple[str, ...]  # what the path's holes matched
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    status: int = 200
    content_type: str = "application/json"
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Problem(Exception):
    """Ends a request with a problem document (RFC 9457)."""

    def __init__(self, status: int, detail: str, *headers: tuple[str, str]) -> None:
        super().__init__(detail)
        title = http.HTTPStatus(status).phrase
        body = msgspec.json.encode({"title": title, "status": status, "detail": detail})
        if status in {429, 503}:
            headers = (*headers, ("retry-after", "5"))
        self.answer = Answer(status=status, content_type="application/problem+json", body=body, headers=headers)


_FIRST: tuple[tuple[str, Species, float], ...] = (
    ("Mia", "cat", 120),
    ("Bello", "dog", 250),
    ("Hopsi", "rabbit", 40),
    ("Coco", "parrot", 380),
    ("Nemo", "fish", 12.5),
)
"""The pets that are there at the start."""

Operation = Callable[["PetShop", Request], Answer]


class PetShop:
    """Everything there is; every operation is one method."""

    def __init__(self) -> None:
        self._pets: dict[int, Pet] = {}
        self._photos: dict[int, bytes] = {}
        self._last_id = 0
        for name, species, price in _FIRST:
            self._add(Pet(name=name, species=species, status="available", price=price))

    def list(self, request: Request) -> Answer:
        limit = _number(request, "limit", default=20, least=1, most=100)
        after = _number(request, "after", default=0, least=0, most=LAST_ID)
        states = request.query.get("status", [])
        found = [pet for pet in self._pets.values() if pet.id > after and (not states or pet.status in states)]
        page = found[:limit]
        if len(found) <= limit:
            return _json({"pets": page})
        following = urlencode(
            {"limit": limit, "after": page[-1].id, **({"status": states} if states else {})}, doseq=True
        )
        return _json({"pets": page, "next": page[-1].id}, headers=(("link", f'</pets?{following}>; rel="next"'),))

    def create(self, request: Request) -> Answer:
        if len(self._pets) >= MAX_PETS:
            raise Problem(507, f"the shop holds {MAX_PETS} pets; remove one first")
        pet = self._add(_pet(request.body))
        return _json(pet, status=201, headers=(("location", f"/pets/{pet.id}"),))

    def search(self, request: Request) -> Answer:
        sought = request.query.get("q", [""])[0].lower()
        if not sought:
            raise Problem(400, "q: say what to look for")
        return _json([pet for pet in self._pets.values() if sought in pet.name.lower()][:MAX_FOUND])

    def get(self, request: Request) -> Answer:
        return _json(self._pet(request))

    def replace(self, request: Request) -> Answer:
        pet = self._pet(request)
        return self._store(pet.id, _pet(request.body))

    def update(self, request: Request) -> Answer:
        pet = self._pet(request)
        merged = {**_object(msgspec.json.encode(pet)), **_object(request.body)}  # RFC 7396; a pet is flat
        kept = {name: value for name, value in merged.items() if value is not None}
        return self._store(pet.id, _pet(msgspec.json.encode(kept)))

    def delete(self, request: Request) -> Answer:
        pet = self._pet(request)
        del self._pets[pet.id]
        self._photos.pop(pet.id, None)
        return Answer(status=204)

    def picture(self, request: Request) -> Answer:
        pet = self._pet(request)
        shade = pet.id * 47 % 256
        drawn = self._photos.get(pet.id) or tile((shade, 255 - shade, 128))
        return Answer(content_type="image/png", body=drawn)

    def upload(self, request: Request) -> Answer:
        pet = self._pet(request)
        fields = _multipart(request)
        photo = fields.get("photo")
        data = photo.get_payload(decode=True) if photo is not None else None
        if not isinstance(data, bytes) or not data.startswith(SIGNATURE) or len(data) > MAX_PHOTO_BYTES:
            raise Problem(400, f"photo: send a PNG of at most {MAX_PHOTO_BYTES} bytes")
        self._photos[pet.id] = data
        stored = {"bytes": len(data), "type": "image/png", "name": photo.get_filename() if photo else None}
        if (caption := fields.get("caption")) is not None:
            stored["caption"] = str(caption.get_content())
        return _json(stored)

    def fail(self, request: Request) -> Answer:
        status = int(request.parts[0])
        if status not in set(http.HTTPStatus) or status < 400:
            raise Problem(404, "only errors can be asked for")
        raise Problem(status, "You asked for this.")

    def _pet(self, request: Request) -> Pet:
        pet = self._pets.get(int(request.parts[0]))
        if pet is None:
            raise Problem(404, f"there is no pet {request.parts[0]}")
        return pet

    def _add(self, pet: Pet) -> Pet:
        self._last_id += 1
        pet.id = self._last_id
        self._pets[pet.id] = pet
        return pet

    def _store(self, pet_id: int, pet: Pet) -> Answer:
        pet.id = pet_id
        self._pets[pet_id] = pet
        return _json(pet)


def _pet(body: bytes) -> Pet:
    try:
        pet = msgspec.json.decode(body, type=Pet)
    except UNREADABLE as error:
        raise Problem(400, str(error)) from error
    if pet.status is msgspec.UNSET:
        pet.status = "available"
    return pet


def _object(body: bytes) -> dict[str, object]:
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except UNREADABLE as error:
        raise Problem(400, str(error)) from error


def _number(request: Request, name: str, *, default: int, least: int, most: int) -> int:
    text = request.query.get(name, [str(default)])[0]
    if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
        raise Problem(400, f"{name}: {text[:SHOWN]!r} is not a number from {least} to {most}")
    return int(text)


def _multipart(request: Request) -> dict[str, EmailMessage]:
    """The parts of a form by name (RFC 7578), by the standard library's MIME parser."""
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode("latin-1")
    message = BytesParser(EmailMessage, policy=email.policy.HTTP).parsebytes(head + request.body)
    if message.get_content_type() != "multipart/form-data" or not message.is_multipart():
        raise Problem(400, "send multipart/form-data")
    named = ((part.get_param("name", header="content-disposition"), part) for part in message.iter_parts())
    return {name: part for name, part in named if isinstance(name, str) and isinstance(part, EmailMessage)}


def _json(value: object, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(status=status, body=msgspec.json.encode(value), headers=headers)
