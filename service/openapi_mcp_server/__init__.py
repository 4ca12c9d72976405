"""openapi-mcp-server: any OpenAPI document as Model Context Protocol tools."""

__version__ = "0.2.0"
