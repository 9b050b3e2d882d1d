"""The report of one look at a model: what moved, how the errors went, and what to do."""
