"""Credentials of APIs: one module for each kind, and shared code. Only this room opens their values."""
