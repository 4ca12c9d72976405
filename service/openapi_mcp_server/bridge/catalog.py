"""Makes the catalog from documents: every operation becomes a tool, is filtered, or is listed with a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, partial

import msgspec

from openapi_mcp_server.bridge import names, security, servers, text
from openapi_mcp_server.bridge.bodies.body_shape import BodySchemas
from openapi_mcp_server.bridge.compiled.listing import Listing
from openapi_mcp_server.bridge.model import ApiSummary, SkippedTool, Subject, Tool, ToolCatalog, ToolForm
from openapi_mcp_server.bridge.origins import BaseUrl, Origin
from openapi_mcp_server.bridge.policy import EVERYTHING, Rule
from openapi_mcp_server.bridge.schemas import inputs
from openapi_mcp_server.bridge.schemas.definitions import Definitions, Edited
from openapi_mcp_server.bridge.schemas.edits import removable_parts
from openapi_mcp_server.bridge.schemas.listed import Listings
from openapi_mcp_server.bridge.schemas.outputs import Outputs
from openapi_mcp_server.bridge.schemas.told import MERGED_BYTES
from openapi_mcp_server.bridge.servers import ApiPlace
from openapi_mcp_server.bridge.tools import overrides
from openapi_mcp_server.bridge.tools.api import (
    DOCUMENT_BYTES,
    LEAST_LIMITS,
    REACHED_BYTES,
    REACHED_TIMES,
    Api,
    Once,
    SchemaLimits,
)
from openapi_mcp_server.bridge.tools.argument import of_argument, of_parameter, of_slot, slot
from openapi_mcp_server.bridge.tools.entry import descriptions
from openapi_mcp_server.bridge.tools.overrides import Entries, Presentation
from openapi_mcp_server.bridge.tools.tool import Compiled, compile_operation
from openapi_mcp_server.errors import SpecError, fault_of
from openapi_mcp_server.openapi.model import ApiDescription, Note, Operation, SkippedOperation
from openapi_mcp_server.openapi.notes import Notes
from openapi_mcp_server.settings.auth import Identity

_DEFAULT_LIMITS = SchemaLimits()
_DEFAULT_FORM = ToolForm()
_SWITCHES = frozenset(
    {"access_token", "oauth_token", "key", "callback", "prettyPrint", "opt_pretty", "pretty", "quotaUser", "$.xgafv"}
)
_NEARLY_ALL, _MANY_OPERATIONS = 0.8, 8


class ApiSource(msgspec.Struct, frozen=True, kw_only=True):
    """One document to serve. If ``base`` is None, the document has the API's address. ``prefix``: names of tools begin
    with the API's name.

    ``location`` is the URL that the document was read from, empty for a file. ``allowed_origins`` are further origins
    for operations with servers of their own. ``strict_auth``: an operation that ``identity`` does not meet is skipped.
    """

    name: str
    base: BaseUrl | None
    description: ApiDescription
    location: str = ""
    include_tags: frozenset[str] = frozenset()
    exclude_tags: frozenset[str] = frozenset()
    prefix: bool = False
    allowed_origins: frozenset[Origin] = frozenset()
    identity: Identity = Identity()
    strict_auth: bool = False
    overrides: Entries = {}
    rule: Rule = EVERYTHING  # what it does not permit is served to nobody


class _Candidate(msgspec.Struct, frozen=True):
    operation: Operation
    presentation: Presentation
    wanted: names.Wanted


class _Outcome(msgspec.Struct):
    """The outcome of compiling one document's operations."""

    tools: list[Tool]
    skipped: list[SkippedTool]
    notes: Notes
    closed: list[Subject]
    filtered: int = 0
    size: int = 0  # bytes of the entries of its tools
    merges_no_more: bool = False


