"""Runs a task definition as processes, in a network namespace that the test has made: in the order of its
``dependsOn``, by its health checks, and stopped as ECS stops it. Says what came of it as JSON.

What is not there stands in: the API, and what takes remote writes, are one nginx with a certificate for their names;
the X-Ray daemon or the CloudWatch agent is the strict daemon of the tests; folders take the place of volumes.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from ecs_rules import environment as variables

import nginx
from asked import call, fetch, until
from certificates import certificate
from processes import CHECKOUT, command, environment
from xray_daemon import Daemon, daemon

NAMES = ("api.example.com", "aps-workspaces.us-east-1.amazonaws.com")
ADDRESS = "93.184.215.14"  # public by its number, and of this namespace alone
API_PORT = 9999
METADATA_PORT = 9998
TOKEN = "t" * 40
SECRETS = {
    "SESSION_KEY": "k" * 64,
    "AUTH_TOKEN": "sesame",
    "INBOUND_TOKENS": msgspec.json.encode([{"name": "test", "token": TOKEN}]).decode(),
}
SLOW_SECONDS = 1
BEFORE = 10  # calls that are answered before the stop
OUTSIDE = """\
worker_processes 1;
pid {folder}/outside.pid;
error_log stderr error;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/outside.log;
    server {{
        listen {address}:{metadata};
        location / {{ return 200 '{{"Networks":[{{"IPv4Addresses":["127.0.0.1"]}}]}}'; }}
    }}
    server {{
        listen {address}:443 ssl;
        ssl_certificate {folder}/cert.pem;
        ssl_certificate_key {folder}/key.pem;
        location = /openapi.json {{ proxy_pass http://127.0.0.1:{port}/openapi.yaml; }}
        location /workspaces/ {{ return 200; }}
        location / {{ proxy_pass http://127.0.0.1:{port}; }}
    }}
}}
"""


class Container:
    """One of the task, as a process."""

    def __init__(self, described: dict[str, Any], folder: Path) -> None:
        self.described = described
        self.name = described["name"]
        self._folder = folder / self.name
        self._folder.mkdir(exist_ok=True)
        self._log = (folder / f"{self.name}.log").open("ab")
        self.process = None if self._is_stood_in() else self._started()

    def _is_stood_in(self) -> bool:
        return self.name in {"cloudwatch-agent", "xray-daemon"}

    def _started(self) -> subprocess.Popen[bytes]:
        values = variables(self.described)
        values |= {each["name"]: SECRETS[each["name"]] for each in self.described.get("secrets", [])}
        kept = environment(**values, ECS_CONTAINER_METADATA_URI_V4=f"http://{ADDRESS}:{METADATA_PORT}/v4/1")
        if self.name == "worker":
            argv = command()
        elif self.name == "proxy":
            argv = self._nginx(values)
        else:
            argv = [self._placed(word) for word in self.described["entryPoint"] + self.described["command"]]
            kept |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
        return subprocess.Popen(argv, env=kept, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)

    def _placed(self, word: str) -> str:
        """A folder of this machine for each of the container's volumes."""
        for mount in self.described.get("mountPoints", []):
            word = word.replace(f"{mount['containerPath']}/", f"{self._folder}/")
        return word

    def _nginx(self, values: dict[str, str]) -> list[str]:
        main = nginx.configuration(self._folder, **values)
        own = main.read_text("utf-8").replace("worker_rlimit_nofile 4096;", "")  # the command has it too
        main.write_text(own, "utf-8")
        given = (CHECKOUT / "proxy" / "Dockerfile").read_text("utf-8").rpartition("CMD ")[2]
        return [nginx.program(), *msgspec.json.decode(given)[1:], "-p", str(self._folder), "-c", str(main)]

    def is_healthy(self) -> bool:
        asked = self.described["healthCheck"]["command"][1:]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    def stop(self) -> float:
        """By the image's signal; how long it took."""
        if self.process is None:
            return 0
        begun = time.monotonic()
        self.process.send_signal(signal.SIGQUIT if self.name == "proxy" else signal.SIGTERM)
        self.process.wait(self.described.get("stopTimeout", 30))
        return time.monotonic() - begun

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def in_order(described: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each after those that it depends on."""
    left = {each["name"]: each for each in described}
    while left:
        for name, each in list(left.items()):
            if not {other["containerName"] for other in each.get("dependsOn", [])} & set(left):
                yield left.pop(name)


def started(task: dict[str, Any], folder: Path, stack: ExitStack) -> list[Container]:
    running: dict[str, Container] = {}
    for described in in_order(task["containerDefinitions"]):
        for dependency in described.get("dependsOn", []):
            if dependency["condition"] == "HEALTHY":
                until(running[dependency["containerName"]].is_healthy)
        running[described["name"]] = container = Container(described, folder)
        stack.callback(container.kill)
    for container in running.values():
        if "healthCheck" in container.described:
            until(container.is_healthy)
    return list(running.values())


def posted(body: bytes) -> tuple[int, bytes]:
    headers = {"content_type": "application/json", "host": "mcp.example.com", "authorization": f"Bearer {TOKEN}"}
    status, _, answer = fetch("http://127.0.0.1:8080/mcp", "POST", body, **headers)
    return status, answer


class Caller(threading.Thread):
    """Calls one after the other until nobody takes a connection any more. Anything else than an answer is lost.

    But for the one that waits in the queue of a socket when that closes: Linux resets it, and nobody had taken it. The
    platform's load balancer has sent nothing new for a while by then.
    """

    def __init__(self, ask: Callable[[bytes], tuple[int, bytes]], pause_seconds: float = 0.0) -> None:
        super().__init__()
        self._ask = ask
        self._pause_seconds = pause_seconds
        self.answered = 0
        self.lost: list[str] = []

    def run(self) -> None:
        is_reset = False
        while True:
            try:
                status, answer = self._ask(call("getPet", petId=1))
            except ConnectionRefusedError:
                if is_reset:
                    self.lost.pop()
                return
            except (OSError, http.client.HTTPException) as error:
                is_reset = isinstance(error, ConnectionResetError)
                self.lost.append(repr(error))
                continue
            is_reset = False
            if status != 200 or b'"isError":true' in answer:
                self.lost.append(f"{status} {answer[:200]!r}")
            self.answered += status == 200
            time.sleep(self._pause_seconds)


def in_flight() -> bool:
    page = fetch("http://127.0.0.1:9090/metrics")[2]
    return any(
        line.startswith(b"openapi_mcp_calls_in_flight ") and float(line.split()[1]) >= 1 for line in page.splitlines()
    )


def writes(folder: Path) -> int:
    """Remote writes that have arrived."""
    return (folder / "outside.log").read_text().count("/api/v1/remote_write")


def round_of(task: dict[str, Any], folder: Path, *, written: bool) -> dict[str, Any]:
    """Start, calls, a stop in the middle of them; ``written``: once metrics have arrived."""
    slow: list[tuple[int, bytes]] = []
    with ExitStack() as stack:
        begun = time.monotonic()
        containers = started(task, folder, stack)
        healthy = time.monotonic() - begun
        caller = Caller(posted)
        waiting = threading.Thread(target=lambda: slow.append(posted(call("waitSlowly", seconds=SLOW_SECONDS))))
        if written:
            until(lambda: writes(folder))
        caller.start()
        until(lambda: caller.answered >= BEFORE)
        waiting.start()
        until(in_flight)
        stopped = {each.name: each.stop() for each in reversed(containers)}
        waiting.join()
        caller.join()
    return {
        "order": [each.name for each in containers],
        "healthy": healthy,
        "stopped": stopped,
        "slow": [status for status, answer in slow if b'"isError":true' not in answer],
        "answered": caller.answered,
        "lost": caller.lost,
    }


@contextmanager
def outside(folder: Path) -> Iterator[None]:
    """The API, and who takes remote writes."""
    certificate(folder, *NAMES)
    main = folder / "outside.conf"
    main.write_text(OUTSIDE.format(metadata=METADATA_PORT, folder=folder, address=ADDRESS, port=API_PORT), "utf-8")
    os.environ["SSL_CERT_FILE"] = str(folder / "cert.pem")
    api = command("demo", "--api-only", "--port", str(API_PORT))
    front = [nginx.program(), "-p", str(folder), "-c", str(main), "-g", "daemon off;"]
    with (folder / "outside-errors.log").open("ab") as log, ExitStack() as stack:
        for argv in (api, front):
            process = subprocess.Popen(argv, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.kill)
        until(lambda: answers(f"http://127.0.0.1:{API_PORT}/readyz"))
        yield


def answers(url: str) -> bool:
    try:
        return fetch(url)[0] == 200
    except OSError:
        return False


def documents(taken: Daemon) -> list[dict[str, Any]]:
    found = []
    while not taken._documents.empty():
        found.append(taken.document())
    return found


def main() -> None:
    task = msgspec.json.decode(Path(sys.argv[1]).read_bytes())
    folder, rounds, written = Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "written"
    with outside(folder), daemon(2000) as taken:
        done = [round_of(task, folder, written=written) for _ in range(rounds)]
        names = [each["name"] for each in documents(taken)]
    told = {"rounds": done, "segments": names, "rejected": taken.rejected, "writes": writes(folder)}
    print(msgspec.json.encode(told).decode())


if __name__ == "__main__":
    main()
