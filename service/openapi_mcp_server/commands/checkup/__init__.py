"""A running server looked at as its clients see it, through whatever stands in front of it."""
