"""The catalog that is served, and the part of it that each class of callers sees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from openapi_mcp_server.aside import run_in_thread
from openapi_mcp_server.bridge import guide, prompts
from openapi_mcp_server.bridge.model import ApiSummary, Tool, ToolCatalog
from openapi_mcp_server.bridge.names import nearest
from openapi_mcp_server.bridge.policy import OperationPaths, Permit
from openapi_mcp_server.bridge.results.result import OutputValidators
from openapi_mcp_server.bridge.search.names import CALL, NAMES, SEARCH, is_searched, seen_tokens
from openapi_mcp_server.gateway.serving import Authorize, Serving
from openapi_mcp_server.mcp import answers
from openapi_mcp_server.mcp.inbound import Call, Rejection
from openapi_mcp_server.mcp.messages import INVALID_PARAMS
from openapi_mcp_server.mcp.strict_json import SHOWN_CHARACTERS

if TYPE_CHECKING:
    from openapi_mcp_server.bridge.search.index import Index
    from openapi_mcp_server.bridge.search.mode import Offer

CLASSES = 1_024
"""Classes of principals that are remembered, by the tools they may call. A further one replaces the oldest."""
DECISIONS = 8_192
"""Remembered decisions about who may call which tool. One takes 40 µs for a policy with twenty selectors."""
PREPARED = 8
"""Classes for which a reload prepares everything before the new catalog is served."""
VIEWS = 32
"""Different sets of tools for which lists are kept. Each may have several megabytes."""


class View:
    """The tools that one class of principals may call, and all lists and texts about them, made on first use."""

    def __init__(
        self,
        index: Indexing,
        offered: Mapping[str, Tool],
        apis: tuple[ApiSummary, ...],
        has_guide: bool,  # noqa: FBT001 - whether prompts for the whole API are offered
        offer: Offer | None,
        made: Callable[[View], answers.StaticAnswers],
    ) -> None:
        self.tools = index.part.tools
        self.skipped = index.part.skipped
        self.index = index
        self.prompts = offered
        self.apis = apis
        self.has_guide = has_guide
        self.offer = offer  # where the tools are searched instead of listed
        self._made = made

    @cached_property
    def static(self) -> answers.StaticAnswers:
        """Prepares all answers that can be prepared: 45 ms for 2,000 tools."""
        return self._made(self)


class Indexing:
    """The index of the operations of one view. It is made once, in a thread, at the first search.

    ``part``: what the view has of the catalog. The index has no word of other operations: hits and their order would
    tell a caller which words these have.
    """

    def __init__(self, part: ToolCatalog, limiter: anyio.CapacityLimiter) -> None:
        self.part = part
        self._limiter = limiter
        self._lock = anyio.Lock()
        self._index: Index | None = None

    async def get(self) -> Index:
        from openapi_mcp_server.bridge.search import index  # noqa: PLC0415 - its tables take 20 ms

        async with self._lock:
            if self._index is None:
                build = partial(index.build, self.part)
                self._index = await run_in_thread(build, abandon_on_cancel=True, limiter=self._limiter)
            return self._index


class ServedCatalog(msgspec.Struct, frozen=True, kw_only=True):
    """A catalog and everything made from it; it is replaced as a whole. A class gets its view at its first message."""

    catalog: ToolCatalog
    authorize: Authorize
    validators: OutputValidators | None
    views: dict[Permit, View]
    by_tools: dict[tuple[str, ...], View]
    asked: dict[Permit, None]  # all classes that asked, as many as are remembered
    admits: Callable[[Permit, str], bool]
    places: OperationPaths | None  # where something is kept from somebody


class CatalogViews:
    """The catalog that is served at the moment. ``changing``: the kinds of lists that can change."""

    def __init__(self, serving: Serving, changing: Iterable[str], catalog: ToolCatalog, authorize: Authorize) -> None:
        self._serving = serving
        self._changing = tuple(changing)
        self._indexing = anyio.CapacityLimiter(1)
        self.served = self._made(catalog, authorize)

    def recent(self) -> dict[Permit, bool]:
        """The classes that asked last, and whether they asked for lists."""
        views = [*self.served.views.items()][-PREPARED:]
        return {permit: "static" in vars(view) for permit, view in views}

    def prepared(self, catalog: ToolCatalog, authorize: Authorize, classes: Mapping[Permit, bool]) -> ServedCatalog:
        """A catalog with everything that these classes will ask for, made in a thread: 10,000 tools take 0.1 s."""
        made = self._made(catalog, authorize)
        for permit, has_lists in classes.items():
            view = made.views.get(permit) or self._add_view(made, permit, _admitted(catalog, permit))
            if has_lists:
                view.static  # noqa: B018 - made by being asked for
        return made

    def replace(self, made: ServedCatalog) -> ServedCatalog:
        """Serves a catalog from now on; returns the one before."""
        before, self.served = self.served, made
        return before

    def _made(self, catalog: ToolCatalog, authorize: Authorize) -> ServedCatalog:
        validators = OutputValidators() if self._serving.validate_output else None
        anybody = self._serving.anybody
        part = None if self._serving.private else _admitted(catalog, anybody)
        is_open = part is not None and len(part.tools) == len(catalog.tools) and not catalog.closed
        subjects = (tool.subject for tool in catalog.tools.values())
        served = ServedCatalog(
            catalog=catalog,
            authorize=authorize,
            validators=validators,
            views={},
            by_tools={},
            asked={},
            admits=lru_cache(maxsize=DECISIONS)(partial(_decided, catalog)),
            places=None if is_open else OperationPaths(subjects, catalog.closed),
        )
        if part is not None:
            self._add_view(served, anybody, part)
        return served

    def of(self, permit: Permit) -> View:
        views = self.served.views
        view = views.pop(permit, None)
        if view is None:
            return self._add_view(self.served, permit, _admitted(self.served.catalog, permit))
        views[permit] = view  # the last to have asked
        return view

    def _add_view(self, served: ServedCatalog, permit: Permit, part: ToolCatalog) -> View:
        """Classes that may know of the same operations share one view; an issuer's scopes may make many classes."""
        key = (*part.tools, *(f"{each.api} {each.operation.method} {each.operation.path}" for each in part.skipped))
        view = served.by_tools.get(key)
        if view is None:
            _make_room_for_view(served)
            view = served.by_tools[key] = self._viewed(part)
        _make_room(served.views, CLASSES)
        _make_room(served.asked, CLASSES)
        served.views[permit] = view
        served.asked[permit] = None
        return view

    async def index_ahead(self, seconds: float) -> None:
        """Makes the index of the view that was asked for last, after so many seconds. The others' are made at their
        first search, since each may take 0.3 s."""
        view = next(reversed(self.served.views.values()), None)
        if view is not None and view.offer is not None:
            await anyio.sleep(seconds)
            await view.index.get()

    def _viewed(self, part: ToolCatalog) -> View:
        tools = part.tools
        has_guide = self._serving.prompts is None and len(tools) > guide.FEW_TOOLS
        has_own = self._serving.prompts is not False and not has_guide
        offered = prompts.named([*tools.values()]) if has_own else {}
        apis = tuple(api for api in part.apis if any(tool.api == api.name for tool in tools.values()))
        offer, entries, listed = None, [tool.entry for tool in tools.values()], part.listed
        if is_searched(self._serving.mode, seen_tokens(tools.values()), self._serving.list_tokens):
            from openapi_mcp_server.bridge.search import mode  # noqa: PLC0415 - its tables take 20 ms

            offer = mode.offer(tools, part.skipped)
            titles = {api.name: api.title for api in part.apis}
            most, listed = self._serving.result_budget_bytes, None
            entries = mode.entries(offer, titles, most, portable=self._serving.portable)
        index = Indexing(part, self._indexing)
        return View(index, offered, apis, has_guide, offer, partial(self._static, entries, listed))

    def _static(self, tools: list[msgspec.Raw], listed: memoryview | None, view: View) -> answers.StaticAnswers:
        from openapi_mcp_server.bridge.search.document import with_document  # noqa: PLC0415 - not before it is asked

        own = [prompts.entry(name, tool) for name, tool in view.prompts.items()]
        shown = answers.ListedEntries(
            tools=tools,
            listed=listed,
            prompts=[*guide.ENTRIES] if view.has_guide else own,
            resources=guide.resources(view.apis, with_document(view.apis, view.tools)),
            templates=guide.templates(view.apis),
        )
        return answers.render(
            self._serving.server,
            shown,
            page_size=self._serving.page_size,
            changing=[kind.removesuffix("ListChanged") for kind in self._changing],
            private=self._serving.private,
        )


