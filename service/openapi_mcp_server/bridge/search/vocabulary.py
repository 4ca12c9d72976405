"""The words that people have for things, those that APIs have, and the methods that a verb can mean.

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
    "start store submit text trigger upload write kick roll comment reply build compute calculate "
    "chat talk email mail message",
    "read": "browse check compare count describe display download export fetch find get inspect list look lookup get "
    "read retrieve search see show tell view what which who how where when is are does do has examine query report "
    "know",
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

REMOVALS = re.compile(r"\bget(?:ting)? rid of\b|\b(?:take|throw|strip)s? (?:\w+ ){1,4}(?:away|off|out)\b")

_GROUPS = """
    abort cancel stop terminate end
    abuse spam report
    account profile
    acknowledge ack
    activity audit log event history
    advert ad campaign
    agenda calendar event
    ai model assistant
    alert notification notify alarm
    alias nickname
    allow permit whitelist allowlist grant approve
    amount total sum
    anonymous guest
    answer reply respond response
    app application
    appointment event booking reservation
    approval review
    archive archived
    area region zone
    assemble build
    assign assignment assignee allocate
    attach attachment file
    authenticate auth login signin session
    available free
    avatar picture photo image icon
    backup snapshot
    balance credit fund money
    ban block blacklist
    bank payout
    banner cover
    barrier restriction
    begin start
    bell notification
    belong member
    bill invoice
    bin trash
    bind binding
    birthday birth
    board dashboard
    bookmark favorite star saved
    bot application
    branch ref
    breakdown summary statistic
    broadcast announcement
    bucket storage
    bug issue ticket
    bulk batch
    bundle package
    busy status
    button component
    buy purchase order incoming provision
    calendar schedule
    call dial phone
    caller participant member
    campaign singlesend
    caption subtitle
    card payment
    cart checkout basket
    catalogue listing
    category genre topic
    certificate cert tls ssl
    change edit diff
    channel room
    chapter part
    charge payment
    chargeback dispute
    chat conversation message completion
    check verify validate status
    child subtask
    choose select
    city location place
    classify classification categorize
    clean prune purge
    client customer
    clip video
    cluster swarm
    code source
    codespace workspace
    collaborate collaborator collaboration
    colleague collaborator member user teammate
    collect capture
    color palette
    column list stage
    column section
    command instruction
    comment note feedback remark reply story
    commenter comment
    commit revision
    company organization org enterprise business
    compare difference diff comparison
    competitor rival
    complete done finish completed
    compute calculate calculation
    computer node
    concert event
    connect link attach join
    console log terminal
    consume usage
    contact recipient person address
    content item children
    contract agreement document
    contributor collaborator member
    control manage
    convert transform
    cookie session
    copy clone duplicate fork
    cost price fee
    count number
    cover image artwork
    coverage report
    crash error
    credential password token key secret
    crew team
    cron schedule
    currency exchange
    currency money
    customer client buyer
    dashboard screen
    data content
    database db
    deal opportunity
    debt balance
    decline reject refuse deny
    default preset
    delay schedule postpone
    delegate assistant
    delete remove erase destroy
    deliver delivery ship shipment
    dependency depend blocker
    deploy deployment rollout release
    deposit topup
    description text detail
    design file
    destination target
    developer user
    device machine computer phone speaker
    diagram board
    dimension size
    discount coupon promotion
    disk storage volume
    distribution release
    dns domain
    document file
    domain site host
    download export content
    draft unsent
    due deadline
    earning payout revenue
    edit update modify change
    email mail message
    embed vector
    emoji reaction
    emote emoji
    employee staff worker
    encrypt cipher key
    endpoint url webhook
    engagement activity
    environment env
    episode podcast
    error failure failed fault
    evict eviction drain
    evidence proof
    exclude ignore
    execute exec run
    expense cost
    expire expiration
    explore browse
    face avatar
    fail failed
    fan follower
    feature flag
    feed timeline stream
    fetch retrieve get
    field attribute property
    figure number
    film video
    find search lookup query
    firewall network
    flow workflow
    folder directory label
    follow following subscribe watch
    follower subscriber
    force require
    form survey
    forward redirect
    foto image
    free available
    friend contact relationship
    gallery album
    gear setting
    gift credit
    goal target objective
    graph chart metric
    group team
    guideline rule
    guild server
    handler hook
    harmful moderation abuse unsafe
    health status ping
    heart like favorite
    help support
    hide mute silence
    hire employee
    hit play
    hold freeze legal
    host node machine
    hour time
    house property home
    icon logo image
    id identifier
    idea suggestion
    identity profile
    image picture photo
    inbox message mailbox
    income earning
    incoming inbound
    increase scale
    ingress load balancer
    inspect detail info
    install installation
    instance server machine
    integrate integration
    interval period
    invite invitation
    ip address
    item line product
    jail ban
    job task run
    junk spam
    keep retain retention preserve
    keyword query
    kick remove
    kill terminate stop
    label tag
    language locale
    latency delay
    lead contact
    leave quit exit
    ledger transaction
    lesson course
    letter mail
    level tier
    library catalog
    like favorite save
    likeness image
    limit quota rate
    line item row
    listen play
    location place address
    location region
    lock freeze
    login auth
    logo icon
    lost missing
    lyrics text
    machine node host
    mailbox account inbox
    maintenance downtime
    manager admin administrator
    manual guide
    map mapping
    marker label
    master main primary
    match compare
    measure metric
    meeting event
    melody track
    member user people person participant
    memo note
    memory ram
    mention reference
    merchant seller account
    merge combine
    meter usage
    method way
    milestone goal
    mirror clone replicate
    mistake error
    money balance payment
    monitor watch alert
    month monthly
    mood feature
    motion animation
    mount volume
    move transfer
    movie film video
    mp3 audio
    music song track
    musician artist band
    name label
    name title
    namespace project
    nearby location
    newsletter campaign
    next skip
    nickname nick
    node machine worker
    notice notification
    number count total
    object resource
    off disable
    offer deal
    offline disconnect
    older previous version history
    on enable
    option choice
    order invoice
    out outgoing outbound
    output log stdout
    overview summary
    owner creator author
    package library
    page site
    paid payment
    parent upstream
    participant attendee
    partner affiliate
    party event
    password credential secret
    patch update
    pay payment charge
    payee recipient
    payer customer
    pdf document
    peer node
    pending waiting queue
    people user member person
    percentage percent
    performer artist
    permission access right scope role
    phone number
    pic image
    picture image photo media thumbnail
    piece part
    pin password
    place location venue
    plan tier
    player playback
    plugin extension addon
    pod container workload
    podcast show
    policy rule
    popular top trending
    popularity top
    portal dashboard
    position location
    postal address
    poster image
    prefer preference
    preview thumbnail
    previous back prior
    print pdf
    priority importance
    private secret
    problem issue error
    process top
    product item
    profile me account
    profit revenue
    progress status
    project repository
    prompt instruction
    property field
    publish release
    purge prune clean
    question query ask
    queue list
    queue waiting
    quick fast
    quit leave
    quote estimate
    radio station
    ram memory
    rate limit
    reason cause
    reboot restart
    receipt invoice
    receive inbound incoming
    receiver recipient
    recent recently latest lately
    recommend recommendation suggestion
    record recording
    recover restore
    recruit invite
    redo repeat
    reference ref
    refund reimburse
    refuse decline
    region area
    register enroll signup
    registry repository
    reimburse refund
    reject decline
    related similar
    relation relationship
    relocate move transfer
    remark comment
    remind resend reminder
    renew extend
    rent lease
    repeat loop
    replicate copy
    repo repository
    report summary
    represent render
    reputation score
    rerun restart retry
    resolve close complete
    respond response answer reply
    responsible owner assignee
    restart reboot
    restore recover undelete untrash
    resume continue unpause
    return refund
    revenue income
    review reviewer
    reward bonus
    ring call
    role permission
    rollback revert
    roster member
    rotate renew
    route path
    row record
    rule filter
    running active
    salary pay
    sale order
    sample example
    scale replica
    scan inspect
    schema structure
    score rating
    screen display
    screenshot image
    seat license
    sell product
    seller merchant
    sender from
    sentence text
    separate split
    setting configuration preference option config
    share collaboration collaborate shared
    shell exec
    shop store
    shrink scale
    shut stop
    sight view
    signature sign
    silence mute downtime
    single one
    sms message text
    snapshot image
    snippet gist
    solved closed
    song track
    sort order
    sound audio
    source code
    spam junk
    speak speech
    speaker device
    speech audio voice
    spend usage cost
    split divide
    staff member
    stage section
    stamp watermark
    stargazer star
    starred star
    stats statistic metric analytic
    status state
    step subtask
    storage disk
    stream live
    student pupil user
    subject title
    submit send
    subscribe follow subscription
    substitute replace
    supplier vendor
    survey poll
    suspend disable
    swap exchange replace
    switch toggle
    sync synchronize
    synonym alias
    tab page
    talk conversation
    tax vat
    team group
    team workspace
    template layout
    tempo feature
    tenant organization
    term agreement
    text message sms
    theme style
    thread conversation
    throw trash delete
    ticket issue
    tie link
    timeline history
    tool function
    traffic view visit
    trail log
    transcribe transcription
    translate translation
    traveler passenger
    tree hierarchy
    trigger dispatch
    tune track
    tutorial guide
    tweet post
    unread label
    unused prune
    updated modified
    upload import
    url link address
    utterance message
    vacation holiday
    valid validate validation verify
    variable env
    vector embedding
    venue location
    version revision release
    video movie
    viewer subscriber
    visitor guest
    vm instance
    volume loudness
    vote poll
    voucher coupon
    wait pending
    wake start
    wallet balance
    warehouse inventory stock
    warn alert
    warning alert
    watcher subscriber
    web url
    webhook hook callback
    wipe erase delete
    word term
    work job task
    worker employee
    workspace organization
    writer author
    year annual
    zip archive
    vulnerability vuln cve security
    vulnerable vuln vulnerability security
    broken error failed
    overdue due
    succeed success status state
