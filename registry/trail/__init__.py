"""The audit trail as a chain of hashes: what is hashed, and how a copy of it is checked without a database."""
