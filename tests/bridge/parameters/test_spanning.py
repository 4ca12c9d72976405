"""Parameters of a path that may be several segments: every way to say so, and what their values still cannot do."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents import described
from openapi_mcp_server.bridge import catalog, request
from openapi_mcp_server.bridge.arguments import check
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.bridge.parameters.percent import fully_decoded
from openapi_mcp_server.bridge.tools import overrides
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.grammar import has_dot_segment
from openapi_mcp_server.openapi.model import DialectName

DIALECTS: list[DialectName] = ["2.0", "3.0", "3.1", "3.2"]
NAME = "projects/p 1/topics/é"
WRITTEN = "/base/v1/projects/p%201/topics/%C3%A9:get"


def tool(
    path: str = "/v1/{name}:get",
    *,
    dialect: DialectName = "3.1",
    entries: str = "{}",
    operation: Any = None,
    root: Any = None,
    **more: Any,
) -> Tool:
    typed = {"type": "string"} if dialect == "2.0" else {"schema": {"type": "string"}}
    parameter = {"name": "name", "in": "path", "required": True, **typed, **more}
    paths = {path: {"get": {"operationId": "t", "parameters": [parameter], **(operation or {})}}}
    description = described(paths, dialect=dialect, **(root or {}))
    source = catalog.ApiSource(
        name="a", base=base_url("http://x/base"), description=description, overrides=overrides.read(entries.encode())
    )
    made = catalog.build([source])
    assert made.skipped == ()
    assert made.apis[0].notes == ()
    return made.tools["t"]


def target(of: Tool, **values: Any) -> str:
    return request.build(of, check.check(of, msgspec.Raw(msgspec.json.encode(values))).values).target


WAYS: list[dict[str, Any]] = [
    {"x-multi-segment": True},
    {"path": "/v1/{+name}:get"},
    {"path": "/v1/{name+}:get"},
    {"entries": "t: {multi_segment: [name]}"},
    {"entries": "GET /v1/{name}:get: {multi_segment: [name, other]}"},
    {"operation": {"x-mcp": {"multi_segment": ["name"]}}},
    {"root": {"x-mcp": {"multi_segment": ["name"]}}},
]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_say_it_lets_slashes_through(way: dict[str, Any], dialect: DialectName) -> None:
    assert target(tool(dialect=dialect, **way), name=NAME) == WRITTEN


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("way", [{}, {"x-multi-segment": False}, {"x-multi-segment": "true"}])
def test_by_the_standard_a_value_is_one_segment(way: dict[str, Any], dialect: DialectName) -> None:
    assert target(tool(dialect=dialect, **way), name="a/b") == "/base/v1/a%2Fb:get"


def test_a_variable_that_is_marked_and_not_declared_is_one_of_several_segments() -> None:
    description = described({"/v1/{+name}": {"get": {"operationId": "t"}}, "/{proxy+}": {"get": {"operationId": "u"}}})
    made = catalog.build([catalog.ApiSource(name="a", base=base_url("http://x"), description=description)])
    assert target(made.tools["t"], name="a/b") == "/v1/a/b"
    assert target(made.tools["u"], proxy="a/b") == "/a/b"


def test_a_parameter_may_carry_the_mark_in_its_own_name() -> None:
    of = tool("/v1/{name+}", name="name+")
    assert (of.input.names, target(of, name="a/b")) == (("name",), "/base/v1/a/b")


def test_only_the_parameter_that_is_named_spans_segments() -> None:
    other = {"name": "other", "in": "path", "required": True, "schema": {"type": "string"}}
    paths = {"/{other}/{name}": {"get": {"operationId": "t", "parameters": [other]}}}
    entries = overrides.read(b"t: {multi_segment: [name]}")
    description = described(paths)
    source = catalog.ApiSource(name="a", base=base_url("http://x"), description=description, overrides=entries)
    of = catalog.build([source]).tools["t"]
    assert target(of, other="a/b", name="c/d") == "/a%2Fb/c/d"


@pytest.mark.parametrize(
    "value",
    ["", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/../../b", "a/./b", "a/%2e%2e/b", "a/..%2fb", "a/..;x/b",
     "a\\..\\b", "a/..%20/b", "a/\x00", "a/%c0%ae%c0%ae/b"],
)  # fmt: skip
@pytest.mark.parametrize("allow_reserved", [False, True])
def test_no_value_leads_upwards_or_loses_a_segment(value: str, allow_reserved: bool) -> None:
    more = {"allowReserved": True} if allow_reserved else {}
    with pytest.raises(ArgumentError):
        target(tool("/v1/{+name}", **more), name=value)


SPANNING = tool("/v1/{+name}/end", allowReserved=True)


@given(st.text(st.sampled_from("ab./\\%2eE5cC;?# \t\uff0e:"), max_size=12) | st.text(max_size=8))
def test_whatever_is_sent_stays_below_its_prefix(value: str) -> None:
    try:
        sent = target(SPANNING, name=value)
    except ArgumentError:
        return
    assert sent.startswith("/base/v1/")
    assert sent.endswith("/end")
    assert "?" not in sent
    assert "#" not in sent
    assert "//" not in sent
    assert not has_dot_segment(fully_decoded(sent))
