"""When to retrain: each policy sees only what was known at that time."""
