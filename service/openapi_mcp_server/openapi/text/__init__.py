"""Turns the text of a document (any encoding, JSON, YAML, overlays) into one strict JSON text."""
