"""One trial: what is tried, what came of it, and how Optuna is told; the same on every machine."""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec

from flows.training.tuning.space import Space
from flows.training.tuning.watching import REPORT_EVERY, Watch

T = TypeVar("T")
STUDY = "understudy"
"""Its hash deals trials to Hyperband's brackets."""


@dataclass(frozen=True, slots=True)
class Tried:
    """
    What one setting came to.

    Attributes:
        loss: Less is better.
        found: Parameters that the trial itself has found, e.g. the number of rounds.
    """

    loss: float
    found: Mapping[str, Any]


class Race(Protocol):
    """One fold, prepared once, on which many settings run; can be pickled if it shall run elsewhere."""

    def run(self, params: Mapping[str, Any], watch: Watch | None = None) -> Tried:
        """Fit one setting; tell *watch* about every ten rounds, if there are rounds."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """
    What is searched.

    Attributes:
        family: Whose parameters.
        space: Their bounds.
        start: Sound parameters, tried after those of earlier champions.
        rounds: Most rounds of one trial; None if a trial has none, and is never cut off.
        seed: The same one tries the same settings.
    """

    family: str
    space: Space
    start: Mapping[str, Any]
    rounds: int | None
    seed: int


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """
    A finished trial, as it is kept.

    Attributes:
        number: From 0.
        params: What was tried.
        loss: None if it was cut off.
        found: Parameters that it has found itself.
        reports: Loss after so many rounds.
        rungs: What Optuna's pruner remembers of it.
    """

    number: int
    params: dict[str, Any]
    loss: float | None
    found: dict[str, Any] = {}
    reports: dict[int, float] = {}
    rungs: dict[str, float] = {}

    @property
    def settled(self) -> dict[str, Any]:
        """All parameters to fit with."""
        return self.params | self.found


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One trial to run, and the finished ones that it is compared with while it runs."""

    search: Search
    pruning: bool
    number: int
    params: Mapping[str, Any]
    past: tuple[Trial, ...]


def proposal(
    search: Search, pruning: bool, number: int, past: Iterable[Trial], running: Mapping[int, Mapping[str, Any]]
) -> dict[str, Any]:
    """
    Ask Optuna what to try as trial *number*.

    The answer depends on the arguments alone: a study that was interrupted goes on as it
    would have. Running trials count as bad ones ("constant liar"), so that no two are alike.

    Source:
        Bergstra et al. (2011), NeurIPS 24: the tree-structured Parzen estimator, as in Optuna.
    """
    study = _study(search, pruning, number, past, running)
    return dict(study.ask(search.space.distributions()).params)


def run(race: Race, order: Order) -> Trial:
    """Run one trial; Hyperband compares it with the past of its *order*."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = _study(order.search, order.pruning, order.number, order.past, {})
    study.enqueue_trial(dict(order.params))
    trial = study.ask(order.search.space.distributions())
    try:
        tried = race.run(trial.params, watching(trial) if order.search.rounds else None)
    except optuna.TrialPruned:
        return kept(study.trials[-1], trial.params)
    return kept(study.trials[-1], trial.params, tried)


def watching(trial: Any) -> Watch:
    """Report to an Optuna *trial*, and end it if it is hopeless."""
    import optuna

    def watch(rounds: int, loss: float) -> None:
        trial.report(loss, rounds)
        if trial.should_prune():
            raise optuna.TrialPruned

    return watch


def kept(seen: Any, params: Mapping[str, Any], tried: Tried | None = None) -> Trial:
    """What is kept of an Optuna trial: plain numbers; a loss that is none counts as cut off."""
    loss = float(tried.loss) if tried and math.isfinite(tried.loss) else None
    rungs = {name: value for name, value in seen.system_attrs.items() if name.startswith("completed_rung")}
    return Trial(
        number=seen.number,
        params=dict(params),
        loss=loss,
        found={name: _plain(value) for name, value in tried.found.items()} if tried else {},
        reports=_finite(seen.intermediate_values),
        rungs=_finite(rungs),
    )


def _finite(values: Mapping[T, Any]) -> dict[T, float]:
    """Without what JSON has no word for."""
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}


def _plain(value: Any) -> Any:
    """A number of numpy's as one of Python's."""
    return value.item() if hasattr(value, "item") else value


def pruner(search: Search, pruning: bool) -> Any:
    """
    Cut off what is behind at a third, a ninth, ... of the rounds.

    Source:
        Li et al. (2018), JMLR 18:185 (Hyperband), by asynchronous halving as in Optuna.
    """
    import optuna

    if search.rounds is None or not pruning:
        return optuna.pruners.NopPruner()
    return optuna.pruners.HyperbandPruner(min_resource=2 * REPORT_EVERY, max_resource=search.rounds)


def _study(
    search: Search, pruning: bool, number: int, past: Iterable[Trial], running: Mapping[int, Mapping[str, Any]]
) -> Any:
    """Build the study as it is before trial *number*; what is not known of an earlier one counts as failed."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    made = optuna.create_study(
        study_name=STUDY,
        sampler=optuna.samplers.TPESampler(seed=_seed(search.seed, number)),
        pruner=pruner(search, pruning),
    )
    known, spaces = {one.number: one for one in past}, search.space.distributions()
    for place in range(number):
        made.add_trial(_frozen(known.get(place), running.get(place), spaces))
    return made


def _frozen(one: Trial | None, running: Mapping[str, Any] | None, spaces: dict[str, Any]) -> Any:
    from optuna.trial import TrialState, create_trial

    if one is None:
        if running is None:
            return create_trial(state=TrialState.FAIL)
        return create_trial(state=TrialState.RUNNING, params=dict(running), distributions=spaces)
    return create_trial(
        state=TrialState.PRUNED if one.loss is None else TrialState.COMPLETE,
        value=one.loss,
        params=one.params,
        distributions=spaces,
        intermediate_values=one.reports,
        system_attrs=one.rungs,
    )


def _seed(seed: int, number: int) -> int:
    """Deal each trial dice of its own, so that the past of a study does not wear them."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{number}".encode()).digest()[:4], "big")
