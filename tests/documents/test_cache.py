"""CACHE_DIR: what another start takes from it, what it passes over, and that nothing there stops a start."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import msgspec
import pytest

from openapi_mcp_server.bridge.model import ToolCatalog, ToolForm
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.bridge.policy import EVERYTHING
from openapi_mcp_server.documents.cache import KEPT_FILES
from openapi_mcp_server.documents.loading import Documents, read_catalog
from openapi_mcp_server.documents.options import ApiOptions, CompileOptions, catalog_key
from openapi_mcp_server.settings.auth import Identity
from openapi_mcp_server.settings.config import load
from processes import CHECKOUT, environment

pytestmark = pytest.mark.anyio

DOCUMENT = """openapi: 3.1.0
servers: [{url: 'https://api.example.com'}]
paths: {/a: {get: {operationId: a, tags: [one], responses: {'200': {description: ok}}}}}
"""
OTHER = DOCUMENT.replace("operationId: a", "operationId: b")
OF_PARTS = "openapi: 3.1.0\nservers: [{url: 'https://api.example.com'}]\npaths: {/a: {$ref: 'part.yaml'}}\n"
PART = "{get: {operationId: NAME, responses: {'200': {description: ok}}}}"


class Place:
    """A document and a folder for catalogs."""

    def __init__(self, folder: Path) -> None:
        self.document = folder / "openapi.yaml"
        self.document.write_text(DOCUMENT)
        self.folder = folder / "cache"

    def documents(self, **settings: str) -> Documents:
        argv = ["--spec-path", str(self.document), "--cache-dir", str(self.folder)]
        return Documents(load(argv, settings, lambda path: Path(path).read_text()))

    def files(self) -> list[Path]:
        return sorted(self.folder.iterdir())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def names(tools: ToolCatalog | None) -> list[str]:
    assert tools is not None
    return list(tools.tools)


def planted(path: Path) -> None:
    """Gives the tool that is kept there another name: who serves it has read the file and not the document."""
    head, about = path.read_bytes().split(b"\n", 1)
    changed = about.replace(b'["a","api"', b'["z","api"', 1)
    assert changed != about
    said = msgspec.json.decode(head) | {"digest": hashlib.sha256(changed).hexdigest()}
    path.write_bytes(msgspec.json.encode(said) + b"\n" + changed)


async def test_the_next_start_takes_what_the_first_has_compiled(place: Place) -> None:
    assert names(await place.documents().read()) == ["a"]
    [file] = place.files()
    planted(file)
    assert names(await place.documents().read()) == ["z"]


async def test_a_file_is_for_its_user_alone(place: Place) -> None:
    await place.documents().read()
    [file] = place.files()
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(place.folder.stat().st_mode)) == (0o600, 0o700)


@pytest.mark.parametrize(
    "settings",
    [
        {"RESPONSE_FILTER": "false"},
        {"VALIDATE_OUTPUT": "false"},
        {"TOOL_NAME_LENGTH": "40"},
        {"EXCLUDE_TAGS": "two"},
        {"INCLUDE_TAGS": "one"},
        {"STRICT": "true"},
        {"STRICT_AUTH": "true"},
        {"READ_ONLY": "true"},
        {"DENY_OPERATIONS": "b"},
        {"ALLOW_OPERATIONS": "a"},
        {"API_NAME": "other"},
        {"API_BASE_URL": "https://api.example.com/v2"},
        {"ALLOWED_SERVERS": "https://eu.example.com"},
        {"AUTH_TYPE": "bearer", "AUTH_TOKEN": "t"},
        {"EXTRA_QUERY": '{"a": "b"}'},
    ],
    ids=lambda settings: next(iter(settings)),
)
async def test_another_setting_is_another_catalog(place: Place, settings: dict[str, str]) -> None:
    await place.documents().read()
    planted(place.files()[0])
    assert names(await place.documents(**settings).read()) == ["a"]
    assert len(place.files()) == 2


async def test_a_secret_may_be_another(place: Place) -> None:
    await place.documents(AUTH_TYPE="bearer", AUTH_TOKEN="one").read()
    planted(place.files()[0])
    assert names(await place.documents(AUTH_TYPE="bearer", AUTH_TOKEN="two").read()) == ["z"]


async def test_no_secret_is_kept(place: Place) -> None:
    await place.documents(AUTH_TYPE="bearer", AUTH_TOKEN="hush-hush", EXTRA_HEADERS='{"X-Key": "hush-hush"}').read()
    assert b"hush" not in place.files()[0].read_bytes()


async def test_another_document_is_another_catalog(place: Place) -> None:
    await place.documents().read()
    place.document.write_text(OTHER)
    assert names(await place.documents().read()) == ["b"]
    assert len(place.files()) == 2


async def test_a_reload_takes_and_keeps_catalogs(place: Place) -> None:
    read = place.documents()
    await read.read()
    planted(place.files()[0])
    place.document.write_text(OTHER)
    assert names(await read.read_again()) == ["b"]
    place.document.write_text(DOCUMENT)
    assert names(await read.read_again()) == ["z"]


def overwrite(data: bytes) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(data)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-3])


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-20] ^= 1
    file.write_bytes(bytes(data))


def open_to_others(file: Path) -> None:
    file.chmod(0o666)


def give_away(file: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to somebody else")
    os.chown(file, 12345, 12345)


def link(file: Path) -> None:
    other = file.with_name("elsewhere")
    file.rename(other)
    file.symlink_to(other)


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def swap(file: Path) -> None:
    """Another catalog under this one's name, as somebody can make it who may rename files of the folder."""
    head, rest = file.read_bytes().split(b"\n", 1)
    said = msgspec.json.decode(head)
    file.write_bytes(msgspec.json.encode(said | {"key": "0" * 64}) + b"\n" + rest)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (overwrite(b""), "truncated"),
        (overwrite(b"\x80\x04\x95cos\nsystem\n"), "malformed|invalid|Invalid"),
        (overwrite(b"{}\n"), "missing required field"),
        (cut, "damaged"),
        (flip, "damaged"),
        (open_to_others, "others may write to it"),
        (give_away, "belongs to another user"),
        (link, "symbolic link"),
        (pipe, "not a regular file"),
        (swap, "another catalog"),
    ],
    ids=["empty", "pickled", "foreign", "cut", "a bit", "writable", "another's", "a link", "a pipe", "renamed"],
)
async def test_what_does_not_count_is_one_line_and_is_replaced(
    place: Place, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], object], problem: str
) -> None:
    await place.documents().read()
    [file] = place.files()
    planted(file)
    spoil(file)
    assert names(await place.documents().read()) == ["a"]
    [record] = caplog.records
    assert record.getMessage() == "a catalog in CACHE_DIR is not used"
    assert re.search(problem, record.__dict__["problem"])
    caplog.clear()
    planted(file)
    assert names(await place.documents().read()) == ["z"]
    assert not caplog.records


