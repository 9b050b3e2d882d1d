"""Which family, which setting and how long a memory: decided on several recent folds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from flows.errors import DataError
from flows.training.families.family import Budget, Family, Fold, Setting, fit
from flows.training.layout import Layout, Span, Window
from flows.training.metrics import badness
from flows.training.progress import Progress, within
from flows.training.rows import Rows
from flows.training.tuning.journal import Ledger, made_once
from flows.training.tuning.slowing import LEAST_TRIALS, Slowing
from registry.records.version import Task

FEWEST_PAST = 20
FULL_COST = 2.0
"""Time that finding the rounds of a setting on all rows may take, in times of one that was judged before."""
SLOWER_COST = 6.0
"""Time that a setting which learns slower may take, in times of one that was judged before."""
SLOWER_FOLDS = 2
"""It is the same recipe with smaller steps, and slow to fit: the newest two folds tell whether that helps."""
SEARCHED = 500_000
"""Rows that trials learn from, the newest ones: they tell the order of settings, and each row more costs time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    One setting with one memory, and how it did.

    Attributes:
        losses: Per fold, the newest first; less is better.
    """

    setting: Setting
    window: Window
    losses: tuple[float, ...]

    @property
    def loss(self) -> float:
        """Mean over the folds."""
        return float(np.mean(self.losses))


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Everything that settings are compared on."""

    rows: Rows
    layout: Layout
    families: tuple[Family, ...]
    metric: str
    task: Task
    budget: Budget

    def family(self, setting: Setting) -> Family:
        """Look up the family of *setting*."""
        return next(family for family in self.families if family.name == setting.family)

    def fold(self, future: Span, window: Window) -> Fold:
        """Cut out one fold and its past."""
        past = self.rows.past(future, window)
        return Fold(past=self.rows.sample(past, judged=future), future=self.rows.sample(future))


def decide(contest: Contest, progress: Progress) -> list[Entry]:
    """
    Tune on the newest rows, then judge on all folds, because one is noisy.

    The best settings are judged with the configured window, the winner also with the others, and
    what is best then once more, learning slower: nothing that was tried before can be lost by it.

    Returns:
        All entries, the best first; among equals the configured window.

    Raises:
        DataError: If no fold has two classes before and in it.
    """
    folds = _usable_folds(contest)
    first = contest.layout.windows[0]
    newest = contest.layout.search if _usable(contest, contest.layout.search) else folds[0]
    past, whole = _searched(contest, newest, first), contest.rows.past(newest, first)
    searched = Fold(past=contest.rows.sample(past, judged=newest), future=contest.rows.sample(newest))
    settings = _search(contest, searched, within(progress, 0.0, 0.6))
    progress(0.6, f"Judge {len(settings)} settings on {len(folds)} folds")
    began = contest.budget.clock()
    entries = _judge_all(contest, [(setting, first) for setting in settings], folds)
    others = [(_adapted(contest, _best(entries).setting, newest, w), w) for w in contest.layout.windows[1:]]
    progress(0.75, f"Judge {1 + len(others)} windows on {len(folds)} folds")
    entries += _judge_all(contest, others, folds) if contest.budget.left else []
    ranked, cost = sorted(entries, key=_loss_of), (contest.budget.clock() - began) / len(entries)
    if past != whole and contest.budget.left > FULL_COST * cost:
        progress(0.82, "Find the rounds on all rows")
        adapted = _adapted(contest, ranked[0].setting, newest, ranked[0].window)
        ranked = _challenged(contest, ranked, [(adapted, ranked[0].window)], folds)
    if contest.budget.left > SLOWER_COST * cost:
        progress(0.85, "Let the best setting learn slower")
        ranked = _challenged(contest, ranked, _slower(contest, ranked[0], newest), folds)
    return ranked


def _challenged(
    contest: Contest, ranked: Sequence[Entry], rivals: Sequence[tuple[Setting, Window]], folds: Sequence[Span]
) -> list[Entry]:
    """Put rivals first that beat the best on the newest folds, which is all that they are judged on; others last."""
    known = [entry for entry in ranked if (entry.setting, entry.window) in rivals]
    judged = [] if known else _judge_all(contest, rivals, folds[:SLOWER_FOLDS])
    better = [entry for entry in judged if entry.loss < float(np.mean(ranked[0].losses[: len(entry.losses)]))]
    return [*better, *ranked, *(entry for entry in judged if entry not in better)]


