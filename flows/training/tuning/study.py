"""One study: known settings first, hopeless trials cut off early."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flows.training.families.family import Budget, Setting
from flows.training.tuning.space import Space

KEPT = 2  # settings of a study that are judged on more folds
REPORT_EVERY = 10
"""Rounds, or epochs, between two reports."""

Watch = Callable[[int, float], None]
"""Told the rounds done and the loss so far; may end the trial."""


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
    """One fold, prepared once, on which many settings run."""

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


def study(search: Search, race: Race, budget: Budget) -> list[Setting]:
    """
    Try settings; the best few first.

    Returns:
        At least one: the first known setting, untried, if there is no time or no trial.
    """
    known = known_settings(search, budget)
    found = _run(search, race, budget, known) if budget.trials and budget.left else []
    return [Setting(search.family, params) for params in found or [known[0]]]


def known_settings(search: Search, budget: Budget) -> list[dict[str, Any]]:
    """Parameters to begin with: earlier champions' and sound ones, within the bounds."""
    old = [search.space.within(setting.params) for setting in budget.known if setting.family == search.family]
    known, start = [params for params in old if params], dict(search.start)
    return [*known, start] if start not in known else known


def _run(search: Search, race: Race, budget: Budget, known: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    made = optuna.create_study(
        study_name="understudy",  # its hash deals trials to Hyperband's brackets
        sampler=optuna.samplers.TPESampler(seed=search.seed),
        pruner=_pruner(search),
    )
    for params in known:
        made.enqueue_trial(dict(params))

    def objective(trial: optuna.Trial) -> float:
        def watch(rounds: int, loss: float) -> None:
            trial.report(loss, rounds)
            if trial.should_prune():
                raise optuna.TrialPruned

        budget.progress(trial.number / budget.trials, f"Trial {trial.number + 1} of {budget.trials}")
        tried = race.run(search.space.suggest(trial), watch if search.rounds else None)
        for name, value in tried.found.items():
            trial.set_user_attr(name, value)
        return tried.loss

    made.optimize(objective, n_trials=budget.trials, timeout=budget.left)
    return _best(made.trials)


def _pruner(search: Search) -> Any:
    import optuna

    if search.rounds is None:
        return optuna.pruners.NopPruner()
    return optuna.pruners.HyperbandPruner(min_resource=2 * REPORT_EVERY, max_resource=search.rounds)


def _best(trials: list[Any]) -> list[dict[str, Any]]:
    """The champion's parameters, if they ran to the end, and the best few."""
    done = [trial for trial in trials if trial.state.name == "COMPLETE"]
    ranked = sorted(done, key=lambda trial: trial.value)
    chosen = ranked[:KEPT] + [trial for trial in done if trial.number == 0 and trial not in ranked[:KEPT]]
    return [trial.params | trial.user_attrs for trial in chosen]
