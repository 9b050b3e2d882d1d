"""Lean scorers: a fitted pipeline folded into lookups and one native model."""
