"""The result of a tool call for a model: an API's answer, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any, assert_never

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.bridge.media import content
from openapi_mcp_server.bridge.media.by_parts import decode_by_parts
from openapi_mcp_server.bridge.media.large_json import is_large
from openapi_mcp_server.bridge.media.table import is_json
from openapi_mcp_server.bridge.model import OutputContract, Tool
from openapi_mcp_server.bridge.results import answer_headers, budget, failure, next_page
from openapi_mcp_server.bridge.schemas import validation
from openapi_mcp_server.bridge.schemas.excerpt import Excerpt
from openapi_mcp_server.bridge.schemas.outputs import NOTE
from openapi_mcp_server.errors import (
    ArgumentError,
    BadResponse,
    CredentialError,
    NoRoom,
    Refused,
    ServiceError,
    Timeout,
    TooLarge,
    Unreachable,
    UpstreamError,
)
from openapi_mcp_server.mcp.messages import TextContent, ToolResult
from openapi_mcp_server.openapi.json_schema import Error, Kind, Validator, compiled
from openapi_mcp_server.openapi.text.numbers import decode_doubles

MISMATCH = "openapi-mcp-server/outputMismatch"
"""Key in ``_meta`` for the reason why an answer's ``structuredContent`` is not as documented."""
TRUNCATED = "openapi-mcp-server/truncated"
"""Key in ``_meta``, true if a part of the answer is missing; the text names the part and how to get it."""
NEXT = "openapi-mcp-server/next"
"""Key in ``_meta`` for the arguments of the next call, which are also in the text."""
COMPILED_LIMIT = 2_048
"""The number of compiled output schemas that are kept, the same as of inputs."""
_NOTE = msgspec.json.encode(NOTE)
_HEADERS_ONLY = frozenset({"HEAD", "OPTIONS"})
"""Methods whose answers are useful for their headers."""
_EXPLAINING = validation.ERROR_WORK // 10
"""The work that is spent to find out where an answer does not fit: 10 ms, a tenth of what arguments get. A model can
mend its arguments, but no answer."""
_MISMATCH_LIMIT = 300
"""The most characters of a mismatch's description."""

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

Select = Callable[[content.AnswerContent], content.AnswerContent]
"""Selects the part of an answer that the model wants."""
CallError = ArgumentError | CredentialError | NoRoom | Timeout | Unreachable | Refused | TooLarge | BadResponse


class OutputValidators:
    """Checks answers against output schemas, each compiled when its tool is first called."""

    def __init__(self) -> None:
        self._compiled = lru_cache(maxsize=COMPILED_LIMIT)(_compile)

    def mismatch(self, contract: OutputContract, structured: bytes) -> str | None:
        """The part that does not fit, in words; None if everything fits."""
        if is_large(structured):
            return "it cannot be checked: it has too many values"
        schema = bytes(contract.schema)
        try:
            validator = self._compiled(schema)
            value = decode_by_parts(structured, decode=decode_doubles)
            _require_checkable(value, schema, structured)
        except (ValueError, RecursionError) as error:  # a schema that does not compile, a number beyond a double
            return f"it cannot be checked: {error}"[:_MISMATCH_LIMIT]
        if validator.is_valid(value):
            return None
        first = _first_error(validator, validation.affordable(value, schema, _EXPLAINING))
        if first is None:
            place = validation.place_of_wrong(value, schema, _EXPLAINING)
            return f"#{place}: something there does not fit"[:_MISMATCH_LIMIT]
        pointer = "".join(f"/{part}" for part in first.instance_path)
        return f"#{pointer}: {first.message}"[:_MISMATCH_LIMIT]


def _require_checkable(value: object, schema: bytes, structured: bytes) -> None:
    """Raises ValueError for a value whose check would take too long."""
    if validation.multiplies(value, schema):
        raise ValueError("too many alternatives lead to its parts")
    if validation.compares_too_much(value, schema, structured):
        raise ValueError("it has too many numbers to compare")


