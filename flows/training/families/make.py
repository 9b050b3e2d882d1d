"""The families that a configuration names."""

from collections.abc import Callable

from flows.config.model import ModelConfig
from flows.training.families.boosting import Boosting
from flows.training.families.family import Family
from flows.training.families.forest import Forest
from flows.training.families.lightgbm import LightGBM
from flows.training.families.linear import Linear
from flows.training.families.mlp import Perceptron


def families_of(config: ModelConfig, metric: str, seed: int) -> tuple[Family, ...]:
    """Make the configured families."""
    features, task, classes, training = config.features, config.task, config.data.classes, config.training
    absolute = metric == "mae"
    makers: dict[str, Callable[[], Family]] = {
        "xgboost": lambda: Boosting(
            features=features,
            task=task,
            seed=seed,
            threads=training.threads,
            absolute=absolute,
            device=training.device,
            classes=classes,
        ),
        "lightgbm": lambda: LightGBM(
            features=features, task=task, seed=seed, threads=training.threads, absolute=absolute, classes=classes
        ),
        "forest": lambda: Forest(features=features, task=task, seed=seed, threads=training.threads, classes=classes),
        "mlp": lambda: Perceptron(features=features, task=task, seed=seed, classes=classes),
        "linear": lambda: Linear(features=features, task=task, classes=classes),
    }
    return tuple(makers[name]() for name in dict.fromkeys(training.families))
