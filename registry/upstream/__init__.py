"""How a remote version is asked: rows into requests, replies into scores."""
