"""Everything that listens: connections, transports of MCP, the port of metrics."""
