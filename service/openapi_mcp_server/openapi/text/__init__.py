"""The text of documents: encoding, JSON, YAML, overlays; one strict JSON text comes out."""
