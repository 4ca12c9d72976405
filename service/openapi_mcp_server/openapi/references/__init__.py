"""References within a document and between its files."""
