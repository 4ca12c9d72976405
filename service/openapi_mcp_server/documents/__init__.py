"""Loads documents at the start, and again when their files or addresses change."""
