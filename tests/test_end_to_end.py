"""The program as users start it, driven by the official Python client over real sockets and pipes."""

from __future__ import annotations

import base64
import http.client
import signal
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import anyio
import msgspec
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from asked import call, fetch, message, post
from held import DEADLINE_SECONDS, HeldApi
from openapi_mcp_server.demo.picture import tile
from processes import command, environment, inspected, run, started

# The client leaves the generators of an event stream to the garbage collector, which Trio warns of.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Async generator 'httpx2:ResourceWarning", "ignore:Async generator 'httpcore2:ResourceWarning"
)
DEMO = ("demo", "--port", "0")


@pytest.fixture(scope="module")
def demo():
    with started(*DEMO) as server:
        yield server.url


def with_client(connection: Any, mode: str, use: Callable[[Client], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        with anyio.fail_after(DEADLINE_SECONDS):
            async with Client(connection, mode=mode) as client:
                return await use(client)

    return anyio.run(main, backend="trio")


def get(url: str, path: str) -> tuple[int, Any]:
    status, _, body = fetch(urljoin(url, path))
    return status, msgspec.json.decode(body)


async def whole_shop(client: Client) -> None:
    """One of everything that the demo has."""
    names = {tool.name for tool in (await client.list_tools()).tools}
    assert {"listPets", "createPet", "getPetPicture", "uploadPetPhoto"} <= names

    page = await client.call_tool("listPets", {"limit": 2})
    assert [pet["name"] for pet in page.structured_content["pets"]] == ["Mia", "Bello"]
    assert "rel=" in page.content[-1].text or "next" in page.content[-1].text

    created = await client.call_tool("createPet", {"name": "Rex", "species": "dog", "price": 1.5})
    pet = created.structured_content["id"]
    assert not created.is_error
    changed = await client.call_tool("updatePet", {"petId": pet, "price": None})
    assert "price" not in changed.structured_content

    photo = base64.b64encode(tile((9, 9, 9), pixels=8)).decode()
    uploaded = await client.call_tool("uploadPetPhoto", {"petId": pet, "photo": photo, "caption": "hello"})
    assert not uploaded.is_error, uploaded.content
    picture = await client.call_tool("getPetPicture", {"petId": pet})
    assert (picture.content[0].mime_type, picture.content[0].data) == ("image/png", photo)

    assert not (await client.call_tool("deletePet", {"petId": pet})).is_error
    gone = await client.call_tool("getPet", {"petId": pet})
    assert gone.is_error
    assert "404" in gone.content[0].text
    wrong = await client.call_tool("getPet", {"petId": "Mia"})
    assert wrong.is_error
    assert "petId" in wrong.content[0].text


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_the_official_client_uses_the_whole_demo_over_http(demo, mode):
    with_client(demo, mode, whole_shop)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_the_official_client_uses_the_whole_demo_over_stdio(mode):
    parameters = StdioServerParameters(
        command=command()[0], args=[*command()[1:], "demo", "--transport", "stdio"], env=environment()
    )
    with_client(stdio_client(parameters), mode, whole_shop)


def test_calls_at_once_with_the_same_id_get_their_own_answers(demo):
    answers: dict[int, bytes] = {}

    def ask(pet: int) -> None:
        answers[pet] = post(demo, call("getPet", petId=pet))[1]

    threads = [threading.Thread(target=ask, args=(pet,)) for pet in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_SECONDS)
    found = {pet: msgspec.json.decode(answer)["result"]["structuredContent"]["id"] for pet, answer in answers.items()}
    assert found == {pet: pet for pet in range(1, 6)}


@pytest.mark.parametrize("path", ["/mcp", "/sse"])
@pytest.mark.parametrize(("origin", "status"), [("http://localhost:6274", 204), ("https://evil.example.com", 403)])
def test_browsers_are_told_whether_their_page_may_call(demo, path, origin, status):
    asked = {"origin": origin, "access_control_request_method": "POST"}
    assert fetch(urljoin(demo, path), "OPTIONS", **asked)[0] == status


def test_orchestrators_and_people_are_told_the_state(demo):
    assert get(demo, "/livez") == (200, {"status": "alive"})
    status, told = get(demo, "/readyz")
    assert (status, told["status"]) == (200, "ready")
    assert abs(parsedate_to_datetime(told["time"]).timestamp() - time.time()) < 60
    status, health = get(demo, "/health")
    assert (status, health["status"], health["apis"][0]["name"], health["skipped_operations"]) == (
        200,
        "ready",
        "petshop",
        0,
    )
    assert get(demo, "/nothing")[0] == 404


@pytest.fixture
def held_call(tmp_path, request):
    """(server, answers, the API's connection): a call that waits for the API. Its parameter: the server's settings."""
    document = tmp_path / "openapi.yaml"
    document.write_text(HeldApi.DOCUMENT)
    options = ("--transport", "http", "--port", "0", "--allow-private-networks")
    settings = getattr(request, "param", {})
    with (
        closing(HeldApi()) as api,
        started("--spec-path", str(document), "--api-url", api.url, *options, **settings) as server,
    ):
        answers: list[bytes] = []
        caller = threading.Thread(target=ask_and_keep, args=(server.url, answers))
        caller.start()
        with api.accept() as asked:
            yield server, answers, asked
        caller.join(DEADLINE_SECONDS)


def ask_and_keep(url: str, answers: list[bytes]) -> None:
    try:
        answers.append(post(url, call("held"))[1])
    except (OSError, http.client.HTTPException):  # the server was told twice and cut the connection
        return


HANGUP = pytest.param(
    signal.SIGHUP,
    marks=pytest.mark.skipif(
        signal.getsignal(signal.SIGHUP) is signal.SIG_IGN, reason="SIGHUP is ignored here, and so by what is started"
    ),
)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, HANGUP])
def test_a_signal_lets_the_call_in_flight_finish_and_exits_0(held_call, number):
    server, answers, asked = held_call
    server.process.send_signal(number)
    server.wait_for("^stopping")
    asked.sendall(HeldApi.ANSWER)
    stopped = server.wait_for("^stopped$")
    assert server.process.wait(DEADLINE_SECONDS) == 0
    assert not msgspec.json.decode(answers[0])["result"].get("isError", False)
    assert (stopped["calls"], stopped["ok"]) == (1, 1)


