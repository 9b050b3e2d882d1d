"""Two models on different callers."""
