"""Drift that no single column shows: how columns depend on each other, their own drift taken out."""
