"""What the rows of a model look like, learned once and checked ever after."""
