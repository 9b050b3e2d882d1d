"""Group sequential tests: a horizon is declared, looks are few or many, and the error rate is exact."""
