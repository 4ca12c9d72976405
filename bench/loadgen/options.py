"""The command line. Whatever cannot be used is one line that names the option and says what to do."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from loadgen import expect, wire
from loadgen.expect import Expectation
from loadgen.messages import UNDECODABLE
from loadgen.plan import NONCE, NONCE_INTEGER, REVISIONS, Load, Target, Template, UsageError
from loadgen.prepare import Wanted

CLIENTS, OPEN_CLIENTS = 8, 64
"""By default; the open loop needs more of them, since each has one call in flight."""
LONGEST_SECONDS = 86_400
MOST_CLIENTS = 100_000
MOST_PROCESSES = 64
MOST_WEIGHT = 1_000_000
"""Of all calls together: each process has a place in memory for every one of them."""
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_ADDRESS = re.compile(r"[\w.-]+:\d+(/.*)?")
"""A host and a port, where no command has a colon."""
_OWN = frozenset(
    {
        *("host", "content-length", "content-type", "transfer-encoding", "connection", "user-agent"),
        *("accept", "accept-encoding"),
    }
)
_TRANSPORTS = ("http", "sse", "stdio")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    target: Target
    load: Load
    wanted: Wanted
    metrics: str
    json_path: str
    html_path: str
    expectations: tuple[Expectation, ...]


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """A line of ``--calls-from``."""

    tool: str
    arguments: dict[str, msgspec.Raw] = {}
    weight: int = 1


Group = argparse._ArgumentGroup  # noqa: SLF001 - it has no other name


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        of_command = "; the words of a command come after --" if message.startswith("unrecognized") else ""
        raise UsageError(re.sub(r"^argument ", "", message) + of_command)


def parse(argv: Sequence[str]) -> Options:
    """Raises UsageError; ``--help`` prints and leaves."""
    given = _parser().parse_args(argv)
    target = _target(given.target, given.transport, given.protocol, given.header)
    _different(("--calls-from", given.calls_from), ("--json", given.json), ("--html", given.html))
    return Options(
        target=target,
        load=_load(given, target),
        wanted=_wanted(given.tool, given.calls_from),
        metrics=_url("--metrics", given.metrics) if given.metrics else "",
        json_path=_writable("--json", given.json),
        html_path=_writable("--html", given.html),
        expectations=tuple(expect.parse(text) for text in given.expect),
    )


def _between(low: float, high: float, kind: type[int | float] = int) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = kind(-1)
        if not low <= value <= high:
            of = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{text!r} must be {of} from {low:g} to {high:g}")
        return value

    return number


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="scripts/loadgen",
        allow_abbrev=False,
        description="Load for any MCP server, by its URL or by the command that starts it over stdio. "
        "Exit code: 0 all is well; 1 answers were lost, mixed up, doubled or without their number, no call succeeded, "
        "an --expect was not met, or the server cannot be reached; 2 the command line cannot be used.",
        epilog="scripts/loadgen compare A.json B.json shows two results side by side.",
    )
    add = parser.add_argument
    add("target", nargs="+", metavar="URL | -- COMMAND …", help="http://127.0.0.1:8000/mcp, …/sse, or a command")
    add("--transport", choices=_TRANSPORTS, help="by default sse for a path that ends with /sse, else http")
    add(
        "--protocol",
        choices=REVISIONS,
        help="the revision to speak; by default the newest there is; over stdio one with a handshake",
    )
    add("--header", action="append", default=[], metavar="'NAME: VALUE'", help="with every request; may be repeated")
    _how_much(parser.add_argument_group("how much"))
    _which(parser.add_argument_group("which calls"))
    _output(parser.add_argument_group("what comes out"))
    return parser


def _how_much(group: Group) -> None:
    add = group.add_argument
    add(
        "--clients",
        type=_between(1, MOST_CLIENTS),
        metavar="N",
        help=f"sessions that call ({CLIENTS}; with --rate {OPEN_CLIENTS}; over stdio 1)",
    )
    add("--at-once", type=_between(1, 10_000), metavar="N", help="calls that each has in flight (1; over stdio 8)")
    add(
        "--rate",
        type=_between(0.001, 1e6, float),
        metavar="R",
        help="open loop: so many calls a second are due, however slow the answers are",
    )
    add(
        "--seconds",
        type=_between(0.1, LONGEST_SECONDS, float),
        metavar="S",
        help="how long (10; with --calls until they are made)",
    )
    add("--calls", type=_between(1, 10**9), default=0, metavar="N", help="at most so many calls")
    add(
        "--ramp",
        type=_between(0, LONGEST_SECONDS, float),
        default=0.0,
        metavar="S",
        help="clients begin, or the rate rises, over so many seconds",
    )
    add("--think", type=_between(0, 3600, float), default=0.0, metavar="S", help="a client's pause after each answer")
    add("--idle", type=_between(0, MOST_CLIENTS), default=0, metavar="N", help="sessions beside them that say nothing")
    add(
        "--timeout",
        type=_between(0.001, 3600, float),
        default=30.0,
        metavar="S",
        help="after which a call is lost (30)",
    )
    add("--processes", type=_between(1, MOST_PROCESSES), default=1, metavar="N", help="that make the calls (1)")


def _which(group: Group) -> None:
    add = group.add_argument
    add(
        "--tool",
        action="append",
        default=[],
        metavar="NAME[=WEIGHT]",
        help="may be repeated; without it every tool that says it is safe to call (readOnlyHint)",
    )
    add(
        "--calls-from",
        metavar="FILE",
        help='lines of JSON: {"tool": …, "arguments": {…}, "weight": 1}; '
        f'"{NONCE}" in an argument is the number that the answer must carry, "{NONCE_INTEGER}" the same as an integer',
    )


def _output(group: Group) -> None:
    add = group.add_argument
    add("--metrics", metavar="URL", help="the server's Prometheus page, read once a second")
    add("--json", default="", metavar="FILE", help="the result for programs; - is standard output")
    add("--html", default="", metavar="FILE", help="the result as one page, with charts")
    add("--expect", action="append", default=[], metavar="'p99<200ms'", help=f"may be repeated; of {expect.HELP}")


def _target(words: Sequence[str], transport: str | None, protocol: str | None, headers: Sequence[str]) -> Target:
    fields = tuple(_header(text) for text in headers)
    revision = protocol or ""
    if re.match(r"(?i)https?:", words[0]):
        if len(words) > 1:
            raise UsageError(f"URL: one is enough; {words[1]!r} is too much")
        url = _url("URL", words[0])
        if transport == "stdio":
            raise UsageError("--transport: stdio needs a command instead of a URL: -- COMMAND …")
        is_sse = (
            transport or ("sse" if wire.place(url).target.partition("?")[0].endswith("/sse") else "http")
        ) == "sse"
        return Target(transport="sse" if is_sse else "http", url=url, headers=fields, revision=revision)
    if transport in {"http", "sse"}:
        raise UsageError(f"--transport: {transport} needs a URL that begins with http:// or https://, not {words[0]!r}")
    if "://" in words[0] or (len(words) == 1 and _ADDRESS.fullmatch(words[0])):
        raise UsageError(f"URL: {words[0]!r} must begin with http:// or https://")
    if fields:
        raise UsageError("--header: there are no headers over stdio")
    return Target(transport="stdio", command=tuple(words), revision=revision)


def _url(option: str, text: str) -> str:
    try:
        wire.place(text)
    except ValueError as error:
        shown = re.sub(r"//[^/]*@", "//…@", text)
        raise UsageError(f"{option}: {shown!r}: {error}") from None
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise UsageError(f"{option}: {text!r} has characters that must be percent-encoded")
    return text


def _header(text: str) -> tuple[str, str]:
    """Its value may be a secret, so that errors do not repeat it."""
    name, colon, value = text.partition(":")
    if not colon or not _HEADER_NAME.fullmatch(name):
        raise UsageError("--header: write it as 'Name: value'")
    if name.lower() in _OWN or name.lower().startswith("mcp-"):
        raise UsageError(f"--header: {name} is set by loadgen itself")
    value = value.strip()
    if not value.isprintable() or not value.isascii():
        raise UsageError(f"--header: the value of {name} has characters that no header may have")
    return name, value


def _load(given: argparse.Namespace, target: Target) -> Load:
    is_open, is_stdio = given.rate is not None, target.transport == "stdio"
    if is_open and given.think:
        raise UsageError("--think: has no meaning with --rate, which says when calls are due; leave one out")
    many = OPEN_CLIENTS if is_open else CLIENTS
    clients = given.clients or (1 if is_stdio else many)
    seconds = given.seconds or (LONGEST_SECONDS if given.calls else 10.0)
    if given.ramp > seconds:
        raise UsageError(f"--ramp: {given.ramp:g} s is longer than --seconds {seconds:g}")
    if given.processes > clients:
        raise UsageError(f"--processes: {given.processes} is more than --clients {clients}; each needs a client")
    return Load(
        clients=clients,
        at_once=given.at_once or (many if is_stdio and not given.clients else 1),
        rate=given.rate or 0.0,
        seconds=seconds,
        calls=given.calls,
        ramp_seconds=given.ramp,
        think_seconds=given.think,
        idle=given.idle,
        processes=given.processes,
        timeout_seconds=given.timeout,
    )


def _wanted(tools: Sequence[str], path: str | None) -> Wanted:
    if path is None:
        named = dict(_weighted(text) for text in tools)
        _bounded("--tool", sum(named.values()))
        return Wanted(tools=named)
    if tools:
        raise UsageError("--tool: the calls come from --calls-from already; leave one out")
    lines = _read(path).splitlines()
    templates = tuple(
        _template(f"--calls-from: {path}, line {number}", line) for number, line in enumerate(lines, 1) if line.strip()
    )
    if not templates:
        raise UsageError(f"--calls-from: {path} has no line with a call")
    _bounded(f"--calls-from: {path}", sum(each.weight for each in templates))
    return Wanted(templates=templates)


def _bounded(where: str, weight: int) -> None:
    if weight > MOST_WEIGHT:
        raise UsageError(f"{where}: the weights add up to {weight:,}; at most {MOST_WEIGHT:,}, so make them smaller")


def _weighted(text: str) -> tuple[str, int]:
    name, _, weight = text.partition("=")
    if not name or not re.fullmatch(r"|[1-9]\d{0,3}", weight):
        raise UsageError(f"--tool: {text!r} must be NAME or NAME=WEIGHT, a weight from 1 to 9999")
    return name, int(weight or 1)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"--calls-from: {path}: {error.strerror}") from None


def _template(where: str, line: bytes) -> Template:
    try:
        given = msgspec.json.decode(line, type=_Line)
    except UNDECODABLE as error:
        raise UsageError(f"{where}: {error}") from None
    if not 1 <= given.weight <= 9999:
        raise UsageError(f"{where}: weight must be from 1 to 9999")
    arguments = msgspec.json.encode(given.arguments)
    is_checked = any(each.encode() in arguments for each in (NONCE, NONCE_INTEGER))
    return Template(tool=given.tool, arguments=msgspec.Raw(arguments), weight=given.weight, is_checked=is_checked)


def _different(*files: tuple[str, str | None]) -> None:
    """One file for two of them would be overwritten."""
    found: dict[Path, str] = {}
    for option, path in files:
        other = found.setdefault(Path(path).resolve(), option) if path and path != "-" else option
        if other != option:
            raise UsageError(f"{option}: {path} is the file of {other} as well; give another one")


def _writable(option: str, path: str) -> str:
    """Before the load, not after it."""
    if path in {"", "-"}:
        if path and option == "--html":
            raise UsageError("--html: needs the name of a file")
        return path
    try:
        with Path(path).open("ab"):
            return path
    except OSError as error:
        raise UsageError(f"{option}: {path}: {error.strerror}") from None
