"""Debian's firefox-esr, driven by Marionette, its own protocol: an array of JSON behind its length, over TCP.

The drivers that speak it (geckodriver, Playwright's patched Firefox) come from elsewhere than package registries.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

PROGRAM = os.environ.get("FIREFOX") or shutil.which("firefox-esr") or ""
SECONDS = 60
SETTINGS = {"marionette.port": 0, "datareporting.policy.dataSubmissionEnabled": False, "app.update.enabled": False}
UNTIL = """
const [wanted, done] = arguments;
const look = () => { const found = eval(wanted); found ? done(found) : setTimeout(look, 20); };
look();
"""
"""Polls in the driver's own sandbox, which the page's policy is not of."""


class Firefox:
    """One window."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self._stream = self._socket.makefile("rb")
        self._number = 0
        self._read()  # its greeting
        self.ask("WebDriver:NewSession", capabilities={"alwaysMatch": {"timeouts": {"script": SECONDS * 1000}}})

    def ask(self, command: str, **parameters: Any) -> Any:
        self._number += 1
        sent = msgspec.json.encode([0, self._number, command, parameters])
        self._socket.sendall(b"%d:%b" % (len(sent), sent))
        _, number, error, result = self._read()
        assert (number, error) == (self._number, None), error
        return result

    def _read(self) -> Any:
        length = b""
        while not length.endswith(b":"):
            piece = self._stream.read(1)
            assert piece, "Firefox has closed its port"
            length += piece
        return msgspec.json.decode(self._stream.read(int(length[:-1])))

    def open(self, url: str) -> None:
        self.ask("WebDriver:Navigate", url=url)

    def until(self, expression: str) -> Any:
        """Its value, once that is true."""
        return self.ask("WebDriver:ExecuteAsyncScript", script=UNTIL, args=[expression])["value"]

    def type(self, selector: str, text: str) -> None:
        self.ask("WebDriver:ElementSendKeys", id=self._found(selector), text=text)

    def click(self, selector: str) -> None:
        self.ask("WebDriver:ElementClick", id=self._found(selector))

    def _found(self, selector: str) -> str:
        self.until(f"document.querySelector({selector!r}) !== null")
        (found,) = self.ask("WebDriver:FindElement", using="css selector", value=selector)["value"].values()
        return str(found)

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


@contextmanager
def firefox(profile: Path) -> Iterator[Firefox]:
    """With a fresh profile."""
    lines = [f"user_pref({_json(name)}, {_json(value)});" for name, value in SETTINGS.items()]
    (profile / "user.js").write_text("\n".join(lines))
    argv = [PROGRAM, "--headless", "--marionette", "--no-remote", "--profile", str(profile)]
    environ = {**os.environ, "HOME": str(profile), "MOZ_CRASHREPORTER_DISABLE": "1"}
    with subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            opened = Firefox(_port(process))
            try:
                yield opened
            finally:
                opened.close()
        finally:
            process.kill()


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _port(process: subprocess.Popen[bytes]) -> int:
    said = []
    for line in process.stdout or ():
        said.append(line)
        if found := re.search(rb"Listening on port (\d+)", line):
            return int(found[1])
    raise AssertionError(f"Firefox did not start: {said}")
