"""Families of models, each tuned and folded in its own way behind one Protocol."""
