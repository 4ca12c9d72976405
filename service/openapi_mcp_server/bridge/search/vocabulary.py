"""The words that people have for things, those that APIs have, and the methods that a verb can mean.

Written for questions in English; a word that is in none of these tables is looked for as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from typing import Literal

from openapi_mcp_server.bridge.search.words import stem

Intent = Literal["create", "read", "update", "delete", "act"]

STOP = frozenset(
    """
    a about all also am an and any anybody anyone are as at be been being both but by can could did do does doing done
    down each either else exist exists every everybody everyone everything for from go going goes had has have having he her here hers him his how
    i if in inside into is it its itself just kindly let lets many may me might mine must my myself need needs no
    nobody not now of off on once one ones only onto or our ours out over own per please right s shall she should so
    some somebody someone something such t than that the their them then there these they thing things this those to
    too under until up upon us using very via want wants was we were what when where whether which who whom whose why
    will with within without would yet you your yours
    """.split()  # noqa: SIM905 - read as words
)
"""Words that say nothing about an operation."""

_VERBS: Mapping[Intent, str] = {
    "create": "add alert allow apply ask attach book buy compose create draft enrol enroll establish generate "
    "give grant import insert invite issue join launch let make notify permit new open order place "
    "post publish provision purchase put raise register request save schedule send set setup share "
    "start store submit text trigger upload write kick roll comment reply build compute calculate export keep retain "
    "preserve answer log record report flag tag label vote rate bookmark like react assign "
    "chat talk email mail message",
    "read": "browse check compare count describe display download export fetch find get inspect list look lookup get "
    "read retrieve search see show tell view what which who how where when is are does do has examine query report "
    "know",
    "update": "adjust alter archive assign change close configure correct disable edit enable extend hide hold lock "
    "mark modify move mute pause rearrange rename reopen reorder replace resize restore resume rotate scale set "
    "silence star switch toggle transfer turn unarchive unlock unmute update pin follow",
    "delete": "cancel clear close delete detach discard disconnect drop end erase expel forget kick leave purge remove "
    "revoke rid terminate throw trash unassign unfollow uninstall unlink unpin unpublish unshare unstar unsubscribe "
    "wipe withdraw stop release empty unban unblock unmute unlock unlike untag unassign unwatch undo",
    "act": "check export grant give abort accept activate approve authorize back ban block call cancel capture charge clone close commit "
    "confirm connect convert copy deactivate decline deny deploy dismiss dispatch drain duplicate embed evict execute "
    "exec finalize fork forward hang hangup import kill link log login logout merge pay ping play promote prune pull "
    "push react reactivate reboot refresh refund reject release remind repeat rerun resend reset restart restore retry "
    "reverse review revert roll rollback run seek shuffle sign skip snooze start stop subscribe submit suspend sync "
    "tag test transcribe translate trigger unban undo unlock untrash validate verify void watch",
}
"""A verb may mean several things: ``cancel`` is a DELETE in one API and a POST in another."""
INTENTS: Mapping[str, frozenset[Intent]] = {
    verb: frozenset(intent for intent, verbs in _VERBS.items() if verb in verbs.split())
    for verb in " ".join(_VERBS.values()).split()
}
BY_METHOD: Mapping[Intent, Mapping[str, float]] = {
    "create": {"POST": 1.0, "POST item": 1.0, "PUT": 0.6, "PATCH": 0.3},
    "read": {"GET": 1.0, "QUERY": 1.0, "POST": 0.25, "POST item": 0.25, "HEAD": 0.2},
    "update": {"PATCH": 1.0, "PUT": 1.0, "POST": 0.7, "POST item": 0.7},
    "delete": {"DELETE": 1.0, "POST": 0.5, "POST item": 0.5, "PUT": 0.2, "PATCH": 0.2},
    "act": {"POST": 1.0, "POST item": 1.0, "PUT": 0.95, "PATCH": 0.9, "DELETE": 0.5},
}
"""How well an operation of a method fits an intent."""
DETERMINERS = frozenset("a an the my our your his her its their this every all".split())  # noqa: SIM905 - read as words
"""After an unknown first word they make it a verb: "star a repository"."""
QUESTIONS = frozenset("who which what where when how is are was were do does did has have can".split())  # noqa: SIM905
"""A question is answered by reading."""
STOP_UNLESS_FIRST = frozenset({"like"})
"""Verbs in front, and nothing elsewhere: "like a song"."""
PREPOSITIONS = frozenset(
    "about after against among around at before behind below between by for from in inside into of off on onto over "
    "per since that through to under until which who whose with within without".split()  # noqa: SIM905
)
"""What is asked for stands before the first of them."""
OWN = frozenset({"my", "me", "i", "mine", "we", "our", "myself"})
PLURAL_QUESTIONS = frozenset({"who", "which", "find", "search", "list", "browse", "many"})

GENERIC = frozenset(
    map(
        stem,
        [
            "add",
            "alter",
            "change",
            "check",
            "create",
            "delete",
            "describe",
            "display",
            "do",
            "edit",
            "fetch",
            "find",
            "get",
            "give",
            "list",
            "look",
            "make",
            "modify",
            "new",
            "put",
            "read",
            "remove",
            "retrieve",
            "search",
            "see",
            "set",
            "show",
            "take",
            "tell",
            "turn",
            "update",
            "use",
            "view",
            "write",
        ],
    )
)
"""Verbs that half of an API's operations have: they tell the method, hardly the operation."""

