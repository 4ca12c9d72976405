"""The story of one MCP message: the only room in which the others meet."""
