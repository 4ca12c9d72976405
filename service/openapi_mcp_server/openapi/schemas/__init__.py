"""Schemas of every dialect, converted to JSON Schema 2020-12 for one direction."""
