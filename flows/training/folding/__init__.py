"""Fold a fitted scikit-learn pipeline into what the router serves."""
