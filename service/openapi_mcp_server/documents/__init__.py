"""Documents are loaded here: at the start, and again where their files or addresses change."""
