"""Finds operations by words, for catalogs that are too large to be listed."""
