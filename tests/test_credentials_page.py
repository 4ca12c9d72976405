"""The table of docs/credentials.md: each line's settings are taken, and make a credential that can be sent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from authorization_server import key
from certificates import certificate
from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.documents.configured import keyring
from openapi_mcp_server.settings.config import load
from processes import CHECKOUT

PAGE = (CHECKOUT / "docs" / "credentials.md").read_text("utf-8")
TABLE = PAGE.partition("| my API wants |")[2].partition("\n\n")[0]
ROWS = [[cell.strip() for cell in row.split("|")[1:3]] for row in TABLE.splitlines()[2:]]
LOGIN = next(re.findall("`([^`]*)`", given)[0] for _, given in ROWS if "TYPE=oauth2" in given)


def variables(given: str) -> dict[str, str]:
    """Those of a row, with something in every gap; one that begins with a gap goes on from the line of oauth2."""
    text = " ".join(re.findall("`([^`]*=[^`]*)`", given))
    if given.startswith("…") or "TOKEN_EXCHANGE" in given:
        text = f"{LOGIN} {text}"
    pairs = (word.partition("=") for word in re.findall(r"[A-Z_0-9]+=(?:\{(?:[^{}]|\{[^{}]*\})*\}|\S+)", text))
    return {name: value.rstrip(",").replace("…", "x") for name, _, value in pairs}


@pytest.mark.parametrize(("wants", "given"), ROWS, ids=[wants for wants, _ in ROWS])
def test_what_the_table_says_is_taken_and_can_be_sent(wants: str, given: str, tmp_path: Path) -> None:
    certificate(tmp_path)
    own = {"client.pem": (tmp_path / "cert.pem").read_text(), "key.pem": (tmp_path / "key.pem").read_text()}
    own["ca.pem"] = own["client.pem"]
    environ = variables(given)
    if "AUTH_CLIENT_CERTIFICATE" in environ:
        environ["AUTH_CLIENT_KEY"] = "key.pem"
    if "private_key_jwt" in given:
        own["key.pem"] = key("ES256").as_pem(private=True).decode()
    if "TOKEN_EXCHANGE" in environ:
        inbound = {"INBOUND_AUTH": "jwt", "INBOUND_JWT_ISSUERS": "https://i.example.com", "INBOUND_JWT_AUDIENCE": "a"}
        environ |= {**inbound, "SERVER_TRANSPORT": "http"}
    config = load(["--spec-path", "a.yaml", "--api-url", "https://api.example.com"], environ, own.__getitem__)
    assert environ, wants
    assert [warning for warning in config.warnings if "FORWARD_HEADERS" not in warning] == []
    keys = keyring(config)
    origin = Origin("https", "api.example.com", 443)
    request = HttpRequest(method="GET", origin=origin, path="/", query="", headers=())
    keys.way("api")
    equipped = keys.for_document("api", request, is_own=True, is_the_apis=True)
    [api] = config.apis
    other = api.schemes or api.forwarded or keys.way("api") or api.auth.exchange != "none"
    assert equipped != request or other


def test_every_kind_of_credential_is_in_the_table() -> None:
    from openapi_mcp_server.upstream.credentials.table import KINDS

    assert {kind for kind in KINDS if f"AUTH_TYPE={kind}" in TABLE} == set(KINDS)
