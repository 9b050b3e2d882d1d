"""What was measured, as reports and terminals show it."""
