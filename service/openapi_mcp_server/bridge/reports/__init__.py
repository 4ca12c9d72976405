"""Reports of a catalog for people: all of one, its weaknesses for agents, and the changes between two."""
