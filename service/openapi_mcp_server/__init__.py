"""openapi-mcp-server: any OpenAPI document as Model Context Protocol tools."""

__version__ = "0.1.0"
