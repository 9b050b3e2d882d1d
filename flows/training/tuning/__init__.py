"""Search settings: one study, cheap trials, resumable."""
