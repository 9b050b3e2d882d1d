"""Watch for the drift that hurts; say when to retrain, and why."""
