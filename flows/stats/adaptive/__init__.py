"""Bandits: weights that follow the evidence, and estimates that stay honest under them."""