@pytest.mark.parametrize(
    "held_call",
    [
        {"SHUTDOWN_GRACE_SECONDS": "0.2"},
        {"UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN": "0.2"},
        {"UVICORN_GRACEFUL_SHUTDOWN": "false"},
    ],
    indirect=True,
)
def test_a_call_that_takes_longer_than_the_grace_is_told_so_before_the_end(held_call):
    server, answers, _ = held_call
    server.process.send_signal(signal.SIGTERM)
    stopped = server.wait_for("^stopped$")
    assert server.process.wait(5) == 0
    result = msgspec.json.decode(answers[0])["result"]
    assert result["isError"] is True
    assert "the server stops and could not wait" in result["content"][0]["text"]
    assert (stopped["calls"], stopped["tool_error"]) == (1, 1)


@pytest.mark.parametrize("held_call", [{"SHUTDOWN_GRACE_SECONDS": "0.2"}], indirect=True)
def test_a_call_in_a_session_that_takes_longer_than_the_grace_gets_an_error_event_and_the_stream_its_end(held_call):
    server, _, _ = held_call
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=DEADLINE_SECONDS)
    connection.request("GET", "/sse")
    stream = connection.getresponse()
    assert stream.readline() == b"event: endpoint\n"
    target = stream.readline().decode().removeprefix("data: ").strip()
    assert post(urljoin(server.url, target), call("held", 7))[0] == 202
    server.process.send_signal(signal.SIGTERM)
    events = stream.read()  # raises IncompleteRead where the response is cut off
    answer = msgspec.json.decode(events.partition(b"data: ")[2])
    assert (answer["id"], answer["result"]["isError"]) == (7, True)
    assert server.process.wait(5) == 0
    connection.close()


def test_a_second_signal_ends_at_once(held_call):
    server, answers, _ = held_call
    server.process.send_signal(signal.SIGTERM)
    server.wait_for("^stopping")
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(5) == 1
    assert answers == []


