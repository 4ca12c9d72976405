"""Policies as they are written, and a second reading of them in the plainest way there is."""

from __future__ import annotations

import re
from urllib.parse import unquote

import msgspec
from hypothesis import strategies as st

from openapi_mcp_server.bridge.model import Subject
from openapi_mcp_server.bridge.policy import Rule, selector

names = st.sampled_from(["getPet", "addPet", "getOrder", "x"])
subjects = st.builds(
    Subject,
    api=st.sampled_from(["pets", "shop"]),
    method=st.sampled_from(["GET", "HEAD", "POST", "DELETE"]),
    path=st.sampled_from(["/pets", "/pets/{id}", "/orders", "/", "/Pets/%31", "//pets"]),
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
    allow=st.none() | st.lists(texts, max_size=3),
    deny=st.lists(texts, max_size=2),
    read_only=st.booleans(),
    apis=st.none() | st.lists(st.sampled_from(["pets", "shop"]), max_size=2),
    tags=st.none() | st.lists(st.sampled_from(["a", "b"]), max_size=2),
)


def fits(pattern, value):
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), value, re.DOTALL) is not None


def chosen(text, subject):
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


def denied(text, subject):
    """As `chosen`, and for a path also in lower case, decoded and with single slashes."""
    respelt = re.sub("/+", "/", unquote(subject.path).lower())
    return chosen(text, subject) or chosen(text, msgspec.structs.replace(subject, path=respelt))


def allowed(written, subject):
    if any(denied(text, subject) for text in written["deny"]):
        return False
    if written["read_only"] and subject.method not in {"GET", "HEAD"}:
        return False
    if written["apis"] is not None and subject.api not in written["apis"]:
        return False
    if written["tags"] is not None and not set(written["tags"]) & set(subject.tags):
        return False
    return written["allow"] is None or any(chosen(text, subject) for text in written["allow"])


def rule_of(written):
    return Rule(
        allow=None if written["allow"] is None else tuple(map(selector, written["allow"])),
        deny=tuple(map(selector, written["deny"])),
        read_only=written["read_only"],
        apis=None if written["apis"] is None else frozenset(written["apis"]),
        tags=None if written["tags"] is None else frozenset(written["tags"]),
    )