REMOVALS = re.compile(
    r"\bget(?:ting)? rid of\b|\b(?:take|throw|strip)s? (?:\w+ ){1,4}(?:away|off|out|down)\b|^(?:stop|quit) \w+ing\b"
)

ADJECTIVES = re.compile(
    r"^(?:make|set|turn) (?:\w+ ){1,4}(?:private|public|visible|hidden|primary|default|active|inactive|required|optional|available|unavailable|on|off)\b"
)
_PEOPLE = "user member membership person participant collaborator teammate username contact"
HINTS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern), tuple(map(stem, words.split())))
    for pattern, words in {
        r"^(?:add|put|insert|append|place) .*\b(?:to|into|on|in|onto)\b|^(?:remove|delete|take) .*\bfrom\b": "item member membership",
        r"^what (?:is |are |s )?(?:in|inside|on)\b": "item content children entry",
        r"\b(?:somebody|someone|people|anyone|everybody|everyone)\b|^who\b": _PEOPLE,
        r"\bhow many\b": "count counter total stat number statistic",
        r"\b(?:most|best)\b": "top popular",
        r"^(?:join|leave|enter)\b": "member membership",
    }.items()
)

SYNONYM, SYNONYM_BESIDE = 0.75, 0.7
"""Weight of another word of the group where an API does not have the word itself, and where it has it."""


def _synonyms() -> Mapping[str, tuple[str, ...]]:
    """The synonyms by stem: the other stems of its groups, which are the lines of a file."""
    found: dict[str, dict[str, None]] = {}
    for line in resources.files(__package__).joinpath("synonyms.txt").read_text("utf-8").splitlines():
        group = [stem(word) for word in line.split()] if not line.startswith("#") else []
        for word in group:
            found.setdefault(word, {}).update(dict.fromkeys(other for other in group if other != word))
    return {word: tuple(others) for word, others in found.items()}


SYNONYMS = _synonyms()

