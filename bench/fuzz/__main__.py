"""100,000 hostile inputs: documents, arguments, messages, raw HTTP, sessions, answers of APIs; seven oracles hold.

Alive, answered once, own answer, no request elsewhere, no traceback or secret in any output, memory and descriptors
where they were, bounded time. A find is told with its name, `KIND:NUMBER`, by which `--only` makes it again.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import msgspec
import trio

from fuzz import pure
from fuzz.inputs import BASE_DOCUMENT, MAKERS, made
from fuzz.wire import SECRET, TOKEN, Api, Target
from measured import resident_mib, serving

PURE: dict[str, Callable[[bytes], str]] = {
    "document": pure.document,
    "schemas": pure.schemas,
    "arguments": pure.arguments,
}
AT_ONCE = 16
"""Connections with hostile inputs."""
PROBE_EVERY = 50
"""Inputs between two calls of somebody who does no harm."""
WARM_UP = 200
SETTLE_SECONDS = 10.0
MEMORY_MIB = 48.0
"""By which the server may have grown since it was warm."""
DESCRIPTORS = 24
FINDS = 20
"""After which enough is known."""
SHARE = {"document": 0.15, "schemas": 0.15, "arguments": 0.15}
"""Of the time, in this process; the rest is for the wire."""


class Run:
    """What is made, how much of it, and what was found."""

    def __init__(self, seed: int, seconds: float, only: str) -> None:
        self.seed = seed
        self.seconds = seconds
        self.only = only
        self.finds: list[str] = []
        self.tried: Counter[str] = Counter()

    def take(self, kind: str) -> tuple[str, bytes]:
        """The next input and its name."""
        number = int(self.only.partition(":")[2]) if self.only else self.tried[kind]
        self.tried[kind] += 1
        return f"{kind}:{number}", made(kind, self.seed, number)

    def find(self, name: str, problem: str) -> None:
        if problem:
            self.finds.append(f"{name} (seed {self.seed}): {problem}")

    def is_over(self, kind: str, until: float) -> bool:
        if self.only:
            return self.tried[kind] > 0
        return time.monotonic() >= until or len(self.finds) >= FINDS


def without_wire(run: Run, kinds: list[str]) -> None:
    for kind in kinds:
        until = time.monotonic() + run.seconds * SHARE[kind]
        while not run.is_over(kind, until):
            name, text = run.take(kind)
            run.find(name, PURE[kind](text))


async def over_wire(run: Run, kinds: list[str], server: Path) -> None:
    api = Api()
    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, api.serve, 0, host="127.0.0.1"))
        api.port = listener.socket.getsockname()[1]
        document = server / "fuzzed.json"
        document.write_bytes(msgspec.json.encode(BASE_DOCUMENT))
        tokens = msgspec.json.encode([{"name": "fuzz", "token": TOKEN}]).decode()
        argv = (
            "--spec-path", str(document), "--api-url", f"http://127.0.0.1:{api.port}", "--allow-private-networks",
            "--inbound-auth", "token", "--inbound-tokens", tokens, "--auth-type", "bearer", "--auth-token", SECRET,
            "--http-breaker=false", "--http-retries", "0", "--server-message-timeout", "10", "--call-limit", "1000",
        )  # fmt: skip
        with ExitStack() as stack:
            started = stack.enter_context
            port, process = await trio.to_thread.run_sync(started, serving(server / "log", *argv))
            target, pid = Target(port, api), process.pid
            share = run.seconds * (1 - sum(SHARE[kind] for kind in PURE))
            for kind in kinds:
                for _ in range(0 if run.only else WARM_UP):
                    run.find("before", await target.alive())
                before, files = resident_mib(pid), descriptors(pid)
                async with trio.open_nursery() as attackers:
                    for _ in range(1 if run.only else AT_ONCE):
                        attackers.start_soon(attack, run, kind, target, time.monotonic() + share / len(kinds))
                run.find(f"after all of {kind}", await target.alive())
                run.find(f"after all of {kind}", await _back(pid, before, files))
        said = (server / "log").read_bytes()
        run.find("log", f"leak: {SECRET}" if SECRET.encode() in said or TOKEN.encode() in said else "")
        at = said.find(b"Traceback")
        run.find("log", f"traceback: {said[max(0, at - 300) : at + 1500].decode(errors='replace')}" if at >= 0 else "")
        run.finds += api.faults
        nursery.cancel_scope.cancel()


async def _back(pid: int, memory: float, files: int) -> str:
    """Why what was taken has not been given back; connections have a moment to end."""
    for _ in range(round(10 * SETTLE_SECONDS)):
        if descriptors(pid) <= files + DESCRIPTORS:
            break
        await trio.sleep(0.1)
    if descriptors(pid) > files + DESCRIPTORS:
        return f"memory: {files} descriptors before, {descriptors(pid)} after"
    grown = resident_mib(pid) - memory
    return f"memory: {grown:.0f} MiB more" if grown > MEMORY_MIB else ""


async def attack(run: Run, kind: str, target: Target, until: float) -> None:
    """One connection after the other."""
    attack_one = getattr(target, kind)
    while not run.is_over(kind, until):
        name, data = run.take(kind)
        try:
            problem = await attack_one(data)
        except trio.TooSlowError:
            problem = "hang: no answer in time"
        except OSError as error:
            problem = f"alive: {error}"
        run.find(name, problem)
        if run.tried[kind] % PROBE_EVERY == 0:
            run.find(f"after {name}", await target.alive())


def descriptors(pid: int) -> int:
    return len([*Path(f"/proc/{pid}/fd").iterdir()])


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", action="append", default=[], choices=MAKERS, help="only these; all if left out")
    parser.add_argument("--only", default="", metavar="KIND:NUMBER", help="one input again")
    options = parser.parse_args()
    kinds = [options.only.partition(":")[0]] if options.only else options.kind or list(MAKERS)
    run = Run(options.seed, options.seconds, options.only)
    without_wire(run, [kind for kind in kinds if kind in PURE])
    wired = [kind for kind in kinds if kind not in PURE]
    if wired:
        with tempfile.TemporaryDirectory() as folder:
            trio.run(over_wire, run, wired, Path(folder))
    for find in run.finds:
        print(find)
    print(f"{run.tried.total()} inputs: {', '.join(f'{count} {kind}' for kind, count in run.tried.items())}")
    print(f"{len(run.finds)} finds; seed {run.seed}")
    sys.exit(1 if run.finds else 0)


if __name__ == "__main__":
    main()
