"""argv and environ in, exit code out."""

from __future__ import annotations

import errno
import gc
import importlib
import io
import os
import signal
import sys
from typing import TYPE_CHECKING

from openapi_mcp_server import __version__
from openapi_mcp_server.errors import ConfigError, ServiceError

if TYPE_CHECKING:
    from openapi_mcp_server.process.sources import Sources
    from openapi_mcp_server.settings.config import Config

_CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_STARTING_THRESHOLD = 1_000_000
"""How many new objects start the garbage collector until a server serves. What importing makes stays, so that the
collector finds nothing: with Python's usual 700 it takes a tenth of a start. As many as while documents are read: with
less it would look at all that these have become, 3 % of the start of one like Microsoft Graph's."""


def main() -> int:
    """Returns 0 if it is done, or was stopped in order; 1 for a document, a call or a forced stop; 2 for a setting; 14
    if it hung (`watchdog`)."""
    _have_standard_streams()
    gc.set_threshold(_STARTING_THRESHOLD)
    # Until a server has something to drain. Without a handler, process 1 of a container would not hear SIGTERM.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: os._exit(128 + number))
    from openapi_mcp_server.process.sources import Sources  # noqa: PLC0415 - takes so long that somebody may press Ctrl-C meanwhile

    sources = Sources(sys.argv[1:], os.environ)  # noqa: TID251 - here
    try:
        code = _run(sources.load(), sources)
        sys.stdout.flush()
    except BrokenPipeError:  # `… | head`: the reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _refuse(ServiceError(f"standard output: {error.strerror}"), 1)
    except ServiceError as error:
        return _ended(error, sources)
    except ExceptionGroup as group:  # raised below a task group
        if (known := _only(group)) is None:
            raise
        return _ended(known, sources)
    return code


def _ended(error: ServiceError, sources: Sources) -> int:
    if isinstance(error, ConfigError):
        return _refuse(ConfigError(sources.spelt(error.setting), error.problem), 2)
    return _refuse(error, 1)


def _only(group: ExceptionGroup[Exception]) -> ServiceError | None:
    """The first error on purpose of a group that holds no other kind."""
    _, others = group.split(ServiceError)
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first if others is None and isinstance(first, ServiceError) else None


def _have_standard_streams() -> None:
    """Opens the standard streams that were closed as /dev/null: else a socket would get the number of one, and its
    bytes. Characters that stdout cannot encode are escaped."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
            setattr(sys, name, open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _run(config: Config, sources: Sources) -> int:
    """Imports what the command needs and no more: ``--help`` loads no server, ``serve`` no client."""
    match config.command:
        case "help":
            import shutil  # noqa: PLC0415

            from openapi_mcp_server.settings.command_line import usage  # noqa: PLC0415

            print(usage(shutil.get_terminal_size().columns, *config.operands))  # noqa: T201 - what was asked for
            return 0
        case "version":
            print(f"openapi-mcp-server {__version__}")  # noqa: T201 - what was asked for
            return 0
        case "serve" | "demo" | "mock":
            return _serve(config, sources)
        case command:
            for warning in config.warnings:
                _say(warning)
            module = importlib.import_module(f"openapi_mcp_server.commands.{command}")
            code: int = module.run(config)
            return code


def _serve(config: Config, sources: Sources) -> int:
    if config.workers > 1:
        from openapi_mcp_server.process import supervisor  # noqa: PLC0415

        environ = os.environ  # noqa: TID251 - here
        place = supervisor.place(environ)
        if place is None:
            return supervisor.run(config, environ)
        from openapi_mcp_server.process import worker  # noqa: PLC0415

        return worker.run(config, place, sources)
    from openapi_mcp_server.process import lifecycle  # noqa: PLC0415

    return lifecycle.run(config, sources=sources)


def _refuse(error: ServiceError, code: int) -> int:
    _say(str(error))
    return code


def _say(sentence: str) -> None:
    line = "".join(char if char.isprintable() else "\ufffd" for char in " ".join(sentence.split()))
    print(f"openapi-mcp-server: {line}", file=sys.stderr)  # noqa: T201 - one line, whatever a name in it is made of


if __name__ == "__main__":
    sys.exit(main())
