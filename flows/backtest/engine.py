"""Prequential replay: the model in force scores a batch, its labels arrive, the policy decides."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from flows.backtest.errors import LookAhead
from flows.backtest.policies.protocol import Action, Blend, Policy, State, Window
from flows.backtest.table import Table
from flows.backtest.workshop import Workshop

Floats = NDArray[np.float64]
Chooser = Callable[["Known"], Blend]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """
    What a choice of the window may look at.

    Attributes:
        times, labels: Shape (known,), of the rows whose label has arrived.
        edges: First rows of the batches so far.
        trial: Scores of the rows from a blend's end up to *known*.
    """

    task: str
    metric: str
    times: Floats
    labels: Floats
    edges: NDArray[np.int64]
    trial: Callable[[Blend], Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """
    What all policies of a replay share.

    Attributes:
        edges: First rows of the batches, and the end of the last one.
        metric: By which the replay judges.
        choose: The window of a retraining, unless the policy names one.
        choices: What it chose after each batch, and what it fitted to choose.
    """

    workshop: Workshop
    edges: NDArray[np.int64]
    metric: str
    choose: Chooser
    choices: dict[int, tuple[Blend, frozenset[Window]]] = field(default_factory=dict)

    @property
    def table(self) -> Table:
        """What is replayed."""
        return self.workshop.table

    @property
    def batches(self) -> int:
        """How many are scored."""
        return len(self.edges) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraining:
    """One retraining: after which batch, from what, and why."""

    batch: int
    blend: Blend
    why: str


@dataclass(slots=True, kw_only=True)
class Run:
    """
    What one policy did.

    Attributes:
        scores: Shape (rows scored,): what was served.
        retrainings: In the order of time; the first model is none.
        reasons: What the policy said after each batch.
        fitted: Every window that was fitted, those of trials included.
    """

    name: str
    scores: Floats
    retrainings: list[Retraining] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    fitted: set[Window] = field(default_factory=set)

    @classmethod
    def empty(cls) -> "Run":
        """A run without rows, for what is fitted before any policy asks."""
        return cls(name="", scores=np.empty(0))


def replay(policy: Policy, setting: Setting, watch: Callable[[int], None] | None = None) -> Run:
    """
    Replay all batches under one policy.

    After the last batch nothing is decided, since nothing would be scored by it.

    Args:
        policy: A fresh one.
        setting: Shared by all policies.
        watch: Is told the number of each batch that is done.

    Raises:
        LookAhead: If the policy wants to learn from rows whose label is not known yet.
    """
    edges, first = setting.edges, int(setting.edges[0])
    run = Run(name=policy.name, scores=np.full(setting.table.rows - first, np.nan))
    model = chosen(setting, run, -1)
    for number in range(setting.batches):
        start, stop = int(edges[number]), int(edges[number + 1])
        run.scores[start - first : stop - first] = setting.workshop.scores(model, start, stop)
        if number + 1 < setting.batches:
            action = policy.decide(_state(setting, run, number, model))
            run.reasons.append(action.why)
            model = _done(setting, run, number, action, model)
        if watch is not None:
            watch(number)
    return run


def known_after(setting: Setting, number: int) -> int:
    """Count the rows whose label has arrived by the last row of batch *number*; -1 is the warm-up."""
    seen = int(setting.edges[number + 1])
    return min(seen, setting.table.known(float(setting.table.times[seen - 1])))


def _done(setting: Setting, run: Run, number: int, action: Action, model: Blend) -> Blend:
    if not action.retrain:
        return model
    blend = action.blend or chosen(setting, run, number)
    _refuse_future(blend, known_after(setting, number))
    run.fitted.update(blend.windows)
    run.retrainings.append(Retraining(batch=number, blend=blend, why=action.why))
    return blend


def chosen(setting: Setting, run: Run, number: int) -> Blend:
    """Ask the replay's own choice of a window after batch *number*; -1 is the warm-up."""
    if number not in setting.choices:
        setting.choices[number] = _choice(setting, number)
    blend, fitted = setting.choices[number]
    run.fitted.update(fitted)
    return blend


def _choice(setting: Setting, number: int) -> tuple[Blend, frozenset[Window]]:
    table, known, trials = setting.table, known_after(setting, number), Run.empty()
    blend = setting.choose(
        Known(
            task=table.task,
            metric=setting.metric,
            times=table.times[:known],
            labels=table.labels[:known],
            edges=setting.edges[: number + 2],
            trial=lambda blend: _trial(setting, trials, blend, known, known),
        )
    )
    _refuse_future(blend, known)
    return blend, frozenset(trials.fitted.union(blend.windows))


def _state(setting: Setting, run: Run, number: int, model: Blend) -> State:
    table, first, seen = setting.table, int(setting.edges[0]), int(setting.edges[number + 1])
    known = known_after(setting, number)
    return State(
        task=table.task,
        metric=setting.metric,
        number=number,
        batches=setting.batches,
        edges=setting.edges[: number + 2].copy(),
        first=first,
        seen=seen,
        known=known,
        now=float(table.times[seen - 1]),
        times=table.times[:seen].copy(),
        labels=table.labels[:known].copy(),
        scores=run.scores[: seen - first].copy(),
        retrained=tuple(one.batch for one in run.retrainings),
        champion=model,
        window=lambda: chosen(setting, run, number),
        table=lambda: table.frame.head(seen),
        trial=lambda blend: _trial(setting, run, blend, known, seen),
    )


def _trial(setting: Setting, run: Run, blend: Blend, known: int, until: int) -> Floats:
    _refuse_future(blend, known)
    run.fitted.update(blend.windows)
    return setting.workshop.scores(blend, blend.stop, until)


def _refuse_future(blend: Blend, known: int) -> None:
    wrong = [window for window in blend.windows if not 0 <= window.start < window.stop <= known]
    if wrong:
        raise LookAhead(
            "The replay was stopped.",
            f"A model would learn from rows {wrong[0].start} to {wrong[0].stop}, and labels of {known} rows are known.",
            "End every window at `state.known` or before.",
        )
