"""The schemas of tools, and their validators."""
