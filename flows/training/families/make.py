"""The families that a configuration names."""

from collections.abc import Callable, Sequence

from flows.config.model import ModelConfig
from flows.errors import ConfigError
from flows.training.families.boosting import Boosting
from flows.training.families.ensemble import Ensemble
from flows.training.families.family import Family
from flows.training.families.forest import Forest
from flows.training.families.lightgbm import LightGBM
from flows.training.families.linear import Linear
from flows.training.families.mlp import Perceptron
from flows.training.families.own import Own


def families_of(config: ModelConfig, metric: str, seed: int) -> tuple[Family, ...]:
    """
    Make the configured families.

    Raises:
        ConfigError: If an ensemble has too few before it, or an estimator of one's own is none.
    """
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
    found: list[Family] = []
    for name in dict.fromkeys(training.families):
        if name == "ensemble":
            _refuse_few(found)
            found.append(Ensemble(features=features, task=task, members=tuple(found), classes=classes))
        elif name in makers:
            found.append(makers[name]())
        else:
            found.append(_own(config, name, seed))
    return tuple(found)


def _own(config: ModelConfig, name: str, seed: int) -> Own:
    return Own(
        name=name,
        features=config.features,
        task=config.task,
        seed=seed,
        threads=config.training.threads,
        weighted=config.training.recency is not None,
        classes=config.data.classes,
    )


def _refuse_few(found: Sequence[Family]) -> None:
    if len(found) < 2:
        raise ConfigError(
            "Nothing was trained.",
            f"An ensemble is made of the families before it, and there are {len(found)}.",
            "List at least two families before ensemble in training.families.",
        )
