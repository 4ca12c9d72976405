"""``python -m loadgen``: the command line in, a table and files out, and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import trio

from loadgen import compare, coordinator, options, report, result, table
from loadgen.failures import CURES, Failure, printable
from loadgen.options import Options
from loadgen.plan import UsageError
from loadgen.result import Result

FAILED, UNUSABLE, INTERRUPTED = 1, 2, 130


def main(argv: Sequence[str]) -> int:
    try:
        if argv[:1] == ["compare"]:
            return _compare(argv[1:])
        return _load(options.parse(argv))
    except UsageError as error:
        print(f"loadgen: {error}", file=sys.stderr)
        return UNUSABLE
    except Failure as failure:
        cure = CURES.get(failure.kind)
        print(f"loadgen: {failure}" + (f"; {cure}" if cure else ""), file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:  # before the load; while it runs it ends with its report
        print("loadgen: interrupted", file=sys.stderr)
        return INTERRUPTED


def _load(given: Options) -> int:
    def run() -> Result:
        return trio.run(coordinator.run, given.target, given.load, given.wanted, given.metrics, _progress)

    measured = run()
    verdicts = tuple(each.judge(measured) for each in given.expectations)
    measured = msgspec.structs.replace(measured, verdicts=verdicts)
    is_json = given.json_path == "-"
    is_written = [
        not given.html_path or _written("--html", given.html_path, report.page(measured)),
        is_json or not given.json_path or _written("--json", given.json_path, result.encode(measured)),
        _written("standard output", "", result.encode(measured) if is_json else table.text(measured).encode()),
    ]
    return 0 if measured.is_good and all(is_written) else FAILED


def _written(option: str, path: str, data: bytes) -> bool:
    """A disk may fill up during the load. Whatever else there is to say is said all the same."""
    try:
        if path:
            Path(path).write_bytes(data)
        else:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
    except OSError as error:
        print(f"loadgen: {': '.join(filter(None, (option, path, error.strerror)))}", file=sys.stderr)
        return False
    return True


def _progress(line: str) -> None:
    print(printable(line), file=sys.stderr, flush=True)


def _compare(paths: Sequence[str]) -> int:
    if len(paths) != 2:
        raise UsageError("compare: needs two files that --json wrote: compare A.json B.json")
    one, two = (result.read(path, _read(path)) for path in paths)
    sys.stdout.write(compare.text((paths[0], paths[1]), one, two))
    return 0


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
