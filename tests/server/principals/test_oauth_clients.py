"""The official clients get in by themselves, direct or through nginx: metadata, registration, PKCE, token."""

from __future__ import annotations

import subprocess
from contextlib import AsyncExitStack, ExitStack
from urllib.parse import parse_qs, urlsplit

import httpx2
import msgspec
import pytest
import trio

from authorization_server import authorization_server
from nginx import every_worker, free_port, program, proxy
from node import NODE, NODE_FOLDER
from processes import started

SPEC = """
openapi: 3.1.0
info: {title: Pets, version: '1'}
servers: [{url: 'http://127.0.0.1:9'}]
paths: {/pets: {get: {operationId: listPets, responses: {'200': {description: ok}}}}}
"""
REDIRECT = "http://127.0.0.1:1/callback"


@pytest.fixture(scope="module", params=["direct", "nginx"])
def served(request, tmp_path_factory):
    """The root of a server that asks for tokens for its own address."""
    folder = tmp_path_factory.mktemp("oauth")
    (folder / "openapi.yaml").write_text(SPEC)
    with ExitStack() as stack:
        issuer = stack.enter_context(authorization_server())
        port = free_port()
        root = f"http://127.0.0.1:{port}"
        if request.param == "nginx":
            program()  # or it is skipped
            nginx = stack.enter_context(proxy(folder, **every_worker(f"127.0.0.1:{port}")))
            root = nginx.url
        argv = ("serve", "--spec-path", str(folder / "openapi.yaml"), "--transport", "http", "--port", str(port))
        settings = {
            "INBOUND_AUTH": "jwt",
            "INBOUND_JWT_ISSUERS": issuer.issuer,
            "INBOUND_JWT_AUDIENCE": f"{root}/mcp,{root}/sse",
            "INBOUND_JWT_REQUIRED_SCOPES": "pets:read",
            "ALLOW_PRIVATE_NETWORKS": "true",
        }
        server = stack.enter_context(started(*argv, **settings))
        assert server.url
        yield root


class _Kept:
    """What a client of the official library keeps between runs."""

    tokens = client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


async def _python_tools(url, transport):
    from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
    from mcp.client.session import ClientSession
    from mcp.client.sse import sse_client
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared.auth import OAuthClientMetadata

    agreed: list[dict[str, list[str]]] = []

    async def agree(address):
        async with httpx2.AsyncClient() as person:
            agreed.append(parse_qs(urlsplit((await person.get(address)).headers["location"]).query))

    async def callback():
        return AuthorizationCodeResult(code=agreed[0]["code"][0], state=agreed[0]["state"][0])

    about = OAuthClientMetadata.model_validate({"redirect_uris": [REDIRECT], "client_name": "tests"})
    kept = _Kept()
    provider = OAuthClientProvider(url, about, kept, agree, callback)
    async with AsyncExitStack() as stack:
        if transport == "sse":
            streams = await stack.enter_async_context(sse_client(url, auth=provider))
        else:
            client = await stack.enter_async_context(httpx2.AsyncClient(auth=provider, timeout=20))
            streams = await stack.enter_async_context(streamable_http_client(url, http_client=client))
        session = await stack.enter_async_context(ClientSession(streams[0], streams[1]))
        await session.initialize()
        tools = (await session.list_tools()).tools
    assert kept.client is not None
    return [tool.name for tool in tools]


@pytest.mark.parametrize("transport", ["mcp", "sse"])
def test_the_python_client_logs_in(served, transport):
    assert trio.run(_python_tools, f"{served}/{transport}", transport) == ["listPets"]


@pytest.mark.parametrize("transport", ["http", "sse"])
@pytest.mark.parametrize("which", ["sdk", "client"])
def test_the_typescript_clients_log_in(served, which, transport):
    if not (NODE_FOLDER / "node_modules").is_dir():
        pytest.skip("the npm packages are not installed: scripts/test installs them")
    url = f"{served}/{'sse' if transport == 'sse' else 'mcp'}"
    done = subprocess.run(
        [NODE, NODE_FOLDER / "authorize.mjs", which, transport, url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = msgspec.json.decode(done.stdout)
    assert told == {"refused": True, "registered": True, "tools": ["listPets"]}
