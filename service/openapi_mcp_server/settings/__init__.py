"""Settings: a pure function of argv, environ and files."""
