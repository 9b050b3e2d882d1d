"""The errors of a model in time order: sudden rises, recent windows, slow decline."""