"""
SYNONYM, SYNONYM_BESIDE = 0.75, 0.55
"""Weight of another word of the group where an API does not have the word itself, and where it has it."""


def _synonyms() -> Mapping[str, tuple[str, ...]]:
    """The synonyms by stem: the other stems of its groups. A word that begins several groups has them all."""
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
        r"slash commands?": "command",
        r"disk(?: space)?": "df disk",
        r"log ?(?:in|on)|sign ?in": "auth login session",
        r"money back|pay back": "refund",
        r"(?:up next|play next|after (?:this|the current)(?: one| song| track)?)": "queue next",
        r"mark(?:ed)? (?:\w+ ){0,4}as (?:read|unread|seen|spam|important)": "modify mark label",
        r"(?:be )?(?:told|notified|pinged)(?: me)? when|let me know": "webhook hook watch subscribe trigger",
        r"who did what|who (?:changed|touched|edited)": "audit activity event log",
        r"do not call": "dnc donotcall",
        r"(?:how much|what) (?:are|did|do) (?:we|i) (?:billed|spend|pay|charged)": "billable cost usage bill",
        r"(?:before|blocks?|blocking) (?:this|it|that)": "dependency blocker",
        r"at once|in bulk|in one go": "bulk batch",
        r"many (?=\w+ at once)": "bulk batch",
        r"roll(?:ed|ing)? ?out": "deployment deploy rollout release",
        r"(?:do|am|is) (?:i|it|this|he|she)(?: \w+){0,2}(?: already| in my)?(?= )": "contain check",
        r"(?:add|put|invite) (?:some(?:body|one)|a (?:user|person|member)|people) (?:to|in|on)": "member membership",
        r"get(?:ting)? rid of": "delete remove",
        r"(?:get|bring|take|put) (?:\w+ ){1,5}back(?: out)?(?: of| from)?": "restore undelete untrash return recover",
        r"write off|written off": "uncollectible",
        r"look (?:up|for)": "search",
        r"what(?: is| s)? new|since (?:yesterday|last \w+)": "history recent event",
        r"how (?:many|much) (?:calls|requests)": "rate limit",
        r"read ?(?:me)": "readme",
        r"hang ?up|end a call": "hangup call update",
        r"toll ?free": "tollfree",
        r"set ?up": "create configure",
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
