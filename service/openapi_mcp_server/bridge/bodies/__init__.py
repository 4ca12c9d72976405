"""Bodies of requests: from JSON values to the bytes of their media type."""
