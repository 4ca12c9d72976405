"""Who may call what. The rules are read here a second time, in the plainest way there is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents import described
from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.model import Subject
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.bridge.policy import EVERYTHING, OperationPaths, Permit, Policy, Rule, Selector, selector
from openapi_mcp_server.bridge.request import build as requested
from openapi_mcp_server.documents import policies
from openapi_mcp_server.errors import ArgumentError, ConfigError
from openapi_mcp_server.settings.config import load
from plain_policy import allowed, denied, rule_of, rules, subjects

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


@pytest.mark.parametrize(
    "path",
    [
        "/admin/users", "/adm%69n/users", "/%61dmin/users", "/adm%2569n/users", "/admin%2Fusers", "//admin/users",
        "/admin//users", "/Admin/Users", "/ADMIN/users", "/admin;v=1/users", "/admin%3Bv=1/users", "/admin\\users",
        "/admin%5Cusers", "/admin/users/",
    ],
)  # fmt: skip
@pytest.mark.parametrize("denied", ["/admin/*", "/admin/users", "GET /admin/*", "/ADM%49N/*", "GET"])
def test_a_denied_path_is_denied_however_it_is_spelt(denied, path):
    """Its server may take the spellings for one. What is allowed is compared as it is written."""
    subject = Subject(api="a", method="GET", path=path, operation_id="x")
    assert not Rule(deny=(selector(denied),)).permits(subject)
    assert not Permit(granted=(Rule(), Rule(deny=(selector(denied),)))).admits(subject)
    if path != "/admin/users" and denied == "/admin/users":
        assert not Rule(allow=(selector(denied),)).permits(subject)


@pytest.mark.parametrize(
    "denied", ["/users/{user-id:[0-9]{3}}/keys", "GET /Users/{userId:.*}/keys", "/users/{user_id?}/*", "/*/{*userid}/*"]
)
def test_a_denied_path_is_denied_as_frameworks_write_its_variables(denied):
    """The document's own spelling is read by the names of its parameters, and the rule may have been copied from it."""
    declared = {"name": "userId", "in": "path", "required": True, "schema": {"type": "string"}}
    (operation,) = described({"/users/{user-id:[0-9]{3}}/keys": {"get": {"parameters": [declared]}}}).operations
    assert operation.path == "/users/{userId}/keys"
    assert not Rule(deny=(selector(denied),)).permits(Subject(api="a", method="GET", path=operation.path))
    assert Rule(deny=(selector(denied),)).permits(Subject(api="a", method="GET", path="/users/{id}/keys"))


def test_a_denied_method_is_denied_in_lower_case_too():
    assert not Rule(deny=(selector("DELETE"),)).permits(Subject(api="a", method="delete", path="/x"))
    assert not Rule(deny=(selector("DELETE /x"),)).permits(Subject(api="a", method="Delete", path="/x"))
    assert not Rule(read_only=True).permits(Subject(api="a", method="get", path="/x"))


@pytest.mark.parametrize("path", ["/administrators", "/pets/{id}", "/a/admin/users", "/", "/%" * 40])
def test_other_paths_are_notdenied(path):
    assert Rule(deny=(selector("/admin/*"),)).permits(Subject(api="a", method="GET", path=path))


@given(rules, subjects)
def test_a_rule_permits_what_a_plain_reading_of_it_does(written, subject):
    assert rule_of(written).permits(subject) is allowed(written, subject)


