"""Prints, for each document: CPU and memory from the start to the first full ``tools/list``, and the size of that list.

Each document is served three times and the least CPU counts: on a shared machine everything else only adds to it, and
the first start may still have to compile Python's bytecode.
"""

import argparse
import http.client
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parent.parent
LIST = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
ROUNDS = 3


def serve_once(document: str) -> tuple[float, float, bytes]:
    """(CPU seconds, resident megabytes at most, the answer to tools/list)."""
    argv = [sys.executable, "-m", "service", "--spec-path", document, "--api-url", "https://api.example.com"]
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ["PYTHONPATH"] = str(ROOT)
    command = [*argv, "--transport", "http", "--port", "0", "--log-level", "INFO"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environ) as server:
        try:
            port = listening_port(server)
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("POST", "/mcp", LIST, {"content-type": "application/json"})
            answer = connection.getresponse().read()
            connection.close()
            return cpu_seconds(server.pid), resident_megabytes(server.pid), answer
        finally:
            server.kill()


def listening_port(server: subprocess.Popen[bytes]) -> int:
    assert server.stderr is not None
    last = b""
    for last in server.stderr:
        if found := re.search(rb"serving MCP at http://127.0.0.1:(\d+)/mcp", last):
            return int(found[1])
    raise SystemExit(last.decode())


def cpu_seconds(pid: int) -> float:
    """User and system time of a process (proc(5), /proc/pid/stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("document", nargs="+", help="an OpenAPI document")
    for document in parser.parse_args().document:
        rounds = [serve_once(document) for _ in range(ROUNDS)]
        answer = rounds[0][2]
        tools = msgspec.json.decode(answer)["result"]["tools"]
        print(
            f"{Path(document).name}: {min(cpu for cpu, _, _ in rounds):.2f} s CPU, "
            f"{max(memory for _, memory, _ in rounds):.0f} MB resident, "
            f"{len(tools)} tools in {len(answer) / 1e6:.2f} MB"
        )


if __name__ == "__main__":
    main()
