"""Tries real frameworks' MCP adapters with the real program and prints who loses what.

For each adapter and document: the list of tools through the adapter against the list that is served, the schemas that
it makes for a model's provider, one nested call, in three spellings of its arguments, and a sample of other tools with
what they require, against an API on loopback that keeps what it receives. Exit code 0 unless something could not be
tried at all.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import msgspec

from clients import calls, environments, outcomes, server
from clients.adapters import ADAPTERS, Adapter
from clients.documents import DOCUMENTS, Document
from clients.outcomes import PLAIN, Outcome, Told

CHECKOUT = Path(__file__).resolve().parent.parent.parent
RUN_SECONDS = 900
QUIET = {
    "AGNO_TELEMETRY": "false",
    "CREWAI_DISABLE_TELEMETRY": "true",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "MASTRA_TELEMETRY_DISABLED": "1",
    "MCP_USE_ANONYMIZED_TELEMETRY": "false",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "OTEL_SDK_DISABLED": "true",
}
"""Frameworks that would tell their makers."""


def main() -> int:
    options = arguments()
    before = msgspec.json.decode(options.compare.read_bytes(), type=list[Outcome]) if options.compare else []
    chosen = [each for each in ADAPTERS if each.name in options.adapters]
    documents = [each for each in DOCUMENTS if each.name in options.documents and is_there(each)]
    if not documents:
        return 1
    missing = installed(chosen, options.cache)
    rows = [row for document in documents for row in tried(document, chosen, missing, options)]
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=1))
    print(outcomes.table(rows, before), end="")
    return 1 if missing else 0


def is_there(document: Document) -> bool:
    if document.file and not document.path:
        print(f"skipped: {document.name} (OPENAPI_SPECS_DIR names no folder with it)", file=sys.stderr)
        return False
    return True


def arguments() -> argparse.Namespace:
    names, documents = [each.name for each in ADAPTERS], [each.name for each in DOCUMENTS]
    parser = argparse.ArgumentParser(
        prog="scripts/clients",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"adapters: {', '.join(names)}\ndocuments: {', '.join(documents)}",
    )
    parser.add_argument(
        "--server", type=Path, default=CHECKOUT, metavar="DIR", help="the checkout whose server is tried"
    )
    parser.add_argument("--adapters", type=partial(listed, names), default=names, metavar="NAME,…", help="only these")
    parser.add_argument("--documents", type=partial(listed, documents), default=documents, metavar="NAME,…")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to this file as well")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="show what changed since this --json file")
    parser.add_argument("--cache", type=Path, default=environments.CACHE, help=f"[{environments.CACHE}]")
    parser.add_argument("--samples", type=int, default=10, help="other tools of each document that are called [10]")
    parser.add_argument("--jobs", type=int, default=2, help="adapters at once [2]")
    return parser.parse_args()


def listed(known: list[str], text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := [name for name in chosen if name not in known]:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    return chosen


def installed(chosen: list[Adapter], cache: Path) -> dict[str, str]:
    """Makes the environments; the adapters that have none, with the reason."""
    missing = {}
    for adapter in chosen:
        try:
            environments.make(adapter, cache)
        except environments.NotInstalledError as error:
            missing[adapter.name] = str(error)
    return missing


def tried(
    document: Document, chosen: list[Adapter], missing: dict[str, str], options: argparse.Namespace
) -> Iterator[Outcome]:
    """All adapters with one document, and before them the calls that nothing stands between."""
    with server.serving(options.server.resolve(), document) as served, ThreadPoolExecutor(options.jobs) as pool:
        made = calls.planned(served, document, options.samples)
        tools = len(served.tools)
        alone = {call.spelling: call.alone for call in made if call.spelling != calls.LEAST}
        call = alone.pop(calls.GIVEN)
        yield Outcome(PLAIN, document.name, tools, tools, call=call, spellings=alone)

        def one(adapter: Adapter) -> Outcome:
            outcome = Outcome(adapter.name, document.name, tools, not_tried=missing.get(adapter.name, ""))
            if not outcome.not_tried:
                run(environments.command(adapter, options.cache), served, made, outcome)
            print(f"{document.name}: {adapter.name}: {outcome.cell} ({outcome.seconds:.0f} s)", file=sys.stderr)
            return outcome

        yield from pool.map(one, chosen)


def run(argv: list[str], served: server.Served, made: list[calls.Call], outcome: Outcome) -> None:
    """One runner in a folder of its own, which is its home too: some frameworks write there."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "served.json").write_bytes(msgspec.json.encode(served.tools))
        task = {
            "url": served.url,
            "served": f"{name}/served.json",
            "outcome": f"{name}/outcome.json",
            "calls": [{"tool": call.tool, "arguments": call.arguments} for call in made],
        }
        said = _ran(argv, msgspec.json.encode(task), folder)
        written = folder / "outcome.json"
        told = msgspec.json.decode(written.read_bytes(), type=Told) if written.is_file() else None
    outcome.seconds = time.monotonic() - began
    if told is None:
        told = Told(lost={each["name"]: "" for each in served.tools}, message=f"the runner ended: {said[-400:]}")
    outcomes.judged(told, outcome, made, served.api)


def _ran(argv: list[str], task: bytes, home: Path) -> str:
    """The end of what a runner printed."""
    environ = QUIET | {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
    try:
        done = subprocess.run(
            ["nice", *argv], input=task, env=environ, cwd=home, capture_output=True, timeout=RUN_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no end within {RUN_SECONDS} s"
    return f"exit code {done.returncode} {' '.join(done.stderr.decode(errors='replace').split())}"


if __name__ == "__main__":
    sys.exit(main())
