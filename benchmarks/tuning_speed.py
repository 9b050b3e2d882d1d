"""
CPU seconds of a trial, ours against Optuna with `cross_val_score` on a pipeline, and the AUC of what each has found.

The same rows (80,000 to learn from, the next 20,000 as holdout; 24 numbers with holes, 6 categories of up to 500
levels), the same bounds of the parameters, one thread, one process each. Ours searches on the newest rows with
Hyperband and early stopping, judges the best few on four folds, and lets the winner learn slower; all is counted.
The peer has five time-ordered folds and tunes the number of trees as well, having no early stopping.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rig import report
from rig.tables import NAMES, NUMBERS, config, table

EXAMPLES = """
Examples:
  python benchmarks/tuning_speed.py                                    # about ten minutes
  python benchmarks/tuning_speed.py --peer-trials 2 --rounds 1
"""
DEVELOPMENT, HOLDOUT = 80_000, 20_000
FOLDS, GAP, LEAST_RATIO, MOST_LOST = 5, 500, 10.0, 0.002
NOW = datetime(2100, 1, 1, tzinfo=UTC)
QUIET = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def main() -> int:
    args = parsed()
    if args.one:
        seed, trials = args.seed, args.trials if args.one == "ours" else args.peer_trials
        sys.stdout.write(json.dumps({"ours": ours, "peer": peer}[args.one](seed, trials)) + "\n")
        return 0
    found = [apart(who, turn, args) for turn in range(args.rounds) for who in ("ours", "peer")]
    report.keep(args.json, figures=found)
    return told(found)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--peer-trials", type=int, default=4, help="of the peer, which needs a minute each (4)")
    parser.add_argument("--rounds", type=int, default=2, help="with another seed each (2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement here")
    parser.add_argument("--one", choices=("ours", "peer"), help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def apart(who: str, turn: int, args: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", who, "--seed", str(turn)]
    command += ["--trials", str(args.trials), "--peer-trials", str(args.peer_trials)]
    done = subprocess.run(command, env=os.environ | QUIET, stdout=subprocess.PIPE, text=True, check=True)
    found = {"who": who, "round": turn} | json.loads(done.stdout.splitlines()[-1])
    print(f"{who}, round {turn}: {found['cpu_s'] / found['trials']:.2f} CPU s per trial", file=sys.stderr)
    return found


def ours(seed: int, trials: int) -> dict[str, Any]:
    """The study and the judging on all folds; the holdout is scored by what was fitted without it."""
    from flows.training.bench import lay_bench
    from flows.training.candidate import tune
    from flows.training.families.family import fit
    from flows.training.metrics import measure

    model = config(trials=trials, holdout=HOLDOUT / (DEVELOPMENT + HOLDOUT))
    rows = table(DEVELOPMENT + HOLDOUT, seed=11)
    bench = lay_bench(model, rows, champion=None, champion_scorer=None, seed=seed, as_of=NOW)
    done: list[float] = []

    def note(_share: float, doing: str) -> None:
        done.extend([time.process_time()] if doing.startswith(("Trial", "Judge")) else [])

    before = time.process_time()
    entries = tune(bench, note)
    cpu_s, setting = time.process_time() - before, entries[0].setting
    family, held = bench.contest.family(setting), bench.rows.sample(bench.holdout)
    past = bench.rows.sample(bench.rows.past(bench.holdout, entries[0].window))
    scores = family.scores(fit(family, setting, past), held)
    searched = done[trials] - done[0] if len(done) > trials else cpu_s
    auc = measure("binary", held.labels, scores)["auc"]
    return {"cpu_s": cpu_s, "search_s": searched, "trials": trials, "auc": auc, "params": setting.params}


def peer(seed: int, trials: int) -> dict[str, Any]:
    """As the manuals have it."""
    import optuna
    from sklearn.compose import ColumnTransformer
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import TimeSeriesSplit, cross_val_score
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import TargetEncoder
    from xgboost import XGBClassifier

    from flows.training.families.boosting import SPACE

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    frame = table(DEVELOPMENT + HOLDOUT, seed=11)
    features, labels = frame.select([*NUMBERS, *NAMES]), frame["_label"].to_numpy()
    past, held = features.head(DEVELOPMENT), features.tail(HOLDOUT)
    each: list[float] = []

    def pipeline(params: dict[str, Any]) -> Any:
        encode = ColumnTransformer(
            [("numbers", "passthrough", list(NUMBERS)), ("names", TargetEncoder(random_state=seed), list(NAMES))]
        )
        return Pipeline([("encode", encode), ("model", XGBClassifier(**params, n_jobs=1, random_state=seed))])

    def objective(trial: Any) -> float:
        before = time.process_time()
        params = SPACE.suggest(trial) | {"n_estimators": trial.suggest_int("n_estimators", 100, 1000)}
        folds = TimeSeriesSplit(FOLDS, gap=GAP)
        score = cross_val_score(pipeline(params), past, labels[:DEVELOPMENT], cv=folds, scoring="roc_auc").mean()
        each.append(time.process_time() - before)
        return float(score)

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=trials)
    fitted = pipeline(study.best_params).fit(past, labels[:DEVELOPMENT])
    auc = float(roc_auc_score(labels[DEVELOPMENT:], fitted.predict_proba(held)[:, 1]))
    return {"cpu_s": sum(each), "each": each, "trials": trials, "auc": auc, "params": study.best_params}


def told(found: list[dict[str, Any]]) -> int:
    by = {who: [one for one in found if one["who"] == who] for who in ("ours", "peer")}
    per = {who: [one["cpu_s"] / one["trials"] for one in ones] for who, ones in by.items()}
    ratios = [theirs / own for own, theirs in zip(per["ours"], per["peer"], strict=True)]
    lost = [theirs["auc"] - own["auc"] for own, theirs in zip(by["ours"], by["peer"], strict=True)]
    print(f"\n{report.machine()}")
    rows = [row(one) for one in found]
    report.show(("", "round", "trials", "CPU s per trial", "of which search", "holdout AUC"), rows, "one thread")
    bars = [
        report.least(ratios, LEAST_RATIO, f"CPU s per trial, peer / ours >= {LEAST_RATIO:g}"),
        lost_bar(statistics.median(lost)),
    ]
    return report.judge(bars)


def lost_bar(lost: float) -> report.Bar:
    return report.Bar(f"holdout AUC lower by at most {MOST_LOST}", f"{-lost:+.4f}", lost <= MOST_LOST)


def row(one: dict[str, Any]) -> tuple[str, ...]:
    each = one.get("each")
    spread = f" ({min(each):.1f} to {max(each):.1f})" if each else ""
    search = f"{one['search_s'] / one['trials']:.2f}" if "search_s" in one else ""
    per = f"{one['cpu_s'] / one['trials']:.2f}{spread}"
    return one["who"], str(one["round"]), str(one["trials"]), per, search, f"{one['auc']:.4f}"


if __name__ == "__main__":
    sys.exit(main())
