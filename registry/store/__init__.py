"""The database behind the registry: one transaction per decision, an audit trail that cannot be rewritten."""
