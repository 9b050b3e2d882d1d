"""The BentoML router: request path, event log, shadow, guards, admin."""
