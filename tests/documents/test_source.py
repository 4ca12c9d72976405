"""Where a document's bytes come from: files and addresses that the operator named, and nothing else."""

from __future__ import annotations

import contextlib
import gzip
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from loopback import MIB, Api, Do, chunked, loopback, sized
from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.documents.source import FETCH_SECONDS, FILE_BYTES, URL_BYTES, Visit, read, shown
from openapi_mcp_server.errors import ConfigError, SpecError
from openapi_mcp_server.upstream.addresses import AddressRule, CheckedDialler

pytestmark = pytest.mark.anyio

DOCUMENT = b'{"openapi": "3.1.0"}'
STRICT = AddressRule(allow_private=False, allow_insecure=False)
LOCAL = AddressRule(allow_private=True, allow_insecure=False)


def plain(_: HttpRequest) -> Visit:
    return Visit(CheckedDialler(LOCAL), None, lambda request: request)


async def read_file(path: Path | str, *allowed: Path) -> bytes:
    with trio.fail_after(10):  # a FIFO must not hold it
        return await read(str(path), setting="--spec-path", rule=STRICT, visit=plain, allowed_dirs=allowed)


async def fetch(api: Api, target: str = "/openapi.json") -> bytes:
    with trio.fail_after(20):
        return await read(f"{api.origin}{target}", setting="--spec-url", rule=LOCAL, visit=plain)


async def test_a_file_is_read_wherever_it_is(tmp_path: Path) -> None:
    path = tmp_path / "openapi.json"
    path.write_bytes(DOCUMENT)
    assert await read_file(path) == DOCUMENT
    link = tmp_path / "link.json"
    link.symlink_to(path)
    assert await read_file(link) == DOCUMENT


async def test_a_file_inside_the_allowed_folders_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "specs" / "deep"
    folder.mkdir(parents=True)
    (folder / "a.json").write_bytes(DOCUMENT)
    (tmp_path / "allowed").symlink_to(tmp_path / "specs")
    assert await read_file(folder / "a.json", tmp_path / "other", tmp_path / "specs") == DOCUMENT
    assert await read_file(folder / ".." / "deep" / "a.json", tmp_path / "allowed") == DOCUMENT


@pytest.mark.parametrize(
    "way", ["beside", "through dots", "through a link", "through a linked folder", "by its prefix"]
)
async def test_a_file_outside_of_the_allowed_folders_is_refused(tmp_path: Path, way: str) -> None:
    allowed = tmp_path / "specs"
    allowed.mkdir()
    (tmp_path / "specs-of-others").mkdir()
    for secret in (tmp_path / "secret.json", tmp_path / "specs-of-others" / "secret.json"):
        secret.write_bytes(b"secret")
    (allowed / "link.json").symlink_to(tmp_path / "secret.json")
    (allowed / "folder").symlink_to(tmp_path)
    path = {
        "beside": tmp_path / "secret.json",
        "through dots": allowed / ".." / "secret.json",
        "through a link": allowed / "link.json",
        "through a linked folder": allowed / "folder" / "secret.json",
        "by its prefix": tmp_path / "specs-of-others" / "secret.json",
    }[way]
    with pytest.raises(ConfigError) as caught:
        await read_file(path, allowed)
    assert str(caught.value) == f"--spec-path: {path} is outside of ALLOWED_SPEC_DIRS"


async def test_a_fifo_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match=r"pipe is not a regular file$"):
        await read_file(tmp_path / "pipe")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc on this system")
async def test_a_pipe_that_has_no_name_is_said_to_be_no_file() -> None:
    out, into = os.pipe()
    try:
        with pytest.raises(ConfigError, match=rf"^--spec-path: /proc/self/fd/{out} is not a regular file$"):
            await read_file(f"/proc/self/fd/{out}")
    finally:
        os.close(out)
        os.close(into)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/"])
async def test_a_device_or_a_folder_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match=rf"^--spec-path: {path} is not a regular file$"):
        await read_file(path)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc on this system")
async def test_a_file_that_hides_its_size_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"/environ changes while it is read$"):
        await read_file("/proc/self/environ")


