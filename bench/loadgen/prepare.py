"""Before the load: which revision the server speaks, which tools it has, and calls to them that are worth making."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
import trio

from loadgen import made_up
from loadgen.engine import judge
from loadgen.failures import Failure, nursery
from loadgen.ledger import Ledger
from loadgen.made_up import Tool
from loadgen.messages import UNDECODABLE, Message, call, request
from loadgen.plan import LEGACY, MODERN, SSE_REVISION, Target, Template, UsageError
from loadgen.sessions import Session, asked, greet, within
from loadgen.transports import BY_TRANSPORT, closed, session_of
from openapi_mcp_server.mock.levels import NoValueError

REVISIONS = {"http": (MODERN, LEGACY), "stdio": (LEGACY, MODERN), "sse": (SSE_REVISION,)}
"""In the order in which they are tried. Over HTTP an unknown method is refused at once; over stdio a server of the
older era may say nothing at all to it."""
SLOW_SECONDS = 2.0
"""A tool that nobody named and that takes longer than this would be all that the load consists of."""
NAMED_SECONDS = 30.0
"""For the trial of a tool that was named."""
_HOPELESS = frozenset({"connect", "HTTP 401", "HTTP 403"})
"""Kinds of failures that another revision does not mend."""
PAGES = 1_000
TRIALS_AT_ONCE = 8
TRIALS_SECONDS = 60.0
"""For all trials: documents with ten thousand tools are not tried to the end."""
T = TypeVar("T")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The calls that were asked for: lines of a file, tools by name with their weights, or neither."""

    templates: tuple[Template, ...] = ()
    tools: Mapping[str, int] = {}


class LeftOut(msgspec.Struct, frozen=True):
    tool: str
    why: str


