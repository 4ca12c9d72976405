"""Keeps the rules of X-Ray current: asks the daemon for them and reports to it, in a thread of its own.

The daemon passes the two requests on to X-Ray and signs them. While it cannot be asked, the rules that are known hold,
or the fallback; no call ever waits for it.
"""

from __future__ import annotations

import http.client
import logging
import secrets
import threading
import time
from typing import Any, TypeVar

import msgspec

from openapi_mcp_server.aside import start_thread
from openapi_mcp_server.observe.traces.sampling import SamplingRule, Statistics, Target, XRayRules
from openapi_mcp_server.openapi.text.numbers import UNREADABLE
from openapi_mcp_server.settings.tracing import DaemonAddress

POLL_SECONDS = 10.0
"""Between two looks at what is due: X-Ray gives quotas for about as long."""
RULES_SECONDS = 300.0
"""How old rules may be before they are asked for again."""
ANSWER_SECONDS = 2.0
"""For the daemon to take or give anything."""
ANSWER_BYTES = 1024 * 1024
"""The most bytes of one answer: a thousand rules, of which an account may have 25 by default."""
PAGES = 10
"""The most pages of rules that are read."""
FALLBACK_SAID = "the first call of each second and 5 % of the others are recorded"

logger = logging.getLogger(__name__)


class _Record(msgspec.Struct, frozen=True, rename="pascal"):
    sampling_rule: SamplingRule


class _Rules(msgspec.Struct, frozen=True, rename="pascal"):
    sampling_rule_records: tuple[_Record, ...]
    next_token: str | None = None


class _Targets(msgspec.Struct, frozen=True, rename="pascal"):
    sampling_target_documents: tuple[Target, ...] = ()
    last_rule_modification: float = 0.0


_T = TypeVar("_T")


class RulePoller:
    """Runs from `start` to `stop`; `poll` is a single look without waiting."""

    def __init__(self, rules: XRayRules, daemon: DaemonAddress, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._rules = rules
        self._daemon = daemon
        self._answer_seconds = answer_seconds
        self._client_id = secrets.token_hex(12)
        self._asked = float("-inf")  # when the rules were last had; monotonic
        self._is_failing = False
        self._stopped = threading.Event()

    def start(self) -> None:
        start_thread(self._run, "sampling rules")

    def stop(self) -> None:
        """Does not wait: an answer that is still to come is of no use to anybody."""
        self._stopped.set()

    def poll(self) -> None:
        """Fetches the rules where they are old, and reports what they have decided. Never raises."""
        try:
            if time.monotonic() - self._asked > RULES_SECONDS:
                self._fetch()
            if statistics := self._rules.report():
                self._report(statistics)
        except (OSError, http.client.HTTPException, *UNREADABLE, UnicodeError, _Refused) as error:
            self._failed(error)
        else:
            if self._is_failing:
                logger.info("X-Ray's sampling rules can be had again", extra={"daemon": f"tcp:{self._daemon}"})
            self._is_failing = False

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.poll()
            self._stopped.wait(POLL_SECONDS)

    def _fetch(self) -> None:
        rules: list[SamplingRule] = []
        token: str | None = None
        for _ in range(PAGES):
            page = self._ask("/GetSamplingRules", {"NextToken": token} if token else {}, _Rules)
            rules += [record.sampling_rule for record in page.sampling_rule_records]
            token = page.next_token
            if not token:
                break
        self._rules.load(rules)
        self._asked = time.monotonic()

    def _report(self, statistics: list[Statistics]) -> None:
        documents = [
            {**msgspec.to_builtins(one), "ClientID": self._client_id, "Timestamp": int(time.time())}
            for one in statistics
        ]
        answer = self._ask("/SamplingTargets", {"SamplingStatisticsDocuments": documents}, _Targets)
        self._rules.aim(answer.sampling_target_documents)
        if answer.last_rule_modification > self._rules.loaded:
            self._fetch()

    def _ask(self, path: str, content: Any, answer: type[_T]) -> _T:  # noqa: ANN401 - whatever JSON takes
        connection = http.client.HTTPConnection(self._daemon.host, self._daemon.port, timeout=self._answer_seconds)
        try:
            connection.request("POST", path, msgspec.json.encode(content), {"Content-Type": "application/json"})
            response = connection.getresponse()
            body = response.read(ANSWER_BYTES)
        finally:
            connection.close()
        if response.status != 200:
            raise _Refused(f"{path} is answered with {response.status}")
        return msgspec.json.decode(body, type=answer)

    def _failed(self, error: Exception) -> None:
        """Logs a failure once, until it works again."""
        if not self._is_failing:
            logger.warning(
                "X-Ray's sampling rules cannot be had; %s",
                "the last ones stay in use" if self._rules.loaded > 0 else FALLBACK_SAID,
                extra={"daemon": f"tcp:{self._daemon}", "reason": str(error)[:200] or type(error).__name__},
            )
        self._is_failing = True


class _Refused(Exception):
    """The daemon answers, but not with what was asked for."""
