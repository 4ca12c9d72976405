"""Every error that passes from room to room, on one screen; what a room raises and catches itself stays in it.

Each has a culprit (the operator, the document, the model, the API) and an answer: an exit code at start, a
skipped operation at load, an error result for the model at call. Anything else that is raised is a bug; the
gateway answers it as JSON-RPC -32603 with an id whose details are in the log only.

Messages are written for the person who must act on them: they name the setting, the place in the document or the
argument, and say what to do. None carries a secret or a traceback.
"""

from __future__ import annotations

from pathlib import Path
from traceback import extract_tb


class ServiceError(Exception):
    """Root of the tree; never raised itself."""


class ConfigError(ServiceError):
    """The operator's settings cannot be used. Exit code 2.

    ``setting`` is spelt as the operator wrote it: ``--port`` or ``SERVER_PORT``.
    """

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting}: {problem}")
        self.setting = setting
        self.problem = problem


class SpecError(ServiceError):
    """The OpenAPI document cannot be used. Exit code 1 if it is the whole document, a skipped operation if not.

    ``pointer`` is a JSON Pointer as a URI fragment (RFC 6901 section 6), such as ``#/paths/~1pets/get``, or
    ``line 3, column 7`` where the document is not even syntactically whole.
    """

    def __init__(self, pointer: str, problem: str) -> None:
        super().__init__(f"{pointer}: {problem}" if pointer else problem)
        self.pointer = pointer
        self.problem = problem

    def kept(self) -> SpecError:
        """The same, without the frames that this one passed. An error that is put into a list holds on to them, and so
        to the document and its catalog: for as long as the list lives, or until the collector finds the circle."""
        return SpecError(self.pointer, self.problem)


UNFORESEEN = "an error of this server"


def fault_of(error: Exception, pointer: str) -> SpecError:
    """The reason why an operation or a path is skipped: the fault of its document, or a bug of ours and where to look
    for it.

    It has no traceback, nor what led to it: their frames would hold the whole catalog until the next collection.
    """
    if isinstance(error, SpecError):
        return error.kept()
    place = extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}"
    return SpecError(pointer, f"{UNFORESEEN}, {where}; please report it")


class Absent(SpecError):
    """The document cannot be fetched at the moment, and perhaps later."""


class ArgumentError(ServiceError):
    """The model's arguments do not fit the tool. The text is written for the model. Nothing was sent."""


class CredentialError(ServiceError):
    """The request could not be given its credentials, and was not sent. The text says which kind, never their value.

    ``transient``: it may go well later. ``client``: the person who runs the client has to mend it.
    """

    def __init__(self, problem: str, *, transient: bool = False, client: bool = False) -> None:
        super().__init__(problem)
        self.transient = transient
        self.client = client


class NoRoom(ServiceError):
    """The server keeps as much for its clients as it may (MEMORY_BUDGET_BYTES). Nothing was sent."""

    def __init__(self) -> None:
        super().__init__("this server is short of memory at the moment; try again in a few seconds")


class UpstreamError(ServiceError):
    """The API gave no usable answer.

    ``outcome_unknown`` is true where the request may have reached the API: the model must be told that it may
    have been carried out. ``transient`` is true where another attempt may fare better. ``retries`` is how many
    attempts there were before this one.
    """

    def __init__(self, problem: str, *, outcome_unknown: bool, transient: bool = False) -> None:
        super().__init__(problem)
        self.outcome_unknown = outcome_unknown
        self.transient = transient
        self.retries = 0


class Timeout(UpstreamError):
    """The call's deadline passed."""


class Unreachable(UpstreamError):
    """No connection: DNS, TCP or TLS."""


class Refused(UpstreamError):
    """We would not or could not send it: the address rule, a full queue, an API that is left alone, a header that is
    none, a shortage of our own."""


class TooLarge(UpstreamError):
    """The answer exceeds the limit of decoded bytes."""


class BadResponse(UpstreamError):
    """The API's bytes are not HTTP, or not what their headers say."""
