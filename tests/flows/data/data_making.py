"""Configurations of one small model."""

from flows.config.load import parse_config


def make_config(task="binary", **sections):
    whole = {
        "model": "churn",
        "task": task,
        "target": "left",
        "features": {"numeric": ["age"], "categorical": ["plan"]},
    }
    return parse_config(whole | sections, "test")