async def test_a_folder_that_takes_nothing_is_one_line(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    place.folder.write_text("no folder")
    assert names(await place.documents().read()) == ["a"]
    assert [(one.levelname, one.getMessage()) for one in caplog.records][-1] == (
        "WARNING",
        "the catalog is not kept in CACHE_DIR",
    )


async def test_what_is_kept_is_of_use_in_a_folder_that_takes_nothing_new(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    if os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    await place.documents().read()
    planted(place.files()[0])
    place.folder.chmod(0o500)
    assert names(await place.documents().read()) == ["z"]
    assert not caplog.records
    assert names(await place.documents(API_NAME="other").read()) == ["a"]
    assert len(caplog.records) == 1
    place.folder.chmod(0o700)


@pytest.mark.parametrize("now", ["b", None], ids=["changed", "gone"])
async def test_a_file_that_the_document_refers_to_counts_like_the_document(place: Place, now: str | None) -> None:
    place.document.write_text(OF_PARTS)
    part = place.document.with_name("part.yaml")
    part.write_text(PART.replace("NAME", "a"))
    assert names(await place.documents().read()) == ["a"]
    planted(place.files()[0])
    assert names(await place.documents().read()) == ["z"]
    if now is None:
        part.unlink()
    else:
        part.write_text(PART.replace("NAME", now))
    assert names(await place.documents().read()) == ([] if now is None else [now])


async def test_a_reload_sees_that_a_file_has_changed_which_another_process_has_read(place: Place) -> None:
    place.document.write_text(OF_PARTS)
    part = place.document.with_name("part.yaml")
    part.write_text(PART.replace("NAME", "a"))
    await place.documents().read()
    read = place.documents()
    await read.read()
    assert await read.read_again() is None
    part.write_text(PART.replace("NAME", "b"))
    assert names(await read.read_again()) == ["b"]


async def test_only_so_many_are_kept(place: Place) -> None:
    for number in range(KEPT_FILES + 3):
        place.document.write_text(DOCUMENT.replace("operationId: a", f"operationId: a{number}"))
        await place.documents().read()
        os.utime(max(place.files(), key=lambda file: file.stat().st_mtime_ns), (number, number))
        if not number:
            left = shutil.copy(place.files()[0], place.folder / f"{'0' * 64}.of_a_start_that_was_killed.unfinished")
            os.utime(left, (0, 0))
    assert [file.suffix for file in place.files()] == [".catalog"] * KEPT_FILES


async def test_what_others_keep_in_the_folder_stays_there(place: Place) -> None:
    """Whatever it is called, and however old it is."""
    place.folder.mkdir()
    theirs = [
        place.folder / f"{number}{suffix}" for number in range(KEPT_FILES) for suffix in (".catalog", ".unfinished")
    ]
    for file in theirs:
        file.write_text("")
        os.utime(file, (1, 1))
    await place.documents().read()
    assert all(file.exists() for file in theirs)


START = """
import sys
import anyio
from pathlib import Path
from openapi_mcp_server.documents.loading import read_catalog
from openapi_mcp_server.settings.config import load
config = load(sys.argv[1:], {}, lambda path: Path(path).read_text())
print(*anyio.run(read_catalog, config, backend="trio").tools)
print(*(name for name in sys.modules if name.startswith("openapi_mcp_server.openapi.reading")))
"""


def started(place: Place) -> subprocess.Popen[str]:
    argv = ["--spec-path", str(place.document), "--cache-dir", str(place.folder)]
    return subprocess.Popen([sys.executable, "-c", START, *argv], stdout=subprocess.PIPE, text=True)


def test_processes_that_start_at_once_all_have_the_catalog_and_leave_one(place: Place) -> None:
    answers = [process.communicate(timeout=60)[0].splitlines()[0] for process in [started(place) for _ in range(4)]]
    assert answers == ["a"] * 4
    assert [file.suffix for file in place.files()] == [".catalog"]


def test_a_start_from_a_catalog_imports_nothing_that_reads_documents(place: Place) -> None:
    assert started(place).communicate(timeout=60)[0].splitlines()[1]
    assert started(place).communicate(timeout=60)[0].splitlines() == ["a", ""]


def test_the_image_of_the_guide_has_the_catalog_that_its_server_looks_for(place: Place) -> None:
    guide = (CHECKOUT / "docs" / "deployment.md").read_text("utf-8")
    lines = guide.partition("```dockerfile\n")[2].partition("```")[0].splitlines()
    here = {"/opt/app/openapi.json": str(place.document), "/opt/catalogs": str(place.folder)}
    pairs = [pair.partition("=") for line in lines if line.startswith("ENV ") for pair in line.split()[1:]]
    environ = {name: here.get(value, value) for name, _, value in pairs}
    assert environ.keys() == {"API_SPEC_PATH", "API_BASE_URL", "CACHE_DIR"}
    assert lines[-1].startswith("RUN python ")
    command = [sys.executable, *lines[-1].split()[2:]]
    told = subprocess.run(command, env=environment() | environ, capture_output=True, check=True, timeout=60).stdout
    assert b"1 tool" in told
    [file] = place.files()
    planted(file)
    assert anyio.run(
        read_catalog, load([], environ, lambda path: Path(path).read_text()), backend="trio"
    ).tools.keys() == {"z"}


@pytest.mark.parametrize(("file", "catalogs"), [("pyproject.toml", 2), ("elsewhere.toml", 1)])
def test_a_checkout_whose_code_has_changed_compiles_anew(
    place: Place, tmp_path: Path, file: str, catalogs: int
) -> None:
    """An installed package has another version then."""
    package = tmp_path / "own" / "service" / "openapi_mcp_server"
    shutil.copytree(CHECKOUT / "service" / "openapi_mcp_server", package)
    (tmp_path / "own" / file).touch()
    (package / ".#names.py").symlink_to("somebody@here.1:1")  # as Emacs marks what is being edited
    here = environment() | {"PYTHONPATH": str(package.parent), "API_SPEC_PATH": str(place.document)}
    for _ in range(2):
        argv = [sys.executable, "-c", READ]
        subprocess.run(argv, env=here | {"CACHE_DIR": str(place.folder)}, check=True, timeout=60)
        os.utime(package / "bridge" / "names.py", ns=(1, 1))
    assert len(place.files()) == catalogs


READ = """
import os, anyio
from openapi_mcp_server.documents.loading import read_catalog
from openapi_mcp_server.settings.config import load
anyio.run(read_catalog, load([], os.environ, open), backend="trio")
"""


def test_another_program_has_another_key() -> None:
    made = CompileOptions(
        apis=(),
        folders=(),
        include_tags=frozenset({"a", "b", "c"}),
        exclude_tags=frozenset(),
        strict=False,
        strict_auth=False,
        rule=EVERYTHING,
        form=ToolForm(),
    )
    again = msgspec.structs.replace(made, include_tags=frozenset({"c", "b", "a"}))
    assert catalog_key(made, b"texts", "1.0 3.11") == catalog_key(again, b"texts", "1.0 3.11")
    portable = msgspec.structs.replace(made, form=ToolForm(portable=True))
    assert catalog_key(made, b"texts", "1.0 3.11") != catalog_key(portable, b"texts", "1.0 3.11")
    assert len({catalog_key(made, b"texts", program) for program in ("1.0 3.11", "1.1 3.11", "1.0 3.12")}) == 3


def test_the_order_of_servers_that_are_allowed_is_none() -> None:
    several = frozenset(Origin("https", host, 443) for host in ("a.example.com", "b.example.com", "c.example.com"))
    keys = {
        catalog_key(options_of(frozenset(order)), b"texts", "1.0 3.11")
        for order in (sorted(several), sorted(several, reverse=True))
    }
    assert len(keys) == 1
    assert catalog_key(options_of(frozenset()), b"texts", "1.0 3.11") not in keys


def options_of(allowed: frozenset[Origin]) -> CompileOptions:
    api = ApiOptions(
        name="a", location="a", overlays=(), overrides="", base=None, allowed_origins=allowed, identity=Identity()
    )
    return CompileOptions(
        apis=(api,),
        folders=(),
        include_tags=frozenset(),
        exclude_tags=frozenset(),
        strict=False,
        strict_auth=False,
        rule=EVERYTHING,
        form=ToolForm(),
    )
