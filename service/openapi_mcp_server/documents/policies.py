"""Permissions from settings: READ_ONLY, ALLOW_OPERATIONS and DENY_OPERATIONS as one rule, POLICY's file as several."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec

from openapi_mcp_server.bridge.model import Subject
from openapi_mcp_server.bridge.policy import EVERYTHING, OPEN, Policy, Rule, Selector, selector
from openapi_mcp_server.documents import source
from openapi_mcp_server.errors import ConfigError, SpecError
from openapi_mcp_server.openapi.pointers import ROOT, child
from openapi_mcp_server.settings.config import Config

FILE_BYTES = 1024 * 1024
"""A POLICY of thousands of entries has less."""
SELECTORS_LOOKED_AT = 100
"""The most different selectors that are compared with every operation at a start: a tenth of a second for 1,000
operations."""


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    allow: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    deny: tuple[str, ...] = ()
    read_only: bool = False
    apis: frozenset[str] | None = None
    tags: frozenset[str] | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    principals: dict[str, msgspec.Raw] = {}
    scopes: dict[str, msgspec.Raw] = {}
    groups: dict[str, msgspec.Raw] = {}
    default: msgspec.Raw = msgspec.Raw(b"null")


_NULL = msgspec.Raw(b"null")
_Read = TypeVar("_Read", _File, _Entry)


def rule(config: Config) -> Rule:
    """The rule for everybody. Raises ConfigError."""
    allow, deny = config.allow_operations, config.deny_operations
    if not (allow or deny or config.read_only):
        return EVERYTHING
    return Rule(
        allow=_selectors(allow, "ALLOW_OPERATIONS") or None,
        deny=_selectors(deny, "DENY_OPERATIONS"),
        read_only=config.read_only,
    )


def policy(config: Config) -> Policy:
    """The policy for each principal. Raises ConfigError, which names the place in the file."""
    if config.policy is None:
        return OPEN
    try:
        with Path(config.policy).open("rb") as file:
            data = file.read(FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError("POLICY", source.unread(Path(config.policy), error)) from None
    if len(data) > FILE_BYTES:
        raise ConfigError("POLICY", f"{config.policy} has more than {FILE_BYTES // 1024} KiB")
    found = read(data, config.policy)
    _require_known_apis(found, [api.name for api in config.apis])
    return found


def idle(config: Config, subjects: Collection[Subject]) -> Iterator[str]:
    """A sentence for each entry about principals that has no effect. A misspelt one in a ``deny`` leaves its operation
    open."""
    rules = list(_places(policy(config)))
    yield from _of_nobody(config, [place for place, _ in rules])
    tags = {tag for subject in subjects for tag in subject.tags}
    named = [(f"INBOUND_TOKENS[{index}]", token.tags) for index, token in enumerate(config.inbound.tokens)]
    named += [(f"POLICY: {place}", rule.tags) for place, rule in rules]
    for place, wanted in named:
        for tag in sorted((wanted or frozenset()) - tags):
            yield f"{place}.tags: no operation that is served has the tag {tag}"
    selectors = [
        (f"{place}.{field}", one)
        for place, rule in rules
        for field, listed in (("allow", rule.allow or ()), ("deny", rule.deny))
        for one in listed
    ]
    looked_at = islice(dict.fromkeys(one for _, one in selectors), SELECTORS_LOOKED_AT)
    unused = {one for one in looked_at if not any(one.selects(subject) or one.reaches(subject) for subject in subjects)}
    for place, one in selectors:
        if one in unused:
            yield f"POLICY: {place}: {one.shown} selects no operation that is served"


def _of_nobody(config: Config, places: list[str]) -> Iterator[str]:
    """A sentence if there are rules for named callers, but no caller has a name."""
    are_asked = config.inbound.kind != "none" and config.transport != "stdio"
    if not are_asked and places != ["default"]:
        who = "POLICY: callers are not asked who they are (INBOUND_AUTH), so each has what `default` allows"
        yield who if "default" in places else f"{who}; there is none, so nobody may call anything"


def _places(policy: Policy) -> Iterator[tuple[str, Rule]]:
    for kind, rules in (("principals", policy.principals), ("scopes", policy.scopes), ("groups", policy.groups)):
        for name, rule in rules.items():
            yield f"{kind}.{name}", rule
    if policy.default is not None:
        yield "default", policy.default


def _require_known_apis(policy: Policy, known: Sequence[str]) -> None:
    """Raises ConfigError for an unknown API. Without ``known``, for the demo, which has no settings, nothing is
    checked."""
    for place, rule in _places(policy) if known else ():
        for name in sorted((rule.apis or frozenset()).difference(known)):
            raise ConfigError("POLICY", f"{place}.apis: {name[:64]!r} is no API; there are {', '.join(known)}")


def read(data: bytes, location: str) -> Policy:
    """JSON or YAML. Raises ConfigError with the place in the file at ``location``."""
    from openapi_mcp_server.openapi.text import document, places  # noqa: PLC0415 - with all that reads documents

    try:
        written = _decoded(document.read(data), _File, ROOT)
        default = _decoded(written.default, _Entry, child(ROOT, "default")) if written.default != _NULL else None
        return Policy(
            principals=_rules(written.principals, "principals"),
            scopes=_rules(written.scopes, "scopes"),
            groups=_rules(written.groups, "groups"),
            default=None if default is None else _rule(default, "default"),
        )
    except SpecError as error:
        found = places.of_error(data, error.pointer)
        where = [location, *([found.at] if found and found.at != error.pointer else []), error.pointer]
        raise ConfigError("POLICY", f"{', '.join(filter(None, where))}: {error.problem}") from None


def _decoded(raw: msgspec.Raw | bytes, kind: type[_Read], pointer: str) -> _Read:
    from openapi_mcp_server.openapi.reading.objects import fault  # noqa: PLC0415 - with all that reads documents

    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        problem = fault(error, pointer)
        hint = f"; there are {', '.join(kind.__struct_fields__)}" if "unknown field" in problem.problem else ""
        raise SpecError(problem.pointer, problem.problem + hint) from None


def _rules(entries: dict[str, msgspec.Raw], kind: str) -> dict[str, Rule]:
    return {
        name: _rule(_decoded(raw, _Entry, child(ROOT, kind, name)), f"{kind}.{name}") for name, raw in entries.items()
    }


def _rule(entry: _Entry, place: str) -> Rule:
    return Rule(
        allow=None if entry.allow is msgspec.UNSET else _selectors(entry.allow, f"POLICY: {place}.allow"),
        deny=_selectors(entry.deny, f"POLICY: {place}.deny"),
        read_only=entry.read_only,
        apis=entry.apis,
        tags=entry.tags,
    )


def _selectors(texts: Iterable[str], setting: str) -> tuple[Selector, ...]:
    try:
        return tuple(selector(text) for text in texts)
    except ValueError as error:
        raise ConfigError(setting, str(error)) from None
