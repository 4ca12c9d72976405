"""Load for any MCP server: calls made up from its tools' schemas, measured and checked one by one.

Nothing here imports the server in this repository: to loadgen it is one of many, known by its bytes alone.
"""
