"""What people call things, what APIs call them, and which methods a verb can mean.

Written for questions in English; a word that is in none of these tables is looked for as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from openapi_mcp_server.bridge.search.words import stem

Intent = Literal["create", "read", "update", "delete", "act"]

STOP = frozenset(
    """
    a about all also am an and any anybody anyone are as at be been being both but by can could did do does doing done
    down each either else every everybody everyone everything for from had has have having he her here hers him his how
    i if in inside into is it its itself just kindly let lets like many may me might mine must my myself need needs no
    nobody not now of off on once one ones only onto or our ours out over own per please right s shall she should so
    some somebody someone something such t than that the their them then there these they thing things this those to
    too under until up upon us using very via want wants was we were what when where whether which who whom whose why
    will with within without would yet you your yours
    """.split()
)
"""Words that say nothing about an operation."""

_VERBS: Mapping[Intent, str] = {
    "create": "add apply ask attach book buy compose create draft enrol enroll establish generate give grant import "
    "insert invite issue join launch make new open order place post publish provision purchase put raise register "
    "request save schedule send set setup share start store submit text trigger upload write kick roll comment reply "
    "build compute calculate",
    "read": "browse check compare count describe display download export fetch find get inspect list look lookup get "
    "read retrieve search see show tell view what which who how where when is are does do has examine query report know",
    "update": "adjust alter archive assign change close configure correct disable edit enable extend hide hold lock "
    "mark modify move mute pause rearrange rename reopen reorder replace resize restore resume rotate scale set "
    "silence star switch toggle transfer turn unarchive unlock unmute update pin follow",
    "delete": "cancel clear close delete detach discard disconnect drop end erase expel forget kick leave purge remove "
    "revoke rid terminate throw trash unassign unfollow uninstall unlink unpin unpublish unshare unstar unsubscribe "
    "wipe withdraw stop",
    "act": "abort accept activate approve authorize back ban block call cancel capture charge clone close commit "
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
    "create": {"POST": 1.0, "PUT": 0.6, "PATCH": 0.3},
    "read": {"GET": 1.0, "QUERY": 1.0, "POST": 0.25, "HEAD": 0.2},
    "update": {"PATCH": 1.0, "PUT": 1.0, "POST": 0.7},
    "delete": {"DELETE": 1.0, "POST": 0.5, "PUT": 0.2, "PATCH": 0.2},
    "act": {"POST": 1.0, "PUT": 0.95, "PATCH": 0.9, "DELETE": 0.5},
}
"""How well an operation of a method fits an intent."""
DETERMINERS = frozenset("a an the my our your his her its their this that these those all every some us it me".split())
"""After an unknown first word they make it a verb: "star a repository"."""
PLURAL_QUESTIONS = frozenset({"who", "which", "find", "search", "list", "browse", "many"})

GENERIC = frozenset(
    map(
        stem,
        "add alter change check create delete describe display do edit fetch find get give list look make modify new "
        "put read remove retrieve search see set show take tell turn update use view write".split(),
    )
)
"""Verbs that half of an API's operations have: they tell the method, hardly the operation."""

