"""What may be searched: bounds of parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Bounds = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """
    Bounds of the parameters of one family, both ends included.

    Attributes:
        logarithmic: Numbers whose size matters by factors.
        linear: Numbers whose size matters by differences.
        whole: Whole numbers.
        choices: Names, or other values without order.
    """

    logarithmic: Mapping[str, Bounds] = field(default_factory=dict)
    linear: Mapping[str, Bounds] = field(default_factory=dict)
    whole: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    choices: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """All parameters."""
        return frozenset({*self.logarithmic, *self.linear, *self.whole, *self.choices})

    def distributions(self) -> dict[str, Any]:
        """Say it in Optuna's words."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        found: dict[str, Any] = {name: FloatDistribution(*b, log=True) for name, b in self.logarithmic.items()}
        found |= {name: FloatDistribution(*bounds) for name, bounds in self.linear.items()}
        found |= {name: IntDistribution(*bounds) for name, bounds in self.whole.items()}
        return found | {name: CategoricalDistribution(values) for name, values in self.choices.items()}

    def suggest(self, trial: Any) -> dict[str, Any]:
        """Ask an Optuna *trial* for one value of each parameter."""
        found: dict[str, Any] = {name: trial.suggest_float(name, *b, log=True) for name, b in self.logarithmic.items()}
        found |= {name: trial.suggest_float(name, *bounds) for name, bounds in self.linear.items()}
        found |= {name: trial.suggest_int(name, *bounds) for name, bounds in self.whole.items()}
        return found | {name: trial.suggest_categorical(name, values) for name, values in self.choices.items()}

    def within(self, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Move *params* to the nearest allowed ones; None if some are missing."""
        if not self.names <= params.keys():
            return None
        bounds = {**self.logarithmic, **self.linear, **self.whole}
        found = {name: _clip(params[name], limits) for name, limits in bounds.items()}
        for name, values in self.choices.items():
            if params[name] not in values:
                return None
            found[name] = params[name]
        return {name: found[name] for name in params if name in found}


def _clip(value: Any, bounds: Bounds) -> Any:
    return type(value)(min(max(value, bounds[0]), bounds[1]))