async def test_a_file_above_the_limit_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "large.yaml").open("wb") as file:
        file.truncate(FILE_BYTES + 1)
    with pytest.raises(ConfigError, match=r"large\.yaml has 64 MiB; a document may have 64$"):
        await read_file(tmp_path / "large.yaml")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("missing.json", "No such file or directory"),
        ("file/inside", "Not a directory"),
        ("n" * 300, "File name too long"),
        ("loop", ""),
        ("null\0byte", ""),
    ],
)
async def test_what_cannot_be_opened_is_named(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ConfigError, match=r"^--spec-path: ") as caught:
        await read_file(tmp_path / name)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
async def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "closed.json"
    path.write_bytes(DOCUMENT)
    path.chmod(0)
    with pytest.raises(ConfigError, match=r"cannot read .*closed\.json: Permission denied$"):
        await read_file(path)


async def test_a_folder_that_becomes_a_link_while_it_is_read_leads_nowhere(tmp_path: Path) -> None:
    """The path is looked at, and then opened: in between it may change under whoever can write to the folder."""
    inside, outside = tmp_path / "specs" / "a", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir(parents=True)
        (folder / "openapi.json").write_bytes(DOCUMENT + folder.name.encode())
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            inside.rename(tmp_path / "specs" / "b")
            inside.symlink_to(outside)
            inside.unlink()
            (tmp_path / "specs" / "b").rename(inside)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        found = set()
        for _ in range(2_000):
            with contextlib.suppress(ConfigError):
                found.add(await read_file(inside / "openapi.json", tmp_path / "specs"))
    finally:
        stop.set()
        swapper.join()
    assert found <= {DOCUMENT + b"a"}  # on a busy machine it may be a link whenever it is looked at
    assert await read_file(inside / "openapi.json", tmp_path / "specs") == DOCUMENT + b"a"


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(sized(DOCUMENT), id="as it is"),
        pytest.param(chunked(DOCUMENT), id="in chunks"),
        pytest.param(sized(gzip.compress(DOCUMENT), b"Content-Encoding: gzip\r\n"), id="compressed"),
    ],
)
async def test_a_document_is_fetched(reply: bytes) -> None:
    async with loopback([(reply,)]) as api:
        assert await fetch(api, "/v1/open api.json?a=b c&d=%20#part") == DOCUMENT
    assert api.requests[0].startswith(b"GET /v1/open%20api.json?a=b%20c&d=%20 HTTP/1.1\r\n")


async def test_a_redirect_at_the_same_origin_is_followed_three_times_at_most() -> None:
    moved = sized(b"", b"Location: next\r\n", b"302 Found")
    async with loopback([(moved,), (moved,), (moved,), (sized(DOCUMENT),)]) as api:
        assert await fetch(api, "/v1/openapi.json") == DOCUMENT
        assert [request.partition(b" HTTP")[0] for request in api.requests[1:]] == [b"GET /v1/next"] * 3
    async with loopback([(moved,)] * 4) as api:
        with pytest.raises(SpecError, match="the server answered 302 and points to"):
            await fetch(api)


async def test_proxies_and_credentials_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with loopback([(sized(DOCUMENT),)]) as api:
        assert await fetch(api) == DOCUMENT
    assert b"authorization" not in api.requests[0].lower()
    assert b"cookie" not in api.requests[0].lower()


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        pytest.param(sized(b"no", status=b"404 Not Found"), "the server answered 404", id="404"),
        pytest.param(sized(b"", status=b"204 No Content"), "the server answered 204", id="204"),
        pytest.param(
            sized(b"", b"Location: https://me:pw@other.example.com/spec?token=t\r\n", b"302 Found"),
            "the server answered 302 and points to 'https://other.example.com/spec'; give that address",
            id="a redirect elsewhere",
        ),
        pytest.param(
            sized(b"", b"Location: http://[::1/\r\n", b"302 Found"), "the server answered 302", id="a broken redirect"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
            "peer closed connection without sending complete message body",
            id="cut off",
        ),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", "sent no valid HTTP answer: illegal status line", id="not HTTP"),
        pytest.param(
            sized(b"no gzip", b"Content-Encoding: gzip\r\n"), "the packed data of the answer is broken", id="gzip"
        ),
        pytest.param(sized(b"?", b"Content-Encoding: gzip, gzip\r\n"), "packed data of the answer", id="gzip in gzip"),
        pytest.param(sized(b"?", b"Content-Encoding: br\r\n"), "was not asked for", id="brotli"),
    ],
)
async def test_what_is_no_document_is_refused_with_the_url_but_not_its_secrets(reply: bytes, problem: str) -> None:
    async with loopback([(reply, Do.CLOSE)]) as api:
        with pytest.raises(SpecError) as caught:
            await fetch(api, "/openapi.json?token=secret")
        assert caught.value.pointer == f"{api.origin}/openapi.json"
    assert problem in caught.value.problem
    assert "secret" not in str(caught.value)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("twice", [False, True], ids=["gzip", "gzip members"])