@given(
    own=rules, granted=st.dictionaries(st.sampled_from(["s1", "s2"]), rules), default=st.none() | rules,
    held=st.sets(st.sampled_from(["s1", "s2", "s3"])),
    scopes=st.sets(st.sampled_from(["read", "write"])), subject=subjects,
)  # fmt: skip
def test_a_permit_admits_what_a_plain_reading_of_the_policy_does(own, granted, default, held, scopes, subject):
    policy = Policy(
        scopes={name: rule_of(rule) for name, rule in granted.items()},
        default=None if default is None else rule_of(default),
    )
    permit = Permit(own=rule_of(own), granted=policy.granted("somebody", held, ()), scopes=frozenset(scopes))
    applying = [rule for name, rule in granted.items() if name in held] or ([] if default is None else [default])
    expected = (
        allowed(own, subject)
        and any(allowed(rule, subject) for rule in applying)
        and not any(denied(text, subject) for rule in applying for text in rule["deny"])
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
    ("text", "settings", "said"),
    [
        (
            "principals: {a: {allow: [getPet]}}",
            {},
            "so each has what `default` allows; there is none, so nobody may call",
        ),
        ("{}", {}, "there is none, so nobody may call anything"),
        ("{principals: {a: {}}, default: {}}", {}, "(INBOUND_AUTH), so each has what `default` allows"),
        (
            "{principals: {a: {}}, default: {}}",
            {"INBOUND_AUTH": "token", "SERVER_TRANSPORT": "stdio"},
            "so each has what",
        ),
        ("default: {}", {}, None),
        ("principals: {a: {}}", {"INBOUND_AUTH": "token"}, None),
    ],
)
def test_a_policy_for_callers_that_nobody_asks_who_they_are_is_warned_of(tmp_path, text, settings, said):
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    tokens = '[{"name": "a", "token": "0123456789abcdef"}]'
    given = {"SERVER_TRANSPORT": "http", "INBOUND_TOKENS": tokens, "POLICY": str(file), **settings}
    told = list(policies.idle(load(["--spec-path", "x"], given, str), [GET_PET]))
    assert (len(told), all(said in each for each in told if said)) == (0 if said is None else 1, True)


