"""The event log that router and flows agree on: its lines and its segments."""
