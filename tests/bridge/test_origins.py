"""Base URLs: who is asked, and what they must not carry."""

from __future__ import annotations

import pytest

from openapi_mcp_server.bridge.origins import base_url


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://M\u00fcnchen.example/v1/", "https://xn--mnchen-3ya.example/v1"),
        ("https://\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444:8443", "https://xn--e1afmkfd.xn--p1ai:8443"),
        ("https://fa\u00df.example", "https://xn--fa-hia.example"),  # IDNA 2003 had fass.example
        ("http://\uff11\uff12\uff17.\uff10.\uff10.\uff11", "http://127.0.0.1"),
        ("https://my_service.internal", "https://my_service.internal"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("http://[FD00::1%eth0]/", "http://[fd00::1%eth0]"),
    ],
)
def test_a_host_is_ascii_as_requests_and_resolvers_need_it(written: str, meant: str) -> None:
    assert str(base_url(written)) == meant


@pytest.mark.parametrize("host", ["\u00e4" * 70, "\u00e4." * 100_000, "-\u00e4.example", "\u00e4\u2028.example"])
def test_a_host_that_no_resolver_can_be_asked_for_is_none(host: str) -> None:
    with pytest.raises(ValueError, match="names an invalid host"):
        base_url(f"https://{host}/v1")


@pytest.mark.parametrize("host", ["[v1.a:\0]", "[v1.a: HTTP/1.1]", "[::1%\0]", "[::1%a b]"])
def test_a_host_in_brackets_is_an_address(host: str) -> None:
    with pytest.raises(ValueError, match="names an invalid host"):
        base_url(f"http://{host}/v1")
