"""Policies by the names that people write."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from flows.backtest.errors import BacktestRefused
from flows.backtest.policies.features import FeatureDrifts
from flows.backtest.policies.fused import Fused
from flows.backtest.policies.losses import Adwin, ErrorRise
from flows.backtest.policies.protocol import Policy
from flows.backtest.policies.schedules import Evenly, Every, Never

if TYPE_CHECKING:
    from flows.config.model import ModelConfig

Make = Callable[["ModelConfig", float | None], Policy]
BUDGET = 25.0  # per cent of the batches
FUSED = 50.0  # per cent of confidence
ORACLE = "oracle"
_USUAL = ("every:4", "error", "adwin", "drift:psi", "drift:ks", "drift", "rules", "fused", "adaptive", ORACLE)
_VALUE = "flows.backtest.policies.value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """
    One kind of policy.

    Attributes:
        said: What it does, in words.
        make: A fresh policy, with its number if one was given.
        low, high: Bounds of the number; whole: it is a count; tuned: between which values it is searched.
    """

    said: str
    make: Make
    low: float | None = None
    high: float = math.inf
    whole: bool = False
    needed: bool = False
    tuned: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, order=True)
class Spec:
    """A policy as it was asked for: "every:4" is the kind "every" with the number 4."""

    kind: str
    number: float | None = None

    def __str__(self) -> str:
        return self.kind if self.number is None else f"{self.kind}:{self.number:.6g}"

    def make(self, config: "ModelConfig") -> Policy:
        """Make a fresh policy; the oracle is made by the replay, which knows the future."""
        policy = KINDS[self.kind].make(config, self.number)
        return _named(policy, str(self))


def usual() -> list[str]:
    """What is replayed where nothing is named: one policy of each kind."""
    return [name for name in _USUAL if _split(name)[0] in KINDS]


def specs(said: Sequence[str]) -> tuple[Spec, ...]:
    """
    Read what was asked for; commas separate, too.

    Raises:
        BacktestRefused: With all that is wrong.

    Example:
        >>> [str(spec) for spec in specs(["never,every:4", "drift:psi:0.25", "error:10%"])]
        ['never', 'every:4', 'drift:psi:0.25', 'error:10']
    """
    words = [word.strip() for one in said for word in one.split(",") if word.strip()]
    mistakes = [mistake for word in words for mistake in _mistakes(word)]
    if mistakes:
        known = ", ".join(KINDS)
        raise BacktestRefused("Nothing was replayed.", "; ".join(mistakes) + ".", f"Policies are {known}.")
    return tuple(dict.fromkeys(_spec(word) for word in words))


def _spec(word: str) -> Spec:
    kind, number = _split(word)
    return Spec(kind, None if number is None else float(number.rstrip("%")))


def _split(word: str) -> tuple[str, str | None]:
    if word in KINDS:
        return word, None
    kind, _, number = word.rpartition(":")
    return (kind, number) if kind else (word, None)


def _mistakes(word: str) -> list[str]:
    name, number = _split(word)
    kind = KINDS.get(name)
    if kind is None:
        near = get_close_matches(name, KINDS, n=1)
        return [f"{word!r} is no policy" + (f", perhaps {near[0]!r} was meant" if near else "")]
    if number is None:
        return [f"{word!r} needs a number, e.g. {name}:4"] if kind.needed else []
    if kind.low is None:
        return [f"{word!r}: {name} takes no number"]
    return _number_mistakes(word, number, kind)


def _number_mistakes(word: str, said: str, kind: Kind) -> list[str]:
    try:
        number = float(said.rstrip("%"))
    except ValueError:
        return [f"{word!r}: {said!r} is no number"]
    low = kind.low or 0.0
    if not (math.isfinite(number) and low <= number <= kind.high):
        return [f"{word!r}: {number:g} lies outside {low:g} to {kind.high:g}"]
    return [f"{word!r}: {number:g} is no whole number"] if kind.whole and number % 1 else []


def _named(policy: Policy, name: str) -> Policy:
    if policy.name != name and hasattr(policy, "name"):
        object.__setattr__(policy, "name", name)
    return policy


def _drift(rule: str) -> Make:
    return lambda config, number: FeatureDrifts(config, rule, number)  # type: ignore[arg-type]


def _foreseen(_config: "ModelConfig", _number: float | None) -> Policy:
    raise AssertionError("the oracle's dates are found by the replay")


def _adaptive(_config: "ModelConfig", number: float | None) -> Policy:
    made: Policy = import_module(_VALUE).make((BUDGET if number is None else number) / 100)
    return made


KINDS: Mapping[str, Kind] = {
    "never": Kind(said="keep the first model", make=lambda _config, _number: Never()),
    "always": Kind(said="retrain after every batch", make=lambda _config, _number: Every(1)),
    "every": Kind(
        said="retrain after each so many batches",
        make=lambda _config, number: Every(int(number or 1)),
        low=1,
        whole=True,
        needed=True,
        tuned=(2, 26),
    ),
    "evenly": Kind(
        said="so many retrainings, evenly spread",
        make=lambda _config, number: Evenly(int(number or 1)),
        low=1,
        whole=True,
        needed=True,
    ),
    "error": Kind(
        said="error of the newest batch above the four before it, in per cent (15)",
        make=lambda _config, number: ErrorRise(15.0 if number is None else number),
        low=0,
        tuned=(1, 60),
    ),
    "adwin": Kind(
        said="river's ADWIN on the errors, with its delta (0.002)",
        make=lambda _config, number: Adwin(0.002 if number is None else number),
        low=1e-12,
        high=0.999,
        tuned=(1e-5, 0.5),
    ),
    "drift": Kind(
        said="any feature judged to drift: corrected for the number of features, and larger than a trifle",
        make=_drift("judged"),
        low=0,
        high=1,
        tuned=(0.02, 0.9),
    ),
    "drift:psi": Kind(said="any feature with a PSI beyond 0.2", make=_drift("psi"), low=0, tuned=(0.05, 10)),
    "drift:ks": Kind(said="any feature with p < 0.05", make=_drift("ks"), low=0, high=1, tuned=(1e-30, 0.05)),
    "fused": Kind(
        said="the fused decision, from a confidence in per cent on (50)",
        make=lambda config, number: Fused(config, (FUSED if number is None else number) / 100),
        low=0,
        high=100,
        tuned=(5, 95),
    ),
    "rules": Kind(said="the rules of the configuration", make=lambda config, _number: Fused(config)),
    ORACLE: Kind(
        said="knows the future: the best dates for a budget, in per cent of the batches (25)",
        make=_foreseen,
        low=0,
        high=100,
    ),
}
if find_spec(_VALUE) is not None:
    KINDS = {
        **KINDS,
        "adaptive": Kind(
            said="a budget, in per cent of the batches (25), spent where it pays", make=_adaptive, low=1, high=100
        ),
    }
