"""Records of what happened, out to log lines, metrics and spans."""
