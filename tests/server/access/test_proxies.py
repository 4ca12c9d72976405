"""Who asks, through proxies: only TRUSTED_PROXIES are believed, and never what a client made up before them."""

from __future__ import annotations

import pytest

from openapi_mcp_server.server.access.proxies import Proxies, Seen

TRUSTED = Proxies(["10.0.0.0/8", "2001:db8::/32"])


@pytest.mark.parametrize(
    ("peer", "headers", "seen"),
    [
        ("203.0.113.9", {"x-forwarded-for": "1.2.3.4", "x-forwarded-proto": "https"}, Seen("203.0.113.9")),
        ("203.0.113.9", {"x-forwarded-prefix": "/a"}, Seen("203.0.113.9")),
        ("10.0.0.1", {}, Seen("10.0.0.1")),
        ("10.0.0.1", {"x-forwarded-for": "203.0.113.9"}, Seen("203.0.113.9")),
        ("10.0.0.1", {"x-forwarded-for": "6.6.6.6, 203.0.113.9, 10.0.0.2"}, Seen("203.0.113.9")),
        ("10.0.0.1", {"x-forwarded-for": "10.0.0.3, 10.0.0.2"}, Seen("10.0.0.3")),
        ("10.0.0.1", {"x-forwarded-for": "[2001:db9::1]:443"}, Seen("2001:db9::1")),
        ("10.0.0.1", {"x-forwarded-for": "203.0.113.9:5000"}, Seen("203.0.113.9")),
        ("::ffff:10.0.0.1", {"x-forwarded-for": "203.0.113.9"}, Seen("203.0.113.9")),
        ("10.0.0.1", {"forwarded": 'for=6.6.6.6, for="[2001:db9::1]:80";proto=https'}, Seen("2001:db9::1", "https")),
        ("10.0.0.1", {"x-forwarded-for": "203.0.113.9, unknown, 10.0.0.2"}, Seen("10.0.0.2")),
        ("10.0.0.1", {"x-forwarded-for": "made up"}, Seen("10.0.0.1")),
        ("10.0.0.1", {"forwarded": "for=_hidden"}, Seen("10.0.0.1")),
        ("10.0.0.1", {"x-forwarded-proto": "http, https"}, Seen("10.0.0.1", "https")),
        ("10.0.0.1", {"x-forwarded-proto": "javascript"}, Seen("10.0.0.1")),
        ("10.0.0.1", {"x-forwarded-prefix": "/team1/"}, Seen("10.0.0.1", prefix="/team1")),
        ("10.0.0.1", {"x-forwarded-prefix": "//evil.example/x"}, Seen("10.0.0.1", prefix="/evil.example/x")),
        ("10.0.0.1", {"x-forwarded-prefix": "/a\r\nb"}, Seen("10.0.0.1")),
        ("10.0.0.1", {"x-forwarded-prefix": "/a?b"}, Seen("10.0.0.1")),
        ("10.0.0.1", {"x-forwarded-port": "8000"}, Seen("10.0.0.1", port="8000")),
        ("10.0.0.1", {"x-forwarded-port": "80"}, Seen("10.0.0.1")),
        ("10.0.0.1", {"x-forwarded-port": "443", "x-forwarded-proto": "https"}, Seen("10.0.0.1", "https")),
        ("10.0.0.1", {"x-forwarded-port": "1@evil.example"}, Seen("10.0.0.1")),
        ("10.0.0.1", {"x-forwarded-port": "800000"}, Seen("10.0.0.1")),
        ("203.0.113.9", {"x-forwarded-port": "8000"}, Seen("203.0.113.9")),
    ],
)  # fmt: skip
def test_what_is_seen_of_a_client(peer, headers, seen):
    named = {name.encode(): value.encode() for name, value in headers.items()}
    assert TRUSTED.seen({"client": (peer, 1)}, named) == seen


def test_a_thousand_hops_are_looked_at_in_no_time():
    header = {b"x-forwarded-for": b", ".join([b"10.0.0.2"] * 5000)}
    assert TRUSTED.seen({"client": ("10.0.0.1", 1)}, header).client == "10.0.0.2"


ONE_CLIENT = [
    ["203.0.113.9", "::ffff:203.0.113.9", "::FFFF:cb00:7109", "0:0:0:0:0:ffff:203.0.113.9"],
    [
        "2001:db9:0:1::1", "2001:0DB9:0:1::1", "2001:db9:0:1:0:0:0:1", "2001:db9:0:1::2",
        "2001:db9:0:1:ffff:ffff:ffff:ffff", "2001:db9:0:1::1%eth0",
    ],
    ["2001:db9:0:2::1"],
    ["::1"],
    ["fd00:0:0:1::1", "fd00::1:0:0:0:1"],
    ["fd00:0:0:1::2"],
    ["fe80::1", "fe80::1%eth0"],
    ["fe80::2"],
    ["64:ff9b::203.0.113.9"],
    ["64:ff9b::203.0.113.10"],
    ["203.0.113.10"],
    [""],
]  # fmt: skip


@pytest.mark.parametrize("near", [False, True], ids=["trusted", "near"])
def test_a_client_has_one_share_however_its_address_is_spelt_and_many_it_has(near):
    proxies = Proxies() if near else TRUSTED
    shares = [
        {proxies.seen({"client": ("10.0.0.1", 1)}, {b"x-forwarded-for": each.encode()}).share for each in spellings}
        for spellings in ONE_CLIENT
    ]
    assert [len(each) for each in shares] == [1] * len(ONE_CLIENT)
    assert len(set.union(*shares)) == len(ONE_CLIENT)
