"""The readers of settings: how the text of each is read.

A reader turns text into a value and raises ValueError with what is wanted instead; `config` names the setting.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any

import msgspec

_WHOLE = re.compile(r"\d{1,10}")
_SECONDS = re.compile(r"\d{1,10}(\.\d{1,9})?")
_HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]")
_NAME = re.compile(r"[\w.-]+")
_REGION = re.compile(r"[A-Za-z0-9-]+")
_USER_POOL = re.compile(r"[A-Za-z0-9-]+_[A-Za-z0-9]+")  # by Cognito's API reference, UserPoolId
_PORT = re.compile(r"[0-9]{1,5}")
_SEGMENTS = re.compile(r"[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*")

Reader = Callable[[str], Any]


def text(value: str) -> str:
    return value


def boolean(value: str) -> bool:
    """Reads true or false as Docker, compose and shells spell it."""
    match value.strip().lower():
        case "true" | "1" | "yes" | "on":
            return True
        case "false" | "0" | "no" | "off":
            return False
        case _:
            raise ValueError("must be true or false")


def boolean_or_auto(value: str) -> bool | None:
    """Reads a boolean, or auto as None, which leaves it to the server."""
    if value.strip().lower() == "auto":
        return None
    try:
        return boolean(value)
    except ValueError:
        raise ValueError("must be auto, true or false") from None


def switch_or_auto(value: str) -> bool | None:
    """Like `boolean_or_auto`, for a setting whose flag may stand alone."""
    return boolean_or_auto(value)


class Choice(msgspec.Struct, frozen=True):
    """Reads one of several words, in any case."""

    choices: tuple[str, ...]

    def __call__(self, value: str) -> Any:  # noqa: ANN401 - the words are a Literal for the caller
        if value.strip().lower() not in self.choices:
            raise ValueError(f"must be one of {', '.join(self.choices)}")
        return value.strip().lower()


def one_of(*choices: str) -> Choice:
    return Choice(choices)


def integer(least: int, most: int) -> Reader:
    def read(value: str) -> int:
        if not _WHOLE.fullmatch(value.strip()) or not least <= int(value) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(value)

    return read


def result_budget(value: str) -> int:
    """Reads the budget of results in bytes: in less than a kilobyte nothing of use is left of an answer."""
    size = integer(0, 100_000_000)(value)
    if 0 < size < 1_000:
        raise ValueError("must be 0, or at least 1000")
    return int(size)


def seconds(least: float, most: float) -> Reader:
    def read(value: str) -> float:
        if not _SECONDS.fullmatch(value.strip()) or not least <= float(value) <= most:
            raise ValueError(f"must be a number of seconds from {least:g} to {most:g}")
        return float(value)

    return read


def seconds_or_never(most: float) -> Reader:
    """Reads 0 for never, or at least 1. More often than every second costs more than it is worth."""

    def read(value: str) -> float:
        period = seconds(0, most)(value)
        if 0 < period < 1:
            raise ValueError("must be 0, or at least 1")
        return float(period)

    return read


def words(value: str) -> tuple[str, ...]:
    """Reads words separated by commas; empty ones do not count."""
    return tuple(word.strip() for word in value.split(",") if word.strip())


def folders(value: str) -> tuple[str, ...]:
    """Reads folders separated by commas, or by colons as in PATH."""
    return words(value.replace(":", ","))


def tags(value: str) -> frozenset[str]:
    return frozenset(words(value))


def pairs(value: str) -> tuple[tuple[str, str], ...]:
    """A JSON object of texts and numbers, in its order; a number is the text that it is written as."""
    try:
        msgspec.json.decode(value, type=dict[str, str | int | float])
        decoded = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        raise ValueError('must be a JSON object of texts, such as {"Name": "value"}') from None
    if (name := repeated(value)) is not None:
        raise ValueError(f"has {name[:64]!r} twice; give it once")
    return tuple((name, _spelt(bytes(raw))) for name, raw in decoded.items())


def _spelt(raw: bytes) -> str:
    return msgspec.json.decode(raw, type=str) if raw.startswith(b'"') else raw.decode()


def repeated(text: str) -> str | None:
    """A name that an object in a JSON text has twice: the last of two would win in silence (RFC 8259 section 4)."""
    import json  # noqa: PLC0415, TID251 - for those who have such a setting; msgspec passes over the first of two

    found: list[str] = []

    def look(members: list[tuple[str, object]]) -> None:
        seen: set[str] = set()
        for name, _ in members:
            if name in seen:
                found.append(name)
            seen.add(name)

    json.loads(text, object_pairs_hook=look, parse_int=str, parse_float=str)
    return found[0] if found else None


def session_keys(value: str) -> tuple[str, ...]:
    """Reads one or two keys of at least 32 bytes: the first signs, both verify."""
    keys = words(value)
    if not 1 <= len(keys) <= 2 or any(len(key.encode()) < 32 for key in keys):
        raise ValueError("must be one key, or two separated by a comma, of at least 32 bytes each")
    return keys


def task_address(value: str) -> str:
    """``host:port``, or ``ecs`` and ``ecs:port``."""
    address = value.strip()
    host, _, port = address.rpartition(":")
    if address == "ecs":
        return "ecs:8080"
    if not _HOST.fullmatch(host) or not _PORT.fullmatch(port):
        raise ValueError("must be host:port where the other tasks reach this one, or ecs")
    if not 0 < int(port) <= 65_535:
        raise ValueError("must have a port from 1 to 65535")
    return address


def listened(value: str) -> str:
    """An address or a name; whether this machine has it is found out by listening."""
    host = value.strip()
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if not _NAME.fullmatch(host):
            problem = "must be an address such as 127.0.0.1, or a host name, without scheme and port"
            raise ValueError(problem) from None
    return host


def region(value: str) -> str:
    """A region of AWS, which is a part of host names."""
    if not _REGION.fullmatch(value.strip()):
        raise ValueError("must be a region such as eu-west-1")
    return value.strip()


def user_pool(value: str) -> str:
    """The id of a user pool of Cognito, which begins with the pool's region."""
    if not _USER_POOL.fullmatch(value.strip()):
        raise ValueError("must be the id of a user pool with its region, such as eu-west-1_aBcD12345")
    return value.strip()


