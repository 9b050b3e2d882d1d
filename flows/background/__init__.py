"""Work that nobody waits for: one process at a time, a child of nobody."""
