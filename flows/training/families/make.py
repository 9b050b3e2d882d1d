"""The families that a configuration names."""

from flows.config.model import ModelConfig
from flows.training.families.boosting import Boosting
from flows.training.families.family import Family
from flows.training.families.linear import Linear


def families_of(config: ModelConfig, metric: str, seed: int) -> tuple[Family, ...]:
    """Make the configured families."""
    features, task = config.features, config.task
    known: dict[str, Family] = {
        "xgboost": Boosting(
            features=features, task=task, seed=seed, threads=config.training.threads, absolute=metric == "mae"
        ),
        "linear": Linear(features=features, task=task),
    }
    return tuple(known[name] for name in dict.fromkeys(config.training.families))