def build(
    sources: Sequence[ApiSource],
    form: ToolForm = _DEFAULT_FORM,
    *,
    limits: SchemaLimits = _DEFAULT_LIMITS,
    only_to_show: bool = False,
) -> ToolCatalog:
    """The catalog of all documents, in their order.

    Raises SpecError for a document with an unknown base URL, unless nothing will be called (``only_to_show``); then
    there is a note. Any other fault affects only its operation.
    """
    _require_different_names(sources)
    candidates = [_candidates(source) for source in sources]
    tool_names = iter(_unique_names(candidates, form.name_length))
    summaries, tools, skipped, closed, listing = [], {}, [], [], Listing()
    for source, own in zip(sources, candidates, strict=True):
        description = source.description
        identity = security.placed(source.identity, description.operations, description.security_schemes)
        place = servers.place(source.base, source.description, source.location)
        if place.unknown is not None and not only_to_show:
            named = f"{source.name}, " if len(sources) > 1 else ""
            raise SpecError(f"{named}{place.unknown.pointer}", place.unknown.problem)
        api = _api(source, place, limits, identity, form)
        outcome = _sort_out(source, api, place, [(next(tool_names), candidate) for candidate in own], listing)
        summaries.append(_summary(source, api, outcome))
        tools.update({each.name: each for each in outcome.tools})
        skipped += outcome.skipped
        closed += _nameable(outcome)
    if unused := [*_unused_selectors(sources, candidates), *_unused_tags(sources, candidates)]:
        summaries[0] = msgspec.structs.replace(summaries[0], notes=(*unused, *summaries[0].notes))
    return ToolCatalog(
        apis=tuple(summaries),
        tools=listing.given_back(tools),
        skipped=tuple(skipped),
        listed=listing.whole(),
        closed=tuple(closed),
    )


def _require_different_names(sources: Sequence[ApiSource]) -> None:
    for name, count in Counter(source.name for source in sources).items():
        if count > 1:
            raise SpecError("", f"{count} APIs are named {name!r}; their names must differ")


def _candidates(source: ApiSource) -> list[_Candidate]:
    operations = source.description.operations
    entries = overrides.by_own_keys(source.overrides, operations)
    return [_candidate(each, source, entries) for each in operations]


def _candidate(operation: Operation, source: ApiSource, entries: Entries) -> _Candidate:
    try:
        presentation = overrides.of(operation, entries)
        wanted = names.tool_name(operation, source.name if source.prefix else None, presentation.overrides.name)
    except Exception as error:  # noqa: BLE001 - one operation costs only itself
        presentation = Presentation(fault=fault_of(error, operation.pointer))
        wanted = names.Wanted("", operation.pointer)
    return _Candidate(operation, presentation, wanted)


def _unique_names(candidates: Iterable[Sequence[_Candidate]], length: int) -> list[str]:
    """Names for every operation of every document, also filtered and hidden ones, so that a filter never renames a
    tool."""
    return names.unique([each.wanted for own in candidates for each in own], length)


def _unused_selectors(sources: Sequence[ApiSource], candidates: Iterable[Sequence[_Candidate]]) -> list[Note]:
    """A note for each selector of the operator that selects nothing. A misspelt name in DENY_OPERATIONS would leave its
    operation open."""
    rule = sources[0].rule if sources else EVERYTHING
    allow, deny = list(dict.fromkeys(rule.allow or ())), list(dict.fromkeys(rule.deny))
    if allow or deny:
        for source, own in zip(sources, candidates, strict=True):
            for subject in (_subject(each, source) for each in own):
                allow = [one for one in allow if not one.selects(subject)]
                deny = [one for one in deny if not one.selects(subject) and not one.reaches(subject)]
    return [
        Note(pointer="#/paths", kind="override_unused", message=f"{setting}: {one.shown} selects no operation")
        for setting, selectors in (("ALLOW_OPERATIONS", allow), ("DENY_OPERATIONS", deny))
        for one in selectors
    ]


def _unused_tags(sources: Sequence[ApiSource], candidates: Iterable[Sequence[_Candidate]]) -> list[Note]:
    """A note for each tag of the operator that no operation of any document has. A misspelt tag in EXCLUDE_TAGS would
    hide nothing. The tags of skipped operations are unknown."""
    settings = {"INCLUDE_TAGS": sources[0].include_tags, "EXCLUDE_TAGS": sources[0].exclude_tags} if sources else {}
    if not any(settings.values()):
        return []
    known = sorted({tag for own in candidates for each in own for tag in _tags(each)})
    read = " that could be read" if any(source.description.skipped for source in sources) else ""
    return [
        Note(
            pointer="#/paths",
            kind="override_unused",
            message=f"{setting}: no operation{read} has the tag {tag!r}{_meant(tag, known)}",
        )
        for setting, tags in settings.items()
        for tag in sorted(tags.difference(known))
    ]


