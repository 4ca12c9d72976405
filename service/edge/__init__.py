"""Everything that can block, fail or wait."""
