"""Writes parameters into path, query, header and cookie."""
