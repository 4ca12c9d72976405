"""The arguments of a model, read and checked against the input schema of their tool."""