def _meant(tag: str, known: Sequence[str]) -> str:
    same = [each for each in known if each.casefold() == tag.casefold()]
    near = (same or names.nearest(tag, known))[:1]
    return "".join(f"; did you mean {each!r}?" for each in near)


def _place_notes(place: ApiPlace) -> list[Note]:
    if place.doubt:
        return [Note(pointer="#/servers", kind="base_url_doubtful", message=place.doubt)]
    if place.unknown is None:
        return []
    return [Note(pointer=place.unknown.pointer, kind="base_url_unknown", message=place.unknown.problem)]


def _api(source: ApiSource, place: ApiPlace, limits: SchemaLimits, identity: Identity, form: ToolForm) -> Api:
    schemas = source.description.request_schemas
    graph = Definitions(schemas)
    responses = Definitions(source.description.response_schemas)
    requests = inputs.source(schemas, graph)
    return Api(
        name=source.name,
        base=place.base,
        allowed_origins=source.allowed_origins,
        servers=place.documented,
        description=source.description,
        requests=requests,
        patches=inputs.source(Edited(schemas, removable_parts), graph),
        responses=responses,
        outputs=Outputs(responses),
        limits=limits,
        identity=identity,
        response_filter=form.response_filter,
        output_schemas=form.output_schemas,
        portable=form.portable,
        result_bytes=form.result_bytes,
        switches=_switches(source.description.operations),
        access=cache(partial(security.access, identity=identity, schemes=source.description.security_schemes)),
        slots=Once(slot, of_slot),
        arguments=Once(of_parameter, of_argument),
        bodies=BodySchemas(schemas, requests.exact),
        listings=Listings(),
    )


def _switches(operations: Sequence[Operation]) -> frozenset[str]:
    """Optional parameters of nearly all operations that only choose the format of an answer, or are a credential beside
    the configured ones. No task needs them, and in Gmail's list they take two fifths."""
    counts = Counter(
        parameter.name
        for operation in operations
        for parameter in operation.parameters
        if parameter.name in _SWITCHES and parameter.location == "query" and not parameter.required
    )
    if len(operations) < _MANY_OPERATIONS:
        return frozenset()
    return frozenset(name for name, count in counts.items() if count > _NEARLY_ALL * len(operations))


def _sort_out(
    source: ApiSource, api: Api, place: ApiPlace, named: Sequence[tuple[str, _Candidate]], listing: Listing
) -> _Outcome:
    unread = [SkippedTool(api=source.name, operation=each) for each in source.description.skipped]
    outcome = _Outcome(tools=[], skipped=unread, notes=Notes(), closed=[])
    outcome.notes.take(_place_notes(place))
    outcome.notes.take(source.description.notes)
    outcome.notes.take(overrides.unused(source.overrides, source.description))
    told = descriptions([(each.operation, each.presentation.overrides) for _, each in named])
    for (name, candidate), said in zip(named, told, strict=True):
        subject = _subject(candidate, source)
        if not _is_wanted(candidate, source) or not source.rule.permits(subject):
            outcome.filtered += 1
            outcome.closed.append(subject)
            continue
        if candidate.presentation.may_be_hidden:
            outcome.closed.append(subject)
        try:
            compiled = _compiled(name, said, subject, candidate, api)
            _require_access(compiled.tool, source)
        except Exception as error:  # noqa: BLE001 - one operation costs only itself
            outcome.skipped.append(_skipped(candidate, source, fault_of(error, candidate.operation.pointer)))
            continue
        outcome.tools.append(listing.take(compiled.tool))
        outcome.size += len(compiled.tool.entry)
        api = _within_limits(api, compiled.tool, outcome)
        outcome.notes.take(candidate.presentation.notes)
        outcome.notes.take(compiled.notes)
    return outcome


