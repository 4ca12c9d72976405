"""A failed answer in words for a model: the API's message, and whether the call took effect."""

from __future__ import annotations

import html
import re
from http import HTTPStatus

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.bridge.media import content
from openapi_mcp_server.bridge.media.table import is_html
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.results import answer_headers
from openapi_mcp_server.bridge.text import visible
from openapi_mcp_server.mcp.messages import TextContent

EXCERPT_LIMIT = 2_000
"""The most bytes of an error's body that a model gets, enough for every useful list of faults."""
_HTML_LIMIT = 64 * 1024
"""The most bytes of a page that are searched for text."""
_LEVELS = 4
"""The levels of an error's JSON whose members are sorted."""
_HIDDEN = ("script", "style", "head", "svg", "noscript")
"""Elements without visible text."""
_TITLE = re.compile(r"<title[^<>]{0,200}>([^<>]{1,500})<", re.IGNORECASE)
_ADVICE = {
    401: "The credentials for this API are missing or not accepted; this server's operator has to mend that.",
    403: "The credentials configured for this API do not allow this.",
    407: "A proxy of the API asks for credentials; its operator has to mend that.",
    429: "Wait before the next call of this API.",
}
_ASKS_WHO = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
"""Some APIs answer 403 to unknown callers."""
UNKNOWN_OUTCOME = "The request may have been carried out: check before trying again."
DOUBTFUL = "An earlier attempt of this call failed without a clear outcome; it may have been carried out."


def explain(tool: Tool, response: HttpResponse) -> str:
    """The text of an error result for an answer outside 2xx."""
    said = [f"The API answered {answer_headers.status_line(response)}{tries(response.retries)}."]
    if response.status < 400:
        said.append(_redirect(response))
    else:
        said.append(visible(excerpt(_readable(response))))
        own = tool.access.advice if response.status in _ASKS_WHO else ""
        said.append(own or _ADVICE.get(response.status, ""))
        if response.status >= 500 and not tool.is_idempotent:
            said.append(UNKNOWN_OUTCOME)
        elif response.doubtful and not tool.is_safe:  # a second DELETE finds nothing
            said.append(DOUBTFUL)
    return "\n".join([line for line in said if line] + answer_headers.lines(response, tool))


def tries(retries: int) -> str:
    """The words that follow a failure that was not the first of its call."""
    return f" (tried {retries + 1} times)" if retries else ""


def excerpt(text: str) -> str:
    """The text cut to at most `EXCERPT_LIMIT` bytes, and how many were left out."""
    encoded = text.encode("utf-8", errors="replace")
    if len(encoded) <= EXCERPT_LIMIT:
        return text
    kept = encoded[:EXCERPT_LIMIT].decode("utf-8", errors="ignore")
    return f"{kept}… ({len(encoded) - EXCERPT_LIMIT} more bytes left out)"


def _redirect(response: HttpResponse) -> str:
    if response.status == 304:
        return "It sends no content to a conditional request; leave out the condition (If-None-Match, …) to get it."
    host = answer_headers.redirect_host(response)
    if host is None:
        return "It names no place to go to instead."
    where = host or "the same host"
    return f"It points to {where}. Only a GET that stays at its own origin is redirected, and at most three times."


def _readable(response: HttpResponse) -> str:
    """The useful part of an error's body; empty if there is none."""
    if not response.body[:_HTML_LIMIT].strip():
        return ""
    size = len(response.body)
    if size > _HTML_LIMIT:  # nobody reads all of it, so it is not parsed
        response = msgspec.structs.replace(response, body=response.body[:_HTML_LIMIT], cut="")
    body = content.read(response, "", json_by_any_name=True)
    content_type = response.header("content-type") or ""
    if body.json is not None:
        return _problem(body.json, response.status)
    if not isinstance(body.content, TextContent):
        return f"Its body is {size:,} bytes of {content_type or 'an unstated type'}."
    if is_html(content_type):
        return strip_html(body.content.text) or _title(body.content.text)
    return body.content.text.strip()


def _problem(compact: bytes, status: int) -> str:
    """Problem Details (RFC 9457) as sentences, whatever the declared type; other JSON as it is.

    Members that are not sentences follow as JSON: ``errors``, and all that the API adds.
    """
    try:
        members = msgspec.json.decode(compact, type=dict[str, msgspec.Raw])
        sentences = [text for name in ("title", "detail") if (text := _pop_text(members, name))]
    except (msgspec.DecodeError, RecursionError):
        return compact.decode()
    if not sentences:
        return _in_order(compact).decode()
    for name, said in (("status", b"%d" % status), ("type", b'"about:blank"')):
        if name in members and bytes(members[name]) == said:
            del members[name]
    told = ": ".join(sentences)
    return f"{told}\n{_in_order(msgspec.json.encode(members)).decode()}" if members else told


def _in_order(compact: bytes) -> bytes:
    """JSON in an order that, when cut, loses the stack trace and not the message; JSON that is not cut stays as it is,
    and so does what is nested too deeply to be read from here."""
    try:
        return _shortest_first(compact) if len(compact) > EXCERPT_LIMIT else compact
    except RecursionError:
        return compact


def _shortest_first(compact: bytes, levels: int = _LEVELS) -> bytes:
    opening = compact[:1]
    if not levels or opening not in {b"{", b"["}:
        return compact
    if opening == b"[":
        items = msgspec.json.decode(compact, type=list[msgspec.Raw])
        return msgspec.json.encode([msgspec.Raw(_shortest_first(bytes(each), levels - 1)) for each in items])
    members = msgspec.json.decode(compact, type=dict[str, msgspec.Raw])
    told = {name: _shortest_first(bytes(each), levels - 1) for name, each in members.items()}
    ordered = sorted(told.items(), key=lambda member: len(member[1]))
    return msgspec.json.encode({name: msgspec.Raw(each) for name, each in ordered})


def _pop_text(members: dict[str, msgspec.Raw], name: str) -> str:
    """Removes a member and returns its text; empty if it is no text."""
    raw = bytes(members.get(name, b""))
    if not raw.startswith(b'"'):
        return ""
    del members[name]
    return msgspec.json.decode(raw, type=str)


def _title(page: str) -> str:
    """The title of a page that has no text beside it."""
    found = _TITLE.search(page[:_HTML_LIMIT])
    return " ".join(html.unescape(found[1]).split()) if found else ""


def strip_html(page: str) -> str:
    """The text of a page without tags, scripts and styles, on one line. Linear in the page."""
    text = []
    hidden = ""
    for piece in f">{page[:_HTML_LIMIT]}".split("<"):
        tag, _, rest = piece.partition(">")
        name = "".join(tag.lower().split(maxsplit=1)[:1])
        if hidden:
            hidden = "" if name == f"/{hidden}" else hidden
        elif name in _HIDDEN:
            hidden = name
        if not hidden:
            text.append(rest)
    return " ".join(html.unescape(" ".join(text)).split())
