"""What the router's benchmarks share: the model, the processes, the load and the report."""