def test_an_entry_that_selects_nothing_is_told(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text("""
principals: {a: {allow: [getPet, getPets], deny: ['GET /pets/*', /admin/*], tags: [public, pubic]}}
default: {deny: ['tag:pets', 'tag:pts', 'GET /PETS//{id}/']}
""")
    tokens = '[{"name": "a", "token": "0123456789abcdef", "apis": ["pets"], "tags": ["pets", "orders"]}]'
    given = {"INBOUND_AUTH": "token", "INBOUND_TOKENS": tokens, "POLICY": str(file), "API_NAME": "pets"}
    config = load(["--spec-path", "x", "--transport", "http"], given, str)
    assert list(policies.idle(config, [GET_PET])) == [
        "INBOUND_TOKENS[0].tags: no operation that is served has the tag orders",
        "POLICY: principals.a.tags: no operation that is served has the tag pubic",
        "POLICY: principals.a.allow: id:getPets selects no operation that is served",
        "POLICY: principals.a.deny: /admin/* selects no operation that is served",
        "POLICY: default.deny: tag:pts selects no operation that is served",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("principals: {a: {alow: []}}", "alow"),
        (
            "principals: {a: {}, 'b/c': {read_only: x}}",
            "policy.yaml, line 1, column 29, #/principals/b~1c/read_only: exp",
        ),
        ("scopes:\n  a: {}\n  b:\n", "policy.yaml, line 3, column 3, #/scopes/b: expected object, got null"),
        ("groups: {a: {allow: GET}}", "#/groups/a/allow: expected array, got string"),
        ("principals: {a: {deny: [delete]}}", "POLICY: principals.a.deny: 'delete': write DELETE for the method"),
        ("scopes: []", "scopes"),
        ("[", "POLICY: "),
        ("user: {}", "user"),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_start(text, problem):
    with pytest.raises(ConfigError, match=re.escape(problem)):
        policies.read(text.encode(), "policy.yaml")


def paths_of(*operations):
    """A document with these operations, which are named by what they are; holes take any text."""
    paths = {}
    for one in operations:
        method, path = one.split(" ")
        names = re.findall(r"\{;?(\w+)\+?\}", path)
        style = "matrix" if "{;" in path else "simple"
        paths.setdefault(path.replace("{;", "{"), {})[method.lower()] = {
            "operationId": one,
            "tags": [path.split("/")[1]],
            "parameters": [
                {"name": name, "in": "path", "required": True, "style": style, "schema": {"type": "string"}}
                for name in names
            ],
            "responses": {"200": {"description": "ok"}},
        }
    return described(paths)


MATRIX = ("GET /m", "GET /m/me", "GET /m/{;id}")
"""The last one has its value in the matrix style: ``/m/;id=7``."""


def crosses(operations, denied, called, *values, base="https://a.example.com", everybody=True):
    """Whether a call of one is refused because it would be one of what is denied, to everybody or to one class."""
    rule = Rule(deny=tuple(selector(each) for each in denied))
    source = ApiSource(
        name="a", base=base_url(base), description=paths_of(*operations), rule=rule if everybody else EVERYTHING
    )
    catalog = build([source])
    places = OperationPaths((tool.subject for tool in catalog.tools.values()), catalog.closed)
    tool = next(tool for tool in catalog.tools.values() if tool.subject.operation_id == called)
    arguments = dict(zip((slot.argument for slot in tool.slots), values, strict=True))
    try:
        places.require_own(tool, requested(tool, arguments), Permit() if everybody else Permit(own=rule))
    except ArgumentError:
        return True
    return False


ME = ("GET /users/me", "GET /users/{id}", "DELETE /users/me", "DELETE /users/{id}", "GET /users/{id}/keys")
CROSSINGS = [
    *((ME, ["/users/me"], "GET /users/{id}", [value], True) for value in (
        "me", "ME", "Me", "%6de", "%256de", "me/", "me;x=1", "me?x=1", "/me", "me\\",
        "me.json", "ME%2eXML", "me.html;x",
    )),
    *((ME, ["/users/me"], "GET /users/{id}", [value], False) for value in (
        "7", "men", "me.", "m", "me e", "mé", "me.doe", "7.json", "me.json.x", ".json",
    )),
    (ME, ["GET /users/me"], "DELETE /users/{id}", ["me"], False),
    (ME, ["DELETE /users/me"], "DELETE /users/{id}", ["me"], True),
    (ME, ["DELETE /users/me"], "GET /users/{id}", ["me"], False),
    (ME, ["/users/*/keys"], "GET /users/{id}", ["7/keys"], True),
    (ME, ["/users/*/keys"], "GET /users/{id}", ["7"], False),
    (ME, ["GET /users/{id}"], "GET /users/{id}/keys", ["7"], False),
    # To an API that knows the style, /m/;id=me is the value me; to others it is /m/, but /m/me to none.
    (MATRIX, ["/m/me"], "GET /m/{;id}", ["me"], False),
    (MATRIX, ["/m"], "GET /m/{;id}", ["7"], True),
    *((ME, ["/users/me"], "GET /users/{id}/keys", [value], is_refused) for value, is_refused in (
        ("me?", True), ("me?x=", True), ("ME#", True), ("me%3f", True), ("me;x", False), ("7?", False), ("me", False),
    )),
    *((("GET /users", "GET /users/{id}"), ["GET /users"], "GET /users/{id}", [value], is_refused) for value, is_refused
      in (("?", True), ("?x=1", True), ("#", True), (";", True), (";x=1", True), ("%3bx", True), ("x;", False))),
    (("GET /{a}/keys", "GET /users/{b}"), ["GET /users/{b}"], "GET /{a}/keys", ["users"], True),
    (("GET /{a}/keys", "GET /users/{b}"), ["GET /{a}/keys"], "GET /users/{b}", ["keys"], True),
    (("GET /{a}/{b}", "GET /users/{b}"), ["GET /{a}/{b}"], "GET /users/{b}", ["x"], False),
    (("GET /{a}/{b}", "GET /users/{b}"), ["GET /users/{b}"], "GET /{a}/{b}", ["users", "x"], True),
    (("GET /{a}/{b}", "GET /{b}/{a}"), ["GET /{b}/{a}"], "GET /{a}/{b}", ["x", "y"], False),
    (("GET /f/{a}.json", "GET /f/{a}"), ["/f/*.json"], "GET /f/{a}", ["x.json"], True),
    (("GET /f/{a}.json", "GET /f/{a}"), ["/f/*.json"], "GET /f/{a}", ["x.xml"], False),
    (("GET /f/{a}.json", "GET /f/all.json"), ["/f/all.json"], "GET /f/{a}.json", ["all"], True),
    (("GET /f/{a}", "GET /F/Admin"), ["/F/Admin"], "GET /f/{a}", ["admin"], True),
    (("GET /{a}", "GET /admin"), ["/admin"], "GET /{a}", ["admin"], True),
    (("GET /{a}", "GET /admin/x"), ["/admin/*"], "GET /{a}", ["admin/x"], True),
    (("GET /{a}", "GET /{b}/x"), ["/*/x"], "GET /{a}", ["y/z"], False),
    (("GET /f/{a}", "GET /f/{a}/{b}"), ["/f/*/*"], "GET /f/{a}", ["x/y"], True),
    *((("GET /{a+}", "GET /admin/{b+}"), ["/admin/*"], "GET /{a+}", [value], is_refused) for value, is_refused in (
        ("admin/x", True), ("admin/x/y/z", True), ("Admin/%2e/x", True), ("f/admin/x", False), ("admin", False),
    )),
    (("GET /{a}", "GET /admin/{b+}"), ["/admin/*"], "GET /{a}", ["admin/x/y"], True),
    (("GET /{a}/{b}/{c}", "GET /admin/{b+}"), ["/admin/*"], "GET /{a}/{b}/{c}", ["admin", "x", "y"], True),
    (("GET /{a}/{b}/{c}", "GET /admin/{b+}"), ["/admin/*"], "GET /{a}/{b}/{c}", ["f", "x", "y"], False),
    (("GET /f/{a+}", "GET /{b+}"), ["/{b+}"], "GET /f/{a+}", ["x/y"], False),
    (("GET /f/{a+}/x", "GET /f/{b+}"), ["/f/*/x"], "GET /f/{b+}", ["1/2/x"], True),
    (("GET /f/{a+}/x", "GET /f/{b+}"), ["/f/*/x"], "GET /f/{b+}", ["1/2/y"], False),
    (("GET /f/{a+}/x", "GET /f/1/2"), ["/f/1/2"], "GET /f/{a+}/x", ["1/2?"], True),
    (("GET /f/{a+}/x", "GET /f/1/2"), ["/f/1/2"], "GET /f/{a+}/x", ["1/2"], False),
]  # fmt: skip


@pytest.mark.parametrize("everybody", [True, False], ids=["to everybody", "to one class"])
@pytest.mark.parametrize("base", ["https://a.example.com", "https://a.example.com/users/v1/"])
@pytest.mark.parametrize("crossing", CROSSINGS, ids=str)
def test_no_argument_makes_a_call_one_of_what_is_denied(crossing, base, everybody):
    operations, denied, called, values, is_refused = crossing
    assert crosses(operations, denied, called, *values, base=base, everybody=everybody) is is_refused


QUERIES = [
    (["/x?action=delete"], "/x", {"action": "delete"}, True),
    (["/x?action=delete"], "/x", {"action": "Delete"}, True),
    (["/x?action=delete"], "/x", {"action": "list"}, False),
    (["/x?action=delete&force"], "/x", {"action": "delete"}, False),
    (["/x?action=delete&force=1"], "/x", {"action": "delete", "more": {"force": "1"}}, True),
    (["/x?action=delete#now"], "/x", {"action": "delete"}, True),
    (["/x?action={a}"], "/x", {"action": "any"}, True),
    (["/x?action={a}"], "/x", {}, False),
    (["/x?action=delete", "/x?action={action}"], "/x?action={action}", {"action": "delete"}, True),
    (["/x?action=delete", "/x?action={action}"], "/x?action={action}", {"action": "list"}, False),
    (["/x?action={action}", "/x?action=list"], "/x?action=list", {}, False),
    (["/x?action=delete", "/x?action=list"], "/x?action=list", {}, False),
    (["/x?action=delete", "/x?action=list"], "/x?action=list", {"Action": "delete"}, True),
    (["/x?action=delete", "/x?action=list"], "/x?action=list", {"Action": "list"}, False),
    (["/{id}?action=delete"], "/x", {"action": "delete"}, True),
    (["/x?action=delete"], "/{id}", {"id": "x", "action": "delete"}, True),
    (["/x?action=delete"], "/{id}", {"id": "y", "action": "delete"}, False),
    (["/x?%41ction=%44elete"], "/x", {"action": "delete"}, True),
    (["/x?action"], "/x", {"action": "yes"}, True),
    (["/x?action="], "/x", {"action": "yes"}, False),
    (["/x?action=a%26b"], "/x", {"action": "a&b"}, True),
    (["/x?the.action=delete"], "/x", {"more": {"the_action": "delete"}}, True),
    (["/x?action[a]=delete"], "/x", {"more": {"action[a]": "delete"}}, True),
    (["/x?action=delete"], "/x", {"more": {" action": "delete"}}, True),
    (["/x?action=delete"], "/x", {"more": {"[action]": "delete"}}, True),
    (["/x?action=delete"], "/x", {"more": {"action\0x": "delete"}}, True),
    (["/x?action"], "/x", {"raw": "1;action"}, True),
    (["/x?action"], "/x", {"raw": "1;actions"}, False),
    (["/x?action=delete"], "/x", {"action": "deleted", "more": {"b": "delete"}}, False),
    (["/me{?page,size}"], "/{id}", {"id": "me"}, True),
    (["/{id:a.+?}/me"], "/{id}/{key}", {"id": "1", "key": "me"}, True),
    (["/{id:a.+?}/me"], "/{id}/{key}", {"id": "1", "key": "2"}, False),
]


@pytest.mark.parametrize("everybody", [True, False], ids=["to everybody", "to one class"])
@pytest.mark.parametrize(("keys", "called", "arguments", "is_refused"), QUERIES, ids=str)
def test_no_argument_makes_a_call_one_of_a_query_that_is_denied(keys, called, arguments, is_refused, everybody):
    text, free = {"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}
    declared = [{"name": "action", "in": "query", "schema": text}, {"name": "more", "in": "query", "schema": free}]
    other = [{"name": "Action", "in": "query", "schema": text}]
    declared += [{"name": "raw", "in": "query", "schema": text, "allowReserved": True}]
    paths = {
        key: {"get": {"operationId": key, "parameters": other if "?" in key else declared, "responses": {}}}
        for key in (*keys, called)
    }
    rule = Rule(deny=(Selector("path", keys[0]),))
    source = ApiSource(
        name="a",
        base=base_url("https://a.example.com/v1"),
        description=described(paths),
        rule=rule if everybody else EVERYTHING,
    )
    catalog = build([source])
    places = OperationPaths((tool.subject for tool in catalog.tools.values()), catalog.closed)
    tool = next(tool for tool in catalog.tools.values() if tool.subject.operation_id == called)
    try:
        places.require_own(tool, requested(tool, arguments), Permit() if everybody else Permit(own=rule))
    except ArgumentError:
        assert is_refused
    else:
        assert not is_refused


def test_what_is_hidden_or_left_out_by_its_tag_is_closed_as_what_is_denied():
    description = paths_of(*ME, "GET /cars/me", "GET /cars/{id}", "POST /users/me")
    for source in (
        {"exclude_tags": frozenset({"users"})},
        {"include_tags": frozenset({"cars"})},
        {"rule": Rule(deny=(selector("/users/*"),))},
    ):
        catalog = build(
            [ApiSource(name="a", base=base_url("https://a.example.com"), description=description, **source)]
        )
        assert {one.path for one in catalog.closed} == {"/users/me", "/users/{id}", "/users/{id}/keys"}
        assert {one.method for one in catalog.closed} == {"GET"}  # of the others no tool has a hole


@pytest.mark.parametrize(
    ("hiding", "others"),
    [
        ({"x-mcp": {"hidden": True}}, {"x-mcp": {"hidden": False}}),
        ({"x-mcp": {"hidden": "perhaps"}}, {}),
        ({"x-mcp-scopes": 5}, {}),
    ],
)
def test_what_is_hidden_or_may_be_is_closed(hiding, others):
    paths = {
        path: {
            "get": {
                "operationId": name,
                **(hiding if name == "best" else others),
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}][
                    : "{" in path
                ],
                "responses": {"200": {"description": "ok"}},
            }
        }
        for name, path in (("one", "/pets/{id}"), ("best", "/pets/best"))
    }
    catalog = build([ApiSource(name="a", base=base_url("https://a.example.com"), description=described(paths))])
    assert ([*catalog.tools], [one.operation_id for one in catalog.closed]) == (["one"], ["best"])
