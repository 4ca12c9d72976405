"""Loads every OpenAPI document below a folder and prints what each turns into, a row each, and the sums.

Two calls are made up for every tool, from its own input schema: one with the required arguments, one with all
(`synthesis`, `proof`). Exit code 0 only if no document crashed, every operation is a tool or listed with a reason,
every schema compiles and is within its budget, and every request that was built has the shape it must have. Files that
are no OpenAPI documents (parts of others, package files) are passed over; documents that are refused count as refused,
with the line. With ``--portable`` tools are told as TOOL_SCHEMAS=portable has them, and none may be refused by the API
of a model (`model_apis`).
"""

import argparse
import multiprocessing
import os
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import msgspec

import model_apis
import proof
from openapi_mcp_server.bridge import catalog
from openapi_mcp_server.bridge.model import Tool, ToolForm
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.documents.other_files import Parts
from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import Document, parse

BASE = base_url("https://api.example.com")
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
LOOKS_RIGHT = re.compile(rb"""["']?(openapi|swagger)["']?\s*:\s*["']?[234]""")
SUFFIXES = {".json", ".yaml", ".yml"}


class Row(msgspec.Struct):
    """One document. ``problem``: why it was refused; ``crash``: what it raised that nothing should raise.

    ``calls``: how many became requests, and what kept the others from it. ``seconds`` and ``megabytes`` are those of
    loading alone.
    """

    name: str
    operations: int = 0
    tools: int = 0
    skipped: dict[str, int] = {}
    notes: dict[str, int] = {}
    list_bytes: int = 0
    seconds: float = 0.0
    megabytes: float = 0.0
    calls: proof.Proof = msgspec.field(default_factory=proof.Proof)
    refusals: list[str] = []  # by the rules of model APIs
    problem: str = ""
    crash: str = ""

    @property
    def is_accounted_for(self) -> bool:
        return bool(self.problem) or self.tools + sum(self.skipped.values()) == self.operations

    @property
    def is_sound(self) -> bool:
        return not self.crash and not self.calls.broken and not self.refusals and self.is_accounted_for


def sweep(path: Path, *, portable: bool = False) -> Row | None:
    """One document in this process; None if the file is none."""
    data = path.read_bytes()
    if not LOOKS_RIGHT.search(data):
        return None
    row = Row(str(path))
    try:
        for tool in load(path, data, row, portable=portable):
            if portable:
                row.refusals += [f"{tool.name}: {each}" for each in model_apis.refusals(tool.entry)]
                proof.prove_portable(tool, row.calls)
            else:
                proof.prove(tool, BASE.origin, row.calls)
    except SpecError as error:
        row.problem = str(error)
    except Exception as error:  # noqa: BLE001 - the point of the exercise
        row.crash = f"{type(error).__name__}: {error}"
    return row


def load(path: Path, data: bytes, row: Row, *, portable: bool) -> Iterable[Tool]:
    """The tools of one document; what they are and what they cost goes into its row."""
    began = time.process_time()
    try:
        document = Parts(str(path)).bundled(parse(data))
        row.operations = count(document)
        source = catalog.ApiSource(name="api", base=BASE, description=describe(document))
        built = catalog.build([source], ToolForm(portable=portable))
    finally:
        row.seconds = time.process_time() - began
        row.megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    row.tools = len(built.tools)
    row.skipped = dict(Counter(each.operation.reason for each in built.skipped))
    row.notes = dict(Counter(note.kind for api in built.apis for note in api.notes))
    row.list_bytes = built.list_bytes
    return built.tools.values()


def count(document: Document) -> int:
    """The operations under ``paths``, counted without any of the code that is judged by it."""
    root = msgspec.json.decode(document.json)
    paths = root.get("paths")
    methods = (*METHODS, "query") if document.dialect == "3.2" else METHODS
    total = 0
    for key, item in paths.items() if isinstance(paths, dict) else ():
        if key.startswith("x-"):
            continue
        resolved = followed(item, root)
        if not isinstance(resolved, dict) or "$ref" in resolved:
            total += 1  # an item that cannot be read is one entry of the report
            continue
        total += sum(method in resolved for method in methods)
        if document.dialect == "3.2":
            total += len(resolved.get("additionalOperations", {}))
    return total