def path_prefix(value: str) -> str:
    """A path of plain segments, with its leading slash and without one at its end."""
    path = value.strip().strip("/")
    if path and not _SEGMENTS.fullmatch(path):
        raise ValueError("must be a path such as /team1 or /apis/pets")
    return f"/{path}" if path else ""


def networks(value: str) -> tuple[str, ...]:
    """Addresses and networks, as `ipaddress` spells them."""
    try:
        return tuple(str(ipaddress.ip_network(word)) for word in words(value))
    except ValueError as error:
        raise ValueError(f"must be addresses or networks such as 10.0.0.0/8, separated by commas: {error}") from None


SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""By a key that this server need not have (RFC 7518 section 3.1, RFC 8037, RFC 9864): with a shared secret an issuer's
public key could be taken for it."""


def signatures(value: str) -> tuple[str, ...]:
    asked = words(value)
    if not asked or set(asked) - set(SIGNATURES):
        raise ValueError(f"must be some of {', '.join(SIGNATURES)}, separated by commas")
    return asked


def spaced(value: str) -> tuple[str, ...]:
    """Reads words separated by commas or spaces, as scopes are written."""
    return words(value.replace(" ", ","))


def rate(value: str) -> float:
    """Reads a number per second."""
    if not re.fullmatch(r"\d{1,7}(\.\d{1,6})?", value.strip()) or not float(value):
        raise ValueError("must be a positive number a second, such as 5 or 0.5")
    return float(value)


def level(value: str) -> str:
    name = value.strip().upper()
    if name not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
        raise ValueError("must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL")
    return name


def folder_or_none(value: str) -> str | None:
    """Reads a folder. None if the text is empty or ``none``."""
    return None if value.strip().lower() in {"", "none"} else value


def exporters(value: str) -> tuple[str, ...]:
    """Reads the names of exporters: each once, in the order of their names here; empty for none."""
    asked = {word.lower() for word in words(value)}
    if asked == {"none"}:
        return ()
    if not asked or asked - {"xray", "otlp"}:
        raise ValueError("must be none, xray, otlp or xray,otlp")
    return tuple(name for name in ("xray", "otlp") if name in asked)