def _admitted(catalog: ToolCatalog, permit: Permit) -> ToolCatalog:
    """The part of a catalog that a class of callers may know of."""
    tools = {name: tool for name, tool in catalog.tools.items() if permit.admits(tool.subject)}
    skipped = tuple(one for one in catalog.skipped if one.subject is not None and permit.admits(one.subject))
    listed = catalog.listed if len(tools) == len(catalog.tools) else None
    return msgspec.structs.replace(catalog, tools=tools, skipped=skipped, listed=listed)


def _decided(catalog: ToolCatalog, permit: Permit, name: str) -> bool:
    return permit.admits(catalog.tools[name].subject)


def denied(served: ServedCatalog, offer: Offer, name: str) -> str:
    """The tool that a caller means, in whatever spelling, and may not call; for the audit. Empty if there is none."""
    from openapi_mcp_server.bridge.search import resolving  # noqa: PLC0415 - imported already where there is an offer

    tools = served.catalog.tools
    if len(offer.tools) == len(tools):
        return ""
    found = tools.get(name)
    if found is None and "/" in name:
        alike = [tool for tool, _ in resolving.by_place(tools, name)]
    else:
        alike = [each for each in (found or resolving.meant(tools, name),) if each is not None]
    return next((each.name for each in alike if each.name not in offer.tools), "")


