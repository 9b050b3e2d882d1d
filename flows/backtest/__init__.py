"""Replay a table under retraining policies, in process: what would each have gained, and at what cost."""
