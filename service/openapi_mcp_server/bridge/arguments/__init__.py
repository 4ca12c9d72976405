"""Reads a model's arguments and checks them against the input schema of their tool."""