def render(
    tool: Tool,
    response: HttpResponse,
    validators: OutputValidators | None = None,
    *,
    select: Select | None = None,
    budget_bytes: int = 0,
    asked: Mapping[str, object] = budget.NOTHING,
) -> ToolResult:
    """The result of a call that the API answered. ``validators`` None: answers are not checked (VALIDATE_OUTPUT).

    ``select`` is the model's filter. An answer over ``budget_bytes`` (0: none) is cut. Its structure is the same cut
    JSON, and is checked in this form. ``asked`` are the small arguments of the call.
    """
    if not 200 <= response.status < 300:
        return _error(failure.explain(tool, response))
    if not response.body or content.is_blank_json(response):
        return _without_content(tool, response)
    uri = content.resource_uri(tool.api, tool.name)
    read = content.read(response, uri, json_by_any_name=is_json(tool.accept.partition(",")[0]))
    try:
        return _shown(tool, response, read, validators, select, budget_bytes, asked)
    except RecursionError:  # only a later reader gave up, which is called by more functions
        deep = content.deep_json(read.json or read.text) or read
        return _shown(tool, response, deep, validators, select, budget_bytes, asked)


def _shown(  # noqa: PLR0913, PLR0917 - as `render`
    tool: Tool,
    response: HttpResponse,
    read: content.AnswerContent,
    validators: OutputValidators | None,
    select: Select | None,
    budget_bytes: int,
    asked: Mapping[str, object],
) -> ToolResult:
    whole = read if select is None else select(read)
    body = budget.within(whole, tool, budget_bytes, asked)
    about = _about(tool, response, body)
    following = body.next or _next_page(tool, response, body, read, asked)
    if following is not None and body.next is None:
        about.append(f"Next page: call again with {next_page.Next(following)}.")
    structured, meta = _structured(tool, body, validators, "\n".join(about))
    if body is not whole or response.cut is not None:
        meta = {**(meta or {}), TRUNCATED: True}
    if following is not None:
        meta = {**(meta or {}), NEXT: following}
    blocks = (body.content, TextContent("\n".join(about))) if about else (body.content,)
    return ToolResult(content=blocks, structuredContent=structured, meta=meta)


def _next_page(
    tool: Tool,
    response: HttpResponse,
    shown: content.AnswerContent,
    read: content.AnswerContent,
    asked: Mapping[str, object],
) -> Mapping[str, str | int] | None:
    """The arguments for the page after an answer with all its rows, whatever a filter selects from them."""
    if tool.paging is None or shown.lacks or response.cut is not None:
        return None
    way = next_page.after_whole(tool, tool.paging, asked, response, read.json)
    return way.arguments if way else None


def _mending(error: CredentialError) -> str:
    if error.client:
        return "The person who runs this client can fix this."
    return "Try again later." if error.transient else "Only the operator of this server can fix this."


def from_error(error: ServiceError, tool: Tool) -> ToolResult:
    """The result of a call without an answer: the failure, whether the call may have taken effect, and what to do."""
    if not isinstance(error, CallError):  # faults of operators and documents show at the start, so this one is ours
        raise error
    match error:
        case ArgumentError():
            return _error(f"{error}\nNothing was sent to the API.")
        case CredentialError():
            return _error(f"{error}\nNothing was sent to the API. {_mending(error)}")
        case NoRoom() | Refused(outcome_unknown=False):
            return _error(f"Not sent: {error}")
        case Timeout() | Unreachable() | BadResponse() | Refused():
            return _error(f"{error}{failure.tries(error.retries)}\n{_outcome(error, tool)}")
        case TooLarge():
            warning = "" if tool.is_idempotent else f" {failure.UNKNOWN_OUTCOME}"
            return _error(f"{error}\nAsk for less: a page, a filter, fewer fields.{warning}")
        case _:
            assert_never(error)


def _outcome(error: UpstreamError, tool: Tool) -> str:
    if not error.outcome_unknown:
        return "Nothing was sent: the call can be repeated."
    return "The call can be repeated safely." if tool.is_idempotent else failure.UNKNOWN_OUTCOME


def _error(text: str) -> ToolResult:
    return ToolResult(content=(TextContent(text),), isError=True)