def followed(item: object, root: object) -> object:
    """A path item with its references inside the document followed, as far as they go."""
    for _ in range(10):
        if not isinstance(item, dict) or not str(item.get("$ref", "")).startswith("#/"):
            break
        found: object = root
        for token in item["$ref"][2:].split("/"):
            name = token.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, dict) else None
        item = found
    return item


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true", help="everything as JSON on standard output")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="documents at once")
    parser.add_argument("--portable", action="store_true", help="schemas that every model API takes")
    options = parser.parse_args()
    files = sorted(path for path in options.folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    rows = []
    with multiprocessing.get_context("fork").Pool(options.jobs, maxtasksperchild=1) as pool:
        for done, row in enumerate(pool.imap(partial(sweep, portable=options.portable), files), 1):
            progress(done, len(files))
            if row is not None:
                row.name = str(Path(row.name).relative_to(options.folder))
                rows.append(row)
    sys.stdout.write(msgspec.json.encode(rows).decode() + "\n" if options.json else table(rows))
    return 0 if rows and all(row.is_sound for row in rows) else 1


def progress(done: int, whole: int) -> None:
    if sys.stderr.isatty():
        filled = 40 * done // whole
        sys.stderr.write(f"\r[{'#' * filled}{'.' * (40 - filled)}] {done}/{whole}" + ("\n" if done == whole else ""))
        sys.stderr.flush()


def table(rows: list[Row]) -> str:
    lines = [
        "OPERATIONS  TOOLS SKIPPED  NOTES  LIST kB  CPU s    MB  CALLS REFUSED NOT MADE  DOCUMENT",
    ]
    for row in rows:
        lines.append(
            f"{row.operations:>10} {row.tools:>6} {sum(row.skipped.values()):>7} {sum(row.notes.values()):>6} "
            f"{row.list_bytes / 1000:>8.0f} {row.seconds:>6.2f} {row.megabytes:>5.0f} "
            f"{row.calls.built:>6} {len(row.calls.refused):>7} {len(row.calls.not_made):>8}  {row.name}"
        )
        if trouble := row.crash or row.problem:
            lines.append(f"{'':>10} {trouble}")
        elif not row.is_accounted_for:
            lines.append(f"{'':>10} operations are missing")
    lines += ["", f"{len(rows)} documents, {sum(bool(row.problem) for row in rows)} refused, {crashed(rows)} crashed"]
    lines.append(f"{sum(row.operations for row in rows)} operations, {sum(row.tools for row in rows)} tools")
    lines.append(f"{sum(row.calls.built for row in rows)} calls became requests")
    for title, counts in (
        ("skipped", summed(row.skipped for row in rows)),
        ("notes", summed(row.notes for row in rows)),
    ):
        lines += ["", f"{title}:"] + [f"{number:>8}  {what}" for what, number in counts.most_common()]
    for title, told in (
        ("refused by a model's API", [(row, each) for row in rows for each in row.refusals]),
        ("broken: a schema or a request that must not be", [(row, each) for row in rows for each in row.calls.broken]),
        ("refused: valid by the schema", [(row, each) for row in rows for each in row.calls.refused]),
        (
            "as text: carried out with text where text is taken too",
            [(row, each) for row in rows for each in row.calls.as_text],
        ),
        ("not made: no valid arguments found", [(row, each) for row in rows for each in row.calls.not_made]),
    ):
        lines += ["", f"{title}: {len(told)}"] + [f"{'':>10}{row.name}: {each}" for row, each in told]
    return "\n".join(lines) + "\n"


def crashed(rows: list[Row]) -> int:
    return sum(bool(row.crash) for row in rows)


def summed(counts: Iterable[dict[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return total


if __name__ == "__main__":
    sys.exit(main())
