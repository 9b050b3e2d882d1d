"""
Every family on real tables: how good it is, and how closely what is served agrees with what was fitted.

Bank marketing (binary), bike rentals (regression), and bike rentals in three classes (few, usual, many). Each family
alone, then an ensemble of three; probabilities are calibrated where that helps. Differences are over the whole holdout,
between the files of the version and the pipeline in memory.
"""

import argparse
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml
from rig import report

from flows.config.load import parse_config
from flows.config.model import ModelConfig
from flows.data import prepare
from flows.training.candidate import train_candidate
from flows.training.describing import Candidate
from registry.scoring.scorer import Scorer

EXAMPLES = """
Examples:
  UNDERSTUDY_DATA=/folder/of/tables python benchmarks/families.py            # about ten minutes of one core
  UNDERSTUDY_DATA=/folder/of/tables python benchmarks/families.py --trials 2 --families linear lightgbm
"""
NOW = datetime(2100, 1, 1, tzinfo=UTC)
ALONE = ("xgboost", "lightgbm", "forest", "mlp", "linear")
TOGETHER = ("xgboost", "lightgbm", "linear", "ensemble")
SHOWN = {"binary": "auc", "multiclass": "log_loss", "regression": "rmse"}
CLASSES = ("few", "usual", "many")
FARTHEST = {"binary": 1e-4, "multiclass": 1e-4, "regression": 1e-5}  # of itself, if it is a value


def main() -> int:
    args = parsed()
    found = [
        measured(task, config, frame, families, args.trials)
        for task, config, frame in tables()
        for families in [*((name,) for name in args.families), *([TOGETHER] if not args.alone else [])]
    ]
    report.keep(args.json, figures=found)
    return 1 if any(one["missed"] for one in found) else 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--families", nargs="+", default=list(ALONE))
    parser.add_argument("--alone", action="store_true", help="no ensemble")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement here")
    return parser.parse_args()


def tables() -> Iterator[tuple[str, ModelConfig, pl.DataFrame]]:
    """Task, configuration and prepared rows of each."""
    for task, name in (("binary", "bank"), ("regression", "bikes")):
        config = configured(name)
        source = pl.read_parquet(Path(os.environ["UNDERSTUDY_DATA"]) / str(config.data.source).rpartition("/")[2])
        frame = prepare(config, source)
        yield task, config, frame
    edges = np.quantile(frame["_label"].to_numpy(), [1 / 3, 2 / 3])
    labels = np.digitize(frame["_label"].to_numpy(), edges).astype(float)
    yield "multiclass", configured("bikes", several=True), frame.with_columns(_label=pl.Series(labels))


def configured(name: str, *, several: bool = False) -> ModelConfig:
    """An example, with nothing but its rows and features."""
    raw = yaml.safe_load((Path(__file__).parent.parent / "examples" / f"{name}.yaml").read_text())
    kept = {key: raw[key] for key in ("model", "task", "target", "features", "data")}
    data = {**raw["data"], "source": Path(raw["data"]["source"]).name}
    if several:
        kept |= {"task": "multiclass"}
        data |= {"classes": list(CLASSES)}
    return parse_config({**kept, "data": data, "training": {"window": None, "min_rows": 2000}}, name)


def measured(task: str, config: ModelConfig, frame: pl.DataFrame, families: tuple[str, ...], trials: int) -> Any:
    """Train, and say how it went."""
    changes = {"families": families, "trials": trials, "calibration": "none" if task == "regression" else "auto"}
    config = config.model_copy(update={"training": config.training.model_copy(update=changes)})
    began = time.process_time()
    candidate = train_candidate(config, frame, champion=None, champion_scorer=None, seed=0, as_of=NOW)
    spent = time.process_time() - began
    farthest = candidate.parity if task != "regression" else candidate.parity / np.abs(candidate.expected).mean()
    one = {
        "task": task,
        "families": " ".join(families),
        "chosen": candidate.algorithm,
        SHOWN[task]: candidate.metrics[SHOWN[task]],
        "difference": candidate.parity,
        "serving": candidate.serving,
        "cpu_s": spent,
        "bytes": sum(map(len, candidate.files.values())),
        "calibration": candidate.calibration,
        "missed": bool(farthest > FARTHEST[task]),
    }
    said(one, task, microseconds(candidate, config, frame))
    return one


def microseconds(candidate: Candidate, config: ModelConfig, frame: pl.DataFrame) -> float:
    """Of one row in a batch of 256."""
    scorer = Scorer.of(candidate.files)
    rows = frame.select(config.features.names).tail(256).to_dicts()
    scorer.score(rows)
    began = time.perf_counter()
    for _ in range(20):
        scorer.score(rows)
    return (time.perf_counter() - began) / 20 / len(rows) * 1e6


def said(one: dict[str, Any], task: str, each: float) -> None:
    print(
        f"| {task} | {one['families']} | {one['chosen']} | {one[SHOWN[task]]:.4f} | {one['difference']:.1e} | "
        f"{one['serving']} | {one['cpu_s']:.0f} | {one['bytes'] / 1e6:.1f} | {each:.1f} | {one['calibration']} |",
        flush=True,
    )


if __name__ == "__main__":
    raise SystemExit(main())
