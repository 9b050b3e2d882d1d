"""Play a time-ordered table through the live system, as if it were traffic."""
