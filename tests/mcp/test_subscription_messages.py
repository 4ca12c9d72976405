"""The messages of a subscription, held against the official SDK's wire types."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from mcp.shared.subscriptions import LISTEN_STREAM_METHODS, SUBSCRIPTION_ID_META_KEY
from mcp_types import SubscriptionFilter, SubscriptionsListenRequest
from mcp_types.methods import parse_server_notification, validate_server_result

from openapi_mcp_server.mcp.answers import ListedEntries, render
from openapi_mcp_server.mcp.inbound import Call
from openapi_mcp_server.mcp.messages import ServerInfo
from openapi_mcp_server.mcp.methods import LEGACY, MODERN
from openapi_mcp_server.mcp.subscriptions import CHANGES, LISTEN, SUBSCRIPTION_ID, Subscription, unasked

SERVER = ServerInfo(name="tests", version="1.0")
ALL = tuple(CHANGES)


def subscription(request_id: int | str = "s", kinds: tuple[str, ...] = ALL) -> Subscription:
    return Subscription(id=request_id, kinds=kinds, server=SERVER)


def test_the_names_are_those_of_the_sdk() -> None:
    assert SUBSCRIPTION_ID == SUBSCRIPTION_ID_META_KEY
    assert get_args(SubscriptionsListenRequest.model_fields["method"].annotation) == (LISTEN,)
    assert {field.alias for field in SubscriptionFilter.model_fields.values()} > set(CHANGES)
    assert set(CHANGES.values()) < LISTEN_STREAM_METHODS


@pytest.mark.parametrize("request_id", [7, "listen-1"])
def test_every_message_carries_the_subscription(request_id: int | str) -> None:
    made = subscription(request_id)
    for encoded in [made.acknowledgement(), *made.changed()]:
        message = msgspec.json.decode(encoded)
        parse_server_notification(message["method"], "2026-07-28", message["params"])
        assert message["params"]["_meta"] == {SUBSCRIPTION_ID: request_id}
    end = msgspec.json.decode(made.end())
    validate_server_result(LISTEN, "2026-07-28", end["result"])
    assert (end["id"], end["result"]["_meta"][SUBSCRIPTION_ID]) == (request_id, request_id)
    *before, cancelled = map(msgspec.json.decode, made.farewell())
    parse_server_notification(cancelled["method"], "2026-07-28", cancelled["params"])
    assert (before, cancelled["params"]) == ([end], {"requestId": request_id})


@pytest.mark.parametrize("kinds", [(), ("toolsListChanged",), ALL])
def test_only_what_was_agreed_to_is_acknowledged_and_told(kinds: tuple[str, ...]) -> None:
    made = subscription(kinds=kinds)
    acknowledged = msgspec.json.decode(made.acknowledgement())
    assert acknowledged["params"]["notifications"] == dict.fromkeys(kinds, True)
    assert [msgspec.json.decode(change)["method"] for change in made.changed()] == [CHANGES[kind] for kind in kinds]


@pytest.mark.parametrize("version", LEGACY)
def test_what_is_told_unasked_exists_in_every_legacy_revision(version: str) -> None:
    for encoded in unasked(ALL):
        message = msgspec.json.decode(encoded)
        parse_server_notification(message["method"], version, None)
        assert "params" not in message


@pytest.mark.parametrize(
    ("method", "version", "lasting", "declared"),
    [
        *[("initialize", version, True, {"listChanged": True}) for version in LEGACY],
        *[("initialize", version, False, {}) for version in LEGACY],
        *[("server/discover", version, lasting, {"listChanged": True}) for version in MODERN for lasting in (0, 1)],
    ],
)
def test_a_change_is_promised_only_where_it_can_be_told(
    method: str, version: str, lasting: bool, declared: dict[str, bool]
) -> None:
    static = render(SERVER, ListedEntries(tools=[], prompts=[]), changing=["tools"])
    answered = static.to(Call(id=1, method=method, version=version, size=1), lasting=bool(lasting))
    capabilities = msgspec.json.decode(b"".join(answered))["result"]["capabilities"]
    assert (capabilities["tools"], capabilities["prompts"]) == (declared, {})
