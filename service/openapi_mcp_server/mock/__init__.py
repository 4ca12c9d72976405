"""A document served as the API that it describes: examples, then values made from its schemas."""
