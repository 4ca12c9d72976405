"""Examines a running server as its clients see it, through all proxies in front of it."""
