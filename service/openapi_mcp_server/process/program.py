"""The program: reads the settings, carries out the command, and says in one line what went wrong."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from openapi_mcp_server import __version__
from openapi_mcp_server.errors import ConfigError, ServiceError
from openapi_mcp_server.observe.writing import FULL_DISK, whole
from openapi_mcp_server.process.sources import Sources

if TYPE_CHECKING:
    from openapi_mcp_server.settings.config import Config

Run = Callable[["Config"], int]


def run(argv: Sequence[str], environ: Mapping[str, str], find: Callable[[str], Run]) -> int:
    """Returns the exit code. ``find`` imports a command, and no more than it needs."""
    _have_standard_streams()
    sources = Sources(argv, environ)
    try:
        code = _carried_out(sources.load(), environ, sources, find)
        sys.stdout.flush()
    except BrokenPipeError:  # `… | head`: the reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in FULL_DISK:
            return _ended(error, sources)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _refuse(ServiceError(f"standard output: {error.strerror}"), 1)
    except (ServiceError, ExceptionGroup) as error:
        return _ended(error, sources)
    return code


def _ended(error: Exception, sources: Sources) -> int:
    """Raises an error that is a bug."""
    known = _foreseen(error)
    if known is None:
        raise error
    if isinstance(known, ConfigError):
        return _refuse(ConfigError(sources.spelt(known.setting), known.problem), 2)
    return _refuse(known, 1)


def _foreseen(error: Exception) -> ServiceError | None:
    """An error on purpose; the first of a group, as task groups raise it, that holds no other kind."""
    match error:
        case ExceptionGroup():
            known = [_foreseen(each) for each in error.exceptions]
            return None if None in known else known[0]
        case ServiceError():
            return error
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            return ServiceError(f"{error.strerror}: raise the limit of files that may be open (ulimit -n)")
        case _:
            return None


def _have_standard_streams() -> None:
    """Opens the standard streams that were closed as /dev/null: else a socket would get the number of one, and its
    bytes. Characters that stdout cannot encode are escaped, and nothing is dropped that a reader is too slow for."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
            setattr(sys, name, open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))  # noqa: SIM115
        stream = getattr(sys, name)
        if number and not os.get_blocking(number) and isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, whole(stream))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _carried_out(config: Config, environ: Mapping[str, str], sources: Sources, find: Callable[[str], Run]) -> int:
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
            return _serve(config, environ, sources)
        case command:
            for warning in config.warnings:
                _say(warning)
            _warn_aloud()
            return find(command)(config)


def _serve(config: Config, environ: Mapping[str, str], sources: Sources) -> int:
    if config.workers > 1:
        from openapi_mcp_server.process import supervisor  # noqa: PLC0415

        place = supervisor.place(environ)
        if place is None:
            return supervisor.run(config, environ)
        from openapi_mcp_server.process import worker  # noqa: PLC0415

        return worker.run(config, place, sources)
    from openapi_mcp_server.process import lifecycle  # noqa: PLC0415

    return lifecycle.run(config, sources=sources)


def _warn_aloud() -> None:
    """Has a command say what it has to warn of as it says everything: nobody has set up a log where no server runs."""
    import logging  # noqa: PLC0415 - a third of what --version takes

    class Aloud(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            from openapi_mcp_server.observe import logs  # noqa: PLC0415 - for those who are warned

            _say(" ".join([record.getMessage(), *logs.details(record)]))

    logging.lastResort = Aloud(logging.WARNING)


def _refuse(error: ServiceError, code: int) -> int:
    _say(str(error))
    return code


def _say(sentence: str) -> None:
    line = "".join(char if char.isprintable() else "\ufffd" for char in " ".join(sentence.split()))
    print(f"openapi-mcp-server: {line}", file=sys.stderr)  # noqa: T201 - one line, whatever a name in it is made of
