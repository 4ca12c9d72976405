"""Writes bodies of requests: JSON values become bytes of their media type."""