async def test_a_compression_bomb_is_refused_at_the_limit(twice: bool) -> None:
    bomb = gzip.compress(bytes(URL_BYTES + 1)) if not twice else gzip.compress(bytes(URL_BYTES)) + gzip.compress(b"x")
    async with loopback([(sized(bomb, b"Content-Encoding: gzip\r\n"),)]) as api:
        with pytest.raises(SpecError, match="exceeds 32 MiB"):
            await fetch(api)


async def test_an_endless_document_is_refused_at_the_limit() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    mib = b"100000\r\n" + bytes(MIB) + b"\r\n"
    async with loopback([(head, *[mib] * (URL_BYTES // MIB + 1), Do.HANG)]) as api:
        with pytest.raises(SpecError, match="exceeds 32 MiB"):
            await fetch(api)


class Dripping:
    """A server that sends an answer a byte a second."""

    async def read(self, most: int) -> bytes:
        await trio.sleep(1)
        return b" " if self.started else self._head()

    started = False

    def _head(self) -> bytes:
        self.started = True
        return b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"

    async def write(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()

    async def close(self) -> None:
        await trio.lowlevel.checkpoint()

    def is_quiet(self) -> bool:
        return True


class DrippingNetwork:
    async def connect(self, *args: object, **settings: object) -> Any:
        await trio.lowlevel.checkpoint()
        return Dripping()


def dripping(_: HttpRequest) -> Visit:
    return Visit(DrippingNetwork(), None, lambda request: request)


def test_one_deadline_stands_around_the_whole_fetch() -> None:
    async def run() -> float:
        started = trio.current_time()
        with pytest.raises(SpecError, match="no whole answer from http://localhost within 30 s"):
            await read("http://localhost/a.json", setting="--spec-url", rule=LOCAL, visit=dripping)
        return trio.current_time() - started

    assert trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0)) == pytest.approx(FETCH_SECONDS, abs=1)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://example.com/a.json", "must start with http:// or https://"),
        ("file:///etc/passwd", "must start with http:// or https://"),
        ("https:///a.json", "names no host"),
        ("https://[::1/a.json", "names an invalid host"),
        ("https://example.com:99999/a.json", "names an invalid port"),
        ("https://me:pw@example.com/a.json?token=secret", "must not carry a user name or password"),
        ("http://example.com/a.json?token=secret", "ALLOW_INSECURE_HTTP=true"),
        ("https://10.0.0.1/a.json", "ALLOW_PRIVATE_NETWORKS=true"),
        ("https://localhost/a.json", "ALLOW_PRIVATE_NETWORKS=true"),
        ("https://169.254.169.254/latest/meta-data", "is never connected to"),
    ],
)
async def test_a_url_that_cannot_be_used_is_refused_with_what_to_change(url: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        await read(url, setting="--spec-url", rule=STRICT, visit=plain)
    assert caught.value.setting == "--spec-url"
    assert problem in caught.value.problem
    assert "secret" not in str(caught.value)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("specs/a?b.json", "specs/a?b.json"),
        ("https://example.com/a.json", "https://example.com/a.json"),
        ("https://me:p@w@example.com:8443/a.json?token=t#u", "https://example.com:8443/a.json"),
        ("https://example.com?token=t/x@y", "https://example.com"),
        ("https://[::1/a?b", "https://[::1/a"),
    ],
)
async def test_messages_show_a_location_without_its_secrets(location: str, text: str) -> None:
    assert shown(location) == text
