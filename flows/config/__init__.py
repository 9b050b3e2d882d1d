"""One model, one YAML file."""
