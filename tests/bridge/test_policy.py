"""Who may call what. The rules are read here a second time, in the plainest way there is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openapi_mcp_server.bridge.model import Subject
from openapi_mcp_server.bridge.policy import Permit, Policy, Rule, selector
from openapi_mcp_server.documents import policies
from openapi_mcp_server.errors import ConfigError

GET_PET = Subject(api="pets", method="GET", path="/pets/{id}", operation_id="getPet", tags=("pets", "public"))


@pytest.mark.parametrize(
    ("text", "selects"),
    [
        ("getPet", True), ("getpet", False), ("get*", True), ("*Pet", True), ("g*t*t", True), ("id:getPet", True),
        ("GET", True), ("POST", False), ("/pets/{id}", True), ("/pets", False), ("/pets/*", True), ("/*", True),
        ("*", True), ("GET /pets/*", True), ("DELETE /pets/*", False), ("tag:public", True), ("tag:pub", False),
        ("tag:pub*", True), ("api:pets", True), ("api:shop", False), ("petsgetPet", False), ("/pets/*/{id}", False),
    ],
)  # fmt: skip
def test_a_selector_selects(text, selects):
    assert selector(text).selects(GET_PET) is selects


@pytest.mark.parametrize("text", ["", " ", "delete", "get /pets", "tag:", "GET getPet", "two words"])
def test_what_is_no_selector_is_refused(text):
    with pytest.raises(ValueError, match=re.escape(repr(text)) if text.strip() else "."):
        selector(text)


names = st.sampled_from(["getPet", "addPet", "getOrder", "x"])
subjects = st.builds(
    Subject,
    api=st.sampled_from(["pets", "shop"]),
    method=st.sampled_from(["GET", "HEAD", "POST", "DELETE"]),
    path=st.sampled_from(["/pets", "/pets/{id}", "/orders", "/"]),
    operation_id=names | st.just(""),
    tags=st.lists(st.sampled_from(["a", "b"]), max_size=2).map(tuple),
    scopes=st.lists(st.sampled_from(["read", "write"]), max_size=2).map(tuple),
)
texts = st.sampled_from(
    [
        "GET",
        "POST",
        "DELETE",
        "/pets",
        "/pets/*",
        "/*",
        "GET /pets*",
        "tag:a",
        "tag:*",
        "api:pets",
        "getPet",
        "get*",
        "*",
    ]
)
rules = st.builds(
    dict,
    allow=st.lists(texts, max_size=3),
    deny=st.lists(texts, max_size=2),
    read_only=st.booleans(),
    apis=st.none() | st.lists(st.sampled_from(["pets", "shop"]), max_size=2),
    tags=st.none() | st.lists(st.sampled_from(["a", "b"]), max_size=2),
)


def fits(pattern, value):
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), value, re.DOTALL) is not None


def _chosen(text, subject):
    """A second reading of a selector, by regular expressions."""
    if text.startswith("tag:"):
        return any(fits(text[4:], tag) for tag in subject.tags)
    if text.startswith("api:"):
        return fits(text[4:], subject.api)
    if text in {"GET", "POST", "DELETE"}:
        return subject.method == text
    if " " in text:
        method, path = text.split(" ")
        return subject.method == method and fits(path, subject.path)
    return fits(text, subject.path if text[0] in "/*" else subject.operation_id)


def _allowed(written, subject):
    if any(_chosen(text, subject) for text in written["deny"]):
        return False
    if written["read_only"] and subject.method not in {"GET", "HEAD"}:
        return False
    if written["apis"] is not None and subject.api not in written["apis"]:
        return False
    if written["tags"] is not None and not set(written["tags"]) & set(subject.tags):
        return False
    return not written["allow"] or any(_chosen(text, subject) for text in written["allow"])


def _rule(written):
    return Rule(
        allow=tuple(map(selector, written["allow"])),
        deny=tuple(map(selector, written["deny"])),
        read_only=written["read_only"],
        apis=None if written["apis"] is None else frozenset(written["apis"]),
        tags=None if written["tags"] is None else frozenset(written["tags"]),
    )


@given(rules, subjects)
def test_a_rule_permits_what_a_plain_reading_of_it_does(written, subject):
    assert _rule(written).permits(subject) is _allowed(written, subject)


@given(
    own=rules, granted=st.dictionaries(st.sampled_from(["s1", "s2"]), rules), default=st.none() | rules,
    held=st.sets(st.sampled_from(["s1", "s2", "s3"])),
    scopes=st.sets(st.sampled_from(["read", "write"])), subject=subjects,
)  # fmt: skip
def test_a_permit_admits_what_a_plain_reading_of_the_policy_does(own, granted, default, held, scopes, subject):
    policy = Policy(
        scopes={name: _rule(rule) for name, rule in granted.items()},
        default=None if default is None else _rule(default),
    )
    permit = Permit(own=_rule(own), granted=policy.granted("somebody", held, ()), scopes=frozenset(scopes))
    applying = [rule for name, rule in granted.items() if name in held] or ([] if default is None else [default])
    expected = (
        _allowed(own, subject)
        and any(_allowed(rule, subject) for rule in applying)
        and not any(_chosen(text, subject) for rule in applying for text in rule["deny"])
        and set(subject.scopes) <= scopes
    )
    assert permit.admits(subject) is expected


def test_a_group_and_a_scope_of_one_name_are_two():
    policy = Policy(groups={"admin": Rule()})
    assert policy.granted("x", ["admin"], []) == ()
    assert policy.granted("x", [], ["admin"]) == (Rule(),)


def test_who_is_in_no_entry_may_call_nothing_without_a_default():
    assert not Permit(granted=Policy(principals={"alice": Rule()}).granted("bob", [], [])).admits(GET_PET)


POLICY = """
principals: {alice: {allow: [getPet]}}
scopes: {'pets:write': {allow: ['/pets*'], deny: [DELETE]}}
default: {read_only: true}
"""


def test_the_file_is_read():
    policy = policies.read(POLICY.encode(), "policy.yaml")
    assert policy.principals == {"alice": Rule(allow=(selector("getPet"),))}
    assert policy.scopes == {"pets:write": Rule(allow=(selector("/pets*"),), deny=(selector("DELETE"),))}
    assert policy.default == Rule(read_only=True)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("principals: {a: {alow: []}}", "alow"),
        ("principals: {a: {deny: [delete]}}", "POLICY: principals.a.deny: 'delete': write DELETE for the method"),
        ("scopes: []", "scopes"),
        ("[", "POLICY: "),
        ("user: {}", "user"),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_start(text, problem):
    with pytest.raises(ConfigError, match=re.escape(problem)):
        policies.read(text.encode(), "policy.yaml")
