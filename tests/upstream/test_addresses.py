"""The outbound address rule: what is dialled, what never is, and what the operator is told."""

from __future__ import annotations

import ipaddress
import math
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest
import trio
import trio.testing

from loopback import OK, get, loopback, send
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import Refused, Unreachable
from openapi_mcp_server.upstream.addresses import ATTEMPT_SECONDS, CONNECT_SECONDS, AddressRule, CheckedDialler, kind
from openapi_mcp_server.upstream.call import Upstream, UpstreamSettings
from openapi_mcp_server.upstream.sockets import ConnectError, ConnectTimeout

STRICT = AddressRule(allow_private=False, allow_insecure=False)
PRIVATE = AddressRule(allow_private=True, allow_insecure=False)
OPEN = AddressRule(allow_private=True, allow_insecure=True)

# The IANA IPv4 and IPv6 Special-Purpose Address Registries, RFC 1918, 3879, 3964, 4193, 6598, and what clouds document.
RANGES = {
    "0.0.0.0/8": "never",
    "1.0.0.0/8": "public",
    "8.8.8.0/24": "public",
    "10.0.0.0/8": "private",
    "11.0.0.0/8": "public",
    "100.63.0.0/16": "public",
    "100.64.0.0/11": "private",
    "100.100.100.200/32": "never",
    "100.128.0.0/16": "public",
    "127.0.0.0/8": "private",
    "128.0.0.0/16": "public",
    "168.63.129.15/32": "public",
    "168.63.129.16/32": "never",
    "169.253.0.0/16": "public",
    "169.254.0.0/16": "never",
    "169.254.169.254/32": "never",
    "169.254.170.2/32": "never",
    "172.15.0.0/16": "public",
    "172.16.0.0/12": "private",
    "172.32.0.0/16": "public",
    "192.0.0.0/24": "never",
    "192.0.2.0/24": "never",
    "192.88.99.0/24": "never",
    "192.167.0.0/16": "public",
    "192.168.0.0/16": "private",
    "192.169.0.0/16": "public",
    "198.17.0.0/16": "public",
    "198.18.0.0/15": "private",
    "198.51.100.0/24": "never",
    "203.0.113.0/24": "never",
    "223.255.255.0/24": "public",
    "224.0.0.0/4": "never",
    "239.255.255.250/32": "never",
    "240.0.0.0/4": "never",
    "255.255.255.255/32": "never",
    "::/128": "never",
    "::1/128": "private",
    "64:ff9b:1::/48": "never",
    "100::/64": "never",
    "2001::/32": "never",
    "2001:2::/48": "never",
    "2001:10::/28": "never",
    "2001:20::/28": "never",
    "2001:db8::/32": "never",
    "2001:4860:4860::/48": "public",
    "2002::/16": "never",
    "2606:4700::/32": "public",
    "2a00::/12": "public",
    "3fff::/20": "never",
    "4000::/3": "never",
    "5f00::/16": "never",
    "fc00::/8": "private",
    "fd00::/16": "private",
    "fd00:ec2::254/128": "never",
    "fd20:ce::254/128": "never",
    "fe80::/10": "never",
    "fe80::a9fe:a9fe/128": "never",
    "fec0::/10": "never",
    "ff00::/8": "never",
    "ff02::1/128": "never",
}
# How an IPv6 address carries an IPv4 one; whether what arrives is that address (True), or nothing of ours (False).
CARRIERS = {
    "mapped": ("::ffff:{}", True),
    "NAT64": ("64:ff9b::{}", True),
    "compatible": ("::{}", False),
    "translated": ("::ffff:0:{}", False),
    "NAT64 of its own": ("64:ff9b:1::{}", False),
}


