"""The mock as an ASGI application: a request finds its operation, and is answered as the document says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import anyio

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.mock.answers import NO_BODY, Answer, Answers, problem
from openapi_mcp_server.mock.routes import Routes
from openapi_mcp_server.openapi.model import ApiDescription
from openapi_mcp_server.openapi.text.document import Document

HIGHEST_SEED = 9_999
LONGEST_DELAY_SECONDS = 60.0

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Preferences(NamedTuple):
    """The preferences of a Prefer header (RFC 7240): ``code=404, delay=2``. Others are not known and do no harm."""

    code: int | None = None
    delay_seconds: float = 0.0


class _Api(NamedTuple):
    prefix: str
    bases: tuple[str, ...]  # paths of its servers, which clients may put before those of operations
    routes: Routes
    answers: Answers


class MockApp:
    """Each document at a path of its own: ``paths``, which is empty where there is only one."""

    def __init__(self, apis: Sequence[tuple[str, Document, ApiDescription]], seed: int = 0) -> None:
        several = len(apis) > 1
        self._apis = [
            _Api(f"/{name}" if several else "", _bases(each), Routes(each.operations), Answers(document, each, seed))
            for name, document, each in apis
        ]
        self.paths = [api.prefix for api in self._apis]

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        await _read(receive)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        path = scope.get("raw_path", scope["path"].encode()).decode("latin-1").partition("?")[0]
        try:
            wanted = preferences(headers.get("prefer", ""))
        except ValueError as error:
            answer = problem(400, f"Prefer: {error}")
        else:
            await anyio.sleep(wanted.delay_seconds)
            query = scope["query_string"].decode("latin-1")
            answer = self.answer(scope["method"], path, query, headers.get("accept", ""), wanted.code)
        await _tell(answer, send, is_head=scope["method"] == "HEAD")

    def answer(self, method: str, path: str, query: str = "", accept: str = "", code: int | None = None) -> Answer:
        """``path`` and ``query`` percent-encoded."""
        others: set[str] = set()
        for api in self._apis:
            if api.prefix and not path.startswith(f"{api.prefix}/"):
                continue
            for base in api.bases:
                inner = path.removeprefix(api.prefix)
                if not inner.startswith(f"{base}/"):
                    continue
                inner = inner.removeprefix(base)
                if (operation := api.routes.find(method, inner, query)) is not None:
                    return api.answers.answer(operation, accept, code)
                others.update(api.routes.methods(inner))
        if others:
            allow = ", ".join(sorted(others))
            return problem(405, f"the document has {allow} here")._replace(allow=allow)
        return problem(404, "the document has no operation here")


def seed(text: str) -> int:
    """The value of ``--seed``."""
    if not (text.isascii() and text.isdigit()) or len(text) > 4:
        raise ConfigError("--seed", f"{text[:20]!r} must be a whole number from 0 to {HIGHEST_SEED}")
    return int(text)


def preferences(header: str) -> Preferences:
    """The preferences in a request's Prefer header. Raises ValueError with what is wrong."""
    wanted = Preferences()
    for part in header.replace(";", ",").split(","):
        name, _, value = (each.strip() for each in part.partition("="))
        if name.lower() == "code":
            if value not in {str(number) for number in range(200, 600)}:
                raise ValueError(f"code={value[:20]} is no status from 200 to 599")
            wanted = wanted._replace(code=int(value))
        elif name.lower() == "delay":
            wanted = wanted._replace(delay_seconds=_seconds(value))
    return wanted


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_DELAY_SECONDS:
        raise ValueError(f"delay={text[:20]} is no number of seconds from 0 to {LONGEST_DELAY_SECONDS:g}")
    return seconds


def _bases(description: ApiDescription) -> tuple[str, ...]:
    """The paths before the operation's path: an empty one first, then those of the servers."""
    paths = [urlsplit(url).path.rstrip("/") for url in description.servers if "[" not in url]
    return tuple(dict.fromkeys(["", *paths]))


async def _read(receive: Receive) -> None:
    """Takes a request's body, which is thrown away."""
    while True:
        event = await receive()
        if event["type"] == "http.disconnect" or not event.get("more_body"):
            return


async def _tell(answer: Answer, send: Send, *, is_head: bool) -> None:
    headers = []
    if answer.status not in NO_BODY and not is_head:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    if answer.content_type:
        headers.append((b"content-type", answer.content_type.encode("latin-1", "replace")))
    if answer.allow:
        headers.append((b"allow", answer.allow.encode("ascii")))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else answer.body})
