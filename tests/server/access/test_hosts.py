"""Host and Origin against their lists."""

from __future__ import annotations

import pytest

from openapi_mcp_server.server.access import hosts


@pytest.mark.parametrize(
    ("pattern", "host", "admitted"),
    [
        ("example.com", "example.com", True),
        ("example.com", "EXAMPLE.com", True),
        ("example.com", "example.com:80", False),
        ("example.com", "notexample.com", False),
        ("example.com", "example.com.evil.org", False),
        ("example.com:8443", "example.com:8443", True),
        ("example.com:8443", "example.com:84430", False),
        ("example.com:*", "example.com", True),
        ("example.com:*", "example.com:1", True),
        ("example.com:*", "example.com:", False),
        ("example.com:*", "example.com:80.evil.org", False),
        ("example.com:*", "example.com:80@evil.org", False),
        ("example.com:*", "example.com:*", False),
        ("[::1]:*", "[::1]:8000", True),
        ("[::1]:*", "::1", False),
        ("bücher.example", "xn--bcher-kva.example", True),
        ("Bücher.example:*", "xn--bcher-kva.example:8000", True),
        ("*", "anything.at.all", True),
        ("*", "", True),
    ],
)
def test_a_host_is_admitted_whole_or_not_at_all(pattern: str, host: str, admitted: bool) -> None:
    assert hosts.hosts([pattern]).admits(host) is admitted


@pytest.mark.parametrize(
    ("pattern", "origin", "admitted"),
    [
        ("https://example.com", "https://example.com", True),
        ("https://example.com", "http://example.com", False),
        ("https://example.com", "https://example.com.evil.org", False),
        ("https://example.com", "https://example.com/path", False),
        ("https://example.com:443", "https://example.com", True),
        ("http://example.com:80", "http://example.com", True),
        ("http://example.com:443", "http://example.com", False),
        ("https://bücher.example", "https://xn--bcher-kva.example", True),
        ("http://localhost:*", "http://localhost:6274", True),
        ("http://localhost:*", "http://localhost:6274.evil.org", False),
        ("http://localhost:*", "localhost:6274", False),
        ("http://localhost:*", "null", False),
        ("http://localhost:*", "chrome-extension://localhost", False),
    ],
)
def test_an_origin_is_admitted_whole_with_its_scheme(pattern: str, origin: str, admitted: bool) -> None:
    assert hosts.origins([pattern]).admits(origin) is admitted


@pytest.mark.parametrize(
    "pattern", ["", "http://example.com", "a b", "example.com:port", "*.example.com", "a:1:2", "ä" * 300]
)
def test_a_pattern_that_is_no_host_is_named(pattern: str) -> None:
    with pytest.raises(ValueError, match="is no host"):
        hosts.hosts([pattern])


@pytest.mark.parametrize("pattern", ["example.com", "*", "https://*", "ftp://example.com", "null"])
def test_a_pattern_that_is_no_origin_is_named(pattern: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        hosts.origins([pattern])
