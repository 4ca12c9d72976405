"""Credentials of APIs: one module a kind, and what all of them share. The only room that opens their values."""
