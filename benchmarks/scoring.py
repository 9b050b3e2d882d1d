"""
How long scoring takes: the fitted pipeline, its native library, other compilers, and ours.

Run: OMP_NUM_THREADS=1 python benchmarks/scoring.py [--model lightgbm] [--repeats 9]

All score the same pipeline: 30 features, filled and scaled, then one of
- xgboost: 200 trees of depth 6,
- lightgbm: 200 trees of 31 leaves, of any depth,
- forest: a random forest of 200 trees of any depth.
Peers that cannot encode get encoded columns for nothing. Those that are not installed
(onnxruntime with onnxmltools, treelite), or do not take the model, are left out.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import polars as pl
from lightgbm import LGBMClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from flows.training.folding.fold import fold
from registry.scoring.scorer import Scorer, scorer_files

FEATURES, TREES, DEPTH, ROWS = 30, 200, 6, 20_000
SIZES = (1, 16, 64, 1024)
NAMES = [f"f{i}" for i in range(FEATURES)]
SECONDS = 0.15  # of one measurement

MODELS = {
    "xgboost": lambda: XGBClassifier(n_estimators=TREES, max_depth=DEPTH, n_jobs=1, learning_rate=0.1),
    "lightgbm": lambda: LGBMClassifier(n_estimators=TREES, n_jobs=1, verbose=-1),
    "forest": lambda: RandomForestClassifier(n_estimators=TREES, n_jobs=1, random_state=0),
}

Score = Callable[[np.ndarray], np.ndarray]


def fitted(model: str) -> tuple[Pipeline, np.ndarray]:
    dice = np.random.default_rng(0)
    table = dice.normal(20, 5, size=(ROWS, FEATURES))
    table[dice.random(table.shape) < 0.05] = np.nan
    labels = np.nan_to_num(table)[:, :5].sum(axis=1) - 95 + 5 * dice.normal(size=ROWS) > 0
    return make_pipeline(SimpleImputer(), StandardScaler(), MODELS[model]()).fit(table, labels), table


def ours(pipeline: Pipeline) -> Score:
    compiled = Scorer.of(scorer_files(*fold(pipeline, numeric=NAMES))).compiled
    assert compiled is not None
    out = np.empty(max(SIZES))

    def score(rows: np.ndarray) -> np.ndarray:
        compiled.scores(rows, len(rows), out)
        return out[: len(rows)]

    return score


def dictionaries(pipeline: Pipeline) -> Score:
    """Through the slower way that takes JSON objects."""
    scorer = Scorer.of(scorer_files(*fold(pipeline, numeric=NAMES)))
    return lambda rows: scorer.score([dict(zip(NAMES, row, strict=True)) for row in rows.tolist()])


def inplace(pipeline: Pipeline) -> Score:
    _only(pipeline, XGBClassifier)
    booster, (_, fill), (_, scale) = pipeline[-1].get_booster(), *pipeline.steps[:2]
    booster.set_param({"nthread": 1})

    def score(rows: np.ndarray) -> np.ndarray:
        filled = np.where(np.isnan(rows), fill.statistics_, rows)
        encoded = ((filled - scale.mean_) / scale.scale_).astype(np.float32)
        return booster.inplace_predict(encoded, validate_features=False)

    return score


def frames(pipeline: Pipeline) -> Score:
    """As a stock service does it: one frame for each call."""
    return lambda rows: pipeline.predict_proba(pl.DataFrame(rows, schema=NAMES))[:, 1]


def onnx(pipeline: Pipeline) -> Score:
    import onnxruntime
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    _only(pipeline, XGBClassifier)
    model = convert_xgboost(pipeline[-1], initial_types=[("x", FloatTensorType([None, FEATURES]))])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_outputs()[1].name
    encode = pipeline[:-1].transform

    def score(rows: np.ndarray) -> np.ndarray:
        return session.run([name], {"x": rows})[0][:, 1]

    return encoded_before(score, encode)


def treelite(pipeline: Pipeline) -> Score:
    import treelite
    from treelite import gtil

    _only(pipeline, XGBClassifier)
    model = treelite.frontend.from_xgboost(pipeline[-1].get_booster())
    return encoded_before(lambda rows: gtil.predict(model, rows, nthread=1).ravel(), pipeline[:-1].transform)


class NotTaken(Exception):
    """A model that a peer does not take."""


def _only(pipeline: Pipeline, kind: type) -> None:
    if not isinstance(pipeline[-1], kind):
        raise NotTaken(f"takes {kind.__name__} only")


def encoded_before(score: Score, encode: Score) -> Score:
    """Give a peer its columns for nothing: they are encoded before the clock starts."""
    known: dict[bytes, np.ndarray] = {}

    def scored(rows: np.ndarray) -> np.ndarray:
        key = rows[0].tobytes() + bytes([len(rows) % 251])
        if key not in known:
            known[key] = np.ascontiguousarray(encode(rows), dtype=np.float32)
        return score(known[key])

    return scored


CONTENDERS: dict[str, Callable[[Pipeline], Score]] = {
    "compiled (ours)": ours,
    "ours, from JSON objects": dictionaries,
    "numpy + inplace_predict": inplace,
    "onnxruntime (trees only)": onnx,
    "treelite gtil (trees only)": treelite,
    "scikit-learn pipeline": lambda pipeline: lambda rows: pipeline.predict_proba(rows)[:, 1],
    "scikit-learn pipeline on a frame": frames,
}


def microseconds(score: Score, batches: list[np.ndarray]) -> float:
    """Mean time of one call, over about SECONDS."""
    calls, started = 0, time.perf_counter()
    while (spent := time.perf_counter() - started) < SECONDS:
        for batch in batches:
            score(batch)
        calls += len(batches)
    return spent / calls * 1e6


def measured(table: np.ndarray, scorers: dict[str, Score], repeats: int) -> dict[str, dict[int, float]]:
    """Interleaved: each repeat asks everyone once for each size."""
    found: dict[str, dict[int, list[float]]] = {name: {size: [] for size in SIZES} for name in scorers}
    for _ in range(repeats):
        for size in SIZES:
            batches = [np.ascontiguousarray(table[i * size : (i + 1) * size]) for i in range(min(16, ROWS // size))]
            for name, score in scorers.items():
                found[name][size].append(microseconds(score, batches))
    return {name: {size: median(times) for size, times in sizes.items()} for name, sizes in found.items()}


def available(pipeline: Pipeline) -> dict[str, Score]:
    scorers: dict[str, Score] = {}
    for name, make in CONTENDERS.items():
        try:
            scorers[name] = make(pipeline)
        except (ImportError, NotTaken) as error:
            print(f"Left out: {name} ({error})")
    return scorers


def difference(score: Score, table: np.ndarray, expected: np.ndarray) -> float:
    parts = [np.array(score(np.ascontiguousarray(part))) for part in np.split(table, ROWS // 1000)]
    return float(np.abs(np.concatenate(parts) - expected).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=MODELS, default="xgboost")
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    pipeline, table = fitted(chosen.model)
    expected = pipeline.predict_proba(table)[:, 1].astype(np.float64)
    scorers = available(pipeline)
    times = measured(table, scorers, chosen.repeats)
    first = times["compiled (ours)"]
    print(f"\nMicroseconds per call, medians of {chosen.repeats} interleaved repeats; in brackets: times ours\n")
    print(f"| rows per call | {' | '.join(map(str, SIZES))} | largest difference |\n|---|{'---|' * (len(SIZES) + 1)}")
    for name, sizes in times.items():
        cells = [f"{sizes[size]:,.1f} ({sizes[size] / first[size]:,.1f})" for size in SIZES]
        print(f"| {name} | {' | '.join(cells)} | {difference(scorers[name], table, expected):.1e} |")


if __name__ == "__main__":
    main()
