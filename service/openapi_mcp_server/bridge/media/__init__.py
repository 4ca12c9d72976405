"""Media types: how each is written into a request and read from an answer."""
