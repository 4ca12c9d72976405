"""A compiled catalog: its entries in one text, and all of it as data."""