def test_stdio_says_nothing_but_messages_on_standard_output():
    ended = subprocess.run(
        command("demo", "--transport", "stdio"),
        input=message("ping", "a") + b"\n",
        env=environment(LOG_LEVEL="DEBUG"),
        capture_output=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert ended.returncode == 0
    assert msgspec.json.decode(ended.stdout) == {"jsonrpc": "2.0", "id": "a", "result": {}}


def test_call_asks_a_running_server(demo):
    done = run("call", "getPet", "petId=1", "--server", demo)
    assert (done.returncode, msgspec.json.decode(done.stdout.splitlines()[0])["name"]) == (0, "Mia")


def test_call_exits_1_where_the_tool_reports_an_error(demo):
    failed = run("call", "failWithStatus", "status=409", "--server", demo)
    assert (failed.returncode, "409" in failed.stdout) == (1, True)


def test_call_keeps_a_picture(demo, tmp_path):
    done = run("call", "getPetPicture", "petId:=1", "--server", demo, "--output", str(tmp_path / "pet.png"))
    assert done.returncode == 0
    lost = run("call", "getPetPicture", "petId:=1", "--server", demo, "--output", str(tmp_path))
    assert (lost.returncode, lost.stderr) == (
        2,
        f"openapi-mcp-server: --output: cannot write {tmp_path}: Is a directory\n",
    )
    assert (tmp_path / "pet.png").read_bytes().startswith(b"\x89PNG")


def test_call_and_inspect_work_straight_from_a_document(tmp_path):
    with started("demo", "--api-only", "--port", "0") as api:
        base = str(api.wait_for("^the demo API is at ")["message"]).removeprefix("the demo API is at ")
        options = ("--spec-url", f"{base}/openapi.yaml", "--api-url", base, "--allow-private-networks")
        done = run("call", "searchPets", "q=mi", *options)
        assert (done.returncode, "Mia" in done.stdout) == (0, True), done.stderr
        report = inspected(*options)
        assert len(report["tools"]) == 11
        assert "getPetPicture" in run("inspect", *options).stdout


@pytest.mark.parametrize(
    ("servers", "base"),
    [
        ("[]", None),
        ("[{url: /v1}]", None),
        ("[{url: 'https://a.example/v1'}, {url: 'https://b.example'}]", "https://a.example/v1"),
    ],
)
def test_inspect_needs_no_address_and_says_that_serving_does(servers, base, tmp_path):
    document = tmp_path / "api.yaml"
    document.write_text(f"openapi: 3.1.0\nservers: {servers}\npaths: {{/a: {{get: {{operationId: a}}}}}}\n")
    report = inspected("--spec-path", str(document))
    assert [tool["name"] for tool in report["tools"]] == ["a"]
    api = report["apis"][0]
    assert (api["base_url"], [note["kind"] for note in api["notes"]]) == (base, ["base_url_unknown"])
    assert "set API_BASE_URL" in run("inspect", "--spec-path", str(document)).stdout
    served = run("--spec-path", str(document))
    assert (served.returncode, "set API_BASE_URL" in served.stderr) == (1, True)


def test_a_document_in_several_files_is_served_with_all_but_what_lies_outside(tmp_path):
    folder = tmp_path / "api"
    folder.mkdir()
    (folder / "api.yaml").write_text("openapi: 3.1.0\npaths: {/a: {$ref: a.yaml}, /b: {$ref: ../b.yaml}}\n")
    (folder / "a.yaml").write_text("get: {operationId: a}\n")
    (tmp_path / "b.yaml").write_text("get: {operationId: b}\n")
    options = ("--spec-path", str(folder / "api.yaml"), "--api-url", "https://api.example.com")

    def tools(**settings: str) -> list[str]:
        return [tool["name"] for tool in inspected(*options, **settings)["tools"]]

    assert tools() == ["a"]
    assert tools(ALLOWED_SPEC_DIRS=str(tmp_path)) == ["a", "b"]


def test_a_server_that_is_not_there_is_one_clear_line():
    failed = run("call", "getPet", "petId=1", "--server", "http://127.0.0.1:9/mcp")
    assert (failed.returncode, failed.stderr.count("\n")) == (1, 1)


LOADED = (
    "import sys, openapi_mcp_server.process.lifecycle;print(sorted({name.partition('.')[0] for name in sys.modules}))"
)


def test_serving_loads_no_sdk_and_no_event_loop_but_trio():
    done = subprocess.run([command()[0], "-c", LOADED], env=environment(), capture_output=True, text=True, check=True)
    unwanted = {"mcp", "mcp_types", "pydantic", "starlette", "opentelemetry", "uvicorn", "ryml", "prometheus_client"}
    unwanted |= {"jsonpath"}  # for overlays only
    unwanted |= {"httpx2", "httpcore2"}  # for documents with an address, tokens, secrets
    assert unwanted & set(msgspec.json.decode(done.stdout.replace("'", '"'))) == set()