def rows() -> Iterable[tuple[str, str]]:
    for text, verdict in RANGES.items():
        network = ipaddress.ip_network(text)
        for address in dict.fromkeys((network[0], network[-1], network[network.num_addresses // 2])):
            yield str(address), verdict
            if address.version == 6:
                continue
            yield f"2002:{int(address) >> 16:x}:{int(address) & 0xFFFF:x}::1", "never"  # 6to4
            yield f"2001:0:808:808:0:0:{~int(address) >> 16 & 0xFFFF:x}:{~int(address) & 0xFFFF:x}", "never"  # Teredo
            for form, arrives in CARRIERS.values():
                carried = str(ipaddress.ip_address(form.format(address)))
                if carried not in {"::", "::1"}:
                    yield carried, verdict if arrives else "never"


ROWS = sorted(set(rows()))


def test_the_table_is_large_and_has_all_verdicts() -> None:
    assert len(ROWS) >= 300
    assert {verdict for _, verdict in ROWS} == {"public", "private", "never"}
    assert len(dict(ROWS)) == len(ROWS)


@pytest.mark.parametrize(("address", "verdict"), ROWS)
def test_only_public_addresses_are_dialled_and_private_ones_where_they_are_allowed(address: str, verdict: str) -> None:
    assert kind(ipaddress.ip_address(address)) == verdict
    assert (STRICT.problem(address) is None) == (verdict == "public")
    assert (OPEN.problem(address) is None) == (verdict != "never")


def test_a_zone_does_not_hide_an_address() -> None:
    assert OPEN.problem("fe80::1%eth0")


@pytest.mark.parametrize(
    ("rule", "scheme", "host", "problem"),
    [
        (STRICT, "https", "api.example.com", None),
        (STRICT, "https", "8.8.8.8", None),
        (STRICT, "http", "api.example.com", "ALLOW_INSECURE_HTTP=true"),
        (STRICT, "http", "127.0.0.1", "ALLOW_PRIVATE_NETWORKS=true"),
        (STRICT, "http", "localhost", "ALLOW_PRIVATE_NETWORKS=true"),
        (STRICT, "http", "api.localhost", "ALLOW_PRIVATE_NETWORKS=true"),
        (STRICT, "https", "::1", "ALLOW_PRIVATE_NETWORKS=true"),
        (STRICT, "https", "10.1.2.3", "ALLOW_PRIVATE_NETWORKS=true"),
        (STRICT, "https", "::ffff:10.1.2.3", "ALLOW_PRIVATE_NETWORKS=true"),
        (STRICT, "https", "169.254.169.254", "never connected to"),
        (PRIVATE, "http", "127.0.0.1", None),
        (PRIVATE, "http", "localhost", None),
        (PRIVATE, "http", "::1", None),
        (PRIVATE, "http", "10.1.2.3", "ALLOW_INSECURE_HTTP=true"),
        (PRIVATE, "http", "api.example.com", "ALLOW_INSECURE_HTTP=true"),
        (PRIVATE, "https", "169.254.169.254", "never connected to"),
        (PRIVATE, "https", "fe80::1%25eth0", "never connected to"),
        (STRICT, "https", "167838211", "ALLOW_PRIVATE_NETWORKS=true"),
        (OPEN, "http", "0xa9fea9fe", "never connected to"),
        (PRIVATE, "http", "127.1", None),
        (OPEN, "http", "127.1\0", None),
        (OPEN, "http", "\udc80", None),
        (OPEN, "http", "10.1.2.3", None),
        (OPEN, "http", "api.example.com", None),
        (OPEN, "http", "169.254.169.254", "never connected to"),
    ],
)
def test_what_a_url_lacks_is_named_with_its_setting(
    rule: AddressRule, scheme: str, host: str, problem: str | None
) -> None:
    found = rule.url_problem(scheme, host)
    assert found is None if problem is None else problem in (found or "")


class Stream:
    """A connection to ``address``."""

    def __init__(self, address: str) -> None:
        self.address = address


class Dialler:
    """Connects to what is in ``answers`` after so many seconds, refuses all else, and notes what it was asked for."""

    def __init__(self, **answers: float) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def connect(self, host: str, port: int, seconds: float = math.inf) -> Any:
        self.asked.append(host)
        if host not in self.answers:
            raise ConnectError("refused")
        with trio.move_on_after(seconds):
            await trio.sleep(self.answers[host])
            return Stream(host)
        raise ConnectTimeout("too slow")


def names(*answers: list[str] | Exception) -> Callable[[str, int], Awaitable[list[str]]]:
    """A resolver that gives these answers, each once."""
    remaining = list(answers)

    async def resolve(host: str, port: int) -> list[str]:
        answer = remaining.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return resolve


def connect(dialler: CheckedDialler, host: str = "api.example.com", **within: float) -> tuple[str, float]:
    """What was connected to, and the seconds that it took."""

    async def run() -> tuple[str, float]:
        stream = await dialler.connect(host, 443, **within)
        assert isinstance(stream, Stream)
        return stream.address, trio.current_time() - started

    clock = trio.testing.MockClock(autojump_threshold=0)
    started = clock.current_time()
    return trio.run(run, clock=clock)


@pytest.mark.parametrize("bad", ["10.0.0.1", "127.0.0.1", "::1", "169.254.169.254", "::ffff:127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_bad_address_refuses_the_name_and_nothing_is_dialled(bad: str, place: int) -> None:
    addresses = ["8.8.8.8", "2606:4700::1"]
    addresses.insert(place, bad)
    dialler = Dialler(**dict.fromkeys(addresses, 0.0))
    with pytest.raises(Refused, match=f"api.example.com: {bad} is ") as caught:
        connect(CheckedDialler(STRICT, names(addresses), dialler))
    assert caught.value.outcome_unknown is False
    assert dialler.asked == []


def test_a_name_is_resolved_once_and_what_was_checked_is_dialled() -> None:
    dialler = Dialler(**{"8.8.8.8": 0, "127.0.0.1": 0})
    rebinding = CheckedDialler(STRICT, names(["8.8.8.8"], ["127.0.0.1"]), dialler)
    assert connect(rebinding)[0] == "8.8.8.8"
    assert dialler.asked == ["8.8.8.8"]
    with pytest.raises(Refused):
        connect(rebinding)


def test_addresses_are_tried_in_turn() -> None:
    dialler = Dialler(**{"9.9.9.9": 0})
    addresses = ["2606:4700::1", "8.8.8.8", "9.9.9.9", "1.1.1.1"]
    assert connect(CheckedDialler(STRICT, names(addresses), dialler)) == ("9.9.9.9", 0)
    assert dialler.asked == addresses[:3]


def test_an_address_that_says_nothing_costs_little_while_others_are_left() -> None:
    dialler = Dialler(**{"8.8.8.8": float("inf"), "9.9.9.9": 1})
    assert connect(CheckedDialler(STRICT, names(["8.8.8.8", "9.9.9.9"]), dialler)) == ("9.9.9.9", ATTEMPT_SECONDS + 1)


@pytest.mark.parametrize(("given", "kept"), [((), CONNECT_SECONDS), ((3.0,), 3.0)])
def test_a_connection_has_a_deadline(given: tuple[float, ...], kept: float) -> None:
    dialler = Dialler(**{"8.8.8.8": float("inf")})
    clock = trio.testing.MockClock(autojump_threshold=0)

    async def run() -> float:
        started = trio.current_time()
        with pytest.raises(ConnectTimeout, match=r"no connection to api\.example\.com in time"):
            await CheckedDialler(STRICT, names(["8.8.8.8"]), dialler).connect("api.example.com", 443, *given)
        return trio.current_time() - started

    assert trio.run(run, clock=clock) == kept


def test_a_resolver_that_does_not_answer_is_within_the_deadline() -> None:
    async def never(host: str, port: int) -> list[str]:
        await trio.sleep_forever()

    with pytest.raises(ConnectTimeout):
        connect(CheckedDialler(STRICT, never, Dialler()))


@pytest.mark.parametrize(
    "answer", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label too long"), ValueError("null"), []]
)
def test_a_host_without_an_address_cannot_be_connected_to(answer: list[str] | Exception) -> None:
    with pytest.raises(ConnectError, match=r"api\.example\.com has no address"):
        connect(CheckedDialler(STRICT, names(answer), Dialler()))


@pytest.mark.anyio
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.1", "localhost", "::ffff:7f00:1"]
)
async def test_however_the_loopback_address_is_spelt_the_systems_resolver_knows_it(host: str) -> None:
    async with loopback([(OK,)]) as api, Upstream(CheckedDialler(STRICT), UpstreamSettings()) as one:
        with pytest.raises((Refused, Unreachable)):  # not every resolver takes every spelling
            await send(one, get(Origin("http", host, api.origin.port)))
        assert api.connections == 0


@pytest.mark.anyio
async def test_the_host_header_keeps_the_name() -> None:
    async with loopback([(OK,)]) as api:
        dialler = CheckedDialler(OPEN, names(["127.0.0.1"]))
        async with Upstream(dialler, UpstreamSettings()) as one:
            await send(one, get(Origin("http", "api.example.com", api.origin.port)))
        assert b"\r\nHost: api.example.com:%d\r\n" % api.origin.port in api.requests[0]
