"""Phrases of several words: idioms of APIs, hints, and phrases that tell the action.

Each is searched in the query in lower case, with single spaces between words.
"""

from __future__ import annotations

import re

from openapi_mcp_server.bridge.search.words import stem

_GAP = r"((?:\w+ ){0,4})"
"""Words between those of an idiom, which are still part of the query."""
PHRASES: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(rf"\b(?:{pattern})\b"), tuple(map(stem, words.split())))
    for pattern, words in {
        r"who am i(?: logged in(?: as)?)?|about me": "whoami me current authenticated user profile",
        r"(?:who is )?logged in(?: as)?": "me current authenticated user session",
        r"out of (?:the )?office|(?:time|days?) off": "vacation leave absence",
        r"direct messages?|private messages?": "dm channel",
        r"by hand|manually": "dispatch trigger",
        r"slash commands?": "command",
        r"disk(?: space)?": "df disk",
        r"log ?(?:me |us )?(?:in|on)|sign ?(?:me |us )?in": "auth login session",
        rf"sign {_GAP}up|signs? ?up": "signup register subscribe enroll",
        r"money back|pay back": "refund",
        r"(?:up next|play next|after (?:this|the current)(?: one| song| track)?)": "queue",
        rf"mark(?:ed)? {_GAP}as (?:read|unread|seen|spam|important)": "modify mark read",
        r"(?:be )?(?:told|notified|pinged)(?: me)? when|let me know": "webhook hook watch subscribe trigger",
        r"who did what|who (?:changed|touched|edited)": "audit activity event log",
        r"do not call": "dnc donotcall",
        r"(?:how much|what) (?:are|did|do) (?:we|i) (?:billed|spend|pay|charged)": "billable cost usage bill",
        r"(?:before|blocks?|blocking) (?:this|it|that)": "dependency blocker",
        r"at once|in bulk|in one go|many (?=\w+ at once)": "bulk batch",
        r"roll(?:ed|ing)? ?out": "deployment deploy rollout release",
        r"^(?:do|am|is) (?:i|it|this|he|she)(?: \w+){0,2}(?: already| in my)?(?= )": "contain check",
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
        rf"log(?:ged)? ?{_GAP}out|sign(?:ed)? {_GAP}out": "logout terminate session",
        r"to do|todo": "task",
        r"for good|for ?ever": "permanent purge",
        r"(?:came|come|coming) out": "release",
        rf"(?:turn|switch)(?:ed)? {_GAP}on": "enable activate",
        rf"(?:turn|switch)(?:ed)? {_GAP}off": "disable deactivate",
        r"two ?factor|2 ?fa": "mfa otp totp factor",
        r"opt(?:ed)? out": "unsubscribe optout suppression",
        r"pa(?:y|id|ying) ?outs?": "payout",
        r"(?:alive|healthy|reachable|up and running|running fine|working)$": "health ping status",
        r"how (?:did|does|do|is|are) ((?:\w+ ){1,4})(?:go|going|doing|perform(?:ing)?)": "stats status metric report",
        r"over and over|again and again": "repeat loop",
        r"over time": "history timeseries query",
        r"dry ?run": "validate preview dryrun",
        r"on[- ]call|on duty": "oncall schedule rotation shift",
        r"(?:virtual|cloud) (?:machine|server)s?": "vm instance server machine virtualmachine droplet",
        r"load balancers?": "loadbalancer balancer lb",
        rf"take {_GAP}down": "unpublish end remove delete",
        rf"(?:shut|power|bring|take) {_GAP}(?:down|offline)|(?:shut|power) {_GAP}off": "shutdown stop terminate",
        rf"(?:boot|power|spin|fire|start) {_GAP}up|power {_GAP}on": "start launch create poweron",
        r"tear(?:ing)? down": "delete destroy undeploy",
        rf"roll(?:ed|ing)? {_GAP}back": "rollback revert restore",
        rf"back(?:ed|ing)? {_GAP}up": "backup snapshot export",
        rf"(?:kick|fire|set|trigger) {_GAP}off": "trigger dispatch start run",
        rf"call(?:ed|ing)? {_GAP}off": "cancel unschedule",
        rf"turn(?:ed|ing)? {_GAP}down|say(?:ing)? no": "decline reject deny",
        r"say(?:ing)? yes|agree(?: to)?|give (?:the )?go ahead": "accept approve confirm",
        r"sign(?:ed)? off": "approve",
        rf"hand(?:ed|ing)? {_GAP}over": "transfer assign handoff",
        rf"pass(?:ed|ing)? {_GAP}on": "forward transfer",
        r"on hold": "hold suspend pause",
        rf"clean(?:ed|ing)? {_GAP}up": "cleanup prune purge clear",
        r"keep (?:an eye on|track of)": "watch monitor track subscribe",
        rf"(?:write|note|jot) {_GAP}down": "note",
        r"(?:in|out of) stock|on stock": "stock inventory availability",
        r"how (?:long|quickly)": "duration latency time",
        r"how (?:big|large)": "size",
        r"what went wrong": "error failure log",
        r"put to sleep": "suspend sleep stop",
        r"free (?:slots?|times?|appointments?)|free busy": "availability freebusy slot",
        r"(?:time|clock) in|clock out": "timesheet attendance",
        r"pay ?(?:slips?|stubs?|rolls?|runs?)": "payslip payroll paycheck",
        r"knowledge base": "knowledgebase article kb",
        r"(?:still )?(?:owe|have to pay)|to be paid": "unpaid due outstanding payable",
        r"(?:still|yet) (?:has |have |need |needs )?to be": "pending awaiting open unfulfilled",
        r"who (?:has|have|had|got) access(?: to)?|who (?:can|may) (?:see|read|view|edit|use|open|access)": (
            "permission collaborator collaboration member access share delegate acl grant"
        ),
        r"what (?:do|did|does|have) (?:people|users|others|everybody|everyone|they) (?:say|said|think|write|written)"
        r"(?: about| on)?": "comment review feedback story reply",
        r"who (?:has |have )?(?:looked at|viewed|seen|visited)": "view event access activity audit visitor",
        r"(?:bring|get|put) back": "restore undelete recover untrash",
        r"who (?:owns|runs|manages)": "owner manager",
        r"who (?:made|created|wrote|built|started)": "creator author owner",
        r"(?:what|which) (?:kinds?|types?|sorts?) of": "type kind category",
        r"bill of materials": "sbom bom",
        r"most (?:used|called|requested|active|visited|viewed|watched|read|played|liked|sold|shared)": (
            "top popular usage trending"
        ),
        r"how often": "usage count statistic metric frequency",
        r"(?:notify|tell|ping|inform|call) (?:me|us|my \w+|our \w+) (?:when|if|about|of)|for changes$": (
            "webhook hook watch subscribe"
        ),
        rf"(?:save|write|dump|store) {_GAP}(?:to|as|into|in) (?:a |an )?(?:\w+ )?file": "export download get",
        rf"(?:throw|kick) {_GAP}out": "ban kick remove",
        r"(?:go|switch|change|return) back to": "restore revert rollback promote previous",
        rf"time(?:d)? {_GAP}out": "timeout mute suspend",
        r"by (?:mistake|accident)|accidentally": "restore undelete",
        rf"bring {_GAP}into|let {_GAP}in$": "invite add member",
        rf"slow {_GAP}down": "delay throttle latency",
        r"side by side": "compare diff",
        r"out of date": "outdated stale expired",
        r"used up|r[au]n out": "quota limit usage",
        r"how far along|coming along": "progress status",
        rf"(?:hand|turn) {_GAP}in$": "submit submission",
        r"get in touch(?: with)?|reach out(?: to)?": "contact message",
        r"near(?:by)? me|close by|around here": "nearby location search",
        r"how do i get (?:from|to)": "route direction",
    }.items()
)
"""Idioms with the words of APIs that they mean."""
_PEOPLE = "user member membership person participant collaborator teammate username contact"
HINTS: tuple[tuple[re.Pattern[str], tuple[str, ...], float], ...] = tuple(
    (re.compile(pattern), tuple(map(stem, words.split())), worth)
    for pattern, words, worth in (
        (r"^(?:add|put|insert|append|place) .*\b(?:to|into|on|in|onto)\b", "item member membership", 0.3),
        (r"^(?:remove|delete|take) .*\bfrom\b", "item member membership", 0.3),
        (r"^(?:join|leave|enter)\b", "member membership", 0.3),
        (r"^what (?:is |are |s )?(?:in|inside|on)\b", "item content children entry", 0.3),
        (
            r"\b(?:somebody|someone|(?<!do )(?<!are )(?<!did )people|anyone|everybody|everyone)\b|^who (?!am i)",
            _PEOPLE,
            0.4,
        ),
        (
            r"\b(?:daily|weekly|nightly|monthly|tomorrow|later|next week|once a (?:day|week|month))\b",
            "schedule cron timer",
            0.3,
        ),
        (r"\bfrom (?:an? |my |the )?(?:csv|excel|spreadsheet|zip|backup|url|file)\b", "import upload restore", 0.3),
        (r"\bas (?:an? )?(?:pdf|csv|zip|excel|xlsx|xml|markdown|html|mp3|wav|png|svg|jpe?g)\b", "export download", 0.3),
        (r"^(?:find|search|lookup)\b", "search lookup", 0.4),
        (r"^(?:do|does|did|is|are) .*\bwork(?:ing)?$", "test ping health check status", 0.8),
        (r"^(?:mark|flag|declare) .*\bas\b", "state status", 0.4),
        (r"\bhow many\b", "count counter total stat number statistic", 0.5),
        (r"\b(?:most|best)\b", "top popular", 0.5),
    )
)
"""Phrases with words that the question probably means without having them, and the weight of these."""

