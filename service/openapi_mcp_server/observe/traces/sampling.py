"""Which traces are recorded, where their caller has not decided it: all, none, a part, or what X-Ray's rules say.

Only decisions are made here; `xray_rules` asks the daemon for the rules and tells it what became of them.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from openapi_mcp_server.mcp.inbound import Call
from openapi_mcp_server.observe.trace import Carrier

Decide = Callable[[int, Call, Carrier], bool]
"""Whether a trace is recorded, by its id and the message that begins it."""

RULES_EXPIRE_SECONDS = 3600.0
"""Rules that could not be had again for so long are not X-Ray's any more; then the fallback holds."""
REPORT_SECONDS = 10.0
"""How often X-Ray wants to hear of a rule, unless it says otherwise."""
_NAME_CHARACTERS = 256
"""Characters of a client's invented name that patterns see. Names of tools have 64 at most."""
_PORT = re.compile(r":\d*$")


class SamplingRule(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A sampling rule as GetSamplingRules gives it (X-Ray API, SamplingRule). In patterns ``*`` and ``?`` are wild."""

    rule_name: str
    priority: int
    fixed_rate: float
    reservoir_size: int
    service_name: str = "*"
    service_type: str = "*"
    host: str = "*"
    http_method: str = msgspec.field(name="HTTPMethod", default="*")
    url_path: str = msgspec.field(name="URLPath", default="*")
    resource_arn: str = msgspec.field(name="ResourceARN", default="*")
    version: int = 1
    attributes: Mapping[str, str] = {}


class Target(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """X-Ray's target of a rule for this service (SamplingTargetDocument); ``reservoir_quota`` is a second's."""

    rule_name: str
    fixed_rate: float | None = None
    reservoir_quota: int | None = None
    reservoir_quota_ttl: float | None = msgspec.field(name="ReservoirQuotaTTL", default=None)
    interval: float | None = None


class Statistics(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The statistics of a rule since the last report (SamplingStatisticsDocument)."""

    rule_name: str
    request_count: int
    sampled_count: int
    borrow_count: int


FALLBACK = SamplingRule(rule_name="", priority=0, fixed_rate=0.05, reservoir_size=1)
"""One a second and 5 % of what is more: X-Ray's own default rule."""


def always(trace_id: int, call: Call, carrier: Carrier) -> bool:  # noqa: ARG001 - as every `Decide`
    return True


def never(trace_id: int, call: Call, carrier: Carrier) -> bool:  # noqa: ARG001 - as every `Decide`
    return False


def part(ratio: float) -> Decide:
    """Decides by the trace's id, so every service that sees it decides alike (OpenTelemetry, TraceIdRatioBased)."""
    bound = round(ratio * 2**64)
    return lambda trace_id, _call, _carrier: trace_id & (2**64 - 1) < bound


class XRayRules:
    """Decides by the first rule that fits, by priority. Rules and targets may be loaded from another thread."""

    def __init__(
        self,
        service_name: str,
        service_type: str,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._service = (service_name, service_type)
        self._clock = clock
        self._chance = chance
        self._lock = threading.Lock()
        self._rules: list[_Applied] = []
        self._loaded = -RULES_EXPIRE_SECONDS
        self._fallback = _Applied(FALLBACK)

    def __call__(self, trace_id: int, call: Call, carrier: Carrier) -> bool:  # noqa: ARG002 - as every `Decide`
        now = self._clock()
        with self._lock:
            rule = self._fitting(call, carrier) if now < self._loaded + RULES_EXPIRE_SECONDS else self._fallback
            return rule.decide(now, self._chance)

    @property
    def loaded(self) -> float:
        """When the rules in use were loaded, by the clock."""
        return self._loaded

    def load(self, rules: Sequence[SamplingRule]) -> None:
        """Takes the place of the rules so far; one that was there before keeps its counts and its target."""
        with self._lock:
            before = {applied.rule.rule_name: applied for applied in self._rules}
            ordered = sorted(filter(self._concerns, rules), key=lambda rule: (rule.priority, rule.rule_name))
            self._rules = [
                kept if (kept := before.get(rule.rule_name)) and kept.rule == rule else _Applied(rule)
                for rule in ordered
            ]
            self._loaded = self._clock()

    def aim(self, targets: Sequence[Target]) -> None:
        by_name = {target.rule_name: target for target in targets}
        with self._lock:
            for applied in self._rules:
                if target := by_name.get(applied.rule.rule_name):
                    applied.aim(target)

    def report(self) -> list[Statistics]:
        """The statistics of every rule that was used and is due, counted anew from now on."""
        now = self._clock()
        with self._lock:
            return [applied.report(now) for applied in self._rules if applied.requests and applied.due <= now]

    def _concerns(self, rule: SamplingRule) -> bool:
        name, kind = self._service
        is_ours = _fits(rule.service_name, name) and _fits(rule.service_type, kind)
        return is_ours and rule.resource_arn == "*" and rule.version == 1

    def _fitting(self, call: Call, carrier: Carrier) -> _Applied:
        for applied in self._rules:
            if applied.fits(call, carrier):
                return applied
        return self._fallback


class _Applied:
    """A rule with its counts since the last report. The caller holds a lock."""

    def __init__(self, rule: SamplingRule) -> None:
        self.rule = rule
        self.requests = 0
        self.due = 0.0
        self._sampled = 0
        self._borrowed = 0
        self._rate = rule.fixed_rate
        self._quota: int | None = None
        self._quota_until = 0.0
        self._interval = REPORT_SECONDS
        self._second = 0
        self._taken = 0  # of this second
        self._patterns = (rule.host, rule.http_method, rule.url_path)
        self._fits_all = {*self._patterns, *rule.attributes.values()} <= {"*"}

    def fits(self, call: Call, carrier: Carrier) -> bool:
        """A message is always a POST. Its attributes are those that its span is to have."""
        if self._fits_all:
            return True
        asked = (_PORT.sub("", carrier.host), "POST" if carrier.path else "", carrier.path)
        if not all(_fits(pattern, text) for pattern, text in zip(self._patterns, asked, strict=True)):
            return False
        attributes = {"mcp.method.name": call.method, "gen_ai.tool.name": call.name[:_NAME_CHARACTERS]}
        return all(_fits(pattern, attributes.get(name, "")) for name, pattern in self.rule.attributes.items())

    def decide(self, now: float, chance: Callable[[], float]) -> bool:
        """Decides from the reservoir first: this second's quota, or while X-Ray has given none, a borrowed one."""
        if int(now) != self._second:
            self._second, self._taken = int(now), 0
        self.requests += 1
        has_quota = self._quota is not None and now < self._quota_until
        limit = (self._quota or 0) if has_quota else min(self.rule.reservoir_size, 1)
        if self._taken < limit:
            self._taken += 1
            self._sampled += has_quota
            self._borrowed += not has_quota
            return True
        is_sampled = chance() < self._rate
        self._sampled += is_sampled
        return is_sampled

    def aim(self, target: Target) -> None:
        if target.fixed_rate is not None:
            self._rate = target.fixed_rate
        if target.reservoir_quota is not None and target.reservoir_quota_ttl is not None:
            self._quota, self._quota_until = target.reservoir_quota, target.reservoir_quota_ttl
        if target.interval is not None:
            self._interval = target.interval

    def report(self, now: float) -> Statistics:
        counted = Statistics(
            rule_name=self.rule.rule_name,
            request_count=self.requests,
            sampled_count=self._sampled,
            borrow_count=self._borrowed,
        )
        self.requests = self._sampled = self._borrowed = 0
        self.due = now + self._interval
        return counted


def _fits(pattern: str, text: str) -> bool:
    """X-Ray's wildcards: ``*`` is any text, ``?`` any character, case does not matter (Sampling rule options).

    Only the last ``*`` is ever given more text: what an earlier one could take, a later one can. So the time is bounded
    by the length of the text times that of the pattern, where a regular expression would try every division.
    """
    wild, letters = pattern.lower(), text.lower()
    at = place = 0
    star, resume = -1, 0
    while place < len(letters):
        if at < len(wild) and wild[at] == "*":
            star, resume = at, place
            at += 1
        elif at < len(wild) and wild[at] in ("?", letters[place]):
            at += 1
            place += 1
        elif star >= 0:
            resume += 1
            at, place = star + 1, resume
        else:
            return False
    return not wild[at:].strip("*")
