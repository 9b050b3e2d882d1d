"""The whole loop on a stream of sales leads, in a few minutes."""
