"""FastMCP's tools of a document, the way that costs it least: stateless, answers in JSON."""

import json
import sys
from pathlib import Path

import httpx2
from fastmcp import FastMCP

document, base, port = sys.argv[1:]
made = FastMCP.from_openapi(json.loads(Path(document).read_text()), client=httpx2.AsyncClient(base_url=base))
made.run(transport="http", host="127.0.0.1", port=int(port), stateless_http=True, json_response=True, show_banner=False)
