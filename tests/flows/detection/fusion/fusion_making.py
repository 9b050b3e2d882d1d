"""Small configurations and evidence; different only where a test says so."""

from flows.config.load import parse_config


def make_config(**sections):
    whole = {"model": "churn", "task": "binary", "target": "y", "features": {"numeric": ["x"], "categorical": ["c"]}}
    return parse_config(whole | sections, "test")