_GAP = r"((?:\w+ ){0,4})"
"""Words between those of an idiom, which go on to be looked for."""
PHRASES: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(rf"\b(?:{pattern})\b"), tuple(map(stem, words.split())))
    for pattern, words in {
        r"who am i(?: logged in(?: as)?)?|about me|(?:who is )?logged in(?: as)?": "whoami me authenticated current user profile",
        r"out of (?:the )?office|(?:time|days?) off": "vacation leave absence",
        r"direct messages?|private messages?": "dm channel",
        r"by hand|manually": "dispatch",
        r"slash commands?": "command",
        r"disk(?: space)?": "df disk",
        r"log ?(?:in|on)|sign ?in": "auth login session",
        rf"sign {_GAP}up|signs? ?up": "signup register subscribe enroll",
        r"money back|pay back": "refund",
        r"(?:up next|play next|after (?:this|the current)(?: one| song| track)?)": "queue",
        rf"mark(?:ed)? {_GAP}as (?:read|unread|seen|spam|important)": "modify mark read",
        r"(?:be )?(?:told|notified|pinged)(?: me)? when|let me know": "webhook hook watch subscribe trigger",
        r"who did what|who (?:changed|touched|edited)": "audit activity event log",
        r"do not call": "dnc donotcall",
        r"(?:how much|what) (?:are|did|do) (?:we|i) (?:billed|spend|pay|charged)": "billable cost usage bill",
        r"(?:before|blocks?|blocking) (?:this|it|that)": "dependency blocker",
        rf"at once|in bulk|in one go|many (?=\w+ at once)": "bulk batch",
        r"roll(?:ed|ing)? ?out": "deployment deploy rollout release",
        r"(?:do|am|is) (?:i|it|this|he|she)(?: \w+){0,2}(?: already| in my)?(?= )": "contain check",
        r"get(?:ting)? rid of": "delete remove",
        r"(?:get|bring|take|put) ((?:\w+ ){1,5})back(?: out)?(?: of| from)?": "restore undelete untrash return recover",
        r"write off|written off": "uncollectible",
        r"look (?:up|for)": "search",
        r"what(?: is| s)? new|what (?:has |was )?(?:changed|happened)": "history recent event activity change",
        r"how (?:many|much) (?:calls|requests)": "rate limit",
        r"read ?(?:me)": "readme",
        r"hang ?up|end a call": "hangup call update",
        r"toll ?free": "tollfree",
        r"set ?up": "create configure",
        r"pull requests?|merge requests?": "pull pullrequest mergerequest",
        r"every (?:night|day|hour|week|month)|recurring": "schedule cron cronjob",
        r"text (?:to|into) speech|aloud": "speech audio",
        r"speech (?:to|into) text": "transcription audio",
        r"fine ?tun\w*": "finetune tune",
        rf"log ?out|sign(?:ed)? {_GAP}out": "logout terminate session",
        r"to do|todo": "task",
        r"for good|for ?ever": "permanent purge",
        r"(?:came|come|coming) out": "release",
        rf"(?:turn|switch)(?:ed)? {_GAP}on": "enable activate",
        rf"(?:turn|switch)(?:ed)? {_GAP}off": "disable deactivate",
        r"two ?factor|2 ?fa": "mfa otp totp factor",
        r"opt(?:ed)? out": "unsubscribe optout suppression",
        r"pa(?:y|id|ying) ?outs?": "payout",
        r"(?:alive|healthy|reachable|up and running|running fine|working)$": "health ping status",
        r"how (?:did|does|do|is|are) ((?:\w+ ){1,4})(?:go|going|doing|perform(?:ing)?)": "stat statistic status metric report",
        r"over time": "history timeseries query",
        r"dry ?run": "validate preview dryrun",
    }.items()
)
"""Idioms, and words of APIs that they mean."""
POLITE = re.compile(
    r"^(?:(?:please|kindly|now|then|also|hi|hello|ok|okay|can you|could you|would you|can we|how (?:do|can|could|should|would) (?:i|we|you|one)|"
    r"how to|i (?:want|need|would like|d like|wish|have)(?: you)?(?: to)?|we (?:want|need|would like|d like|have)(?: to)?|"
    r"help me(?: to)?|let s|let us|let me|go ahead and|try to|is there a way to) )+|(?: for (?:me|us)| please| now| right now)+$"
)
"""Before and behind what is asked for."""
SHOW_ME = re.compile(r"^(?:give|show|tell|get|fetch|find|list) (?:me|us) ")
