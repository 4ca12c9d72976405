"""Real frameworks' MCP adapters, tried with the real program: scripts/clients."""
