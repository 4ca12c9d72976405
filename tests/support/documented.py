"""Every block of code in docs/: which test runs it, or why none does. As a program it prints that, and the share.

A block of shell commands is run if each of its commands is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from processes import CHECKOUT

LEAST = 0.6
"""Of the blocks, run."""
GUIDE = "tests/test_documentation.py"
DEPLOYED = (
    "tests/deploy/test_documented.py"  # the AWS CLI against a stand-in for AWS, docker as a program that writes down
)
COMMANDS = (
    (r"([A-Z_0-9]+=\S+ )*scripts/run ?", GUIDE),
    (r"scripts/loadgen ", "tests/bench/loadgen/test_documented.py"),
    (r"deploy/ecr/push", DEPLOYED),
    (r"aws (ecr|ecs (register|list|update)|amp create-(workspace|rule)|secretsmanager create)", DEPLOYED),
    (r"aws ", "needs AWS; tests/deploy/test_documented.py holds the command to its service's model"),
    (r"([A-Z_0-9]+=\S+ )*docker |deploy/compose/roll", "needs Docker; scripts/stack-test, tests/test_image.py"),
    (r"openssl ", "tests/proxy/test_proxy.py"),
    (r"kubectl |helm ", "needs a cluster; tests/deploy/test_chart.py renders the chart and its kustomization"),
    (r"openapi-mcp-server |claude mcp add ", GUIDE),
    (r"pipx? install '/path", "needs an environment of its own; tests/test_documentation.py holds the extras"),
    (r"cd |pip |npx ", "needs AWS; tests/deploy/test_agentcore.py synthesizes the app"),
)
"""(how a command begins, the test that runs it or the reason why none does); the first one counts."""
BLOCKS = (
    ("docs/inbound-auth.md", "", "tests/test_inbound_guide.py"),
    ("docs/clients.md", "json", GUIDE),
    ("docs/configuration.md", "json", GUIDE),
    ("docs/deployment.md", "dockerfile", "tests/documents/test_cache.py"),
    ("docs/tools.md", "yaml", GUIDE),
    ("docs/deploy/eks.md", "yaml", "tests/deploy/test_chart.py"),
    ("docs/deploy/compose.md", "ini", "tests/test_compose.py"),
    ("docs/load-testing.md", "json", "tests/bench/loadgen/test_documented.py"),
    ("docs/load-testing.md", "text", "an output: its figures are one machine's"),
    ("docs/monitoring.md", "text", "a query for CloudWatch"),
    ("docs/search.md", "text", "an output: of a document that is not in the repository"),
    ("docs/from-awslabs.md", "json", GUIDE),
    ("docs/deploy/agentcore.md", "python", "tests/deploy/test_agentcore.py"),
    ("docs/deploy/ecs.md", "text", "a drawing"),
    ("docs/deploy/ecs.md", "hcl", "needs Terraform and AWS; its files are those of tests/deploy/test_ecs.py"),
    ("docs/deploy/api-gateway.md", "dockerfile", "needs Docker and a published image"),
)
"""The same for whole blocks: (page, language or any, …)."""


class Block(NamedTuple):
    """``told``: the tests that run it, or the reasons why it is not run."""

    page: str
    line: int
    language: str
    text: str
    told: tuple[str, ...]

    @property
    def is_run(self) -> bool:
        return bool(self.told) and all(re.fullmatch(r"tests/[\w/]+\.py", each) for each in self.told)


def commands(text: str) -> list[str]:
    """Of a block: continued lines joined, comments left out."""
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [re.sub(r"\s{2,}#.*", "", line.strip()) for line in lines if line.strip()]


def blocks() -> Iterator[Block]:
    for path in sorted((CHECKOUT / "docs").glob("**/*.md")):
        yield from _of(path)


def _of(path: Path) -> Iterator[Block]:
    page, text = str(path.relative_to(CHECKOUT)), path.read_text("utf-8")
    for found in re.finditer(r"^ *```(\w*)\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        language = found[1] or "text"
        line = text.count("\n", 0, found.start()) + 1
        yield Block(page, line, language, found[2], tuple(dict.fromkeys(_told(page, language, found[2]))))


def _told(page: str, language: str, text: str) -> Iterator[str]:
    for where, kind, told in BLOCKS:
        if where == page and kind in {"", language}:
            yield told
            return
    for command in commands(text) if language == "sh" else ():
        yield next((told for start, told in COMMANDS if re.match(start, command)), f"unknown: {command}")


def main() -> None:
    every = list(blocks())
    for block in every:
        word = "run" if block.is_run else "not"
        reasons = [each for each in block.told if block.is_run or not each.startswith("tests/")]
        print(f"{word}  {block.page}:{block.line} ({block.language})  {'; '.join(reasons)}")
    run = sum(block.is_run for block in every)
    print(f"{run} of {len(every)} blocks are run: {run / len(every):.0%}")
    if run < LEAST * len(every):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
