"""What travels, word for word: to the server, the API and the model (M5, M11, M12, N1 to N8, N12)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
import trio

from attack import client
from attack.arguments import spoken
from attack.documents import TEXT, body, operation, parameter, value
from attack.outcomes import GotThrough, require
from attack.scene import Limits, Scene, Setup, register, served

# M5: who may ask for what is no call.

STRANGERS = {
    "host": client.get("/{}", host="evil.example"),
    "origin": client.get("/{}", headers=("Origin: https://evil.example",)),
}


async def _stranger(scene: Scene, path: bytes, sent: bytes) -> None:
    port = scene.metrics_port if path == b"metrics" else scene.port
    answer = await client.ask(port, sent.replace(b"{}", path))
    require(answer.status in {403, 421}, f"/{path.decode()} is answered with {answer.status} and {answer.size} bytes")


for path in ("health", "metrics"):
    for name, sent in STRANGERS.items():
        metrics = {"ENABLE_PROMETHEUS": "true", "PROMETHEUS_PORT": "0"} if path == "metrics" else {}
        setup = Setup(settings=metrics)
        register(f"M5/{path}-{name}", f"/{path} for a strange {name}", _stranger, path.encode(), sent, setup=setup)

# M11: what reaches the API as XML.

_OBJECT = value(TEXT, xml={"name": "root"})
_xml = operation("attacked", "/echo", "post", requestBody=body("application/xml", _OBJECT))
DOCTYPE = '<!DOCTYPE root [<!ENTITY x SYSTEM "file:///etc/passwd">]><root><v>&x;</v></root>'


async def _doctype(scene: Scene, argument: str) -> None:
    sent = (await scene.call("evil_attacked", {argument: DOCTYPE})).text
    if "<!DOCTYPE" in sent and "POST /echo" in sent:
        raise GotThrough("a document type with an external entity reaches the API")


async def _prefix(scene: Scene) -> None:
    given = {"v": "x", "xi:include": {"href": "file:///etc/passwd"}}
    for arguments in (given, {"body": given}):
        sent = (await scene.call("evil_attacked", arguments)).text
        if "<xi:include" in sent and "xmlns:xi" not in sent:
            raise GotThrough("an element with an undeclared prefix reaches the API")


_open = operation(
    "attacked", "/echo", "post", requestBody=body("application/xml", {**_OBJECT, "additionalProperties": True})
)
register("M11/doctype", "XML text with a DOCTYPE where an object is asked", _doctype, "body", setup=served(_xml))
register(
    "M11/doctype-open",
    "the same where additional properties are allowed",
    _doctype,
    "body",
    setup=served(_open),
)
register("M11/prefix", "a property named xi:include", _prefix, setup=served(_open))

# M12: invisible text of documents on its way to a model.

HIDDEN = "a\U000e0041\u202e\x1bb"
KEYWORDS: dict[str, object] = {
    "enum": {"type": "string", "enum": [HIDDEN, "other"]},
    "default": {"type": "string", "default": HIDDEN},
    "const": {"type": "string", "const": HIDDEN},
    "examples": {"type": "string", "examples": [HIDDEN]},
    "pattern": {"type": "string", "pattern": HIDDEN},
    "format": {"type": "string", "format": HIDDEN},
    "contentMediaType": {"type": "string", "contentMediaType": HIDDEN},
    "property": {"type": "object", "properties": {HIDDEN: TEXT}},
    "title": {"type": "string", "title": HIDDEN},
    "description": {"type": "string", "description": HIDDEN},
}


def _texts(value: object) -> Iterator[str]:
    """All text of a decoded message, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in [*value.keys(), *value.values()] if isinstance(value, dict) else value:
            yield from _texts(each)


async def _invisible(scene: Scene) -> None:
    """The spelling of JSON, ``\\u202e``, is for everybody to see, and may stand in a description."""
    listed = await scene.send(client.message("tools/list"))
    text = "".join(_texts(msgspec.json.decode(listed.body)))
    found = [hex(ord(letter)) for letter in HIDDEN if letter not in "ab" and letter in text]
    require(not found, f"{', '.join(found)} stand in the list of tools")


for keyword, schema in KEYWORDS.items():
    described = operation("attacked", "/p", "post", requestBody=body("application/json", value(schema)))
    register(f"M12/{keyword}", f"invisible characters in {keyword}", _invisible, setup=served(described))

# N1 to N4: envelopes.

PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
TWICE = {
    "method": b'{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"ping"}',
    "id": b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}',
    "params": b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":5},"params":{}}',
    "name": b'{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"x","name":"listPets"}}',
}


async def _twice(scene: Scene, sent: bytes) -> None:
    answer = await scene.send(sent)
    require(b'"error"' in answer.body, f"two equal keys are taken: {answer.body[:100]!r}")


for name, sent in TWICE.items():
    register(f"N1/{name}", f"a message with {name} twice", _twice, sent, setup=Setup())

HALF = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"getPet","arguments":{"petId":"\\ud800"}}}'


