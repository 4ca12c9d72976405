"""Documents and arguments, in this process: what the pure rooms make of them, or the errors they may raise."""

import time
from contextlib import suppress

import msgspec

from fuzz.inputs import BASE_DOCUMENT, TOOL
from openapi_mcp_server.bridge.arguments.check import check
from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.model import ToolCatalog, ToolForm
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.bridge.request import build as request
from openapi_mcp_server.bridge.schemas.edits import decode
from openapi_mcp_server.errors import UNFORESEEN, ArgumentError, SpecError
from openapi_mcp_server.mock.levels import NoValueError
from openapi_mcp_server.mock.synthesis import value
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import parse

HELD_SECONDS = 0.1
"""CPU that one call's arguments may take; a document has a thread for itself."""
DOCUMENT_SECONDS = 4.0
"""The same for a document. A value that a mock gives up takes 1.7 s on a machine with ten times as much to do."""


def _catalog(text: bytes, *, portable: bool = False) -> ToolCatalog:
    source = ApiSource(name="fuzzed", base=base_url("http://127.0.0.1:9"), description=describe(parse(text)))
    return build([source], ToolForm(portable=portable))


_tool = _catalog(msgspec.json.encode(BASE_DOCUMENT)).tools[TOOL]


def schemas(text: bytes) -> str:
    """As `document`; the tools of both forms of lists, and what a mock answers."""
    return document(text) or document(text, portable=True) or _mocked(text)


def _mocked(text: bytes) -> str:
    """A value is made for each operation's answer, or the mock says that it has none."""
    definitions = {name: decode(bytes(schema.json)) for name, schema in describe(parse(text)).response_schemas.items()}
    for name in definitions:
        began = time.process_time()
        with suppress(NoValueError):
            value({"$ref": f"#/$defs/{name}"}, definitions)
        if (seconds := time.process_time() - began) > DOCUMENT_SECONDS:
            return f"time: {seconds:.2f} s for a value of {name}"
    return ""


def document(text: bytes, *, portable: bool = False) -> str:
    """Why an oracle does not hold; empty if all do. Every operation is a tool, skipped, or the document is refused."""
    began = time.process_time()
    try:
        catalog = _catalog(text, portable=portable)
        for each in catalog.skipped:
            if each.operation.reason.startswith(UNFORESEEN):
                return f"traceback: {each.operation.reason}"
        for tool in catalog.tools.values():
            msgspec.json.decode(bytes(tool.entry))
            if str(tool.origin) != "http://127.0.0.1:9":
                return f"escape: {tool.name} would be called at {tool.origin}"
    except SpecError as error:
        if "Traceback" in str(error) or "root:" in str(error):
            return f"leak: {error}"
    except Exception as error:  # noqa: BLE001 - which is what is looked for
        return f"traceback: {type(error).__name__}: {error}"
    seconds = time.process_time() - began
    return f"time: {seconds:.2f} s" if seconds > DOCUMENT_SECONDS else ""


def arguments(text: bytes) -> str:
    began = time.process_time()
    try:
        checked = check(_tool, msgspec.Raw(text))
        checked.values.pop("response_filter", None)
        sent = request(_tool, checked.values, checked.others)
        segments = sent.path.split("/")
        if sent.method != "GET" or segments[:2] != ["", "pets"] or len(segments) != 3:
            return f"escape: {sent.method} {sent.path}"
        if any(character in f"{name}{text}" for name, text in sent.headers for character in "\r\n\0"):
            return "escape: a header has several lines"
    except ArgumentError:
        pass
    except Exception as error:  # noqa: BLE001 - which is what is looked for
        return f"traceback: {type(error).__name__}: {error}"
    seconds = time.process_time() - began
    return f"time: {seconds:.2f} s" if seconds > HELD_SECONDS else ""
