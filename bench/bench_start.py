"""Prints, for each document: CPU and memory from the start to the first full ``tools/list``, and the size of that list.

Each document is served three times and the least CPU counts: on a shared machine everything else only adds to it, and
the first start may still have to compile Python's bytecode.
"""

import argparse
import http.client
import os
import tempfile
from pathlib import Path

import msgspec

from measured import cpu_seconds, resident_mib, serving

LIST = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
ROUNDS = 3


def serve_once(document: str, log: Path) -> tuple[float, float, bytes]:
    """(CPU seconds, resident MiB at most, the answer to tools/list)."""
    with serving(log, "--spec-path", document, "--api-url", "https://api.example.com") as (port, server):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("POST", "/mcp", LIST, {"content-type": "application/json"})
        answer = connection.getresponse().read()
        connection.close()
        return cpu_seconds(server.pid), resident_mib(server.pid, "VmHWM"), answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("document", nargs="+", help="an OpenAPI document")
    documents = parser.parse_args().document
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        for document in documents:
            rounds = [serve_once(document, Path(folder, "log")) for _ in range(ROUNDS)]
            answer = rounds[0][2]
            tools = msgspec.json.decode(answer)["result"]["tools"]
            print(
                f"{Path(document).name}: {min(cpu for cpu, _, _ in rounds):.2f} s CPU, "
                f"{max(memory for _, memory, _ in rounds):.0f} MiB resident, "
                f"{len(tools)} tools in {len(answer) / 1e6:.2f} MB"
            )


if __name__ == "__main__":
    main()