def _searched(contest: Contest, newest: Span, window: Window) -> Span:
    """What trials learn from: of a long past only its newest rows, if they can be learned from."""
    past = contest.rows.past(newest, window)
    recent = Span(max(past.start, past.stop - SEARCHED), past.stop)
    return recent if _learnable(contest, recent, newest) else past


def _search(contest: Contest, newest: Fold, progress: Progress) -> list[Setting]:
    """Search one family after the other; each gets an even share of the time that is left."""
    share, budget = 1 / len(contest.families), contest.budget
    found: list[Setting] = []
    for number, family in enumerate(contest.families):
        part = within(progress, number * share, (number + 1) * share)
        until = budget.clock() + budget.left / (len(contest.families) - number)
        found += family.search(newest, replace(budget, progress=part, until=until, found=tuple(found)))
    return found


def _judge_all(contest: Contest, pairs: Sequence[tuple[Setting, Window]], folds: Sequence[Span]) -> list[Entry]:
    """Judge one after another; at least the first, however late it is."""
    entries: list[Entry] = []
    ledger = Ledger.of(contest.budget.tuning)
    for setting, window in pairs:
        if entries and not contest.budget.left:
            break
        losses = tuple(_kept_loss(contest, ledger, setting, future, window) for future in folds)
        entries.append(Entry(setting=setting, window=window, losses=losses))
    return entries


def _kept_loss(contest: Contest, ledger: Ledger, setting: Setting, future: Span, window: Window) -> float:
    what = (setting.family, setting.params, future.start, future.stop, window)
    return ledger.loss(what, lambda: _loss(contest, setting, contest.fold(future, window)))


def _loss(contest: Contest, setting: Setting, fold: Fold) -> float:
    family = contest.family(setting)
    scores = family.scores(fit(family, setting, fold.past), fold.future)
    return badness(contest.metric, contest.task, fold.future.labels, scores)


def _adapted(contest: Contest, setting: Setting, newest: Span, window: Window) -> Setting:
    return contest.family(setting).adapt(setting, contest.fold(newest, window))


def _slower(contest: Contest, best: Entry, newest: Span) -> list[tuple[Setting, Window]]:
    """The best setting with a lower learning rate, if its family has one, and there were trials enough."""
    setting, family = best.setting, contest.family(best.setting)
    if contest.budget.trials < LEAST_TRIALS or not isinstance(family, Slowing):
        return []

    def make() -> dict[str, Any] | None:
        made = family.slower(setting, contest.fold(newest, best.window))
        return made.params if made else None

    params = made_once(contest.budget.tuning, (setting.family, setting.params, best.window), make)
    return [(Setting(setting.family, params), best.window)] if params else []


def _best(entries: Sequence[Entry]) -> Entry:
    return min(entries, key=_loss_of)


def _loss_of(entry: Entry) -> float:
    return entry.loss


def _usable_folds(contest: Contest) -> list[Span]:
    """Folds before which every window holds rows of two classes, as no model can learn from one."""
    folds = [fold for fold in contest.layout.folds if _usable(contest, fold)]
    if not folds:
        newest, rows = contest.layout.folds[0], len(contest.rows.times)
        raise DataError(
            "Nothing was trained.",
            f"Before row {newest.start} of {rows}, {_lacking(contest, newest)}, in one of the windows.",
            "Widen training.window, shorten training.gap, or wait until all classes have occurred for a while.",
        )
    return folds


def _lacking(contest: Contest, newest: Span) -> str:
    left = min(contest.rows.left(contest.rows.past(newest, window), newest) for window in contest.layout.windows)
    if left < FEWEST_PAST:
        apart = [
            name for name, used in {"gap": contest.rows.gap, "grouped": contest.rows.keys is not None}.items() if used
        ]
        why = " and ".join(f"training.{name}" for name in apart)
        return f"{left} rows are left to learn from{f' by {why}' if why else ''}"
    return "a class has not occurred yet" if contest.task == "multiclass" else "all labels are the same"


def _usable(contest: Contest, future: Span) -> bool:
    pasts = [contest.rows.past(future, window) for window in contest.layout.windows]
    return all(_learnable(contest, past, future) for past in pasts)


def _learnable(contest: Contest, past: Span, future: Span) -> bool:
    needed = contest.rows.classes(Span(0, len(contest.rows.times))) if contest.task == "multiclass" else 2
    return contest.rows.left(past, future) >= FEWEST_PAST and contest.rows.classes(past, judged=future) >= needed