def _without_content(tool: Tool, response: HttpResponse) -> ToolResult:
    """The result of a success without a body: 204, 205, HEAD, or by the API's choice."""
    how = "perhaps not done yet" if response.status == HTTPStatus.ACCEPTED else "success"
    said = [f"The API answered {answer_headers.status_line(response)}: {how}, without content."]
    about = answer_headers.lines(response, tool, bare=tool.method in _HEADERS_ONLY)
    text = "\n".join(said + about)
    structured, meta = _structured(tool, None, None, text)
    return ToolResult(content=(TextContent(text),), structuredContent=structured, meta=meta)


def _about(tool: Tool, response: HttpResponse, body: content.AnswerContent) -> list[str]:
    """The notes about an answer, as a separate text, so that JSON stays JSON."""
    about = answer_headers.lines(response, tool)
    if response.status != 200:
        about.insert(0, f"Status: {answer_headers.status_line(response)}")
    if response.cut is not None:
        about.append(f"Note: the answer was cut {response.cut}.")
    return about + list(body.notes)


def _structured(
    tool: Tool, body: content.AnswerContent | None, validators: OutputValidators | None, about: str
) -> tuple[msgspec.Raw | msgspec.UnsetType, dict[str, Any] | msgspec.UnsetType]:
    """``structuredContent`` and ``_meta``. An undocumented answer is passed on with a note.

    ``about`` is added to the structure, since several clients show their model only that.
    """
    if tool.output is None:
        return msgspec.UNSET, msgspec.UNSET
    if body is not None and body.filtered and body.json is not None:
        return msgspec.Raw(_noted(b'{"filtered":%b}' % _value(body), about)), msgspec.UNSET
    compact = None if body is None else body.json
    if compact is not None and tool.output.wrapped:
        compact = b'{"result":%b}' % compact
    told = compact if compact is None else _noted(compact, about)
    problem = _problem(tool.output, told, validators)
    if problem is not None and told != compact:  # the note may not fit: a map of numbers, a closed object
        told, problem = compact, _problem(tool.output, compact, validators)
    if told is None or problem is not None:
        is_null = compact == b"null"  # schemas of answers allow null everywhere else
        structured = msgspec.Raw(_noted(b'{"undocumented":%b}' % _value(body), about))
        return structured, msgspec.UNSET if is_null else {MISMATCH: problem}
    return msgspec.Raw(told), msgspec.UNSET


def _noted(structured: bytes, about: str) -> bytes:
    """The JSON object with one more member for the notes ``about`` it."""
    if not about or not structured.startswith(b"{") or (_NOTE in structured and NOTE in _members(structured)):
        return structured
    comma = b"" if structured == b"{}" else b","
    return b"%b%b%b:%b}" % (structured[:-1], comma, _NOTE, msgspec.json.encode(about))


def _problem(output: OutputContract, structured: bytes | None, validators: OutputValidators | None) -> str | None:
    """The reason why this is not as documented, in words."""
    if structured is None:
        return "the answer is not JSON"
    if not structured.startswith(b"{"):  # 2025 revisions: structuredContent is an object
        return "#: the answer is not an object"
    return None if validators is None else validators.mismatch(output, structured)


def _value(body: content.AnswerContent | None) -> bytes:
    """An answer as JSON: the JSON itself, its text, or null for no content, pictures and files."""
    if body is not None and body.json is not None and _is_readable(body.json):
        return body.json
    return msgspec.json.encode(body.content.text if body and isinstance(body.content, TextContent) else None)


def _is_readable(json: bytes) -> bool:
    """Whether every client can read it. Clients in Go and Rust lose the whole message by a number beyond a double,
    clients in Python by a number of thousands of digits."""
    if is_large(json):
        return True
    try:
        decode_by_parts(json, decode=decode_doubles)
    except ValueError:
        return False
    return True


def _first_error(validator: Validator, excerpt: Excerpt) -> Error | None:
    """The first error. For alternatives at the root it is that of the first, since the others are for filtered and
    undocumented answers."""
    first = next(filter(excerpt.is_certain, validator.iter_errors(excerpt.value)), None)
    match first and first.kind:
        case Kind.AnyOf(context=[[own, *_], *_]) if first and not first.instance_path:
            return own
    return first


def _compile(schema: bytes) -> Validator:
    """The validator of an output schema; its errors do not repeat the answer."""
    return compiled(msgspec.json.decode(schema))
