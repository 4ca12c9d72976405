"""Everything that asks APIs: attempts, retries, limits, connections, credentials."""
