"""Our tables against those of the official SDK."""

from __future__ import annotations

import mcp_types.jsonrpc as official
import pytest
from mcp_types.methods import CLIENT_REQUESTS
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from openapi_mcp_server.mcp import messages
from openapi_mcp_server.mcp.methods import LEGACY, MODERN, SUPPORTED, methods

NOT_SERVED = {
    "resources/subscribe": "there are no resources, and no connection to tell a change on",
    "resources/unsubscribe": "as above",
}


def test_the_revisions_are_those_of_the_sdk() -> None:
    assert LEGACY == HANDSHAKE_PROTOCOL_VERSIONS
    assert MODERN == MODERN_PROTOCOL_VERSIONS


@pytest.mark.parametrize("version", SUPPORTED)
def test_every_method_of_a_revision_is_served_or_left_out_for_a_reason(version: str) -> None:
    defined = {method for method, defined_in in CLIENT_REQUESTS if defined_in == version}
    assert set(methods(version)) == defined - set(NOT_SERVED)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (messages.PARSE_ERROR, official.PARSE_ERROR),
        (messages.INVALID_REQUEST, official.INVALID_REQUEST),
        (messages.METHOD_NOT_FOUND, official.METHOD_NOT_FOUND),
        (messages.INVALID_PARAMS, official.INVALID_PARAMS),
        (messages.INTERNAL_ERROR, official.INTERNAL_ERROR),
        (messages.HEADER_MISMATCH, official.HEADER_MISMATCH),
        (messages.UNSUPPORTED_VERSION, official.UNSUPPORTED_PROTOCOL_VERSION),
    ],
)
def test_the_error_codes_are_those_of_the_sdk(ours: int, theirs: int) -> None:
    assert ours == theirs
