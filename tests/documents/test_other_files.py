"""Which files a document in several files may be made of, and what becomes of the others."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from openapi_mcp_server.documents import other_files
from openapi_mcp_server.documents.other_files import MAX_FILES, PARTS_BYTES, Parts
from openapi_mcp_server.openapi.model import ApiDescription
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import Document, parse

ITEM = "get: {operationId: theirs}\n"
BROKEN = "get: [\n"


def write(path: Path, *references: str) -> Document:
    """A document of one path for each reference and one of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"  /{number}: {{$ref: {reference!r}}}\n" for number, reference in enumerate(references)]
    path.write_text("openapi: 3.1.0\npaths:\n  /own: {get: {operationId: own}}\n" + "".join(lines))
    return parse(path.read_bytes())


def loaded(path: Path, *references: str, allowed: tuple[Path, ...] = ()) -> ApiDescription:
    document = write(path, *references)
    return describe(Parts(str(path), allowed).bundled(document))


def ids(description: ApiDescription) -> list[str | None]:
    return [operation.operation_id for operation in description.operations]


def refused(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == other_files.__name__]


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("item.yaml", ITEM),
        ("./item.json", '{"get": {"operationId": "theirs"}}'),
        ("a/b/item.yml", ITEM),
        ("a/../item.yaml", ITEM),
        ("%69tem.yaml", ITEM),
        ("item.yaml#/x-items/0", "x-items: [{get: {operationId: theirs}}]\n"),
        ("whole.yaml#/paths/~1x", "openapi: 3.0.0\npaths: {/x: {get: {operationId: theirs}}}\n"),
        ("list.yaml#/0", "- get: {operationId: theirs}\n"),
    ],
)
def test_files_in_the_folder_of_the_document_are_read(tmp_path, reference, text):
    target = tmp_path / reference.partition("#")[0].replace("%69", "i")
    target.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "a").mkdir(exist_ok=True)
    target.write_text(text)
    assert ids(loaded(tmp_path / "api.yaml", reference)) == ["own", "theirs"]


def test_files_in_the_allowed_folders_are_read(tmp_path):
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "item.yaml").write_text(ITEM)
    allowed = (tmp_path / "api", tmp_path / "common")
    assert ids(loaded(tmp_path / "api" / "api.yaml", "../common/item.yaml", allowed=allowed)) == ["own", "theirs"]


def test_links_within_the_folder_are_followed_as_mounted_volumes_have_them(tmp_path):
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "item.yaml").write_text(ITEM)
    (tmp_path / "item.yaml").symlink_to("..data/item.yaml")
    assert ids(loaded(tmp_path / "api.yaml", "item.yaml")) == ["own", "theirs"]


@pytest.mark.parametrize(
    "reference",
    [
        "../secret.yaml",
        "../../../../../../../../etc/passwd",
        "%2e%2e/secret.yaml",
        "..%2Fsecret.yaml",
        "link.yaml",
        "folder/secret.yaml",
        "../api-of-others/item.yaml",
    ],
)
def test_files_outside_are_not_read(tmp_path, caplog, reference):
    folder = tmp_path / "api"
    (tmp_path / "api-of-others").mkdir()
    folder.mkdir()
    for secret in (tmp_path / "secret.yaml", tmp_path / "api-of-others" / "item.yaml"):
        secret.write_text(ITEM)
    (folder / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (folder / "folder").symlink_to(tmp_path)
    description = loaded(folder / "api.yaml", reference)
    assert ids(description) == ["own"]
    assert reference in description.skipped[0].reason
    assert description.skipped[0].pointer == "#/paths/~10/$ref"
    (reason,) = refused(caplog)
    assert reason.endswith("is outside of the document's folder, and ALLOWED_SPEC_DIRS names no others")


def test_the_folder_of_the_document_does_not_count_beside_allowed_ones(tmp_path):
    """A link in some folder to a document in an allowed one does not allow that folder."""
    (tmp_path / "allowed").mkdir()
    write(tmp_path / "allowed" / "api.yaml", "item.yaml")
    (tmp_path / "item.yaml").write_text(ITEM)
    (tmp_path / "api.yaml").symlink_to("allowed/api.yaml")
    assert ids(loaded(tmp_path / "api.yaml", "item.yaml", allowed=(tmp_path / "allowed",))) == ["own"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.yaml", "No such file or directory"),
        ("pipe", "is not a regular file"),
        ("folder", "is not a regular file"),
        ("loop", ""),
        ("broken.yaml", "line 2, column 1"),
        ("page.html", "HTML or XML"),
        ("large.yaml", "a document may have 32"),
        ("null%00byte", "is not a path that can be read"),
        ("line%0Abreak", "is not a path that can be read"),
        ("n" * 300, "File name too long"),
        ("wide.yaml", "UTF-16"),
    ],
)
def test_what_cannot_be_used_costs_its_users_and_is_said(tmp_path, caplog, name, reason):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "broken.yaml").write_text(BROKEN)
    (tmp_path / "page.html").write_text("<!doctype html>")
    (tmp_path / "wide.yaml").write_text(ITEM, encoding="utf-16")
    with (tmp_path / "large.yaml").open("wb") as file:
        file.truncate(PARTS_BYTES + 1)
    description = loaded(tmp_path / "api.yaml", name)
    assert ids(description) == ["own"]
    (found,) = refused(caplog)
    assert reason in found
    assert "\n" not in found
    [skipped] = description.skipped
    assert skipped.reason.startswith("refers to ")
    assert reason in skipped.reason or skipped.reason.endswith("…")


def test_what_files_have_together_is_limited(tmp_path, caplog):
    text = ITEM + "# " + "x" * (PARTS_BYTES // 3) + "\n"
    for number in range(4):
        (tmp_path / f"{number}.yaml").write_text(text)
    assert len(ids(loaded(tmp_path / "api.yaml", *[f"{number}.yaml" for number in range(4)]))) == 3
    assert len(refused(caplog)) == 2


def test_aliases_of_all_files_together_are_limited(tmp_path, caplog):
    bomb = "a: &a [" + "x," * 1000 + "]\nb: &b [" + "*a," * 1000 + "]\nc: [" + "*b," * 9 + "]\n"
    for number in range(4):
        (tmp_path / f"{number}.yaml").write_text(ITEM + bomb)
    assert len(ids(loaded(tmp_path / "api.yaml", *[f"{number}.yaml" for number in range(4)]))) < 4
    assert refused(caplog)


def test_the_number_of_files_is_limited(tmp_path, caplog):
    """A chain: each file names the next."""
    for number in range(MAX_FILES + 10):
        (tmp_path / f"{number}.json").write_text(f'{{"next": {{"$ref": "{number + 1}.json"}}}}')
    document = Parts(str(tmp_path / "api.yaml")).bundled(write(tmp_path / "api.yaml", "0.json"))
    assert document.json.count(b'"next"') == MAX_FILES
    (reason,) = refused(caplog)
    assert reason == "the document refers to more than 5000 files; no further ones are read"


def test_ten_thousand_missing_files_are_not_all_looked_for(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    description = loaded(tmp_path / "api.yaml", *[f"{number}.yaml" for number in range(10_000)])
    assert ids(description) == ["own"]
    assert len(refused(caplog)) == MAX_FILES + 1
    assert description.skipped[-1].reason.endswith("which cannot be used: the document refers to more than 5000 files")


def test_a_document_from_an_address_reads_no_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "item.yaml").write_text(ITEM)
    document = write(tmp_path / "api.yaml", "item.yaml")
    assert Parts("https://example.com/api.yaml").bundled(document) is document
    assert Parts("api.yaml").bundled(document) is not document
