"""Who calls: INBOUND_AUTH, one module for each kind."""
