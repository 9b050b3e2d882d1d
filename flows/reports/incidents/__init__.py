"""What went wrong with a version that answered callers, written up for people."""