def _within_limits(api: Api, last: Tool, outcome: _Outcome) -> Api:
    """The API for the operations after ``last``. Notes which limits of the whole document are reached with it."""
    if api.merges_no_more and not outcome.merges_no_more:
        outcome.merges_no_more = True
        message = (
            f"with it references add over {MERGED_BYTES:,} bytes; what stands beside those that follow is not listed"
        )
        outcome.notes.add(last.pointer, "input_shortened", message)
    if api.limits != LEAST_LIMITS and (reached := _limit_reached(outcome.size, api)):
        api = msgspec.structs.replace(api, limits=LEAST_LIMITS)
        message = f"with it {reached}; schemas of the tools that follow are shortened"
        outcome.notes.add(last.pointer, "input_shortened", message)
    return api


def _limit_reached(size: int, api: Api) -> str:
    """Which limit of the whole document its tools have reached, in words; empty if none."""
    if size > DOCUMENT_BYTES:
        return f"the tools are over {DOCUMENT_BYTES:,} bytes"
    most = max(REACHED_BYTES, REACHED_TIMES * api.description.size)
    return f"the tools reach over {most:,} bytes of named schemas" if api.bytes_reached > most else ""


def _nameable(outcome: _Outcome) -> list[Subject]:
    """The closed operations that a call of a tool may name, by values in its path or by its query."""
    methods = {tool.method for tool in outcome.tools if "{" in tool.template}
    asking = {tool.method for tool in outcome.tools if any("query" in slot.location for slot in tool.slots)}
    return [one for one in outcome.closed if one.method in methods or ("?" in one.written and one.method in asking)]


def _is_wanted(candidate: _Candidate, source: ApiSource) -> bool:
    """Whether it has a tag of INCLUDE_TAGS, if that is set, and none of EXCLUDE_TAGS, which wins."""
    tags = set(_tags(candidate))
    return (not source.include_tags or not tags.isdisjoint(source.include_tags)) and tags.isdisjoint(
        source.exclude_tags
    )


def _tags(candidate: _Candidate) -> tuple[str, ...]:
    own = candidate.presentation.overrides.tags
    return candidate.operation.tags if own is None else own


def _subject(candidate: _Candidate, source: ApiSource) -> Subject:
    operation = candidate.operation
    return Subject(
        api=source.name,
        method=operation.method,
        path=operation.path,
        operation_id=operation.operation_id or "",
        tags=_tags(candidate),
        scopes=candidate.presentation.overrides.scopes or (),
        written=operation.written,
    )


def _compiled(name: str, said: str, subject: Subject, candidate: _Candidate, api: Api) -> Compiled:
    if candidate.presentation.fault is not None:
        raise candidate.presentation.fault.kept()
    if candidate.presentation.hidden_by:
        raise SpecError(candidate.operation.pointer, f"hidden by {candidate.presentation.hidden_by}")
    return compile_operation(candidate.operation, name, said, subject, candidate.presentation.overrides, api)


def _require_access(made: Tool, source: ApiSource) -> None:
    if source.strict_auth and made.access.kind == "unmet":
        raise SpecError(made.pointer, f"STRICT_AUTH: {made.access.reason}")


def _skipped(candidate: _Candidate, source: ApiSource, error: SpecError) -> SkippedTool:
    operation = candidate.operation
    skipped = SkippedOperation(
        pointer=error.pointer or operation.pointer,
        method=operation.method,
        path=operation.path,
        reason=error.problem,
    )
    subject = None if candidate.presentation.may_be_hidden else _subject(candidate, source)
    return SkippedTool(api=source.name, operation=skipped, subject=subject)


def _summary(source: ApiSource, api: Api, outcome: _Outcome) -> ApiSummary:
    description = source.description
    return ApiSummary(
        name=source.name,
        title=text.line(description.title, text.TITLE_LIMIT),
        version=description.version,
        dialect=description.dialect,
        base=api.base,
        origins=source.allowed_origins | {api.base.origin},
        tools=len(outcome.tools),
        filtered=outcome.filtered,
        notes=outcome.notes.all(),
        security_schemes=description.security_schemes,
        key_places=security.places(api.identity),
        identity=api.identity,
        unmet=sum(each.access.kind == "unmet" for each in outcome.tools),
    )
