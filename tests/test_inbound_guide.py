"""docs/inbound-auth.md: every example can be used as it stands."""

from __future__ import annotations

import contextlib
import io
import re

import msgspec
import pytest

from openapi_mcp_server.bridge.results import redaction
from openapi_mcp_server.bridge.tools import overrides
from openapi_mcp_server.documents import policies
from openapi_mcp_server.settings import config
from processes import CHECKOUT

PAGE = (CHECKOUT / "docs" / "inbound-auth.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)


def blocks(language):
    found = [text for kind, text in BLOCKS if kind == language]
    assert found
    return found


def loaded(**environ):
    return config.load(["--spec-path", "x", "--transport", "http"], environ, lambda path: "")


@pytest.mark.parametrize("text", blocks("ini"))
def test_settings_are_taken(text):
    settings = dict(line.split("=", 1) for line in text.splitlines())
    made = loaded(**settings)
    policies.rule(made)
    redaction.of(made.redact)
    assert not [warning for warning in made.warnings if "means nothing" in warning]


def test_tokens_are_taken():
    made = loaded(API_NAME="shop", INBOUND_AUTH="token", INBOUND_TOKENS=blocks("json")[0])
    assert [token.name for token in made.inbound.tokens] == ["ci", "support", "shop-agent"]


def test_the_slow_hash_is_one():
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(blocks("python")[0], {})
    tokens = msgspec.json.encode([{"name": "a", "scrypt": said.getvalue().strip()}]).decode()
    assert loaded(INBOUND_AUTH="token", INBOUND_TOKENS=tokens).inbound.tokens[0].scrypt


def test_policies_and_overrides_are_taken():
    policy, fixed = blocks("yaml")
    assert policies.read(policy.encode(), "policy.yaml").default is not None
    assert overrides.read(fixed.encode())
