"""Attacks on the real program from outside, and what they cost it; `scripts/attack` runs them."""
