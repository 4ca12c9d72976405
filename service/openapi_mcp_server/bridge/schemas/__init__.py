"""Schemas as tools carry them, and the validators made of them."""