def unknown_name(call: Call, kind: str, name: str, known: Iterable[str]) -> Rejection:
    near = nearest(name[:SHOWN_CHARACTERS], known)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    if known is NAMES:
        hint += f"; operations are found with {SEARCH} and called with {CALL}"
    message = f"unknown {kind} {name[:SHOWN_CHARACTERS]!r}{hint}"
    return Rejection(id=call.id, code=INVALID_PARAMS, message=message, status=200)


def let_go(served: list[ServedCatalog]) -> None:
    """Frees an unused catalog tool by tool. Freeing 10,000 tools at once would hold every thread for 25 ms."""
    tools = [*served.pop().catalog.tools.values()]
    while tools:
        tools.pop()


def has_changed(served: ServedCatalog, after: ToolCatalog) -> bool:
    """Whether the lists of any class that asked have changed. It compares changed tools only, since making the lists
    of all classes would take long."""
    before, permits = served.catalog, served.asked
    names = [name for name in {**before.tools, **after.tools} if _told(before, name) != _told(after, name)]
    moved = [*filter(after.tools.get, before.tools)] != [*filter(before.tools.get, after.tools)]

    def differs(permit: Permit) -> bool:
        return moved or any(_told_to(permit, before, name) != _told_to(permit, after, name) for name in names)

    return any(map(differs, permits))


def _told(catalog: ToolCatalog, name: str) -> tuple[Any, ...] | None:
    """All that lists say of a tool, and who is told."""
    tool = catalog.tools.get(name)
    return None if tool is None else (bytes(tool.entry), tool.title, tool.summary, tool.subject)


def _told_to(permit: Permit, catalog: ToolCatalog, name: str) -> tuple[Any, ...] | None:
    told = _told(catalog, name)
    return told[:-1] if told is not None and permit.admits(told[-1]) else None


def _make_room_for_view(served: ServedCatalog) -> None:
    """Makes room for one more view: the views of the classes that asked longest ago are dropped."""
    if len(served.by_tools) < VIEWS:
        return
    in_use = [*dict.fromkeys(map(id, reversed(served.views.values())))]
    kept = frozenset(in_use[: VIEWS - 1])
    for permit in [permit for permit, view in served.views.items() if id(view) not in kept]:
        del served.views[permit]
    for tools in [tools for tools, view in served.by_tools.items() if id(view) not in kept]:
        del served.by_tools[tools]


def _make_room(kept: dict[Any, Any], most: int) -> None:
    if len(kept) >= most:
        del kept[next(iter(kept))]  # the oldest