async def _half_over_sse(scene: Scene) -> None:
    session = await client.Session.open(scene.port)
    answer = await session.post(HALF)
    with trio.move_on_after(2):
        await session.until(rb'"id":7')
    require(b'"id":7' in session.received, f"no answer with its id: {answer.status} {answer.body[:100]!r}")


async def _half_over_http(scene: Scene) -> None:
    answer = await scene.send(HALF)
    require(b'"id":7' in answer.body, f"no answer with its id: {answer.body[:100]!r}")


async def _half_over_stdio(scene: Scene) -> None:
    said = await trio.to_thread.run_sync(spoken, scene, [HALF, PING], b'"id":1,')
    require(b'"id":7' in said, f"no answer with its id: {said[:100]!r}")


async def _ping_when_full(scene: Scene, method: str) -> None:
    calls = [client.call("evil_attacked", {}, number) for number in range(128)]
    asked = client.message(method, request_id=999)
    said = await trio.to_thread.run_sync(spoken, scene, [*calls, asked], b'"id":999')
    [line] = [line for line in said.splitlines() if b'"id":999' in line]
    require(b'"error"' not in line, f"refused: {line[:120]!r}")


register("N2/sse", "half a surrogate pair over HTTP+SSE", _half_over_sse, setup=Setup())
register("N2/http", "the same over Streamable HTTP", _half_over_http, setup=Setup())
_slow = operation("attacked", "/slow")
register("N2/stdio", "the same over stdio", _half_over_stdio, setup=served(_slow, stdio=True))
for method in ("ping", "tools/list"):
    register(
        f"N3/{method.replace('/', '-')}",
        f"{method} while 128 calls are in flight over stdio",
        _ping_when_full,
        method,
        setup=served(_slow, stdio=True),
    )


async def _leading_lines(scene: Scene) -> None:
    answer = await client.ask(scene.port, b"\r\n" + client.get("/livez"))
    require(answer.status == 200, f"CRLF before a request: {answer.status}")


register("N4", "CRLF before a request (RFC 9112 section 2.2)", _leading_lines, setup=Setup())

# N6 to N8: what reaches the API in its address.


def _echo(place: str, **keywords: object) -> Setup:
    path = "/echo/{v}/end" if place == "path" else "/echo"
    return served(operation("attacked", path, parameters=[parameter(place, TEXT, **keywords)]))


async def _address(scene: Scene, given: str, unwanted: str, documented: str) -> None:
    """``documented``: a pattern that the documentation holds where the address goes out so on purpose."""
    sent = (await scene.call("evil_attacked", {"v": given})).text.splitlines()[0]
    is_sent = sent.startswith("GET ") and unwanted in sent
    if is_sent and not re.search(documented, scene.program.documentation()):
        raise GotThrough(f"the API is asked for {sent[:100]}, and no page says why")


SPACE = r"\.\.%20"
ADDRESSES = {
    "N6": ("a;b=c", "a;b", "`;`", _echo("query", allowReserved=True)),
    "N7/space": ("..%20", "..%2520", SPACE, _echo("path")),
    "N7/space-kept": ("..%20", "..%20", SPACE, _echo("path", allowReserved=True)),
    "N7/full-width": ("\uff0e\uff0e", "%EF%BC%8E%EF%BC%8E", "(?i)full-?width", _echo("path")),
    "N7/overlong": ("%c0%ae%c0%ae", "%c0%ae", "(?i)%c0%ae", _echo("path", allowReserved=True)),
    "N8": ("a/b", "a%2Fb", "%2F", _echo("path")),
}
for name, (given, unwanted, documented, setup) in ADDRESSES.items():
    register(name, f"{given!r} in an address", _address, given, unwanted, documented, setup=setup)

# N12: what is repeated to a client.


async def _echoed(scene: Scene, method: str, params: object) -> None:
    answer = await scene.send(client.message(method, params))
    require(answer.size < 5_000, f"the answer has {answer.size} bytes")


MEGABYTE = "x" * 2**20
ECHOES: dict[str, tuple[str, object]] = {
    "prompt-name": ("prompts/get", {"name": MEGABYTE}),
    "prompt-argument": ("prompts/get", {"name": "getPet", "arguments": {"petId": MEGABYTE}}),
    "prompt-arguments": ("prompts/get", {"name": "getPet", "arguments": {MEGABYTE: "1"}}),
    "resource": ("resources/read", {"uri": "openapi://" + MEGABYTE}),
    "tool": ("tools/call", {"name": MEGABYTE}),
    "argument": ("tools/call", {"name": "getPet", "arguments": {MEGABYTE: 1}}),
    "value": ("tools/call", {"name": "getPet", "arguments": {"petId": MEGABYTE}}),
    "method": (MEGABYTE, {}),
    "cursor": ("tools/list", {"cursor": MEGABYTE}),
    "version": (
        "initialize",
        {"protocolVersion": MEGABYTE, "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}},
    ),
}
for name, (method, params) in ECHOES.items():
    register(f"N12/{name}", f"1 MB of text as {name}", _echoed, method, params, setup=Setup(), limits=Limits())
