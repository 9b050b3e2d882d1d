"""After a promotion: the former champion stays warm, and comes back if the new one fails."""
