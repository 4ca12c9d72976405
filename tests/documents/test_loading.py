"""Documents that are read again: what counts as a change, and what is served on."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import anyio
import msgspec
import pytest

from loopback import loopback, sized
from openapi_mcp_server.bridge.model import Tool, ToolCatalog
from openapi_mcp_server.documents.loading import Documents
from openapi_mcp_server.errors import ConfigError, SpecError
from openapi_mcp_server.settings.config import load

pytestmark = pytest.mark.anyio

OPERATION = "get: {{operationId: {name}, responses: {{'200': {{description: ok}}}}}}"


def document(*names: str, server: str = "https://api.example.com", more: str = "") -> str:
    paths = "".join(f"\n  /{name}: {{{OPERATION.format(name=name)}}}" for name in names)
    return f"openapi: 3.1.0\nservers: [{{url: '{server}'}}]\n{more}paths:{paths}\n"


def of_parts(part: str = "pets.yaml") -> str:
    """A document in two files: each time that it is parsed, a part that is missing is said in the log."""
    return f"openapi: 3.1.0\nservers: [{{url: 'https://api.example.com'}}]\npaths: {{/pets: {{$ref: '{part}'}}}}\n"


def documents(*argv: object, **settings: str) -> Documents:
    argv = (*argv, "--spec-refresh-seconds", "60")
    return Documents(load([*map(str, argv)], settings, lambda path: Path(path).read_text()))


def names(tools: ToolCatalog | None) -> list[str] | None:
    return None if tools is None else list(tools.tools)


async def test_what_has_not_changed_by_a_byte_is_not_parsed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "openapi.yaml"
    path.write_text(of_parts("missing.yaml"))
    read = documents("--spec-path", path)
    await read.read()
    assert len(caplog.messages) == 1  # that a file is missing is said whenever the document is parsed
    for _ in range(5):
        path.write_text(path.read_text())
        assert await read.read_again() is None
    assert len(caplog.messages) == 1
    path.write_text(path.read_text() + "\n")
    assert names(await read.read_again()) == []
    assert len(caplog.messages) == 2


OVERLAY = "overlay: 1.0.0\ninfo: {title: t, version: '1'}\nactions: [{target: $.info, update: {x-y: 1}}]\n"
HIDING = "overlay: 1.0.0\ninfo: {title: t, version: '1'}\nactions: [{target: \"$.paths['/b']\", remove: true}]\n"


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("openapi.yaml", document("a", "c"), ["a", "c"]),
        ("overlay.yaml", HIDING, ["a"]),
        ("overrides.yaml", "a: {name: first}", ["first", "b"]),
    ],
)
async def test_a_change_of_any_file_is_a_new_catalog(
    tmp_path: Path, file: str, content: str, expected: list[str]
) -> None:
    for name, text in (
        ("openapi.yaml", document("a", "b")),
        ("overlay.yaml", OVERLAY),
        ("overrides.yaml", "a: {title: A}"),
    ):
        (tmp_path / name).write_text(text)
    read = documents(
        *("--spec-path", tmp_path / "openapi.yaml"),
        *("--overlays", tmp_path / "overlay.yaml", "--tool-overrides", tmp_path / "overrides.yaml"),
    )
    assert names(await read.read()) == ["a", "b"]
    assert await read.read_again() is None
    (tmp_path / file).write_text(content)
    assert names(await read.read_again()) == expected
    assert await read.read_again() is None


def change(path: Path) -> None:
    path.write_text(f"{{{OPERATION.format(name='b')}}}")


def point_elsewhere(path: Path) -> None:
    """The folder of the document is a link, as tools that check out revisions make it."""
    other = path.parent.with_name("other")
    other.mkdir()
    (other / "openapi.yaml").write_text(of_parts())
    (other / "pets.yaml").write_text(f"{{{OPERATION.format(name='b')}}}")
    link = path.parent.with_name("current")
    link.unlink()
    link.symlink_to(other)


@pytest.mark.parametrize(
    ("alter", "expected"),
    [(change, ["b"]), (Path.unlink, []), (point_elsewhere, ["b"])],
    ids=["changed", "gone", "the folder is another"],
)
async def test_a_file_that_the_document_refers_to_counts_like_the_document(
    tmp_path: Path, alter: Callable[[Path], None], expected: list[str]
) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    (tmp_path / "current").symlink_to(folder)
    part = folder / "pets.yaml"
    (folder / "openapi.yaml").write_text(of_parts())
    part.write_text(f"{{{OPERATION.format(name='a')}}}")
    read = documents("--spec-path", tmp_path / "current" / "openapi.yaml")
    assert names(await read.read()) == ["a"]
    assert await read.read_again() is None
    alter(part)
    assert names(await read.read_again()) == expected


async def test_a_file_that_was_missing_is_used_when_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "openapi.yaml").write_text(of_parts())
    read = documents("--spec-path", tmp_path / "openapi.yaml")
    assert names(await read.read()) == []
    change(tmp_path / "pets.yaml")
    assert names(await read.read_again()) == ["b"]


@pytest.mark.parametrize(
    ("alter", "error", "problem"),
    [
        (lambda path: path.write_text("openapi: [3.1"), SpecError, r"openapi\.yaml, line 1, column"),
        (
            lambda path: path.write_text("openapi: 9.9.9\n"),
            SpecError,
            r"openapi\.yaml, line 1, column 1, #/openapi: version .*here: openapi: 9",
        ),
        (lambda path: path.write_text("openapi: 3.1.0\npaths: {}\n"), SpecError, "URL"),
        (Path.unlink, ConfigError, r"^--spec-path: cannot read .*openapi\.yaml: No such file"),
    ],
    ids=["syntax", "dialect", "no server", "gone"],
)
async def test_a_document_that_cannot_be_used_is_named_until_it_can(
    tmp_path: Path, alter: Callable[[Path], None], error: type[Exception], problem: str
) -> None:
    path = tmp_path / "openapi.yaml"
    path.write_text(document("a"))
    read = documents("--spec-path", path)
    await read.read()
    alter(path)
    for _ in range(3):
        with pytest.raises(error, match=problem):
            await read.read_again()
    path.write_text(document("b"))
    assert names(await read.read_again()) == ["b"]


async def test_a_broken_document_is_not_parsed_again_as_long_as_it_is_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, overrides = tmp_path / "openapi.yaml", tmp_path / "overrides.yaml"
    path.write_text(of_parts("missing.yaml"))
    overrides.write_text("{}")
    read = documents("--spec-path", path, "--tool-overrides", overrides)
    await read.read()
    overrides.write_text("a: {nme: x}")
    for _ in range(3):
        with pytest.raises(SpecError, match=r"overrides\.yaml"):
            await read.read_again()
    assert len(caplog.messages) == 2  # one for the start, one for the first of the three


async def test_one_of_several_documents_that_is_broken_keeps_all_from_changing(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(document("a"))
    second.write_text(document("b"))
    extra = msgspec.json.encode([{"name": "two", "spec_path": str(second)}]).decode()
    read = documents("--spec-path", first, "--api-name", "one", ADDITIONAL_SPECS=extra)
    await read.read()
    first.write_text(document("c"))
    second.write_text("openapi: [")
    with pytest.raises(SpecError, match=r"second\.yaml"):
        await read.read_again()
    second.write_text(document("b"))
    assert names(await read.read_again()) == ["one_c", "two_b"]


KEY = ("--auth-type", "api_key", "--auth-api-key", "secret")


@pytest.mark.parametrize(
    ("argv", "is_refused"),
    [(KEY, True), ((), False), ((*KEY, "--api-url", "https://api.example.com"), False)],
    ids=["credentials", "no credentials", "the operator says where"],
)
async def test_a_document_cannot_take_credentials_to_another_place(
    tmp_path: Path, argv: tuple[str, ...], is_refused: bool
) -> None:
    path = tmp_path / "openapi.yaml"
    path.write_text(document("a"))
    read = documents("--spec-path", path, *argv)
    await read.read()
    path.write_text(document("a", server="https://elsewhere.example"))
    if not is_refused:
        assert names(await read.read_again()) == ["a"]
        return
    for _ in range(2):
        with pytest.raises(SpecError, match=r"at https://elsewhere\.example now, where its credentials are not sent"):
            await read.read_again()


async def test_a_place_for_the_key_that_cannot_be_is_refused_at_once(tmp_path: Path) -> None:
    def keyed(name: str) -> str:
        scheme = f"components: {{securitySchemes: {{k: {{type: apiKey, in: header, name: {name}}}}}}}\n"
        return document("a", more=f"{scheme}security: [{{k: []}}]\n")

    path = tmp_path / "openapi.yaml"
    path.write_text(keyed("X-Key"))
    read = documents("--spec-path", path, *KEY)
    await read.read()
    path.write_text(keyed("Host"))
    with pytest.raises(SpecError, match="'Host' cannot be the header of a key"):
        await read.read_again()
    path.write_text(keyed("X-Other"))
    tools = await read.read_again()
    assert tools is not None
    assert tools.apis[0].key_places[""].name == "X-Other"


async def test_a_document_with_an_address_is_fetched_again(tmp_path: Path) -> None:
    first, second = document("a").encode(), document("b").encode()
    replies = [sized(first), sized(first), sized(b"", status=b"404 Oh"), sized(second)]
    async with loopback(*([(reply,)] for reply in replies)) as api:
        read = documents("--spec-url", f"{api.origin}/openapi.yaml?token=x", "--allow-private-networks")
        assert names(await read.read()) == ["a"]
        assert await read.read_again() is None
        with pytest.raises(SpecError, match=r"/openapi\.yaml: the server answered 404$"):
            await read.read_again()
        assert names(await read.read_again()) == ["b"]


def copy(source: Path, target: Path, more: bytes = b"") -> None:
    target.write_bytes(source.read_bytes() + more)


def tools_alive() -> int:
    return sum(isinstance(one, Tool) for one in gc.get_objects())


async def no_more_tools_than(before: int) -> None:
    """The thread that read a document may hold it for a moment after it has given it."""
    with anyio.fail_after(5):
        while tools_alive() > before:  # noqa: ASYNC110 - nothing tells when a thread lets go
            await anyio.sleep(0.01)


async def test_a_catalog_goes_without_the_collector(tmp_path: Path, specs: Path) -> None:
    """What is there at the start is frozen, and the rest is looked at seldom."""
    path = tmp_path / "openapi.yaml"
    copy(specs, path)
    read = documents("--spec-path", path, "--api-url", "https://api.example.com", "--spec-refresh-seconds", "60")
    gc.collect()
    gc.disable()
    try:
        before = tools_alive()
        tools: ToolCatalog | None = await read.read()
        del tools
        await no_more_tools_than(before)
        copy(specs, path, more=b"\n")
        tools = await read.read_again()
        assert tools is not None
        assert tools_alive() >= before + len(tools.tools) > before
        del tools
        await no_more_tools_than(before)
    finally:
        gc.enable()


FAULTY = {
    "an operation": "parameters: 5",
    "its body": "requestBody: {content: {text/event-stream: {itemSchema: {type: string}}}}",
    "what hides it": "x-mcp: {hidden: perhaps}",
    "its schema": "parameters: [{name: a, in: query, schema: {$ref: '#/nowhere'}}]",
}


@pytest.mark.parametrize("fault", FAULTY.values(), ids=FAULTY)
async def test_operations_that_are_skipped_hold_no_catalog(tmp_path: Path, fault: str) -> None:
    """A fault that is kept with its traceback would: its frames have the tools of the same document."""
    path = tmp_path / "openapi.yaml"
    path.write_text(document("a") + f"  /b: {{post: {{{fault}, responses: {{'200': {{description: ok}}}}}}}}\n")
    read = documents("--spec-path", path)
    gc.collect()
    gc.disable()
    try:
        before = tools_alive()
        tools: ToolCatalog | None = await read.read()
        assert tools is not None
        assert (len(tools.tools), len(tools.skipped)) == (1, 1)
        del tools
        await no_more_tools_than(before)
    finally:
        gc.enable()


@pytest.fixture(params=["openapi-3.0", "openapi-3.1", "openapi-3.2", "swagger-2.0"])
def specs(request: pytest.FixtureRequest) -> Path:
    """Documents with one of everything."""
    return Path(__file__).parents[1] / "specs" / f"{request.param}.yaml"
