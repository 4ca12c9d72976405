"""The same tool by hand: the official SDK's low-level server and httpx, the way that costs them least."""

import json
import sys
from pathlib import Path
from typing import Any

import httpx  # type: ignore[import-not-found]
import mcp_types as types
import uvicorn
from mcp.server.lowlevel import Server

document, base, port = sys.argv[1:]
[(path, methods)] = json.loads(Path(document).read_text())["paths"].items()
operation = methods["get"]
schema = {"type": "object", "properties": {one["name"]: one["schema"] for one in operation["parameters"]}}
tool = types.Tool(name=operation["operationId"], input_schema={**schema, "required": [*schema["properties"]]})
client = httpx.AsyncClient(base_url=base)


async def listed(_context: Any, _params: Any) -> types.ListToolsResult:  # noqa: ANN401 - the SDK's types are not here
    return types.ListToolsResult(tools=[tool])


async def called(_context: Any, params: Any) -> types.CallToolResult:  # noqa: ANN401
    answer = await client.get(path.format(**params.arguments))
    return types.CallToolResult(content=[types.TextContent(type="text", text=answer.text)])


server = Server("bench", on_list_tools=listed, on_call_tool=called)
app = server.streamable_http_app(json_response=True, stateless_http=True)
uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="error", loop="uvloop", http="httptools")
