"""People's words for things, those of APIs, and the methods that a verb can mean.

The tables are for questions in English. A word in none of them is searched as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Literal

from openapi_mcp_server.bridge.search.words import stem

Intent = Literal["create", "read", "update", "delete", "act"]

STOP = frozenset(
    """
    a about all also am an and any anybody anyone are as at be been being both but by can could did do does doing done
    down each either else every everybody everyone everything exist exists for from go goes going had has have having he
    her here hers him his how i if in inside into is it its itself just kindly let lets many may me might mine must my
    myself need needs no nobody not now of off on once one ones only onto or our ours out over own per please right s
    shall she should so some somebody someone something such t than that the their them then there these they thing
    things this those to too under until up upon us using very via want wants was we were what when where whether which
    who whom whose why will with within without would yet you your yours
    """.split()  # noqa: SIM905 - read as words
)
"""Words that say nothing about an operation."""
FAINT = frozenset(
    """
    data day days detail details hour hours info information last minute minutes month months past today tomorrow
    tonight week weeks year years yesterday
    """.split()  # noqa: SIM905 - read as words
)
"""Words of time, and of parts that every answer has."""

_VERBS: Mapping[Intent, str] = {
    "create": "add advertise alert allow annotate announce answer apply appoint ask assign attach bill book "
    "bookmark bootstrap borrow broadcast build buy calculate charge chat clone collect comment compose "
    "compute construct copy create delegate deliver deposit dial donate draft duplicate email emit "
    "enqueue enrol enroll establish export flag fork gather generate give grant hire import initialize "
    "initiate insert introduce invite issue join keep kick label launch lend let like log mail make "
    "message mint new nominate notify onboard open order pay permit place pledge post prepare preserve "
    "produce propose provision publish purchase put quote raise rate react recommend record recruit "
    "register rent reply report request reserve retain roll save schedule sell send set setup share spawn "
    "sponsor start store submit subscribe suggest tag talk text trigger upload upsert vote write",
    "read": "are audit browse check compare count describe detect determine discover display do does download "
    "enumerate examine explore export fetch find get has how identify inspect is know list locate look "
    "lookup monitor observe obtain peek poll preview query read receive recommend report retrieve search "
    "see show suggest tell trace view what when where which who",
    "update": "adapt adjust alter amend archive assign bind categorize change close complete configure continue "
    "correct customize decrease delay demote disable downgrade edit enable enforce expand expose extend "
    "fill finish fix follow forbid force hide hold ignore increase lock lower mark modify move mute "
    "nickname override overwrite pause pin postpone prevent prioritize prohibit prolong promote protect "
    "raise rearrange reassign reconfigure redirect reduce refine refresh relabel relocate rename renew "
    "reopen reorder replace require reroute reschedule resize resolve restore restrict resume retitle "
    "revise rotate scale secure set shorten silence snooze sort star switch throttle toggle transfer tune "
    "turn tweak unarchive unhide unlock unmute update upgrade upsert",
    "delete": "abandon annul cancel clear close deactivate decommission delete demote deprovision deregister detach "
    "disband discard disconnect discontinue dismiss dispose dissolve ditch drop eject empty end erase "
    "exclude exit expel expunge fire forget invalidate kick leave nuke purge quit recall reject release "
    "remove rescind reset retire retract reverse revoke rid scrap stop strip terminate throw trash "
    "unassign unban unbind unblock undeploy undo unfollow uninstall unlike unlink unlist unlock unmute "
    "unpin unprotect unpublish unregister unshare unstar unsubscribe untag unwatch wipe withdraw",
    "act": "abort accept ack acknowledge activate annotate approve authorize autoscale back ban bind block boot "
    "bump call cancel capture charge checkin checkout claim classify clone close combine commit compile "
    "complete compress conduct confirm connect continue convert copy cordon crawl crop deactivate debit "
    "decline decode decompress decrypt dedupe defer deny deploy deposit diff disable dismiss dispatch "
    "downgrade drain duplicate embed enable encode encrypt escalate estimate evict exchange exec execute "
    "expire export expose extract finalize finish flip flush forecast fork forward freeze generate give "
    "grant hang hangup hibernate hold ignore import increment initiate invalidate investigate invoke "
    "isolate kick kill link lint load lock log login logout merge migrate moderate mute notify nudge open "
    "optimize parse pause pay perform ping play poke predict print process promote provision prune "
    "publish pull push quarantine raise react reactivate reboot rebuild recall reconcile recover redeem "
    "redeliver redial refresh refund reindex reject release reload remind rename render reopen repeat "
    "replay rerun resend reserve reset resolve restart restore resume retry reverse revert review rewind "
    "ring roll rollback rotate run scale scan seek settle ship shuffle shut sign simulate skip snooze "
    "split stamp start stop submit subscribe summarize suspend swap switch sync tag test train transcode "
    "transcribe transfer transform translate triage trigger unarchive unban undelete undo unlock unpause "
    "unsend untrash upgrade validate verify void wake watch withdraw",
}
"""Verbs by intent. A verb may have several: ``cancel`` is a DELETE in one API and a POST in another."""
INTENTS: Mapping[str, frozenset[Intent]] = {
    verb: frozenset(intent for intent, verbs in _VERBS.items() if verb in verbs.split())
    for verb in " ".join(_VERBS.values()).split()
}
BY_METHOD: Mapping[Intent, Mapping[str, float]] = {
    "create": {"POST": 1.0, "PUT": 0.6, "PATCH": 0.3},
    "read": {"GET": 1.0, "QUERY": 1.0, "POST": 0.25, "HEAD": 0.2},
    "update": {"PATCH": 1.0, "PUT": 1.0, "POST": 0.5},
    "delete": {"DELETE": 1.0, "POST": 0.3, "PUT": 0.2, "PATCH": 0.2},
    "act": {"POST": 1.0, "PUT": 0.95, "PATCH": 0.9, "DELETE": 0.2},
}
"""The factors of methods for each intent."""
SPELT_RIGHT = frozenset(
    """
    ago alone already always anyway aside away back bad best better big came care certain come common day dear early
    else enough even ever far few fine first five four full good great half hard here high home idea kind large late
    later least left less life little lone long low main man most much nearly never next nice night nine often old
    ongoing other part past people place point quite rather ready real really reason right same second seven several
    short side since six small sometimes soon still sure take ten than thank third three thus time today together
    told took too tool twice two typing usual wait way week well whole wide woman word work world wrong year yes young
    """.split()  # noqa: SIM905 - read as words
)
"""Usual English words that are not corrected to words of an API."""
DETERMINERS = frozenset("a an the my our your his her its their this every all".split())  # noqa: SIM905 - read as words
"""An unknown first word before one of these is a verb: "star a repository"."""
QUESTIONS = frozenset("who which what where when how is are was were do does did has have can".split())  # noqa: SIM905
"""First words of questions, which are answered by reading."""
STOP_UNLESS_FIRST = frozenset({"like"})
"""Words that count only as a verb at the start: "like a song"."""
PREPOSITIONS = frozenset(
    """
    about after against among around at before behind below between by for from in inside into of off on onto over
    per since that through to under until which who whose with within without
    """.split()  # noqa: SIM905 - read as words
)
"""Prepositions. The words that are asked for come before the first of them."""
RELATIVE = frozenset("that which who whose whom where to i we you they he she it".split())  # noqa: SIM905 - read as words
"""Words that begin a description of the noun before them: "orders that have been paid", "files I opened"."""
ADVERBS = frozenset("again always bulk force never soft".split())  # noqa: SIM905 - read as words
"""Words before a verb that are no nouns, like words with the ending -ly."""
PARTICLES = frozenset("away back down off out over up".split())  # noqa: SIM905 - read as words
"""Words that form a verb with an unknown first word before an article: "time out a member"."""
OWN = frozenset({"my", "me", "i", "mine", "we", "our", "myself"})
"""Words for the caller's own things: ``/me/playlists``."""
WHETHER = frozenset({"is", "was", "am", "does", "do", "did", "has", "have", "can"})
"""First words of questions about one thing."""
ALL = frozenset({"all", "every", "everybody", "everyone", "everything", "several", "multiple"})
"""Words that mean more than one item, for example to be deleted."""
MANY = frozenset({"who", "which", "find", "search", "list", "browse", "many"})
"""First words that ask for several things, whatever the noun."""

