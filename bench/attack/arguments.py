"""What a client can put into a message, and a document beside it: time of the event loop (B1, S1, S3, S6, S7, M9)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial

import msgspec
import trio

from attack import client
from attack.documents import (
    TEXT,
    Operation,
    body,
    document,
    hostile_text,
    numbers,
    operation,
    parameter,
    value,
)
from attack.outcomes import require
from attack.scene import Limits, Scene, Setup, one_call, register, served

SEMICOLONS = "; " * 60
DATA_URI = f"data:a/b{SEMICOLONS};\x01;base64,AAAA"
HOSTILE_TYPE = f"application/json{SEMICOLONS};\x01"
DIGITS = "1" * 15_900
"""What still goes the way of small arguments; longer ones are looked at less closely."""
FILE = {"type": "string", "contentMediaType": "image/png"}
HANGING = Limits(seconds=4)
ENCODED = {"type": "string", "contentEncoding": "base64"}
FILES = {
    "multipart": operation("attacked", "/u", "post", requestBody=body("multipart/form-data", value(FILE))),
    "binary": operation("attacked", "/u", "post", requestBody=body("image/*", FILE)),
    "base64": operation("attacked", "/u", "post", requestBody=body("application/json", value(ENCODED))),
    "base64-part": operation("attacked", "/u", "post", requestBody=body("multipart/mixed", value(ENCODED))),
}


async def _data_uri(scene: Scene, argument: str) -> None:
    await scene.call("evil_attacked", {argument: DATA_URI})


async def _demo_data_uri(scene: Scene) -> None:
    await scene.call("uploadPetPhoto", {"petId": 1, "photo": DATA_URI})


for name, described in FILES.items():
    argument = "body" if name == "binary" else "v"
    setup = served(described)
    register(f"B1/data-uri-{name}", "60 semicolons in a data: URI", _data_uri, argument, setup=setup, limits=HANGING)
register("B1/demo", "the same on the bundled demo", _demo_data_uri, setup=Setup(), limits=HANGING)


async def _nothing(_: Scene) -> None:
    """The start was the attack."""


def _with_types(*, asked: str = "application/json", answered: str = "application/json", part: str = "") -> bytes:
    content = {asked: {"schema": value(TEXT)}}
    if part:
        content = {"multipart/form-data": {"schema": value(TEXT), "encoding": {"v": {"contentType": part}}}}
    answers = {"200": {"description": "x", "content": {answered: {"schema": value(TEXT)}}}}
    attacked = operation("attacked", "/u", "post", requestBody={"content": content}, responses=answers)
    return document(attacked, operation("other", "/o"))


STARTS = {
    "body-type": partial(_with_types, asked=HOSTILE_TYPE),
    "answer-type": partial(_with_types, answered=HOSTILE_TYPE),
    "part-type": partial(_with_types, part=HOSTILE_TYPE),
}
for name, made in STARTS.items():
    does = f"60 semicolons as a document's {name.replace('-', ' ')}"
    register(f"B1/{name}", does, _nothing, setup=Setup(document=made, starts=True, start_seconds=8))


async def _reload(scene: Scene) -> None:
    scene.reload(STARTS["body-type"]())
    await trio.sleep(3)


register(
    "B1/reload",
    "the same in a document that changes while it is served",
    _reload,
    setup=served(operation("other", "/o"), settings={"SPEC_REFRESH_SECONDS": "1"}),
)
HEADERS = {
    "client-content-type": f"Content-Type: application/json{SEMICOLONS};(",
    "client-accept": f"Accept: application/json{SEMICOLONS};(, " + ";" * 30_000,
}


async def _header(scene: Scene, line: str) -> None:
    await scene.send(client.message("tools/list"), headers=(line,))


for name, line in HEADERS.items():
    register(
        f"B1/{name}",
        f"the same in a client's header {line.partition(':')[0]}",
        _header,
        line,
        setup=Setup(),
        limits=HANGING,
    )


register(
    "B1/api-content-type",
    "the same in the Content-Type of an API's answer",
    one_call,
    {},
    setup=served(operation("attacked", "/hostile-type")),
)

# S1: digits, in every place that an argument can have.

PLACES: dict[str, Operation] = {
    "path": operation("attacked", "/p/{v}", parameters=[parameter("path", TEXT)]),
    "query": operation("attacked", "/p", parameters=[parameter("query", TEXT)]),
    "header": operation("attacked", "/p", parameters=[parameter("header", TEXT)]),
    "cookie": operation("attacked", "/p", parameters=[parameter("cookie", TEXT)]),
    "json": operation("attacked", "/p", "post", requestBody=body("application/json", value(TEXT))),
    "form": operation("attacked", "/p", "post", requestBody=body("application/x-www-form-urlencoded", value(TEXT))),
    "multipart": operation("attacked", "/p", "post", requestBody=body("multipart/form-data", value(TEXT))),
    "xml": operation("attacked", "/p", "post", requestBody=body("application/xml", value(TEXT, xml={"name": "a"}))),
    "filter": operation("attacked", "/p"),
}


def _digits(place: str) -> dict[str, object]:
    if place == "xml":
        return {"body": {"v": DIGITS}}
    return {"response_filter" if place == "filter" else "v": DIGITS}


async def _digits_once(scene: Scene, place: str) -> None:
    await one_call(scene, _digits(place))


async def _digits_batch(scene: Scene) -> None:
    await scene.batch("evil_attacked", _digits("json"))


async def _digits_over_sse(scene: Scene) -> None:
    session = await client.Session.open(scene.port)
    await session.post(client.call("evil_attacked", _digits("json"), 7))
    await session.until(rb'"id":7')


async def _digits_of_a_prompt(scene: Scene) -> None:
    params = {"name": "evil_attacked", "arguments": {"v": DIGITS}}
    await scene.send(client.message("prompts/get", params))


async def _digits_over_stdio(scene: Scene) -> None:
    before = scene.server.cpu_seconds()
    await trio.to_thread.run_sync(spoken, scene, [client.call("evil_attacked", _digits("json"), 7)], b'"id":7')
    spent = scene.server.cpu_seconds() - before
    require(spent < 1.2, f"one message takes {spent:.1f} s of CPU, the start included")


def spoken(scene: Scene, messages: Sequence[object], awaited: bytes) -> bytes:
    """Over stdio: what has come up to the line with these bytes."""
    stdin, stdout = scene.server.process.stdin, scene.server.process.stdout
    assert stdin is not None
    assert stdout is not None
    for one in messages:
        stdin.write((one if isinstance(one, bytes) else msgspec.json.encode(one)) + b"\n")
    stdin.flush()
    said = b""
    while awaited not in said:
        piece = os.read(stdout.fileno(), 65_536)
        if not piece:
            break
        said += piece
    return said


for place, described in PLACES.items():
    setup = served(described)
    register(f"S1/{place}", f"16 kB of digits in an argument: {place}", _digits_once, place, setup=setup)
_json_place = served(PLACES["json"])
register("S1/batch", "32 such calls in a batch", _digits_batch, setup=_json_place, limits=Limits(held_ms=300))
register("S1/sse", "such a call over HTTP+SSE", _digits_over_sse, setup=_json_place)
register("S1/prompt", "such an argument of a prompt", _digits_of_a_prompt, setup=_json_place)
register(
    "S1/stdio",
    "such a call over stdio",
    _digits_over_stdio,
    setup=msgspec.structs.replace(_json_place, stdio=True),
)
LISTS: dict[str, object] = {
    "items": [DIGITS[:1_500]] * 10,
    "names": {DIGITS[:1_500] + str(n): 1 for n in range(10)},
    "fraction": "1." + DIGITS,
    "numbers-apart": "1 " * 7_900,
}


_anything = operation("attacked", "/p", "post", requestBody=body("application/json", value({})))
for name, given in LISTS.items():
    setup = served(_anything)
    register(f"S1/{name}", f"16 kB of digits in other shapes: {name}", one_call, {"v": given}, setup=setup)

# S3: XML.


def _xml(item: object, media_type: str = "application/xml") -> bytes:
    listed = {"type": "array", "items": item, "xml": {"wrapped": True, "name": "v"}}
    return document(
        operation("attacked", "/x", "post", requestBody=body(media_type, value(listed, xml={"name": "root"})))
    )


def _combined(keyword: str) -> dict[str, object]:
    return {keyword: [{"type": "object", "properties": {f"p{n}": TEXT}} for n in range(20)]}


EMPTY = msgspec.Raw(b"[" + b"{}," * 66_000 + b"{}]")
NESTED = msgspec.Raw(b"[" + b'{"p0":"","p1":"","p2":""},' * 15_000 + b"{}]")
XML: dict[str, tuple[object, object]] = {
    "numbers": ({"type": "integer"}, numbers(2_000_000)),
    "allOf": (_combined("allOf"), EMPTY),
    "anyOf": (_combined("anyOf"), EMPTY),
    "allOf-members": (_combined("allOf"), NESTED),
    "attributes": (
        {"type": "object", "properties": {f"p{n}": {"type": "string", "xml": {"attribute": True}} for n in range(3)}},
        NESTED,
    ),
}
for name, (item, given) in XML.items():
    setup = Setup(document=partial(_xml, item))
    limits = Limits(seconds=25)
    register(f"S3/{name}", f"a large list as XML: {name}", one_call, {"body": {"v": given}}, setup=setup, limits=limits)
_PART = {"type": "object", "properties": {"w": {"type": "array", "items": _combined("allOf")}}}
_PARTS = body("multipart/form-data", value(_PART), encoding={"v": {"contentType": "application/xml"}})
register(
    "S3/part",
    "the same as a part of another body",
    one_call,
    {"v": {"w": EMPTY}},
    setup=served(operation("attacked", "/x", "post", requestBody=_PARTS)),
    limits=Limits(seconds=25),
)

# S6: filters, at most 1,000 characters each.


def _repeated(begin: str, again: str, end: str, room: int = 990) -> str:
    return begin + again * ((room - len(begin) - len(end)) // len(again)) + end


FILTERS = {
    "equal-selves": ("/items", _repeated("[?", "@==@&&", "@==@]")),
    "equal-fields": ("/items", _repeated("[?", "a==b||", "a==b]")),
    "equal-literals": ("/items", _repeated("[?", "c!=`9`&&", "a!=b]")),
    "fields": ("/items", _repeated("[?", "a&&b&&c&&", "a]")),
    "selections": ("/items", "[*].{" + ",".join(f"a{n}:a" for n in range(16)) + "}"),
    "calls": ("/items", _repeated("[?", "contains(b,'x')||", "a]")),
    "sorts": ("/words", "[sort(@)[0],sort(@)[0],sort(@)[0],sort(@)[0],sort(@)[0],sort(@)[0]]"),
    "reverse": ("/words", "[reverse(@)[0],reverse(@)[0],reverse(@)[0],reverse(@)[0],reverse(@)[0]]"),
    "equal-large": ("/words", _repeated("[", "@==@,", "@==@]", 80)),
    "sort-by": ("/items", _repeated("", "sort_by(@,&b)|", "[0]")),
    "copies": ("/answer", "[@,@,@,@,@,@,@,@,@,@,@,@,@,@,@,@]"),
    "whole": ("/answer", "@"),
}
for name, (path, expression) in FILTERS.items():
    register(
        f"S6/{name}",
        f"a filter of {len(expression)} characters on the answer {path}: {name}",
        one_call,
        {"response_filter": expression},
        setup=served(operation("attacked", path)),
    )

# S7: patterns of documents, on long texts.

_LONG = hostile_text(4_000_000)
PATTERNS = {"1000": "a[ab]{1000}c", "100": "a[ab]{100}c", "alternatives": "(a|b|ab)*c", "optional": "^(a?){200}a{200}$"}
_TEXTS = [_LONG[start : start + 195] for start in range(0, 3_900_000, 195)]
LONG = Limits(seconds=20)


def _posted(schema: object) -> Setup:
    return served(operation("attacked", "/p", "post", requestBody=body("application/json", value(schema))))


for name, pattern in PATTERNS.items():
    does = f"4 MB of text under the pattern {pattern}"
    setup = _posted({"type": "string", "pattern": pattern})
    register(f"S7/{name}", does, one_call, {"v": _LONG}, setup=setup, limits=LONG)
_HEAVY = {"type": "string", "pattern": PATTERNS["100"]}
_NAMES = {"type": "object", "patternProperties": {PATTERNS["100"]: {}}, "additionalProperties": True}
_MANY = {"type": "array", "items": _HEAVY}
_ANSWER = {"200": {"description": "x", "content": {"application/json": {"schema": value(_HEAVY)}}}}
register(
    "S7/keys", "the same for the name of a member", one_call, {"v": {_LONG: 1}}, setup=_posted(_NAMES), limits=LONG
)
register("S7/many", "20,000 texts of 195 characters", one_call, {"v": _TEXTS}, setup=_posted(_MANY), limits=LONG)
register(
    "S7/answer",
    "the same for a text of 9 MB in an answer",
    one_call,
    {},
    setup=served(operation("attacked", "/string", responses=_ANSWER)),
    limits=LONG,
)

# M9: what is quadratic in a document, and paid for by every call.

_SPACES = "multipart/mixed; a=b" + " " * 20_000 + ";c=d"
register(
    "M9",
    "20,000 spaces in a document's multipart type",
    one_call,
    {"v": "x"},
    setup=served(operation("attacked", "/m", "post", requestBody=body(_SPACES, value(TEXT)))),
)

# M4: text of documents in normal form.


async def _combining(scene: Scene) -> None:
    # Two classes in turn: what has to be brought into order.
    prose = "a" + "\u0315\u0300" * 4_000
    described = (operation(f"t{n}", f"/t/{n}", description=prose) for n in range(60))
    scene.document.write_bytes(document(*described))
    scene.inspect(scene.document)


register("M4", "8 kB of combining characters in each of 60 descriptions", _combining, limits=Limits(cpu_seconds=1.2))
