"""Authentication of callers: INBOUND_AUTH, one module for each kind."""