GENERIC = frozenset(
    stem(word)
    for word in """
    add alter change check create delete describe display do edit fetch find get give list look make modify new put read
    remove retrieve search see set show take tell turn update use view write
    """.split()  # noqa: SIM905 - read as words
)
"""Verbs of half of an API's operations, which indicate the method but hardly the operation."""

SYNONYM, SYNONYM_BESIDE = 0.75, 0.7
"""Weights of a synonym if an API does not have the word itself, and if it has it."""


def _groups() -> Sequence[Sequence[str]]:
    lines = resources.files(__package__).joinpath("synonyms.txt").read_text("utf-8").splitlines()
    return [line.split() for line in lines if not line.startswith("#")]


def _synonyms() -> Mapping[str, tuple[str, ...]]:
    """The synonyms of each stem: the other stems of its groups."""
    found: dict[str, dict[str, None]] = {}
    for group in _groups():
        members = [stem(word) for word in group]
        for word in members:
            found.setdefault(word, {}).update(dict.fromkeys(other for other in members if other != word))
    return {word: tuple(others) for word, others in found.items()}


SYNONYMS = _synonyms()
WORDS = frozenset(
    {*INTENTS, *(word for word in STOP if len(word) > 3), *(word for group in _groups() for word in group)}
)
"""All words of the tables, as possible corrections of a mistyped word in any API."""
