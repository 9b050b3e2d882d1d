"""Find a policy's number on the early part, judge it on the later one, which the search never saw."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flows.backtest.batches import FEWEST
from flows.backtest.engine import Run, Setting, replay
from flows.backtest.errors import BacktestRefused
from flows.backtest.options import Options
from flows.backtest.policies.names import BUDGET, KINDS, Spec
from flows.backtest.policies.schedules import Evenly, Every, Never
from flows.backtest.results import Tuned
from flows.backtest.scoring import lost_points, value
from flows.backtest.table import Table
from flows.backtest.workshop import Workshop
from flows.config.model import ModelConfig

Watch = Callable[[str], None]
EARLY = 0.5  # of the batches


def tune(
    config: ModelConfig, setting: Setting, options: Options, *, seed: int = 0, watch: Watch = lambda _said: None
) -> tuple[Tuned, ...]:
    """
    Search the number of every policy asked for that has one.

    The search has the rows of the early part only; they are cut off before it begins. With prices it
    minimises the cost; without, it looks for the best metric with retrainings after at most a
    quarter of the batches. The later part begins with a model fitted at the cut, under either number.

    Args:
        setting: Of the whole table; only its fits of the later part are used.
        options: Names the policies, the prices, and how many numbers are tried for each policy.
        seed: Of the search.
        watch: Is told of each number that was tried.

    Raises:
        BacktestRefused: If no policy has a number, or either part is too short.
    """
    kinds = tunable(options)
    cut = int(setting.batches * EARLY)
    _refuse(kinds, options, cut)
    with TemporaryDirectory(prefix="understudy-tuning-") as folder:
        early = early_part(setting, cut, Path(folder))
        found = {spec.kind: _search(config, early, spec, options, seed, watch) for spec in kinds}
        later = replace(setting, edges=setting.edges[cut:], choices={})
        return tuple(_both(config, early, later, found[spec.kind], options.trials) for spec in kinds)


def tunable(options: Options) -> list[Spec]:
    """The policies asked for that have a number to find."""
    return [spec for spec in dict.fromkeys(Spec(spec.kind) for spec in options.policies) if KINDS[spec.kind].tuned]


def early_part(setting: Setting, cut: int, folder: Path) -> Setting:
    """The first *cut* batches, on a table without any later row."""
    shop = setting.workshop
    table = head(shop.table, int(setting.edges[cut]))
    return replace(setting, workshop=Workshop(table, shop.recipe, folder), edges=setting.edges[: cut + 1], choices={})


def head(table: Table, rows: int) -> Table:
    """The first rows of a table."""
    return replace(
        table,
        values=table.values[:rows].copy(),
        codes=table.codes[:rows].copy(),
        times=table.times[:rows].copy(),
        labels=table.labels[:rows].copy(),
        frame=table.frame.head(rows),
    )


def _refuse(kinds: list[Spec], options: Options, cut: int) -> None:
    mistakes = []
    if not kinds:
        asked = ", ".join(str(spec) for spec in options.policies) or "none was named"
        mistakes.append(f"no policy has a number to find ({asked})")
    if cut < FEWEST:
        mistakes.append(f"the early part has {cut} batches, and {FEWEST} are needed")
    if mistakes:
        able = ", ".join(name for name, kind in KINDS.items() if kind.tuned)
        raise BacktestRefused("Nothing was tuned.", "; ".join(mistakes).capitalize() + ".", f"Name one of {able}.")


def _search(config: ModelConfig, early: Setting, spec: Spec, options: Options, seed: int, watch: Watch) -> Spec:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    plain = value(early, replay(Never(), early).scores)

    def objective(trial: Any) -> float:
        run = replay(_suggested(trial, spec).make(config), early)
        watch(f"tuning {spec}")
        return _badness(early, run, plain, options)

    study.optimize(objective, n_trials=options.trials)
    return _suggested(study.best_trial, spec)


def _suggested(trial: Any, spec: Spec) -> Spec:
    kind = KINDS[spec.kind]
    low, high = kind.tuned or (0.0, 1.0)
    if kind.whole:
        return Spec(spec.kind, float(trial.suggest_int("number", int(low), int(high))))
    return Spec(spec.kind, float(f"{trial.suggest_float('number', low, high, log=True):.4g}"))


def _badness(early: Setting, run: Run, plain: float, options: Options) -> float:
    """Cost, or points lost against the first model; beyond the budget, worse than all within."""
    lost, count = lost_points(early.metric, value(early, run.scores), plain), len(run.retrainings)
    if options.price_retraining is not None or options.price_point is not None:
        return count * (options.price_retraining or 0.0) + lost * (options.price_point or 0.0)
    beyond = count - math.floor(early.batches * BUDGET / 100)
    return lost if beyond <= 0 else 1e9 + beyond


def _both(config: ModelConfig, early: Setting, later: Setting, found: Spec, trials: int) -> Tuned:
    default = Spec(found.kind, 4.0 if KINDS[found.kind].needed else None)
    runs = [(replay(spec.make(config), part), part) for part in (early, later) for spec in (found, default)]
    values = [value(part, run.scores) for run, part in runs]
    count = len(runs[2][0].retrainings)
    beside = [value(later, replay(policy, later).scores) for policy in (Never(), Every(1), Evenly(count))]
    return Tuned(
        kind=found.kind,
        default=str(default),
        found=str(found),
        early_batches=early.batches,
        later_batches=later.batches,
        trials=trials,
        early=values[0],
        early_default=values[1],
        later=values[2],
        later_default=values[3],
        early_retrainings=len(runs[0][0].retrainings),
        later_never=beside[0],
        later_always=beside[1],
        later_evenly=beside[2],
        later_retrainings=count,
        later_default_retrainings=len(runs[3][0].retrainings),
    )