_GROUPS = """
    abort cancel stop terminate end
    account profile
    activity audit log event history
    ai model assistant
    alert notification notify alarm
    amount total sum
    app application
    archive archived
    area region zone
    article page post
    assign assignment assignee allocate
    attach attachment file
    authenticate auth login signin session
    avatar picture photo image icon
    balance credit fund money
    ban block blacklist
    bank payout
    bill invoice
    bin trash
    board dashboard
    bookmark favorite star saved
    branch ref
    bug issue ticket
    buy purchase order incoming provision
    calendar schedule
    call dial phone
    cart checkout basket
    category genre topic
    channel room
    chargeback dispute
    chat conversation message completion
    cluster swarm
    collaborate collaborator collaboration
    colleague collaborator member user teammate
    color palette
    column section
    comment note feedback remark reply story
    commit revision
    company organization org enterprise business
    compare difference diff comparison
    complete done finish completed
    connect link attach join
    contact recipient person address
    content item children
    copy clone duplicate fork
    cost price fee
    cover image artwork
    credential password token key secret
    currency exchange
    customer client buyer
    delete remove erase destroy
    deploy deployment rollout release
    device machine computer phone speaker
    discount coupon promotion
    document file
    download export content
    edit update modify change
    email mail message
    emoji reaction
    employee staff worker
    environment env
    error failure failed fault
    evict eviction drain
    execute exec run
    expire expiration
    fetch retrieve get
    field attribute property
    folder directory label
    follow following subscribe watch
    follower subscriber
    forward redirect
    group team
    guild server
    harmful moderation abuse unsafe
    hide mute silence
    host node machine
    hour time
    house property home
    image picture photo
    incoming inbound
    inspect detail info
    install installation
    invite invitation
    issue create
    job task run
    kick remove
    label tag
    language locale
    leave quit exit
    library catalog
    limit quota rate
    list enumerate
    location place address
    lock freeze
    machine node host
    manager admin administrator
    map mapping
    member user people person participant
    merge combine
    method way
    money balance payment
    move transfer
    movie film video
    mp3 audio
    music song track
    musician artist band
    name title
    namespace project
    next skip
    notice notification
    number count total
    object resource
    option choice
    out outgoing outbound
    output log stdout
    owner creator author
    package library
    paid payment
    password credential secret
    pay payment charge
    pdf document
    people user member person
    permission access right scope role
    phone number
    picture image photo media thumbnail
    plan tier
    plugin extension addon
    podcast show
    popular top trending
    preview thumbnail
    previous back prior
    private secret
    process top
    product item
    profile me account
    project repository
    pull merge
    question query ask
    queue waiting
    quick fast
    rate limit
    read get
    reboot restart
    recent recently latest lately
    record recording
    refund reimburse
    registry repository
    related similar
    remind resend reminder
    repo repository
    report summary
    rerun restart retry
    restart reboot
    restore recover undelete untrash
    review reviewer
    rule filter
    running active
    scale replica
    score rating
    sell product
    send post create
    setting configuration preference option config
    share collaboration collaborate shared
    shop store
    signature sign
    song track
    speaker device
    speech audio voice
    spend usage cost
    stats statistic metric analytic
    status state
    step subtask
    subscribe follow subscription
    suspend disable
    tax vat
    team group
    template layout
    text message sms
    thread conversation
    throw trash delete
    ticket issue
    timeline history
    transcribe transcription
    trigger dispatch
    tutorial guide
    upload import
    url link address
    vacation holiday
    valid validate validation verify
    variable env
    vector embedding
    version revision release
    video movie
    visitor guest
    volume loudness
    vote poll
    wallet balance
    warn alert
    web url
    webhook hook callback
    workspace organization
    write create
    zip archive
"""
SYNONYM = 0.65
"""Weight of another word of the group beside the word itself."""


def _synonyms() -> Mapping[str, tuple[str, ...]]:
    """By stem: the other stems of its groups. A word that begins several groups has them all."""
    found: dict[str, dict[str, None]] = {}
    for line in _GROUPS.strip().splitlines():
        group = [stem(word) for word in line.split()]
        for word in group:
            found.setdefault(word, {}).update(dict.fromkeys(other for other in group if other != word))
    return {word: tuple(others) for word, others in found.items()}


SYNONYMS = _synonyms()

PHRASES: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(rf"\b(?:{pattern})\b"), tuple(map(stem, words.split())))
    for pattern, words in {
        r"who am i|about me": "me authenticated current user profile",
        r"out of (?:the )?office": "vacation",
        r"direct messages?|private messages?": "dm channel",
        r"by hand|manually": "dispatch",
        r"api keys?": "apikey key",
        r"slash commands?": "command",
        r"disk(?: space)?": "df disk",
        r"log ?(?:in|on)|sign ?in": "auth login session",
        r"money back": "refund",
        r"read ?(?:me)": "readme",
        r"hang ?up|end a call": "hangup call update",
        r"toll ?free": "tollfree",
        r"set ?up": "create configure",
        r"e ?mail": "email",
        r"pull requests?|merge requests?": "pull",
        r"every (?:night|day|hour|week|month)|recurring": "schedule cron cronjob",
        r"text (?:to|into) speech|aloud": "speech audio",
        r"speech (?:to|into) text": "transcription audio",
        r"fine ?tun\w*": "finetune tune",
        r"log ?out|sign(?:ed)?(?: \w+){0,5} out": "logout terminate session",
        r"to do|todo": "task",
    }.items()
)
"""Idioms, and words of APIs that they mean."""
