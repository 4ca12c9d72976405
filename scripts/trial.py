"""The means of a trial of a whole stack: printed steps, waits, a certificate, traces, the log of the X-Ray daemon."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ARRIVE_SECONDS = 60
"""The longest wait for the traces and the number of a call, which Prometheus scrapes."""


class Failed(Exception):
    """A step did not do what it should; says what was seen."""


@contextmanager
def step(what: str) -> Iterator[None]:
    began = time.monotonic()
    print(f"stack-test: {what}", end=" ", flush=True)
    try:
        yield
    except BaseException:
        print("- FAILED", flush=True)
        raise
    print(f"({time.monotonic() - began:.1f} s)", flush=True)


def until(what: str, look: Callable[[], bool]) -> None:
    """Looks until it is true: the only way to learn what another program has come to know."""
    deadline = time.monotonic() + ARRIVE_SECONDS
    while not look():
        if time.monotonic() > deadline:
            raise Failed(f"{what} did not appear within {ARRIVE_SECONDS} s")
        time.sleep(0.5)


def refusal(act: Callable[[], None]) -> str:
    """What was said by something that had to fail."""
    try:
        act()
    except Failed as failed:
        return str(failed)
    raise Failed("it did not fail")


def self_signed() -> bytes:
    """A certificate for 127.0.0.1 and its key, as PEM."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stack-test")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return builder.sign(key, hashes.SHA256()).public_bytes(pem) + private


class Trace(msgspec.Struct, frozen=True):
    """The origin of a call, as a load balancer of AWS tells it."""

    id: str
    parent: str

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Amzn-Trace-Id": f"Root={self.id};Parent={self.parent};Sampled=1"}


def new_trace() -> Trace:
    return Trace(f"1-{int(time.time()):08x}-{secrets.token_hex(12)}", secrets.token_hex(8))


def segments(log: Path) -> list[dict[str, Any]]:
    """The segments that the daemon has accepted. Subsegments are segments of their own."""
    lines = log.read_text("utf-8").splitlines()
    if refused := [line for line in lines if line.startswith("rejected")]:
        raise Failed(f"the daemon refused {len(refused)} documents; the first was {refused[0]}")
    prefix = "segment "
    return list(flat(msgspec.json.decode(line.removeprefix(prefix)) for line in lines if line.startswith(prefix)))


def flat(documents: Iterable[dict[str, Any]], **inherited: str) -> Iterator[dict[str, Any]]:
    for document in documents:
        whole = {**inherited, **document}
        yield whole
        yield from flat(document.get("subsegments", ()), trace_id=whole["trace_id"], parent_id=whole["id"])


def is_traced(log: Path, trace: Trace) -> bool:
    """Whether the call hangs below the caller's segment, and the request to the API below the call."""
    ours = [each for each in segments(log) if each["trace_id"] == trace.id and "end_time" in each]
    calls = {each["id"] for each in ours if each.get("parent_id") == trace.parent and "getPet" in str(each)}
    return any(each.get("parent_id") in calls and "demo" in str(each) for each in ours)
