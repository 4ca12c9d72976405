"""Reports for people: the content of a catalog, its weaknesses for agents, and the changes between two catalogs."""
