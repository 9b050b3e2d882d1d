"""One study: known settings first, hopeless trials cut off early, finished ones kept."""

from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any

from flows.training.families.family import Budget, Setting
from flows.training.tuning.crew import Submit, crew
from flows.training.tuning.journal import Lines, finished, study_name, trials_of
from flows.training.tuning.shared import explored_together
from flows.training.tuning.trials import Order, Race, Search, Trial, Tried, proposal
from flows.training.tuning.watching import REPORT_EVERY, Watch

__all__ = ["KEPT", "REPORT_EVERY", "Race", "Search", "Tried", "Watch", "known_settings", "study"]

KEPT = 3  # settings of a study that are judged on more folds


def study(search: Search, race: Race, budget: Budget) -> list[Setting]:
    """
    Try settings; the best few first.

    A study that was killed goes on: what is in its journal is not run again, and with one
    worker it ends as if it had not been interrupted.

    Returns:
        At least one: the first known setting, untried, if there is no time or no trial.
    """
    known = known_settings(search, budget)
    found = best(explored(search, race, budget, known)) if budget.trials and budget.left else []
    return [Setting(search.family, params) for params in found or [known[0]]]


def known_settings(search: Search, budget: Budget) -> list[dict[str, Any]]:
    """Parameters to begin with: earlier champions' and sound ones, within the bounds."""
    old = [search.space.within(setting.params) for setting in budget.known if setting.family == search.family]
    known, start = [params for params in old if params], dict(search.start)
    return [*known, start] if start not in known else known


def explored(search: Search, race: Race, budget: Budget, known: Sequence[Mapping[str, Any]]) -> list[Trial]:
    """Run what is left of a study; trials in the order of their numbers."""
    tuning = budget.tuning
    name = study_name(tuning, search, known)
    if tuning.engine == "storage":
        return explored_together(search, race, budget, known, name)
    lines = trials_of(tuning, name)
    desk = _Desk(search=search, budget=budget, known=known, lines=lines, done=finished(lines))
    if desk.waiting:
        with crew(race, tuning) as submit:
            desk.work(submit)
    return [desk.done[number] for number in sorted(desk.done) if number < budget.trials]


def best(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """The champion's parameters, if they ran to the end, and the best few."""
    ranked = sorted((trial for trial in trials if trial.loss is not None), key=lambda trial: trial.loss or 0.0)
    first = [trial for trial in ranked[KEPT:] if trial.number == 0]
    return [trial.settled for trial in [*ranked[:KEPT], *first]]


@dataclass(slots=True, kw_only=True)
class _Desk:
    """Deals trials out, and keeps what comes back."""

    search: Search
    budget: Budget
    known: Sequence[Mapping[str, Any]]
    lines: Lines
    done: dict[int, Trial]
    running: dict["Future[Trial]", Order] = field(default_factory=dict)
    waiting: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.waiting = [number for number in range(self.budget.trials) if number not in self.done]

    def work(self, submit: Submit) -> None:
        """Keep all workers busy until there is no trial, or no time; what runs then may end."""
        while self._may_begin() or self.running:
            while self._may_begin() and len(self.running) < self.budget.tuning.workers:
                order = self._order(self.waiting.pop(0))
                self.running[submit(order)] = order
            self._collect()

    def _may_begin(self) -> bool:
        return bool(self.waiting and self.budget.left)

    def _order(self, number: int) -> Order:
        total = self.budget.trials
        self.budget.progress(len(self.done) / total, f"Trial {number + 1} of {total}")
        past, pruning = tuple(self.done.values()), self.budget.tuning.pruning
        running = {order.number: order.params for order in self.running.values()}
        if number < len(self.known):
            params = dict(self.known[number])
        else:
            params = proposal(self.search, pruning, number, past, running)
        return Order(search=self.search, pruning=pruning, number=number, params=params, past=past)

    def _collect(self) -> None:
        ended, _ = wait(self.running, return_when=FIRST_COMPLETED)
        for future in ended:
            del self.running[future]
            trial = future.result()
            self.lines.add(trial)
            self.done[trial.number] = trial