REMOVALS = re.compile(
    r"\bget(?:ting)? rid of\b|^take back\b|\b(?:take|throw|strip)s? (?:\w+ ){1,4}(?:away|off|out|down)\b"
    r"|^take (?:away|down|off|out)\b|^(?:give|hand) back\b|^(?:give|hand|take) (?:\w+ ){1,4}back$"
    r"|^(?:stop|quit) \w+ing\b"
)
NEGATED = re.compile(
    r"\b(?:not|never|(?:isn|aren|wasn|weren|hasn|haven) t|(?:still|yet) (?:has |have )?to)"
    r"(?: (?:yet|been|be|get|got))* (\w+(?:ed|en|id|ad))\b(?: yet\b)?"
)
"""Negated participles: "not been paid" is unpaid."""
MAKING = re.compile(
    r"^(?:leave|drop|write|post) (?:\w+ ){0,2}(?:comment|message|review|note|tip|feedback|reply|voicemail)"
    r"|^know (?:when|if)\b|^(?:be |get )?(?:told|notified|pinged|alerted|warned|informed) (?:when|if|about|of)\b"
    r"|^(?:notify|tell|alert|warn|ping|inform|let) (?:\w+ ){1,3}(?:when|if|about|of|know)\b"
    r"|^(?:get|have) (?:the|an?|this|that|my|our) (?:\w+ ){1,3}(?:\w\wed|done|sent|signed|built|paid|made)$"
    r"|^have (?:the|an?|this|that|my|our) \w+ (?!been|to)"
)
"""Phrases that mean creation, whatever the verb alone means: "leave a comment", "get a document signed"."""
ADJECTIVES = re.compile(
    r"^(?:make|set|turn|switch) (?:\w+ ){1,4}(?:private|public|visible|hidden|primary|default|active|inactive|required|"
    r"optional|available|unavailable|on|off)\b"
)
"""Phrases that mean a change: "make a repository private"."""