class Trial(msgspec.Struct, frozen=True):
    """``why`` is empty where the call went well."""

    template: Template
    why: str = ""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """``target`` has its revision; ``notes`` say what else a reader of the results should know."""

    target: Target
    server: str
    templates: tuple[Template, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()


class _Page(msgspec.Struct):
    """What may be left out may be null as well: not every server's language knows the difference."""

    tools: list[Tool] | None = None
    next_cursor: str | None = msgspec.field(default=None, name="nextCursor")


class _Named(msgspec.Struct):
    name: str | None = None
    version: str | None = None


class _Greeting(msgspec.Struct):
    protocol_version: str = msgspec.field(default="", name="protocolVersion")
    server: _Named | None = msgspec.field(default=None, name="serverInfo")
    meta: dict[str, Any] | None = msgspec.field(default=None, name="_meta")


async def prepare(target: Target, wanted: Wanted, run: int) -> Prepared:
    """Raises Failure where there is no such server, UsageError where it has no such tools."""
    ledger = Ledger(run)
    known, server = await _negotiated(target, ledger)
    async with session_of(known, ledger) as session:
        tools = await list_tools(session, known, ledger)
        tried = Trials(session, known, ledger)
        if wanted.templates:
            _check("--calls-from", tools, [each.tool for each in wanted.templates])
            return Prepared(target=known, server=server, templates=wanted.templates)
        if wanted.tools:
            _check("--tool", tools, list(wanted.tools))
            named = await tried.all([tool for tool in tools if tool.name in wanted.tools], NAMED_SECONDS)
            return _as_named(Prepared(target=known, server=server, templates=()), named, wanted.tools)
        safe = _safe(tools)
        return _as_safe(Prepared(target=known, server=server, templates=()), await tried.all(safe, SLOW_SECONDS))


def _check(option: str, tools: Sequence[Tool], names: Sequence[str]) -> None:
    have = {tool.name for tool in tools}
    for name in names:
        if name not in have:
            some = ", ".join(sorted(have)[:10]) or "none"
            raise UsageError(f"{option}: the server has no tool {name}; it has {len(have)}: {some}")


def _safe(tools: Sequence[Tool]) -> list[Tool]:
    if not tools:
        raise Failure("no tools", "the server's list of tools is empty")
    safe = [tool for tool in tools if tool.is_safe]
    if not safe:
        raise UsageError(
            f"--tool: none of {len(tools)} tools says that it is safe to call (readOnlyHint); name those that may be "
            f"called, such as --tool {tools[0].name}"
        )
    return safe


def _as_named(base: Prepared, tried: Sequence[Trial], weights: Mapping[str, int]) -> Prepared:
    """A tool that was asked for is called even where its trial failed; a note says so."""
    notes = tuple(f"the trial of {each.template.tool} failed: {each.why}" for each in tried if each.why)
    weighted = tuple(msgspec.structs.replace(each.template, weight=weights[each.template.tool]) for each in tried)
    return msgspec.structs.replace(base, templates=weighted, notes=notes)


def _as_safe(base: Prepared, tried: Sequence[Trial]) -> Prepared:
    left_out = tuple(LeftOut(each.template.tool, each.why) for each in tried if each.why)
    templates = tuple(each.template for each in tried if not each.why)
    if templates:
        return msgspec.structs.replace(base, templates=templates, left_out=left_out)
    raise UsageError(
        f"--tool: none of {len(left_out)} safe tools has answered a call with made-up arguments; {left_out[0].tool}: "
        f"{left_out[0].why}; call one all the same with --tool, or with arguments of your own with --calls-from"
    )


async def _negotiated(target: Target, ledger: Ledger) -> tuple[Target, str]:
    tried = (target.revision,) if target.revision else REVISIONS[target.transport]
    failure: Failure | None = None
    for revision in tried:
        try:
            return await _greeted(msgspec.structs.replace(target, revision=revision), ledger)
        except Failure as found:
            if failure is None or found.kind != "error -32601":  # a method that is unknown says least
                failure = found
            if found.kind in _HOPELESS or (found.kind == "timeout" and target.transport == "stdio"):
                break
    raise failure or Failure("not MCP", "no revision was tried")


async def _greeted(target: Target, ledger: Ledger) -> tuple[Target, str]:
    """The target with the revision that the server chose, and the server's own name."""
    async with nursery() as tasks:
        session = await BY_TRANSPORT[target.transport](target, ledger, tasks)
        try:
            if target.is_modern:
                answer = await asked(session, request("server/discover", {}, MODERN), ledger)
            else:
                answer = await greet(session, target, ledger)
            found = _read(answer, _Greeting)
        finally:
            await closed(session)
        info, server = (found.meta or {}).get("io.modelcontextprotocol/serverInfo") or {}, found.server or _Named()
        named = [server.name or info.get("name"), server.version or info.get("version")]
        revision = target.revision if target.is_modern else found.protocol_version or target.revision
        return msgspec.structs.replace(target, revision=revision), " ".join(str(each) for each in named if each)


def _read(answer: Message, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.result, type=kind)
    except UNDECODABLE as error:
        raise Failure("not MCP", f"the server's answer has another shape: {error}") from None


async def list_tools(session: Session, target: Target, ledger: Ledger) -> list[Tool]:
    """All pages."""
    tools: list[Tool] = []
    cursors: list[str] = []
    while len(cursors) < PAGES:
        where = {"cursor": cursors[-1]} if cursors else {}
        page = _read(await asked(session, request("tools/list", where, target.revision), ledger), _Page)
        tools += page.tools or []
        if not page.next_cursor:
            return tools
        if page.next_cursor in cursors:
            raise Failure("tools/list", f"its page {page.next_cursor!r} leads to itself")
        cursors.append(page.next_cursor)
    raise Failure("tools/list", f"it has more than {PAGES:,} pages")


class Trials:
    """One call or a few to each tool, to find arguments that it takes and whether it says a number back."""

    def __init__(self, session: Session, target: Target, ledger: Ledger) -> None:
        self._session = session
        self._target = target
        self._ledger = ledger

    async def all(self, tools: Sequence[Tool], seconds: float) -> list[Trial]:
        """In the order of the tools."""
        found: dict[str, Trial] = {}
        turn = trio.CapacityLimiter(TRIALS_AT_ONCE)
        deadline = trio.current_time() + TRIALS_SECONDS

        async def one(tool: Tool) -> None:
            async with turn:
                late = Trial(_empty(tool), f"its trial did not come up within {TRIALS_SECONDS:g} s")
                found[tool.name] = await self._one(tool, seconds) if trio.current_time() < deadline else late

        async with nursery() as tasks:
            for tool in tools:
                tasks.start_soon(one, tool)
        return [found[tool.name] for tool in tools]

    async def _one(self, tool: Tool, seconds: float) -> Trial:
        """With the required arguments, then with all of them."""
        failed: list[Trial] = []
        for whole in (False, True):
            template = _empty(tool)
            try:
                template = made_up.plain(tool, whole=whole)
                await self._call(template, seconds)
            except (NoValueError, Failure) as error:
                failed.append(Trial(template, str(error)))
            else:
                return Trial(await self._checked(tool, seconds) or template)
        return failed[0]

    async def _checked(self, tool: Tool, seconds: float) -> Template | None:
        """With a number in one argument that the answer carries back; None where there is no such argument."""
        with suppress(NoValueError):
            for template in made_up.numbered(tool):
                with suppress(Failure):
                    await self._call(template, seconds)
                    return template
        return None

    async def _call(self, template: Template, seconds: float) -> None:
        number = self._ledger.issue()
        try:
            with within(seconds, "no answer"):
                answer = await self._session.ask(call(template, self._target.revision), number)
            judge(answer.message, template, number, self._ledger)
        finally:
            self._ledger.settle(number)


def _empty(tool: Tool) -> Template:
    return Template(tool=tool.name, arguments=msgspec.Raw(b"{}"))
