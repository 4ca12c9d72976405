"""Asks a mock of every OpenAPI document below a folder for every one of its operations, and judges what it answers.

Each operation is asked by a request to its own path, with something in every hole; an answer must have a documented
status, a documented media type, and, if it is JSON, be what its schema takes, as jsonschema-rs says. Exit code 0 only
if every operation is answered like that.
"""

import argparse
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import jsonschema_rs
import msgspec

from openapi_mcp_server.bridge.media.table import is_json
from openapi_mcp_server.documents.other_files import Parts
from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.grammar import essence
from openapi_mcp_server.mock.answers import NO_BODY, Answer
from openapi_mcp_server.mock.app import MockApp
from openapi_mcp_server.openapi.model import ApiDescription, MediaType, Operation
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import parse
from sweep import LOOKS_RIGHT, SUFFIXES

HOLE = re.compile(r"\{[^{}]*\}")


class Row(msgspec.Struct):
    """One document. ``checked``: answers that are JSON of a known schema; ``plain``: those without one, or of another
    type; ``empty``: those without content; ``wrong``: the rest, by operation with the reason."""

    name: str
    operations: int = 0
    checked: int = 0
    plain: int = 0
    empty: int = 0
    wrong: list[str] = []
    problem: str = ""
    seconds: float = 0.0


def sweep(path: Path, seed: int) -> Row | None:
    """None if the file is no OpenAPI document."""
    data = path.read_bytes()
    if not LOOKS_RIGHT.search(data):
        return None
    row = Row(str(path))
    began = time.process_time()
    try:
        document = Parts(str(path)).bundled(parse(data))
        description = describe(document, exact_answers=True)
        app = MockApp([("api", document, description)], seed)
        for operation in description.operations:
            judge(operation, app, description, row)
    except SpecError as error:
        row.problem = str(error)
    row.seconds = time.process_time() - began
    return row


def judge(operation: Operation, app: MockApp, description: ApiDescription, row: Row) -> None:
    row.operations += 1
    path = HOLE.sub("x", operation.path).replace(" ", "%20")
    answer = app.answer(operation.method, path, operation.query)
    faults = []
    for twin in (each for each in description.operations if is_twin(each, operation)):
        kind, fault = judged(answer, twin, description)
        if not fault:
            setattr(row, kind, getattr(row, kind) + 1)
            return
        faults.append(fault)
    row.wrong.append(f"{operation.method} {operation.path}: {faults[0]}")


def is_twin(one: Operation, other: Operation) -> bool:
    """Operations that no request can tell apart: the same but for what holes are called, or for a fragment."""
    return (one.method, HOLE.sub("{}", one.path), one.query) == (other.method, HOLE.sub("{}", other.path), other.query)


def judged(answer: Answer, operation: Operation, description: ApiDescription) -> tuple[str, str]:
    """(which of a row's counts an answer belongs to, what is wrong with it)."""
    told = operation.responses
    response = next((each for each in told if each.status in {str(answer.status), "2XX", "default"}), None)
    if response is None:
        is_silent = answer.status == 204 and not any(each.status.startswith("2") for each in told)
        return "empty", "" if is_silent else said(answer)
    if operation.method == "HEAD" or not response.media or answer.status in NO_BODY:
        return "empty", f"a body where there is none: {said(answer)}" if answer.body else ""
    media = [each for each in response.media if is_of(answer.content_type, each)]
    if not media:
        return "plain", f"the type {answer.content_type} is not documented; {said(answer)}"
    json = is_json(answer.content_type)
    checked = [each for each in media if json and each.schema is not None and not each.is_stream]
    return ("checked" if checked else "plain"), min(
        (schema_fault(answer, each, description) for each in checked), default=""
    )


def said(answer: Answer) -> str:
    return f"{answer.status} {answer.body[:200].decode(errors='replace')}"


def is_of(content_type: str, media: MediaType) -> bool:
    name = essence(content_type)
    return bool(re.fullmatch(re.escape(essence(media.name)).replace(r"\*", ".*"), name))


def schema_fault(answer: Answer, media: MediaType, description: ApiDescription) -> str:
    assert media.schema is not None
    names = list(media.schema.refs)
    for name in names:  # grows while it is walked
        names += [ref for ref in description.response_schemas[name].refs if ref not in names]
    definitions = {name: description.response_schemas[name].json for name in names}
    whole = {"allOf": [media.schema.json], "$defs": definitions}
    options = jsonschema_rs.RegexOptions()
    validator = jsonschema_rs.Draft202012Validator(
        msgspec.json.encode(whole).decode(), pattern_options=options, offline=True, validate_formats=False
    )
    error = next(validator.iter_errors(msgspec.json.decode(answer.body)), None)
    return "" if error is None else f"{error.message[:200]} at {error.instance_path}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true", help="everything as JSON on standard output")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    files = sorted(path for path in options.folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    rows = [row for path in files if (row := sweep(path, options.seed)) is not None]
    sys.stdout.write(msgspec.json.encode(rows).decode() + "\n" if options.json else table(rows))
    return 0 if rows and not any(row.wrong for row in rows) else 1


def table(rows: Iterable[Row]) -> str:
    lines = ["OPERATIONS  BY SCHEMA  WITHOUT ONE  EMPTY  WRONG  CPU s  DOCUMENT"]
    whole = Row("all")
    for row in rows:
        lines.append(line(row))
        lines += [f"    {each}" for each in [row.problem, *row.wrong] if each]
        whole.operations += row.operations
        whole.checked += row.checked
        whole.plain += row.plain
        whole.empty += row.empty
        whole.wrong = whole.wrong + row.wrong
        whole.seconds += row.seconds
    return "\n".join([*lines, line(whole)]) + "\n"


def line(row: Row) -> str:
    return (
        f"{row.operations:10} {row.checked:10} {row.plain:12} {row.empty:6} {len(row.wrong):6} {row.seconds:6.2f}  "
        f"{Path(row.name).name}"
    )


if __name__ == "__main__":
    sys.exit(main())
