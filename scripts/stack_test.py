"""The stack of compose.yaml, from its start to its end, as its users and operators see it. A line for each step.

It has a project name of its own and ports that the kernel chooses, so it runs beside other stacks; whatever happens,
nothing of it is left but the build cache.
"""

from __future__ import annotations

import os
import secrets
import signal
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import trio
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from openapi_mcp_server.settings.table import SETTINGS
from trial import Failed, Trace, is_traced, new_trace, refusal, segments, self_signed, step, until

ROOT = Path(__file__).resolve().parent.parent
UP_SECONDS = 180
DOWN_SECONDS = 120
CALL_SECONDS = 20
IN_FLIGHT_SECONDS = 10
"""What the calls take that are in flight at the stop: longer than ``down`` needs to begin."""
MIA = '{"id":1,"name":"Mia","species":"cat","status":"available","price":120}'
CALLERS = 4
CALLS_A_SECOND = 50  # half of PROXY_RATE
GET_PET = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "getPet", "arguments": {"petId": 1}}}
JSON_ONLY = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
CALLS = "sum(mcp_server_operation_duration_seconds_count{gen_ai_tool_name='getPet'})"


class Stack:
    """One project of Docker Compose. The user's own settings do not reach it."""

    def __init__(self, name: str) -> None:
        self.name = name
        foreign = {f"{each.name}{suffix}" for each in SETTINGS for suffix in ("", "_FILE")} - {"WORKERS"}
        kept = {
            key: value
            for key, value in os.environ.items()
            if key not in foreign and not key.startswith(("COMPOSE", "PROXY_", "PUBLISH_", "AWS_"))
        }
        self._folder = tempfile.TemporaryDirectory(prefix="stack-test-")
        self._token = Path(self._folder.name, "token")
        self._environ = {
            **kept,
            "PUBLISH_PORT": "0",
            "PROMETHEUS_PUBLISH_PORT": "0",
            "AUTH_TYPE": "bearer",
            "AUTH_TOKEN_FILE": str(self._token),
        }
        self.change("first")

    def change(self, token: str, **settings: str) -> None:
        """The secret and settings of workers that are started from now on."""
        new = self._token.with_suffix(".new")
        new.write_text(token)
        new.replace(self._token)  # as it is documented: half a secret is none
        Path(self._folder.name).chmod(0o755)  # the worker runs as another user
        self._environ |= settings

    def certificate(self) -> str:
        """The path of one for 127.0.0.1, its key below it in the same file."""
        path = Path(self._folder.name, "both.pem")
        if not path.exists():
            path.write_bytes(self_signed())
            path.chmod(0o444)  # for nginx's user
        return str(path)

    def change_proxy(self, **settings: str) -> None:
        """The proxy with these settings from now on; the workers stay as they are."""
        self._environ |= settings
        self.compose("up", "--detach", "--wait", "--no-deps", "proxy", seconds=UP_SECONDS)

    def roll(self) -> None:
        self._run(str(ROOT / "deploy" / "compose" / "roll"), *self._flags(), seconds=UP_SECONDS)

    def _flags(self) -> tuple[str, ...]:
        return "--ansi", "never", "--project-name", self.name, "--env-file", os.devnull

    def compose(self, *argv: str, seconds: float = 60) -> str:
        return self._run("docker", "compose", *self._flags(), *argv, seconds=seconds)

    def _run(self, *argv: str, seconds: float) -> str:
        done = subprocess.run(
            argv,
            cwd=ROOT,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            raise Failed(f"{' '.join(argv)} says:\n{done.stderr[-2000:]}")
        return done.stdout.strip()

    def address(self, service: str, port: int) -> str:
        return f"http://{self.compose('port', service, str(port))}"

    def keeps_connections(self) -> bool:
        """Whether kept connections to the proxy outlive its reload: nginx can do so since 1.27.4."""
        return "keep-connections.conf" in self.compose("exec", "-T", "proxy", "ls", "/etc/nginx/conf.d")

    def container(self, service: str) -> str:
        return self.compose("ps", "--all", "--quiet", service)

    def left(self, kind: str) -> list[str]:
        """Ids of the project's containers or images."""
        ours = f"label=com.docker.compose.project={self.name}"
        return docker(kind, "ls", "--all", "--quiet", "--filter", ours).split()

    def remove(self) -> None:
        self.compose("down", "--volumes", "--timeout", "1")
        if images := self.left("image"):  # `--rmi` finds none once the containers are gone
            docker("image", "rm", "--force", *images)


def docker(*argv: str) -> str:
    return subprocess.run(["docker", *argv], capture_output=True, text=True, timeout=60, check=True).stdout.strip()


async def call(
    url: str,
    mode: str,
    tool: str,
    arguments: dict[str, object],
    *,
    trace: Trace,
    progress: Callable[[], None] = lambda: None,
) -> str:
    """The text that the tool answers with, through the official client. The path of the address says the transport."""

    async def told(*_: Any, **__: Any) -> None:  # noqa: ANN401 - of no use here
        progress()

    async with httpx2.AsyncClient(headers=trace.headers, timeout=60) as http:
        over = sse_client(url, trace.headers) if url.endswith("/sse") else streamable_http_client(url, http_client=http)
        async with Client(over, mode=mode) as client:
            await client.list_tools()  # else the client does so after the call, to check the answer: too late in a stop
            result = await client.call_tool(tool, arguments, progress_callback=told)
    text = str(getattr(result.content[0], "text", result.content))
    if result.is_error:
        raise Failed(f"{tool} at {url} in {mode} answers {text!r}")
    return text


def get_pet(url: str, mode: str, trace: Trace) -> None:
    async def main() -> str:
        with trio.fail_after(CALL_SECONDS):
            return await call(url, mode, "getPet", {"petId": 1}, trace=trace)

    if (text := trio.run(main)) != MIA:
        raise Failed(f"it answers {text!r}")


def counted(prometheus: str) -> int:
    """How many calls of getPet Prometheus knows of."""
    answer = httpx2.get(f"{prometheus}/api/v1/query", params={"query": CALLS}).raise_for_status()
    result = answer.json()["data"]["result"]
    return int(result[0]["value"][1]) if result else 0


def serve(stack: Stack, xray_log: Path) -> None:
    proxy, prometheus = stack.address("proxy", 8000), stack.address("prometheus", 9090)
    traces = []
    for path, mode in (("/mcp", "legacy"), ("/mcp", "2026-07-28"), ("/sse", "legacy")):
        traces.append(new_trace())
        with step(f"getPet through the proxy at {path}, {mode}"):
            get_pet(f"{proxy}{path}", mode, traces[-1])
    with step(f"the {len(traces)} calls in Prometheus"):
        until("their number", lambda: counted(prometheus) == len(traces))
    with step(f"the {len(traces)} calls at the X-Ray daemon, each below its caller and above its request"):
        for trace in traces:
            until(f"trace {trace.id}", partial(is_traced, xray_log, trace))


async def stop_in_flight(stack: Stack) -> None:
    """``down`` while calls are in flight over both transports; both must be answered."""
    proxy = stack.address("proxy", 8000)
    answers: list[str] = []

    async def slowly(path: str, reached: trio.Event) -> None:
        arguments: dict[str, object] = {"seconds": IN_FLIGHT_SECONDS}
        text = await call(f"{proxy}{path}", "legacy", "waitSlowly", arguments, trace=new_trace(), progress=reached.set)
        answers.append(text)

    with trio.fail_after(DOWN_SECONDS):
        async with trio.open_nursery() as nursery:
            for path in ("/mcp", "/sse"):
                reached = trio.Event()
                nursery.start_soon(slowly, path, reached)
                await reached.wait()  # the first progress: the API has the call
            await trio.to_thread.run_sync(partial(stack.compose, "down", "--volumes", seconds=DOWN_SECONDS))
    if answers != [f'{{"seconds":{IN_FLIGHT_SECONDS}}}'] * 2:
        raise Failed(f"they answer {answers!r}")


async def roll_under_load(stack: Stack) -> int:
    """The workers are replaced while calls come. How many they were; raises Failed if one was lost."""
    url = f"{stack.address('proxy', 8000)}/mcp"
    limits = httpx2.Limits() if stack.keeps_connections() else httpx2.Limits(max_keepalive_connections=0)
    lost: list[str] = []
    answered = 0

    async def caller(ended: trio.Event) -> None:
        nonlocal answered
        async with httpx2.AsyncClient(timeout=CALL_SECONDS, limits=limits) as http:
            while not ended.is_set():
                answered += 1
                try:
                    text = (await http.post(url, json=GET_PET, headers=JSON_ONLY)).text
                except httpx2.HTTPError as error:
                    text = repr(error)
                if "Mia" not in text:
                    lost.append(text)
                await trio.sleep(CALLERS / CALLS_A_SECOND)

    ended = trio.Event()
    with trio.fail_after(UP_SECONDS):
        async with trio.open_nursery() as nursery:
            for _ in range(CALLERS):
                nursery.start_soon(caller, ended)
            await trio.to_thread.run_sync(stack.roll)
            ended.set()
    if lost:
        raise Failed(f"{len(lost)} of {answered} calls were lost, the first with {lost[0]}")
    return answered


def roll(stack: Stack) -> None:
    old = stack.container("worker")
    stack.change("rotated", LOG_LEVEL="loud")
    with step("deploy/compose/roll with a setting that cannot be used, which says so and changes nothing"):
        said = refusal(stack.roll)
        if "LOG_LEVEL" not in said or "serve on" not in said:
            raise Failed(f"it says {said!r}")
        if (now := stack.container("worker")) != old:
            raise Failed(f"the workers are {now!r}; before it they were {old!r}")
    stack.change("rotated", LOG_LEVEL="debug")
    with step("deploy/compose/roll with a changed setting and a changed secret, while calls come"):
        print(f"- {trio.run(roll_under_load, stack)} calls, none lost", end=" ")
        new = stack.container("worker")
        if new == old or len(new.split()) != 1:
            raise Failed(f"after it the workers are {new!r}; before it was {old!r}")
        if (
            has := docker("exec", new, "sh", "-c", "echo $(cat /run/secrets/auth_token) $LOG_LEVEL")
        ) != "rotated debug":
            raise Failed(f"the new worker has {has!r}")


def encrypt(stack: Stack) -> None:
    """The same stack with a certificate, and without it again."""
    with step("with a certificate the published port speaks HTTPS"):
        stack.change_proxy(PROXY_TLS_CERTIFICATE_FILE=stack.certificate())
        address = stack.compose("port", "proxy", "18000")
        trusted = ssl.create_default_context(cafile=stack.certificate())
        if (status := httpx2.get(f"https://{address}/readyz", verify=trusted).status_code) != 200:
            raise Failed(f"it answers {status}")
        stack.change_proxy(PROXY_TLS_CERTIFICATE_FILE="")


def stop(stack: Stack) -> None:
    services = ("proxy", "worker", "demo")
    # `down` removes the containers; `wait` learns their exit codes.
    waiting = {
        service: subprocess.Popen(["docker", "wait", stack.container(service)], stdout=subprocess.PIPE, text=True)
        for service in services
    }
    with step("docker compose down while calls are in flight at /mcp and /sse"):
        trio.run(stop_in_flight, stack)
    with step("exit code 0 of " + ", ".join(services)):
        codes = {service: process.communicate(timeout=10)[0].strip() for service, process in waiting.items()}
        if any(code != "0" for code in codes.values()):
            raise Failed(f"the exit codes are {codes}")
        if left := stack.left("container"):
            raise Failed(f"these containers are left: {left}")


@contextmanager
def followed(container: str) -> Iterator[Path]:
    """A file that the container's output goes to, also when the container is gone."""
    with (
        tempfile.NamedTemporaryFile("w", prefix="stack-test-", suffix=".log") as log,
        subprocess.Popen(["docker", "logs", "--follow", container], stdout=log, stderr=log) as process,
    ):
        try:
            yield Path(log.name)
        finally:
            process.terminate()


def run(stack: Stack) -> None:
    with step("docker compose up --build --wait"):
        stack.compose("up", "--build", "--wait", seconds=UP_SECONDS)
    with followed(stack.container("xray")) as xray_log:
        serve(stack, xray_log)
        roll(stack)
        encrypt(stack)
        stop(stack)
        with step("no document was refused by the X-Ray daemon"):
            segments(xray_log)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # as Ctrl-C: what is up is taken down first
    stack = Stack(f"stack-test-{secrets.token_hex(4)}")
    try:
        run(stack)
    except BaseException as error:
        if stack.left("container"):
            print(stack.compose("logs", "--no-color", "--tail", "20"), file=sys.stderr)
        if not isinstance(error, Failed):
            raise
        print(f"stack-test: {error}", file=sys.stderr)
        return 1
    finally:
        stack.remove()
    print("stack-test: all as it should be")
    return 0


if __name__ == "__main__":
    sys.exit(main())
