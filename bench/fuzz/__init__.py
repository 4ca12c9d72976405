"""Hostile inputs, seeded and replayable, and what must hold whatever they are."""
