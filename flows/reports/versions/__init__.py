"""Versions as people read them: what changed between two, and what is known of one."""
