"""All policies on one table, each beside never, always and the even schedule of equal budget."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from flows.backtest.engine import Run, Setting, chosen
from flows.backtest.errors import BacktestRefused
from flows.backtest.judging import Bench, report
from flows.backtest.options import Options
from flows.backtest.parallel import Crew, crew
from flows.backtest.policies.names import BUDGET, ORACLE, Spec
from flows.backtest.policies.oracle import Planned, best_dates
from flows.backtest.policies.schedules import Evenly
from flows.backtest.results import Backtest
from flows.backtest.scoring import batch_losses
from flows.backtest.table import Table
from flows.backtest.tuning import tunable, tune
from flows.backtest.workshop import Workshop
from flows.comparison.metrics import METRICS
from flows.config.model import ModelConfig

PHASES = (0.1, 0.3, 0.5, 0.7, 0.9)
CHANGES = 20  # the oracle's dates at one per so many batches count as the changes to be found
NEVER, ALWAYS = Spec("never"), Spec("always")
Floats = NDArray[np.float64]
Done = Callable[[str, int], None]


def silent(_said: str, _of: int) -> None:
    """Tell nobody."""


def backtest(config: ModelConfig, table: Table, options: Options, done: Done = silent) -> Backtest:
    """
    Replay a table under every policy asked for.

    Args:
        config: Names the metric, the thresholds of drift, and the windows.
        table: As `flows.backtest.table.read` makes it.
        done: Is told what is done, and how many steps there are in all.

    Raises:
        BacktestRefused: If the table is too short, or a change lies outside of it.
        LookAhead: If a policy wants to learn from labels of the future.
    """
    with TemporaryDirectory(prefix="understudy-backtest-") as folder:
        setting = lay_out(config, table, options, Path(folder))
        _refuse_changes(setting, options)
        kinds = tunable(options) if options.trials else []
        steps = setting.batches + len(_asked(options)) + len(kinds) * options.trials
        with crew(setting, config, options.workers) as workers:
            bench = _played(setting, options, workers, lambda said: done(said, steps))
        tuned = tune(config, setting, options, watch=lambda said: done(said, steps)) if options.trials else ()
        return report(config, bench, tuned)


def lay_out(config: ModelConfig, table: Table, options: Options, folder: Path) -> Setting:
    """Divide the table, and open the workshop of the fits."""
    metric = options.metric or _usual(config)
    return Setting(
        workshop=Workshop(table, options.recipe, folder),
        edges=options.plan.edges(table.times),
        metric=metric,
        choose=options.window.chooser(config),
    )


def _usual(config: ModelConfig) -> str:
    """The metric of the promotion policy, if it is one of labelled rows."""
    wanted = config.promotion.metric
    return wanted if wanted in METRICS[config.task] else METRICS[config.task][0]


def hindsight(setting: Setting) -> Floats:
    """Summed loss on batch j of the model that could be made before batch i: shape (batches, batches)."""
    first, sizes = int(setting.edges[0]), np.diff(setting.edges)
    losses = np.full((setting.batches, setting.batches), np.inf)
    for number in range(setting.batches):
        start = int(setting.edges[number])
        scores = np.zeros(setting.table.rows - first)
        scores[start - first :] = setting.workshop.scores(
            chosen(setting, Run.empty(), number - 1), start, setting.table.rows
        )
        losses[number, number:] = (batch_losses(setting, scores) * sizes)[number:]
    return losses


def _played(setting: Setting, options: Options, workers: Crew, done: Callable[[str], None]) -> Bench:
    workers.prepare(done)
    runs = workers.run(_asked(options), done)
    losses = hindsight(setting)
    for spec in options.policies:
        if spec.kind == ORACLE:
            budget = int((setting.batches * (BUDGET if spec.number is None else spec.number)) // 100)
            runs[str(spec)] = workers.alone(Planned(best_dates(losses, budget), str(spec)))
    changes = options.changes or best_dates(losses, max(1, setting.batches // CHANGES))
    bench = Bench(setting, options, runs, changes)
    for count in sorted({len(run.retrainings) for run in runs.values()} - {0, setting.batches - 1}):
        bench.schedules[count] = [workers.alone(Evenly(count, phase)) for phase in PHASES]
    return bench


def _asked(options: Options) -> list[Spec]:
    """What is replayed by name; the oracle's dates are found afterwards."""
    return [spec for spec in dict.fromkeys((NEVER, ALWAYS, *options.policies)) if spec.kind != ORACLE]


def _refuse_changes(setting: Setting, options: Options) -> None:
    wrong = [change for change in options.changes if not 0 <= change < setting.batches - 1]
    if wrong:
        said = ", ".join(map(str, wrong))
        raise BacktestRefused(
            "Nothing was replayed.",
            f"Changes after batch {said} are given, and decisions are made after batches 0 to {setting.batches - 2}.",
            "Count batches from 0, from the end of the warm-up.",
        )
