"""argv and environ in, exit code out.

Nothing else of the program is imported before signals are handled, since that takes so long that somebody may press
Ctrl-C meanwhile. Python itself would answer with a traceback, or lose the signal within an import.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys

TYPE_CHECKING = False  # importing typing for it takes as long as all others here together
if TYPE_CHECKING:
    from collections.abc import Callable

    from openapi_mcp_server.settings.config import Config

_STARTING_THRESHOLD = 1_000_000
"""How many new objects start the garbage collector until a server serves. What importing makes stays, so that the
collector finds nothing: with Python's usual 700 it takes a tenth of a start. As many as while documents are read: with
less it would look at all that these have become, 3 % of the start of one like Microsoft Graph's."""


def main() -> int:
    """Returns 0 if it is done, or was stopped in order; 1 for a document, a call or a forced stop; 2 for a setting; 14
    if it hung (`watchdog`)."""
    # Until a server has something to drain. Without a handler, process 1 of a container would not hear SIGTERM.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: os._exit(128 + number))
    # A process inherits what its parent has blocked and ignored: it could not be stopped then, and a worker that was
    # killed would look like one that has ended well.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    gc.set_threshold(_STARTING_THRESHOLD)
    from openapi_mcp_server.process import program  # noqa: PLC0415 - see above

    return program.run(sys.argv[1:], os.environ, _command)  # noqa: TID251 - here


def _command(name: str) -> Callable[[Config], int]:
    run: Callable[[Config], int] = importlib.import_module(f"openapi_mcp_server.commands.{name}").run
    return run


if __name__ == "__main__":
    sys.exit(main())
