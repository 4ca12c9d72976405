"""OpenAPI documents: bytes in, operations out. Pure: no I/O, no clock, no environment."""