POLITE = re.compile(
    r"^(?:(?:please|kindly|now|then|also|hi|hello|ok|okay|(?:can|could|would|will) you|can we|let s|let us|let me|"
    r"how (?:do|can|could|should|would) (?:i|we|you|one)|how to|"
    r"(?:i|we) (?:want|need|would like|d like|wish|have)(?: you)?(?: to)?|"
    r"help (?:me|us)(?: to)?|go ahead and|try to|is there a way to) )+"
    r"| (?:for (?:me|us)|please|now|right now)$"
)
"""Polite words before and after the question."""
ASIDE = re.compile(
    r"(?<=\w) (?:(?:without|instead of|rather than|except(?: for)?|but (?:do )?not)\b.*"
    r"|(?:in|across|on|from) (?:all|every|any)(?: the)? \w+)$"
)
"""Endings such as "without …" and "in all …", whose words are not asked for."""
OPEN_ONES = re.compile(r"^(?:open|new) (?!(?:an?|the|my|our|your|this|that|new|up)\b)(?:\w+ )?\w+[^s]s\b")
"""Queries in which "open" or "new" is an adjective and not a verb: "open invoices of a customer"."""
SHOW_ME = re.compile(r"^(?:give|show|tell|get|fetch|find|list) (?:me|us) (?!(?:when|if|once)\b)")
