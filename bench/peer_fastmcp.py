"""FastMCP's tools of a document, over HTTP the way that costs it least: stateless, answers in JSON."""

import json
import sys
from pathlib import Path

import httpx2
import yaml
from fastmcp import FastMCP

document, base, port = sys.argv[1:]
read = json.loads if document.endswith(".json") else yaml.safe_load
made = FastMCP.from_openapi(read(Path(document).read_text()), client=httpx2.AsyncClient(base_url=base))
http = {"transport": "http", "host": "127.0.0.1", "port": port, "stateless_http": True, "json_response": True}
made.run(show_banner=False, **({"transport": "stdio"} if port == "stdio" else {**http, "port": int(port)}))
