"""What happened to each model, as runs in MLflow; written down first, sent when the server answers."""
